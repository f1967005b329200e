/* A convolution, or the gradient of its input: chooses an algorithm, packs its weights, runs it, folds padding. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <string.h>

enum { WEIGHT = 0 };

/* --- padding that repeats the input ---------------------------------------------------------- */

/* The gradient is gathered for the padded input first, as if the picture were that large. */
static rv_status prepare_fold(rv_conv_gather *g, const rv_node *n, rv_device *device)
{
    const rv_conv_attrs *a = n->attrs;
    rv_conv_geometry *o = &g->geometry;
    o->target.s[2] += a->pads[0] + a->pads[2];
    o->target.s[3] += a->pads[1] + a->pads[3];
    o->place.s[0] = 0;
    o->place.s[1] = 0;
    rv_tensor padded = *n->in[0];
    padded.shape = rv_shape_4(o->target.s[0], o->target.s[1], o->target.s[2], o->target.s[3]);
    RV_TRY(rv_shape_check(&padded.shape, n->name));
    g->workspace_bytes = rv_tensor_bytes(&padded);
    return rv_kernel_get(&g->fold, device, "conv", "conv_fold", NULL);
}

static rv_status fold(const rv_conv_gather *g, const rv_node *n, const rv_exec *e,
                      rv_tensor *target, bool accumulate)
{
    const rv_conv_attrs *a = n->attrs;
    const int32_t *d = target->shape.dim;
    const size_t block = (size_t)rv_device_block(e->device);
    const rv_int4 shape = {{d[0], d[1], d[2], d[3]}};
    const rv_int4 padded = {
        {g->geometry.target.s[2], g->geometry.target.s[3], a->pads[0], a->pads[1]}};
    const size_t width = (size_t)d[3] * (size_t)target->block;
    const size_t parts = (width + block - 1) / block; /* of a row, one per work-item */
    const size_t rows = rv_tensor_floats(target) / width;
    return rv_launch(e->device, g->fold, rv_grid_items(e->device, rows * parts),
                     RV_ARGS(RV_ARG(target->buffer), RV_ARG(n->workspace), RV_ARG(shape),
                             RV_ARG(padded), RV_ARG(target->block), RV_ARG(a->pad_mode),
                             RV_ARG((int32_t)accumulate)));
}

/* --- all ------------------------------------------------------------------------------------- */

bool rv_conv_gather_gates(const rv_node *n, const rv_device *device)
{
    const rv_conv_attrs *a = n->attrs;
    const rv_conv_geometry g = rv_conv_geometry_of(n, false);
    return !rv_device_gpu_form(device) && g.source_lanes > 1 && g.target_lanes > 1 &&
           !rv_conv_is_depthwise(&g) && a->pad_mode == RV_CONV_PAD_ZERO;
}

/* In order of preference. */
static const rv_conv_algorithm *const algorithms[] = {
    &rv_conv_few,    &rv_conv_depthwise, &rv_conv_direct, &rv_conv_gpu_f4,
    &rv_conv_gpu_f2, &rv_conv_tiles,     &rv_conv_f4,     &rv_conv_f4_steps,
    &rv_conv_f2,     &rv_conv_f2_steps,  &rv_conv_f2_5x5, &rv_conv_channels,
    &rv_conv_strips, &rv_conv_blocked,   &rv_conv_thin,   &rv_conv_plain};
enum {
    NAMED = sizeof algorithms / sizeof algorithms[0],
    ALGORITHMS = NAMED + RV_GPU_TILES /* and each of the tiles, which come last */
};

/* All that suit, the first that also pays before the others; returns how many. */
static size_t find_algorithms(const rv_conv_algorithm *out[ALGORITHMS], const rv_conv_gather *g,
                              const rv_node *n, const rv_device *device)
{
    size_t count = 0;
    bool chosen = false;
    for (size_t i = 0; i < ALGORITHMS; i++) {
        const rv_conv_algorithm *a = i < NAMED ? algorithms[i] : &rv_conv_each_tile[i - NAMED];
        rv_conv_gather tried = *g;
        tried.algorithm = a;
        if (!a->suits(&tried, n, device)) {
            continue;
        }
        out[count] = a;
        if (!chosen && (a->pays == NULL || a->pays(g, device))) {
            memmove(out + 1, out, count * sizeof out[0]);
            out[0] = a;
            chosen = true;
        }
        count++;
    }
    return count;
}

