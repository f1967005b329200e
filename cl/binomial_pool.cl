/* Half the size by (1 2 1)/4 along each axis, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* In both: size = rows and columns of input and output. Window i of an axis has its middle at pixel 2i and reaches over
 * both neighbours; where one is missing, the weights of the others grow to a sum of 1. One work-item: all lanes of
 * `run` neighbours in a row of the output. */

/* 1 over the sum of the weights of window i that meet one of `pixels`. */
static inline float share_of(int i, int pixels)
{
    return 1.0f / (float)(2 + (i > 0) + (2 * i + 1 < pixels));
}

/* The rows that a work-item reads of a window: the middle one, and those above and below with their weights; the middle
 * one with 0 stands for one that is missing. */
typedef struct rows {
    __global const floatV *middle, *above, *below;
    float top, bottom;
} rows;

static inline floatV down(rows r, int column)
{
    return 2.0f * r.middle[column] + r.top * r.above[column] + r.bottom * r.below[column];
}

__kernel void binomial_pool_forward(__global floatV *y, __global const floatV *x, int n, int c,
                                    int4 size, int run, int first)
{
    const int runs = (size.s3 + run - 1) / run;
    const int i = rv_index_from(first), line = i / runs, plane = line / size.s2,
              row = line % size.s2;
    if (plane >= n * rv_blocks(c)) {
        return;
    }
    rows r;
    r.middle = x + (plane * size.s0 + 2 * row) * size.s1;
    r.above = row > 0 ? r.middle - size.s1 : r.middle;
    r.below = 2 * row + 1 < size.s0 ? r.middle + size.s1 : r.middle;
    r.top = row > 0;
    r.bottom = 2 * row + 1 < size.s0;
    const float share = share_of(row, size.s0);
    const int begin = i % runs * run, end = min(begin + run, size.s3);
    floatV left = begin > 0 ? down(r, 2 * begin - 1) : (floatV)(0.0f);
    y += line * size.s3;
    for (int column = begin; column < end; column++) {
        const floatV right = 2 * column + 1 < size.s1 ? down(r, 2 * column + 1) : (floatV)(0.0f);
        const floatV sum = left + 2.0f * down(r, 2 * column) + right;
        y[column] = sum * (share * share_of(column, size.s1));
        left = right;
    }
}

/* The gradients of windows `at` of two rows of windows, as far as they weigh in a row of pixels. */
static inline floatV up(__global const floatV *first, __global const floatV *second, float weight,
                        float other, int at)
{
    return weight * first[at] + other * second[at];
}

/* Two neighbours of a row of dx for each window. */
__kernel void binomial_pool_back(__global floatV *dx, __global const floatV *dy, int n, int c,
                                 int4 size, int run, int accumulate)
{
    const int runs = (size.s3 + run - 1) / run;
    const int i = rv_index(), line = i / runs, plane = line / size.s0, row = line % size.s0;
    if (plane >= n * rv_blocks(c)) {
        return;
    }
    /* A row between two windows is in both, if there is a second. */
    const int window = row / 2, between = row % 2;
    const int next = between && window + 1 < size.s2;
    __global const floatV *first = dy + (plane * size.s2 + window) * size.s3;
    __global const floatV *second = first + (next ? size.s3 : 0);
    const float weight = share_of(window, size.s0) * (between ? 1.0f : 2.0f);
    const float other = next ? share_of(window + 1, size.s0) : 0.0f;
    const int begin = i % runs * run, end = min(begin + run, size.s3);
    dx += line * size.s1;
    floatV here = up(first, second, weight, other, begin) * share_of(begin, size.s1);
    for (int column = begin; column < end; column++) {
        const floatV after = column + 1 < size.s3 ? up(first, second, weight, other, column + 1) *
                                                        share_of(column + 1, size.s1)
                                                  : (floatV)(0.0f);
        const int at = 2 * column;
        dx[at] = rv_accumulateV(dx + at, 2.0f * here, accumulate);
        if (at + 1 < size.s1) {
            dx[at + 1] = rv_accumulateV(dx + at + 1, here + after, accumulate);
        }
        here = after;
    }
}
