/* Softmax over the channels of each pixel, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* In both, one work-item: all channels of one pixel, each read before it is written, so that the output may lie
 * over the input. */

static inline float largest_lane(floatV v)
{
    float lane[LANES];
    vstoreV(v, 0, lane);
    float largest = lane[0];
    for (int b = 1; b < LANES; b++) {
        largest = fmax(largest, lane[b]);
    }
    return largest;
}

static inline float sum_lanes(floatV v)
{
    float lane[LANES];
    vstoreV(v, 0, lane);
    float sum = lane[0];
    for (int b = 1; b < LANES; b++) {
        sum += lane[b];
    }
    return sum;
}

/* y = exp(x - max x) / sum exp(x - max x) */
__kernel void softmax_forward(__global floatV *y, __global const floatV *x, int n, int c,
                              int pixels)
{
    const int i = rv_index(), blocks = rv_blocks(c);
    if (i >= n * pixels) {
        return;
    }
    const int at = i / pixels * blocks * pixels + i % pixels;
    floatV most = (floatV)(-INFINITY);
    for (int k = 0; k < blocks; k++) {
        /* Pad lanes are zero: they must not win, nor count below. */
        const intV real = rv_maskV((floatV)(1.0f), k, c) > 0.0f;
        most = fmax(most, select((floatV)(-INFINITY), x[at + k * pixels], real));
    }
    const float top = largest_lane(most);
    floatV sums = (floatV)(0.0f);
    for (int k = 0; k < blocks; k++) {
        sums += rv_maskV(exp(x[at + k * pixels] - top), k, c);
    }
    const float share = 1.0f / sum_lanes(sums);
    for (int k = 0; k < blocks; k++) {
        y[at + k * pixels] = rv_maskV(exp(x[at + k * pixels] - top), k, c) * share;
    }
}

/* dx = y (dy - sum y dy) */
__kernel void softmax_back(__global floatV *dx, __global const floatV *dy, __global const floatV *y,
                           int n, int c, int pixels, int accumulate)
{
    const int i = rv_index(), blocks = rv_blocks(c);
    if (i >= n * pixels) {
        return;
    }
    const int at = i / pixels * blocks * pixels + i % pixels;
    floatV sums = (floatV)(0.0f);
    for (int k = 0; k < blocks; k++) {
        sums += y[at + k * pixels] * dy[at + k * pixels];
    }
    const float mean = sum_lanes(sums);
    for (int k = 0; k < blocks; k++) {
        const int p = at + k * pixels;
        dx[p] = rv_accumulateV(dx + p, y[p] * (dy[p] - mean), accumulate);
    }
}
