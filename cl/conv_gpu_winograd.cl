/* Winograd's convolution with windows of 3x3 on GPUs: the transforms before and after the products of conv_gpu.cl. */
/* SPDX-License-Identifier: MIT */
#define floatW float
#include "winograd.clh"

/* The source at the points is [point][block of channels][tile][4], as if each point were a group of channels and the
 * tiles a row of pixels; the products are alike. range: the first tile, how many there are at a time, where they start
 * in scratch (in float4). Work-items take single lanes: a tile of float4 would fill all registers. */

/* Weights as [point][source channels][target channels in whole tiles], zero beyond. work: source and target channels
 * packed, 0, offset. One work-item: one pair of channels. */
__kernel void conv_gpu_winograd_pack(__global float *packed, __global const float *weights,
                                     int4 source, int4 target, int4 window, int gradient, int4 work)
{
    const int i = rv_index(), k = i % work.y, c = i / work.y;
    if (c >= work.x) {
        return;
    }
    float columns[3 * IN];
#pragma unroll
    for (int s = 0; s < 3; s++) {
        float g[IN];
        for (int r = 0; r < 3; r++) {
            const int tap = gradient ? 8 - (r * 3 + s) : r * 3 + s;
            g[r] = k < target.y && c < source.y
                       ? weights[conv_weight(c, k, source, target, window, gradient) + tap]
                       : 0.0f;
        }
        winograd_window(g);
        for (int r = 0; r < IN; r++) {
            columns[r * 3 + s] = g[r];
        }
    }
#pragma unroll
    for (int r = 0; r < IN; r++) {
        float g[IN];
        for (int s = 0; s < 3; s++) {
            g[s] = columns[r * 3 + s];
        }
        winograd_window(g);
        for (int s = 0; s < IN; s++) {
            packed[work.w + ((r * IN + s) * work.x + c) * work.y + k] = g[s];
        }
    }
}

/* Picture, first row and column of a tile. */
static inline int4 find_tile(int tile, int4 target)
{
    const int across = (target.w + OUT - 1) / OUT, down = (target.z + OUT - 1) / OUT;
    return (int4)(tile / (across * down), tile / across % down * OUT, tile % across * OUT, 0);
}

/* One work-item: one channel of one tile; zero beyond the last one. */
__kernel void conv_gpu_winograd_source(__global float *scratch, __global const float *x,
                                       int4 source, int4 target, int4 window, int4 place,
                                       int4 range)
{
    const int i = rv_index(), lane = i % 4, t = i / 4 % range.y, block = i / 4 / range.y;
    const int blocks = (source.y + 3) / 4;
    if (block >= blocks) {
        return;
    }
    const int4 tile = find_tile(range.x + t, target);
    /* The gradient's window is flipped, and so is what lies before its first pixel. */
    const int above = place.z ? 2 - place.x : place.x, before = place.z ? 2 - place.y : place.y;
    const int mode = place.z ? CONV_PAD_ZERO : window.w;
    __global const float *from =
        x + (size_t)(tile.x * blocks + block) * source.z * source.w * 4 + lane;
    float rows[IN * IN];
#pragma unroll
    for (int s = 0; s < IN; s++) {
        const int column = conv_source(tile.z, s, 1, 1, before, source.w, mode);
        float d[IN];
#pragma unroll
        for (int r = 0; r < IN; r++) {
            const int row = conv_source(tile.y, r, 1, 1, above, source.z, mode);
            const int there = tile.x < target.x && row >= 0 && column >= 0;
            d[r] = there ? from[(row * source.w + column) * 4] : 0.0f;
        }
        winograd_source(d);
#pragma unroll
        for (int r = 0; r < IN; r++) {
            rows[r * IN + s] = d[r];
        }
    }
    const size_t step = (size_t)blocks * range.y * 4;
    __global float *to = scratch + (size_t)range.z * 4 + i;
#pragma unroll
    for (int r = 0; r < IN; r++) {
        winograd_source(rows + r * IN);
#pragma unroll
        for (int s = 0; s < IN; s++) {
            to[(r * IN + s) * step] = rows[r * IN + s];
        }
    }
}

/* One work-item: one channel of one tile. */
__kernel void conv_gpu_winograd_target(__global float *y, __global const float *scratch,
                                       __global const float *bias, int4 target, int4 place,
                                       int4 range, float slope)
{
    const int i = rv_index(), lane = i % 4, t = i / 4 % range.y, block = i / 4 / range.y;
    const int blocks = (target.y + 3) / 4, channel = block * 4 + lane;
    const int4 tile = find_tile(range.x + t, target);
    if (block >= blocks || tile.x >= target.x) {
        return;
    }
    const size_t step = (size_t)blocks * range.y * 4;
    __global const float *from = scratch + (size_t)range.z * 4 + i;
    float rows[OUT * IN];
#pragma unroll
    for (int s = 0; s < IN; s++) {
        float m[IN];
#pragma unroll
        for (int r = 0; r < IN; r++) {
            m[r] = from[(r * IN + s) * step];
        }
        winograd_target(m);
#pragma unroll
        for (int r = 0; r < OUT; r++) {
            rows[r * IN + s] = m[r];
        }
    }
    const float add = bias != 0 && channel < target.y ? bias[channel] : 0.0f;
    __global float *to = y + (size_t)(tile.x * blocks + block) * target.z * target.w * 4 + lane;
#pragma unroll
    for (int r = 0; r < OUT; r++) {
        winograd_target(rows + r * IN);
#pragma unroll
        for (int s = 0; s < OUT; s++) {
            const int row = tile.y + r, column = tile.z + s;
            if (row < target.z && column < target.w) {
                __global float *at = to + (row * target.w + column) * 4;
                *at = rv_rectify(rv_accumulate(at, rows[r * IN + s] + add, place.w), slope);
            }
        }
    }
}
