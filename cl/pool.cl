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

/* The largest of some values, and the number of the place that it came from. A NaN wins, so that it shows in the end.
 * Filled through a pointer: of a struct that is returned, and inlined, oclgrind does not know what clang says. */
typedef struct largest {
    floatV value;
    intV from;
} largest;

static inline void take(largest *l, floatV v, int place)
{
    const intV better = (v > l->value) | (v != v);
    l->value = select(l->value, v, better);
    l->from = select(l->from, (intV)(place), better);
}

/* Of a window that lies inside whole; rows and columns are known where this is built, so that no loop is left. */
static inline void largest_inside(largest *l, __global const floatV *x, int width, int rows,
                                  int columns)
{
    l->value = x[0];
    l->from = (intV)(0);
#pragma unroll
    for (int i = 0; i < rows; i++) {
#pragma unroll
        for (int j = 0; j < columns; j++) {
            take(l, x[i * width + j], i * columns + j);
        }
    }
}

/* The same without the place: the largest by one instruction a value, and a NaN apart. That is one of the values, not a
 * constant: where no lane takes a constant, processors may read it for nothing, slowly, from a page nothing else touched. */
static inline void largest_value_inside(largest *l, __global const floatV *x, int width, int rows,
                                        int columns)
{
    floatV value = x[0], last_nan = x[0];
#pragma unroll
    for (int i = 0; i < rows; i++) {
#pragma unroll
        for (int j = 0; j < columns; j++) {
            const floatV v = x[i * width + j];
            value = select(value, v, v > value);
            last_nan = select(last_nan, v, v != v);
        }
    }
    l->value = select(value, last_nan, last_nan != last_nan);
    l->from = (intV)(0);
}

/* Of the part of a window from (top, left) on that lies inside. */
static inline void largest_of(largest *l, __global const floatV *x, int top, int left, int4 size,
                              int4 window, int with_place)
{
    const int bottom = min(top + window.s0, size.s0), right = min(left + window.s1, size.s1);
    const int is_inside =
        (top | left) >= 0 && top + window.s0 <= size.s0 && left + window.s1 <= size.s1;
    __global const floatV *first = x + top * size.s1 + left;
    if (is_inside && window.s0 == 2 && window.s1 == 2) {
        if (with_place) {
            largest_inside(l, first, size.s1, 2, 2);
        } else {
            largest_value_inside(l, first, size.s1, 2, 2);
        }
        return;
    }
    if (is_inside && window.s0 == 3 && window.s1 == 3) {
        if (with_place) {
            largest_inside(l, first, size.s1, 3, 3);
        } else {
            largest_value_inside(l, first, size.s1, 3, 3);
        }
        return;
    }
    l->value = (floatV)(-INFINITY);
    l->from = (intV)(0);
    for (int i = max(top, 0); i < bottom; i++) {
        for (int j = max(left, 0); j < right; j++) {
            take(l, x[i * size.s1 + j], (i - top) * window.s1 + j - left);
        }
    }
}

/* Asks for the pixels of a window farther on that are not in the one before it; x: where this window begins. */
static inline void ask_ahead(__global const floatV *x, int width, int4 window)
{
    for (int i = max(window.s0 - window.s2, 0); i < window.s0; i++) {
        for (int j = 0; j < min(window.s3, 2); j++) {
            rv_ahead(x + i * width + j);
        }
    }
}

/* index: which place of its window each value came from, for the gradient; NULL where none is planned. */
__kernel void pool_max(__global floatV *y, __global indexV *index, __global const floatV *x, int n,
                       int c, int4 size, int4 window, int4 pad, int run, int first)
{
    const place o = place_of(rv_index_from(first), size.s2, size.s3, run);
    if (o.plane >= n * rv_blocks(c)) {
        return;
    }
    const int top = o.row * window.s2 - pad.s0;
    x += o.plane * size.s0 * size.s1;
    for (int column = o.column; column < o.end; column++) {
        largest l;
        largest_of(&l, x, top, column * window.s3 - pad.s1, size, window, index != 0);
        const int at = (o.plane * size.s2 + o.row) * size.s3 + column;
        ask_ahead(x + top * size.s1 + column * window.s3, size.s1, window);
        rv_ahead_write(y + at);
        y[at] = l.value;
        if (index != 0) {
            index[at] = convert_indexV(l.from);
        }
    }
}

