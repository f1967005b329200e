/* Dreams: gradients through tiles, repeatable to the byte, resumed, within mask and alpha, and what is refused. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "small_network.h"
#include "stages/deadline.h"
#include "stages/dream_tiles.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/dream.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- tiles ----------------------------------------------------------------------------------- */

Test(dream, tiles_cover_the_picture_however_they_are_shifted)
{
    for (int width = 50; width < 2000; width += 211) {
        for (int jitter = 0; jitter < 40; jitter += 13) {
            const int height = 2050 - width;
            const rv_tiles t = rv_tiles_cover(width, height, jitter, 512);
            const bool one = t.columns * t.rows == 1;
            cr_assert_geq(t.columns * (t.width - 2 * t.margin_x) - t.free_x, width);
            cr_assert_geq(t.rows * (t.height - 2 * t.margin_y) - t.free_y, height);
            cr_assert_geq(t.free_x, jitter);
            cr_assert_geq(t.free_y, jitter);
            cr_assert(one || (t.width <= 512 && t.height <= 512), "%d x %d", t.width, t.height);
            cr_assert(!one || t.width * t.height <= 1.6 * 512 * 512);
        }
    }
}

static double gradient(rv_planar *out, rv_maximizer *m, rv_device *device, const rv_tiles *t,
                       const rv_planar *picture, int shift)
{
    rv_plan *plan;
    rv_value input;
    double value;
    RV_ASSERT_OK(rv_planar_create(out, picture->width, picture->height));
    RV_ASSERT_OK(rv_maximizer_begin(
        m, &plan, &input, &(rv_maximizer_size){.n = 1, .height = t->height, .width = t->width}));
    RV_ASSERT_OK(rv_tiles_gradient(out, &value, t, m, device, plan, input, picture, shift, shift));
    return value;
}

static void compare_tiles(const char *expression)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_goals goals;
    rv_maximizer *m;
    rv_planar picture, whole, parts;
    RV_ASSERT_OK(rv_goals_parse(&goals, expression));
    RV_ASSERT_OK(rv_maximizer_create(&m, device, model, &goals, NULL));
    RV_ASSERT_OK(rv_planar_create(&picture, 140, 96));
    for (size_t i = 0; i < rv_planar_floats(&picture); i++) {
        picture.data[i] = rv_philox_uniform(8, 0, (uint32_t)i);
    }
    const rv_tiles one = rv_tiles_cover(140, 96, 0, 512);
    const rv_tiles many = {140, 96, 3, 2, 60 + 32, 60 + 32, 16, 16, 40, 24};
    const double value = gradient(&whole, m, device, &one, &picture, 0);
    const double of_parts = gradient(&parts, m, device, &many, &picture, 22);
    /* Means over tiles are not those over the picture, whose edges count once; a unit is what it is. */
    if (strchr(expression, '+') == NULL) {
        rv_planar again;
        const rv_tiles shifted = rv_tiles_cover(140, 96, 16, 512);
        const double jittered = gradient(&again, m, device, &shifted, &picture, 8);
        cr_assert_float_eq(of_parts, value, 1e-4 * fabs(value), "%g, not %g", of_parts, value);
        cr_assert_float_eq(jittered, value, 1e-4 * fabs(value), "%g, not %g", jittered, value);
        rv_planar_release(&again);
    }
    double largest = 0;
    for (size_t i = 0; i < rv_planar_floats(&whole); i++) {
        largest = fmax(largest, fabs((double)whole.data[i]));
    }
    cr_assert_gt(largest, 0);
    /* Beyond the edges of the picture the tiles see its mirror, where the whole sees zeros. */
    const int edge = rv_maximizer_reach(m);
    for (int c = 0; c < 3; c++) {
        for (int y = edge; y < 96 - edge; y++) {
            for (int x = edge; x < 140 - edge; x++) {
                const size_t i = (size_t)((c * 96 + y) * 140 + x);
                cr_assert_float_eq(parts.data[i], whole.data[i], 1e-4 * largest,
                                   "%d %d: %g, not %g", x, y, (double)parts.data[i],
                                   (double)whole.data[i]);
            }
        }
    }
    rv_planar_release(&picture);
    rv_planar_release(&whole);
    rv_planar_release(&parts);
    rv_maximizer_destroy(m);
    rv_goals_release(&goals);
    rv_model_close(model);
    rv_device_close(device);
}

