/* Algorithms of a convolution on GPUs: by tiles in local memory; without tiles where there are few channels. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    FEW_ITEMS = 64,     /* ITEMS of conv_gpu_few.cl */
    DIRECT_CHANNELS = 8 /* of source and target in a group for which a tile would be mostly idle */
};

/* --- the product ----------------------------------------------------------------------------- */

/* Strides of a gradient cut the target into phases, each of which meets some of the taps. */
static int32_t count_phases(const rv_conv_geometry *g)
{
    return g->place.s[2] ? g->step.s[0] * g->step.s[1] : 1;
}

/* Pixels of a phase. */
static int32_t count_pixels(const rv_conv_geometry *g)
{
    const int32_t rows = g->place.s[2] ? g->step.s[0] : 1,
                  columns = g->place.s[2] ? g->step.s[1] : 1;
    return g->target.s[0] * rv_divide_up(g->target.s[2], rows) *
           rv_divide_up(g->target.s[3], columns);
}

/* Target channels of a group; pad lanes count as the last one's. */
static int32_t count_targets(const rv_conv_geometry *g)
{
    return g->target.s[1] / g->window.s[2] + rv_divide_up(g->target.s[1], 4) * 4 - g->target.s[1];
}

/* Blocks of source channels that a group can touch: a group need not start with a block. */
static int32_t count_blocks(const rv_conv_geometry *g)
{
    const int32_t channels = g->source.s[1] / g->window.s[2];
    int32_t most = 0;
    for (int32_t i = 0; i < g->window.s[2]; i++) {
        const int32_t n = rv_divide_up((i + 1) * channels, 4) - i * channels / 4;
        most = n > most ? n : most;
    }
    return most;
}

rv_status rv_conv_product_prepare(rv_conv_product *p, const rv_conv_geometry *g, rv_device *device,
                                  const rv_gpu_tile *tile)
{
    const int32_t groups = g->window.s[2], phases = count_phases(g), pixels = count_pixels(g);
    const int32_t targets = count_targets(g);
    const rv_gpu_tile *t = tile != NULL ? tile : rv_gpu_tile_choose(device, pixels, targets, 0);
    const int32_t terms = t->terms, taps = g->window.s[0] * g->window.s[1];
    const int32_t chunks = rv_divide_up(count_blocks(g) * 4, terms);
    const int32_t down = rv_divide_up(pixels, rv_gpu_tile_rows(t)),
                  across = rv_divide_up(targets, rv_gpu_tile_columns(t));
    const int32_t width = across * rv_gpu_tile_columns(t);
    const size_t sums = (size_t)pixels * (size_t)(rv_divide_up(g->target.s[1], 4) * 4);
    const int32_t parts = phases > 1
                              ? 1
                              : rv_gpu_tile_parts((double)down * across * groups,
                                                  (double)taps * chunks * terms, (double)sums);
    p->tile = t;
    p->work = (rv_int4){{parts, chunks, width, 0}};
    p->rows = chunks * terms;
    p->packed_floats = (size_t)groups * (size_t)taps * (size_t)p->rows * (size_t)width;
    p->partial_floats = parts > 1 ? (size_t)parts * sums : 0;
    const double flops = 2.0 * pixels * g->target.s[1] * taps * g->source.s[1] / groups;
    p->grid = rv_grid_cut(rv_grid_groups((size_t)down, (size_t)across,
                                         (size_t)groups * (size_t)phases * (size_t)parts,
                                         (size_t)rv_gpu_tile_items(t), 1, 1),
                          0, flops);
    char defines[RV_GPU_TILE_DEFINES];
    rv_gpu_tile_defines(defines, t);
    if (parts > 1) {
        RV_TRY(rv_kernel_get(&p->sum, device, "conv_gpu", "conv_gpu_sum", defines));
    }
    return rv_kernel_get(&p->run, device, "conv_gpu", "conv_gpu_tiles", defines);
}

static int32_t quads(size_t floats)
{
    return (int32_t)(floats / 4);
}

