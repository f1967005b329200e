/* Total variation of pictures, sums of differences between neighbours, and its gradient.
 *
 * A tensor is seen as rows of `width` floats in planes of `height` rows, in which the neighbour to the right is
 * `lanes` floats away: 1 in the plain layout, B in the blocked one, whose pad lanes differ by nothing. A row is
 * read in `columns` vectors of B, the last one perhaps in part. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* 1: absolute differences, 0: squared ones */
#ifndef L1
#define L1 0
#endif

static inline floatB measure(floatB d)
{
#if L1
    return fabs(d);
#else
    return d * d;
#endif
}

/* Derivative of measure(). sign(0) is 0. */
static inline floatB slope(floatB d)
{
#if L1
    return sign(d);
#else
    return 2.0f * d;
#endif
}

/* Neighbours of vector `column` of a row, `distance` floats away, negative to the left; a value that has none is
 * its own neighbour. */
static inline floatB beside(__global const float *row, int column, int width, int distance)
{
    const int at = column * B, from = at + distance;
    if (from >= 0 && from + B <= width && at + B <= width) {
        return vloadB(0, row + from);
    }
    float lane[B];
    for (int k = 0; k < B; k++) {
        const int to = from + k >= 0 && from + k < width ? from + k : at + k;
        lane[k] = to < width ? row[to] : 0.0f;
    }
    return vloadB(0, lane);
}

/* The row next to one, `step` floats away; a row that has none there is its own neighbour. */
static inline __global const float *next_row(__global const float *here, int has_one, int step)
{
    return has_one ? here + step : here;
}

/* parts: sums over the neighbours to the right and below. */
RV_REDUCE_KERNEL void tv_loss_forward(__global float *parts, __global const float *x, int height,
                                      int width, int lanes, int columns, int vectors, int share)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    int row = s.first / columns, column = s.first - row * columns, line = row % height;
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        __global const float *here = x + row * width;
        __global const float *below = next_row(here, line + 1 < height, width);
        const floatB v = rv_load(here, column, width);
        sum += measure(beside(here, column, width, lanes) - v) +
               measure(rv_load(below, column, width) - v);
        column += RV_REDUCE_GROUP;
        if (column >= columns) { /* divides for a new row only */
            row += column / columns;
            column %= columns;
            line = row % height;
        }
    }
    rv_reduce_store(parts, sum, scratch);
}

/* dx = factor * dy * the sum of the slopes towards all four neighbours. One work-item: `run` vectors of a row. */
__kernel void tv_loss_backward(__global float *dx, __global const float *x,
                               __global const float *dy, int height, int width, int lanes,
                               int columns, int rows, int run, float factor, int accumulate)
{
    const int i = rv_index(), runs = (columns + run - 1) / run, row = i / runs;
    if (row >= rows) {
        return;
    }
    const int begin = (i - row * runs) * run, end = min(begin + run, columns);
    const int line = row % height;
    __global const float *here = x + row * width;
    __global const float *above = next_row(here, line > 0, -width);
    __global const float *below = next_row(here, line + 1 < height, width);
    const float scale = factor * dy[0];
    for (int column = begin; column < end; column++) {
        const floatB v = rv_load(here, column, width);
        const floatB sum = slope(v - beside(here, column, width, lanes)) +
                           slope(v - beside(here, column, width, -lanes)) +
                           slope(v - rv_load(above, column, width)) +
                           slope(v - rv_load(below, column, width));
        rv_store_gradient(dx + row * width, column, width, scale * sum, accumulate);
    }
}
