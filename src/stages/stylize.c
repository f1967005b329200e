/* Style transfer from photo to picture: scales from coarse to fine, each descending from the last. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"
#include "stages/descent.h"
#include "stages/enlarge.h"
#include "stages/objective.h"
#include "stages/stylize_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Stream of the random numbers of a start from noise. */
enum { STREAM_NOISE = 1 };

/* What the time is foreseen by: at this size the speed is nearly that of larger ones. */
enum { PROBE_SIZE = 384, PROBE_ITERATIONS = 5 };

/* What a driver takes for running kernels, beyond having them. */
#define RUN_BYTES UINT64_C(8000000)

/* One call of rv_stylize(). */
typedef struct job {
    rv_device *device;
    const rv_image *photo;
    const rv_image *const *styles;
    int n_styles;
    double *shares;
    rv_stylize_options options; /* resolved */
    rv_schedule schedule;
    const rv_recipe *recipe;
    rv_objective *objective;
    rv_planar picture; /* of the last scale that was run, without margin */
    double start;
    double loss;

    /* For the time that is left: work is pixels times iterations. */
    char task[48];
    int scale, iterations;
    double work, work_done, scale_work, pixels;
    double scale_start; /* after the first iteration, which compiles kernels; 0: none yet */
    double rate;        /* seconds a work takes; 0: not known yet */
    double rehearsed;   /* work of an iteration of the last scale, in a rehearsal */
} job;

static void fit(const job *j, int scale, int *width, int *height)
{
    *width = rv_image_width(j->photo);
    *height = rv_image_height(j->photo);
    rv_picture_fit(width, height, j->schedule.size[scale]);
}

/* --- progress -------------------------------------------------------------------------------- */

static double work_of(const job *j, int scale)
{
    int width, height;
    fit(j, scale, &width, &height);
    return (double)width * height * j->schedule.iterations[scale];
}

static void start_scale(job *j, int scale)
{
    j->scale = scale;
    j->scale_start = j->scale_work = j->work = j->work_done = 0;
    for (int i = 0; i < j->schedule.n; i++) {
        j->work += work_of(j, i);
        j->work_done += i < scale ? work_of(j, i) : 0;
    }
    j->pixels = work_of(j, scale) / j->schedule.iterations[scale];
    snprintf(j->task, sizeof j->task, "stylize %d px", j->schedule.size[scale]);
}

static void report(void *payload, int done, double loss)
{
    job *j = payload;
    const double now = rv_clock();
    j->iterations++;
    j->work_done += j->pixels;
    if (j->scale_start > 0) {
        j->scale_work += j->pixels;
        j->rate = (now - j->scale_start) / j->scale_work;
    } else {
        j->scale_start = now;
    }
    const rv_progress progress = {.task = j->task,
                                  .done = done,
                                  .total = j->schedule.iterations[j->scale],
                                  .fraction = j->work_done / j->work,
                                  .loss = loss,
                                  .seconds_left =
                                      j->rate > 0 ? j->rate * (j->work - j->work_done) : -1.0};
    rv_report(j->options.events, &progress);
}

/* --- start ----------------------------------------------------------------------------------- */

static rv_status noise(rv_planar *out, int width, int height, uint32_t seed)
{
    RV_TRY(rv_planar_create(out, width, height));
    for (size_t i = 0; i < rv_planar_floats(out); i++) {
        out->data[i] = rv_philox_uniform(seed, STREAM_NOISE, (uint32_t)i);
    }
    return RV_OK;
}

/* What the first scale starts from where that is not the photo. */
static rv_status first_picture(const job *j, rv_planar *out, int width, int height)
{
    if (j->options.init == RV_INIT_FROM_NOISE) {
        return noise(out, width, height, j->options.seed);
    }
    if (j->options.init == RV_INIT_FROM_STYLE) {
        const rv_part part = rv_picture_middle(j->styles[0], width, height);
        return rv_picture_planes(out, NULL, j->device, j->styles[0], &part, width, height);
    }
    return rv_picture_planes(out, NULL, j->device, j->options.init_image, NULL, width, height);
}

