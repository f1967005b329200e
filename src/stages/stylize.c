/* Style transfer from photo to picture: scales from coarse to fine, each descending from the last. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "stages/colour_keep.h"
#include "stages/enlarge.h"
#include "stages/stylize_job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- result ---------------------------------------------------------------------------------- */

/* With a strength of 0 there is nothing to do. */
static bool is_photo(const rv_stylize_job *j)
{
    return !(j->s->options.strength > 0);
}

void rv_stylize_colour(const rv_stylize_job *j, rv_planar *picture)
{
    if (j->s->options.preserve_color == RV_PRESERVE_LUMINANCE) {
        rv_planar_keep_colours(picture, &j->own);
    }
}

/* The photo with the colours of the picture, and its own detail, at the size of the output. */
static rv_status enlarge(rv_image **out, const rv_stylize_job *j, const rv_planar *full)
{
    int width, height;
    rv_planar small;
    rv_device *device = j->s->device;
    rv_stylize_output(&j->s->options, j->photo, &width, &height);
    RV_TRY(rv_picture_planes(&small, NULL, device, j->photo, NULL, full->width, full->height));
    rv_status status = rv_picture_resized(out, device, j->photo, width, height);
    if (status == RV_OK) {
        status = rv_enlarge(*out, full, &small, j->s->options.detail,
                            j->s->options.preserve_color == RV_PRESERVE_LUMINANCE);
    }
    rv_planar_release(&small);
    return status;
}

static rv_status keep_size(rv_image **out, const rv_stylize_job *j, rv_planar *full)
{
    rv_planar photo = {0};
    float *alpha = NULL;
    rv_status status = RV_OK;
    if (rv_image_channels(j->photo) == 4) {
        status = rv_picture_planes(&photo, &alpha, j->s->device, j->photo, NULL, full->width,
                                   full->height);
    }
    rv_stylize_colour(j, full);
    if (status == RV_OK) {
        status = rv_picture_image(out, full, alpha, rv_image_bits(j->photo));
    }
    rv_planar_release(&photo);
    free(alpha);
    return status;
}

/* What has been styled, at its full size. */
static rv_status make_styled(rv_image **out, const rv_stylize_job *j)
{
    int width, height;
    rv_planar full;
    rv_stylize_fit(j, j->schedule.n - 1, &width, &height);
    RV_TRY(rv_planar_resize(&full, j->s->device, &j->picture, width, height));
    const rv_status status =
        j->s->options.output_size > 0 ? enlarge(out, j, &full) : keep_size(out, j, &full);
    rv_planar_release(&full);
    return status;
}

/* The photo itself at the size of the result. */
static rv_status make_unstyled(rv_image **out, const rv_stylize_job *j)
{
    int width, height;
    rv_stylize_fit(j, j->schedule.n - 1, &width, &height);
    if (j->s->options.output_size > 0) {
        rv_stylize_output(&j->s->options, j->photo, &width, &height);
    }
    return rv_picture_resized(out, j->s->device, j->photo, width, height);
}

/* The picture, with what the photo has beside its colours. */
static rv_status make_image(rv_image **out, const rv_stylize_job *j)
{
    rv_status status = is_photo(j) ? make_unstyled(out, j) : make_styled(out, j);
    if (status == RV_OK) {
        status = rv_stylize_masks_restore(&j->masks, *out, j->s->device, j->photo);
    }
    if (status == RV_OK) {
        status = rv_image_copy_metadata(*out, j->photo);
    }
    if (status != RV_OK) {
        rv_image_destroy(*out);
        *out = NULL;
    }
    return status;
}

static rv_status settings_of(char **out, const rv_stylize_job *j, const rv_stylize_options *options)
{
    const rv_stylizer *s = j->s;
    const char *content, *style;
    rv_objective_layers(s->objective, &content, &style);
    return rv_stylize_settings(out, options, s->model, content, style, s->shares, s->n_styles);
}

