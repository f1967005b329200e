/* Convolution channel by channel on CPUs, groups of one channel each: forward and both gradients. */
/* SPDX-License-Identifier: MIT */
#include "conv_bias.clh"
#include "conv_rows.clh"

#define as_floatB RV_PASTE(as_float, B)

/* Target pixels of a tile. */
#define PX 8
/* Source columns from one pixel of a tile to the next. */
#ifndef STEP
#define STEP 1
#endif
/* Columns whose sums are kept apart, so that enough of them are under way. */
#define APART 4

/* Packed weights: [block][tap][B]. One work-item: B packed values. */
__kernel void conv_cpu_depthwise_pack(__global floatB *packed, __global const float *weights,
                                      int4 source, int4 target, int4 window, int gradient,
                                      int4 work)
{
    const int taps = window.x * window.y, i = rv_index();
    const int tap = i % taps, block = i / taps;
    (void)gradient;
    if (block >= (target.y + B - 1) / B) {
        return;
    }
    float lane[B];
    for (int b = 0; b < B; b++) {
        const int c = block * B + b;
        lane[b] = c < source.y ? weights[c * taps + tap] : 0.0f;
    }
    packed[work.w + i] = vloadB(0, lane);
}

/* sum[PX] += window * source around a tile of a row; x is the plane of the source. */
static inline void sum_tile(floatB *sum, __global const floatB *x, __global const floatB *weights,
                            const row_tile *t, int4 source, int4 target, int4 window, int4 step,
                            int4 place)
{
    for (int s = 0; s < window.y; s++) {
        const int run = row_run(t, s, source, target, step, place, PX);
        int from[PX], mask[PX];
        for (int p = 0; p < PX && run == ROW_MIXED; p++) {
            const int column = row_column(t, p, s, source, target, window, step, place);
            from[p] = max(column, 0);
            mask[p] = column < 0 ? 0 : -1;
        }
        for (int r = 0; r < window.x && run != ROW_NONE; r++) {
            const int row = conv_row(t->row, r, source, window, step, place);
            const floatB w = weights[r * window.y + s];
            __global const floatB *a = x + max(row, 0) * source.w;
            if (row < 0) {
                continue;
            }
            if (run >= 0) {
#pragma unroll
                for (int p = 0; p < PX; p++) {
                    sum[p] = fma(a[run + p * STEP], w, sum[p]);
                }
                continue;
            }
#pragma unroll
            for (int p = 0; p < PX; p++) {
                const floatB value =
                    as_floatB(((__global const intB *)a)[from[p]] & (intB)(mask[p]));
                sum[p] = fma(value, w, sum[p]);
            }
        }
    }
}

/* The same where all columns of the window meet the source, `turn` apart from column `first` on. */
static inline void sum_inner_tile(floatB *sums, __global const floatB *x,
                                  __global const floatB *weights, int first, int turn, int at,
                                  int4 source, int4 window, int4 step, int4 place)
{
    floatB sum[PX];
#pragma unroll
    for (int p = 0; p < PX; p++) {
        sum[p] = (floatB)(0.0f);
    }
    for (int r = 0; r < window.x; r++) {
        const int row = conv_row(at, r, source, window, step, place);
        __global const floatB *a = x + row * source.w + first;
        for (int s = 0; s < window.y && row >= 0; s++) {
            const floatB w = weights[r * window.y + s];
#pragma unroll
            for (int p = 0; p < PX; p++) {
                sum[p] = fma(a[p * STEP], w, sum[p]);
            }
            a += turn;
        }
    }
#pragma unroll
    for (int p = 0; p < PX; p++) {
        sums[p] = sum[p];
    }
}

