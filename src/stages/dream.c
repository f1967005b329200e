/* Dreams from photo to picture: octaves from coarse to fine, what each adds carried to the next. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "stages/dream_job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest side that a guide is seen at, as in the original. */
enum { GUIDE_SIZE = 320 };

/* Of the coarsest octave, by default: larger pictures get more octaves, so that what is dreamed has all sizes. */
enum { COARSEST = 400 };

/* Percent of the values at either end that decide nothing. */
#define CUT 0.1

/* --- result ---------------------------------------------------------------------------------- */

/* Puts values in range; pixels that take no steps stay as they are. */
static rv_status bring_back(rv_planar *full, const rv_dream_job *j)
{
    const double percent = j->options.stretch > 0 ? j->options.stretch : CUT;
    float *share;
    RV_TRY(rv_dream_share(&share, j, full->width, full->height));
    const rv_status status = rv_dream_bring_back(full, share, percent);
    free(share);
    return status;
}

rv_status rv_dream_image(rv_image **out, const rv_dream_job *j)
{
    const int width = j->width[j->n - 1], height = j->height[j->n - 1];
    rv_planar full, photo = {0};
    float *alpha = NULL;
    *out = NULL;
    const bool small = j->picture.width != width || j->picture.height != height;
    RV_TRY(small ? rv_planar_resize_by(&full, j->d->device, &j->picture, width, height, "lanczos3")
                 : rv_planar_pad(&full, &j->picture, 0));
    rv_status status = bring_back(&full, j);
    if (status == RV_OK && rv_image_channels(j->photo) == 4) {
        status = rv_picture_planes(&photo, &alpha, j->d->device, j->photo, NULL, width, height);
    }
    if (status == RV_OK) {
        status = rv_picture_image(out, &full, alpha, rv_image_bits(j->photo));
    }
    if (status == RV_OK) {
        status = rv_image_copy_metadata(*out, j->photo);
    }
    if (status != RV_OK) {
        rv_image_destroy(*out);
        *out = NULL;
    }
    rv_planar_release(&full);
    rv_planar_release(&photo);
    free(alpha);
    return status;
}

static rv_status settings_of(char **out, const rv_dream_job *j)
{
    return rv_dream_settings(out, &j->options, &j->d->goals, j->d->model, j->n, j->width[j->n - 1],
                             j->height[j->n - 1]);
}

static rv_status fill_result(rv_dream_result *result, const rv_dream_job *j)
{
    char *settings;
    RV_TRY(settings_of(&settings, j));
    const bool all = j->iterations >= j->n * j->options.iterations;
    char done[32] = "";
    if (!all) {
        snprintf(done, sizeof done, " done=%d", j->iterations);
    }
    snprintf(result->settings, sizeof result->settings, "%s%s", settings, done);
    free(settings);
    result->iterations = j->iterations;
    result->octaves = j->n;
    result->value = j->value;
    result->flops = j->flops;
    result->rate = j->timed_flops > 0 ? j->timed / j->timed_flops : 0;
    result->seconds = rv_clock() - j->start;
    return RV_OK;
}

/* --- where an earlier run was ---------------------------------------------------------------- */

/* Made when it is first needed: it reads every sample. */
static rv_status find_request(rv_dream_job *j)
{
    const rv_dream_options *o = &j->options;
    uint64_t hash = RV_HASH_START, weights;
    char *settings;
    if (j->request.settings != NULL) {
        return RV_OK;
    }
    RV_TRY(rv_model_fingerprint(&weights, j->d->model));
    hash = rv_picture_hash(hash, j->photo);
    hash = o->guide != NULL ? rv_picture_hash(hash, o->guide) : hash;
    hash = o->mask != NULL ? rv_picture_hash(hash, o->mask) : hash;
    RV_TRY(rv_format(&j->request.weights, "none"));
    RV_TRY(rv_format(&j->request.device, "%s", rv_device_get_info(j->d->device)->name));
    RV_TRY(settings_of(&settings, j));
    const rv_status status = rv_format(
        &j->request.settings, "reverie=" RV_VERSION " pictures=%016llx weights=%016llx %s",
        (unsigned long long)hash, (unsigned long long)weights, settings);
    free(settings);
    return status;
}

