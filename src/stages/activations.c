/* Draws what the channels of layers made of a picture, as sheets of coloured maps. */
/* SPDX-License-Identifier: MIT */
#include <reverie/visualize.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/colour_map.h"
#include "image/sheet.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_TILE = 8, MOST_TILE = 1024 };

/* One channel of a layer. */
typedef struct channel {
    size_t index;
    const float *data;
    double strength; /* mean of absolute values */
    double largest;  /* absolute value */
} channel;

/* One layer of one picture. */
typedef struct layer {
    const char *name;
    size_t n, height, width; /* channels, of so many values */
    channel *channels;
    bool has_sign;  /* there are values below 0 */
    double largest; /* absolute value of all */
} layer;

static double magnitude(float v)
{
    return isfinite(v) ? fabs((double)v) : 0;
}

static void measure(layer *l, channel *c)
{
    const size_t n = l->height * l->width;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += magnitude(c->data[i]);
        c->largest = fmax(c->largest, magnitude(c->data[i]));
        l->has_sign = l->has_sign || c->data[i] < 0;
    }
    c->strength = sum / (double)n;
    l->largest = fmax(l->largest, c->largest);
}

static int compare(const void *a, const void *b)
{
    const channel *x = a, *y = b;
    if (x->strength != y->strength) {
        return x->strength > y->strength ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

static rv_status open_layer(layer *l, const rv_feature_map *map, size_t picture)
{
    const bool flat = map->rank == 2;
    if ((!flat && map->rank != 4) || picture >= map->dim[0]) {
        return map->rank == 2 || map->rank == 4
                   ? rv_fail(RV_ERR_USAGE, "there is no picture %zu among %zu", picture,
                             map->dim[0])
                   : rv_fail(RV_ERR_USAGE, "'%s' has no channels", map->layer);
    }
    *l = (layer){.name = map->layer,
                 .n = map->dim[1],
                 .height = flat ? 1 : map->dim[2],
                 .width = flat ? 1 : map->dim[3]};
    RV_TRY(rv_alloc(&l->channels, l->n, sizeof *l->channels, "channels"));
    const size_t pixels = l->height * l->width;
    for (size_t i = 0; i < l->n; i++) {
        channel *c = &l->channels[i];
        *c = (channel){.index = i, .data = map->data + (picture * l->n + i) * pixels};
        measure(l, c);
    }
    return RV_OK;
}

/* --- drawing --------------------------------------------------------------------------------- */

/* A map in colours, each value a square of `times` pixels; `unit` has the strongest colour. */
static rv_status draw_map(rv_image **out, const layer *l, const channel *c, int times, double unit)
{
    RV_TRY(rv_image_create(out, (int)l->width * times, (int)l->height * times, 3, 8));
    for (size_t i = 0; i < l->height * l->width; i++) {
        const double v = unit > 0 ? (double)c->data[i] / unit : 0;
        const rv_colour colour = l->has_sign ? rv_colour_of_signed(v) : rv_colour_of_share(v);
        rv_canvas_fill(*out, (int)(i % l->width) * times, (int)(i / l->width) * times, times, times,
                       colour);
    }
    return RV_OK;
}

/* Tiles of the first n channels, and what stands below them. */
static rv_status draw_tiles(rv_tile *tiles, const layer *l, size_t n,
                            const rv_activations_options *o)
{
    const size_t side = l->height > l->width ? l->height : l->width;
    const int times = (size_t)o->tile > side ? (int)lround((double)o->tile / (double)side) : 1;
    /* A map of one value would always have the strongest colour. */
    const bool one_scale = o->one_scale || side == 1;
    for (size_t i = 0; i < n; i++) {
        const channel *c = &l->channels[i];
        rv_image *picture = NULL;
        char *label = NULL;
        const rv_status status =
            draw_map(&picture, l, c, times, one_scale ? l->largest : c->largest);
        tiles[i].picture = picture;
        RV_TRY(status);
        RV_TRY(rv_format(&label, "%zu: %.3g", c->index, c->largest));
        tiles[i].label = label;
    }
    return RV_OK;
}

static rv_status write_title(char **out, const layer *l, size_t n)
{
    char shown[64] = "";
    if (n < l->n) {
        snprintf(shown, sizeof shown, ", the %zu strongest", n);
    }
    return rv_format(out, "%s\n%zu channels of %zu x %zu%s\nbelow each: channel and largest %s%s",
                     l->name, l->n, l->height, l->width, shown,
                     l->has_sign ? "absolute value" : "value",
                     l->has_sign ? ", blue is below 0" : "");
}

static rv_status draw_sheet(rv_image **out, const layer *l, const rv_activations_options *o)
{
    const size_t n = o->channels > 0 && (size_t)o->channels < l->n ? (size_t)o->channels : l->n;
    rv_tile *tiles;
    char *title = NULL;
    if (o->channels > 0) {
        qsort(l->channels, l->n, sizeof *l->channels, compare);
    }
    RV_TRY(rv_alloc(&tiles, n, sizeof *tiles, "maps"));
    rv_status status = write_title(&title, l, n);
    if (status == RV_OK) {
        status = draw_tiles(tiles, l, n, o);
    }
    if (status == RV_OK) {
        /* Few maps stand in rows of sixteen, so that sheets of several layers are about as wide. */
        const int columns = n < 16 ? (int)n : n <= 64 ? 16 : 0;
        const rv_sheet sheet = {.title = title, .tiles = tiles, .n = n, .columns = columns};
        status = rv_sheet_draw(out, &sheet);
    }
    for (size_t i = 0; i < n; i++) {
        rv_image_destroy((rv_image *)tiles[i].picture);
        free((char *)tiles[i].label);
    }
    free(tiles);
    free(title);
    return status;
}

static rv_status draw_layer(rv_image **out, const rv_feature_map *map,
                            const rv_activations_options *o)
{
    layer l = {0};
    rv_status status = open_layer(&l, map, o->picture);
    if (status == RV_OK) {
        status = draw_sheet(out, &l, o);
    }
    free(l.channels);
    return status;
}

static rv_status check(const rv_features *features, size_t first, size_t n,
                       const rv_activations_options *o)
{
    const size_t layers = rv_features_count(features);
    if (n == 0 || first >= layers || n > layers - first) {
        return rv_fail(RV_ERR_USAGE, "layers %zu to %zu are not among %zu", first, first + n,
                       layers);
    }
    if (rv_features_map(features, first).data == NULL) {
        return rv_fail(RV_ERR_USAGE, "the network was not run over anything yet");
    }
    if (o->channels < 0 || o->tile < LEAST_TILE || o->tile > MOST_TILE) {
        return rv_fail(RV_ERR_USAGE, "maps of %d channels in tiles of %d pixels cannot be drawn",
                       o->channels, o->tile);
    }
    return RV_OK;
}

rv_status rv_visualize_activations(rv_image **out, const rv_features *features, size_t first,
                                   size_t n, const rv_activations_options *options)
{
    rv_activations_options o = RV_ACTIVATIONS_OPTIONS_INIT;
    rv_image **sheets;
    *out = NULL;
    if (options != NULL) {
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    RV_TRY(check(features, first, n, &o));
    RV_TRY(rv_alloc(&sheets, n, sizeof(rv_image *), "sheets"));
    rv_status status = RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        const rv_feature_map map = rv_features_map(features, first + i);
        status = draw_layer(&sheets[i], &map, &o);
    }
    if (status == RV_OK) {
        status = rv_sheet_stack(out, sheets, n);
    }
    for (size_t i = 0; i < n; i++) {
        rv_image_destroy(sheets[i]);
    }
    free(sheets);
    return status;
}
