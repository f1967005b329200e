/* Resizes planes along one axis at a time, by a table of pixels and weights for each output. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"
#include "resize.clh"
#include "transpose.clh"

/* A table of n outputs with `taps` weights each lies in the workspace from `at`, in floats:
 * int [n][2], first pixel and number of pixels; float [n][taps], weights. */
static inline __global int *table_ranges(__global float *workspace, int at)
{
    return (__global int *)(workspace + at);
}
static inline __global float *table_weights(__global float *workspace, int at, int n, int taps,
                                            int i)
{
    return workspace + at + 2 * n + i * taps;
}

static inline long join(int high, int low)
{
    return ((long)high << 32) | (long)(uint)low;
}

/* Table of an axis from `from` to `to` pixels; one work-item: one output.
 * position: start and half a step in fixed point, two words each, the higher first. */
__kernel void resize_table(__global float *workspace, int at, int to, int from, int taps, int reach,
                           int filter, int4 position, float width)
{
    const int i = rv_index();
    if (i >= to) {
        return;
    }
    const long end = ((long)from << RV_RESIZE_FRACTION_BITS) - 1;
    const long centre = min(
        rv_resize_position(join(position.s0, position.s1), join(position.s2, position.s3), i), end);
    const int pixel = rv_resize_pixel(centre);
    const float offset = 0.5f - rv_resize_offset(centre);
    int first = max(pixel - reach, 0), last = min(pixel + reach, from - 1);
    /* `reach` is what any output may need: most need less. */
    while (first < pixel &&
           rv_resize_is_beyond(filter, ((float)(first - pixel) + offset) / width)) {
        first++;
    }
    while (last > pixel && rv_resize_is_beyond(filter, ((float)(last - pixel) + offset) / width)) {
        last--;
    }
    __global float *weight = table_weights(workspace, at, to, taps, i);
    float sum = 0.0f;
    for (int k = first; k <= last; k++) {
        weight[k - first] = rv_resize_weight(filter, ((float)(k - pixel) + offset) / width);
        sum += weight[k - first];
    }
    for (int k = first; k <= last; k++) {
        weight[k - first] /= sum;
    }
    __global int *range = table_ranges(workspace, at) + 2 * i;
    range[0] = first;
    range[1] = last - first + 1;
}

/* The transpose of a table of `from` outputs over `to` pixels: for each pixel the outputs that take it.
 * First and last pixel never fall from one output to the next, so both ends are found by halving. */
__kernel void resize_transpose(__global float *workspace, int at, int to, int taps, int table,
                               int from, int table_taps)
{
    const int k = rv_index();
    if (k >= to) {
        return;
    }
    __global const int *range = table_ranges(workspace, table);
    int begin = 0, end = from;
    while (begin < end) {
        const int i = (begin + end) / 2;
        if (range[2 * i] + range[2 * i + 1] > k) {
            end = i;
        } else {
            begin = i + 1;
        }
    }
    int stop = begin;
    end = from;
    while (stop < end) {
        const int i = (stop + end) / 2;
        if (range[2 * i] > k) {
            end = i;
        } else {
            stop = i + 1;
        }
    }
    __global float *weight = table_weights(workspace, at, to, taps, k);
    for (int i = begin; i < stop; i++) {
        weight[i - begin] = table_weights(workspace, table, from, table_taps, i)[k - range[2 * i]];
    }
    table_ranges(workspace, at)[2 * k] = begin;
    table_ranges(workspace, at)[2 * k + 1] = stop - begin;
}

/* B columns of a row, from rows `columns` apart. */
static inline void resize_rows_vector(__global float *y, __global const float *x,
                                      __global const float *weight, int count, int columns,
                                      int left, int accumulate)
{
    if (left >= B) {
        floatB sum = (floatB)(0.0f);
        for (int t = 0; t < count; t++) {
            sum += weight[t] * vloadB(0, x + t * columns);
        }
        vstoreB(accumulate ? vloadB(0, y) + sum : sum, 0, y);
        return;
    }
    for (int b = 0; b < left; b++) {
        float sum = 0.0f;
        for (int t = 0; t < count; t++) {
            sum += weight[t] * x[t * columns + b];
        }
        y[b] = rv_accumulate(y + b, sum, accumulate);
    }
}

/* What a work-item of resize_rows() takes together: ROWS_TOGETHER rows of outputs, which share most of the rows that they
 * read, and as many vectors side by side as leave registers for the sums. Rows a power of two apart fall on the same
 * few lines of a cache, so that each is worth to be read once. */
#if RV_GPU_FORM
#define ROWS_TOGETHER 1
#else
#define ROWS_TOGETHER (B / 4)
#endif
#define TOGETHER 4

