/* Convolution of blocked into plain tensors of up to four channels on CPUs: lanes of source channels side by side. */
/* SPDX-License-Identifier: MIT */
#include "conv_rows.clh"

/* Target channels. */
#ifndef KT
#define KT 3
#endif
/* Target pixels of a tile; PX * KT accumulators. */
#ifndef PX
#define PX 8
#endif
/* Source columns from one pixel of a tile to the next. */
#ifndef STEP
#define STEP 1
#endif

/* Packed weights: [unit][tap][KT][B], a unit being a block of source channels. One work-item: B packed values. */
__kernel void conv_cpu_thin_pack(__global floatB *packed, __global const float *weights,
                                 int4 source, int4 target, int4 window, int gradient, int4 work)
{
    const int taps = window.x * window.y, units = (source.y + B - 1) / B;
    const int i = rv_index();
    if (i >= units * taps * KT) {
        return;
    }
    const int k = i % KT, tap = i / KT % taps, unit = i / (KT * taps);
    const int source_per_group = source.y / window.z, target_per_group = target.y / window.z;
    float lane[B];
    for (int b = 0; b < B; b++) {
        const int c = unit * B + b;
        const int joined = c < source.y && c / source_per_group == k / target_per_group;
        lane[b] =
            joined ? weights[conv_weight(c, k, source, target, window, gradient) + tap] : 0.0f;
    }
    packed[work.w + i] = vloadB(0, lane);
}

/* Adds the bias, rectifies, and stores sums[PX][KT]. */
static inline void store(__global float *y, const floatB *sums, __global const float *bias,
                         const row_tile *t, int4 target, int accumulate, float slope)
{
    for (int k = 0; k < KT; k++) {
        const float add = bias != 0 ? bias[k] : 0.0f;
        const int row = ((t->n * KT + k) * target.z + t->row) * target.w;
        for (int p = 0; p < PX; p++) {
            const int column = t->column + p * t->apart;
            if (column < target.w) {
                __global float *to = y + row + column;
                const float value = rv_sum_lanes(sums[p * KT + k]) + add;
                *to = rv_rectify(rv_accumulate(to, value, accumulate), slope);
            }
        }
    }
}

/* sum[PX][KT] += value(p) * w[KT] */
#define MULTIPLY(sum, value, w)                                        \
    _Pragma("unroll") for (int p = 0; p < PX; p++)                     \
    {                                                                  \
        const floatB pixel = (value);                                  \
        _Pragma("unroll") for (int k = 0; k < KT; k++)                 \
        {                                                              \
            (sum)[p * KT + k] = fma(pixel, (w)[k], (sum)[p * KT + k]); \
        }                                                              \
    }

/* One work-item: work.x tiles of PX pixels; packed weights from work.w on. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_thin_gather(__global float *y, __global const floatB *x, __global const floatB *packed,
                     __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                     int4 place, float slope, int4 work, int first_group)
{
    const int units = (source.y + B - 1) / B, plane = source.z * source.w,
              taps = window.x * window.y;
    for (int i = 0; i < work.x; i++) {
        const row_tile t =
            find_row_tile((first_group + (int)get_group_id(0)) * work.x + i, target, step, place, PX);
        if (t.n >= target.x) {
            return;
        }
        floatB sum[PX * KT];
#pragma unroll
        for (int k = 0; k < PX * KT; k++) {
            sum[k] = (floatB)(0.0f);
        }
        for (int s = 0; s < window.y; s++) {
            const int run = row_run(&t, s, source, target, step, place, PX);
            if (run == ROW_NONE) {
                continue;
            }
            int from[PX], mask[PX];
            for (int p = 0; p < PX; p++) {
                const int column = row_column(&t, p, s, source, target, window, step, place);
                from[p] = max(column, 0);
                mask[p] = column < 0 ? 0 : -1;
            }
            for (int r = 0; r < window.x; r++) {
                const int row = conv_row(t.row, r, source, window, step, place);
                if (row < 0) {
                    continue;
                }
                __global const floatB *w = packed + work.w + (r * window.y + s) * KT;
                __global const floatB *a = x + t.n * units * plane + row * source.w;
                if (run >= 0) {
                    a += run;
                    for (int u = 0; u < units; u++) {
                        MULTIPLY(sum, a[p * STEP], w)
                        a += plane;
                        w += taps * KT;
                    }
                    continue;
                }
                for (int u = 0; u < units; u++) {
                    MULTIPLY(sum, as_floatB(((__global const intB *)a)[from[p]] & (intB)(mask[p])),
                             w)
                    a += plane;
                    w += taps * KT;
                }
            }
        }
        floatB sums[PX * KT];
#pragma unroll
        for (int k = 0; k < PX * KT; k++) {
            sums[k] = sum[k];
        }
        store(y, sums, bias, &t, target, place.w, slope);
    }
}
