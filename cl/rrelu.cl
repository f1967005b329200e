/* Leaky ReLU whose slopes are drawn anew for each value. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"
#include "uniform.clh"

/* In both kernels y = v where `sign` is above 0, else s v with s = range.x + range.y * the value's number: the same
 * for values and gradients, so that no slope is kept. NaN stays NaN. */
static inline floatB leaked(floatB v, floatB sign, floatB number, float4 range)
{
    return select((range.x + range.y * number) * v, v, sign > 0.0f);
}

/* The blocked layout. One work-item: a run of pixels in one block. */
__kernel void rrelu_blocked(__global floatB *y, __global const floatB *v,
                            __global const floatB *sign, int n, int c, int pixels, int run,
                            uint seed, uint stream, uint step, float4 range, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), picture = r.plane / blocks, block = r.plane % blocks;
    if (picture >= n) {
        return;
    }
    const uint first = (uint)(picture * c + block * B) * (uint)pixels;
    const uintV lanes = RV_LANE_NUMBERS;
    for (int p = r.begin; p < r.end; p++) {
        const int at = r.plane * pixels + p;
        const uintV place = first + (uint)p + lanes * (uint)pixels;
        const floatB number = uniform_at(seed, stream, step, place);
        y[at] = rv_accumulateB(y + at, leaked(v[at], sign[at], number, range), accumulate);
    }
}

/* The plain layout of any rank, n floats: memory is in N,C,H,W order. One work-item: B values. */
__kernel void rrelu_plain(__global float *y, __global const float *v, __global const float *sign,
                          int n, uint seed, uint stream, uint step, float4 range, int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB number = uniform_beside(seed, stream, step, i);
    rv_store_gradient(y, i, n, leaked(rv_load(v, i, n), rv_load(sign, i, n), number, range),
                      accumulate);
}
