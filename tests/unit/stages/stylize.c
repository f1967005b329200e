/* The whole of stylize on small pictures: results, metadata, progress, cancelling, going back, mistakes. */
/* SPDX-License-Identifier: MIT */
#include <reverie/stylize.h>

#include "device/internal.h"
#include "small_network.h"
#include "stages/picture.h"
#include "stages/stylize_options.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the callbacks saw. */
typedef struct seen {
    int steps, warnings, cancel_after;
    int asked, cancel_when_asked; /* for cancel_when_asked times; 0: never */
    bool backwards;
    rv_progress last;
    char first_task[48], warning[256];
} seen;

static void on_log(void *payload, rv_log_level level, const char *text)
{
    seen *s = payload;
    if (level == RV_LOG_WARNING) {
        s->warnings++;
        snprintf(s->warning, sizeof s->warning, "%s", text);
    }
}

static void on_progress(void *payload, const rv_progress *progress)
{
    seen *s = payload;
    s->backwards = s->backwards || progress->fraction < s->last.fraction;
    s->last = *progress;
    if (s->steps++ == 0) {
        snprintf(s->first_task, sizeof s->first_task, "%s", progress->task);
    }
}

static bool on_cancelled(void *payload)
{
    seen *s = payload;
    s->asked++;
    return (s->cancel_after > 0 && s->steps >= s->cancel_after) ||
           (s->cancel_when_asked > 0 && s->asked >= s->cancel_when_asked);
}

/* A job: all that rv_stylize() takes. */
typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *style;
    rv_stylize_options options;
    rv_events events;
    seen seen;
    rv_image *out;
    rv_stylize_result result;
} work;

static void set_up(work *w, int width, int height, int channels, int bits)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    w->model = small_network();
    w->photo = waves(width, height, channels, bits, 1);
    w->style = waves(30, 22, 3, 8, 2);
    w->events = (rv_events){&w->seen, on_log, on_progress, on_cancelled};
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.size = 32;
    w->options.iterations = 4;
    w->options.content_layers = "relu3";
    w->options.events = &w->events;
    w->options.preset = RV_PRESET_GATYS;
}

static rv_status stylize(work *w)
{
    const rv_image *const styles[1] = {w->style};
    rv_image_destroy(w->out);
    memset(&w->seen.last, 0, sizeof w->seen.last);
    w->seen.steps = w->seen.warnings = 0;
    return rv_stylize(&w->out, &w->result, w->device, w->model, w->photo, styles, NULL, 1,
                      &w->options);
}

static void tear_down(work *w)
{
    rv_image_destroy(w->out);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->style);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static void has_size(const work *w, int width, int height)
{
    cr_assert_eq(rv_image_width(w->out), width);
    cr_assert_eq(rv_image_height(w->out), height);
}

Test(stylize, lowers_the_loss_and_tells_how_far_it_is)
{
    work w;
    set_up(&w, 40, 30, 3, 8);
    w.options.scales = 2;
    cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
    has_size(&w, 32, 24);
    cr_assert(rv_image_channels(w.out) == 3 && rv_image_bits(w.out) == 8);
    cr_assert_eq(w.result.iterations, 6 + 4);
    cr_assert_eq(w.seen.steps, 10);
    cr_assert_str_eq(w.seen.first_task, "stylize 16 px");
    cr_assert_float_eq(w.seen.last.fraction, 1, 1e-12);
    cr_assert_not(w.seen.backwards);
    cr_assert(w.seen.last.done == 4 && w.seen.last.total == 4);
    cr_assert_float_eq(w.seen.last.seconds_left, 0, 1e-9);
    const double after_10 = w.result.loss;
    w.options.iterations = 40;
    cr_assert_eq(stylize(&w), RV_OK);
    cr_assert_lt(w.result.loss, 0.8 * after_10);
    cr_assert_gt(w.result.seconds, 0);
    tear_down(&w);
}

