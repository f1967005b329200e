/* Gram matrices on GPUs: 64 x 64 tiles in local memory, 4 x 4 sums per work-item. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

#define TILE 64  /* values along both sides of a tile */
#define SIDE 16  /* work-items along both sides of a work-group */
#define DEPTH 16 /* terms of the sums that lie in local memory at a time */
#define ROW (TILE + 4) /* floats between rows of a tile in local memory: spreads the banks */

/* tile[p][channel] = x of TILE channels from `block` on and DEPTH pixels from `start` on; zero outside. */
static inline void load_pixels(__local float *tile, __global const float *x, int blocks, int pixels,
                               int block, int start, int end)
{
    const int at = ((int)get_local_id(1) * SIDE + (int)get_local_id(0)) * 4;
    const int p = start + at / B % DEPTH, b = block + at / B / DEPTH, lane = at % B;
    float4 v = (float4)(0.0f);
    if (p < end && b < blocks) {
        v = vload4(0, x + ((size_t)b * pixels + p) * B + lane);
    }
    vstore4(v, 0, tile + (at / B % DEPTH) * ROW + at / B / DEPTH * B + lane);
}

/* sum += a^T b over DEPTH rows of two tiles. */
static inline void multiply(float4 sum[4], __local const float *a, __local const float *b)
{
    const int x = (int)get_local_id(0) * 4, y = (int)get_local_id(1) * 4;
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        const float4 u = vload4(0, a + k * ROW + y), v = vload4(0, b + k * ROW + x);
        sum[0] = fma((float4)(u.s0), v, sum[0]);
        sum[1] = fma((float4)(u.s1), v, sum[1]);
        sum[2] = fma((float4)(u.s2), v, sum[2]);
        sum[3] = fma((float4)(u.s3), v, sum[3]);
    }
}

/* One part of one tile of X X^T. Work-group: (pair of tiles i <= j, part of the pixels, picture). parts is
 * [N, n_parts, padded, padded], x blocked [N,C,H,W]. */
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
gram_gpu_forward(__global float *parts, __global const float *x, int c, int pixels, int n_parts,
                 int part_pixels, int first)
{
    __local float a[DEPTH * ROW], b[DEPTH * ROW];
    const int blocks = (c + B - 1) / B, padded = blocks * B, tiles = (c + TILE - 1) / TILE;
    int tile_i = 0, tile_j = (int)get_group_id(0);
    while (tile_j >= tiles - tile_i) {
        tile_j -= tiles - tile_i;
        tile_i++;
    }
    tile_j += tile_i;
    const int part = first + (int)get_group_id(1), picture = (int)get_group_id(2);
    const int end = min(pixels, (part + 1) * part_pixels);
    __global const float *from = x + (size_t)picture * blocks * pixels * B;
    float4 sum[4] = {(float4)(0.0f), (float4)(0.0f), (float4)(0.0f), (float4)(0.0f)};
    for (int start = part * part_pixels; start < end; start += DEPTH) {
        load_pixels(a, from, blocks, pixels, tile_i * (TILE / B), start, end);
        load_pixels(b, from, blocks, pixels, tile_j * (TILE / B), start, end);
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply(sum, a, b);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const int row = tile_i * TILE + (int)get_local_id(1) * 4;
    const int column = tile_j * TILE + (int)get_local_id(0) * 4;
    __global float *g = parts + (size_t)(picture * n_parts + part) * padded * padded;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (row + k < padded && column < padded) {
            vstore4(sum[k], 0, g + (row + k) * padded + column);
        }
    }
}

/* tile[channel][p] = x of DEPTH channels from `channel` on and TILE pixels from `start` on; zero outside. */
static inline void load_channels(__local float *tile, __global const float *x, int c, int pixels,
                                 int channel, int start)
{
    const int at = ((int)get_local_id(1) * SIDE + (int)get_local_id(0)) * 4;
    const int p = at / 4 % TILE, first = at / 4 / TILE * 4, k = channel + first;
    float4 v = (float4)(0.0f);
    if (k < c && start + p < pixels) {
        v = vload4(0, x + ((size_t)(k / B) * pixels + start + p) * B + k % B);
    }
    tile[first * ROW + p] = v.s0;
    tile[(first + 1) * ROW + p] = v.s1;
    tile[(first + 2) * ROW + p] = v.s2;
    tile[(first + 3) * ROW + p] = v.s3;
}

/* tile[row][column] = DEPTH rows of a panel from `row` on; zero outside. */
static inline void load_weights(__local float *tile, __global const float *panel, int c, int row)
{
    const int at = ((int)get_local_id(1) * SIDE + (int)get_local_id(0)) * 4;
    const int k = at / TILE;
    const float4 v = row + k < c ? vload4(0, panel + (row + k) * TILE + at % TILE) : (float4)(0.0f);
    vstore4(v, 0, tile + k * ROW + at % TILE);
}

/* dX = M X for TILE channels and `span` pixels, a multiple of TILE. Work-group: (panel, pixels, picture). m is
 * [N, panels, C, TILE], x and dx are blocked [N,C,H,W]. */
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
gram_gpu_backward(__global float *dx, __global const float *x, __global const float *m, int c,
                  int pixels, int span, int accumulate, int first)
{
    __local float a[DEPTH * ROW], b[DEPTH * ROW];
    const int blocks = (c + B - 1) / B, panels = (c + TILE - 1) / TILE;
    const int panel = (int)get_group_id(0), picture = (int)get_group_id(2);
    const int begin = (first + (int)get_group_id(1)) * span, end = min(pixels, begin + span);
    __global const float *weights = m + (size_t)(picture * panels + panel) * c * TILE;
    __global const float *from = x + (size_t)picture * blocks * pixels * B;
    const int channel = panel * TILE + (int)get_local_id(0) * 4;
    for (int start = begin; start < end; start += TILE) {
        float4 sum[4] = {(float4)(0.0f), (float4)(0.0f), (float4)(0.0f), (float4)(0.0f)};
        for (int k = 0; k < c; k += DEPTH) {
            load_channels(a, from, c, pixels, k, start);
            load_weights(b, weights, c, k);
            barrier(CLK_LOCAL_MEM_FENCE);
            multiply(sum, a, b);
            barrier(CLK_LOCAL_MEM_FENCE);
        }
        const int p = start + (int)get_local_id(1) * 4;
#pragma unroll
        for (int k = 0; k < 4; k++) {
            if (channel < blocks * B && p + k < end) {
                __global float *q = dx +
                    (((size_t)picture * blocks + channel / B) * pixels + p + k) * B + channel % B;
                const int4 lanes = (int4)(channel) + (int4)(0, 1, 2, 3);
                const float4 v = select((float4)(0.0f), sum[k], lanes < (int4)(c));
                vstore4(accumulate ? vload4(0, q) + v : v, 0, q);
            }
        }
    }
}
