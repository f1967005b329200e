/* Runs of stylize that end at any moment and go on: to the same bytes; states that are not theirs; previews; limits. */
/* SPDX-License-Identifier: MIT */
#include <reverie/stylize.h>

#include "model/safetensors.h"
#include "small_network.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 40, HEIGHT = 30, SIZE = 32, OUT_HEIGHT = 24, ITERATIONS = 6 };

/* Seconds, the same for all: Criterion leaks its note of a longer limit when a shorter one comes beside it. */
enum { LIMIT = 300 };

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *style;
    rv_stylize_options options;
    rv_events events;
    int asked, cancel_when_asked; /* 0: never */
    int last_step;                /* likewise */
    int steps, warnings;
    char text[256]; /* of the last warning or note */
    int previews, preview_width;
    char state[64];
    int all; /* iterations of a whole run; ITERATIONS of them in the last scale */
    rv_image *out;
    rv_stylize_result result;
} work;

static void on_log(void *payload, rv_log_level level, const char *text)
{
    work *w = payload;
    w->warnings += level == RV_LOG_WARNING;
    snprintf(w->text, sizeof w->text, "%s", text);
}

static void on_progress(void *payload, const rv_progress *progress)
{
    work *w = payload;
    w->steps++;
    cr_assert(progress->fraction > 0 && progress->fraction < 1 + 1e-9);
}

static bool on_cancelled(void *payload)
{
    work *w = payload;
    return ++w->asked == w->cancel_when_asked || (w->last_step > 0 && w->steps >= w->last_step);
}

static void on_preview(void *payload, const rv_image *picture)
{
    work *w = payload;
    w->previews++;
    w->preview_width = rv_image_width(picture);
    cr_assert_eq(rv_image_height(picture), OUT_HEIGHT);
    cr_assert_eq(rv_image_bits(picture), 8);
}

static void set_up(work *w, bool patches, rv_optimizer optimizer)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    if (patches) {
        cr_assert_eq(rv_model_open(&w->model, "patches", NULL), RV_OK);
    } else {
        w->model = small_network();
    }
    w->photo = waves(WIDTH, HEIGHT, 3, 16, 1);
    w->style = waves(30, 22, 3, 8, 2);
    w->events = (rv_events){w, on_log, on_progress, on_cancelled};
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.size = SIZE;
    w->options.scales = 2;
    w->options.iterations = ITERATIONS;
    w->options.optimizer = optimizer;
    w->options.content_layers = patches ? NULL : "relu3";
    w->options.events = &w->events;
    snprintf(w->state, sizeof w->state, "/tmp/reverie-resume-%ld-%d", (long)getpid(),
             2 * patches + (int)optimizer);
    unlink(w->state);
}

static void tear_down(work *w)
{
    unlink(w->state);
    rv_image_destroy(w->out);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->style);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static rv_status stylize(work *w, int cancel_when_asked)
{
    const rv_image *const styles[1] = {w->style};
    rv_stylizer *s;
    w->asked = w->steps = w->warnings = w->previews = 0;
    w->cancel_when_asked = cancel_when_asked;
    rv_image_destroy(w->out);
    w->out = NULL;
    cr_assert_eq(rv_stylizer_create(&s, w->device, w->model, styles, NULL, 1, &w->options), RV_OK);
    const rv_status status = rv_stylizer_run(&w->out, &w->result, s, w->photo, w->state);
    rv_stylizer_destroy(s);
    return status;
}

static bool is_there(const work *w)
{
    return access(w->state, F_OK) == 0;
}

static const size_t bytes = (size_t)SIZE * OUT_HEIGHT * 6;

/* The picture of a run without an end, and how often it asks whether to stop. */
static void *whole_run(work *w, int *asked)
{
    w->options.resume = false;
    cr_assert_eq(stylize(w, 0), RV_OK, "%s", rv_error_message());
    w->all = w->result.iterations;
    cr_assert_gt(w->all, 2 * ITERATIONS - 1);
    cr_assert_eq(w->steps, w->all);
    cr_assert_not(is_there(w));
    void *copy = malloc(bytes);
    memcpy(copy, rv_image_pixels(w->out), bytes);
    *asked = w->asked;
    return copy;
}

static void ends_alike(work *w, const void *want, const char *when, int moment)
{
    cr_assert_eq(stylize(w, 0), RV_OK, "%s", rv_error_message());
    cr_assert_eq(memcmp(rv_image_pixels(w->out), want, bytes), 0, "%s %d", when, moment);
    cr_assert_eq(w->result.iterations, w->all, "%s %d: %d", when, moment, w->result.iterations);
    cr_assert_null(strstr(w->result.settings, "done="));
}