Test(dream, tiles_give_the_gradient_of_the_whole)
{
    compare_tiles("relu3 + 2*conv2:5 - 3*tv");
}

/* A unit is in one place, however many tiles there are. */
Test(dream, tiles_give_the_gradient_of_a_unit)
{
    compare_tiles("conv2:5@0.4,0.5");
    compare_tiles("conv3:2@0.4,0.5 + relu3");
}

/* --- dreams ---------------------------------------------------------------------------------- */

typedef struct bench {
    rv_device *device;
    rv_model *model;
    rv_dream_options options;
    int stop_after; /* steps; 0: never, -1: before the first */
    int steps;
    double fraction;
    int patience; /* how often it may be asked after that before it stops */
    char log[512];
} bench;

static void on_progress(void *payload, const rv_progress *progress)
{
    bench *b = payload;
    b->steps++;
    b->fraction = progress->fraction;
}

static bool on_cancelled(void *payload)
{
    bench *b = payload;
    return b->stop_after != 0 && b->steps >= b->stop_after && b->patience-- <= 0;
}

static void on_log(void *payload, rv_log_level level, const char *text)
{
    (void)level;
    bench *b = payload;
    strncat(b->log, text, sizeof b->log - strlen(b->log) - 1);
}

static rv_events events;

static void set_up(bench *b)
{
    *b = (bench){.device = rv_test_device(), .model = small_network()};
    events = (rv_events){b, on_log, on_progress, on_cancelled};
    b->options = (rv_dream_options)RV_DREAM_OPTIONS_INIT;
    b->options.maximize = "relu3";
    b->options.untrained = true;
    b->options.octaves = 3;
    b->options.iterations = 3;
    b->options.jitter = 4;
    b->options.events = &events;
}

static void tear_down(bench *b)
{
    rv_model_close(b->model);
    rv_device_close(b->device);
}

static rv_status dream(rv_image **out, rv_dream_result *result, bench *b, const rv_image *photo,
                       const char *state)
{
    rv_dreamer *d;
    RV_ASSERT_OK(rv_dreamer_create(&d, b->device, b->model, &b->options));
    b->steps = 0;
    const rv_status status = rv_dreamer_run(out, result, d, photo, state);
    rv_dreamer_destroy(d);
    return status;
}

static size_t bytes_of(const rv_image *i)
{
    return (size_t)rv_image_width(i) * (size_t)rv_image_height(i) *
           (size_t)(rv_image_channels(i) * rv_image_bits(i) / 8);
}

static void assert_same(const rv_image *a, const rv_image *b)
{
    cr_assert_eq(bytes_of(a), bytes_of(b));
    cr_assert_eq(memcmp(rv_image_pixels_const(a), rv_image_pixels_const(b), bytes_of(a)), 0);
}

