/* Gram matrices on GPUs: tiles of the upper triangle, over parts of the pixels. The gradient: conv_gpu.cl. */
/* SPDX-License-Identifier: MIT */
#include "tile_gpu.clh"

#define STEP  (ITEMS / TK) /* blocks of channels that lie between two loads of a work-item */
#define LOADS (TM / 4 / STEP)

/* TM channels, from `block` on, of this work-item's pixel of a chunk; zero outside. */
static inline void load_chunk(float4 v[LOADS], __global const float4 *x, int blocks, int pixels,
                              int block, int pixel, int end)
{
#pragma unroll
    for (int q = 0; q < LOADS; q++) {
        const int b = block + (int)get_local_id(0) / TK + q * STEP;
        v[q] = b < blocks && pixel < end ? x[b * pixels + pixel] : (float4)(0.0f);
    }
}

static inline void keep_chunk(__local float4 *tile, const float4 v[LOADS])
{
    const int item = (int)get_local_id(0);
#pragma unroll
    for (int q = 0; q < LOADS; q++) {
        tile[item % TK * LEFT_ROW + item / TK + q * STEP] = v[q];
    }
}

/* One part of one tile of X X^T. Work-group: (pair of tiles i <= j, part of the pixels, picture). parts is
 * [N, n_parts, padded, padded], x blocked [N,C,H,W]; tiles are square. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
gram_gpu_forward(__global float *parts, __global const float *x, int c, int pixels, int n_parts,
                 int part_pixels, int first)
{
    __local float4 left[TK * LEFT_ROW], right[TK * RIGHT_ROW];
    const int blocks = (c + 3) / 4, padded = blocks * 4, tiles = (c + TM - 1) / TM;
    int tile_i = 0, tile_j = (int)get_group_id(0);
    while (tile_j >= tiles - tile_i) {
        tile_j -= tiles - tile_i;
        tile_i++;
    }
    tile_j += tile_i;
    const int part = first + (int)get_group_id(1), picture = (int)get_group_id(2);
    const int begin = part * part_pixels, end = min(pixels, begin + part_pixels);
    const int mine = (int)get_local_id(0) % TK;
    __global const float4 *from = (__global const float4 *)x + (size_t)picture * blocks * pixels;
    float4 sum[4 * MB][NB], a[LOADS], b[LOADS];
    tile_zero(sum);
    for (int start = begin - TK; start < end; start += TK) {
        if (start >= begin) {
            keep_chunk(left, a);
            keep_chunk(right, b);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (start + TK < end) { /* comes while the last one is multiplied */
            load_chunk(a, from, blocks, pixels, tile_i * (TM / 4), start + TK + mine, end);
            load_chunk(b, from, blocks, pixels, tile_j * (TN / 4), start + TK + mine, end);
        }
        if (start >= begin) {
            tile_multiply(sum, left, right);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    __global float *g = parts + (size_t)(picture * n_parts + part) * padded * padded;
#pragma unroll
    for (int m = 0; m < 4 * MB; m++) {
        const int row = tile_i * TM + (TILE_ROW + m / 4 * SM) * 4 + m % 4;
#pragma unroll
        for (int j = 0; j < NB; j++) {
            const int column = tile_j * TN + (TILE_COLUMN + j * SN) * 4;
            if (row < padded && column < padded) {
                *(__global float4 *)(g + row * padded + column) = sum[m][j];
            }
        }
    }
}
