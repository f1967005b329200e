/* Gram matrices on CPUs: register tiles of floatB sums, one work-item per work-group, no barrier. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* Channels along one side of the part of G that a work-item makes: its pixels are read from memory once. */
#ifndef TILE
#define TILE 64
#endif
/* Pixels per pass over a tile, so that three blocks of them stay in the first-level cache. */
#ifndef CHUNK
#define CHUNK 128
#endif

/* Forward keeps ROWS x COLUMNS floatB sums: ROWS channels by COLUMNS blocks of channels. Backward keeps PIXELS x 2:
 * PIXELS pixels by two blocks. Both leave registers for operands: of 32 with AVX-512, of 16 elsewhere. */
#if B == 16
#define ROWS    8
#define COLUMNS 2
#define PIXELS  12
#else
#define ROWS    4
#define COLUMNS 3
#define PIXELS  6
#endif

/* g[a][j] (+)= sum over n pixels of xi[a] * xj[j]: ROWS rows of a matrix with `padded` columns, and `columns` of
 * COLUMNS blocks that exist. xi points to the first of ROWS channels, xj to the first block. */
static inline void multiply(__global float *g, int padded, __global const float *xi,
                            __global const float *xj, int pixels, int n, int columns, int first)
{
    floatB sum[ROWS][COLUMNS];
    __global const float *column[COLUMNS];
#pragma unroll
    for (int t = 0; t < COLUMNS; t++) {
        const int block = min(t, columns - 1);
        column[t] = xj + (size_t)block * pixels * B;
#pragma unroll
        for (int a = 0; a < ROWS; a++) {
            sum[a][t] = first ? (floatB)(0.0f) : vloadB(block, g + a * padded);
        }
    }
    for (int p = 0; p < n; p++) {
        floatB v[COLUMNS];
#pragma unroll
        for (int t = 0; t < COLUMNS; t++) {
            v[t] = vloadB(p, column[t]);
        }
#pragma unroll
        for (int a = 0; a < ROWS; a++) {
            const floatB u = (floatB)(xi[p * B + a]);
#pragma unroll
            for (int t = 0; t < COLUMNS; t++) {
                sum[a][t] = fma(u, v[t], sum[a][t]);
            }
        }
    }
#pragma unroll
    for (int t = 0; t < COLUMNS; t++) {
        if (t < columns) {
#pragma unroll
            for (int a = 0; a < ROWS; a++) {
                vstoreB(sum[a][t], t, g + a * padded);
            }
        }
    }
}

/* One part of one tile of X X^T. Work-group: (pair of tiles i <= j, part of the pixels, picture). parts is
 * [N, n_parts, padded, padded], x blocked [N,C,H,W]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gram_cpu_forward(__global float *parts, __global const float *x, int c, int pixels, int n_parts,
                 int part_pixels, int first)
{
    const int blocks = (c + B - 1) / B, padded = blocks * B, tiles = (c + TILE - 1) / TILE;
    int tile_i = 0, tile_j = (int)get_group_id(0);
    while (tile_j >= tiles - tile_i) {
        tile_j -= tiles - tile_i;
        tile_i++;
    }
    tile_j += tile_i;
    const int part = first + (int)get_group_id(1), picture = (int)get_group_id(2);
    const int end = min(pixels, (part + 1) * part_pixels);
    const int end_i = min(blocks, (tile_i + 1) * (TILE / B));
    const int end_j = min(blocks, (tile_j + 1) * (TILE / B));
    __global float *g = parts + (size_t)(picture * n_parts + part) * padded * padded;
    __global const float *from = x + (size_t)picture * blocks * pixels * B;
    for (int start = part * part_pixels; start < end; start += CHUNK) {
        const int n = min(CHUNK, end - start), first = start == part * part_pixels;
        for (int i = tile_i * (TILE / B); i < end_i; i++) {
            for (int a = 0; a < B; a += ROWS) {
                for (int j = max(i, tile_j * (TILE / B)); j < end_j; j += COLUMNS) {
                    multiply(g + (i * B + a) * padded + j * B, padded,
                             from + ((size_t)i * pixels + start) * B + a,
                             from + ((size_t)j * pixels + start) * B, pixels, n,
                             min(COLUMNS, end_j - j), first);
                }
            }
        }
    }
}

/* dX = M X for two blocks of channels from `panel` on and n <= PIXELS pixels. Where n is the constant PIXELS, the pixels
 * lie at constant distances. */
static inline void multiply_panel(__global float *dx, __global const float *x,
                                  __global const float *m, int c, int pixels, int panel,
                                  int accumulate, int n)
{
    floatB sum[PIXELS][2];
#pragma unroll
    for (int k = 0; k < PIXELS; k++) {
        sum[k][0] = sum[k][1] = (floatB)(0.0f);
    }
    for (int block = 0; block * B < c; block++) {
        const int lanes = min(B, c - block * B);
        __global const float *from = x + (size_t)block * pixels * B;
        for (int a = 0; a < lanes; a++) {
            const floatB m0 = vloadB(2 * (block * B + a), m);
            const floatB m1 = vloadB(2 * (block * B + a) + 1, m);
#pragma unroll
            for (int k = 0; k < PIXELS; k++) {
                const floatB u = (floatB)(from[min(k, n - 1) * B + a]);
                sum[k][0] = fma(u, m0, sum[k][0]);
                sum[k][1] = fma(u, m1, sum[k][1]);
            }
        }
    }
#pragma unroll
    for (int t = 0; t < 2; t++) {
        if ((panel + t) * B < c) {
#pragma unroll
            for (int k = 0; k < PIXELS; k++) {
                if (k < n) {
                    __global floatB *q = (__global floatB *)dx + (size_t)t * pixels + k;
                    *q = rv_accumulateB(q, rv_mask_lanes(sum[k][t], panel + t, c), accumulate);
                }
            }
        }
    }
}

/* dX = M X for two blocks of channels and `span` pixels. Work-group: (panel, pixels, picture). m is
 * [N, panels, C, 2 B], x and dx are blocked [N,C,H,W]. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gram_cpu_backward(__global float *dx, __global const float *x, __global const float *m, int c,
                  int pixels, int span, int accumulate, int first)
{
    const int blocks = (c + B - 1) / B, panels = (blocks + 1) / 2;
    const int panel = (int)get_group_id(0), picture = (int)get_group_id(2);
    const int start = (first + (int)get_group_id(1)) * span, end = min(pixels, start + span);
    __global const float *weights = m + (size_t)(picture * panels + panel) * c * 2 * B;
    __global const float *from = x + (size_t)picture * blocks * pixels * B;
    __global float *to = dx + ((size_t)picture * blocks + panel * 2) * pixels * B;
    int p = start;
    for (; p + PIXELS <= end; p += PIXELS) {
        multiply_panel(to + p * B, from + p * B, weights, c, pixels, panel * 2, accumulate, PIXELS);
    }
    if (p < end) {
        multiply_panel(to + p * B, from + p * B, weights, c, pixels, panel * 2, accumulate,
                       end - p);
    }
}
