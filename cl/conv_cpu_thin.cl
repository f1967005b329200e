/* Convolution of blocked into plain tensors of up to four channels on CPUs: lanes of source channels side by side. */
/* SPDX-License-Identifier: MIT */
#include "conv_rows.clh"
#include "transpose.clh"

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
/* Stride of rows and columns, where both are the same: a gradient divides by it for each tap. 0: it is asked for. */
#ifndef STRIDE
#define STRIDE 0
#endif
/* Sums of a tile, in whole sets of B. */
#define ALL ((PX * KT + B - 1) / B * B)

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

/* w[0..N-1] = sums of halves of two vectors each, woven as rv_transpose() does it. */
#define ADD_HALVES(w, N)                                                         \
    _Pragma("unroll") for (int i = 0; i < (N); i++)                              \
    {                                                                            \
        w[i] = RV_WEAVE_LOW(w[i], w[i + (N)]) + RV_WEAVE_HIGH(w[i], w[i + (N)]); \
    }

/* Sums of all lanes of B vectors, vector i's in lane i. */
static inline floatB sum_each(const floatB *v)
{
    floatB w[B];
#pragma unroll
    for (int i = 0; i < B; i++) {
        w[i] = v[i];
    }
#if B == 16
    ADD_HALVES(w, 8)
#endif
#if B >= 8
    ADD_HALVES(w, 4)
#endif
    ADD_HALVES(w, 2)
    ADD_HALVES(w, 1)
    return w[0];
}

/* Adds the bias, rectifies, and stores sums[PX][KT], followed by zeros up to a multiple of B vectors. */
static inline void store(__global float *y, const floatB *sums, __global const float *bias,
                         const row_tile *t, int4 target, int accumulate, float slope)
{
    float values[ALL];
#pragma unroll
    for (int i = 0; i < ALL; i += B) {
        vstoreB(sum_each(sums + i), 0, values + i);
    }
    const bool is_whole = t->column + (PX - 1) * t->apart < target.w;
    for (int k = 0; k < KT; k++) {
        __global float *to = y + ((t->n * KT + k) * target.z + t->row) * target.w + t->column;
        if (is_whole && bias == 0 && !accumulate && slope == 1.0f) {
            for (int p = 0; p < PX; p++) {
                to[p * t->apart] = values[p * KT + k];
            }
            continue;
        }
        const float add = bias != 0 ? bias[k] : 0.0f;
        for (int p = 0; p < PX && t->column + p * t->apart < target.w; p++) {
            const float value = values[p * KT + k] + add;
            to[p * t->apart] =
                rv_rectify(rv_accumulate(to + p * t->apart, value, accumulate), slope);
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

/* Rows of the window, up to ROWS from one on, that meet the source: their taps, and the rows that they meet. */
#define ROWS 16
typedef struct rows {
    int n, tap[ROWS], from[ROWS];
} rows;

static inline void find_rows(rows *f, int row, int first, int4 source, int4 window, int4 by,
                             int4 place)
{
    f->n = 0;
    for (int r = first; r < min(first + ROWS, window.x); r++) {
        const int from = conv_row(row, r, source, window, by, place);
        if (from >= 0) {
            f->tap[f->n] = r;
            f->from[f->n++] = from;
        }
    }
}

/* One work-item: work.x tiles of PX pixels; packed weights from work.w on. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_thin_gather(__global float *y, __global const floatB *x, __global const floatB *packed,
                     __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                     int4 place, float slope, int4 work, int first_group)
{
    const int units = (source.y + B - 1) / B, plane = source.z * source.w,
              taps = window.x * window.y;
    const int4 by = STRIDE > 0 ? (int4)(STRIDE, STRIDE, step.z, step.w) : step;
    row_tile t =
        find_row_tile((first_group + (int)get_group_id(0)) * work.x, target, by, place, PX);
    for (int i = 0; i < work.x && t.n < target.x; i++) {
        floatB sum[PX * KT];
#pragma unroll
        for (int k = 0; k < PX * KT; k++) {
            sum[k] = (floatB)(0.0f);
        }
        for (int first = 0; first < window.x; first += ROWS) {
            rows f;
            find_rows(&f, t.row, first, source, window, by, place);
            for (int s = 0; s < window.y; s++) {
                const int run = row_run(&t, s, source, target, by, place, PX);
                if (run == ROW_NONE) {
                    continue;
                }
                int from[PX], mask[PX];
                for (int p = 0; p < PX && run < 0; p++) {
                    const int column = row_column(&t, p, s, source, target, window, by, place);
                    from[p] = max(column, 0);
                    mask[p] = column < 0 ? 0 : -1;
                }
                for (int r = 0; r < f.n; r++) {
                    __global const floatB *w = packed + work.w + (f.tap[r] * window.y + s) * KT;
                    __global const floatB *a = x + t.n * units * plane + f.from[r] * source.w;
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
                        MULTIPLY(sum,
                                 as_floatB(((__global const intB *)a)[from[p]] & (intB)(mask[p])),
                                 w)
                        a += plane;
                        w += taps * KT;
                    }
                }
            }
        }
        floatB sums[ALL];
#pragma unroll
        for (int k = 0; k < PX * KT; k++) {
            sums[k] = sum[k];
        }
        for (int k = PX * KT; k < ALL; k++) {
            sums[k] = (floatB)(0.0f);
        }
        store(y, sums, bias, &t, target, place.w, slope);
        t = next_row_tile(t, target, PX);
    }
}
