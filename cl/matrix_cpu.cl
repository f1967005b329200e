/* Products of square matrices that lie in one workspace, on CPUs. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

#define ROWS (B / 2) /* of a tile of registers, which is two vectors wide */

/* Matrix at at.x = alpha a b + beta I of the first n rows and columns; a lies at at.y, b at at.z, rows `stride` floats
 * apart. Both are zero beyond n. Work-group: (rows, columns) of a tile. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
matrix_cpu_multiply(__global float *work, int n, int stride, int4 at, float alpha, float beta)
{
    const int row = (int)get_group_id(0) * ROWS, column = (int)get_group_id(1) * 2 * B;
    __global const float *a = work + at.y + row * stride, *b = work + at.z + column;
    floatB sum[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        sum[r][0] = sum[r][1] = (floatB)(0.0f);
    }
    for (int k = 0; k < n; k++) {
        const floatB b0 = vloadB(0, b + k * stride), b1 = vloadB(1, b + k * stride);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const floatB u = (floatB)(a[r * stride + k]);
            sum[r][0] = fma(u, b0, sum[r][0]);
            sum[r][1] = fma(u, b1, sum[r][1]);
        }
    }
    __global float *to = work + at.x + row * stride + column;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const int on = row + r < n ? row + r - column : -1;
        const floatB i0 = select((floatB)(0.0f), (floatB)(beta), RV_LANES == (intB)(on));
        const floatB i1 =
            select((floatB)(0.0f), (floatB)(beta), RV_LANES + (intB)(B) == (intB)(on));
        vstoreB(fma((floatB)(alpha), sum[r][0], i0), 0, to + r * stride);
        vstoreB(fma((floatB)(alpha), sum[r][1], i1), 1, to + r * stride);
    }
}
