/* Gradients of a convolution's weights and bias on GPUs: products of input and gradient, summed up in parts. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    WEIGHT = 0,
    LEAST_CHANNELS = 8, /* of a group, with fewer a tile is mostly idle */
    PLAIN_ITEMS = 128, /* of a work-group that reads a plain input: with fewer, registers run out */
    BIAS_ITEMS = 256,  /* as in conv_gpu_params.cl */
    BIAS_GROUPS = 256, /* work-groups that keep a device busy */
    BIAS_PIXELS = 2048 /* that a part should sum up */
};

bool rv_conv_gpu_params_suits(const rv_conv_geometry *o)
{
    const int32_t groups = o->window.s[2];
    return groups == 1 ||
           (o->source_lanes > 1 && o->target_lanes > 1 &&
            o->source.s[1] / groups >= LEAST_CHANNELS && o->target.s[1] / groups >= LEAST_CHANNELS);
}

/* Channels of the blocks that a group can touch. */
static int32_t covered(int32_t channels, int32_t groups)
{
    const int32_t each = channels / groups;
    int32_t most = 0;
    for (int32_t i = 0; i < groups; i++) {
        const int32_t n = rv_divide_up((i + 1) * each, 4) * 4 - i * each / 4 * 4;
        most = n > most ? n : most;
    }
    return most;
}

static rv_status prepare_weight(rv_conv_params *p, rv_device *device)
{
    const rv_conv_geometry *o = &p->geometry;
    const bool plain = o->source_lanes == 1;
    const int32_t groups = o->window.s[2], taps = o->window.s[0] * o->window.s[1];
    const int32_t rows = covered(o->target.s[1], groups);
    /* Of a plain input all taps and channels lie in one row of columns. */
    const int32_t of_a_tap = plain ? o->source.s[1] : covered(o->source.s[1], groups);
    const int32_t columns = plain ? rv_divide_up(taps * of_a_tap, 4) * 4 : of_a_tap;
    const rv_gpu_tile *t = rv_gpu_tile_choose(device, rows, columns, plain ? PLAIN_ITEMS : 0);
    const int32_t down = rv_divide_up(rows, rv_gpu_tile_rows(t)),
                  across = rv_divide_up(columns, rv_gpu_tile_columns(t));
    const int32_t row = plain ? columns : taps * columns;
    const int32_t pixels = o->target.s[0] * o->target.s[2] * o->target.s[3];
    const double tiles = (double)down * across * groups * (plain ? 1 : taps);
    const int32_t wanted = rv_gpu_tile_parts(tiles, pixels, (double)o->target.s[1] * row);
    const int32_t length = rv_divide_up(rv_divide_up(pixels, wanted), t->terms) * t->terms;
    p->weight_parts = rv_divide_up(pixels, length);
    p->work = (rv_int4){{row, of_a_tap, across, length}};
    const double flops = 2.0 * pixels * o->target.s[1] * taps * o->source.s[1] / groups;
    p->weight_grid =
        rv_grid_cut(rv_grid_groups((size_t)down, (size_t)across * (plain ? 1 : (size_t)taps),
                                   (size_t)groups * (size_t)p->weight_parts,
                                   (size_t)rv_gpu_tile_items(t), 1, 1),
                    2, flops);
    p->weight_floats = (size_t)p->weight_parts * (size_t)o->target.s[1] * (size_t)row;
    char tile[RV_GPU_TILE_DEFINES], defines[RV_GPU_TILE_DEFINES + 32];
    rv_gpu_tile_defines(tile, t);
    snprintf(defines, sizeof defines, "%s -DXL=%d -DYL=%d", tile, (int)o->source_lanes,
             (int)o->target_lanes);
    RV_TRY(rv_kernel_get(&p->gpu_sum, device, "conv_gpu_params", "conv_gpu_params_sum", defines));
    return rv_kernel_get(&p->gpu_weight, device, "conv_gpu_params", "conv_gpu_params_weight",
                         defines);
}

static rv_status prepare_bias(rv_conv_params *p, rv_device *device)
{
    const rv_int4 t = p->geometry.target;
    const int32_t blocks = rv_divide_up(t.s[1], 4), wanted = rv_divide_up(BIAS_GROUPS, blocks),
                  most = rv_divide_up(t.s[0] * t.s[2] * t.s[3], BIAS_PIXELS);
    p->bias_parts = wanted < most ? wanted : most;
    p->bias_floats = (size_t)p->bias_parts * (size_t)t.s[1];
    return rv_kernel_get(&p->gpu_bias, device, "conv_gpu_params", "conv_gpu_params_bias", NULL);
}

rv_status rv_conv_gpu_params_prepare(rv_conv_params *p, rv_device *device)
{
    RV_TRY(prepare_weight(p, device));
    return p->geometry.target_lanes > 1 ? prepare_bias(p, device) : RV_OK;
}

rv_status rv_conv_gpu_params_weight(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                                    int32_t accumulate)
{
    const rv_conv_geometry *o = &p->geometry;
    const rv_tensor *gradient = n->d_param[WEIGHT];
    RV_TRY(rv_launch(e->device, p->gpu_weight, p->weight_grid,
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->d_out[0]->buffer), RV_ARG(o->source), RV_ARG(o->target),
                             RV_ARG(o->window), RV_ARG(o->step), RV_ARG(o->place),
                             RV_ARG(p->weight_parts), RV_ARG(p->work), RV_FIRST)));
    return rv_launch(e->device, p->gpu_sum,
                     rv_grid_items(e->device, rv_shape_count(&gradient->shape)),
                     RV_ARGS(RV_ARG(gradient->buffer), RV_ARG(n->workspace), RV_ARG(o->source),
                             RV_ARG(o->target), RV_ARG(o->window), RV_ARG(p->weight_parts),
                             RV_ARG(accumulate), RV_ARG(p->work)));
}

rv_status rv_conv_gpu_params_bias(const rv_conv_params *p, const rv_node *n, const rv_exec *e)
{
    const rv_int4 t = p->geometry.target;
    return rv_launch(
        e->device, p->gpu_bias,
        rv_grid_groups((size_t)rv_divide_up(t.s[1], 4), (size_t)p->bias_parts, 1, BIAS_ITEMS, 1, 1),
        RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(t),
                RV_ARG(p->bias_parts)));
}