/* Of each row of outputs: its weights, how many there are, and which row it reads first, counted from that of row 0. */
typedef struct row_weights {
    __global const float *weight[ROWS_TOGETHER];
    int begin[ROWS_TOGETHER], count[ROWS_TOGETHER];
    int rows, all; /* rows of outputs that are there, and that any of them reads */
    int fresh;     /* rows that the next work-item reads, and this one does not */
} row_weights;

static inline row_weights weights_of_rows(__global float *workspace, int table, int to, int taps,
                                          int row)
{
    __global const int *range = table_ranges(workspace, table) + 2 * row;
    row_weights w;
    w.rows = min(ROWS_TOGETHER, to - row);
#pragma unroll
    for (int r = 0; r < ROWS_TOGETHER; r++) {
        const int there = min(r, w.rows - 1);
        w.weight[r] = table_weights(workspace, table, to, taps, row + there);
        w.begin[r] = range[2 * there] - range[0];
        w.count[r] = r < w.rows ? range[2 * there + 1] : 0;
        w.all = w.begin[r] + range[2 * there + 1];
    }
    w.fresh = ROWS_TOGETHER > 1 ? w.begin[ROWS_TOGETHER - 1] + w.begin[ROWS_TOGETHER / 4] : 0;
    return w;
}

static inline void resize_rows_vectors(__global float *y, __global const float *x, row_weights w,
                                       int columns, int accumulate, int large)
{
    floatB sum[ROWS_TOGETHER][TOGETHER];
#pragma unroll
    for (int k = 0; k < ROWS_TOGETHER * TOGETHER; k++) {
        sum[k / TOGETHER][k % TOGETHER] = (floatB)(0.0f);
    }
    for (int t = 0; t < w.all; t++) {
        floatB v[TOGETHER];
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) {
            v[k] = vloadB(k, x + t * columns);
            if (t < w.fresh) {
                rv_prefetch(x + (w.all + t) * columns + k * B);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS_TOGETHER; r++) {
            const int at = t - w.begin[r];
            if (at >= 0 && at < w.count[r]) {
                const floatB weight = (floatB)(w.weight[r][at]);
#pragma unroll
                for (int k = 0; k < TOGETHER; k++) {
                    sum[r][k] += weight * v[k];
                }
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS_TOGETHER; r++) {
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) {
            if (r < w.rows) {
                __global float *to = y + r * columns;
                rv_store_past(accumulate ? vloadB(k, to) + sum[r][k] : sum[r][k], to + k * B,
                              large);
            }
        }
    }
}

/* y [planes,to,columns] from x [planes,from,columns]; one work-item: `run` vectors of ROWS_TOGETHER rows.
 * Work runs down in tiles `strip` work-items wide: an output takes rows that lie far apart, and what a tile reads
 * for one output row serves the next. */
__kernel void resize_rows(__global float *y, __global const float *x, __global float *workspace,
                          int y_at, int x_at, int table, int planes, int to, int from, int columns,
                          int taps, int strip, int run, int accumulate)
{
    const int wide = strip * run * B, tiles = (columns + wide - 1) / wide;
    const int high = (to + ROWS_TOGETHER - 1) / ROWS_TOGETHER;
    const int i = rv_index(), row = i / strip % high * ROWS_TOGETHER;
    const int tile = i / strip / high % tiles, plane = i / strip / high / tiles;
    const int begin = tile * wide + i % strip * run * B;
    if (plane >= planes) {
        return;
    }
    const int large = !accumulate && rv_is_large((float)planes * (float)to * (float)columns);
    const row_weights w = weights_of_rows(workspace, table, to, taps, row);
    y += y_at + (plane * to + row) * columns;
    x += x_at + (plane * from + table_ranges(workspace, table)[2 * row]) * columns;
    int column = begin;
    for (; column + TOGETHER * B <= min(begin + run * B, columns); column += TOGETHER * B) {
        resize_rows_vectors(y + column, x + column, w, columns, accumulate, large);
    }
    for (; column < min(begin + run * B, columns); column += B) {
        for (int r = 0; r < w.rows; r++) {
            resize_rows_vector(y + r * columns + column, x + w.begin[r] * columns + column,
                               w.weight[r], w.count[r], columns, columns - column, accumulate);
        }
    }
}

/* One value of a row. */
static inline float resize_value(__global const float *x, __global const float *weight, int count)
{
    floatB sums = (floatB)(0.0f);
    int t = 0;
    for (; t + B <= count; t += B) {
        sums += vloadB(0, weight + t) * vloadB(0, x + t);
    }
    float sum = rv_sum_lanes(sums);
    for (; t < count; t++) {
        sum += weight[t] * x[t];
    }
    return sum;
}

#if RV_GPU_FORM

/* y [rows,to] from x [rows,from]; one work-item: one value. */
__kernel void resize_columns(__global float *y, __global const float *x, __global float *workspace,
                             int y_at, int x_at, int table, int rows, int to, int from, int taps,
                             int run, int accumulate)
{
    const int i = rv_index();
    if (i >= rows * to) {
        return;
    }
    (void)run; /* of CPUs */
    const int column = i % to, row = i / to;
    __global const int *range = table_ranges(workspace, table) + 2 * column;
    y += y_at + i;
    const float v = resize_value(x + x_at + row * from + range[0],
                                 table_weights(workspace, table, to, taps, column), range[1]);
    *y = rv_accumulate(y, v, accumulate);
}

#else

/* Source columns that lie turned about at a time: 16 KiB with B = 16, half of a first-level cache. */
#define TURNED 256

/* turned[k] = column begin + k of B rows from x on, of which `rows` are there; the others are zero. Whole vectors, so
 * some columns more than `count`. */
static inline void turn(floatB *turned, __global const float *x, int rows, int from, int begin,
                        int count)
{
    for (int k = 0; k < count; k += B) {
        const int there = min(B, from - begin - k);
        floatB v[B];
#pragma unroll
        for (int r = 0; r < B; r++) {
            __global const float *at = x + min(r, rows - 1) * from + begin + k;
            if (there == B) {
                v[r] = vloadB(0, at);
                continue;
            }
            float lane[B];
            for (int b = 0; b < B; b++) {
                lane[b] = b < there ? at[b] : 0.0f;
            }
            v[r] = vloadB(0, lane);
        }
        rv_transpose(v);
#pragma unroll
        for (int b = 0; b < B; b++) {
            turned[k + b] = v[b];
        }
    }
}

/* B columns of sums, a row in each lane, to y. */
static inline void turn_back(__global float *y, floatB *sums, int rows, int to, int columns,
                             int accumulate, int large)
{
    rv_transpose(sums);
    for (int r = 0; r < rows; r++) {
        __global float *at = y + r * to;
        if (!large) {
            rv_prefetch_write(at + 4 * B);
        }
        if (columns == B) {
            rv_store_past(accumulate ? vloadB(0, at) + sums[r] : sums[r], at, large);
            continue;
        }
        float lane[B];
        vstoreB(sums[r], 0, lane);
        for (int b = 0; b < columns; b++) {
            at[b] = rv_accumulate(at + b, lane[b], accumulate);
        }
    }
}

/* y [rows,to] from x [rows,from]; one work-item: `run` columns, a multiple of B, of B rows, which lie side by side in
 * vectors once the source is turned about. */
__kernel void resize_columns(__global float *y, __global const float *x, __global float *workspace,
                             int y_at, int x_at, int table, int rows, int to, int from, int taps,
                             int run, int accumulate)
{
    const int i = rv_index(), runs = (to + run - 1) / run;
    const int row = i / runs * B, begin = i % runs * run, end = min(begin + run, to);
    if (row >= rows) {
        return;
    }
    const int n_rows = min(B, rows - row);
    const int large = !accumulate && rv_is_large((float)rows * (float)to);
    __global const int *range = table_ranges(workspace, table);
    const int stop = range[2 * (end - 1)] + range[2 * (end - 1) + 1]; /* of what the run reads */
    floatB turned[TURNED];
    int first = 0, last = 0; /* source columns that lie there */
    y += y_at + row * to;
    x += x_at + row * from;
    for (int column = begin; column < end; column += B) {
        const int columns = min(B, end - column);
        floatB sums[B];
        for (int b = 0; b < B; b++) {
            sums[b] = (floatB)(0.0f);
        }
        for (int b = 0; b < columns; b++) {
            const int start = range[2 * (column + b)], count = range[2 * (column + b) + 1];
            __global const float *weight = table_weights(workspace, table, to, taps, column + b);
            if (count > TURNED) {
                float lane[B];
                for (int r = 0; r < B; r++) {
                    lane[r] = resize_value(x + min(r, n_rows - 1) * from + start, weight, count);
                }
                sums[b] = vloadB(0, lane);
                continue;
            }
            if (start < first || start + count > last) {
                first = start;
                last = min(first + TURNED, stop);
                turn(turned, x, n_rows, from, first, last - first);
            }
            floatB even = (floatB)(0.0f), odd = (floatB)(0.0f);
            int t = 0;
            for (; t + 2 <= count; t += 2) {
                even += weight[t] * turned[start - first + t];
                odd += weight[t + 1] * turned[start - first + t + 1];
            }
            sums[b] = t < count ? even + weight[t] * turned[start - first + t] + odd : even + odd;
        }
        turn_back(y + column, sums, n_rows, to, columns, accumulate, large);
    }
}

#endif
