/* Largest and mean value of windows, and their gradients. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* Which place of its window a value came from: a byte where windows have at most 256 places. */
#ifndef WIDE_INDEX
#define WIDE_INDEX 0
#endif
#if WIDE_INDEX
#define indexV intV
#define convert_indexV
#elif PLAIN
#define indexV         uchar
#define convert_indexV convert_uchar
#else
#define indexV         RV_PASTE(uchar, B)
#define convert_indexV RV_PASTE(convert_uchar, B)
#endif

/* In all of these: size = rows and columns of input and output; window = rows, columns, vertical and horizontal
 * stride; pad = top, left, bottom, right. One work-item: all lanes of `run` neighbours of what is written, one on
 * GPUs, and on CPUs several, so that few places have to be computed by division. */

typedef struct place {
    int row, column, end, plane;
} place;

static inline place place_of(int i, int rows, int columns, int run)
{
    const int runs = (columns + run - 1) / run;
    place p;
    p.column = i % runs * run;
    p.end = min(p.column + run, columns);
    p.row = i / runs % rows;
    p.plane = i / runs / rows;
    return p;
}

/* First and last output whose window covers position `at` (which counts padding) along one axis. */
static inline int first_cover(int at, int window, int stride)
{
    return at < window ? 0 : (at - window) / stride + 1;
}
static inline int last_cover(int at, int stride, int outputs)
{
    return min(at / stride, outputs - 1);
}

/* index: which place of its window each value came from, for the gradient; NULL where none is planned.
 * A NaN wins, so that it shows in the end. */
__kernel void pool_max(__global floatV *y, __global indexV *index, __global const floatV *x, int n,
                       int c, int4 size, int4 window, int4 pad, int run)
{
    const place o = place_of(rv_index(), size.s2, size.s3, run);
    if (o.plane >= n * rv_blocks(c)) {
        return;
    }
    const int top = o.row * window.s2 - pad.s0, bottom = min(top + window.s0, size.s0);
    x += o.plane * size.s0 * size.s1;
    for (int column = o.column; column < o.end; column++) {
        const int left = column * window.s3 - pad.s1, right = min(left + window.s1, size.s1);
        floatV best = (floatV)(-INFINITY);
        intV from = (intV)(0);
        for (int i = max(top, 0); i < bottom; i++) {
            for (int j = max(left, 0); j < right; j++) {
                const floatV v = x[i * size.s1 + j];
                const intV better = (v > best) | (v != v);
                best = select(best, v, better);
                from = select(from, (intV)((i - top) * window.s1 + j - left), better);
            }
        }
        const int at = (o.plane * size.s2 + o.row) * size.s3 + column;
        y[at] = best;
        if (index != 0) {
            index[at] = convert_indexV(from);
        }
    }
}

__kernel void pool_max_back(__global floatV *dx, __global const floatV *dy,
                            __global const indexV *index, int n, int c, int4 size, int4 window,
                            int4 pad, int run, int accumulate)
{
    const place p = place_of(rv_index(), size.s0, size.s1, run);
    if (p.plane >= n * rv_blocks(c)) {
        return;
    }
    const int row = p.row + pad.s0;
    const int top = first_cover(row, window.s0, window.s2);
    const int bottom = last_cover(row, window.s2, size.s2);
    int left = first_cover(p.column + pad.s1, window.s1, window.s3);
    int right = (p.column + pad.s1) / window.s3;
    for (int column = p.column; column < p.end; column++) {
        /* Both ends move by at most one output from column to column. */
        const int at_column = column + pad.s1;
        left += at_column - left * window.s3 >= window.s1;
        right += at_column - right * window.s3 >= window.s3;
        floatV sum = (floatV)(0.0f);
        for (int i = top; i <= bottom; i++) {
            for (int j = left; j <= min(right, size.s3 - 1); j++) {
                const int at = (p.plane * size.s2 + i) * size.s3 + j;
                const int from = (row - i * window.s2) * window.s1 + at_column - j * window.s3;
                sum += select((floatV)(0.0f), dy[at], convert_intV(index[at]) == (intV)(from));
            }
        }
        const int at = (p.plane * size.s0 + p.row) * size.s1 + column;
        dx[at] = rv_accumulateV(dx + at, sum, accumulate);
    }
}

