/* Resizes planes along one axis at a time, by a table of pixels and weights for each output. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"
#include "resize.clh"

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
    const int first = max(pixel - reach, 0), last = min(pixel + reach, from - 1);
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

/* y [planes,to,columns] from x [planes,from,columns]; one work-item: B columns of one row.
 * Work runs down in tiles `strip` vectors wide: an output takes rows that lie far apart, and what a tile reads
 * for one output row serves the next. */
__kernel void resize_rows(__global float *y, __global const float *x, __global float *workspace,
                          int y_at, int x_at, int table, int planes, int to, int from, int columns,
                          int taps, int strip, int accumulate)
{
    const int tiles = (columns + B * strip - 1) / (B * strip);
    const int i = rv_index();
    const int row = i / strip % to, tile = i / strip / to % tiles, plane = i / strip / to / tiles;
    const int column = (tile * strip + i % strip) * B;
    if (plane >= planes || column >= columns) {
        return;
    }
    const int first = table_ranges(workspace, table)[2 * row];
    const int count = table_ranges(workspace, table)[2 * row + 1];
    __global const float *weight = table_weights(workspace, table, to, taps, row);
    y += y_at + (plane * to + row) * columns + column;
    x += x_at + (plane * from + first) * columns + column;
    if (column + B <= columns) {
        floatB sum = (floatB)(0.0f);
        for (int t = 0; t < count; t++) {
            sum += weight[t] * vloadB(0, x + t * columns);
        }
        vstoreB(accumulate ? vloadB(0, y) + sum : sum, 0, y);
        return;
    }
    for (int b = 0; column + b < columns; b++) {
        float sum = 0.0f;
        for (int t = 0; t < count; t++) {
            sum += weight[t] * x[t * columns + b];
        }
        y[b] = rv_accumulate(y + b, sum, accumulate);
    }
}

/* y [rows,to] from x [rows,from]; one work-item: one value. */
__kernel void resize_columns(__global float *y, __global const float *x, __global float *workspace,
                             int y_at, int x_at, int table, int rows, int to, int from, int taps,
                             int accumulate)
{
    const int i = rv_index();
    if (i >= rows * to) {
        return;
    }
    const int column = i % to, row = i / to;
    const int first = table_ranges(workspace, table)[2 * column];
    const int count = table_ranges(workspace, table)[2 * column + 1];
    __global const float *weight = table_weights(workspace, table, to, taps, column);
    y += y_at + i;
    x += x_at + row * from + first;
    floatB sums = (floatB)(0.0f);
    int t = 0;
    for (; t + B <= count; t += B) {
        sums += vloadB(0, weight + t) * vloadB(0, x + t);
    }
    float sum = rv_sum_lanes(sums);
    for (; t < count; t++) {
        sum += weight[t] * x[t];
    }
    *y = rv_accumulate(y, sum, accumulate);
}
