/* Dense layers on GPUs: a product in tiles, and one that streams the weights for few pictures. */
/* SPDX-License-Identifier: MIT */
#include "tile_gpu.clh"

#define LEFT_LOADS  (TK * TM / 4 / ITEMS)
#define RIGHT_LOADS (TK * TN / 4 / ITEMS)
#define GROUP       256 /* work-items that share the sums of one output */
#define PICTURES    4   /* pictures that share one reading of the weights */

/* Four values of a matrix, whose rows lie `step` apart and their values `inner_step`, one of them 1: along the inner
 * sum if inner_step is 1, else along the rows. Zero from row `count` and inner index `end` on. */
static inline float4 load_four(__global const float *from, int row, int count, int inner, int end,
                               int step, int inner_step)
{
    const int along = inner_step == 1;
    __global const float *at = from + (size_t)row * step + (size_t)inner * inner_step;
    const int left = row >= count || inner >= end ? 0 : along ? end - inner : count - row;
    if (left >= 4) {
        /* The program's matrices begin at multiples of 16 bytes. */
        return (max(step, inner_step) & 3) == 0 ? *(__global const float4 *)at : vload4(0, at);
    }
    float v[4];
    for (int i = 0; i < 4; i++) {
        v[i] = i < left ? at[i] : 0.0f;
    }
    return vload4(0, v);
}

/* Work-item `i` of the loads of a tile with `side` rows: its first row and inner index. Neighbours read neighbours. */
static inline int2 place_of(int i, int side, int along)
{
    return along ? (int2)(i / (TK / 4), i % (TK / 4) * 4)
                 : (int2)(i % (side / 4) * 4, i / (side / 4));
}

static inline void keep_four(__local float4 *tile, int width, float4 v, int2 at, int along)
{
    __local float *to = (__local float *)tile + at.y * width * 4 + at.x;
    if (along) {
        to[0] = v.s0;
        to[width * 4] = v.s1;
        to[width * 8] = v.s2;
        to[width * 12] = v.s3;
    } else {
        *(__local float4 *)to = v;
    }
}

/* Four values of a row of P from `column` on. */
static inline void store_four(__global float *product, float4 v, __global const float *bias,
                              int row, int column, int rows, int columns, int accumulate,
                              float slope)
{
    __global float *to = product + (size_t)row * columns + column;
    if (row < rows && column < columns && (columns & 3) == 0) {
        __global float4 *four = (__global float4 *)to;
        v += bias != 0 ? vload4(0, bias + column) : (float4)(0.0f);
        *four = rv_rectifyB(accumulate ? *four + v : v, slope);
        return;
    }
    float lane[4];
    vstore4(v, 0, lane);
    for (int i = 0; i < 4; i++) {
        if (row < rows && column + i < columns) {
            const float w = lane[i] + (bias != 0 ? bias[column + i] : 0.0f);
            to[i] = rv_rectify(rv_accumulate(to + i, w, accumulate), slope);
        }
    }
}

/* P (+)= A B + bias: P is [rows, columns], A's value in row r and column i is a[r row_step + i a_step], B's in row i
 * and column c is b[c column_step + i b_step]; bias is [columns] or null. Work-group: (TM columns, TN rows, `span` terms
 * of the sum); with several of these, P is [parts, rows, columns]. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
dense_gpu_product(__global float *product, __global const float *a, __global const float *b,
                  __global const float *bias, int rows, int inner, int columns, int row_step,
                  int a_step, int column_step, int b_step, int accumulate, float slope, int span)
{
    __local float4 left[TK * LEFT_ROW], right[TK * RIGHT_ROW];
    const int item = (int)get_local_id(0), a_along = a_step == 1, b_along = b_step == 1;
    const int first_column = (int)get_group_id(0) * TM, first_row = (int)get_group_id(1) * TN;
    const int begin = (int)get_group_id(2) * span, end = min(inner, begin + span);
    float4 sum[4 * MB][NB], of_b[LEFT_LOADS], of_a[RIGHT_LOADS];
    tile_zero(sum);
    for (int i = begin - TK; i < end; i += TK) {
        if (i >= begin) {
#pragma unroll
            for (int q = 0; q < LEFT_LOADS; q++) {
                keep_four(left, LEFT_ROW, of_b[q], place_of(item + q * ITEMS, TM, b_along),
                          b_along);
            }
#pragma unroll
            for (int q = 0; q < RIGHT_LOADS; q++) {
                keep_four(right, RIGHT_ROW, of_a[q], place_of(item + q * ITEMS, TN, a_along),
                          a_along);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (i + TK < end) { /* come while the last ones are multiplied */