rv_status rv_conv_product_run(const rv_conv_product *p, const rv_conv_geometry *g,
                              rv_device *device, const rv_buffer *target, const rv_buffer *source,
                              const rv_buffer *weights, const rv_buffer *bias,
                              const rv_buffer *partial, rv_int4 place, float slope,
                              rv_conv_offsets from)
{
    const bool whole = p->sum == NULL;
    const rv_buffer *none = NULL;
    rv_int4 set = place;
    set.s[3] = 0;
    const rv_int4 start = {
        {quads(whole ? from.target : from.partial), quads(from.source), quads(from.weights), 0}};
    RV_TRY(
        rv_launch(device, p->run, p->grid,
                  RV_ARGS(RV_ARG(whole ? target : partial), RV_ARG(source), RV_ARG(weights),
                          RV_ARG(whole ? bias : none), RV_ARG(g->source), RV_ARG(g->target),
                          RV_ARG(g->window), RV_ARG(g->step), RV_ARG(whole ? place : set),
                          RV_ARG(whole ? slope : 1.0f), RV_ARG(p->work), RV_ARG(start), RV_FIRST)));
    if (whole) {
        return RV_OK;
    }
    const rv_int4 ends = {{quads(from.target), quads(from.partial), 0, 0}};
    return rv_launch(device, p->sum,
                     rv_grid_items(device, p->partial_floats / (size_t)p->work.s[0] / 4),
                     RV_ARGS(RV_ARG(target), RV_ARG(partial), RV_ARG(bias), RV_ARG(g->target),
                             RV_ARG(place), RV_ARG(slope), RV_ARG(p->work), RV_ARG(ends)));
}

/* --- from or to pictures --------------------------------------------------------------------- */

static bool suits_few(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    const rv_conv_geometry *o = &g->geometry;
    return rv_device_gpu_form(device) && o->window.s[2] == 1 &&
           (o->source_lanes == 1 || o->target_lanes == 1);
}

static rv_status prepare_few(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    const rv_conv_geometry *o = &g->geometry;
    const int32_t blocks = o->target_lanes == 1 ? 1 : 4, pixels_per_item = blocks == 1 ? 4 : 2;
    const int32_t channels = rv_divide_up(o->source.s[1], o->source_lanes) * o->source_lanes,
                  targets = rv_divide_up(o->target.s[1], 4 * blocks) * 4 * blocks;
    const int32_t pixels = o->target.s[0] * o->target.s[2] * o->target.s[3];
    g->work = (rv_int4){{channels, targets, 0, (int32_t)*packed_floats}};
    g->packed_floats =
        (size_t)(o->window.s[0] * o->window.s[1]) * (size_t)channels * (size_t)targets;
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, g->packed_floats);
    g->run_grid = rv_grid_groups((size_t)rv_divide_up(pixels, FEW_ITEMS * pixels_per_item),
                                 (size_t)(targets / 4 / blocks), 1, FEW_ITEMS, 1, 1);
    char defines[64];
    snprintf(defines, sizeof defines, "-DXL=%d -DYL=%d -DPX=%d -DNT=%d", (int)o->source_lanes,
             (int)o->target_lanes, (int)pixels_per_item, (int)blocks);
    RV_TRY(rv_kernel_get(&g->pack, device, "conv_gpu_few", "conv_gpu_few_pack", defines));
    return rv_kernel_get(&g->run, device, "conv_gpu_few", "conv_gpu_few_gather", defines);
}

const rv_conv_algorithm rv_conv_few = {"few channels", suits_few, NULL, prepare_few, NULL};

/* --- channel by channel ---------------------------------------------------------------------- */

static bool suits_depthwise(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    const rv_conv_geometry *o = &g->geometry;
    return rv_device_gpu_form(device) && o->source_lanes > 1 && o->target_lanes > 1 &&
           o->window.s[2] == o->source.s[1] && o->window.s[2] == o->target.s[1];
}

static rv_status prepare_depthwise(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    const rv_int4 t = g->geometry.target, window = g->geometry.window;
    const int32_t channels = rv_divide_up(t.s[1], 4) * 4;
    g->work = (rv_int4){{1, channels, 0, (int32_t)*packed_floats}};
    g->packed_floats = (size_t)(window.s[0] * window.s[1]) * (size_t)channels;
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, g->packed_floats);
    g->run_grid = rv_grid_items(device, (size_t)t.s[0] * (size_t)(channels / 4) * (size_t)t.s[2] *
                                            (size_t)t.s[3]);
    RV_TRY(rv_kernel_get(&g->pack, device, "conv_gpu_depthwise", "conv_gpu_depthwise_pack", NULL));
    return rv_kernel_get(&g->run, device, "conv_gpu_depthwise", "conv_gpu_depthwise_gather", NULL);
}

