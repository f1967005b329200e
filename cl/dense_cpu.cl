/* Dense layers on CPUs: register tiles of floatB sums, one work-item per work-group, no barrier. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* Forward keeps OUTPUTS x PICTURES sums, each a floatB along the features; the products of gradients keep ROWS x
 * COLUMNS, each a floatB along the columns. Both leave registers for operands: of 32 with AVX-512, of 16 elsewhere. */
#if B == 16
#define OUTPUTS 6
#define PICTURES 4
#define ROWS 4
#define COLUMNS 6
#else
#define OUTPUTS 4
#define PICTURES 3
#define ROWS 4
#define COLUMNS 3
#endif
/* Terms of a sum before the tile goes on: so many rows of a tile of columns stay in the first-level cache. */
#ifndef DEPTH
#define DEPTH 64
#endif

/* y[picture][output] (+)= x w over the features `start` to `end`, for up to OUTPUTS outputs and PICTURES pictures:
 * what lies beyond repeats the last one and is not stored. */
static inline void forward_tile(__global float *y, __global const float *x, __global const float *w,
                                __global const float *bias, int outputs, int pictures, int features,
                                int k, int start, int end, float slope)
{
    __global const float *row[OUTPUTS], *picture[PICTURES];
    floatB sum[OUTPUTS][PICTURES];
#pragma unroll
    for (int a = 0; a < OUTPUTS; a++) {
        row[a] = w + (size_t)min(a, outputs - 1) * features;
#pragma unroll
        for (int b = 0; b < PICTURES; b++) {
            picture[b] = x + (size_t)min(b, pictures - 1) * features;
            sum[a][b] = (floatB)(0.0f);
        }
    }
    int j = start;
    for (; j + B <= end; j += B) {
        floatB v[PICTURES];
#pragma unroll
        for (int b = 0; b < PICTURES; b++) {
            v[b] = vloadB(0, picture[b] + j);
        }
#pragma unroll
        for (int a = 0; a < OUTPUTS; a++) {
            const floatB u = vloadB(0, row[a] + j);
#pragma unroll
            for (int b = 0; b < PICTURES; b++) {
                sum[a][b] = fma(u, v[b], sum[a][b]);
            }
        }
    }
#pragma unroll
    for (int a = 0; a < OUTPUTS; a++) {
#pragma unroll
        for (int b = 0; b < PICTURES; b++) {
            if (a < outputs && b < pictures) {
                float total = rv_sum_lanes(sum[a][b]);
                for (int i = j; i < end; i++) {
                    total = fma(row[a][i], picture[b][i], total);
                }
                __global float *q = y + b * k + a;
                total += start > 0 ? *q : bias != 0 ? bias[a] : 0.0f;
                *q = end == features ? rv_rectify(total, slope) : total;
            }
        }
    }
}

/* y = x W^T + b, rectified, for `span` outputs, a multiple of OUTPUTS. y is [N,K], x [N,J], w [K,J], bias [K] or null. The
 * features are taken in stretches of `chunk`, so that all pictures of one stay in cache. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_forward(__global float *y, __global const float *x, __global const float *w,
                  __global const float *bias, int n, int k, int features, int span, int chunk,
                  float slope)
{
    const int first = (int)get_group_id(0) * span, last = min(k, first + span);
    for (int start = 0; start < features; start += chunk) {
        const int end = min(features, start + chunk);
        for (int output = first; output < last; output += OUTPUTS) {
            for (int picture = 0; picture < n; picture += PICTURES) {
                forward_tile(y + (size_t)picture * k + output, x + (size_t)picture * features,
                             w + (size_t)output * features, bias != 0 ? bias + output : 0,
                             min(OUTPUTS, last - output), min(PICTURES, n - picture), features, k,
                             start, end, slope);
            }
        }
    }
}

/* product[row][column] (+)= sum over n terms of a[row][i] b[i][column], for ROWS rows and COLUMNS vectors of columns:
 * rows beyond `rows` repeat the last one and are not stored, and so do vectors: the one that would pass `columns`
 * ends there and gives its last lanes. */
static inline void product_tile(__global float *product, __global const float *a,
                                __global const float *b, int rows, int n, int columns, int column,
                                int row_step, int inner_step, int add)
{
    int offset[COLUMNS];
    floatB sum[ROWS][COLUMNS];
#pragma unroll
    for (int t = 0; t < COLUMNS; t++) {
        offset[t] = min(column + t * B, columns - B);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            sum[r][t] = (floatB)(0.0f);
        }
    }
    if (add) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
#pragma unroll
            for (int t = 0; t < COLUMNS; t++) {
                sum[r][t] = vloadB(0, product + (size_t)min(r, rows - 1) * columns + offset[t]);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        floatB v[COLUMNS];
#pragma unroll
        for (int t = 0; t < COLUMNS; t++) {
            v[t] = vloadB(0, b + (size_t)i * columns + offset[t]);
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const floatB u = (floatB)(a[min(r, rows - 1) * row_step + i * inner_step]);
#pragma unroll
            for (int t = 0; t < COLUMNS; t++) {
                sum[r][t] = fma(u, v[t], sum[r][t]);
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (r < rows) {
            __global float *q = product + (size_t)r * columns;
#pragma unroll
            for (int t = 0; t < COLUMNS; t++) {
                const int skip = column + t * B - offset[t];
                if (skip == 0) {
                    vstoreB(sum[r][t], 0, q + offset[t]);
                } else if (skip < B) {
                    float lane[B];
                    vstoreB(sum[r][t], 0, lane);
                    for (int i = skip; i < B; i++) {
                        q[offset[t] + i] = lane[i];
                    }
                }
            }
        }
    }
}

/* P (+)= A B: P is [rows, columns], b is [inner, columns], A's value in row r and column i is a[r row_step +
 * i inner_step]; columns >= B. Work-group: (`width` columns, a multiple of COLUMNS * B; `height` rows). */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_product(__global float *product, __global const float *a, __global const float *b,
                  int rows, int inner, int columns, int row_step, int inner_step, int width,
                  int height, int accumulate)
{
    const int left = (int)get_group_id(0) * width, right = min(columns, left + width);
    const int top = (int)get_group_id(1) * height, bottom = min(rows, top + height);
    for (int i = 0; i < inner; i += DEPTH) {
        for (int column = left; column < right; column += COLUMNS * B) {
            for (int row = top; row < bottom; row += ROWS) {
                product_tile(product + (size_t)row * columns,
                             a + (size_t)row * row_step + (size_t)i * inner_step,
                             b + (size_t)i * columns, min(ROWS, bottom - row),
                             min(DEPTH, inner - i), columns, column, row_step, inner_step,
                             accumulate || i > 0);
            }
        }
    }
}
