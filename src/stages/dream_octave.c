/* One octave of a dream: where it starts, its steps against the gradient, and what is said of them. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/pool.h"
#include "base/system.h"
#include "stages/deadline.h"
#include "stages/dream_job.h"
#include "stages/smooth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Stream of the random numbers of shifts. */
enum { STREAM_SHIFT = 2 };

/* Levels of the pyramid in which bands of the gradient become equally strong. */
enum { BANDS = 4 };

/* How far values go beyond black and white between steps. */
#define REACH 0.2f

/* What a step works with. */
typedef struct octave {
    rv_dream_job *j;
    rv_tiles tiles;
    rv_plan *plan;
    rv_value input;
    rv_planar gradient;
    double deadline; /* rv_clock() by which it ends, but for its first step; 0: none */
    double took;     /* seconds of the last step */
    float *share;    /* [H,W] of each step that a pixel takes; NULL: all */
} octave;

/* --- start ----------------------------------------------------------------------------------- */

/* What the octave before added to the photo, at the size of this one. */
static rv_status carry_detail(const rv_dream_job *j, rv_planar *out)
{
    const rv_planar *last = &j->picture;
    rv_planar base;
    RV_TRY(rv_picture_planes(&base, NULL, j->d->device, j->photo, NULL, last->width, last->height));
    for (size_t i = 0; i < rv_planar_floats(&base); i++) {
        base.data[i] = last->data[i] - base.data[i];
    }
    const rv_status status = rv_planar_resize_by(out, j->d->device, &base, j->width[j->octave],
                                                 j->height[j->octave], "lanczos3");
    rv_planar_release(&base);
    return status;
}

/* What is a little too light or dark is brought back at the end, with what it shows. */
static float in_range(const rv_dream_job *j, float v)
{
    return j->options.stretch > 0 ? v : fminf(fmaxf(v, -REACH), 1 + REACH);
}

/* The photo at the size of the octave, with what was dreamed so far. */
static rv_status start_picture(rv_dream_job *j)
{
    const int width = j->width[j->octave], height = j->height[j->octave];
    rv_planar base, detail = {0};
    if (j->picture.data != NULL) {
        if (j->picture.width == width && j->picture.height == height) {
            return RV_OK; /* an earlier run had begun it */
        }
        RV_TRY(carry_detail(j, &detail));
    }
    rv_planar_release(&j->picture);
    rv_status status = rv_picture_planes(&base, NULL, j->d->device, j->photo, NULL, width, height);
    if (status == RV_OK) {
        for (size_t i = 0; detail.data != NULL && i < rv_planar_floats(&base); i++) {
            base.data[i] = in_range(j, base.data[i] + detail.data[i]);
        }
        j->picture = base;
    }
    rv_planar_release(&detail);
    return status;
}

