/* Convolution on GPUs from or to pictures, for which tiles would be mostly idle. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Channels side by side of the source (4 blocked, 1 plain) and of the target; pixels of a work-item; blocks of 4
 * target channels that it makes. */
#ifndef XL
#define XL 4
#define YL 1
#define PX 4
#define NT 1
#endif
#define ITEMS 64

/* Weights as [tap][source channel in whole blocks][target channels in whole NT * 4], zero beyond. One work-item: one
 * weight. work: source channels and target channels packed, offset. */
__kernel void conv_gpu_few_pack(__global float *packed, __global const float *weights, int4 source,
                                int4 target, int4 window, int gradient, int4 work)
{
    const int i = rv_index();
    const int k = i % work.y, c = i / work.y % work.x, tap = i / work.y / work.x;
    if (tap < window.x * window.y) {
        packed[work.w + i] =
            k < target.y && c < source.y
                ? weights[conv_weight(c, k, source, target, window, gradient) + tap]
                : 0.0f;
    }
}

/* PX pixels, ITEMS apart (dimension 0 over all pictures), x NT blocks of target channels (dimension 1). The weights
 * are the same for all work-items. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
conv_gpu_few_gather(__global float *y, __global const float *x, __global const float *packed,
                    __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                    int4 place, float slope, int4 work)
{
    const int pixels = target.z * target.w, from_pixels = source.z * source.w;
    const int units = (source.y + XL - 1) / XL, first = (int)get_group_id(1) * NT;
    const int begin = (int)get_group_id(0) * ITEMS * PX + (int)get_local_id(0);
    int row[PX], column[PX], picture[PX];
    float4 sum[PX][NT];
#pragma unroll
    for (int p = 0; p < PX; p++) {
        const int i = begin + p * ITEMS;
        picture[p] = i < target.x * pixels ? i / pixels : -1;
        row[p] = i % pixels / target.w;
        column[p] = i % target.w;
#pragma unroll
        for (int t = 0; t < NT; t++) {
            sum[p][t] = (float4)(0.0f);
        }
    }
    __global const float4 *w = (__global const float4 *)(packed + work.w) + first;
    for (int tap = 0; tap < window.x * window.y; tap++) {
        int at[PX];
        int any = -1;
#pragma unroll
        for (int p = 0; p < PX; p++) {
            const int r = conv_row(row[p], tap / window.y, source, window, step, place);
            const int s = conv_column(column[p], tap % window.y, source, window, step, place);
            at[p] =
                (picture[p] | r | s) < 0 ? -1 : picture[p] * units * from_pixels + r * source.w + s;
            any = max(any, at[p]);
        }
        for (int unit = 0; unit < units && any >= 0; unit++) {
            float v[PX][XL];
#pragma unroll
            for (int p = 0; p < PX; p++) {
                const int i = at[p] + unit * from_pixels;
#if XL == 4
                vstore4(at[p] >= 0 ? ((__global const float4 *)x)[i] : (float4)(0.0f), 0, v[p]);
#else
                v[p][0] = at[p] >= 0 ? x[i] : 0.0f;
#endif
            }
#pragma unroll
            for (int l = 0; l < XL; l++) {
                const int c = tap * work.x + unit * XL + l;
#pragma unroll
                for (int t = 0; t < NT; t++) {
                    const float4 weight = w[c * (work.y / 4) + t];
#pragma unroll
                    for (int p = 0; p < PX; p++) {
                        sum[p][t] = fma((float4)(v[p][l]), weight, sum[p][t]);
                    }
                }
            }
        }
    }
    const int blocks = (target.y + YL - 1) / YL;
#pragma unroll
    for (int t = 0; t < NT; t++) {
        float add[4];
        for (int l = 0; l < 4; l++) {
            const int k = (first + t) * 4 + l;
            add[l] = bias != 0 && k < target.y ? bias[k] : 0.0f;
        }
#pragma unroll
        for (int p = 0; p < PX; p++) {
            const float4 v = sum[p][t] + vload4(0, add);
            const int pixel = row[p] * target.w + column[p];
            if (picture[p] < 0) {
                continue;
            }
#if YL == 4
            if (first + t < blocks) {
                __global float4 *to =
                    (__global float4 *)y + (picture[p] * blocks + first + t) * pixels + pixel;
                *to = rv_rectifyB(place.w ? *to + v : v, slope);
            }
#else
            float lane[4];
            vstore4(v, 0, lane);
            for (int l = 0; l < 4 && (first + t) * 4 + l < target.y; l++) {
                __global float *to =
                    y + (picture[p] * blocks + (first + t) * 4 + l) * pixels + pixel;
                *to = rv_rectify(rv_accumulate(to, lane[l], place.w), slope);
            }
#endif
        }
    }
}
