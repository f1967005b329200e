/* Gradients of a convolution's weights and bias on GPUs: a product of two maps, summed over the pixels in parts. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"
#include "tile_gpu.clh"

/* Channels side by side of the input (4 blocked, 1 plain) and of the output's gradient. */
#ifndef XL
#define XL 4
#define YL 4
#endif
#define STEP        (ITEMS / TK) /* blocks of channels that lie between two loads of a work-item */
#define LEFT_LOADS  (TM / 4 / STEP)
#define RIGHT_LOADS (TN / 4 / STEP)

/* A tile's rows are target channels of a group, in whole blocks; its columns source channels of the group at one tap,
 * in whole blocks, or of a plain input all taps and channels, the channel fastest. work: columns of a row of partial
 * sums, of which a tap has work.y; tiles that a tap has; pixels of a part. Partial sums are [part][K][work.x]. */

/* Picture, row and column of a pixel of the output; it moves on by TK pixels. */
typedef struct spot {
    int picture, row, column;
} spot;

static inline void next_spot(spot *p, int4 target)
{
    p->column += TK;
    while (p->column >= target.w) {
        p->column -= target.w;
        p->row++;
    }
    while (p->row >= target.z) {
        p->row -= target.z;
        p->picture++;
    }
}

/* Four channels of a pixel, from block `block` on; zero for channels beyond. */
static inline float4 load_block(__global const float *x, int picture, int block, int pixel,
                                int4 shape, int lanes)
{
    const int pixels = shape.z * shape.w;
    if (lanes == 4) {
        const int blocks = (shape.y + 3) / 4;
        return block < blocks
                   ? ((__global const float4 *)x)[(picture * blocks + block) * pixels + pixel]
                   : (float4)(0.0f);
    }
    float v[4];
    for (int l = 0; l < 4; l++) {
        const int c = block * 4 + l;
        v[l] = c < shape.y ? x[(picture * shape.y + c) * pixels + pixel] : 0.0f;
    }
    return vload4(0, v);
}

#if XL == 1
/* Four columns from `first` on at a pixel of the output. taps: of each column row, column and channel, in bits. */
static inline float4 load_columns(__global const float *x, const int taps[4], const spot *p,
                                  int4 source, int4 window, int4 step, int4 place)
{
    float v[4];
#pragma unroll
    for (int l = 0; l < 4; l++) {
        const int r = taps[l] >> 16, s = taps[l] >> 4 & 0xFFF, c = taps[l] & 0xF;
        const int row = conv_row(p->row, r, source, window, step, place);
        const int column = conv_column(p->column, s, source, window, step, place);
        v[l] = taps[l] >= 0 && (row | column) >= 0
                   ? x[((p->picture * source.y + c) * source.z + row) * source.w + column]
                   : 0.0f;
    }
    return vload4(0, v);
}
#endif

/* One work-group: a tile. Dimension 0: tiles of target channels; 1: of source channels, for each tap; 2: parts of the
 * pixels, for each group. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
conv_gpu_params_weight(__global float *partial, __global const float *x, __global const float *dy,
                       int4 source, int4 target, int4 window, int4 step, int4 place, int parts,
                       int4 work, int first)
{
    __local float4 left[TK * LEFT_ROW], right[TK * RIGHT_ROW];
    const int item = (int)get_local_id(0), pixels = target.z * target.w;
    const int z = first + (int)get_group_id(2), group = z / parts, part = z % parts;
    const int begin = part * work.w, end = min(target.x * pixels, begin + work.w);
    const int targets = target.y / window.z, channels = source.y / window.z;
    const int left_block = group * targets / 4 + (int)get_group_id(0) * (TM / 4);
    const int tap = (int)get_group_id(1) / work.z;
    const int first_column = (int)get_group_id(1) % work.z * TN;
#if XL == 1
    int taps[RIGHT_LOADS][4];
    for (int q = 0; q < RIGHT_LOADS; q++) {
        for (int l = 0; l < 4; l++) {
            const int j = first_column + (item / TK + q * STEP) * 4 + l, at = j / channels;
            taps[q][l] = at < window.x * window.y
                             ? at / window.y << 16 | at % window.y << 4 | j % channels
                             : -1;
        }
    }
#else
    const int right_block = group * channels / 4 + first_column / 4;
    const int last_block = (group * channels + channels - 1) / 4;
#endif
    const int pixel = begin + item % TK;
    spot p;
    p.picture = pixel / pixels;
    p.row = pixel % pixels / target.w;
    p.column = pixel % target.w;
    float4 sum[4 * MB][NB], of_y[LEFT_LOADS], of_x[RIGHT_LOADS];
    tile_zero(sum);
    for (int i = begin - TK; i < end; i += TK) {
        if (i >= begin) {
#pragma unroll
            for (int q = 0; q < LEFT_LOADS; q++) {
                left[item % TK * LEFT_ROW + item / TK + q * STEP] = of_y[q];
            }
#pragma unroll
            for (int q = 0; q < RIGHT_LOADS; q++) {
                right[item % TK * RIGHT_ROW + item / TK + q * STEP] = of_x[q];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (i + TK < end) { /* come while the last ones are multiplied */
            const int inside = i + TK + item % TK < end;
            const int to = p.row * target.w + p.column;