Test(stylize, gives_the_same_bytes_twice)
{
    static const rv_stylize_init inits[] = {RV_INIT_FROM_CONTENT, RV_INIT_FROM_NOISE,
                                            RV_INIT_FROM_STYLE, RV_INIT_FROM_IMAGE};
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++) {
        work w;
        set_up(&w, 32, 25, 3, 16);
        w.options.init = inits[i];
        w.options.init_image = inits[i] == RV_INIT_FROM_IMAGE ? w.style : NULL;
        w.options.optimizer = i % 2 == 0 ? RV_OPTIMIZER_ADAM : RV_OPTIMIZER_LBFGS;
        cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
        rv_image *first = w.out;
        w.out = NULL;
        cr_assert_eq(stylize(&w), RV_OK);
        cr_assert_arr_eq(rv_image_pixels(first), rv_image_pixels(w.out), (size_t)32 * 25 * 3 * 2);
        w.options.seed = 1;
        cr_assert_eq(stylize(&w), RV_OK);
        const bool same =
            memcmp(rv_image_pixels(first), rv_image_pixels(w.out), 32 * 25 * 3 * 2) == 0;
        cr_assert_eq(same, inits[i] != RV_INIT_FROM_NOISE);
        rv_image_destroy(first);
        tear_down(&w);
    }
}

Test(stylize, keeps_alpha_and_16_bits)
{
    work w;
    set_up(&w, 32, 20, 4, 16);
    cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
    has_size(&w, 32, 20);
    cr_assert(rv_image_channels(w.out) == 4 && rv_image_bits(w.out) == 16);
    const uint16_t *in = rv_image_pixels(w.photo), *out = rv_image_pixels(w.out);
    for (int i = 0; i < 32 * 20; i++) {
        cr_assert_eq(in[4 * i + 3], out[4 * i + 3]);
    }
    tear_down(&w);
}

Test(stylize, never_enlarges)
{
    work w;
    set_up(&w, 20, 28, 3, 8);
    w.options.size = 512;
    cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
    has_size(&w, 20, 28);
    cr_assert_not_null(strstr(w.result.settings, "size=28 "), "%s", w.result.settings);
    tear_down(&w);
}

Test(stylize, writes_down_what_shaped_the_picture)
{
    work w;
    set_up(&w, 32, 20, 3, 8);
    w.options.style_layers = "relu1:3,relu2";
    cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
    cr_assert_str_eq(
        w.result.settings,
        "model=small preset=gatys size=32 content_weight=5 style_weight=100 tv_weight=0.001 "
        "content_layers=relu3 style_layers=relu1:0.75,relu2:0.25 style_loss=gram init=content "
        "scales=1 "
        "iterations=4 optimizer=lbfgs learning_rate=1 seed=0 strength=0.5 style_scale=1 "
        "preserve_color=none");
    tear_down(&w);
}

Test(stylize, compares_what_of_the_style_it_is_told)
{
    static const char *const names[] = {"", "gram", "mean-variance", "wasserstein"};
    work w;
    double loss[4];
    set_up(&w, 32, 24, 3, 8);
    for (int i = RV_STYLE_LOSS_GRAM; i <= RV_STYLE_LOSS_WASSERSTEIN; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, " style_loss=%s ", names[i]);
        w.options.style_loss = (rv_style_loss)i;
        w.options.iterations = 1;
        cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
        cr_assert_not_null(strstr(w.result.settings, expected), "%s", w.result.settings);
        loss[i] = w.result.loss;
        w.options.iterations = 20;
        cr_assert_eq(stylize(&w), RV_OK);
        cr_assert_lt(w.result.loss, 0.9 * loss[i], "%s: %g, then %g", names[i], loss[i],
                     w.result.loss);
    }
    cr_assert(loss[1] != loss[2] && loss[2] != loss[3]);
    tear_down(&w);
}