/* Where a scale starts, with its margin: the last scale's picture, else as the options say. */
static rv_status start_picture(const job *j, rv_planar *out, const rv_scale *scale, int margin)
{
    const int width = scale->content.width - 2 * margin;
    const int height = scale->content.height - 2 * margin;
    rv_planar inner = {0};
    if (j->picture.data != NULL) {
        RV_TRY(rv_planar_resize(&inner, j->device, &j->picture, width, height));
    } else if (j->options.init != RV_INIT_FROM_CONTENT) {
        RV_TRY(first_picture(j, &inner, width, height));
    } else {
        return rv_planar_pad(out, &scale->content, 0);
    }
    const rv_status status = rv_planar_pad(out, &inner, margin);
    rv_planar_release(&inner);
    return status;
}

/* --- one scale ------------------------------------------------------------------------------- */

/* A style is seen at the size of the picture, but no smaller than a picture may be wished. */
static rv_status load_styles(const job *j, rv_planar *styles, int size)
{
    size = size > RV_MIN_SIZE ? size : RV_MIN_SIZE;
    for (int i = 0; i < j->n_styles; i++) {
        int width = rv_image_width(j->styles[i]), height = rv_image_height(j->styles[i]);
        rv_picture_fit(&width, &height, size);
        RV_TRY(rv_picture_planes(&styles[i], NULL, j->device, j->styles[i], NULL, width, height));
    }
    return RV_OK;
}

static rv_status load_content(const job *j, rv_planar *out, int scale, int margin)
{
    int width, height;
    rv_planar inner;
    fit(j, scale, &width, &height);
    RV_TRY(rv_picture_planes(&inner, NULL, j->device, j->photo, NULL, width, height));
    const rv_status status = rv_planar_pad(out, &inner, margin);
    rv_planar_release(&inner);
    return status;
}

/* Replaces the job's picture by the one that a descent left, margin cut off, in range. */
static rv_status take_result(job *j, const rv_planar *padded, int margin)
{
    rv_planar_release(&j->picture);
    RV_TRY(rv_planar_crop(&j->picture, padded, margin));
    for (size_t i = 0; i < rv_planar_floats(&j->picture); i++) {
        j->picture.data[i] = fminf(fmaxf(j->picture.data[i], 0.0f), 1.0f);
    }
    return RV_OK;
}

static rv_status descend(job *j, rv_scale *scale, rv_planar *picture, int margin)
{
    rv_descent descent = {.device = j->device,
                          .optimizer = j->options.optimizer,
                          .learning_rate = j->options.learning_rate,
                          .history = j->recipe->history,
                          .plain_steps = j->recipe->plain_steps,
                          .iterations = j->schedule.iterations[j->scale],
                          .events = j->options.events,
                          .report = report,
                          .payload = j,
                          .work = &j->rehearsed};
    scale->reserve = rv_descent_bytes(&descent, rv_planar_floats(&scale->content));
    rv_status status = rv_objective_begin(j->objective, &descent.plan, &descent.picture, scale);
    if (status == RV_OK || (status == RV_ERR_CANCELLED && j->picture.data == NULL)) {
        RV_TRY(start_picture(j, picture, scale, margin));
    }
    if (status == RV_OK) {
        status = rv_descend(&descent, picture->data, &j->loss);
    }
    if (picture->data != NULL && (status == RV_OK || status == RV_ERR_CANCELLED)) {
        RV_TRY(take_result(j, picture, margin));
    }
    return status;
}

