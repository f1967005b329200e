/* Convolution in any layout, value by value: for small channel counts, and what both forms share. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* One work-item: one value of the target. source_lanes, target_lanes: B or 1. */
__kernel void conv_direct(__global float *y, __global const float *x, __global const float *weights,
                          __global const float *bias, int4 source, int4 target, int4 window,
                          int4 step, int4 place, int source_lanes, int target_lanes)
{
    const int pixels = target.z * target.w, blocks = (target.y + target_lanes - 1) / target_lanes;
    const int i = rv_index();
    if (i >= target.x * blocks * pixels * target_lanes) {
        return;
    }
    const int pixel = i / target_lanes % pixels, row = pixel / target.w, column = pixel % target.w;
    const int k = i / (target_lanes * pixels) % blocks * target_lanes + i % target_lanes,
              n = i / (target_lanes * pixels * blocks);
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
                sum += x[conv_index(n, c, from, source, source_lanes)] *
                       weights[conv_weight(c, k, source, target, window, place.z) + tap];
            }
        }
    }
    y[i] = rv_accumulate(y + i, sum, place.w);
}

/* Number k (from 0) of the padded positions that may show `at`: its own place, then all of the padding. */
static inline int candidate(int k, int at, int pad, int size)
{
    return k == 0 ? at + pad : k <= pad ? k - 1 : k - 1 + size;
}

/* Gradient of reflecting or replicating: each value sums all places of the padded gradient `x` that show it.
 * target: the picture; padded: rows, columns, pad above, pad left. One work-item: one value, pad lanes included. */
__kernel void conv_fold(__global float *y, __global const float *x, int4 target, int4 padded,
                        int lanes, int mode, int accumulate)
{
    const int pixels = target.z * target.w, blocks = (target.y + lanes - 1) / lanes;
    const int i = rv_index();
    if (i >= target.x * blocks * pixels * lanes) {
        return;
    }
    const int pixel = i / lanes % pixels, row = pixel / target.w, column = pixel % target.w;
    const int plane = i / (lanes * pixels), lane = i % lanes;
    float sum = 0.0f;
    for (int k = 0; k <= padded.x - target.z; k++) {
        const int r = candidate(k, row, padded.z, target.z);
        if (conv_source(r, 0, 1, 1, padded.z, target.z, mode) != row) {
            continue;
        }
        for (int l = 0; l <= padded.y - target.w; l++) {
            const int s = candidate(l, column, padded.w, target.w);
            if (conv_source(s, 0, 1, 1, padded.w, target.w, mode) == column) {
                sum += x[((plane * padded.x + r) * padded.y + s) * lanes + lane];
            }
        }
    }
    y[i] = rv_accumulate(y + i, sum, accumulate);
}
