/* Sheets of pictures that channels look for, and of the kernels of the first convolution. */
/* SPDX-License-Identifier: MIT */
#include <reverie/filters.h>

#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "image/sheet.h"
#include "stages/filter_batch.h"
#include "stages/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All pictures of a sheet. */
typedef struct gallery {
    const rv_model *model;
    const char *layer_name;
    const rv_filters_options *options;
    rv_filter_layer layer;
    rv_filter *filters;
    rv_tile *tiles; /* own their pictures and labels */
    int n;
    int done; /* pictures that are finished */
    int steps;
    int now;      /* pictures of the batch that is worked on */
    double start; /* rv_clock() */
} gallery;

static rv_status check_options(const rv_model *model, const rv_filters_options *o)
{
    const struct {
        const char *name;
        double value, least, most;
    } ranges[] = {{"size", o->size, o->size == 0 ? 0 : 2, 2048},
                  {"steps", o->steps, 1, 100000},
                  {"learning_rate", o->learning_rate, 1e-9, 1e3},
                  {"direction", o->direction, RV_FILTER_POSITIVE, RV_FILTER_BOTH},
                  {"variants", o->variants, 1, 16},
                  {"diversity", o->diversity, 0, 100},
                  {"jitter", o->jitter, 0, 1000},
                  {"scale", o->scale, 0, 0.5},
                  {"rotate", o->rotate, 0, 180},
                  {"batch", o->batch, 1, 65536}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (!(ranges[i].value >= ranges[i].least && ranges[i].value <= ranges[i].most)) {
            return rv_fail(RV_ERR_USAGE, "%s of filters must be from %g to %g, not %g",
                           ranges[i].name, ranges[i].least, ranges[i].most, ranges[i].value);
        }
    }
    if (rv_model_is_random(model)) {
        return rv_fail(RV_ERR_USAGE,
                       "the weights of %s are drawn at random, so it has learned nothing to look "
                       "for; give its weights, or take builtin",
                       rv_model_name(model));
    }
    return RV_OK;
}

/* --- what is made ---------------------------------------------------------------------------- */

static rv_status check_channel(const gallery *g, int channel)
{
    return channel >= 0 && channel < g->layer.channels
               ? RV_OK
               : rv_fail(RV_ERR_NOT_FOUND,
                         "there is no channel %d in '%s', which has %d, from 0 to %d", channel,
                         g->layer_name, (int)g->layer.channels, (int)g->layer.channels - 1);
}

/* For each channel its variants, and those of the other direction behind them. */
static rv_status list_filters(gallery *g, const int *channels, size_t n_channels)
{
    const rv_filters_options *o = g->options;
    const int directions = o->direction == RV_FILTER_BOTH ? 2 : 1;
    size_t n = n_channels;
    if (channels == NULL && n > (size_t)g->layer.channels) {
        n = (size_t)g->layer.channels;
    }
    if (n < 1 || n > 100000) {
        return rv_fail(RV_ERR_USAGE, "%zu channels of '%s' cannot be drawn", n, g->layer_name);
    }
    const size_t each = (size_t)directions * (size_t)o->variants;
    RV_TRY(rv_alloc(&g->filters, n * each, sizeof *g->filters, "channels"));
    RV_TRY(rv_alloc(&g->tiles, n * each, sizeof *g->tiles, "channels"));
    for (size_t i = 0; i < n * each; i++) {
        const int channel = channels != NULL ? channels[i / each] : (int)(i / each);
        const bool negative = o->direction == RV_FILTER_NEGATIVE || i % each >= (size_t)o->variants;
        RV_TRY(check_channel(g, channel));
        g->filters[i] = (rv_filter){channel, negative ? -1 : 1, (int)(i % (size_t)o->variants)};
    }
    g->n = (int)(n * each);
    return RV_OK;
}

/* --- how it is made -------------------------------------------------------------------------- */

static void report(void *payload, int done)
{
    gallery *g = payload;
    const double all = (double)g->n * g->steps,
                 made = (double)g->done * g->steps + (double)g->now * done;
    char task[128];
    snprintf(task, sizeof task, "%.60s, pictures %d to %d of %d", g->layer_name, g->done + 1,
             g->done + g->now, g->n);
    const rv_progress progress = {.task = task,
                                  .done = done,
                                  .total = g->steps,
                                  .fraction = made / all,
                                  .loss = NAN,
                                  .seconds_left = (rv_clock() - g->start) * (all - made) / made};
    rv_report(g->options->events, &progress);
}

static rv_status label(const gallery *g, int i, double mean, char **out)
{
    const rv_filter *f = &g->filters[i];
    const char *class = rv_model_label_count(g->model) == g->layer.channels
                            ? rv_model_label(g->model, f->channel)
                            : NULL;
    char value[32] = "";
    if (isfinite(mean)) {
        snprintf(value, sizeof value, ": %.4g", mean);
    }
    return rv_format(out, "%s%d%s%s%s", f->sign < 0 ? "-" : "", f->channel, value,
                     class != NULL ? "\n" : "", class != NULL ? class : "");
}

