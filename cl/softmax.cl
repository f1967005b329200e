/* Softmax over the channels of each pixel, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "math.clh"

/* In softmax_forward and softmax_back, one work-item: all channels of one pixel. In all kernels a value is read before
 * it is written, so that the output may lie over the input. */

/* The larger one, `most` where v is NaN, in one instruction where fmax() takes several. */
static inline floatB larger(floatB v, floatB most)
{
    return select(most, v, v > most);
}

static inline float largest_lane(floatB v)
{
#if B == 16
    const float8 w = select(v.hi, v.lo, v.lo > v.hi);
    const float4 u = select(w.hi, w.lo, w.lo > w.hi);
#elif B == 8
    const float4 u = select(v.hi, v.lo, v.lo > v.hi);
#else
    const float4 u = v;
#endif
    return fmax(fmax(u.x, u.z), fmax(u.y, u.w));
}

#if PLAIN
#define largerV          fmax
#define largest_laneV(v) (v)
#define sum_lanesV(v)    (v)
#else
#define largerV       larger
#define largest_laneV largest_lane
#define sum_lanesV    rv_sum_lanes
#endif

/* So many blocks of a pixel stay in registers. */
#define HELD 4

/* Pad lanes are zero: they must not win. */
static inline floatV largest_of(floatV most, floatV x, int block, int c)
{
    return largerV((block + 1) * LANES <= c
                       ? x
                       : select((floatV)(-INFINITY), x, rv_maskV((floatV)(1.0f), block, c) > 0.0f),
                   most);
}

static inline void softmax_held(__global floatV *y, __global const floatV *x, int blocks, int c,
                                int pixels)
{
    floatV v[HELD], most = (floatV)(-INFINITY), sums = (floatV)(0.0f);
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        if (k < blocks) {
            rv_ahead(x + k * pixels);
            rv_ahead_write(y + k * pixels);
            v[k] = x[k * pixels];
            most = largest_of(most, v[k], k, c);
        }
    }
    const float top = largest_laneV(most);
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        if (k < blocks) {
            v[k] = rv_maskV(rv_expV(v[k] - top), k, c);
            sums += v[k];
        }
    }
    const float share = 1.0f / sum_lanesV(sums);
#pragma unroll
    for (int k = 0; k < HELD; k++) {
        if (k < blocks) {
            y[k * pixels] = v[k] * share;
        }
    }
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
    if (blocks <= HELD) {
        softmax_held(y + at, x + at, blocks, c, pixels);
        return;
    }
    floatV most = (floatV)(-INFINITY);
    for (int k = 0; k < blocks; k++) {
        most = largest_of(most, x[at + k * pixels], k, c);
    }
    const float top = largest_laneV(most);
    floatV sums = (floatV)(0.0f);
    for (int k = 0; k < blocks; k++) {
        const floatV power = rv_maskV(rv_expV(x[at + k * pixels] - top), k, c);
        sums += power;
        y[at + k * pixels] = power;
    }
    const float share = 1.0f / sum_lanesV(sums);
    for (int k = 0; k < blocks; k++) {
        y[at + k * pixels] *= share;
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
    const float mean = sum_lanesV(sums);
    for (int k = 0; k < blocks; k++) {
        const int p = at + k * pixels;
        dx[p] = rv_accumulateV(dx + p, y[p] * (dy[p] - mean), accumulate);
    }
}

/* --- rows of c values, the plain layout with one pixel ------------------------------------------------------ */

/* B values of a row from `at` on, `other` beyond its end. */
static inline floatB load_row(__global const float *row, int at, int c, float other)
{
    if (at + B <= c) {
        return vloadB(0, row + at);
    }
    float lane[B];
    for (int b = 0; b < B; b++) {
        lane[b] = at + b < c ? row[at + b] : other;
    }
    return vloadB(0, lane);
}

static inline void store_row(__global float *row, int at, int c, floatB v)
{
    if (at + B <= c) {
        vstoreB(v, 0, row + at);
        return;
    }
    float lane[B];
    vstoreB(v, 0, lane);
    for (int b = 0; at + b < c; b++) {
        row[at + b] = lane[b];
    }
}

/* As softmax_forward. One work-item: one row. */
__kernel void softmax_rows(__global float *y, __global const float *x, int n, int c)
{
    const int i = rv_index();
    if (i >= n) {
        return;
    }
    y += i * c;
    x += i * c;
    floatB most = (floatB)(-INFINITY), sums = (floatB)(0.0f);
    for (int k = 0; k < c; k += B) {
        most = larger(load_row(x, k, c, -INFINITY), most);
    }
    const float top = largest_lane(most);
    for (int k = 0; k < c; k += B) {
        const floatB power = rv_expB(load_row(x, k, c, -INFINITY) - top);
        sums += power;
        store_row(y, k, c, power);
    }
    const float share = 1.0f / rv_sum_lanes(sums);
    for (int k = 0; k < c; k += B) {
        store_row(y, k, c, load_row(y, k, c, 0.0f) * share);
    }
}

/* As softmax_back. One work-item: one row. */
__kernel void softmax_rows_back(__global float *dx, __global const float *dy,
                                __global const float *y, int n, int c, int accumulate)
{
    const int i = rv_index();
    if (i >= n) {
        return;
    }
    dx += i * c;
    dy += i * c;
    y += i * c;
    floatB sums = (floatB)(0.0f);
    for (int k = 0; k < c; k += B) {
        sums += load_row(y, k, c, 0.0f) * load_row(dy, k, c, 0.0f);
    }
    const float mean = rv_sum_lanes(sums);
    for (int k = 0; k < c; k += B) {
        const floatB v = load_row(y, k, c, 0.0f) * (load_row(dy, k, c, 0.0f) - mean);
        store_row(dx, k, c, accumulate ? load_row(dx, k, c, 0.0f) + v : v);
    }
}
