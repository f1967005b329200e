/* Dense layers on GPUs: a product in 64 x 64 tiles, and one that streams the weights for few pictures. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

#define TILE 64  /* values along both sides of a tile */
#define SIDE 16  /* work-items along both sides of a work-group */
#define DEPTH 16 /* terms of the sums that lie in local memory at a time */
#define ROW (TILE + 4) /* floats between rows of a tile in local memory: spreads the banks */
#define GROUP 256      /* work-items that share the sums of one output */
#define PICTURES 4     /* pictures that share one reading of the weights */

/* tile[i][k] = from[(first + k) step + (start + i) inner_step] for TILE k and DEPTH i; zero outside. Neighbours read
 * neighbours, whichever step is 1. */
static inline void load_tile(__local float *tile, __global const float *from, int first, int count,
                             int start, int inner, int step, int inner_step)
{
    const int id = (int)get_local_id(1) * SIDE + (int)get_local_id(0);
    for (int part = 0; part < 4; part++) {
        const int along = inner_step == 1;
        const int k = along ? id / DEPTH + part * (TILE / 4) : id % TILE;
        const int i = along ? id % DEPTH : id / TILE + part * (DEPTH / 4);
        const int inside = first + k < count && start + i < inner;
        tile[i * ROW + k] =
            inside ? from[(size_t)(first + k) * step + (size_t)(start + i) * inner_step] : 0.0f;
    }
}

/* P (+)= A B + bias, rectified: P is [rows, columns], A's value in row r and column i is a[r row_step + i a_step], B's in row i
 * and column c is b[c column_step + i b_step]; bias is [columns] or null. Work-group: one tile of P. */
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
dense_gpu_product(__global float *product, __global const float *a, __global const float *b,
                  __global const float *bias, int rows, int inner, int columns, int row_step,
                  int a_step, int column_step, int b_step, int accumulate, float slope)
{
    __local float left[DEPTH * ROW], right[DEPTH * ROW];
    const int x = (int)get_local_id(0) * 4, y = (int)get_local_id(1) * 4;
    const int first_column = (int)get_group_id(0) * TILE, first_row = (int)get_group_id(1) * TILE;
    float4 sum[4] = {(float4)(0.0f), (float4)(0.0f), (float4)(0.0f), (float4)(0.0f)};
    for (int i = 0; i < inner; i += DEPTH) {
        load_tile(left, a, first_row, rows, i, inner, row_step, a_step);
        load_tile(right, b, first_column, columns, i, inner, column_step, b_step);
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            const float4 u = vload4(0, left + k * ROW + y), v = vload4(0, right + k * ROW + x);
            sum[0] = fma((float4)(u.s0), v, sum[0]);
            sum[1] = fma((float4)(u.s1), v, sum[1]);
            sum[2] = fma((float4)(u.s2), v, sum[2]);
            sum[3] = fma((float4)(u.s3), v, sum[3]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        float lane[4];
        vstore4(sum[k], 0, lane);
        for (int t = 0; t < 4; t++) {
            const int row = first_row + y + k, column = first_column + x + t;
            if (row < rows && column < columns) {
                __global float *q = product + (size_t)row * columns + column;
                const float v = lane[t] + (bias != 0 ? bias[column] : 0.0f);
                *q = rv_rectify(rv_accumulate(q, v, accumulate), slope);
            }
        }
    }
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
