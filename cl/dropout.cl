/* Drops values at random and scales up the rest. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* rv_philox_uniform_at() for the numbers of all lanes at once. */
static inline floatV uniform_lanes(uint seed, uint stream, uint step, uintV index)
{
    uintV w0 = index >> 2, w1 = (uintV)(step), w2 = (uintV)(0u), w3 = (uintV)(0u);
    for (int round = 0; round < 10; round++) {
        const uintV high0 = mul_hi((uintV)(0xD2511F53u), w0), low0 = 0xD2511F53u * w0;
        const uintV high1 = mul_hi((uintV)(0xCD9E8D57u), w2), low1 = 0xCD9E8D57u * w2;
        w0 = high1 ^ w1 ^ seed;
        w1 = low1;
        w2 = high0 ^ w3 ^ stream;
        w3 = low0;
        seed += 0x9E3779B9u;
        stream += 0xBB67AE85u;
    }
    const uintV even = select(w0, w2, (index & 2u) != 0u), odd = select(w1, w3, (index & 2u) != 0u);
    return convert_floatV(select(even, odd, (index & 1u) != 0u) >> 8) * 0x1p-24f;
}

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
    const uintV lanes = RV_LANE_NUMBERS;
    y += r.plane * pixels;
    x += r.plane * pixels;
    for (int p = r.begin; p < r.end; p++) {
        const uintV index = first + (uint)p + lanes * (uint)pixels;
        const intV keep = uniform_lanes(seed, stream, step, index) >= ratio;
        const floatV v = select((floatV)(0.0f), x[p] / (1.0f - ratio), keep);
        y[p] = rv_accumulateV(y + p, v, accumulate);
    }
}