#pragma unroll
            for (int q = 0; q < LEFT_LOADS; q++) {
                of_y[q] = inside ? load_block(dy, p.picture, left_block + item / TK + q * STEP, to,
                                              target, YL)
                                 : (float4)(0.0f);
            }
#if XL == 1
#pragma unroll
            for (int q = 0; q < RIGHT_LOADS; q++) {
                of_x[q] = inside ? load_columns(x, taps[q], &p, source, window, step, place)
                                 : (float4)(0.0f);
            }
#else
            const int row = conv_row(p.row, tap / window.y, source, window, step, place);
            const int column = conv_column(p.column, tap % window.y, source, window, step, place);
#pragma unroll
            for (int q = 0; q < RIGHT_LOADS; q++) {
                const int block = right_block + item / TK + q * STEP;
                of_x[q] = inside && (row | column) >= 0 && block <= last_block
                              ? load_block(x, p.picture, block, row * source.w + column, source, XL)
                              : (float4)(0.0f);
            }
#endif
            next_spot(&p, target);
        }
        if (i >= begin) {
            tile_multiply(sum, left, right);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#if XL == 1
    const int columns = work.x, offset = 0;
#else
    const int columns = work.y, offset = tap * work.y;
#endif
#pragma unroll
    for (int m = 0; m < 4 * MB; m++) {
        const int k = left_block * 4 + (TILE_ROW + m / 4 * SM) * 4 + m % 4;
#pragma unroll
        for (int j = 0; j < NB; j++) {
            const int column = first_column + (TILE_COLUMN + j * SN) * 4;
            if (k >= group * targets && k < (group + 1) * targets && column < columns) {
                __global float *to =
                    partial + ((size_t)part * target.y + k) * work.x + offset + column;
                *(__global float4 *)to = sum[m][j];
            }
        }
    }
}

/* The gradient [K,C/groups,R,S] from its parts, in their order. One work-item: one weight. */
__kernel void conv_gpu_params_sum(__global float *gradient, __global const float *partial,
                                  int4 source, int4 target, int4 window, int parts, int accumulate,
                                  int4 work)
{
    const int taps = window.x * window.y, channels = source.y / window.z, i = rv_index();
    const int tap = i % taps, c = i / taps % channels, k = i / (taps * channels);
    if (k >= target.y) {
        return;
    }
    const int group = k / (target.y / window.z);
    const int offset = XL == 4 ? group * channels % 4 : 0; /* of the group in its first block */
    __global const float *from = partial + (size_t)k * work.x + tap * work.y + offset + c;
    const size_t step = (size_t)target.y * work.x;
    float sum = 0.0f;
    for (int part = 0; part < parts; part++) {
        sum += from[part * step];
    }
    gradient[i] = rv_accumulate(gradient + i, sum, accumulate);
}

#define BIAS_ITEMS 256

/* partial [parts][K]: the sum of a block of channels of the blocked gradient over a part of all pixels. Work-group:
 * (block, part). */
__kernel __attribute__((reqd_work_group_size(BIAS_ITEMS, 1, 1))) void
conv_gpu_params_bias(__global float *partial, __global const float *dy, int4 target, int parts)
{
    __local float4 shared[BIAS_ITEMS];
    const int me = (int)get_local_id(0), block = (int)get_group_id(0);
    const int part = (int)get_group_id(1);
    const int pixels = target.z * target.w, blocks = (target.y + 3) / 4, all = target.x * pixels;
    float4 sum = (float4)(0.0f);
    for (int i = part * BIAS_ITEMS + me; i < all; i += parts * BIAS_ITEMS) {
        sum += ((__global const float4 *)dy)[(i / pixels * blocks + block) * pixels + i % pixels];
    }
    shared[me] = sum;
    for (int half_size = BIAS_ITEMS / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (me < half_size) {
            shared[me] += shared[me + half_size];
        }
    }
    if (me == 0) {
        float lane[4];
        vstore4(shared[0], 0, lane);
        for (int l = 0; l < 4 && block * 4 + l < target.y; l++) {
            partial[part * target.y + block * 4 + l] = lane[l];
        }
    }
}