Test(dream, the_same_dream_twice_is_the_same_to_the_byte)
{
    bench b;
    rv_image *photo = waves(61, 47, 3, 8, 1), *first, *second;
    rv_dream_result result;
    set_up(&b);
    b.options.smooth = 0.5;
    b.options.colour = 0.5;
    b.options.blur = 0.6;
    b.options.tile = 64;
    RV_ASSERT_OK(dream(&first, &result, &b, photo, NULL));
    RV_ASSERT_OK(dream(&second, NULL, &b, photo, NULL));
    assert_same(first, second);
    cr_assert_eq(result.iterations, 9);
    cr_assert_eq(b.steps, 9);
    cr_assert_eq(result.octaves, 3);
    cr_assert_not_null(strstr(result.settings, "maximize=relu3 strength=1 size=61 octaves=3 "));
    rv_image_destroy(second);
    b.options.seed = 1;
    RV_ASSERT_OK(dream(&second, NULL, &b, photo, NULL));
    cr_assert_neq(memcmp(rv_image_pixels(first), rv_image_pixels(second), bytes_of(first)), 0);
    rv_image_destroy(first);
    rv_image_destroy(second);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, what_is_maximised_grows_with_strength)
{
    bench b;
    rv_image *photo = waves(40, 40, 3, 8, 2), *out;
    double last = 0;
    set_up(&b);
    b.options.octaves = 1;
    for (int i = 0; i < 3; i++) {
        rv_dream_result result;
        b.options.strength = i;
        RV_ASSERT_OK(dream(&out, &result, &b, photo, NULL));
        cr_assert(result.value > last, "%d: %g after %g", i, result.value, last);
        last = result.value;
        if (i == 0) {
            assert_same(out, photo);
        }
        rv_image_destroy(out);
    }
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, a_step_changes_values_by_its_length_on_average)
{
    bench b;
    rv_image *photo = waves(40, 40, 3, 16, 2), *out;
    double sum = 0;
    set_up(&b);
    b.options.octaves = 1;
    b.options.iterations = 1;
    b.options.step = 2;
    RV_ASSERT_OK(dream(&out, NULL, &b, photo, NULL));
    cr_assert_eq(rv_image_bits(out), 16);
    const uint16_t *was = rv_image_pixels(photo), *is = rv_image_pixels(out);
    for (int i = 0; i < 4800; i++) {
        sum += abs(is[i] - was[i]) / 257.0 / 4800;
    }
    cr_assert_float_eq(sum, 2, 0.02);
    rv_image_destroy(out);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, a_run_that_is_cancelled_goes_on_to_the_same_picture)
{
    bench b;
    rv_image *photo = waves(61, 47, 3, 8, 1), *whole, *out;
    const char *state = rv_test_path("dream.state");
    rv_dream_result result;
    set_up(&b);
    RV_ASSERT_OK(dream(&whole, &result, &b, photo, NULL));
    const double flops = result.flops;
    b.options.resume = true;
    for (int stop = 1; stop < 9; stop++) {
        b.stop_after = stop;
        cr_assert_eq(dream(&out, &result, &b, photo, state), RV_ERR_CANCELLED);
        cr_assert_eq(result.iterations, stop);
        cr_assert_eq(rv_image_width(out), 61);
        rv_image_destroy(out);
        b.stop_after = 0;
        RV_ASSERT_OK(dream(&out, &result, &b, photo, state));
        cr_assert_eq(b.steps, 9 - stop);
        cr_assert_eq(result.iterations, 9);
        /* Of what each octave takes for a pixel, a run that goes on knows that of its first. */
        cr_assert_float_eq(result.flops, flops, 0.02 * flops);
        cr_assert_gt(b.fraction, 0.98);
        assert_same(out, whole);
        rv_image_destroy(out);
        unlink(state);
    }
    b.options.resume = false;
    b.stop_after = -1; /* before the first */
    cr_assert_eq(dream(&out, NULL, &b, photo, state), RV_ERR_CANCELLED);
    cr_assert_null(out);
    b.options.resume = true;
    b.stop_after = 2;
    cr_assert_eq(dream(&out, NULL, &b, photo, state), RV_ERR_CANCELLED);
    rv_image_destroy(out);
    b.stop_after = 0;
    b.options.strength = 2;
    RV_ASSERT_FAILS(dream(&out, NULL, &b, photo, state), RV_ERR_USAGE, "another run");
    cr_assert_null(out);
    b.options.strength = 1;
    rv_model_options other = RV_MODEL_OPTIONS_INIT;
    other.seed = 2; /* other weights */
    rv_model_close(b.model);
    RV_ASSERT_OK(rv_model_open(&b.model, rv_test_path("small.prototxt"), &other));
    RV_ASSERT_FAILS(dream(&out, NULL, &b, photo, state), RV_ERR_USAGE, "another run");
    rv_image_destroy(whole);
    rv_image_destroy(photo);
    tear_down(&b);
}

