/* What each layer of a network dreams of in a photo, on one sheet with their names. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "image/sheet.h"
#include "stages/dream_job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 256, MOST = 24, FEW_JOINTS = 4 };

/* A sheet at work. */
typedef struct gallery {
    const rv_events *outer; /* the caller's */
    rv_events events;
    rv_dream_options options; /* of all layers */
    const char *names[MOST];
    rv_image *pictures[MOST];
    rv_tile tiles[MOST];
    size_t n, done;
    double start;
} gallery;

/* --- events ---------------------------------------------------------------------------------- */

static void on_log(void *payload, rv_log_level level, const char *text)
{
    rv_log(((gallery *)payload)->outer, level, "%s", text);
}

static bool on_cancelled(void *payload)
{
    return rv_cancelled(((gallery *)payload)->outer);
}

/* The share of the whole sheet; layers to come are taken to need as long as those before. */
static void on_progress(void *payload, const rv_progress *progress)
{
    const gallery *g = payload;
    rv_progress all = *progress;
    char task[96];
    snprintf(task, sizeof task, "layer %zu of %zu, %s", g->done + 1, g->n, progress->task);
    all.task = task;
    all.fraction = ((double)g->done + progress->fraction) / (double)g->n;
    all.seconds_left = all.fraction > 0.01 ? (rv_clock() - g->start) * (1 / all.fraction - 1) : -1;
    rv_report(g->outer, &all);
}

/* --- layers ---------------------------------------------------------------------------------- */

static bool has_type(const rv_layer_info *layer, const char *const *types)
{
    while (*types != NULL && strcmp(layer->type, *types) != 0) {
        types++;
    }
    return *types != NULL && layer->rank == 4 && layer->dim[2] > 1 && layer->dim[3] > 1;
}

static size_t count(const rv_model *model, const char *const *types)
{
    size_t n = 0;
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        n += has_type(&layer, types);
    }
    return n;
}

/* Of more than there is room for, those at even distances, the last among them. */
static void choose(gallery *g, const rv_model *model, const char *const *types)
{
    const size_t all = count(model, types), n = all < MOST ? all : MOST;
    size_t at = 0;
    for (int i = 0; i < rv_model_layer_count(model) && g->n < n; i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        if (has_type(&layer, types) && ++at * n >= (g->n + 1) * all) {
            g->names[g->n++] = layer.name;
        }
    }
}

static rv_status choose_layers(gallery *g, const rv_model *model)
{
    static const char *const joints[] = {"concat", "add", NULL};
    static const char *const activations[] = {"relu",    "leaky_relu", "prelu",
                                              "sigmoid", "tanh",       NULL};
    static const char *const others[] = {"conv", NULL};
    choose(g, model,
           count(model, joints) >= FEW_JOINTS ? joints
           : count(model, activations) > 0    ? activations
                                              : others);
    return g->n > 0 ? RV_OK
                    : rv_fail(RV_ERR_USAGE, "%s has no layers to dream of", rv_model_name(model));
}

/* --- sheet ----------------------------------------------------------------------------------- */

/* The photo as all of them see it: opaque, 8 bits. */
static rv_status shrink(rv_image **out, rv_device *device, const rv_image *photo, int size)
{
    int width = rv_image_width(photo), height = rv_image_height(photo);
    rv_planar planes;
    rv_picture_fit(&width, &height, size);
    RV_TRY(rv_picture_planes(&planes, NULL, device, photo, NULL, width, height));
    const rv_status status = rv_picture_image(out, &planes, NULL, 8);
    rv_planar_release(&planes);
    return status;
}

/* What the layer whose turn it is dreams of. */
static rv_status open_layer(rv_dreamer **out, const gallery *g, rv_device *device,
                            const rv_model *model)
{
    rv_dream_options options = g->options;
    char *expression;
    *out = NULL;
    RV_TRY(rv_format(&expression, "'%s'", g->names[g->done]));
    options.maximize = expression;
    const rv_status status = rv_dreamer_create(out, device, model, &options);
    free(expression);
    return status;
}

static rv_status dream_of(gallery *g, rv_dream_result *sum, rv_device *device,
                          const rv_model *model, const rv_image *photo)
{
    rv_dreamer *d;
    rv_dream_result result;
    rv_image **out = &g->pictures[g->done];
    RV_TRY(open_layer(&d, g, device, model));
    const rv_status status = rv_dreamer_run(out, &result, d, photo, NULL);
    rv_dreamer_destroy(d);
    RV_TRY(status);
    g->tiles[g->done] = (rv_tile){*out, g->names[g->done]};
    g->done++;
    sum->iterations += result.iterations;
    sum->flops += result.flops;
    sum->octaves = result.octaves;
    sum->value = result.value;
    return RV_OK;
}

