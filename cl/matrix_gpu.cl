/* Products of square matrices that lie in one workspace, on GPUs. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

#define TILE  64 /* rows and columns of a work-group, of which a work-item has 4 x 4 */
#define DEPTH 16 /* terms of the sums that lie in local memory at a time */
#define ITEMS (TILE / 4 * TILE / 4)

/* Matrix at at.x = alpha a b + beta I of the first n rows and columns; a lies at at.y, b at at.z, rows `stride` floats
 * apart, as many as whole tiles have, zero beyond n. Work-group: (rows, columns) of a tile. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
matrix_gpu_multiply(__global float *work, int n, int stride, int4 at, float alpha, float beta)
{
    __local float4 left[DEPTH * TILE / 4], right[DEPTH * TILE / 4];
    const int item = (int)get_local_id(0), deep = item / (TILE / 4), wide = item % (TILE / 4);
    const int row = (int)get_group_id(0) * TILE, column = (int)get_group_id(1) * TILE;
    /* Four terms of a row of a, which lie across those that are summed; neighbours of a row of b. */
    const int line = item / (DEPTH / 4), term = item % (DEPTH / 4) * 4;
    __global const float *a = work + at.y + (row + line) * stride + term;
    __global const float *b = work + at.z + deep * stride + column + wide * 4;
    __local float *to = (__local float *)left + term * TILE + line;
    float4 sum[4];
#pragma unroll
    for (int r = 0; r < 4; r++) {
        sum[r] = (float4)(0.0f);
    }
    for (int start = 0; start < n; start += DEPTH) {
        const float4 four = vload4(0, a + start);
        to[0] = four.s0;
        to[TILE] = four.s1;
        to[2 * TILE] = four.s2;
        to[3 * TILE] = four.s3;
        right[item] = vload4(0, b + start * stride);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < DEPTH; k++) {
            const float4 u = left[k * (TILE / 4) + deep], v = right[k * (TILE / 4) + wide];
            sum[0] = fma((float4)(u.s0), v, sum[0]);
            sum[1] = fma((float4)(u.s1), v, sum[1]);
            sum[2] = fma((float4)(u.s2), v, sum[2]);
            sum[3] = fma((float4)(u.s3), v, sum[3]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const int first = column + wide * 4;
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const int i = row + deep * 4 + r, on = i < n ? i - first : -1;
        const float4 unit =
            select((float4)(0.0f), (float4)(beta), (int4)(0, 1, 2, 3) == (int4)(on));
        vstore4(fma((float4)(alpha), sum[r], unit), 0, work + at.x + i * stride + first);
    }
}
