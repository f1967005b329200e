/* One scale of stylize: the pictures at its size, where it starts, and the descent. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"
#include "stages/colour_keep.h"
#include "stages/deadline.h"
#include "stages/stylize_job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Stream of the random numbers of a start from noise. */
enum { STREAM_NOISE = 1 };

void rv_stylize_fit(const rv_stylize_job *j, int scale, int *width, int *height)
{
    *width = rv_image_width(j->photo);
    *height = rv_image_height(j->photo);
    rv_picture_fit(width, height, j->schedule.size[scale]);
}

/* Pixels times iterations of a scale. */
static double work_of(const rv_stylize_job *j, int scale)
{
    int width, height;
    rv_stylize_fit(j, scale, &width, &height);
    return (double)width * height * j->schedule.iterations[scale];
}

/* --- progress -------------------------------------------------------------------------------- */

static void start_scale(rv_stylize_job *j, int scale)
{
    const int done = j->resumed && scale == j->from.scale ? j->from.descent.done : 0;
    j->scale = scale;
    j->margin = rv_style_recipe_margin(j->s->recipe, j->schedule.size[scale]);
    j->scale_start = j->scale_work = j->work = j->work_done = 0;
    for (int i = 0; i < j->schedule.n; i++) {
        j->work += work_of(j, i);
        j->work_done += i < scale ? work_of(j, i) : 0;
    }
    j->pixels = work_of(j, scale) / j->schedule.iterations[scale];
    j->work_done += j->pixels * done;
    j->done[scale] = done;
    snprintf(j->task, sizeof j->task, "stylize %d px", j->schedule.size[scale]);
}

static void report(void *payload, int done, double loss)
{
    rv_stylize_job *j = payload;
    const double now = rv_clock();
    j->iterations++;
    j->done[j->scale] = done;
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
    rv_report(j->s->options.events, &progress);
}

