/* Drops values at random and scales up the rest. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"
#include "uniform.clh"

/* In both kernels y = x / (1 - ratio) where the value's number is at least `ratio`, else zero; the same for
 * gradients, so that no mask is kept. */
static inline floatB dropped(floatB x, floatB number, float ratio)
{
    return select((floatB)(0.0f), x / (1.0f - ratio), number >= ratio);
}

/* The blocked layout. One work-item: a run of pixels in one block. */
__kernel void dropout_blocked(__global floatB *y, __global const floatB *x, int n, int c,
                              int pixels, int run, uint seed, uint stream, uint step, float ratio,
                              int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), picture = r.plane / blocks, block = r.plane % blocks;
    if (picture >= n) {
        return;
    }
    const uint first = (uint)(picture * c + block * B) * (uint)pixels;
    const uintV lanes = RV_LANE_NUMBERS;
    y += r.plane * pixels;
    x += r.plane * pixels;
    for (int p = r.begin; p < r.end; p++) {
        const uintV place = first + (uint)p + lanes * (uint)pixels;
        const floatB number = uniform_at(seed, stream, step, place);
        y[p] = rv_accumulateB(y + p, dropped(x[p], number, ratio), accumulate);
    }
}

/* The plain layout of any rank, n floats: memory is in N,C,H,W order. One work-item: B values. */
__kernel void dropout_plain(__global float *y, __global const float *x, int n, uint seed,
                            uint stream, uint step, float ratio, int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB number = uniform_beside(seed, stream, step, i);
    rv_store_gradient(y, i, n, dropped(rv_load(x, i, n), number, ratio), accumulate);
}