/* Between two octaves, as far as the first step of the second: what was dreamed is neither lost nor carried twice. */
Test(dream, an_octave_that_is_cancelled_before_its_first_step_begins_anew)
{
    bench b;
    rv_image *photo = waves(61, 47, 3, 8, 1), *whole, *out;
    const char *state = rv_test_path("dream.state");
    int tried = 0;
    set_up(&b);
    b.options.stretch = 1;
    RV_ASSERT_OK(dream(&whole, NULL, &b, photo, NULL));
    b.options.resume = true;
    for (int patience = 0;; patience++, tried++) {
        rv_dream_result result;
        b.stop_after = 3;
        b.patience = patience;
        cr_assert_eq(dream(&out, &result, &b, photo, state), RV_ERR_CANCELLED);
        rv_image_destroy(out);
        if (result.iterations > 3) {
            break;
        }
        cr_assert_eq(access(state, F_OK), 0, "asked %d times", patience + 1);
        b.stop_after = 0;
        RV_ASSERT_OK(dream(&out, &result, &b, photo, state));
        cr_assert_eq(b.steps, 6);
        assert_same(out, whole);
        rv_image_destroy(out);
        unlink(state);
    }
    cr_assert_gt(tried, 1);
    rv_image_destroy(whole);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, nothing_changes_outside_the_mask_or_where_nothing_is_seen)
{
    bench b;
    rv_image *photo = waves(40, 40, 4, 8, 3), *mask, *out;
    int changed = 0;
    set_up(&b);
    RV_ASSERT_OK(rv_image_create(&mask, 40, 40, 3, 8));
    uint8_t *was = rv_image_pixels(photo), *white = rv_image_pixels(mask);
    for (int i = 0; i < 1600; i++) {
        was[4 * i + 3] = i / 40 < 20 ? 255 : 0;
        memset(white + (size_t)(3 * i), i % 40 < 20 ? 255 : 0, 3);
    }
    b.options.mask = mask;
    b.options.octaves = 1;
    RV_ASSERT_OK(dream(&out, NULL, &b, photo, NULL));
    const uint8_t *is = rv_image_pixels(out);
    for (int i = 0; i < 1600; i++) {
        const bool inside = i / 40 < 20 && i % 40 < 20;
        const bool same = memcmp(was + 4 * (size_t)i, is + 4 * (size_t)i, 3) == 0;
        cr_assert(inside || same || i / 40 >= 20, "pixel %d", i);
        cr_assert_eq(is[4 * i + 3], was[4 * i + 3]);
        changed += inside && !same;
    }
    cr_assert_gt(changed, 300);
    rv_image_destroy(out);
    rv_image_destroy(mask);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, stretching_keeps_order_where_clipping_cuts_off)
{
    bench b;
    rv_image *photo = waves(40, 40, 3, 8, 3), *out;
    int ends[2] = {0, 0};
    set_up(&b);
    b.options.strength = 20;
    for (int i = 0; i < 2; i++) {
        b.options.stretch = i * 0.5;
        RV_ASSERT_OK(dream(&out, NULL, &b, photo, NULL));
        const uint8_t *is = rv_image_pixels(out);
        for (int k = 0; k < 4800; k++) {
            ends[i] += is[k] == 0 || is[k] == 255;
        }
        rv_image_destroy(out);
    }
    cr_assert_gt(ends[0], 300);
    cr_assert_lt(ends[1], 100);
    rv_image_destroy(photo);
    tear_down(&b);
}

/* Between two octaves, what there is is enlarged. */
Test(dream, a_stretched_dream_that_is_cancelled_is_not_clipped)
{
    bench b;
    rv_image *photo = waves(40, 40, 3, 8, 3), *out;
    int ends = 0;
    set_up(&b);
    b.options.strength = 20;
    b.options.stretch = 0.5;
    b.stop_after = 3;
    cr_assert_eq(dream(&out, NULL, &b, photo, NULL), RV_ERR_CANCELLED);
    const uint8_t *is = rv_image_pixels(out);
    for (int k = 0; k < 4800; k++) {
        ends += is[k] == 0 || is[k] == 255;
    }
    cr_assert_lt(ends, 100);
    rv_image_destroy(out);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, octaves_that_are_too_small_are_left_out_and_that_is_said_once)
{
    bench b;
    rv_dreamer *d;
    rv_dream_result result;
    rv_image *photo = waves(40, 30, 3, 8, 3), *out;
    set_up(&b);
    b.options.octaves = 9;
    RV_ASSERT_OK(rv_dreamer_create(&d, b.device, b.model, &b.options));
    RV_ASSERT_OK(rv_dreamer_run(&out, &result, d, photo, NULL));
    rv_image_destroy(out);
    cr_assert_eq(result.octaves, 2);
    cr_assert_not_null(strstr(b.log, "2 octaves instead of 9: at 20 x 15"), "%s", b.log);
    b.log[0] = '\0';
    RV_ASSERT_OK(rv_dreamer_run(&out, &result, d, photo, NULL));
    cr_assert_str_eq(b.log, "");
    rv_image_destroy(out);
    rv_dreamer_destroy(d);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, a_time_limit_ends_each_octave_behind_its_first_step)
{
    bench b;
    rv_dream_result result;
    rv_image *photo = waves(61, 47, 3, 8, 1), *tiny = waves(9, 9, 3, 8, 1), *out;
    set_up(&b);
    b.options.time_limit = 1e-6; /* less than it takes */
    RV_ASSERT_OK(dream(&out, &result, &b, photo, NULL));
    cr_assert_eq(result.iterations, 3);
    cr_assert_not_null(strstr(result.settings, " done=3"), "%s", result.settings);
    cr_assert_not_null(strstr(b.log, "the time limit ends 31 px after 1 of 3 iterations"), "%s",
                       b.log);
    rv_image_destroy(out);
    b.options.time_limit = 1e6;
    RV_ASSERT_OK(dream(&out, &result, &b, photo, NULL));
    cr_assert_eq(result.iterations, 9);
    cr_assert_null(strstr(result.settings, " done="), "%s", result.settings);
    rv_image_destroy(out);
    RV_ASSERT_FAILS(dream(&out, &result, &b, tiny, NULL), RV_ERR_SHAPE, "9 x 9 is too small");
    cr_assert_eq(result.iterations, 0); /* nothing of the run before is left in it */
    cr_assert_str_eq(result.settings, "");
    rv_image_destroy(photo);
    rv_image_destroy(tiny);
    tear_down(&b);
}

