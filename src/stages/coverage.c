/* How much of what each position of a network's maps sees lies in a region of the picture. */
/* SPDX-License-Identifier: MIT */
#include "stages/coverage.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* A window along one axis: output i sees inputs from floor(i * step) - pad on, `kernel` of them, `dilation` apart. */
typedef struct window {
    double step;
    int kernel, dilation, pad;
} window;

/* Attribute `name` of a node along one axis; `otherwise` where the operation has it not. */
static int attribute(const rv_node *n, const char *name, int axis, int otherwise)
{
    const rv_attr *a = n->op->attrs != NULL ? rv_attr_find(n->op->attrs, name) : NULL;
    if (a == NULL || a->type != RV_ATTR_INT || axis >= a->count) {
        return otherwise;
    }
    return ((const int32_t *)(const void *)((const char *)n->attrs + a->offset))[axis];
}

/* What an operation sees along an axis, 0 rows, 1 columns: its window; all of a map; where it has no window, but changes
 * the size, the pixels around the place. */
static window window_of(const rv_node *n, int axis)
{
    const int in = n->in[0]->shape.dim[2 + axis], out = n->out[0]->shape.dim[2 + axis];
    const int reach = in > out ? (in + out - 1) / out - 1 : 0;
    if (attribute(n, "global", 0, 0) != 0) {
        return (window){in, in, 1, 0};
    }
    const int kernel = attribute(n, "kernel", axis, 0);
    return kernel > 0 ? (window){attribute(n, "stride", axis, 1), kernel,
                                 attribute(n, "dilation", axis, 1), attribute(n, "pads", axis, 0)}
                      : (window){(double)in / out, 2 * reach + 1, 1, reach};
}

/* Means over a window of n_in lines of `length` values each. */
static void slide(float *out, int n_out, const float *in, int n_in, size_t length, window w)
{
    for (int i = 0; i < n_out; i++) {
        float *to = out + (size_t)i * length;
        int taps = 0;
        for (size_t x = 0; x < length; x++) {
            to[x] = 0;
        }
        for (int k = 0; k < w.kernel; k++) {
            const int at = (int)(i * w.step) - w.pad + k * w.dilation;
            for (size_t x = 0; x < length && at >= 0 && at < n_in; x++) {
                to[x] += in[(size_t)at * length + x];
            }
            taps += at >= 0 && at < n_in;
        }
        for (size_t x = 0; x < length && taps > 0; x++) {
            to[x] /= (float)taps;
        }
    }
}

/* A plane behind the windows of a node. */
static rv_status look_through(float **out, const float *in, const rv_node *n)
{
    const int32_t *from = n->in[0]->shape.dim, *to = n->out[0]->shape.dim;
    const size_t width = (size_t)from[3], wide = (size_t)to[3];
    float *between;
    RV_TRY(rv_alloc(&between, width * (size_t)to[2], sizeof *between, "a region"));
    slide(between, to[2], in, from[2], width, window_of(n, 0));
    const rv_status status = rv_alloc(out, wide * (size_t)to[2], sizeof **out, "a region");
    for (size_t y = 0; y < (size_t)to[2] && status == RV_OK; y++) {
        slide(*out + y * wide, to[3], between + y * width, from[3], 1, window_of(n, 1));
    }
    free(between);
    return status;
}

static bool is_map(const rv_shape *s)
{
    return s->rank == 4;
}

static size_t pixels_of(const rv_shape *s)
{
    return (size_t)s->dim[2] * (size_t)s->dim[3];
}

static bool same_size(const rv_shape *a, const rv_shape *b)
{
    return a->dim[2] == b->dim[2] && a->dim[3] == b->dim[3];
}

static bool sees_one_pixel(const rv_node *n)
{
    return window_of(n, 0).kernel == 1 && window_of(n, 1).kernel == 1 &&
           same_size(&n->in[0]->shape, &n->out[0]->shape);
}

/* The mean of several planes of one size. */
static rv_status join(float **out, const rv_coverage *c, const rv_graph *graph, const rv_value *in,
                      int n_in)
{
    const size_t pixels = pixels_of(rv_graph_shape(graph, in[0]));
    int n = 0;
    RV_TRY(rv_alloc(out, pixels, sizeof **out, "a region"));
    for (int i = 0; i < n_in; i++) {
        const float *plane = rv_coverage_of(c, in[i]);
        const bool fits = plane != NULL && pixels_of(rv_graph_shape(graph, in[i])) == pixels;
        for (size_t p = 0; p < pixels && fits; p++) {
            (*out)[p] += plane[p];
        }
        n += fits;
    }
    for (size_t p = 0; p < pixels && n > 1; p++) {
        (*out)[p] /= (float)n;
    }
    return RV_OK;
}

/* What the outputs of node `index` see. */
static rv_status follow(rv_coverage *c, const rv_graph *graph, int index)
{
    const rv_node *n = rv_graph_node(graph, index);
    const rv_value *in = rv_graph_node_inputs(graph, index);
    const rv_value out = rv_graph_node_output(graph, index, 0);
    const float *plane = n->n_in > 0 ? rv_coverage_of(c, in[0]) : NULL;
    if (plane == NULL || !is_map(rv_graph_shape(graph, out))) {
        return RV_OK;
    }
    if (n->n_in == 1 && sees_one_pixel(n)) {
        c->of[out] = c->of[in[0]];
        return RV_OK;
    }
    RV_TRY(n->n_in == 1 ? look_through(&c->planes[out], plane, n)
                        : join(&c->planes[out], c, graph, in, n->n_in));
    c->of[out] = out;
    return RV_OK;
}

static rv_status find(rv_coverage *c, const rv_graph *graph, rv_value picture, const float *region)
{
    const size_t pixels = pixels_of(rv_graph_shape(graph, picture));
    RV_TRY(rv_alloc(&c->planes, c->n_values, sizeof *c->planes, "regions"));
    RV_TRY(rv_alloc(&c->of, c->n_values, sizeof *c->of, "regions"));
    for (size_t i = 0; i < c->n_values; i++) {
        c->of[i] = -1;
    }
    RV_TRY(rv_alloc(&c->planes[picture], pixels, sizeof(float), "a region"));
    memcpy(c->planes[picture], region, pixels * sizeof(float));
    c->of[picture] = picture;
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        RV_TRY(follow(c, graph, i));
    }
    return RV_OK;
}

rv_status rv_coverage_find(rv_coverage *out, const rv_graph *graph, rv_value picture,
                           const float *region)
{
    *out = (rv_coverage){.n_values = (size_t)rv_graph_value_count(graph)};
    const rv_status status = find(out, graph, picture, region);
    if (status != RV_OK) {
        rv_coverage_release(out);
    }
    return status;
}

const float *rv_coverage_of(const rv_coverage *c, rv_value value)
{
    return c->of[value] >= 0 ? c->planes[c->of[value]] : NULL;
}

void rv_coverage_release(rv_coverage *c)
{
    for (size_t i = 0; c->planes != NULL && i < c->n_values; i++) {
        free(c->planes[i]);
    }
    free(c->planes);
    free(c->of);
    *c = (rv_coverage){0};
}