/* Where an earlier run was in the midst of this octave. */
static rv_status take_state(rv_dream_job *j)
{
    const rv_planar kept = {j->from.width, j->from.height, j->from.descent.picture};
    if (kept.width != j->width[j->octave] || kept.height != j->height[j->octave]) {
        return rv_stylize_state_damaged(j->state);
    }
    rv_planar_release(&j->picture);
    j->done = j->from.descent.done;
    return rv_planar_pad(&j->picture, &kept, 0);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* Pixels are shared among threads in slices, by their number alone, so that sums repeat. */
enum { SLICES = 16 };

/* One move against the gradient. */
typedef struct step {
    const octave *o;
    double sums[SLICES];
    float factor;
} step;

/* Sum of the sizes of n values; many sums side by side do not wait for each other. */
static double sum_sizes(const float *values, size_t n)
{
    enum { LANES = 16, ROW = 256 * LANES };
    double sum = 0;
    for (size_t i = 0; i < n; i += ROW) {
        const size_t end = n - i < ROW ? n : i + ROW;
        float part[LANES] = {0};
        size_t k = i;
        for (; k + LANES <= end; k += LANES) {
            for (size_t l = 0; l < LANES; l++) {
                part[l] += fabsf(values[k + l]);
            }
        }
        for (size_t l = 0; k < end; k++, l++) {
            part[l] += fabsf(values[k]);
        }
        for (size_t l = 0; l < LANES; l++) {
            sum += (double)part[l];
        }
    }
    return sum;
}

static rv_status add_sizes(void *payload, size_t slice)
{
    step *s = payload;
    const rv_planar *gradient = &s->o->gradient;
    const size_t n = rv_planar_floats(gradient), first = n * slice / SLICES;
    s->sums[slice] = sum_sizes(gradient->data + first, n * (slice + 1) / SLICES - first);
    return RV_OK;
}

static rv_status go_slice(void *payload, size_t slice)
{
    const step *s = payload;
    const octave *o = s->o;
    const size_t n = (size_t)o->gradient.width * (size_t)o->gradient.height;
    const size_t first = n * slice / SLICES, end = n * (slice + 1) / SLICES;
    for (size_t c = 0; c < 3; c++) {
        const float *g = o->gradient.data + c * n;
        float *p = o->j->picture.data + c * n;
        for (size_t i = first; i < end && o->share == NULL; i++) {
            p[i] = in_range(o->j, p[i] - s->factor * g[i]);
        }
        for (size_t i = first; i < end && o->share != NULL; i++) {
            p[i] = in_range(o->j, p[i] - s->factor * o->share[i] * g[i]);
        }
    }
    return RV_OK;
}

/* Smooths the gradient as the options say, and goes against it: the goals are to grow. */
static rv_status move(octave *o)
{
    const rv_dream_options *options = &o->j->options;
    step s = {.o = o};
    double sum = 0;
    RV_TRY(rv_smooth_blur(&o->gradient, options->blur));
    if (options->smooth > 0) {
        RV_TRY(rv_smooth_equalize(&o->gradient, BANDS, options->smooth));
    }
    rv_smooth_colours(&o->gradient, options->colour);
    RV_TRY(rv_parallel_for(SLICES, 0, add_sizes, &s));
    for (int i = 0; i < SLICES; i++) {
        sum += s.sums[i];
    }
    const double mean = sum / (double)rv_planar_floats(&o->gradient);
    if (!isfinite(mean)) {
        return rv_fail(RV_ERR_USAGE, "the gradient is not finite: maximise another layer");
    }
    s.factor = mean > 0 ? (float)(options->strength * options->step / 255.0 / mean) : 0.0f;
    RV_TRY(rv_parallel_for(SLICES, 0, go_slice, &s));
    return RV_OK;
}

/* From 0 to `most`, drawn for this step. */
static int draw(const rv_dream_job *j, int axis, int most)
{
    const uint32_t index = (uint32_t)(j->octave * 1000003 + j->done) * 2u + (uint32_t)axis;
    const int drawn =
        (int)(rv_philox_uniform(j->options.seed, STREAM_SHIFT, index) * (float)(most + 1));
    return drawn < most ? drawn : most;
}

static void report(rv_dream_job *j, double seconds)
{
    const bool timed = j->timed_flops > 0;
    const double rate = timed ? j->timed / j->timed_flops : 0;
    j->iterations++;
    j->flops += j->step_flops;
    if (j->done > 0) { /* the first step compiles kernels */
        j->timed += seconds;
        j->timed_flops += j->step_flops;
        j->timed_device += j->step_device;
    }
    j->done++;
    const rv_progress progress = {.task = j->task,
                                  .done = j->done,
                                  .total = j->options.iterations,
                                  .fraction = fmin(1, j->flops / j->all_flops),
                                  .loss = j->value,
                                  .seconds_left =
                                      timed ? rate * fmax(0, j->all_flops - j->flops) : -1.0};
    rv_report(j->options.events, &progress);
}

static rv_status show(rv_dream_job *j)
{
    const rv_dream_options *o = &j->options;
    rv_image *image;
    if (o->preview == NULL || (j->shown > 0 && rv_clock() - j->shown < o->preview_seconds)) {
        return RV_OK;
    }
    RV_TRY(rv_dream_image(&image, j));
    o->preview(o->preview_payload, image);
    rv_image_destroy(image);
    j->shown = rv_clock();
    return RV_OK;
}

static rv_status take_step(octave *o)
{
    rv_dream_job *j = o->j;
    const double start = rv_clock();
    RV_TRY(rv_check_cancelled(j->options.events));
    RV_TRY(rv_tiles_gradient(&o->gradient, &j->value, &o->tiles, j->d->maximizer, j->d->device,
                             o->plan, o->input, &j->picture, draw(j, 0, o->tiles.free_x),
                             draw(j, 1, o->tiles.free_y)));
    RV_TRY(move(o));
    o->took = rv_clock() - start;
    report(j, o->took);
    if (j->options.save_every > 0 && j->done % j->options.save_every == 0) {
        rv_dream_keep(j, true);
    }
    return show(j);
}

/* --- one octave ------------------------------------------------------------------------------ */

static void count_flops(octave *o)
{
    rv_dream_job *j = o->j;
    const rv_tiles *t = &o->tiles;
    const double tile =
        rv_plan_flops(o->plan, RV_PASS_FORWARD) + rv_plan_flops(o->plan, RV_PASS_BACKWARD_DATA);
    const double pixels = (double)t->picture_width * t->picture_height;
    const double pixel = tile / ((double)t->width * t->height);
    j->step_flops = pixel * pixels;
    j->all_flops = 0;
    for (int i = 0; i < j->n; i++) {
        if (i == j->octave && j->flops <= 0) {
            j->flops = j->all_flops + j->step_flops * j->done; /* by an earlier run */
        }
        j->all_flops += pixel * j->width[i] * j->height[i] * j->options.iterations;
    }
    j->step_device = tile * t->columns * t->rows;
    j->device_flops += j->step_device * (j->options.iterations - j->done);
    snprintf(j->task, sizeof j->task, "dream %d of %d, %d px", j->octave + 1, j->n,
             t->picture_width > t->picture_height ? t->picture_width : t->picture_height);
}

/* The share of the octaves up to this one in all pixels that are to be moved. */
static double share_so_far(const rv_dream_job *j)
{
    double all = 0, so_far = 0;
    for (int i = 0; i < j->n; i++) {
        const double pixels = (double)j->width[i] * j->height[i];
        all += pixels;
        so_far += i <= j->octave ? pixels : 0;
    }
    return so_far / all;
}

static rv_status begin(octave *o)
{
    rv_dream_job *j = o->j;
    const int width = j->width[j->octave], height = j->height[j->octave];
    o->tiles = rv_tiles_cover(width, height, j->options.jitter, j->options.tile);
    RV_TRY(rv_dream_share(&o->share, j, width, height));
    RV_TRY(rv_planar_create(&o->gradient, width, height));
    RV_TRY(rv_maximizer_begin(
        j->d->maximizer, &o->plan, &o->input,
        &(rv_maximizer_size){.n = 1, .height = o->tiles.height, .width = o->tiles.width}));
    o->deadline = rv_deadline(j->start, j->options.time_limit, share_so_far(j), j->width[j->n - 1],
                              j->height[j->n - 1]);
    count_flops(o);
    return RV_OK;
}

/* In a rehearsal one step stands for all. */
static rv_status run_steps(octave *o)
{
    rv_dream_job *j = o->j;
    const int wanted = rv_device_rehearses(j->d->device) ? 1 : j->options.iterations;
    rv_status status = RV_OK;
    bool late = false;
    while (status == RV_OK && j->done < wanted && !late) {
        status = take_step(o);
        late = rv_deadline_passes(o->deadline, rv_clock(), o->took);
    }
    if (status == RV_OK && j->done < wanted) {
        const int width = j->width[j->octave], height = j->height[j->octave];
        rv_deadline_say(j->options.events, width > height ? width : height, j->done, wanted);
    }
    return status;
}

rv_status rv_dream_run_octave(rv_dream_job *j, int index)
{
    octave o = {.j = j};
    const bool resumes = index == j->from.scale && j->from.descent.done > 0;
    j->octave = index;
    j->done = 0;
    rv_status status = rv_check_cancelled(j->options.events);
    if (status == RV_ERR_CANCELLED && j->picture.data != NULL) {
        rv_dream_keep(j, false);
        return status;
    }
    status = resumes ? take_state(j) : start_picture(j);
    if (status == RV_OK) {
        status = begin(&o);
    }
    if (status == RV_OK) {
        status = run_steps(&o);
    }
    if (status == RV_ERR_CANCELLED && (j->done > 0 || index > 0) && j->picture.data != NULL) {
        rv_dream_keep(j, j->done > 0);
    }
    rv_planar_release(&o.gradient);
    free(o.share);
    return status;
}