static const struct {
    bool patches;
    rv_optimizer optimizer;
} kinds[] = {{false, RV_OPTIMIZER_ADAM}, {false, RV_OPTIMIZER_LBFGS}, {true, RV_OPTIMIZER_LBFGS}};

/* Within an iteration, between two, between scales, before the first. */
Test(resume, goes_on_from_wherever_it_was_stopped, .timeout = LIMIT)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        work w;
        int asked, left_a_state = 0;
        set_up(&w, kinds[k].patches, kinds[k].optimizer);
        void *want = whole_run(&w, &asked);
        w.options.resume = true;
        for (int i = 0; i < 10; i++) {
            const int moment = 1 + asked * i / 10;
            unlink(w.state);
            cr_assert_eq(stylize(&w, moment), RV_ERR_CANCELLED, "moment %d of %d", moment, asked);
            cr_assert_eq(w.warnings, 0, "%s", w.text);
            left_a_state += is_there(&w);
            const int steps = w.steps;
            ends_alike(&w, want, "stopped when asked", moment);
            cr_assert_eq(steps + w.steps, w.all, "moment %d: %d and %d", moment, steps, w.steps);
        }
        cr_assert_geq(left_a_state, 7, "%d states", left_a_state);
        free(want);
        tear_down(&w);
    }
}

/* Behind the last iteration Adam weighs the average of its iterates: who stops it there has nothing to do again. */
Test(resume, goes_on_where_adam_was_done, .timeout = LIMIT)
{
    work w;
    int asked;
    set_up(&w, false, RV_OPTIMIZER_ADAM);
    void *want = whole_run(&w, &asked);
    w.options.resume = true;
    for (int moment = asked - 2; moment <= asked; moment++) {
        unlink(w.state);
        cr_assert_eq(stylize(&w, moment), RV_ERR_CANCELLED, "moment %d of %d", moment, asked);
        cr_assert_eq(w.steps, w.all, "moment %d: %d of %d", moment, w.steps, w.all);
        cr_assert(is_there(&w), "moment %d", moment);
        cr_assert_eq(memcmp(rv_image_pixels(w.out), want, bytes), 0, "moment %d", moment);
        ends_alike(&w, want, "stopped when asked", moment);
        cr_assert_eq(w.steps, 0);
    }
    free(want);
    tear_down(&w);
}

/* Ended again and again, after few steps each: more ends than one, and states that are gone on from. */
Test(resume, goes_on_many_times, .timeout = LIMIT)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        work w;
        int asked, runs = 0;
        set_up(&w, kinds[k].patches, kinds[k].optimizer);
        void *want = whole_run(&w, &asked);
        w.options.resume = true;
        rv_status status = RV_ERR_CANCELLED;
        for (; status == RV_ERR_CANCELLED && runs < 50; runs++) {
            const int step = asked / 6 + 2 * runs; /* in the end enough for what is left */
            status = stylize(&w, step);
        }
        cr_assert_eq(status, RV_OK, "%s", rv_error_message());
        cr_assert_gt(runs, 3);
        cr_assert_eq(memcmp(rv_image_pixels(w.out), want, bytes), 0, "in %d runs", runs);
        free(want);
        tear_down(&w);
    }
}

/* What is left by a process that was killed: the state of the last save. */
Test(resume, goes_on_from_a_state_that_was_kept_on_the_way)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        work w;
        int asked;
        set_up(&w, kinds[k].patches, kinds[k].optimizer);
        void *want = whole_run(&w, &asked);
        w.options.resume = true;
        w.options.save_every = 4;
        ends_alike(&w, want, "saving every", 4);
        cr_assert(is_there(&w));
        /* It is that of 4 iterations of the last scale: two are left. */
        ends_alike(&w, want, "kept after", w.all - ITERATIONS + 4);
        cr_assert_eq(w.steps, ITERATIONS - 4);
        free(want);
        tear_down(&w);
    }
}