Test(stylize, fast_takes_a_quarter_of_the_work)
{
    static const char *const models[2] = {"patches", NULL};
    rv_image *photo = waves(512, 512, 3, 8, 1);
    for (int i = 0; i < 2; i++) {
        double cost[2] = {0};
        rv_model *model = NULL;
        if (models[i] == NULL) {
            model = small_network();
        } else {
            RV_ASSERT_OK(rv_model_open(&model, models[i], NULL));
        }
        for (int fast = 0; fast < 2; fast++) {
            rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT, resolved;
            const rv_style_recipe *recipe;
            rv_schedule s;
            options.preset = fast == 1 ? RV_PRESET_FAST : RV_PRESET_DEFAULT;
            RV_ASSERT_OK(rv_stylize_resolve(&resolved, &s, &recipe, &options, model, photo));
            for (int k = 0; k < s.n; k++) {
                cost[fast] += (double)s.size[k] * s.size[k] * s.iterations[k];
            }
            cr_assert_eq(resolved.size, fast == 1 ? 256 : 512);
            cr_assert_eq(resolved.output_size, fast == 1 ? 512 : 0);
        }
        /* The rest of the quarter is for what does not depend on iterations. */
        cr_assert_float_eq(cost[1] / cost[0], 0.155, 0.01, "%g of the work", cost[1] / cost[0]);
        rv_model_close(model);
    }
    rv_image_destroy(photo);
}

Test(stylize, an_option_goes_before_the_preset)
{
    work w;
    set_up(&w, 32, 20, 3, 8);
    w.options.preset = RV_PRESET_DEFAULT;
    w.options.style_weight = 2;
    w.options.optimizer = RV_OPTIMIZER_ADAM;
    cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
    cr_assert_not_null(strstr(w.result.settings, " preset=default "), "%s", w.result.settings);
    cr_assert_not_null(strstr(w.result.settings, " content_weight=1 style_weight=2 tv_weight=0 "));
    cr_assert_not_null(strstr(w.result.settings, " optimizer=adam "));
    tear_down(&w);
}

Test(stylize, blends_styles_by_their_weights)
{
    work w;
    set_up(&w, 32, 20, 3, 8);
    rv_image *other = waves(25, 31, 3, 8, 9), *out[3];
    const rv_image *const styles[2] = {w.style, other};
    static const double weights[3][2] = {{1, 1}, {7, 7}, {1, 3}};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(rv_stylize(&out[i], &w.result, w.device, w.model, w.photo, styles, weights[i],
                                2, &w.options),
                     RV_OK, "%s", rv_error_message());
    }
    cr_assert_not_null(strstr(w.result.settings, " style_shares=0.25,0.75 "), "%s",
                       w.result.settings);
    cr_assert_arr_eq(rv_image_pixels(out[0]), rv_image_pixels(out[1]), 32 * 20 * 3);
    cr_assert_neq(memcmp(rv_image_pixels(out[0]), rv_image_pixels(out[2]), 32 * 20 * 3), 0);
    for (int i = 0; i < 3; i++) {
        rv_image_destroy(out[i]);
    }
    rv_image_destroy(other);
    tear_down(&w);
}

Test(stylize, gives_the_picture_so_far_when_cancelled)
{
    for (int optimizer = RV_OPTIMIZER_LBFGS; optimizer <= RV_OPTIMIZER_ADAM; optimizer++) {
        for (int after = 1; after <= 8; after += 7) {
            work w;
            set_up(&w, 40, 30, 3, 8);
            w.options.scales = 2;
            w.options.optimizer = (rv_optimizer)optimizer;
            w.seen.cancel_after = after;
            cr_assert_eq(stylize(&w), RV_ERR_CANCELLED);
            char message[64];
            snprintf(message, sizeof message, "cancelled after %d iterations", after);
            cr_assert_str_eq(rv_error_message(), message);
            cr_assert_eq(w.result.iterations, after);
            cr_assert(isfinite(w.result.loss));
            has_size(&w, 32, 24);
            /* It has left the photo, but is no noise yet. */
            rv_planar before, now;
            double difference = 0;
            cr_assert_eq(rv_picture_planes(&before, NULL, w.device, w.photo, NULL, 32, 24), RV_OK);
            cr_assert_eq(rv_picture_planes(&now, NULL, w.device, w.out, NULL, 32, 24), RV_OK);
            for (int i = 0; i < 3 * 32 * 24; i++) {
                difference += fabs((double)before.data[i] - (double)now.data[i]) / (3 * 32 * 24);
            }
            cr_assert(difference > 1e-4 && difference < 0.2, "%g", difference);
            rv_planar_release(&before);
            rv_planar_release(&now);
            tear_down(&w);
        }
    }
}