/* The gradient of window `at`, rectified where `y` is not NULL. */
static inline floatV rectified(__global const floatV *dy, __global const floatV *y, int at,
                               float slope)
{
    return y == 0 ? dy[at] : dy[at] * select((floatV)(slope), (floatV)(1.0f), y[at] > 0.0f);
}

/* The same for its place `from`. */
static inline floatV passed(__global const floatV *dy, __global const floatV *y,
                            __global const indexV *index, int at, int from, float slope)
{
    return select((floatV)(0.0f), rectified(dy, y, at, slope),
                  convert_intV(index[at]) == (intV)(from));
}

/* --- windows of three columns, one or two apart: each is looked at once for all three ------------------------- */

typedef struct three {
    floatV at[3];
} three;

static inline int overlaps_three(int columns, int stride)
{
    return columns == 3 && stride <= 2;
}

/* What three columns have got, seen from the next window's first one. */
static inline three moved(three v, int stride)
{
    const three o = {
        {stride == 1 ? v.at[1] : v.at[2], stride == 1 ? v.at[2] : (floatV)(0.0f), (floatV)(0.0f)}};
    return o;
}

/* `sums` and the gradients of window j of rows top to bottom of windows for its three places in row `row`. */
static inline three with_max_window(three sums, __global const floatV *dy, __global const floatV *y,
                                    __global const indexV *index, int j, int top, int bottom,
                                    int row, int4 size, int4 window, float slope)
{
    if (j < 0 || j >= size.s3) {
        return sums;
    }
    for (int i = top; i <= bottom; i++) {
        const int at = i * size.s3 + j;
        const floatV d = rectified(dy, y, at, slope);
        const intV place = convert_intV(index[at]) - (row - i * window.s2) * 3;
#pragma unroll
        for (int k = 0; k < 3; k++) {
            sums.at[k] += select((floatV)(0.0f), d, place == k);
        }
    }
    return sums;
}

/* A run of a row of dx; dy, y and index: the plane's. */
static inline void max_back_three(__global floatV *dx, __global const floatV *dy,
                                  __global const floatV *y, __global const indexV *index, place p,
                                  int4 size, int4 window, int4 pad, int accumulate, float slope)
{
    const int row = p.row + pad.s0, stride = window.s3;
    const int top = first_cover(row, window.s0, window.s2);
    const int bottom = last_cover(row, window.s2, size.s2);
    const int last = (p.column + pad.s1) / stride;
    three sums = {{(floatV)(0.0f), (floatV)(0.0f), (floatV)(0.0f)}};
    int j = last - 2 / stride;
    for (; j < last; j++) {
        sums = moved(with_max_window(sums, dy, y, index, j, top, bottom, row, size, window, slope),
                     stride);
    }
    sums = with_max_window(sums, dy, y, index, j, top, bottom, row, size, window, slope);
    int at = p.column + pad.s1 - j * stride;
    for (int column = p.column; column < p.end; column++, at++) {
        if (at == stride) {
            at = 0;
            sums = with_max_window(moved(sums, stride), dy, y, index, ++j, top, bottom, row, size,
                                   window, slope);
        }
        dx[column] = rv_accumulateV(dx + column, at == 0 ? sums.at[0] : sums.at[1], accumulate);
    }
}

/* y: the output, where x came out of a rectifier of that slope, before which dx is; its sign is that of the value
 * that was chosen. NULL where the gradient of x itself is meant. */