Test(resume, takes_other_weights_but_no_other_settings)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        work w;
        set_up(&w, kinds[k].patches, kinds[k].optimizer);
        w.options.save_every = 4;
        cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
        w.options.save_every = 0;
        w.options.resume = true;
        w.options.content_weight = 9;
        cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
        cr_assert_eq(w.steps, ITERATIONS - 4);
        cr_assert_not_null(strstr(w.result.settings, "content_weight=9 "));
        w.options.strength = 0.3;
        cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
        cr_assert_eq(w.steps, ITERATIONS - 4);
        w.options.preserve_color = RV_PRESERVE_MATCH;
        cr_assert_eq(stylize(&w, 0), RV_ERR_USAGE);
        w.options.preserve_color = RV_PRESERVE_NONE;
        w.options.iterations = 8;
        cr_assert_eq(stylize(&w, 0), RV_ERR_USAGE);
        cr_assert_null(w.out);
        cr_assert_not_null(strstr(rv_error_message(), "was left by another run: of 'reverie="),
                           "%s", rv_error_message());
        w.options.iterations = ITERATIONS;
        ((uint16_t *)rv_image_pixels(w.photo))[77] ^= 1;
        cr_assert_eq(stylize(&w, 0), RV_ERR_USAGE);
        tear_down(&w);
    }
}

/* Two trainings of a network are told apart by their weights, whose files have one size. */
static rv_model *saved_network(const char *name, uint32_t seed, rv_pooling pooling)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model_save_options save = RV_MODEL_SAVE_OPTIONS_INIT;
    const char *path = rv_test_path(name);
    rv_model *first = small_network(), *model;
    rv_model_close(first);
    options.seed = seed;
    cr_assert_eq(rv_model_open(&model, rv_test_path("small.prototxt"), &options), RV_OK);
    save.overwrite = true;
    cr_assert_eq(rv_model_save(model, path, &save), RV_OK, "%s", rv_error_message());
    rv_model_close(model);
    options.seed = 0;
    options.pooling = pooling;
    cr_assert_eq(rv_model_open(&model, path, &options), RV_OK, "%s", rv_error_message());
    return model;
}

Test(resume, tells_runs_apart_by_weights_and_pooling)
{
    work w;
    set_up(&w, false, RV_OPTIMIZER_ADAM);
    rv_model_close(w.model);
    w.model = saved_network("one.safetensors", 1, RV_POOLING_AS_MADE);
    w.options.save_every = 4;
    cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
    cr_assert(is_there(&w));
    w.options.resume = true;
    for (int i = 0; i < 3; i++) {
        rv_model_close(w.model);
        w.model = saved_network("two.safetensors", i == 0 ? 2 : 1,
                                i == 1 ? RV_POOLING_AVERAGE : RV_POOLING_AS_MADE);
        cr_assert_eq(stylize(&w, 0), i < 2 ? RV_ERR_USAGE : RV_OK, "%d: %s", i, rv_error_message());
    }
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.preprocess = "vgg"; /* other means */
    rv_model_close(w.model);
    cr_assert_eq(rv_model_open(&w.model, rv_test_path("two.safetensors"), &options), RV_OK);
    cr_assert_eq(stylize(&w, 0), RV_ERR_USAGE, "other means");
    tear_down(&w);
}

/* All settings count, however many: the result has room for 1023 bytes of them. */
Test(resume, tells_runs_apart_by_settings_of_any_length, .timeout = LIMIT)
{
    enum { STYLES = 120 };
    const rv_image *styles[STYLES];
    double weights[STYLES];
    work w;
    set_up(&w, false, RV_OPTIMIZER_ADAM);
    for (int i = 0; i < STYLES; i++) {
        styles[i] = w.style;
        weights[i] = 1 + 0.01 * i;
    }
    w.options.size = 16;
    w.options.scales = 1;
    w.options.iterations = 2;
    w.options.save_every = 1;
    for (int i = 0; i < 2; i++) {
        rv_stylizer *s;
        cr_assert_eq(rv_stylizer_create(&s, w.device, w.model, styles, weights, STYLES, &w.options),
                     RV_OK);
        const rv_status status = rv_stylizer_run(&w.out, &w.result, s, w.photo, w.state);
        cr_assert_eq(status, i == 0 ? RV_OK : RV_ERR_USAGE, "%s", rv_error_message());
        cr_assert_eq(strlen(w.result.settings), sizeof w.result.settings - 1);
        rv_stylizer_destroy(s);
        rv_image_destroy(w.out);
        w.out = NULL;
        w.options.resume = true;
        w.options.seed = 1;
    }
    tear_down(&w);
}