void rv_dream_keep(rv_dream_job *j, bool begun)
{
    rv_stylize_state now = {.scale = j->octave,
                            .iterations = j->iterations,
                            .seconds = rv_clock() - j->start,
                            .width = j->picture.width,
                            .height = j->picture.height};
    if (j->state == NULL || rv_device_rehearses(j->d->device)) {
        return;
    }
    if (begun) {
        now.descent.done = j->done;
        now.descent.loss = j->value;
        now.descent.picture = j->picture.data;
    } else {
        now.base = j->picture;
    }
    rv_status status = find_request(j);
    if (status == RV_OK) {
        status = rv_stylize_state_write(j->state, &j->request, &now);
    }
    if (status != RV_OK) {
        rv_log(j->options.events, RV_LOG_WARNING, "the state of the run is not kept: %s",
               rv_error_message());
    }
}

static rv_status find_state(rv_dream_job *j)
{
    rv_stylize_state *from = &j->from;
    if (j->state == NULL || !j->options.resume || !rv_path_exists(j->state)) {
        return RV_OK;
    }
    RV_TRY(find_request(j));
    RV_TRY(rv_stylize_state_read(from, j->state, &j->request, j->options.events));
    if (from->scale >= j->n || from->descent.done > j->options.iterations ||
        (from->descent.done == 0 && from->scale == 0)) {
        return rv_stylize_state_damaged(j->state);
    }
    j->iterations = from->iterations;
    j->start -= from->seconds;
    j->picture = from->base;
    from->base = (rv_planar){0};
    rv_log(j->options.events, RV_LOG_INFO, "going on after %d iterations", j->iterations);
    return RV_OK;
}

/* --- octaves --------------------------------------------------------------------------------- */

static bool fits(const rv_dream_job *j, int width, int height)
{
    const int jitter = j->options.jitter;
    const rv_tiles t = rv_tiles_cover(width, height, jitter, j->options.tile);
    return width >= RV_DREAM_MIN && height >= RV_DREAM_MIN &&
           rv_maximizer_fits(j->d->maximizer, t.height, t.width);
}

/* Sizes from coarse to fine; fewer where the network cannot take the coarsest. */
static rv_status plan_octaves(rv_dream_job *j)
{
    const rv_dream_options *o = &j->options;
    int width = rv_image_width(j->photo), height = rv_image_height(j->photo);
    if (o->size > 0) {
        rv_picture_fit(&width, &height, o->size);
    }
    const int wanted = o->octaves;
    if (!fits(j, width, height)) {
        return rv_fail(RV_ERR_SHAPE, "a picture of %d x %d is too small for %s", width, height,
                       rv_model_name(j->d->model));
    }
    int sizes[RV_MAX_OCTAVES][2], n = 0;
    for (; n < wanted; n++) {
        const double part = pow(o->octave_scale, -n);
        sizes[n][0] = (int)fmax(1, round(width * part));
        sizes[n][1] = (int)fmax(1, round(height * part));
        if (n > 0 && !fits(j, sizes[n][0], sizes[n][1])) {
            break;
        }
    }
    if (n < wanted && !j->d->said_fewer && !rv_device_rehearses(j->d->device)) {
        j->d->said_fewer = true;
        rv_log(o->events, RV_LOG_WARNING,
               "%d octaves instead of %d: at %d x %d the picture would be too small for %s", n,
               wanted, sizes[n][0], sizes[n][1], rv_model_name(j->d->model));
    }
    j->n = n;
    for (int i = 0; i < n; i++) {
        j->width[i] = sizes[n - 1 - i][0];
        j->height[i] = sizes[n - 1 - i][1];
    }
    return RV_OK;
}