/* Of the present scale. */
static double deadline(const rv_stylize_job *j)
{
    const rv_stylize_options *o = &j->s->options;
    int width, height;
    double work = 0;
    for (int i = 0; i <= j->scale; i++) {
        work += work_of(j, i);
    }
    rv_stylize_fit(j, j->schedule.n - 1, &width, &height);
    if (o->output_size > 0) {
        rv_stylize_output(o, j->photo, &width, &height);
    }
    return rv_deadline(j->start, o->time_limit, work / j->work, width, height);
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
static rv_status first_picture(const rv_stylizer *s, rv_planar *out, int width, int height)
{
    if (s->options.init == RV_INIT_FROM_NOISE) {
        return noise(out, width, height, s->options.seed);
    }
    if (s->options.init == RV_INIT_FROM_STYLE) {
        const rv_part part = rv_picture_middle(s->styles[0], width, height);
        return rv_picture_planes(out, NULL, s->device, s->styles[0], &part, width, height);
    }
    return rv_picture_planes(out, NULL, s->device, s->options.init_image, NULL, width, height);
}

/* Where a scale starts, with its margin: where an earlier run was, the last scale's picture, else as the options say. */
static rv_status start_picture(const rv_stylize_job *j, rv_planar *out, const rv_scale *scale)
{
    const int width = scale->content.width - 2 * j->margin;
    const int height = scale->content.height - 2 * j->margin;
    rv_planar inner = {0};
    if (j->done[j->scale] > 0) {
        const rv_planar kept = {j->from.width, j->from.height, j->from.descent.picture};
        return kept.width == scale->content.width && kept.height == scale->content.height
                   ? rv_planar_pad(out, &kept, 0)
                   : rv_stylize_state_damaged(j->state);
    }
    if (j->picture.data != NULL) {
        RV_TRY(rv_planar_resize(&inner, j->s->device, &j->picture, width, height));
    } else if (j->s->options.init != RV_INIT_FROM_CONTENT) {
        RV_TRY(first_picture(j->s, &inner, width, height));
    } else {
        return rv_planar_pad(out, &scale->content, 0);
    }
    const rv_status status = rv_planar_pad(out, &inner, j->margin);
    rv_planar_release(&inner);
    if (status == RV_OK) {
        rv_stylize_regions_restore(&j->regions, out, &scale->content);
    }
    return status;
}

/* --- pictures -------------------------------------------------------------------------------- */

/* A style is seen at the size of the picture, or the multiple that was asked for, but no smaller than a picture may be
 * wished. What the objective knows need not be loaded. */
static rv_status load_styles(const rv_stylizer *s, const rv_scale *scale)
{
    const double wanted = round(scale->size * s->options.style_scale);
    const int size = wanted > RV_MIN_SIZE ? (int)wanted : RV_MIN_SIZE;
    for (int i = 0; i < s->n_styles; i++) {
        s->planes[i].width = rv_image_width(s->styles[i]);
        s->planes[i].height = rv_image_height(s->styles[i]);
        rv_picture_fit(&s->planes[i].width, &s->planes[i].height, size);
    }
    const bool known = rv_objective_knows(s->objective, scale);
    for (int i = 0; i < s->n_styles && !known; i++) {
        const int width = s->planes[i].width, height = s->planes[i].height;
        RV_TRY(rv_picture_planes(&s->planes[i], s->clear[i] ? &s->seen[i] : NULL, s->device,
                                 s->styles[i], NULL, width, height));
        if (scale->likeness != NULL) {
            rv_light_match(&s->planes[i], s->seen[i], scale->likeness);
        }
    }
    return RV_OK;
}

static void drop_styles(const rv_stylizer *s)
{
    for (int i = 0; i < s->n_styles; i++) {
        rv_planar_release(&s->planes[i]);
        free(s->seen[i]);
        s->seen[i] = NULL;
    }
}

static rv_status load_content(const rv_stylize_job *j, rv_planar *out)
{
    int width, height;
    rv_planar inner;
    rv_stylize_fit(j, j->scale, &width, &height);
    RV_TRY(rv_picture_planes(&inner, NULL, j->s->device, j->photo, NULL, width, height));
    const rv_status status = rv_planar_pad(out, &inner, j->margin);
    rv_planar_release(&inner);
    return status;
}

/* What a descent left, margin cut off, in range. */
static rv_status inner_picture(rv_planar *out, const rv_planar *padded, int margin)
{
    RV_TRY(rv_planar_crop(out, padded, margin));
    for (size_t i = 0; i < rv_planar_floats(out); i++) {
        out->data[i] = fminf(fmaxf(out->data[i], 0.0f), 1.0f);
    }
    return RV_OK;
}

/* Replaces the job's picture by the one that a descent left. */
static rv_status take_result(rv_stylize_job *j, const rv_planar *padded)
{
    rv_planar_release(&j->picture);
    return inner_picture(&j->picture, padded, j->margin);
}

/* The picture so far at the size of the last scale, for whoever looks on. */
static rv_status make_preview(const rv_stylize_job *j, const rv_planar *padded)
{
    const rv_stylize_options *o = &j->s->options;
    int width, height;
    rv_planar inner, full = {0};
    rv_image *image = NULL;
    RV_TRY(inner_picture(&inner, padded, j->margin));
    rv_stylize_fit(j, j->schedule.n - 1, &width, &height);
    rv_status status = rv_planar_resize(&full, j->s->device, &inner, width, height);
    if (status == RV_OK) {
        rv_stylize_colour(j, &full);
        status = rv_picture_image(&image, &full, NULL, 8);
    }
    if (status == RV_OK) {
        status = rv_stylize_masks_restore(&j->masks, image, j->s->device,
                                          j->small != NULL ? j->small : j->photo);
    }
    if (status == RV_OK) {
        o->preview(o->preview_payload, image);
    }
    rv_image_destroy(image);
    rv_planar_release(&full);
    rv_planar_release(&inner);
    return status;
}

void rv_stylize_miss_preview(rv_stylize_job *j)
{
    if (!j->unseen) {
        j->unseen = true;
        rv_log(j->s->options.events, RV_LOG_WARNING, "there is no preview: %s", rv_error_message());
    }
}

static rv_status show(void *payload, const float *pixels)
{
    rv_stylize_job *j = payload;
    int width, height;
    rv_stylize_fit(j, j->scale, &width, &height);
    const rv_planar padded = {width + 2 * j->margin, height + 2 * j->margin, (float *)pixels};
    if (make_preview(j, &padded) != RV_OK) {
        rv_stylize_miss_preview(j);
    }
    return RV_OK;
}

static rv_status keep(void *payload, const rv_descent_state *state)
{
    rv_stylize_keep(payload, state);
    return RV_OK;
}

/* --- one scale ------------------------------------------------------------------------------- */

static rv_descent descent_of(rv_stylize_job *j)
{
    const rv_stylize_options *o = &j->s->options;
    return (rv_descent){.device = j->s->device,
                        .optimizer = o->optimizer,
                        .learning_rate = o->learning_rate,
                        .history = j->s->recipe->history,
                        .plain_steps = j->s->recipe->plain_steps,
                        .iterations = j->schedule.iterations[j->scale],
                        .events = o->events,
                        .report = report,
                        .show = o->preview != NULL ? show : NULL,
                        .show_seconds = o->preview_seconds,
                        .keep = j->state != NULL ? keep : NULL,
                        .keep_every = o->save_every,
                        .from = j->done[j->scale] > 0 ? &j->from.descent : NULL,
                        .deadline = deadline(j),
                        .payload = j,
                        .work = &j->rehearsed};
}

/* How many times the pixels of the scale before the picture has now, margins included. */
static double growth_of(const rv_stylize_job *j, const rv_scale *scale)
{
    const rv_planar *before = &j->moments[0];
    const int margin = rv_style_recipe_margin(j->s->recipe, j->schedule.size[j->scale - 1]);
    return (double)scale->content.width * scale->content.height /
           ((before->width + 2.0 * margin) * (before->height + 2.0 * margin));
}

static void multiply(rv_planar *planar, double factor)
{
    for (size_t i = 0; i < rv_planar_floats(planar); i++) {
        planar->data[i] = (float)(factor * (double)planar->data[i]);
    }
}

/* What Adam remembers of the scale before at the size of this one, with its margin. The first moment has signs, the
 * second none, which a filter with negative weights could bring. Losses are means, so that of more pixels each has the
 * smaller gradient. */
static rv_status start_moments(const rv_stylize_job *j, rv_planar moments[2], const rv_scale *scale)
{
    static const char *const filters[2] = {"cubic", "linear"};
    const int width = scale->content.width - 2 * j->margin;
    const int height = scale->content.height - 2 * j->margin;
    for (int i = 0; i < 2; i++) {
        rv_planar inner;
        if (j->moments[i].data == NULL) {
            RV_TRY(rv_planar_create(&moments[i], scale->content.width, scale->content.height));
            continue;
        }
        RV_TRY(
            rv_planar_resize_by(&inner, j->s->device, &j->moments[i], width, height, filters[i]));
        const rv_status status = rv_planar_pad(&moments[i], &inner, j->margin);
        rv_planar_release(&inner);
        RV_TRY(status);
        const double growth = growth_of(j, scale);
        multiply(&moments[i], i == 0 ? 1 / growth : 1 / (growth * growth));
    }
    for (size_t i = 0; i < rv_planar_floats(&moments[1]); i++) {
        moments[1].data[i] = fmaxf(moments[1].data[i], 0.0f);
    }
    return RV_OK;
}

static rv_status take_moments(rv_stylize_job *j, rv_planar moments[2], double steps)
{
    j->steps = steps;
    for (int i = 0; i < 2; i++) {
        rv_planar_release(&j->moments[i]);
        RV_TRY(rv_planar_crop(&j->moments[i], &moments[i], j->margin));
        rv_planar_release(&moments[i]);
    }
    return RV_OK;
}

/* Bytes of the moments where they count in a limit on memory: both, and one that loses its margin. */
static uint64_t moment_bytes(const rv_stylize_job *j, const rv_scale *scale)
{
    const bool counts = rv_device_get_info(j->s->device)->type == RV_DEVICE_CPU;
    return counts && j->s->options.optimizer == RV_OPTIMIZER_ADAM
               ? 3 * (uint64_t)rv_planar_floats(&scale->content) * sizeof(float)
               : 0;
}

/* Descends from `picture`; Adam goes on with the moments of the scale before. */
static rv_status run_descent(rv_stylize_job *j, rv_descent *descent, rv_planar *picture,
                             const rv_scale *scale)
{
    rv_planar moments[2] = {{.data = NULL}, {.data = NULL}};
    rv_adam_memory memory = {.steps = j->steps};
    rv_status status = RV_OK;
    if (descent->optimizer == RV_OPTIMIZER_ADAM) {
        status = start_moments(j, moments, scale);
        memory.m = moments[0].data;
        memory.v = moments[1].data;
        descent->memory = &memory;
    }
    if (status == RV_OK) {
        status = rv_descend(descent, picture->data, &j->loss);
    }
    if (status == RV_OK && descent->memory != NULL) {
        status = take_moments(j, moments, memory.steps);
    }
    descent->memory = NULL;
    rv_planar_release(&moments[0]);
    rv_planar_release(&moments[1]);
    return status;
}

static rv_status descend(rv_stylize_job *j, rv_scale *scale, rv_planar *picture)
{
    const rv_stylizer *s = j->s;
    rv_descent descent = descent_of(j);
    scale->reserve =
        rv_descent_bytes(&descent, rv_planar_floats(&scale->content)) + moment_bytes(j, scale);
    rv_status status = rv_objective_begin(s->objective, &descent.plan, &descent.picture, scale);
    if (status == RV_OK || (status == RV_ERR_CANCELLED && j->picture.data == NULL)) {
        RV_TRY(start_picture(j, picture, scale));
    }
    if (status == RV_OK) {
        status = run_descent(j, &descent, picture, scale);
    }
    if (status == RV_ERR_CANCELLED && j->done[j->scale] == 0 && j->picture.data != NULL) {
        rv_stylize_keep(j, NULL);
    }
    if (picture->data != NULL && (status == RV_OK || status == RV_ERR_CANCELLED)) {
        RV_TRY(take_result(j, picture));
    }
    return status;
}

rv_status rv_stylize_run_scale(rv_stylize_job *j, int index)
{
    const rv_stylizer *s = j->s;
    const int size = j->schedule.size[index], wanted = j->schedule.iterations[index];
    rv_planar picture = {0};
    rv_scale scale = {.size = size,
                      .styles = s->planes,
                      .seen = (const float *const *)s->seen,
                      .shares = s->shares,
                      .n_styles = s->n_styles,
                      .likeness = j->own.data != NULL ? &j->likeness : NULL};
    start_scale(j, index);
    rv_status status = load_content(j, &scale.content);
    if (status == RV_OK) {
        status =
            rv_stylize_regions_find(&j->regions, &j->masks, scale.content.width - 2 * j->margin,
                                    scale.content.height - 2 * j->margin, j->margin);
    }
    if (status == RV_OK) {
        scale.regions = j->regions.regions;
        status = load_styles(s, &scale);
    }
    if (status == RV_OK) {
        status = descend(j, &scale, &picture);
    }
    drop_styles(s);
    rv_planar_release(&scale.content);
    rv_planar_release(&picture);
    rv_stylize_regions_release(&j->regions);
    if (status == RV_OK && s->options.time_limit > 0 && j->done[index] < wanted &&
        !rv_device_rehearses(s->device)) {
        rv_deadline_say(s->options.events, size, j->done[index], wanted);
    }
    if (status == RV_OK || status == RV_ERR_CANCELLED) {
        return status;
    }
    return rv_fail_context(status, "stylizing at %d px%s", size,
                           status == RV_ERR_SHAPE && index < j->schedule.n - 1
                               ? " (fewer --scales start larger)"
                               : "");
}