/* Where some scale has not had all of its iterations, " done=150,37". */
static rv_status add_done(rv_stylize_result *result, const rv_stylize_job *j)
{
    rv_text text = {0};
    bool all = true;
    for (int i = 0; i < j->schedule.n; i++) {
        rv_text_append(&text, "%s%d", i > 0 ? "," : " done=", j->done[i]);
        all = all && (j->done[i] >= j->schedule.iterations[i] || is_photo(j));
    }
    const rv_status status = rv_text_status(&text);
    const size_t n = strlen(result->settings);
    if (status == RV_OK && !all && n + text.length < sizeof result->settings) {
        memcpy(result->settings + n, text.data, text.length + 1);
    }
    rv_text_release(&text);
    return status;
}

static rv_status fill_result(rv_stylize_result *result, const rv_stylize_job *j)
{
    char *settings;
    RV_TRY(settings_of(&settings, j, &j->s->options));
    snprintf(result->settings, sizeof result->settings, "%s", settings);
    free(settings);
    RV_TRY(add_done(result, j));
    rv_stylize_fit(j, j->schedule.n - 1, &result->styled_width, &result->styled_height);
    result->iterations = j->iterations;
    result->loss = j->loss;
    result->rate = j->rate;
    result->seconds = rv_clock() - j->start;
    return RV_OK;
}

/* --- where an earlier run was ---------------------------------------------------------------- */

static uint64_t hash_pictures(const rv_stylize_job *j)
{
    uint64_t hash = rv_picture_hash(RV_HASH_START, j->photo);
    for (int i = 0; i < j->s->n_styles; i++) {
        hash = rv_picture_hash(hash, j->s->styles[i]);
    }
    const rv_stylize_options *o = &j->s->options;
    hash = o->init_image != NULL ? rv_picture_hash(hash, o->init_image) : hash;
    for (int i = -1; i < j->s->n_styles; i++) {
        const rv_image *mask = i < 0 ? o->mask : o->style_masks != NULL ? o->style_masks[i] : NULL;
        if (mask != NULL) {
            hash = rv_picture_hash(rv_hash(hash, &i, sizeof i), mask);
        }
    }
    return hash;
}

/* Made when it is first needed: it reads every sample, and parts of the model. */
static rv_status find_request(rv_stylize_job *j)
{
    rv_stylize_options o = j->s->options;
    const rv_device_info *device = rv_device_get_info(j->s->device);
    static const char *const poolings[] = {"as-made", "max", "average", "binomial"};
    char *settings;
    uint64_t weights;
    if (j->request.settings != NULL) {
        return RV_OK;
    }
    RV_TRY(rv_model_fingerprint(&weights, j->s->model));
    RV_TRY(rv_format(&j->request.weights,
                     "content_weight=%.6g style_weight=%.6g tv_weight=%.6g strength=%.6g",
                     o.content_weight, o.style_weight, o.tv_weight, o.strength));
    RV_TRY(rv_format(&j->request.device, "%s", device->name));
    o.content_weight = o.style_weight = o.tv_weight = o.strength = 0;
    o.output_size = 0;
    RV_TRY(settings_of(&settings, j, &o));
    const rv_status status =
        rv_format(&j->request.settings,
                  "reverie=" RV_VERSION " pictures=%016llx weights=%016llx pooling=%s %s",
                  (unsigned long long)hash_pictures(j), (unsigned long long)weights,
                  poolings[rv_model_pooling(j->s->model)], settings);
    free(settings);
    return status;
}

/* Between scales: what Adam left of the last one. */
static rv_status read_moments(void *payload, int array, float *out)
{
    const rv_planar *from = &((const rv_stylize_job *)payload)->moments[array];
    memcpy(out, from->data, rv_planar_floats(from) * sizeof(float));
    return RV_OK;
}

static rv_descent_state between_scales(rv_stylize_job *j)
{
    const size_t n = rv_planar_floats(&j->moments[0]);
    if (j->moments[0].data == NULL) {
        return (rv_descent_state){.done = 0};
    }
    return (rv_descent_state){.number = {j->steps},
                              .n_numbers = 1,
                              .floats = {n, n},
                              .n_arrays = 2,
                              .read = read_moments,
                              .payload = j};
}