/* Tiles of the pictures of a batch. */
static rv_status take_pictures(gallery *g, float *pictures, const double *means, bool finished)
{
    const int side = g->layer.side;
    for (int i = 0; i < g->now; i++) {
        const rv_planar planar = {side, side, pictures + (size_t)i * 3 * (size_t)(side * side)};
        rv_image *picture;
        char *text;
        RV_TRY(rv_picture_image(&picture, &planar, NULL, 8));
        g->tiles[g->done + i].picture = picture;
        RV_TRY(label(g, g->done + i, finished ? means[i] : NAN, &text));
        g->tiles[g->done + i].label = text;
    }
    return RV_OK;
}

static rv_status run_batch(gallery *g)
{
    float *pictures;
    double *means = NULL;
    const size_t floats = 3 * (size_t)g->now * (size_t)g->layer.side * (size_t)g->layer.side;
    RV_TRY(rv_alloc(&pictures, floats, sizeof *pictures, "pictures"));
    rv_status status = rv_alloc(&means, (size_t)g->now, sizeof *means, "channels");
    if (status == RV_OK) {
        status = rv_filter_batch_run(&g->layer, g->filters + g->done, g->now, g->options, report, g,
                                     pictures, means);
    }
    if (status == RV_OK || status == RV_ERR_CANCELLED) {
        const rv_status taken = take_pictures(g, pictures, means, status == RV_OK);
        status = taken != RV_OK ? taken : status;
    }
    free(pictures);
    free(means);
    return status;
}

/* Variants stay together; where memory is short fewer pictures are made at a time. */
static rv_status run_all(gallery *g)
{
    const int variants = g->options->variants;
    int most = g->options->batch > variants ? g->options->batch / variants * variants : variants;
    rv_status status = RV_OK;
    g->steps = g->options->steps;
    g->start = rv_clock();
    while (g->done < g->n && status == RV_OK) {
        g->now = g->n - g->done < most ? g->n - g->done : most;
        status = run_batch(g);
        if (status == RV_ERR_DEVICE_MEMORY && g->now > variants) {
            most = g->now / variants / 2 * variants;
            most = most > variants ? most : variants;
            status = RV_OK;
        } else if (status == RV_OK) {
            g->done += g->now;
        }
    }
    return status;
}

/* --- the sheet ------------------------------------------------------------------------------- */

static rv_status draw(const gallery *g, rv_image **out)
{
    const rv_filters_options *o = g->options;
    const int each = o->variants * (o->direction == RV_FILTER_BOTH ? 2 : 1);
    char *title;
    RV_TRY(rv_format(&title, "%s\nwhat channels look for; below each the channel%s and its mean",
                     g->layer_name,
                     o->direction == RV_FILTER_POSITIVE ? "" : " (- where less is sought)"));
    rv_sheet sheet = {.title = title, .tiles = g->tiles, .n = (size_t)g->n};
    if (each > 1) {
        /* Pictures of a channel stand side by side. */
        const int wide = (int)ceil(sqrt(g->n * 4.0 / 3));
        sheet.columns = each * (wide / each > 1 ? wide / each : 1);
        sheet.columns = sheet.columns < g->n ? sheet.columns : g->n;
    }
    const rv_status status = rv_sheet_draw(out, &sheet);
    free(title);
    return status;
}

static rv_status make(gallery *g, rv_image **out, rv_device *device, const int *channels,
                      size_t n_channels)
{
    RV_TRY(check_options(g->model, g->options));
    RV_TRY(rv_filter_layer_open(&g->layer, device, g->model, g->layer_name, g->options->size));
    RV_TRY(list_filters(g, channels, n_channels));
    const rv_status status = run_all(g);
    const bool any = g->n > 0 && g->tiles[0].picture != NULL;
    if (status != RV_OK && !(status == RV_ERR_CANCELLED && any)) {
        return status;
    }
    rv_error cancelled;
    rv_error_save(&cancelled, status);
    RV_TRY(draw(g, out));
    return status == RV_OK ? RV_OK : rv_error_restore(&cancelled);
}

rv_status rv_visualize_filters(rv_image **out, const rv_model *model, rv_device *device,
                               const char *layer, const int *channels, size_t n_channels,
                               const rv_filters_options *options)
{
    rv_filters_options o = RV_FILTERS_OPTIONS_INIT;
    gallery g = {.model = model, .layer_name = layer, .options = &o};
    *out = NULL;
    if (options != NULL) {
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    const rv_status status = make(&g, out, device, channels, n_channels);
    for (int i = 0; g.tiles != NULL && i < g.n; i++) {
        rv_image_destroy((rv_image *)g.tiles[i].picture);
        free((char *)g.tiles[i].label);
    }
    free(g.tiles);
    free(g.filters);
    rv_filter_layer_close(&g.layer);
    return status;
}