__kernel void pool_max_back(__global floatV *dx, __global const floatV *dy,
                            __global const floatV *y, __global const indexV *index, int n, int c,
                            int4 size, int4 window, int4 pad, int run, int accumulate, float slope)
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
    dy += p.plane * size.s2 * size.s3;
    index += p.plane * size.s2 * size.s3;
    if (y != 0) {
        y += p.plane * size.s2 * size.s3;
    }
    dx += (p.plane * size.s0 + p.row) * size.s1;
    if (overlaps_three(window.s1, window.s3)) {
        max_back_three(dx, dy, y, index, p, size, window, pad, accumulate, slope);
        return;
    }
    for (int column = p.column; column < p.end; column++) {
        /* Both ends move by at most one output from column to column. */
        const int at_column = column + pad.s1;
        left += at_column - left * window.s3 >= window.s1;
        right += at_column - right * window.s3 >= window.s3;
        const int end = min(right, size.s3 - 1);
        floatV sum = (floatV)(0.0f);
        if (top == bottom && left == end) { /* as for all where windows do not overlap */
            const int at = top * size.s3 + left;
            const int from = (row - top * window.s2) * window.s1 + at_column - left * window.s3;
            sum = passed(dy, y, index, at, from, slope);
        } else {
            for (int i = top; i <= bottom; i++) {
                const int from = (row - i * window.s2) * window.s1 + at_column;
                for (int j = left; j <= end; j++) {
                    sum += passed(dy, y, index, i * size.s3 + j, from - j * window.s3, slope);
                }
            }
        }
        dx[column] = rv_accumulateV(dx + column, sum, accumulate);
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
/* 1 over the places of window (i, j). */
static inline float share_of(int i, int j, int4 size, int4 window, int4 pad, int count_pad)
{
    const int rows = counted(i, size.s0, window.s0, window.s2, pad.s0, pad.s2, count_pad);
    const int columns = counted(j, size.s1, window.s1, window.s3, pad.s1, pad.s3, count_pad);
    return 1.0f / (float)(rows * columns);
}

/* Sum of rows x columns values; both are known where this is built, so that no loop is left. */
static inline floatV sum_of(__global const floatV *x, int width, int rows, int columns)
{
    floatV sum = (floatV)(0.0f);
#pragma unroll
    for (int i = 0; i < rows; i++) {
#pragma unroll
        for (int j = 0; j < columns; j++) {
            sum += x[i * width + j];
        }
    }
    return sum;
}

/* Sum of `rows` x `columns` values, of which there are few kinds. */
static inline floatV sum_any(__global const floatV *x, int width, int rows, int columns)
{
    if (rows == 1 && columns == 1) {
        return x[0];
    }
    if (rows == 2 && columns == 2) {
        return sum_of(x, width, 2, 2);
    }
    if (rows == 3 && columns == 3) {
        return sum_of(x, width, 3, 3);
    }
    floatV sum = (floatV)(0.0f);
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            sum += x[i * width + j];
        }
    }
    return sum;
}

__kernel void pool_average(__global floatV *y, __global const floatV *x, int n, int c, int4 size,
                           int4 window, int4 pad, int count_pad, int run, int start)
{
    const place o = place_of(rv_index_from(start), size.s2, size.s3, run);
    if (o.plane >= n * rv_blocks(c)) {
        return;
    }
    const int first = max(o.row * window.s2 - pad.s0, 0);
    const int rows = min(o.row * window.s2 - pad.s0 + window.s0, size.s0) - first;
    const float whole = 1.0f / (float)(window.s0 * window.s1);
    x += (o.plane * size.s0 + first) * size.s1;
    y += (o.plane * size.s2 + o.row) * size.s3;
    for (int column = o.column; column < o.end; column++) {
        const int begin = column * window.s3 - pad.s1, left = max(begin, 0);
        const int columns = min(begin + window.s1, size.s1) - left;
        const float share = rows == window.s0 && columns == window.s1
                                ? whole
                                : share_of(o.row, column, size, window, pad, count_pad);
        ask_ahead(x + left, size.s1, window);
        rv_ahead_write(y + column);
        y[column] = sum_any(x + left, size.s1, rows, columns) * share;
    }
}

