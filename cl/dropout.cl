/* Drops values at random and scales up the rest. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"
#include "philox.clh"

/* y = x / (1 - ratio) where the number drawn for the value's place in N,C,H,W order is at least `ratio`, else zero;
 * the same for gradients, so that no mask is kept. One work-item: a run of pixels in one block. */
__kernel void dropout_map(__global floatV *y, __global const floatV *x, int n, int c, int pixels,
                          int run, uint seed, uint stream, uint step, float ratio, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), picture = r.plane / blocks, block = r.plane % blocks;
    if (picture >= n) {
        return;
    }
    const uint first = (uint)(picture * c + block * LANES) * (uint)pixels;
    y += r.plane * pixels;
    x += r.plane * pixels;
    for (int p = r.begin; p < r.end; p++) {
        float keep[LANES];
        for (int b = 0; b < LANES; b++) {
            const uint index = first + (uint)(b * pixels + p);
            keep[b] = rv_philox_uniform_at(seed, stream, step, index) < ratio ? 0.0f : 1.0f;
        }
        const floatV v = x[p] * (vloadV(0, keep) / (1.0f - ratio));
        y[p] = rv_accumulateV(y + p, v, accumulate);
    }
}