/* Places that the mean of window i is taken over along one axis: padding counts if `count_pad`, what lies
 * beyond it never. */
static inline int counted(int i, int pixels, int window, int stride, int before, int after,
                          int count_pad)
{
    const int begin = i * stride - before;
    return count_pad ? min(begin + window, pixels + after) - begin
                     : min(begin + window, pixels) - max(begin, 0);
}
static inline int counted_rows(int i, int4 size, int4 window, int4 pad, int count_pad)
{
    return counted(i, size.s0, window.s0, window.s2, pad.s0, pad.s2, count_pad);
}
static inline int counted_columns(int j, int4 size, int4 window, int4 pad, int count_pad)
{
    return counted(j, size.s1, window.s1, window.s3, pad.s1, pad.s3, count_pad);
}

__kernel void pool_average(__global floatV *y, __global const floatV *x, int n, int c, int4 size,
                           int4 window, int4 pad, int count_pad, int run)
{
    const place o = place_of(rv_index(), size.s2, size.s3, run);
    if (o.plane >= n * rv_blocks(c)) {
        return;
    }
    const int top = o.row * window.s2 - pad.s0, bottom = min(top + window.s0, size.s0);
    const int rows = counted_rows(o.row, size, window, pad, count_pad);
    x += o.plane * size.s0 * size.s1;
    for (int column = o.column; column < o.end; column++) {
        const int left = column * window.s3 - pad.s1, right = min(left + window.s1, size.s1);
        const int places = rows * counted_columns(column, size, window, pad, count_pad);
        floatV sum = (floatV)(0.0f);
        for (int i = max(top, 0); i < bottom; i++) {
            for (int j = max(left, 0); j < right; j++) {
                sum += x[i * size.s1 + j];
            }
        }
        y[(o.plane * size.s2 + o.row) * size.s3 + column] = sum * (1.0f / (float)places);
    }
}

__kernel void pool_average_back(__global floatV *dx, __global const floatV *dy, int n, int c,
                                int4 size, int4 window, int4 pad, int count_pad, int run,
                                int accumulate)
{
    const place p = place_of(rv_index(), size.s0, size.s1, run);
    if (p.plane >= n * rv_blocks(c)) {
        return;
    }
    const int row = p.row + pad.s0;
    const int top = first_cover(row, window.s0, window.s2);
    const int bottom = last_cover(row, window.s2, size.s2);
    int left = first_cover(p.column + pad.s1, window.s1, window.s3);
    int right = (p.column + pad.s1) / window.s3;
    for (int column = p.column; column < p.end; column++) {
        const int at_column = column + pad.s1;
        left += at_column - left * window.s3 >= window.s1;
        right += at_column - right * window.s3 >= window.s3;
        floatV sum = (floatV)(0.0f);
        for (int i = top; i <= bottom; i++) {
            const int rows = counted_rows(i, size, window, pad, count_pad);
            for (int j = left; j <= min(right, size.s3 - 1); j++) {
                const int places = rows * counted_columns(j, size, window, pad, count_pad);
                sum += dy[(p.plane * size.s2 + i) * size.s3 + j] * (1.0f / (float)places);
            }
        }
        const int at = (p.plane * size.s0 + p.row) * size.s1 + column;
        dx[at] = rv_accumulateV(dx + at, sum, accumulate);
    }
}

/* Mean of whole planes: sums of `parts` shares, parts [n * blocks, parts], then the mean of those. */
__kernel void pool_global_parts(__global floatV *sums, __global const floatV *x, int n, int c,
                                int pixels, int parts)
{
    const int i = rv_index(), plane = i / parts;
    if (plane >= n * rv_blocks(c)) {
        return;
    }
    const rv_share share = rv_share_of(i % parts, parts, pixels);
    floatV sum = (floatV)(0.0f);
    for (int p = share.begin; p < share.end; p += share.step) {
        sum += x[plane * pixels + p];
    }
    sums[i] = sum;
}

__kernel void pool_global(__global floatV *y, __global const floatV *sums, int n, int c, int pixels,
                          int parts)
{
    const int plane = rv_index();
    if (plane >= n * rv_blocks(c)) {
        return;
    }
    floatV sum = (floatV)(0.0f);
    for (int p = 0; p < parts; p++) {
        sum += sums[plane * parts + p];
    }
    y[plane] = sum / (float)pixels;
}