/* First and last window along an axis that lies inside whole. */
static inline int first_whole(int stride, int before)
{
    return (before + stride - 1) / stride;
}
static inline int last_whole(int pixels, int window, int stride, int before)
{
    return pixels + before < window ? -1 : (pixels + before - window) / stride;
}

/* Gradient of each place of window j of rows top to bottom of windows, which lie inside whole; zero where there is none. */
static inline floatV mean_window(__global const floatV *dy, int j, int top, int bottom, int4 size,
                                 int4 window, int4 pad, int count_pad)
{
    const int begin = j * window.s3 - pad.s1;
    floatV sum = (floatV)(0.0f);
    if (j < 0 || j >= size.s3) {
        return sum;
    }
    for (int i = top; i <= bottom; i++) {
        sum += dy[i * size.s3 + j];
    }
    return begin >= 0 && begin + 3 <= size.s1
               ? sum * (1.0f / (float)(3 * window.s0))
               : sum * share_of(top, j, size, window, pad, count_pad);
}

/* As max_back_three(), of rows of windows top to bottom. */
static inline void mean_back_three(__global floatV *dx, __global const floatV *dy, place p, int top,
                                   int bottom, int4 size, int4 window, int4 pad, int count_pad,
                                   int accumulate)
{
    const int stride = window.s3;
    int j = (p.column + pad.s1) / stride, at = p.column + pad.s1 - j * stride;
    floatV before = mean_window(dy, j - 1, top, bottom, size, window, pad, count_pad);
    floatV here = mean_window(dy, j, top, bottom, size, window, pad, count_pad);
    floatV first = (floatV)(0.0f);
    if (stride == 1) {
        first = mean_window(dy, j - 2, top, bottom, size, window, pad, count_pad);
    }
    for (int column = p.column; column < p.end; column++, at++) {
        if (at == stride) {
            at = 0;
            first = before;
            before = here;
            here = mean_window(dy, ++j, top, bottom, size, window, pad, count_pad);
        }
        rv_ahead(dy + bottom * size.s3 + j);
        rv_ahead_write(dx + column);
        floatV sum = here;
        if (stride == 1) {
            sum += before + first;
        } else if (at == 0) {
            sum += before;
        }
        dx[column] = rv_accumulateV(dx + column, sum, accumulate);
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
    const int rows_whole = top >= first_whole(window.s2, pad.s0) &&
                           bottom <= last_whole(size.s0, window.s0, window.s2, pad.s0);
    const int first = first_whole(window.s3, pad.s1);
    const int last = last_whole(size.s1, window.s1, window.s3, pad.s1);
    const float whole = 1.0f / (float)(window.s0 * window.s1);
    int left = first_cover(p.column + pad.s1, window.s1, window.s3);
    int right = (p.column + pad.s1) / window.s3;
    dy += p.plane * size.s2 * size.s3;
    dx += (p.plane * size.s0 + p.row) * size.s1;
    if (rows_whole && overlaps_three(window.s1, window.s3)) {
        mean_back_three(dx, dy, p, top, bottom, size, window, pad, count_pad, accumulate);
        return;
    }
    for (int column = p.column; column < p.end; column++) {
        const int at_column = column + pad.s1;
        left += at_column - left * window.s3 >= window.s1;
        right += at_column - right * window.s3 >= window.s3;
        const int end = min(right, size.s3 - 1);
        floatV sum = (floatV)(0.0f);
        if (rows_whole && left >= first && end <= last) {
            sum = sum_any(dy + top * size.s3 + left, size.s3, bottom - top + 1, end - left + 1) *
                  whole;
        } else {
            for (int i = top; i <= bottom; i++) {
                for (int j = left; j <= end; j++) {
                    sum += dy[i * size.s3 + j] * share_of(i, j, size, window, pad, count_pad);
                }
            }
        }
        dx[column] = rv_accumulateV(dx + column, sum, accumulate);
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