static rv_status run(rv_image **out, rv_dream_result *result, rv_dream_job *j)
{
    RV_TRY(plan_octaves(j));
    RV_TRY(find_state(j));
    rv_status status = RV_OK;
    for (int i = j->from.scale; i < j->n && status == RV_OK; i++) {
        status = rv_dream_run_octave(j, i);
    }
    rv_maximizer_rest(j->d->maximizer); /* its memory is wanted for the picture now */
    const bool begun = j->picture.data != NULL && j->iterations > 0;
    if (status != RV_OK && (status != RV_ERR_CANCELLED || !begun)) {
        return status; /* what has not begun has no result */
    }
    RV_TRY(rv_dream_image(out, j));
    RV_TRY(fill_result(result, j));
    return status == RV_OK
               ? RV_OK
               : rv_fail(RV_ERR_CANCELLED, "cancelled after %d iterations", j->iterations);
}

/* More octaves for larger pictures, where nothing else was wished. */
static int octaves_for(const rv_dream_job *j)
{
    const rv_dream_options *o = &j->options;
    int width = rv_image_width(j->photo), height = rv_image_height(j->photo);
    if (o->size > 0) {
        rv_picture_fit(&width, &height, o->size);
    }
    const double longest = width > height ? width : height;
    const int more = (int)ceil(log(longest / COARSEST) / log(o->octave_scale)) + 1;
    return more > RV_MAX_OCTAVES ? RV_MAX_OCTAVES : more > o->octaves ? more : o->octaves;
}

rv_status rv_dream_one(rv_image **out, rv_dream_result *result, rv_dream_job *j)
{
    *out = NULL;
    *result = (rv_dream_result){.value = NAN};
    j->start = rv_clock();
    j->value = NAN;
    if (!j->d->wished_octaves && !j->one_octave) {
        j->options.octaves = octaves_for(j);
    }
    const rv_status status = run(out, result, j);
    rv_planar_release(&j->picture);
    rv_stylize_state_release(&j->from);
    rv_stylize_request_release(&j->request);
    return status;
}

/* --- life ------------------------------------------------------------------------------------ */

static rv_status look_at_guide(rv_dreamer *d)
{
    int width = rv_image_width(d->options.guide), height = rv_image_height(d->options.guide);
    rv_planar guide;
    rv_picture_fit(&width, &height, GUIDE_SIZE);
    RV_TRY(rv_picture_planes(&guide, NULL, d->device, d->options.guide, NULL, width, height));
    const rv_status status = rv_maximizer_set_guide(d->maximizer, &guide);
    rv_planar_release(&guide);
    return status;
}

static rv_status create(rv_dreamer *d, const rv_dream_options *options)
{
    RV_TRY(rv_dream_resolve(&d->options, &d->goals, d->model, options));
    d->wished_octaves = options != NULL && options->octaves >= 0;
    const rv_status status =
        rv_maximizer_create(&d->maximizer, d->device, d->model, &d->goals, d->options.events);
    if (status != RV_OK) {
        return rv_fail_context(status, "maximize");
    }
    return d->options.guide != NULL ? look_at_guide(d) : RV_OK;
}

rv_status rv_dreamer_create(rv_dreamer **out, rv_device *device, const rv_model *model,
                            const rv_dream_options *options)
{
    rv_dreamer *d;
    *out = NULL;
    RV_TRY(rv_alloc(&d, 1, sizeof *d, "dreams"));
    d->device = device;
    d->model = model;
    const rv_status status = create(d, options);
    if (status != RV_OK) {
        rv_dreamer_destroy(d);
        return status;
    }
    *out = d;
    return RV_OK;
}

void rv_dreamer_destroy(rv_dreamer *d)
{
    if (d != NULL) {
        rv_maximizer_destroy(d->maximizer);
        rv_goals_release(&d->goals);
        free(d);
    }
}

rv_status rv_dreamer_run(rv_image **out, rv_dream_result *result, rv_dreamer *dreamer,
                         const rv_image *photo, const char *state)
{
    rv_dream_job j = {.d = dreamer, .options = dreamer->options, .photo = photo, .state = state};
    rv_dream_result unused;
    return rv_dream_one(out, result != NULL ? result : &unused, &j);
}
