/* Algorithms of a convolution on GPUs: value by value for few channels, by tiles in local memory for others. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    GPU_TILE = 64,      /* as in conv_gpu.cl: TM, and the largest TN */
    GPU_ITEMS = 256,    /* as in conv_gpu.cl */
    DIRECT_CHANNELS = 4 /* target channels of a group for which a tile would be mostly idle */
};

/* --- by value -------------------------------------------------------------------------------- */

static bool suits_direct(const rv_conv_gather *g, const rv_device *device)
{
    return rv_device_gpu_form(device) &&
           g->geometry.target.s[1] / g->geometry.window.s[2] <= DIRECT_CHANNELS;
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

const rv_conv_algorithm rv_conv_direct = {"direct", suits_direct, prepare_direct, NULL};

/* --- by tiles -------------------------------------------------------------------------------- */

static bool suits_tiles(const rv_conv_gather *g, const rv_device *device)
{
    return rv_device_gpu_form(device) && !suits_direct(g, device);
}

static rv_status prepare_tiles(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    const rv_conv_geometry *o = &g->geometry;
    const int32_t targets = o->target.s[1] / o->window.s[2];
    const int32_t pixels = o->target.s[0] * o->target.s[2] * o->target.s[3];
    /* Pad lanes count as targets of the last group. */
    const int32_t most =
        targets + rv_divide_up(o->target.s[1], o->target_lanes) * o->target_lanes - o->target.s[1];
    const int32_t channels = most <= 16 ? 16 : most <= 32 ? 32 : GPU_TILE;
    g->work = (rv_int4){{o->source_lanes, o->target_lanes, 0, (int32_t)*packed_floats}};
    g->packed_floats = (size_t)o->target.s[1] * (size_t)(o->source.s[1] / o->window.s[2]) *
                       (size_t)o->window.s[0] * (size_t)o->window.s[1];
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, g->packed_floats);
    g->run_grid =
        rv_grid_groups((size_t)rv_divide_up(pixels, GPU_TILE), (size_t)rv_divide_up(most, channels),
                       (size_t)o->window.s[2], GPU_ITEMS, 1, 1);
    char defines[32];
    snprintf(defines, sizeof defines, "-DTN=%d", (int)channels);
    RV_TRY(rv_kernel_get(&g->pack, device, "conv_gpu", "conv_gpu_pack", defines));
    return rv_kernel_get(&g->run, device, "conv_gpu", "conv_gpu_gather", defines);
}

const rv_conv_algorithm rv_conv_tiles = {"tiles", suits_tiles, prepare_tiles, NULL};
