/* Maps whose positions are multiplied by numbers from outside. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* to = guide * from, all channels alike; `to` may lie over `from`. guide is plain [n,1,pixels]; pad lanes stay zero.
 * One work-item: a run of pixels in one block. */
__kernel void guide_map(__global floatV *to, __global const floatV *from,
                        __global const float *guide, int n, int c, int pixels, int run,
                        int accumulate, int first)
{
    const rv_run r = rv_run_of(rv_index_from(first), pixels, run);
    const int blocks = rv_blocks(c), picture = r.plane / blocks;
    if (picture >= n) {
        return;
    }
    __global const float *g = guide + picture * pixels;
    __global const floatV *v = from + (size_t)r.plane * pixels;
    __global floatV *y = to + (size_t)r.plane * pixels;
    for (int p = r.begin; p < r.end; p++) {
        y[p] = rv_accumulateV(y + p, g[p] * v[p], accumulate);
    }
}