/* Of a minute, a second and a tenth for each million pixels is kept for the result. */
Test(dream, a_part_of_a_run_has_its_share_of_the_time)
{
    cr_assert_float_eq(rv_deadline(10, 60, 0.5, 1000, 1000), 10 + 58.9 / 2, 1e-9);
    cr_assert_float_eq(rv_deadline(10, 60, 1, 1000, 1000), 68.9, 1e-9);
    cr_assert_eq(rv_deadline(10, 0, 1, 1000, 1000), 0);
    cr_assert(rv_deadline_passes(20, 19, 1.5));
    cr_assert_not(rv_deadline_passes(20, 19, 0.5));
    cr_assert_not(rv_deadline_passes(0, 19, 1.5));
}

Test(dream, what_it_takes_is_foreseen)
{
    bench b;
    rv_dreamer *d;
    rv_stylize_estimate estimate;
    rv_image *photo = waves(90, 60, 3, 8, 3);
    set_up(&b);
    RV_ASSERT_OK(rv_dreamer_create(&d, b.device, b.model, &b.options));
    RV_ASSERT_OK(rv_dreamer_foresee(&estimate, d, photo));
    cr_assert_eq(estimate.width, 90);
    cr_assert_eq(estimate.height, 60);
    cr_assert(estimate.seconds > 0 && estimate.seconds < 60, "%g", estimate.seconds);
    cr_assert_gt(estimate.device_bytes, 90 * 60 * 9 * 4);
    cr_assert_gt(estimate.process_bytes, estimate.device_bytes / 2);
    rv_dreamer_destroy(d);
    rv_image_destroy(photo);
    tear_down(&b);
}

/* A quarter turn of a square moves samples, counter-clockwise; a zoom of 1 leaves them. */
Test(dream, a_zoom_turns_about_the_middle)
{
    enum { SIDE = 21 };
    rv_image *picture = waves(SIDE, SIDE, 3, 8, 4), *same, *turned, *larger;
    RV_ASSERT_OK(rv_dream_zoom(&same, picture, 1, 0));
    assert_same(same, picture);
    rv_image_destroy(same);
    RV_ASSERT_OK(rv_dream_zoom(&turned, picture, 1, 90));
    RV_ASSERT_OK(rv_dream_zoom(&larger, picture, 2, 0));
    const uint8_t *was = rv_image_pixels(picture), *is = rv_image_pixels(turned);
    const uint8_t *twice = rv_image_pixels(larger);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const int from = y * SIDE + x, to = (SIDE - 1 - x) * SIDE + y;
            cr_assert_leq(abs(is[3 * to] - was[3 * from]), 1, "%d %d", x, y);
            if (x % 2 == 0 && y % 2 == 0) {
                const int half = (y / 2 + 5) * SIDE + x / 2 + 5;
                cr_assert_eq(twice[3 * (y * SIDE + x)], was[3 * half], "%d %d", x, y);
            }
        }
    }
    RV_ASSERT_FAILS(rv_dream_zoom(&same, picture, 0, 0), RV_ERR_USAGE, "zoom is 0");
    RV_ASSERT_FAILS(rv_dream_zoom(&same, picture, 1e-9, 0), RV_ERR_USAGE, "from 0.001 to 1000");
    rv_image_destroy(picture);
    rv_image_destroy(turned);
    rv_image_destroy(larger);
}

