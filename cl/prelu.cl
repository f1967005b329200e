/* ReLU with a learned slope for each channel. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* y = v where x is above 0, else its channel's slope times v; y may lie over v. NaN stays NaN.
 * One work-item: a run of pixels in one block. */
__kernel void prelu_map(__global floatV *y, __global const floatV *v, __global const floatV *x,
                        __global const float *slope, int n, int c, int pixels, int run,
                        int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), block = r.plane % blocks;
    if (r.plane >= n * blocks) {
        return;
    }
    const floatV a = rv_channelsV(slope, block, c);
    for (int p = r.plane * pixels + r.begin; p < r.plane * pixels + r.end; p++) {
        const floatV mapped = select(a * v[p], v[p], (intV)(x[p] > 0.0f));
        y[p] = rv_accumulateV(y + p, mapped, accumulate);
    }
}

/* Sums of x dy where x is below 0, over each part of each plane: parts [n * blocks, n_parts]. */
__kernel void prelu_products(__global floatV *parts, __global const floatV *dy,
                             __global const floatV *x, int n, int c, int pixels, int n_parts)
{
    const int i = rv_index(), plane = i / n_parts;
    if (plane >= n * rv_blocks(c)) {
        return;
    }
    const rv_share share = rv_share_of(i % n_parts, n_parts, pixels);
    floatV sum = (floatV)(0.0f);
    for (int p = plane * pixels + share.begin; p < plane * pixels + share.end; p += share.step) {
        sum += select(x[p] * dy[p], (floatV)(0.0f), (intV)(x[p] > 0.0f));
    }
    parts[i] = sum;
}

/* Gradient of the slopes: the sum of the parts of each channel. One work-item: one block. */
__kernel void prelu_sums(__global float *d_slope, __global const floatV *parts, int n, int c,
                         int n_parts, int accumulate)
{
    const int block = rv_index(), blocks = rv_blocks(c);
    if (block >= blocks) {
        return;
    }
    floatV sum = (floatV)(0.0f);
    for (int i = 0; i < n * n_parts; i++) {
        sum += parts[(i / n_parts * blocks + block) * n_parts + i % n_parts];
    }
    rv_store_channelsV(d_slope, block, c, sum, accumulate);
}
