/* Drops values at random and scales up the rest. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"
#include "uniform.clh"

/* In both kernels y = x / (1 - ratio) where the value's number is at least `ratio`, else zero; the same for
 * gradients, so that no mask is kept. The number is the upper 24 bits of a word: the host gives what it is compared
 * with as a word, and 1 / (1 - ratio). */
static inline floatV droppedV(floatV x, uintV word, uint least, float factor)
{
    return select((floatV)(0.0f), x * factor, word >= least);
}
static inline floatB droppedB(floatB x, uintB word, uint least, float factor)
{
    return select((floatB)(0.0f), x * factor, word >= least);
}

/* The blocked layout. One work-item: a run of pixels in one block. Four pixels of a channel take the words of one
 * block of numbers where their places begin at a multiple of four: in every channel if `pixels` is one. */
__kernel void dropout_blocked(__global floatV *y, __global const floatV *x, int n, int c,
                              int pixels, int run, uint seed, uint stream, uint step, uint least,
                              float factor, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), picture = r.plane / blocks, block = r.plane % blocks;
    if (picture >= n) {
        return;
    }
    const uintV first =
        (uint)(picture * c + block * LANES) * (uint)pixels + RV_LANE_NUMBERS * (uint)pixels;
    y += r.plane * pixels;
    x += r.plane * pixels;
    int p = r.begin;
#if !PLAIN
    for (; pixels % 4 == 0 && p + 4 <= r.end; p += 4) {
        const words four = words_of(seed, stream, step, (first + (uint)p) >> 2);
#pragma unroll
        for (int k = 0; k < 4; k++) {
            rv_ahead(x + p + k);
            rv_ahead_write(y + p + k);
            const floatB v = droppedB(x[p + k], four.w[k], least, factor);
            y[p + k] = rv_accumulateB(y + p + k, v, accumulate);
        }
    }
#endif
    for (; p < r.end; p++) {
        const floatV v =
            droppedV(x[p], words_at(seed, stream, step, first + (uint)p), least, factor);
        y[p] = rv_accumulateV(y + p, v, accumulate);
    }
}

/* The plain layout of any rank, n floats: memory is in N,C,H,W order. One work-item: `run` times 4 * B values, each the words
 * of B blocks. */
__kernel void dropout_plain(__global float *y, __global const float *x, int n, int run, uint seed,
                            uint stream, uint step, uint least, float factor, int accumulate)
{
    const int first = rv_index() * run;
    for (int i = first; i < first + run && !rv_beyond(4 * i, n); i++) {
        const words four = words_beside(seed, stream, step, i);
        if (i < n / (4 * B)) {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                __global float *to = y + (4 * i + k) * B;
                const floatB v = droppedB(vloadB(4 * i + k, x), four.w[k], least, factor);
                vstoreB(accumulate ? v + vloadB(0, to) : v, 0, to);
            }
            continue;
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            if (!rv_beyond(4 * i + k, n)) {
                const floatB v = droppedB(rv_load(x, 4 * i + k, n), four.w[k], least, factor);
                rv_store_gradient(y, 4 * i + k, n, v, accumulate);
            }
        }
    }
}