Test(dream, a_gallery_has_a_tile_for_each_layer)
{
    bench b;
    rv_dream_result result;
    rv_image *photo = waves(60, 45, 4, 16, 5), *out, *again;
    set_up(&b);
    b.options.maximize = NULL;
    b.options.size = 40;
    b.options.octaves = 1;
    b.options.iterations = 2;
    RV_ASSERT_OK(rv_dream_gallery(&out, &result, b.device, b.model, photo, &b.options));
    cr_assert_eq(result.iterations, 3 * 2); /* relu1, relu2, relu3 */
    cr_assert(rv_image_width(out) > 2 * 40 && rv_image_height(out) > 30);
    cr_assert_eq(rv_image_channels(out), 3);
    RV_ASSERT_OK(rv_dream_gallery(&again, NULL, b.device, b.model, photo, &b.options));
    assert_same(out, again);
    rv_image_destroy(again);
    rv_stylize_estimate estimate;
    RV_ASSERT_OK(rv_dream_foresee_gallery(&estimate, b.device, b.model, photo, &b.options));
    cr_assert_eq(estimate.width, rv_image_width(out));
    cr_assert_eq(estimate.height, rv_image_height(out));
    cr_assert(estimate.seconds > 0 && estimate.seconds < 60, "%g", estimate.seconds);
    cr_assert_gt(estimate.device_bytes, 40 * 30 * 9 * 4);
    b.options.maximize = "relu1";
    RV_ASSERT_FAILS(rv_dream_gallery(&again, &result, b.device, b.model, photo, &b.options),
                    RV_ERR_USAGE, "leave out maximize");
    cr_assert_eq(result.iterations, 0); /* nothing of the run before is left in it */
    cr_assert_str_eq(result.settings, "");
    RV_ASSERT_FAILS(rv_dream_foresee_gallery(&estimate, b.device, b.model, photo, &b.options),
                    RV_ERR_USAGE, "leave out maximize");
    rv_image_destroy(out);
    rv_image_destroy(photo);
    tear_down(&b);
}

Test(dream, what_is_wrong_is_said)
{
    bench b;
    rv_dreamer *d;
    set_up(&b);
    const rv_dream_options good = b.options;
#define REFUSES(member, value, status, words)                                             \
    b.options = good;                                                                     \
    b.options.member = (value);                                                           \
    RV_ASSERT_FAILS(rv_dreamer_create(&d, b.device, b.model, &b.options), status, words); \
    cr_assert_null(d)
    REFUSES(untrained, false, RV_ERR_USAGE, "small has no trained weights");
    REFUSES(untrained, false, RV_ERR_USAGE, "take builtin");
    REFUSES(strength, -1, RV_ERR_USAGE, "strength is -1, must be from 0 to 100");
    REFUSES(octaves, 17, RV_ERR_USAGE, "octaves is 17");
    REFUSES(octave_scale, 1, RV_ERR_USAGE, "octave_scale is 1,");
    REFUSES(smooth, 2, RV_ERR_USAGE, "smooth is 2");
    REFUSES(stretch, 50, RV_ERR_USAGE, "stretch is 50");
    REFUSES(time_limit, -1, RV_ERR_USAGE, "time_limit is -1, must not be negative");
    REFUSES(maximize, "relu3 +", RV_ERR_USAGE, "maximize: a layer is missing at the end");
    REFUSES(maximize, "relu3 + relu33", RV_ERR_NOT_FOUND, "'relu33'");
    REFUSES(maximize, "relu3 + relu3:11", RV_ERR_NOT_FOUND,
            "maximize: at character 9: 'relu3' has 11 channels, from 0 to 10: there is no 11");
    REFUSES(maximize, "guide:relu3", RV_ERR_USAGE, "there is no guide");
    tear_down(&b);
}