/* Takes them back; j->picture is that of the last scale. */
static rv_status find_moments(rv_stylize_job *j)
{
    const rv_descent_state *from = &j->from.descent;
    const size_t n = rv_planar_floats(&j->picture);
    if (from->done > 0 || from->n_arrays == 0) {
        return RV_OK;
    }
    if (from->n_arrays != 2 || from->n_numbers != 1 || from->floats[0] != n ||
        from->floats[1] != n || !(from->number[0] >= 1)) {
        return rv_stylize_state_damaged(j->state);
    }
    j->steps = from->number[0];
    for (int i = 0; i < 2; i++) {
        RV_TRY(rv_planar_create(&j->moments[i], j->picture.width, j->picture.height));
        RV_TRY(from->read(from->payload, i, j->moments[i].data));
    }
    return RV_OK;
}

void rv_stylize_keep(rv_stylize_job *j, const rv_descent_state *descent)
{
    int width, height;
    rv_stylize_fit(j, j->scale, &width, &height);
    rv_stylize_state now = {.scale = j->scale,
                            .iterations = j->iterations,
                            .seconds = rv_clock() - j->start,
                            .base = j->picture,
                            .width = width + 2 * j->margin,
                            .height = height + 2 * j->margin};
    if (j->state == NULL) {
        return;
    }
    now.descent = descent != NULL ? *descent : between_scales(j);
    rv_status status = find_request(j);
    if (status == RV_OK) {
        status = rv_stylize_state_write(j->state, &j->request, &now);
    }
    if (status != RV_OK) {
        rv_log(j->s->options.events, RV_LOG_WARNING, "the state of the run is not kept: %s",
               rv_error_message());
    }
}

/* Where j->state is set: what was asked for, and with options.resume where to go on. */
static rv_status find_state(rv_stylize_job *j)
{
    const rv_stylize_options *o = &j->s->options;
    rv_stylize_state *from = &j->from;
    if (j->state == NULL || !o->resume || !rv_path_exists(j->state)) {
        return RV_OK;
    }
    RV_TRY(find_request(j));
    RV_TRY(rv_stylize_state_read(from, j->state, &j->request, o->events));
    if (from->scale >= j->schedule.n || from->descent.done > j->schedule.iterations[from->scale] ||
        (from->descent.done == 0 && from->scale == 0)) {
        return rv_stylize_state_damaged(j->state);
    }
    if (from->other_weights && o->optimizer == RV_OPTIMIZER_LBFGS) {
        from->descent.n_arrays = 0; /* what it remembers of others leads nowhere */
    }
    j->resumed = true;
    j->iterations = from->iterations;
    j->start -= from->seconds;
    for (int i = 0; i < from->scale; i++) {
        j->done[i] = j->schedule.iterations[i];
    }
    j->picture = from->base;
    from->base = (rv_planar){0};
    RV_TRY(find_moments(j));
    rv_log(o->events, RV_LOG_INFO, "going on after %d iterations", j->iterations);
    return RV_OK;
}

/* --- a photo --------------------------------------------------------------------------------- */

/* Where the photo's colours are preserved, the photo at the size of the last scale, and how those are spread that are
 * visible. */
static rv_status take_colours(rv_stylize_job *j)
{
    int width, height;
    rv_stylize_regions regions = {0};
    if (j->s->options.preserve_color == RV_PRESERVE_NONE) {
        return RV_OK;
    }
    rv_stylize_fit(j, j->schedule.n - 1, &width, &height);
    RV_TRY(rv_picture_planes(&j->own, NULL, j->s->device, j->photo, NULL, width, height));
    RV_TRY(rv_stylize_regions_find(&regions, &j->masks, width, height, 0));
    const rv_status status = rv_light_measure(&j->likeness, &j->own, regions.regions.visible);
    rv_stylize_regions_release(&regions);
    return status;
}