/* The settings, the expression of the last layer left out. */
static rv_status describe(rv_dream_result *sum, const rv_model *model,
                          const rv_dream_options *options)
{
    rv_dream_options resolved;
    rv_goals goals, none = {0};
    char *text;
    RV_TRY(rv_dream_resolve(&resolved, &goals, model, options));
    rv_goals_release(&goals);
    RV_TRY(rv_dream_settings(&text, &resolved, &none, model, resolved.octaves, options->size, 0));
    snprintf(sum->settings, sizeof sum->settings, "gallery=1 %s", text);
    free(text);
    return RV_OK;
}

/* Checks the options, and finds the layers. */
static rv_status start(gallery *g, const rv_model *model, const rv_dream_options *options)
{
    rv_goals goals;
    g->start = rv_clock();
    RV_TRY(rv_dream_resolve(&g->options, &goals, model, options));
    rv_goals_release(&goals);
    if (g->options.maximize != NULL || g->options.guide != NULL) {
        return rv_fail(RV_ERR_USAGE, "a gallery goes through the layers: leave out %s",
                       g->options.maximize != NULL ? "maximize" : "guide");
    }
    RV_TRY(choose_layers(g, model));
    g->outer = g->options.events;
    g->events = (rv_events){g, on_log, on_progress, on_cancelled};
    g->options.events = &g->events;
    g->options.size = g->options.size > 0 ? g->options.size : SIZE;
    g->options.time_limit /= (double)g->n;
    g->options.preview = NULL;
    return RV_OK;
}

rv_status rv_dream_gallery(rv_image **out, rv_dream_result *result, rv_device *device,
                           const rv_model *model, const rv_image *photo,
                           const rv_dream_options *options)
{
    rv_dream_result sum = {.value = NAN};
    rv_image *small = NULL;
    gallery g = {.n = 0};
    *out = NULL;
    if (result != NULL) {
        *result = sum;
    }
    RV_TRY(start(&g, model, options));
    rv_status status = shrink(&small, device, photo, g.options.size);
    while (status == RV_OK && g.done < g.n) {
        status = dream_of(&g, &sum, device, model, small);
    }
    if (status == RV_OK) {
        status = describe(&sum, model, &g.options);
    }
    if (status == RV_OK) {
        status = rv_sheet_draw(out, &(rv_sheet){.tiles = g.tiles, .n = g.n});
    }
    sum.seconds = rv_clock() - g.start;
    if (result != NULL) {
        *result = sum;
    }
    for (size_t i = 0; i < g.n; i++) {
        rv_image_destroy(g.pictures[i]);
    }
    rv_image_destroy(small);
    return status;
}

/* --- what it would take ---------------------------------------------------------------------- */

/* Adds a layer to the time; memory is that of the one which needs most. */
static rv_status foresee_layer(gallery *g, rv_stylize_estimate *sum, rv_device *device,
                               const rv_model *model, const rv_image *photo)
{
    rv_dreamer *d;
    rv_stylize_estimate one;
    RV_TRY(open_layer(&d, g, device, model));
    const rv_status status = rv_dreamer_foresee(&one, d, photo);
    rv_dreamer_destroy(d);
    RV_TRY(status);
    g->tiles[g->done] = (rv_tile){photo, g->names[g->done]};
    g->done++;
    sum->seconds += one.seconds;
    if (one.process_bytes > sum->process_bytes) {
        sum->process_bytes = one.process_bytes;
        sum->device_bytes = one.device_bytes;
    }
    return RV_OK;
}

rv_status rv_dream_foresee_gallery(rv_stylize_estimate *out, rv_device *device,
                                   const rv_model *model, const rv_image *photo,
                                   const rv_dream_options *options)
{
    rv_image *small = NULL, *empty = NULL;
    gallery g = {.n = 0};
    *out = (rv_stylize_estimate){0};
    RV_TRY(start(&g, model, options));
    rv_status status = shrink(&small, device, photo, g.options.size);
    while (status == RV_OK && g.done < g.n) {
        status = foresee_layer(&g, out, device, model, small);
    }
    if (status == RV_OK) { /* a sheet of the same size */
        status = rv_sheet_draw(&empty, &(rv_sheet){.tiles = g.tiles, .n = g.n});
    }
    if (status == RV_OK) {
        out->width = rv_image_width(empty);
        out->height = rv_image_height(empty);
    }
    rv_image_destroy(empty);
    rv_image_destroy(small);
    return status;
}