/* Damaged in any byte of its header, or cut anywhere: refused, or a state all the same; never a crash. */
/* Where the picture's numbers begin in a state. */
static size_t picture_at(const char *file, size_t size)
{
    uint64_t header = 0;
    memcpy(&header, file, 8);
    cr_assert_lt(header, size);
    char *text = malloc(header + 1);
    memcpy(text, file + 8, header);
    text[header] = '\0';
    const char *entry = strstr(text, "\"picture\":");
    cr_assert_not_null(entry, "%s", text);
    const char *offsets = strstr(entry, "\"data_offsets\":[");
    cr_assert_not_null(offsets);
    const size_t at = 8 + (size_t)header + strtoul(strchr(offsets, '[') + 1, NULL, 10);
    free(text);
    return at;
}

Test(resume, refuses_damaged_states, .timeout = LIMIT)
{
    work w;
    set_up(&w, false, RV_OPTIMIZER_LBFGS);
    w.options.save_every = 4;
    cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
    w.options.save_every = 0;
    w.options.resume = true;
    FILE *file = fopen(w.state, "rb");
    fseek(file, 0, SEEK_END);
    const size_t size = (size_t)ftell(file);
    char *good = malloc(size);
    rewind(file);
    cr_assert_eq(fread(good, 1, size, file), size);
    fclose(file);
    uint64_t header = 0;
    memcpy(&header, good, 8);
    int refused = 0;
    for (int i = 0; i < 60; i++) {
        const size_t at = i < 40 ? 8 + (size_t)(header - 1) * (size_t)i / 40 : 0;
        const size_t length = i < 40 ? size : size * (size_t)(i - 40) / 20;
        file = fopen(w.state, "wb");
        good[at] ^= i < 40 ? 5 : 0;
        fwrite(good, 1, length, file);
        good[at] ^= i < 40 ? 5 : 0;
        fclose(file);
        const rv_status status = stylize(&w, 0);
        cr_assert(status == RV_OK || status == RV_ERR_FORMAT || status == RV_ERR_USAGE ||
                      status == RV_ERR_SHAPE || status == RV_ERR_NOT_FOUND,
                  "case %d: %d, %s", i, (int)status, rv_error_message());
        refused += status != RV_OK;
    }
    cr_assert_gt(refused, 50, "%d", refused);
    /* Numbers that are none would end the descent at once, as if it were done. */
    const float none = NAN;
    memcpy(good + picture_at(good, size), &none, sizeof none);
    rv_test_write(w.state, good, size);
    cr_assert_eq(stylize(&w, 0), RV_ERR_FORMAT);
    cr_assert_not_null(strstr(rv_error_message(), "state of the run is damaged"), "%s",
                       rv_error_message());
    free(good);
    tear_down(&w);
}

Test(resume, says_where_no_state_can_be_kept_and_goes_on)
{
    work w;
    set_up(&w, false, RV_OPTIMIZER_ADAM);
    snprintf(w.state, sizeof w.state, "/dev/null/state");
    w.options.save_every = 3;
    cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
    cr_assert_eq(w.warnings, (w.result.iterations - ITERATIONS) / 3 + 2);
    cr_assert_not_null(strstr(w.text, "/dev/null/state"), "%s", w.text);
    tear_down(&w);
}

/* Mean of an array that Adam has after so many steps. */
static double mean_after(work *w, int steps, const char *name, int width, int height)
{
    const rv_shape shape = rv_shape_1(3 * width * height);
    float *values = malloc((size_t)shape.dim[0] * sizeof *values);
    rv_safetensors *file;
    double sum = 0;
    w->last_step = steps;
    cr_assert_eq(stylize(w, 0), RV_ERR_CANCELLED);
    cr_assert_eq(w->steps, steps);
    cr_assert_eq(rv_safetensors_open(&file, w->state), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_safetensors_read(file, values, name, &shape), RV_OK, "%s", rv_error_message());
    for (int i = 0; i < shape.dim[0]; i++) {
        sum += (double)values[i];
    }
    rv_safetensors_close(file);
    free(values);
    return sum / shape.dim[0];
}

/* Of four times the pixels each has a quarter of the gradient, and a sixteenth of its square. */
Test(resume, brings_moments_to_the_gradients_of_the_next_size)
{
    work w;
    int asked;
    set_up(&w, false, RV_OPTIMIZER_ADAM);
    w.options.preset = RV_PRESET_GATYS; /* without margins */
    w.options.tv_weight = 0;
    free(whole_run(&w, &asked));
    const int first = w.all - ITERATIONS;
    const double before = mean_after(&w, first - 1, "memory.1", SIZE / 2, OUT_HEIGHT / 2);
    const double after = mean_after(&w, first + 1, "memory.1", SIZE, OUT_HEIGHT);
    cr_assert(after > before / 16 * 0.6 && after < before / 16 * 1.6, "%g and %g", before, after);
    tear_down(&w);
}