size_t rv_conv_gather_algorithms(const rv_node *n, const rv_device *device, bool gradient,
                                 const char *names[RV_MAX_ALGORITHMS])
{
    const rv_conv_gather g = {.geometry = rv_conv_geometry_of(n, gradient)};
    const rv_conv_algorithm *all[ALGORITHMS];
    const size_t count = find_algorithms(all, &g, n, device);
    for (size_t i = 0; i < count; i++) {
        names[i] = all[i]->name;
    }
    return count;
}

/* The one that the node names, else the one that pays. */
static rv_status choose(const rv_conv_algorithm **out, const rv_conv_gather *g, const rv_node *n,
                        const rv_device *device)
{
    const char *name =
        n->algorithm[g->geometry.place.s[2] ? RV_PASS_BACKWARD_DATA : RV_PASS_FORWARD];
    const rv_conv_algorithm *all[ALGORITHMS];
    const size_t count = find_algorithms(all, g, n, device);
    for (size_t i = 0; i < count; i++) {
        if (name == NULL || strcmp(name, all[i]->name) == 0) {
            *out = all[i];
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_INTERNAL, "'%s': no algorithm %s suits its shape", n->name,
                   name != NULL ? name : "");
}

rv_status rv_conv_gather_prepare(rv_conv_gather *g, rv_node *n, rv_device *device, bool gradient,
                                 size_t *packed_floats)
{
    const rv_conv_attrs *a = n->attrs;
    g->geometry = rv_conv_geometry_of(n, gradient);
    RV_TRY(choose(&g->algorithm, g, n, device));
    n->algorithm[gradient ? RV_PASS_BACKWARD_DATA : RV_PASS_FORWARD] = g->algorithm->name;
    const bool padded = a->pads[0] + a->pads[1] + a->pads[2] + a->pads[3] > 0;
    if (gradient && padded && a->pad_mode != RV_CONV_PAD_ZERO) {
        RV_TRY(prepare_fold(g, n, device));
    }
    return g->algorithm->prepare(g, device, packed_floats);
}

rv_status rv_conv_gather_pack(const rv_conv_gather *g, const rv_node *n, const rv_exec *e)
{
    if (g->pack == NULL) {
        return RV_OK;
    }
    const rv_conv_geometry *o = &g->geometry;
    return rv_launch(e->device, g->pack, g->pack_grid,
                     RV_ARGS(RV_ARG(n->packed), RV_ARG(n->param[WEIGHT]->buffer), RV_ARG(o->source),
                             RV_ARG(o->target), RV_ARG(o->window), RV_ARG(o->place.s[2]),
                             RV_ARG(g->work)));
}

/* The launch that most algorithms share. */
static rv_status launch(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o)
{
    const rv_conv_geometry *s = &g->geometry;
    return rv_launch(e->device, g->run, g->run_grid,
                     RV_ARGS(RV_ARG(o->target), RV_ARG(o->source), RV_ARG(o->weights),
                             RV_ARG(o->bias), RV_ARG(s->source), RV_ARG(s->target),
                             RV_ARG(s->window), RV_ARG(s->step), RV_ARG(o->place), RV_ARG(o->slope),
                             RV_ARG(g->work)));
}

rv_status rv_conv_gather_run(const rv_conv_gather *g, const rv_node *n, const rv_exec *e,
                             rv_tensor *target, const rv_tensor *source, const rv_tensor *bias,
                             bool accumulate)
{
    const bool gradient = g->geometry.place.s[2] != 0, gated = gradient && n->gated != 0;
    const rv_tensor *beside = gated ? n->in[0] : bias;
    rv_conv_operands o = {
        .target = g->fold != NULL ? n->workspace : target->buffer,
        .source = source->buffer,
        .weights = g->pack != NULL ? n->packed : n->param[WEIGHT]->buffer,
        .bias = beside != NULL ? beside->buffer : NULL,
        .workspace = n->workspace,
        .place = g->geometry.place,
        .apart = {{rv_tensor_apart(source), rv_tensor_apart(target), 0, 0}},
        .slope = gated      ? n->gate
                 : gradient ? 1
                            : n->slope,
    };
    o.place.s[3] = accumulate && g->fold == NULL;
    RV_TRY(g->algorithm->run != NULL ? g->algorithm->run(g, e, &o) : launch(g, e, &o));
    return g->fold != NULL ? fold(g, n, e, target, accumulate) : RV_OK;
}
