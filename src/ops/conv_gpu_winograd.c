/* Winograd's algorithms of a convolution on GPUs: transforms around one product for each point. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    F4_CHANNELS =
        64, /* of source and target, with fewer the transforms take more time than products save */
    F4_TOGETHER = 192, /* likewise, of both */
    F2_CHANNELS = 128,
    F2_TOGETHER = 384,
    SCRATCH_FLOATS = 16 << 20 /* of source and products at the points, for the tiles at a time */
};

static bool suits_f4(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    return rv_device_gpu_form(device) && rv_conv_winograd_suits(g, n, device, 4);
}

static bool suits_f2(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    return rv_device_gpu_form(device) && rv_conv_winograd_suits(g, n, device, 2);
}

/* Transforms move 11 (F4) or 18 (F2) times the bytes of source and target, and save 3/4 or 5/9 of the multiplications,
 * which grow with the channels. */
static bool pays(const rv_conv_gather *g, int32_t each, int32_t together)
{
    const int32_t from = g->geometry.source.s[1], to = g->geometry.target.s[1];
    return from >= each && to >= each && from + to >= together;
}

static bool pays_f4(const rv_conv_gather *g, const rv_device *device)
{
    (void)device;
    return pays(g, F4_CHANNELS, F4_TOGETHER);
}

static bool pays_f2(const rv_conv_gather *g, const rv_device *device)
{
    (void)device;
    return pays(g, F2_CHANNELS, F2_TOGETHER);
}

static int32_t whole(int32_t channels)
{
    return rv_divide_up(channels, 4) * 4;
}

static int32_t count_tiles(const rv_conv_geometry *o, int32_t out)
{
    return o->target.s[0] * rv_divide_up(o->target.s[2], out) * rv_divide_up(o->target.s[3], out);
}

/* So many that scratch memory is bounded, in equal parts. */
static int32_t tiles_at_a_time(const rv_conv_geometry *o, int32_t out)
{
    const int32_t points = (out + 2) * (out + 2), tiles = count_tiles(o, out);
    const int32_t most = SCRATCH_FLOATS / points / (whole(o->source.s[1]) + whole(o->target.s[1]));
    return rv_divide_up(tiles, rv_divide_up(tiles, most > 0 ? most : 1));
}

/* Each point is a group of channels, the tiles are a row of pixels, and the window is one of 1x1. */
static rv_conv_geometry geometry_of(const rv_conv_geometry *o, int32_t out)
{
    const int32_t points = (out + 2) * (out + 2), tiles = tiles_at_a_time(o, out);
    return (rv_conv_geometry){
        .source = {{1, points * whole(o->source.s[1]), 1, tiles}},
        .target = {{1, points * whole(o->target.s[1]), 1, tiles}},
        .window = {{1, 1, points, RV_CONV_PAD_ZERO}},
        .step = {{1, 1, 1, 1}},
        .place = {{0, 0, 0, 0}},
        .source_lanes = 4,
        .target_lanes = 4,
    };
}

static int32_t floats_of(rv_int4 shape)
{
    return shape.s[0] * shape.s[1] * shape.s[2] * shape.s[3];
}

static rv_status prepare(rv_conv_gather *g, rv_device *device, size_t *packed_floats, int32_t out)
{
    const rv_conv_geometry *o = &g->geometry;
    rv_conv_product *p = &g->product;
    g->product_geometry = geometry_of(o, out);
    const rv_conv_geometry *each = &g->product_geometry;
    RV_TRY(rv_conv_product_prepare(p, each, device, NULL));
    g->work = (rv_int4){{p->rows, p->work.s[2], 0, (int32_t)*packed_floats}};
    g->packed_floats = p->packed_floats;
    *packed_floats += p->packed_floats;
    g->pack_grid = rv_grid_items(device, (size_t)p->rows * (size_t)p->work.s[2]);
    /* Source, products and parts of these, one after another, in float4. */
    const size_t sources = (size_t)floats_of(each->source) / 4,
                 products = (size_t)floats_of(each->target) / 4;
    const size_t start = g->workspace_bytes / sizeof(float) / 4;
    g->scratch[0] = (int32_t)start;
    g->scratch[1] = (int32_t)(start + sources);
    g->scratch[2] = (int32_t)(start + sources + products);
    g->workspace_bytes += (4 * (sources + products) + p->partial_floats) * sizeof(float);
    char defines[16];
    snprintf(defines, sizeof defines, "-DOUT=%d", (int)out);
    RV_TRY(rv_kernel_get(&g->pack, device, "conv_gpu_winograd", "conv_gpu_winograd_pack", defines));
    RV_TRY(rv_kernel_get(&g->before, device, "conv_gpu_winograd", "conv_gpu_winograd_source",
                         defines));
    return rv_kernel_get(&g->after, device, "conv_gpu_winograd", "conv_gpu_winograd_target",
                         defines);
}

/* Tiles from `first` on. */
static rv_status run_tiles(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o,
                           int32_t first)
{
    const rv_conv_geometry *s = &g->geometry, *each = &g->product_geometry;
    const int32_t tiles = each->source.s[3];
    const rv_int4 from = {{first, tiles, g->scratch[0], 0}},
                  to = {{first, tiles, g->scratch[1], 0}};
    const size_t sources = (size_t)whole(s->source.s[1]) * (size_t)tiles,
                 targets = (size_t)whole(s->target.s[1]) * (size_t)tiles;
    RV_TRY(
        rv_launch(e->device, g->before, rv_grid_items(e->device, sources),
                  RV_ARGS(RV_ARG(o->workspace), RV_ARG(o->source), RV_ARG(s->source),
                          RV_ARG(s->target), RV_ARG(s->window), RV_ARG(o->place), RV_ARG(from))));
    const rv_conv_offsets at = {
        .target = (size_t)g->scratch[1] * 4,
        .source = (size_t)g->scratch[0] * 4,
        .weights = (size_t)g->work.s[3],
        .partial = (size_t)g->scratch[2] * 4,
    };
    RV_TRY(rv_conv_product_run(&g->product, each, e->device, o->workspace, o->workspace, o->weights,
                               NULL, o->workspace, each->place, 1, at));
    return rv_launch(e->device, g->after, rv_grid_items(e->device, targets),
                     RV_ARGS(RV_ARG(o->target), RV_ARG(o->workspace), RV_ARG(o->bias),
                             RV_ARG(s->target), RV_ARG(o->place), RV_ARG(to), RV_ARG(o->slope)));
}

static rv_status run(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o,
                     int32_t out)
{
    const int32_t tiles = count_tiles(&g->geometry, out), each = g->product_geometry.source.s[3];
    for (int32_t first = 0; first < tiles; first += each) {
        RV_TRY(run_tiles(g, e, o, first));
    }
    return RV_OK;
}

static rv_status prepare_f4(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    return prepare(g, device, packed_floats, 4);
}

static rv_status prepare_f2(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    return prepare(g, device, packed_floats, 2);
}

static rv_status run_f4(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o)
{
    return run(g, e, o, 4);
}

static rv_status run_f2(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o)
{
    return run(g, e, o, 2);
}

const rv_conv_algorithm rv_conv_gpu_f4 = {"f4_steps", suits_f4, pays_f4, prepare_f4, run_f4};
const rv_conv_algorithm rv_conv_gpu_f2 = {"f2_steps", suits_f2, pays_f2, prepare_f2, run_f2};