/* One work-item: work.x rows of planes, these being blocks of channels of all pictures; packed weights from work.w
 * on. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_depthwise_gather(__global floatB *y, __global const floatB *x,
                          __global const floatB *packed, __global const float *bias, int4 source,
                          int4 target, int4 window, int4 step, int4 place, float slope, int4 work,
                          int first_group)
{
    const int blocks = (target.y + B - 1) / B, rows = target.x * blocks * target.z;
    const int apart = place.z ? step.y : 1, across = row_tiles_across(target, apart, PX);
    const int turn = place.z ? -step.w : step.w;
    const int first = (first_group + (int)get_group_id(0)) * work.x;
    for (int i = first; i < min(first + work.x, rows); i++) {
        const int plane = i / target.z, block = plane % blocks;
        const floatB add = conv_bias(bias, block, target.y);
        __global const floatB *from = x + plane * source.z * source.w;
        __global const floatB *weights = packed + work.w + block * window.x * window.y;
        __global floatB *to = y + i * target.w;
        for (int k = 0; k < across; k++) {
            const row_tile t = {plane, i % target.z, row_tile_column(k, apart, PX), apart, k};
            const int run = row_run(&t, 0, source, target, step, place, PX);
            const int last = row_run(&t, window.y - 1, source, target, step, place, PX);
            floatB sum[PX];
            if (apart == 1 && run >= 0 && last >= 0) {
                sum_inner_tile(sum, from, weights, run, turn, t.row, source, window, step, place);
            } else {
#pragma unroll
                for (int p = 0; p < PX; p++) {
                    sum[p] = (floatB)(0.0f);
                }
                sum_tile(sum, from, weights, &t, source, target, window, step, place);
            }
#pragma unroll
            for (int p = 0; p < PX; p++) {
                const int column = t.column + p * apart;
                if (column < target.w) {
                    to[column] =
                        rv_rectifyB(rv_accumulateB(to + column, sum[p] + add, place.w), slope);
                }
            }
        }
    }
}

/* Sum over the columns of some output rows of one tap. x, dy: a plane of each picture, picture_x and picture_dy apart. */
static inline floatB sum_rows(__global const floatB *x, __global const floatB *dy, int picture_x,
                              int picture_dy, int tap, int first, int last, int4 source,
                              int4 target, int4 window, int4 step, int4 place)
{
    const int s = tap % window.y, before = place.y - s * step.w;
    const int end = source.w - 1 + before;
    /* Columns that meet the source without padding. */
    const int from = before > 0 ? min((before + step.y - 1) / step.y, target.w) : 0;
    const int to = max(from, end < 0 ? 0 : min(end / step.y + 1, target.w));
    floatB sum[APART];
#pragma unroll
    for (int i = 0; i < APART; i++) {
        sum[i] = (floatB)(0.0f);
    }
    for (int at = first; at < last; at++) {
        const int n = at / target.z, row = at % target.z;
        const int from_row = conv_row(row, tap / window.y, source, window, step, place);
        __global const floatB *a = x + n * picture_x + from_row * source.w;
        __global const floatB *d = dy + n * picture_dy + row * target.w;
        int column = from_row < 0 ? target.w : from;
        for (; column + APART <= to; column += APART) {
#pragma unroll
            for (int i = 0; i < APART; i++) {
                sum[i] = fma(a[(column + i) * step.y - before], d[column + i], sum[i]);
            }
        }
        for (; column < to; column++) {
            sum[0] = fma(a[column * step.y - before], d[column], sum[0]);
        }
        column = from_row < 0 || window.w == CONV_PAD_ZERO ? target.w : 0;
        for (; column < target.w; column++) {
            if (column < from || column >= to) {
                sum[0] =
                    fma(a[conv_column(column, s, source, window, step, place)], d[column], sum[0]);
            }
        }
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Gradient of the weights: one work-item does a block of channels, over part get_group_id(2) of work.x parts of the
 * output rows, work.y of them at a time. partial [parts][blocks][tap][B], and from bias_at on, unless that is below 0, sums
 * for the bias, [parts][blocks][B]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_depthwise_weight(__global floatB *partial, __global const floatB *x,
                          __global const floatB *dy, int4 source, int4 target, int4 window,
                          int4 step, int4 place, int4 work, int first_part, int bias_at)
{
    const int block = (int)get_group_id(0), part = first_part + (int)get_group_id(2);
    const int blocks = (target.y + B - 1) / B, taps = window.x * window.y;
    const int rows = target.x * target.z, end = (part + 1) * rows / work.x;
    const int plane_x = source.z * source.w, plane_dy = target.z * target.w;
    __global floatB *sums = partial + (part * blocks + block) * taps;
    for (int tap = 0; tap < taps; tap++) {
        sums[tap] = (floatB)(0.0f);
    }
    floatB bias = (floatB)(0.0f);
    for (int first = part * rows / work.x; first < end; first += work.y) {
        const int last = min(first + work.y, end);
        for (int tap = 0; tap < taps; tap++) {
            sums[tap] +=
                sum_rows(x + block * plane_x, dy + block * plane_dy, blocks * plane_x,
                         blocks * plane_dy, tap, first, last, source, target, window, step, place);
        }
        if (bias_at >= 0) {
            bias += conv_sum_rows(dy + block * plane_dy, blocks * plane_dy, first, last, target);
        }
    }
    if (bias_at >= 0) {
        partial[bias_at + part * blocks + block] = bias;
    }
}

/* gradient (+)= sum of the parts, in their order. One work-item: one block and tap. */
__kernel void conv_cpu_depthwise_sum(__global float *gradient, __global const floatB *partial,
                                     int4 source, int4 target, int4 window, int4 work,
                                     int accumulate)
{
    const int blocks = (target.y + B - 1) / B, taps = window.x * window.y;
    const int i = rv_index(), tap = i % taps, block = i / taps;
    if (block >= blocks) {
        return;
    }
    floatB sum = (floatB)(0.0f);
    for (int part = 0; part < work.x; part++) {
        sum += partial[part * blocks * taps + i];
    }
    float lane[B];
    vstoreB(sum, 0, lane);
    for (int b = 0; b < B && block * B + b < source.y; b++) {
        __global float *to = gradient + (block * B + b) * taps + tap;
        *to = rv_accumulate(to, lane[b], accumulate);
    }
}
