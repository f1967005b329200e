/* Draws the kernels of a network's first convolution. */
/* SPDX-License-Identifier: MIT */
#include <reverie/filters.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/colour_map.h"
#include "image/sheet.h"
#include "model/model.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* About how many pixels a kernel is drawn in. */
enum { TILE = 56 };

/* Kernels [count, channels, rows, columns]. */
typedef struct kernels {
    const char *name;
    const float *data;
    int count, channels, rows, columns;
    bool reversed; /* channels are blue, green, red */
} kernels;

static double largest(const float *w, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)w[i]));
    }
    return most;
}

static uint8_t around_grey(double share)
{
    return (uint8_t)lround(127.5 + 127.5 * share);
}

static rv_colour colour_of(const kernels *k, const float *w, int at, double unit)
{
    const int pixels = k->rows * k->columns;
    double share[3] = {0};
    for (int c = 0; c < k->channels; c++) {
        share[c] = unit > 0 ? (double)w[c * pixels + at] / unit : 0;
    }
    if (k->channels == 1) {
        return rv_colour_of_signed(share[0]);
    }
    return (rv_colour){around_grey(share[k->reversed ? 2 : 0]), around_grey(share[1]),
                       around_grey(share[k->reversed ? 0 : 2])};
}

static rv_status draw_kernel(rv_tile *tile, const kernels *k, int index)
{
    const size_t n = (size_t)k->channels * (size_t)k->rows * (size_t)k->columns;
    const float *w = k->data + (size_t)index * n;
    const int side = k->rows > k->columns ? k->rows : k->columns;
    const int times = side < TILE ? TILE / side : 1;
    const double unit = largest(w, n);
    rv_image *picture;
    char *label;
    RV_TRY(rv_image_create(&picture, k->columns * times, k->rows * times, 3, 8));
    tile->picture = picture;
    for (int i = 0; i < k->rows * k->columns; i++) {
        rv_canvas_fill(picture, i % k->columns * times, i / k->columns * times, times, times,
                       colour_of(k, w, i, unit));
    }
    RV_TRY(rv_format(&label, "%d: %.2g", index, unit));
    tile->label = label;
    return RV_OK;
}

static rv_status draw(rv_image **out, const kernels *k)
{
    rv_tile *tiles;
    char *title = NULL;
    RV_TRY(rv_alloc(&tiles, (size_t)k->count, sizeof *tiles, "kernels"));
    rv_status status = rv_format(
        &title, "%s\n%d kernels of %d x %d; below each the channel and its largest weight", k->name,
        k->count, k->rows, k->columns);
    for (int i = 0; i < k->count && status == RV_OK; i++) {
        status = draw_kernel(&tiles[i], k, i);
    }
    if (status == RV_OK) {
        const rv_sheet sheet = {.title = title, .tiles = tiles, .n = (size_t)k->count};
        status = rv_sheet_draw(out, &sheet);
    }
    for (int i = 0; i < k->count; i++) {
        rv_image_destroy((rv_image *)tiles[i].picture);
        free((char *)tiles[i].label);
    }
    free(tiles);
    free(title);
    return status;
}

/* The first node that has a kernel for each colour of a picture. */
static bool find_kernels(kernels *out, const rv_model *model, rv_graph *graph)
{
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        const rv_param *p = rv_graph_param(graph, i, 0);
        const rv_node *n = rv_graph_node(graph, i);
        if (p == NULL || p->data == NULL || p->shape.rank != 4 || n->out[0]->shape.rank != 4) {
            continue;
        }
        const rv_preprocessing *pre = rv_model_preprocessing(model);
        *out = (kernels){.name = n->name,
                         .data = p->data,
                         .count = p->shape.dim[0],
                         .channels = p->shape.dim[1],
                         .rows = p->shape.dim[2],
                         .columns = p->shape.dim[3],
                         .reversed = pre != NULL && pre->bgr};
        return p->shape.dim[1] == rv_model_channels(model);
    }
    return false;
}

rv_status rv_visualize_kernels(rv_image **out, const rv_model *model)
{
    rv_model_graph graph;
    kernels k;
    *out = NULL;
    if (rv_model_is_random(model)) {
        return rv_fail(RV_ERR_USAGE,
                       "the weights of %s are drawn at random, so its kernels show nothing; give "
                       "its weights, or take builtin",
                       rv_model_name(model));
    }
    RV_TRY(rv_model_build(&graph, model, NULL, 0));
    const rv_status status =
        find_kernels(&k, model, graph.graph)
            ? draw(out, &k)
            : rv_fail(RV_ERR_UNSUPPORTED, "%s begins with no convolution of pictures",
                      rv_model_name(model));
    rv_graph_destroy(graph.graph);
    return status;
}