#pragma unroll
            for (int q = 0; q < LEFT_LOADS; q++) {
                const int2 at = place_of(item + q * ITEMS, TM, b_along);
                of_b[q] = load_four(b, first_column + at.x, columns, i + TK + at.y, end,
                                    column_step, b_step);
            }
#pragma unroll
            for (int q = 0; q < RIGHT_LOADS; q++) {
                const int2 at = place_of(item + q * ITEMS, TN, a_along);
                of_a[q] =
                    load_four(a, first_row + at.x, rows, i + TK + at.y, end, row_step, a_step);
            }
        }
        if (i >= begin) {
            tile_multiply(sum, left, right);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    product += (size_t)get_group_id(2) * rows * columns;
#pragma unroll
    for (int j = 0; j < NB; j++) {
        const int row = first_row + (TILE_COLUMN + j * SN) * 4;
#pragma unroll
        for (int m = 0; m < MB; m++) {
            const int column = first_column + (TILE_ROW + m * SM) * 4;
            const float4 u = sum[4 * m][j], v = sum[4 * m + 1][j], w = sum[4 * m + 2][j],
                         x = sum[4 * m + 3][j];
            store_four(product, (float4)(u.s0, v.s0, w.s0, x.s0), bias, row, column, rows, columns,
                       accumulate, slope);
            store_four(product, (float4)(u.s1, v.s1, w.s1, x.s1), bias, row + 1, column, rows,
                       columns, accumulate, slope);
            store_four(product, (float4)(u.s2, v.s2, w.s2, x.s2), bias, row + 2, column, rows,
                       columns, accumulate, slope);
            store_four(product, (float4)(u.s3, v.s3, w.s3, x.s3), bias, row + 3, column, rows,
                       columns, accumulate, slope);
        }
    }
}

/* P (+)= the sum of its parts, in their order, + bias. One work-item: one value. */
__kernel void dense_gpu_sum(__global float *product, __global const float *partial,
                            __global const float *bias, int rows, int columns, int parts,
                            int accumulate, float slope)
{
    const int i = rv_index(), n = rows * columns;
    if (i >= n) {
        return;
    }
    float sum = bias != 0 ? bias[i % columns] : 0.0f;
    for (int part = 0; part < parts; part++) {
        sum += partial[(size_t)part * n + i];
    }
    product[i] = rv_rectify(rv_accumulate(product + i, sum, accumulate), slope);
}

/* y = x W^T + b, rectified, for few pictures. Work-group: (one output, PICTURES pictures, where the outputs go on). y is [N,K],
 * x [N,J], w [K,J], bias [K] or null. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
dense_gpu_forward(__global float *y, __global const float *x, __global const float *w,
                  __global const float *bias, int n, int k, int features, float slope)
{
    __local float4 shared[GROUP];
    const int me = (int)get_local_id(0);
    const int output = (int)(get_group_id(2) * get_num_groups(0) + get_group_id(0));
    const int first = (int)get_group_id(1) * PICTURES, last = n - 1;
    if (output >= k) {
        return; /* the whole group */
    }
    __global const float *row = w + (size_t)output * features;
    __global const float *p0 = x + (size_t)min(first, last) * features;
    __global const float *p1 = x + (size_t)min(first + 1, last) * features;
    __global const float *p2 = x + (size_t)min(first + 2, last) * features;
    __global const float *p3 = x + (size_t)min(first + 3, last) * features;
    float4 sum = (float4)(0.0f);
    for (int j = me; j < features; j += GROUP) {
        sum = fma((float4)(row[j]), (float4)(p0[j], p1[j], p2[j], p3[j]), sum);
    }
    shared[me] = sum;
    for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (me < half_size) {
            shared[me] += shared[me + half_size];
        }
    }
    if (me == 0) {
        float lane[PICTURES];
        vstore4(shared[0], 0, lane);
        for (int picture = first; picture < min(n, first + PICTURES); picture++) {
            const float v = lane[picture - first] + (bias != 0 ? bias[output] : 0.0f);
            y[(size_t)picture * k + output] = rv_rectify(v, slope);
        }
    }
}