/* --- previews and limits ----------------------------------------------------------------------- */

Test(resume, shows_the_picture_on_the_way_without_changing_it)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        work w;
        int asked;
        set_up(&w, kinds[k].patches, kinds[k].optimizer);
        void *want = whole_run(&w, &asked);
        w.options.preview = on_preview;
        w.options.preview_payload = &w;
        w.options.preview_seconds = 0;
        cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
        cr_assert_eq(w.previews, w.all);
        cr_assert_eq(w.preview_width, SIZE);
        cr_assert_eq(memcmp(rv_image_pixels(w.out), want, bytes), 0);
        w.options.preview_seconds = 1e9;
        cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
        cr_assert_eq(w.previews, 2, "%d previews, not one a scale", w.previews);
        free(want);
        tear_down(&w);
    }
}

/* A device without room for anything more: room that is taken in a rehearsal is not there. */
typedef struct full_device {
    work w;
    rv_buffer *taken[256];
    int n;
} full_device;

static void fill_up(full_device *f)
{
    rv_rehearsal_begin(f->w.device);
    while (rv_device_memory_left(f->w.device) > 0 && f->n < 256) {
        const uint64_t left = rv_device_memory_left(f->w.device);
        const size_t most = rv_device_max_alloc(f->w.device);
        cr_assert_eq(rv_buffer_create(&f->taken[f->n++], f->w.device, left < most ? left : most),
                     RV_OK);
    }
    rv_rehearsal rehearsal;
    rv_rehearsal_end(f->w.device, &rehearsal);
}

static void on_preview_fill(void *payload, const rv_image *picture)
{
    full_device *f = payload;
    on_preview(&f->w, picture);
    if (f->w.previews == 1) {
        fill_up(f);
    }
}

static void on_log_empty(void *payload, rv_log_level level, const char *text)
{
    full_device *f = payload;
    on_log(&f->w, level, text);
    for (; f->n > 0; f->n--) {
        rv_buffer_destroy(f->taken[f->n - 1]);
    }
}

Test(resume, does_not_end_by_a_preview_that_has_no_room)
{
    full_device f = {.n = 0};
    int asked;
    set_up(&f.w, false, RV_OPTIMIZER_ADAM);
    void *want = whole_run(&f.w, &asked);
    f.w.events.payload = &f;
    f.w.events.log = on_log_empty;
    f.w.events.cancelled = NULL;
    f.w.events.progress = NULL;
    f.w.options.preview = on_preview_fill;
    f.w.options.preview_payload = &f;
    f.w.options.preview_seconds = 0;
    cr_assert_eq(stylize(&f.w, 0), RV_OK, "%s", rv_error_message());
    cr_assert_eq(f.w.warnings, 1);
    cr_assert_not_null(strstr(f.w.text, "there is no preview: "), "%s", f.w.text);
    cr_assert_eq(f.w.previews, f.w.all - 1);
    cr_assert_eq(memcmp(rv_image_pixels(f.w.out), want, bytes), 0);
    free(want);
    tear_down(&f.w);
}

Test(resume, ends_in_time_with_some_iterations_of_each_scale)
{
    work w;
    set_up(&w, false, RV_OPTIMIZER_ADAM);
    w.options.iterations = 100000;
    w.options.time_limit = 3;
    cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
    cr_assert_leq(w.result.seconds, 3.5, "%g s", w.result.seconds);
    const char *done = strstr(w.result.settings, " done=");
    int first = 0, last = 0;
    cr_assert_not_null(done, "%s", w.result.settings);
    cr_assert_eq(sscanf(done, " done=%d,%d", &first, &last), 2);
    cr_assert(first > 0 && last > 0 && first + last == w.result.iterations, "%d and %d of %d",
              first, last, w.result.iterations);
    cr_assert_not_null(strstr(w.text, "the time limit ends 32 px after"), "%s", w.text);
    w.options.time_limit = 1e-6; /* less than it takes: one iteration each */
    cr_assert_eq(stylize(&w, 0), RV_OK, "%s", rv_error_message());
    cr_assert_not_null(strstr(w.result.settings, " done=1,1"), "%s", w.result.settings);
    w.options.time_limit = -1;
    cr_assert_eq(stylize(&w, 0), RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(), "time_limit is -1, must not be negative");
    tear_down(&w);
}