const rv_conv_algorithm rv_conv_depthwise = {"depthwise", suits_depthwise, NULL, prepare_depthwise,
                                             NULL};

/* --- by value -------------------------------------------------------------------------------- */

static bool suits_direct(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    const rv_conv_geometry *o = &g->geometry;
    const int32_t groups = o->window.s[2];
    return rv_device_gpu_form(device) &&
           (o->source_lanes == 1 || o->target_lanes == 1 ||
            (groups > 1 && o->source.s[1] / groups < DIRECT_CHANNELS &&
             o->target.s[1] / groups < DIRECT_CHANNELS));
}

static rv_status prepare_direct(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    (void)packed_floats; /* reads the weights as they are */
    const rv_conv_geometry *o = &g->geometry;
    const rv_int4 t = o->target;
    const int32_t channels = rv_divide_up(t.s[1], o->target_lanes) * o->target_lanes;
    g->work = (rv_int4){{o->source_lanes, o->target_lanes, 0, 0}};
    g->run_grid =
        rv_grid_items(device, (size_t)t.s[0] * (size_t)channels * (size_t)t.s[2] * (size_t)t.s[3]);
    return rv_kernel_get(&g->run, device, "conv", "conv_direct", NULL);
}

const rv_conv_algorithm rv_conv_direct = {"direct", suits_direct, NULL, prepare_direct, NULL};

/* --- by tiles -------------------------------------------------------------------------------- */

static bool suits_tiles(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    return rv_device_gpu_form(device) && g->geometry.source_lanes > 1 &&
           g->geometry.target_lanes > 1;
}

/* The tile that the algorithm stands for; NULL: by device and shape. */
static const rv_gpu_tile *tile_of(const rv_conv_gather *g)
{
    return g->algorithm == &rv_conv_tiles ? NULL : &rv_gpu_tiles[g->algorithm - rv_conv_each_tile];
}

static rv_status prepare_tiles(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    rv_conv_product *p = &g->product;
    RV_TRY(rv_conv_product_prepare(p, &g->geometry, device, tile_of(g)));
    g->work = p->work;
    g->work.s[3] = (int32_t)*packed_floats;
    g->packed_floats = p->packed_floats;
    *packed_floats += p->packed_floats;
    g->workspace_bytes += p->partial_floats * sizeof(float);
    g->pack_grid = rv_grid_items(device, p->packed_floats);
    char defines[RV_GPU_TILE_DEFINES];
    rv_gpu_tile_defines(defines, p->tile);
    return rv_kernel_get(&g->pack, device, "conv_gpu", "conv_gpu_pack", defines);
}

static rv_status run_tiles(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o)
{
    const rv_conv_product *p = &g->product;
    const rv_conv_offsets from = {
        .weights = (size_t)g->work.s[3],
        .partial = g->workspace_bytes / sizeof(float) - p->partial_floats,
    };
    return rv_conv_product_run(p, &g->geometry, e->device, o->target, o->source, o->weights,
                               o->bias, o->workspace, o->place, o->slope, from);
}

const rv_conv_algorithm rv_conv_tiles = {"tiles", suits_tiles, NULL, prepare_tiles, run_tiles};

/* Each tile that is not chosen but not far off, for `reverie tune`. */
static bool suits_tile(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    return suits_tiles(g, n, device) &&
           rv_gpu_tile_worth(tile_of(g), device, count_pixels(&g->geometry),
                             count_targets(&g->geometry));
}

static bool never_pays(const rv_conv_gather *g, const rv_device *device)
{
    (void)g;
    (void)device;
    return false;
}

#define EACH(name)                                             \
    {                                                          \
        name, suits_tile, never_pays, prepare_tiles, run_tiles \
    }
const rv_conv_algorithm rv_conv_each_tile[RV_GPU_TILES] = {
    [RV_GPU_TILE_128X128] = EACH("tiles_128x128"),     [RV_GPU_TILE_128X64] = EACH("tiles_128x64"),
    [RV_GPU_TILE_64X64_8X4] = EACH("tiles_64x64_8x4"), [RV_GPU_TILE_64X64] = EACH("tiles_64x64"),
    [RV_GPU_TILE_64X32] = EACH("tiles_64x32"),         [RV_GPU_TILE_32X32] = EACH("tiles_32x32"),
    [RV_GPU_TILE_64X16] = EACH("tiles_64x16"),
};