Test(stylize, comes_back_from_steps_that_are_too_long_and_says_so_once)
{
    work w;
    set_up(&w, 32, 24, 3, 8);
    w.options.optimizer = RV_OPTIMIZER_LBFGS;
    w.options.iterations = 20;
    w.options.learning_rate = 1e8;
    cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
    cr_assert_eq(w.seen.warnings, 1);
    cr_assert_not_null(strstr(w.seen.warning, "back to the last good picture"), "%s",
                       w.seen.warning);
    cr_assert(isfinite(w.result.loss));
    cr_assert_eq(w.result.iterations, 20);
    w.options.learning_rate = 0;
    cr_assert_eq(stylize(&w), RV_OK);
    cr_assert_eq(w.seen.warnings, 0);
    tear_down(&w);
}

Test(stylize, takes_photos_of_one_pixel_and_of_one_column)
{
    static const int sizes[][4] = {{1, 1, 1, 1}, {1, 300, 1, 32}, {300, 2, 32, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        work w;
        set_up(&w, sizes[i][0], sizes[i][1], 3, 8);
        w.options.preset = RV_PRESET_DEFAULT; /* with a margin */
        cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
        has_size(&w, sizes[i][2], sizes[i][3]);
        tear_down(&w);
    }
}

/* --- mistakes -------------------------------------------------------------------------------- */

static void refuses(work *w, const char *message)
{
    cr_assert_eq(stylize(w), RV_ERR_USAGE, "%s", message);
    cr_assert_null(w->out);
    cr_assert_str_eq(rv_error_message(), message);
    rv_stylize_options fresh = RV_STYLIZE_OPTIONS_INIT;
    w->options = fresh;
}

Test(stylize, names_the_option_that_is_wrong)
{
    work w;
    set_up(&w, 32, 20, 3, 8);
    w.options.size = 0;
    refuses(&w, "size is 0, must be from 16 to 100000");
    w.options.content_weight = NAN;
    refuses(&w, "content_weight is nan, must be from 0 to 1e+06");
    w.options.tv_weight = INFINITY;
    refuses(&w, "tv_weight is inf, must be from 0 to 1e+06");
    w.options.content_weight = w.options.style_weight = 0;
    refuses(&w, "content_weight and style_weight are both 0");
    w.options.iterations = -1;
    refuses(&w, "iterations is -1, must be from 0 to 1000000");
    w.options.scales = 9;
    refuses(&w, "scales is 9, must be from 0 to 8");
    w.options.learning_rate = -1;
    refuses(&w, "learning_rate is -1, must be above 0 and at most 1e+09");
    w.options.init = RV_INIT_FROM_IMAGE;
    refuses(&w, "init is an image, but init_image is missing");
    w.options.init_image = w.style;
    refuses(&w, "init_image is given, but init is not an image");
    w.options.optimizer = (rv_optimizer)7;
    refuses(&w, "optimizer is 7, must be from 0 to 2");
    w.options.preset = (rv_preset)9;
    refuses(&w, "preset is 9, must be from 0 to 3");
    rv_model_close(w.model);
    cr_assert_eq(rv_model_open(&w.model, "patches", NULL), RV_OK);
    w.options.style_layers = "relu1";
    refuses(&w, "style_layers: 'patches' has no layers to choose from");
    w.options.style_layers = NULL;
    w.options.style_loss = RV_STYLE_LOSS_WASSERSTEIN;
    refuses(&w, "style_loss: 'patches' has no layers to compare");
    w.options.style_loss = RV_STYLE_LOSS_DEFAULT;
    w.options.preset = RV_PRESET_GATYS;
    refuses(&w, "preset gatys compares layers of a network: 'patches' has none");
    tear_down(&w);
}

Test(stylize, names_a_style_without_weight)
{
    work w;
    set_up(&w, 32, 20, 3, 8);
    const rv_image *const styles[2] = {w.style, w.style};
    static const double weights[2] = {1, 0};
    cr_assert_eq(rv_stylize(&w.out, NULL, w.device, w.model, w.photo, styles, weights, 2, NULL),
                 RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(),
                     "the weight of style picture 2 is 0, must be above 0 and at most 1e+06");
    cr_assert_eq(rv_stylize(&w.out, NULL, w.device, w.model, w.photo, styles, NULL, 0, NULL),
                 RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(), "there is no style picture");
    tear_down(&w);
}

Test(stylize, says_which_layer_is_unknown)
{
    work w;
    set_up(&w, 32, 20, 3, 8);
    w.options.content_layers = "relu9";
    cr_assert_eq(stylize(&w), RV_ERR_NOT_FOUND);
    cr_assert_null(w.out);
    cr_assert_not_null(strstr(rv_error_message(), "'relu9'"), "%s", rv_error_message());
    tear_down(&w);
}

Test(stylize, plans_scales_by_size)
{
    static const struct {
        int size, scales, n, first, first_iterations;
    } cases[] = {{512, 0, 3, 128, 200}, {451, 0, 3, 113, 200}, {256, 0, 2, 128, 150},
                 {100, 0, 1, 100, 100}, {512, 1, 1, 512, 100}, {64, 8, 3, 16, 200}};
    rv_image *photo = waves(600, 2, 3, 8, 1);
    const rv_style_recipe *recipe;
    rv_model *model;
    cr_assert_eq(rv_model_open(&model, "patches", NULL), RV_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT, resolved;
        rv_schedule s;
        options.size = cases[i].size;
        options.scales = cases[i].scales;
        options.iterations = 100;
        cr_assert_eq(rv_stylize_resolve(&resolved, &s, &recipe, &options, model, photo), RV_OK);
        cr_assert_eq(s.n, cases[i].n, "case %zu: %d scales", i, s.n);
        cr_assert_eq(s.size[0], cases[i].first);
        cr_assert_eq(s.size[s.n - 1], cases[i].size);
        cr_assert_eq(s.iterations[0], cases[i].first_iterations);
        cr_assert_eq(s.iterations[s.n - 1], 100);
    }
    rv_image_destroy(photo);
    rv_model_close(model);
}

/* Asked to stop at any moment, in the midst of an iteration, too: the picture of the last whole iteration, if any. */
Test(stylize, stops_within_an_iteration)
{
    for (int optimizer = RV_OPTIMIZER_LBFGS; optimizer <= RV_OPTIMIZER_ADAM; optimizer++) {
        int whole = 0, last = 0;
        for (int when = 1; when < 700; when = when * 4 / 3 + 1) {
            work w;
            set_up(&w, 40, 30, 3, 8);
            w.options.scales = 2;
            w.options.iterations = 100;
            w.options.optimizer = (rv_optimizer)optimizer;
            w.seen.cancel_when_asked = when;
            cr_assert_eq(stylize(&w), RV_ERR_CANCELLED, "asked %d times", when);
            cr_assert_eq(w.seen.asked, when, "asked %d times, not %d", w.seen.asked, when);
            cr_assert_eq(w.result.iterations, w.seen.steps);
            cr_assert_geq(w.result.iterations, last);
            cr_assert(w.seen.steps == 0 || isfinite(w.result.loss));
            whole += w.result.iterations == last;
            last = w.result.iterations;
            if (w.seen.steps > 0) {
                has_size(&w, 32, 24);
            } else {
                cr_assert_null(w.out, "asked %d times: nothing is styled yet", when);
            }
            tear_down(&w);
        }
        cr_assert_gt(last, 2);
        cr_assert_gt(whole, 5, "%d times in the midst", whole);
    }
}

/* Programs do not depend on the size of the picture, nor of the style. */
Test(stylize, another_size_builds_no_program)
{
    for (int optimizer = RV_OPTIMIZER_LBFGS; optimizer <= RV_OPTIMIZER_ADAM; optimizer++) {
        work w;
        set_up(&w, 90, 70, 3, 8);
        w.options.scales = 1;
        w.options.optimizer = (rv_optimizer)optimizer;
        cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
        const int built = w.device->compiled + w.device->loaded;
        cr_assert_gt(built, 5);
        for (int size = 24; size < 90; size += 13) {
            w.options.size = size;
            cr_assert_eq(stylize(&w), RV_OK, "%s", rv_error_message());
            cr_assert_eq(w.device->compiled + w.device->loaded, built, "at %d", size);
        }
        tear_down(&w);
    }
}
