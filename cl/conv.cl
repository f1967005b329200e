/* Convolution in any layout, value by value: for small channel counts, and what both forms share. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* One work-item: one value of the target. work.x, work.y: lanes of source and target, B or 1. */
__kernel void conv_direct(__global float *y, __global const float *x, __global const float *weights,
                          __global const float *bias, int4 source, int4 target, int4 window,
                          int4 step, int4 place, float slope, int4 work)
{
    const int pixels = target.z * target.w, blocks = (target.y + work.y - 1) / work.y;
    const int i = rv_index();
    if (i >= target.x * blocks * pixels * work.y) {
        return;
    }
    const int pixel = i / work.y % pixels, row = pixel / target.w, column = pixel % target.w;
    const int k = i / (work.y * pixels) % blocks * work.y + i % work.y,
              n = i / (work.y * pixels * blocks);
    if (k >= target.y) {
        y[i] = 0.0f; /* a pad lane */
        return;
    }
    const int per_group = source.y / window.z, first = k / (target.y / window.z) * per_group;
    float sum = bias != 0 ? bias[k] : 0.0f;
    for (int r = 0; r < window.x; r++) {
        const int from_row = conv_row(row, r, source, window, step, place);
        for (int s = 0; s < window.y; s++) {
            const int from_column = conv_column(column, s, source, window, step, place);
            if ((from_row | from_column) < 0) {
                continue;
            }
            const int from = from_row * source.w + from_column, tap = r * window.y + s;
            for (int c = first; c < first + per_group; c++) {
                sum += x[conv_index(n, c, from, source, work.x)] *
                       weights[conv_weight(c, k, source, target, window, place.z) + tap];
            }
        }
    }
    y[i] = rv_rectify(rv_accumulate(y + i, sum, place.w), slope);
}

/* Number k (from 0) of the padded positions that may show `at`: its own place, then all of the padding. */
static inline int candidate(int k, int at, int pad, int size)
{
    return k == 0 ? at + pad : k <= pad ? k - 1 : k - 1 + size;
}

/* Whether row or column `at` shows nowhere but at its own place. */
static inline int shows_once(int at, int pad, int size, int padded)
{
    return at > pad && at < size - 1 - (padded - size - pad);
}

/* The sum of all places of the padded gradient x (its picture and block begin there) that show the pixel. */
static inline float fold_value(__global const float *x, int row, int column, int lane, int4 target,
                               int4 padded, int lanes, int mode)
{
    float sum = 0.0f;
    for (int k = 0; k <= padded.x - target.z; k++) {
        const int r = candidate(k, row, padded.z, target.z);
        if (conv_source(r, 0, 1, 1, padded.z, target.z, mode) != row) {
            continue;
        }
        for (int l = 0; l <= padded.y - target.w; l++) {
            const int s = candidate(l, column, padded.w, target.w);
            if (conv_source(s, 0, 1, 1, padded.w, target.w, mode) == column) {
                sum += x[(r * padded.y + s) * lanes + lane];
            }
        }
    }
    return sum;
}

/* Gradient of reflecting or replicating: each value sums all places of the padded gradient `x` that show it.
 * target: the picture; padded: rows, columns, pad above, pad left. One work-item: B values of a row, pad lanes
 * included. */
__kernel void conv_fold(__global float *y, __global const float *x, int4 target, int4 padded,
                        int lanes, int mode, int accumulate)
{
    const int width = target.w * lanes, parts = (width + B - 1) / B, rows = target.z;
    const int i = rv_index(), first = i % parts * B, row = i / parts % rows,
              plane = i / (parts * rows);
    if (plane >= target.x * ((target.y + lanes - 1) / lanes)) {
        return;
    }
    __global float *to = y + (plane * rows + row) * width;
    const int from = plane * padded.x * padded.y * lanes;
    if (first + B <= width && shows_once(row, padded.z, rows, padded.x) &&
        shows_once(first / lanes, padded.w, target.w, padded.y) &&
        shows_once((first + B - 1) / lanes, padded.w, target.w, padded.y)) {
        const floatB v =
            vloadB(0, x + from + ((row + padded.z) * padded.y + padded.w) * lanes + first);
        vstoreB(accumulate ? vloadB(0, to + first) + v : v, 0, to + first);
        return;
    }
    for (int f = first; f < min(first + B, width); f++) {
        const float v =
            fold_value(x + from, row, f / lanes, f % lanes, target, padded, lanes, mode);
        to[f] = rv_accumulate(to + f, v, accumulate);
    }
}
