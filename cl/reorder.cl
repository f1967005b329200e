/* Between the plain layout N,C,H,W and the blocked layout N,C/B,H,W,B. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"
#include "transpose.clh"

/* In both, one work-item: a run of pixels of one block of channels; on CPUs B pixels at a time, whose values turn from
 * rows of the plain tensor to columns in registers. x and y [n,c,pixels]. */

/* The channels of a block that are there. */
static inline int channels_of(int block, int c)
{
    return min(B, c - block * B);
}

__kernel void reorder_to_blocked(__global floatB *y, __global const float *x, int n, int c,
                                 int pixels, int run, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = (c + B - 1) / B, block = r.plane % blocks, picture = r.plane / blocks;
    if (picture >= n) {
        return;
    }
    const int channels = channels_of(block, c);
    y += r.plane * pixels;
    x += (picture * c + block * B) * pixels;
    int p = r.begin;
#if !RV_GPU_FORM
    for (; p + B <= r.end; p += B) {
        floatB v[B];
#pragma unroll
        for (int b = 0; b < B; b++) {
            v[b] = b < channels ? vloadB(0, x + b * pixels + p) : (floatB)(0.0f);
        }
        rv_transpose(v);
#pragma unroll
        for (int b = 0; b < B; b++) {
            y[p + b] = rv_accumulateB(y + p + b, v[b], accumulate);
        }
    }
#endif
    for (; p < r.end; p++) {
        float lane[B];
        for (int b = 0; b < B; b++) {
            lane[b] = b < channels ? x[b * pixels + p] : 0.0f;
        }
        y[p] = rv_accumulateB(y + p, vloadB(0, lane), accumulate);
    }
}

__kernel void reorder_to_plain(__global float *y, __global const floatB *x, int n, int c,
                               int pixels, int run, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = (c + B - 1) / B, block = r.plane % blocks, picture = r.plane / blocks;
    if (picture >= n) {
        return;
    }
    const int channels = channels_of(block, c);
    x += r.plane * pixels;
    y += (picture * c + block * B) * pixels;
    int p = r.begin;
#if !RV_GPU_FORM
    const int large = !accumulate && rv_is_large((float)n * (float)c * (float)pixels);
    for (; p + B <= r.end; p += B) {
        floatB v[B];
#pragma unroll
        for (int b = 0; b < B; b++) {
            v[b] = x[p + b];
        }
        rv_transpose(v);
#pragma unroll
        for (int b = 0; b < B; b++) {
            if (b < channels) {
                __global float *to = y + b * pixels + p;
                rv_store_past(accumulate ? vloadB(0, to) + v[b] : v[b], to, large);
            }
        }
    }
#endif
    for (; p < r.end; p++) {
        float lane[B];
        vstoreB(x[p], 0, lane);
        for (int b = 0; b < channels; b++) {
            y[b * pixels + p] = rv_accumulate(y + b * pixels + p, lane[b], accumulate);
        }
    }
}