static rv_status run_scale(job *j, int index)
{
    const int size = j->schedule.size[index];
    const int margin = rv_recipe_margin(j->recipe, size);
    rv_planar picture = {0}, *styles;
    rv_scale scale = {.size = size, .shares = j->shares, .n_styles = j->n_styles};
    start_scale(j, index);
    RV_TRY(rv_alloc(&styles, (size_t)j->n_styles, sizeof *styles, "styles"));
    scale.styles = styles;
    rv_status status = load_styles(j, styles, size);
    if (status == RV_OK) {
        status = load_content(j, &scale.content, index, margin);
    }
    if (status == RV_OK) {
        status = descend(j, &scale, &picture, margin);
    }
    for (int i = 0; i < j->n_styles; i++) {
        rv_planar_release(&styles[i]);
    }
    free(styles);
    rv_planar_release(&scale.content);
    rv_planar_release(&picture);
    if (status == RV_OK || status == RV_ERR_CANCELLED) {
        return status;
    }
    return rv_fail_context(status, "stylizing at %d px%s", size,
                           status == RV_ERR_SHAPE && index < j->schedule.n - 1
                               ? " (fewer --scales start larger)"
                               : "");
}

/* --- result ---------------------------------------------------------------------------------- */

/* The photo with the colours of the picture, and its own detail, at the size of the output. */
static rv_status enlarge(rv_image **out, const job *j, const rv_planar *full)
{
    int width, height;
    rv_planar small;
    rv_stylize_output(&j->options, j->photo, &width, &height);
    RV_TRY(rv_picture_planes(&small, NULL, j->device, j->photo, NULL, full->width, full->height));
    rv_status status = rv_picture_resized(out, j->device, j->photo, width, height);
    if (status == RV_OK) {
        status = rv_enlarge(*out, full, &small, j->options.detail);
    }
    rv_planar_release(&small);
    return status;
}

static rv_status keep_size(rv_image **out, const job *j, const rv_planar *full)
{
    rv_planar photo = {0};
    float *alpha = NULL;
    rv_status status = RV_OK;
    if (rv_image_channels(j->photo) == 4) {
        status =
            rv_picture_planes(&photo, &alpha, j->device, j->photo, NULL, full->width, full->height);
    }
    if (status == RV_OK) {
        status = rv_picture_image(out, full, alpha, rv_image_bits(j->photo));
    }
    rv_planar_release(&photo);
    free(alpha);
    return status;
}

/* The picture at its full size, with what the photo has beside its colours. */
static rv_status make_image(rv_image **out, const job *j)
{
    int width, height;
    rv_planar full;
    fit(j, j->schedule.n - 1, &width, &height);
    RV_TRY(rv_planar_resize(&full, j->device, &j->picture, width, height));
    rv_status status =
        j->options.output_size > 0 ? enlarge(out, j, &full) : keep_size(out, j, &full);
    if (status == RV_OK) {
        status = rv_image_copy_metadata(*out, j->photo);
    }
    if (status != RV_OK) {
        rv_image_destroy(*out);
        *out = NULL;
    }
    rv_planar_release(&full);
    return status;
}

static rv_status write_settings(char *out, size_t bytes, const job *j, const rv_model *model)
{
    const char *content, *style;
    rv_objective_layers(j->objective, &content, &style);
    return rv_stylize_settings(out, bytes, &j->options, model, content, style, j->shares,
                               j->n_styles);
}

static rv_status run(rv_image **out, rv_stylize_result *result, job *j, const rv_model *model)
{
    RV_TRY(rv_objective_create(&j->objective, j->device, model, j->recipe, &j->options));
    RV_TRY(write_settings(result->settings, sizeof result->settings, j, model));
    rv_status status = RV_OK;
    for (int i = 0; i < j->schedule.n && status == RV_OK; i++) {
        status = run_scale(j, i);
    }
    if (status != RV_OK && status != RV_ERR_CANCELLED) {
        return status;
    }
    /* Its memory is wanted for the picture now. */
    rv_objective_destroy(j->objective);
    j->objective = NULL;
    RV_TRY(make_image(out, j));
    fit(j, j->schedule.n - 1, &result->styled_width, &result->styled_height);
    result->iterations = j->iterations;
    result->loss = j->loss;
    result->seconds = rv_clock() - j->start;
    return status == RV_OK
               ? RV_OK
               : rv_fail(RV_ERR_CANCELLED, "cancelled after %d iterations", j->iterations);
}