/* What previews show of the photo, resized once for all of them. */
static rv_status take_small(rv_stylize_job *j)
{
    int width, height;
    rv_stylize_fit(j, j->schedule.n - 1, &width, &height);
    return width == rv_image_width(j->photo) && height == rv_image_height(j->photo)
               ? RV_OK
               : rv_picture_resized(&j->small, j->s->device, j->photo, width, height);
}

/* Strokes are never made larger than a style has the pixels for without a word. */
static void say_scale(const rv_stylize_job *j)
{
    const rv_stylize_options *o = &j->s->options;
    const int wanted = (int)round(o->size * o->style_scale);
    for (int i = 0; i < j->s->n_styles && o->style_scale > 1 && !j->unnoticed; i++) {
        const int width = rv_image_width(j->s->styles[i]);
        const int height = rv_image_height(j->s->styles[i]);
        const int longest = width > height ? width : height;
        if (longest < wanted) {
            rv_log(o->events, RV_LOG_WARNING,
                   "style %d has %d pixels on its longest side, not the %d that a style_scale of "
                   "%g takes: the finest strokes are as with %.2g",
                   i + 1, longest, wanted, o->style_scale, (double)longest / o->size);
        }
    }
}

static rv_status run_scales(rv_stylize_job *j)
{
    say_scale(j);
    RV_TRY(find_state(j));
    RV_TRY(take_colours(j));
    if (j->s->options.preview != NULL && j->masks.any && take_small(j) != RV_OK) {
        rv_stylize_miss_preview(j);
        j->s->options.preview = NULL;
    }
    rv_status status = RV_OK;
    for (int i = j->from.scale; i < j->schedule.n && status == RV_OK; i++) {
        status = rv_stylize_run_scale(j, i);
    }
    /* Its memory is wanted for the picture now. */
    rv_objective_rest(j->s->objective);
    return status;
}

/* Says once that a mask has not the size of its photo. */
static void look_at_mask(const rv_stylize_job *j, const rv_image *mask)
{
    const int w = rv_image_width(j->photo), h = rv_image_height(j->photo);
    rv_stylizer *s = j->s;
    if (mask == NULL || j->unnoticed || s->scaled ||
        (rv_image_width(mask) == w && rv_image_height(mask) == h)) {
        return;
    }
    s->scaled = true;
    rv_log(s->options.events, RV_LOG_INFO,
           "a mask of %d x %d pixels is stretched over a photo of %d x %d", rv_image_width(mask),
           rv_image_height(mask), w, h);
}

static rv_status find_masks(rv_stylize_job *j)
{
    rv_stylizer *s = j->s;
    look_at_mask(j, s->options.mask);
    for (int i = 0; i < s->n_styles && s->options.style_masks != NULL; i++) {
        look_at_mask(j, s->options.style_masks[i]);
    }
    rv_stylize_options o = s->options;
    o.events = j->unnoticed ? NULL : o.events;
    return rv_stylize_masks_create(&j->masks, &o, j->photo, s->shares, s->n_styles);
}

static rv_status run(rv_image **out, rv_stylize_result *result, rv_stylize_job *j)
{
    rv_stylizer *s = j->s;
    if (s->objective == NULL) {
        RV_TRY(rv_objective_create(&s->objective, s->device, s->model, s->recipe, &s->options));
    }
    const rv_status status = is_photo(j) ? RV_OK : run_scales(j);
    if (status != RV_OK && (status != RV_ERR_CANCELLED || j->iterations == 0)) {
        return status; /* what has not begun has no result */
    }
    RV_TRY(make_image(out, j));
    RV_TRY(fill_result(result, j));
    return status == RV_OK
               ? RV_OK
               : rv_fail(RV_ERR_CANCELLED, "cancelled after %d iterations", j->iterations);
}

