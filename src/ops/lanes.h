/* The host's side of lanes.clh: operations whose kernels serve both layouts with one text. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_LANES_H
#define RV_OPS_LANES_H

#include "tensor/tensor.h"

/** What builds a kernel for the layout of `t`. */
static inline const char *rv_lanes_defines(const rv_tensor *t)
{
    return t->layout == RV_PLAIN ? "-DPLAIN=1" : NULL;
}

/** N times the blocks of channels, and the pixels of each; 1 pixel where the rank is 2. */
static inline size_t rv_lanes_planes(const rv_tensor *t)
{
    return (size_t)t->shape.dim[0] * (size_t)rv_tensor_blocks(t);
}
static inline int32_t rv_lanes_pixels(const rv_tensor *t)
{
    return t->shape.rank == 4 ? t->shape.dim[2] * t->shape.dim[3] : 1;
}

/** Neighbouring pixels that one work-item takes: one on GPUs, several on CPUs, where it costs more to find a place
 *  than to work on it. */
static inline int32_t rv_lanes_run(const rv_device *device)
{
    return rv_device_gpu_form(device) ? 1 : 32;
}
/** Runs in all planes of `pixels` each. */
static inline size_t rv_lanes_items(const rv_device *device, size_t planes, int32_t pixels)
{
    return planes * (size_t)rv_divide_up(pixels, rv_lanes_run(device));
}

/** Grid of `items` work-items that touch so many bytes, in parts where these are many: memory that nothing has touched yet
 *  comes at 4 GB/s, on processors of which a launch of 0.1 s does 32 operations for each such byte. The kernel takes
 *  RV_FIRST and finds its work-items with rv_index_from(). */
static inline rv_grid rv_lanes_grid(const rv_device *device, size_t items, size_t bytes)
{
    return rv_grid_cut(rv_grid_items(device, items), 1, 32.0 * (double)bytes);
}

/** Parts that a sum over n values has, by n only so that it repeats: enough to keep a device busy, few enough for
 *  one work-item to add up. Kernels find their share with rv_share_of(). */
static inline int32_t rv_lanes_parts(int32_t n)
{
    enum { SHARE = 1024, MOST = 64 };
    const int32_t parts = rv_divide_up(n, SHARE);
    return parts < MOST ? parts : MOST;
}

#endif