/* Runs a job of which the device and the pictures are set. */
static rv_status run_job(rv_image **out, rv_stylize_result *result, job *j, const rv_model *model,
                         const double *style_weights, const rv_stylize_options *options)
{
    *out = NULL;
    j->start = rv_clock();
    j->loss = NAN;
    RV_TRY(rv_stylize_resolve(&j->options, &j->schedule, &j->recipe, options, model, j->photo));
    RV_TRY(rv_alloc(&j->shares, j->n_styles > 0 ? (size_t)j->n_styles : 1, sizeof *j->shares,
                    "shares"));
    rv_status status = rv_stylize_shares(j->shares, style_weights, j->n_styles);
    if (status == RV_OK) {
        status = run(out, result, j, model);
    }
    rv_objective_destroy(j->objective);
    rv_planar_release(&j->picture);
    free(j->shares);
    return status;
}

rv_status rv_stylize(rv_image **out, rv_stylize_result *result, rv_device *device,
                     const rv_model *model, const rv_image *photo, const rv_image *const *styles,
                     const double *style_weights, int n_styles, const rv_stylize_options *options)
{
    job j = {.device = device, .photo = photo, .styles = styles, .n_styles = n_styles};
    rv_stylize_result unused;
    return run_job(out, result != NULL ? result : &unused, &j, model, style_weights, options);
}

/* --- estimate -------------------------------------------------------------------------------- */

/* What all runs of an estimate share. */
typedef struct foresight {
    rv_device *device;
    const rv_model *model;
    const rv_image *photo;
    const rv_image *const *styles;
    const double *style_weights;
    int n_styles;
} foresight;

/* @param[out] found  not NULL: a rehearsal, which tells the size of the result
 * @param[out] last   of an iteration at the last scale: seconds, in a rehearsal work */
static rv_status try_out(const foresight *f, const rv_stylize_options *options, rv_rehearsal *found,
                         rv_stylize_estimate *out, double *last)
{
    job j = {.device = f->device, .photo = f->photo, .styles = f->styles, .n_styles = f->n_styles};
    rv_stylize_result result;
    rv_image *picture;
    if (found != NULL) {
        rv_rehearsal_begin(f->device);
    }
    const rv_status status = run_job(&picture, &result, &j, f->model, f->style_weights, options);
    if (found != NULL) {
        rv_rehearsal_end(f->device, found);
    }
    if (picture != NULL) {
        out->width = rv_image_width(picture);
        out->height = rv_image_height(picture);
    }
    rv_image_destroy(picture);
    *last = found != NULL ? j.rehearsed : j.rate * j.pixels;
    return status;
}

rv_status rv_stylize_foresee(rv_stylize_estimate *out, rv_device *device, const rv_model *model,
                             const rv_image *photo, const rv_image *const *styles,
                             const double *style_weights, int n_styles,
                             const rv_stylize_options *options)
{
    const foresight f = {device, model, photo, styles, style_weights, n_styles};
    rv_events quiet = options->events != NULL ? *options->events : (rv_events){0};
    rv_stylize_options probe = *options;
    rv_rehearsal whole, small;
    rv_stylize_estimate unused;
    double work, seconds;
    *out = (rv_stylize_estimate){0};
    quiet.progress = NULL;
    probe.size = probe.size < PROBE_SIZE ? probe.size : PROBE_SIZE;
    probe.scales = 1;
    probe.output_size = 0;
    probe.iterations = PROBE_ITERATIONS;
    probe.events = &quiet;
    const double start = rv_clock();
    RV_TRY(try_out(&f, options, &whole, out, &work));
    const double host = rv_clock() - start;
    RV_TRY(try_out(&f, &probe, &small, &unused, &work));
    RV_TRY(try_out(&f, &probe, NULL, &unused, &seconds));
    out->device_bytes = whole.device_bytes;
    out->process_bytes = whole.process_bytes + RUN_BYTES;
    out->seconds = host + whole.work * seconds / work;
    return RV_OK;
}