rv_status rv_stylize_one(rv_image **out, rv_stylize_result *result, rv_stylize_job *j)
{
    rv_stylizer *s = j->s;
    *out = NULL;
    j->start = rv_clock();
    j->loss = NAN;
    rv_status status =
        rv_stylize_resolve(&s->options, &j->schedule, &s->recipe, s->given, s->model, j->photo);
    if (status == RV_OK) {
        status = find_masks(j);
    }
    if (status == RV_OK) {
        status = run(out, result, j);
    }
    rv_stylize_masks_release(&j->masks);
    rv_planar_release(&j->picture);
    rv_planar_release(&j->moments[0]);
    rv_planar_release(&j->moments[1]);
    rv_planar_release(&j->own);
    rv_image_destroy(j->small);
    j->small = NULL;
    rv_stylize_state_release(&j->from);
    rv_stylize_request_release(&j->request);
    return status;
}

/* Of a style what is transparent does not count, so something has to be left. */
static rv_status take_styles(rv_stylizer *s)
{
    const size_t n = (size_t)s->n_styles;
    RV_TRY(rv_alloc(&s->clear, n, sizeof *s->clear, "styles"));
    RV_TRY(rv_alloc(&s->planes, n, sizeof *s->planes, "styles"));
    RV_TRY(rv_alloc(&s->seen, n, sizeof(float *), "styles"));
    for (int i = 0; i < s->n_styles; i++) {
        rv_mask visible;
        if (rv_image_channels(s->styles[i]) != 4) {
            continue;
        }
        RV_TRY(rv_mask_create_alpha(&visible, s->styles[i]));
        const bool none = rv_mask_is_black(&visible);
        s->clear[i] = !rv_mask_is_white(&visible);
        rv_mask_release(&visible);
        if (none) {
            return rv_fail(RV_ERR_FORMAT,
                           "style picture %d is transparent all over: there is no style in it",
                           i + 1);
        }
    }
    return RV_OK;
}

rv_status rv_stylizer_create(rv_stylizer **out, rv_device *device, const rv_model *model,
                             const rv_image *const *styles, const double *style_weights,
                             int n_styles, const rv_stylize_options *options)
{
    rv_stylizer *s;
    *out = NULL;
    RV_TRY(rv_alloc(&s, 1, sizeof *s, "styles"));
    s->device = device;
    s->model = model;
    s->styles = styles;
    s->n_styles = n_styles;
    s->given = options;
    rv_status status =
        rv_alloc(&s->shares, n_styles > 0 ? (size_t)n_styles : 1, sizeof *s->shares, "shares");
    if (status == RV_OK) {
        status = rv_stylize_shares(s->shares, style_weights, n_styles);
    }
    if (status == RV_OK) {
        status = take_styles(s);
    }
    if (status != RV_OK) {
        rv_stylizer_destroy(s);
        return status;
    }
    *out = s;
    return RV_OK;
}

void rv_stylizer_destroy(rv_stylizer *stylizer)
{
    if (stylizer != NULL) {
        rv_objective_destroy(stylizer->objective);
        free(stylizer->shares);
        free(stylizer->clear);
        free(stylizer->planes);
        free(stylizer->seen);
        free(stylizer);
    }
}

rv_status rv_stylizer_run(rv_image **out, rv_stylize_result *result, rv_stylizer *stylizer,
                          const rv_image *photo, const char *state)
{
    rv_stylize_job j = {.s = stylizer, .photo = photo, .state = state};
    rv_stylize_result unused;
    return rv_stylize_one(out, result != NULL ? result : &unused, &j);
}

rv_status rv_stylize(rv_image **out, rv_stylize_result *result, rv_device *device,
                     const rv_model *model, const rv_image *photo, const rv_image *const *styles,
                     const double *style_weights, int n_styles, const rv_stylize_options *options)
{
    rv_stylizer *s;
    *out = NULL;
    RV_TRY(rv_stylizer_create(&s, device, model, styles, style_weights, n_styles, options));
    const rv_status status = rv_stylizer_run(out, result, s, photo, NULL);
    rv_stylizer_destroy(s);
    return status;
}
