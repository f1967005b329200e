/* Convolution on GPUs as a product of matrices that are never written out: pixels x (tap, channel) x target channels. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Target channels of a work-group: 16, 32 or 64; each work-item has TN / 16 of them. */
#ifndef TN
#define TN 64
#endif
#define TM    64  /* target pixels of a work-group; each work-item has 4, 16 apart */
#define TK    16  /* products that are summed up between barriers */
#define ITEMS 256 /* work-items: 16 along the pixels, 16 along the channels */
#define PER   (TN / 16)

/* Weights as [group][tap][source channel][target channel] of the group: rows of target channels lie side by side.
 * One work-item: one weight. */
__kernel void conv_gpu_pack(__global float *packed, __global const float *weights, int4 source,
                            int4 target, int4 window, int gradient, int4 work)
{
    const int taps = window.x * window.y;
    const int channels = source.y / window.z, targets = target.y / window.z;
    const int i = rv_index();
    if (i >= target.y * channels * taps) {
        return;
    }
    const int k = i % targets, c = i / targets % channels, tap = i / (targets * channels) % taps,
              group = i / (targets * channels * taps);
    packed[work.w + i] = weights[conv_weight(group * channels + c, group * targets + k, source,
                                             target, window, gradient) +
                                 tap];
}

/* The source value of product `j` (tap and channel of the group) for a target pixel; zero where there is none. */
static inline float load_source(__global const float *x, int j, int n, int row, int column,
                                int first, int channels, int lanes, int4 source, int4 window,
                                int4 step, int4 place)
{
    const int tap = j / channels, c = first + j % channels;
    const int y = conv_row(row, tap / window.y, source, window, step, place);
    const int z = conv_column(column, tap % window.y, source, window, step, place);
    const int none = tap >= window.x * window.y || n >= source.x || (y | z) < 0;
    return none ? 0.0f : x[conv_index(n, c, y * source.w + z, source, lanes)];
}

/* One work-group: TM pixels of all pictures (dimension 0) x TN channels (dimension 1) of a group (dimension 2).
 * work.x, work.y: lanes of source and target; packed weights from work.w on. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
conv_gpu_gather(__global float *y, __global const float *x, __global const float *packed,
                __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                int4 place, float slope, int4 work)
{
    __local float left[TK][TM + 1], right[TK][TN + 1];
    const int item = (int)get_local_id(0), group = (int)get_group_id(2);
    const int channels = source.y / window.z, targets = target.y / window.z;
    const int pixels = target.z * target.w, products = channels * window.x * window.y;
    const int first_pixel = (int)get_group_id(0) * TM, first_channel = (int)get_group_id(1) * TN;
    /* What this work-item loads: products 4 * (item / TM) ... of one pixel. */
    const int pixel = first_pixel + item % TM, n = pixel / pixels, row = pixel % pixels / target.w,
              column = pixel % target.w;
    __global const float *weights = packed + work.w + group * products * targets;
    float sum[4][PER];
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int k = 0; k < PER; k++) {
            sum[i][k] = 0.0f;
        }
    }
    for (int j = 0; j < products; j += TK) {
        for (int q = 0; q < 4; q++) {
            const int at = item / TM * 4 + q;
            left[at][item % TM] = load_source(x, j + at, n, row, column, group * channels, channels,
                                              work.x, source, window, step, place);
        }
        for (int q = item; q < TK * TN; q += ITEMS) {
            const int at = j + q / TN, k = first_channel + q % TN;
            right[q / TN][q % TN] = at < products && k < targets ? weights[at * targets + k] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int t = 0; t < TK; t++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float a = left[t][item % 16 + 16 * i];
#pragma unroll
                for (int k = 0; k < PER; k++) {
                    sum[i][k] = fma(a, right[t][item / 16 * PER + k], sum[i][k]);
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    /* The last group writes the pad lanes too; their sums are zero. */
    const int end = group == window.z - 1
                        ? (target.y + work.y - 1) / work.y * work.y - group * targets
                        : targets;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int at = first_pixel + item % 16 + 16 * i;
#pragma unroll
        for (int k = 0; k < PER; k++) {
            const int channel = first_channel + item / 16 * PER + k,
                      all = group * targets + channel;
            if (at < target.x * pixels && channel < end) {
                __global float *to = y + conv_index(at / pixels, all, at % pixels, target, work.y);
                const float add = bias != 0 && all < target.y ? bias[all] : 0.0f;
                *to = rv_rectify(rv_accumulate(to, sum[i][k] + add, place.w), slope);
            }
        }
    }
}
