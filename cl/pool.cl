/* Largest and mean value of windows, and their gradients. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* In all of these: size = rows and columns of input and output; window = rows, columns, vertical and horizontal
 * stride; pad = top, left, bottom, right. One work-item: all lanes of one pixel of what is written. */

typedef struct place {
    int row, column, plane;
} place;

static inline place place_of(int i, int rows, int columns)
{
    place p;
    p.column = i % columns;
    p.row = i / columns % rows;
    p.plane = i / columns / rows;
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
__kernel void pool_max(__global floatV *y, __global intV *index, __global const floatV *x, int n,
                       int c, int4 size, int4 window, int4 pad)
{
    const place o = place_of(rv_index(), size.s2, size.s3);
    if (o.plane >= n * rv_blocks(c)) {
        return;
    }
    const int top = o.row * window.s2 - pad.s0, left = o.column * window.s3 - pad.s1;
    const int bottom = min(top + window.s0, size.s0), right = min(left + window.s1, size.s1);
    x += o.plane * size.s0 * size.s1;
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
    const int at = (o.plane * size.s2 + o.row) * size.s3 + o.column;
    y[at] = best;
    if (index != 0) {
        index[at] = from;
    }
}

__kernel void pool_max_back(__global floatV *dx, __global const floatV *dy,
                            __global const intV *index, int n, int c, int4 size, int4 window,
                            int4 pad, int accumulate)
{
    const place p = place_of(rv_index(), size.s0, size.s1);
    if (p.plane >= n * rv_blocks(c)) {
        return;
    }
    const int row = p.row + pad.s0, column = p.column + pad.s1;
    const int i_end = last_cover(row, window.s2, size.s2);
    const int j_begin = first_cover(column, window.s1, window.s3);
    const int j_end = last_cover(column, window.s3, size.s3);
    floatV sum = (floatV)(0.0f);
    for (int i = first_cover(row, window.s0, window.s2); i <= i_end; i++) {
        for (int j = j_begin; j <= j_end; j++) {
            const int at = (p.plane * size.s2 + i) * size.s3 + j;
            const int place = (row - i * window.s2) * window.s1 + column - j * window.s3;
            sum += select((floatV)(0.0f), dy[at], index[at] == (intV)(place));
        }
    }
    const int at = (p.plane * size.s0 + p.row) * size.s1 + p.column;
    dx[at] = rv_accumulateV(dx + at, sum, accumulate);
}

/* One by the number of pixels that the mean at output row i, column j is taken over: padding counts if
 * `count_pad`, what lies beyond it never. */
static inline float share_of(int i, int j, int4 size, int4 window, int4 pad, int count_pad)
{
    const int top = i * window.s2 - pad.s0, left = j * window.s3 - pad.s1;
    const int bottom = min(top + window.s0, size.s0 + (count_pad ? pad.s2 : 0));
    const int right = min(left + window.s1, size.s1 + (count_pad ? pad.s3 : 0));
    const int rows = bottom - (count_pad ? top : max(top, 0));
    return 1.0f / (float)(rows * (right - (count_pad ? left : max(left, 0))));
}

__kernel void pool_average(__global floatV *y, __global const floatV *x, int n, int c, int4 size,
                           int4 window, int4 pad, int count_pad)
{
    const place o = place_of(rv_index(), size.s2, size.s3);
    if (o.plane >= n * rv_blocks(c)) {
        return;
    }
    const int top = o.row * window.s2 - pad.s0, left = o.column * window.s3 - pad.s1;
    const int bottom = min(top + window.s0, size.s0), right = min(left + window.s1, size.s1);
    x += o.plane * size.s0 * size.s1;
    floatV sum = (floatV)(0.0f);
    for (int i = max(top, 0); i < bottom; i++) {
        for (int j = max(left, 0); j < right; j++) {
            sum += x[i * size.s1 + j];
        }
    }
    y[(o.plane * size.s2 + o.row) * size.s3 + o.column] =
        sum * share_of(o.row, o.column, size, window, pad, count_pad);
}

__kernel void pool_average_back(__global floatV *dx, __global const floatV *dy, int n, int c,
                                int4 size, int4 window, int4 pad, int count_pad, int accumulate)
{
    const place p = place_of(rv_index(), size.s0, size.s1);
    if (p.plane >= n * rv_blocks(c)) {
        return;
    }
    const int row = p.row + pad.s0, column = p.column + pad.s1;
    const int i_end = last_cover(row, window.s2, size.s2);
    const int j_begin = first_cover(column, window.s1, window.s3);
    const int j_end = last_cover(column, window.s3, size.s3);
    floatV sum = (floatV)(0.0f);
    for (int i = first_cover(row, window.s0, window.s2); i <= i_end; i++) {
        for (int j = j_begin; j <= j_end; j++) {
            sum += dy[(p.plane * size.s2 + i) * size.s3 + j] *
                   share_of(i, j, size, window, pad, count_pad);
        }
    }
    const int at = (p.plane * size.s0 + p.row) * size.s1 + p.column;
    dx[at] = rv_accumulateV(dx + at, sum, accumulate);
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
