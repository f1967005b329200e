/* Gradient of a convolution's weights on CPUs where the output is blocked: lanes of output channels side by side. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Source channels side by side: B blocked, 1 plain. */
#ifndef LANES
#define LANES B
#endif
/* Columns whose sums are kept apart, so that enough of them are under way with one lane. */
#define COLUMNS (LANES == 1 ? 8 : 1)

/* Sums of a tap over some output rows. x: the unit in picture 0; dy: the block in picture 0; picture_x, picture_dy:
 * from one picture to the next. sums[COLUMNS][LANES], output channels side by side. */
static inline void sum_tap(floatB *sums, __global const float *x, __global const floatB *dy,
                           int picture_x, int picture_dy, int tap, int first_row, int last_row,
                           int4 source, int4 target, int4 window, int4 step, int4 place)
{
    floatB sum[COLUMNS * LANES];
#pragma unroll
    for (int l = 0; l < COLUMNS * LANES; l++) {
        sum[l] = (floatB)(0.0f);
    }
    for (int j = first_row; j < last_row; j++) {
        const int n = j / target.z, row = j % target.z;
        const int from_row = conv_row(row, tap / window.y, source, window, step, place);
        __global const float *a = x + n * picture_x + from_row * source.w * LANES;
        __global const floatB *d = dy + n * picture_dy + row * target.w;
        for (int column = 0; column < target.w && from_row >= 0; column += COLUMNS) {
#pragma unroll
            for (int q = 0; q < COLUMNS; q++) {
                const int from = column + q < target.w ? conv_column(column + q, tap % window.y,
                                                                     source, window, step, place)
                                                       : -1;
                if (from >= 0) {
#pragma unroll
                    for (int l = 0; l < LANES; l++) {
                        sum[q * LANES + l] =
                            fma((floatB)(a[from * LANES + l]), d[column + q], sum[q * LANES + l]);
                    }
                }
            }
        }
    }
#pragma unroll
    for (int l = 0; l < COLUMNS * LANES; l++) {
        sums[l] = sum[l];
    }
}

/* One work-item: the weights between unit get_group_id(0) of source channels and block get_group_id(1) of output
 * channels, over part get_group_id(2) of all parts of the output rows. partial [parts][K,C/groups,R,S]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_params_weight(__global float *partial, __global const float *x, __global const floatB *dy,
                       int4 source, int4 target, int4 window, int4 step, int4 place, int parts)
{
    const int unit = (int)get_group_id(0), block = (int)get_group_id(1),
              part = (int)get_group_id(2);
    const int taps = window.x * window.y, rows = target.x * target.z;
    const int plane = source.z * source.w * LANES, pixels = target.z * target.w;
    const int per_group = source.y / window.z, targets = target.y / window.z;
    const int first_k = block * B, last_k = min(first_k + B, target.y);
    const int first_c = unit * LANES, last_c = min(first_c + LANES, source.y);
    if (first_k / targets > (last_c - 1) / per_group ||
        first_c / per_group > (last_k - 1) / targets) {
        return; /* no group has channels of both */
    }
    floatB sums[COLUMNS * LANES];
    for (int tap = 0; tap < taps; tap++) {
        sum_tap(sums, x + unit * plane, dy + block * pixels, (source.y + LANES - 1) / LANES * plane,
                (target.y + B - 1) / B * pixels, tap, part * rows / parts,
                (part + 1) * rows / parts, source, target, window, step, place);
        for (int c = first_c; c < last_c; c++) {
            floatB sum = sums[c - first_c];
            for (int q = 1; q < COLUMNS; q++) {
                sum += sums[q * LANES + c - first_c];
            }
            float lane[B];
            vstoreB(sum, 0, lane);
            for (int k = first_k; k < last_k; k++) {
                if (k / targets == c / per_group) {
                    const int weight = (k * per_group + c % per_group) * taps + tap;
                    partial[part * target.y * per_group * taps + weight] = lane[k - first_k];
                }
            }
        }
    }
}
