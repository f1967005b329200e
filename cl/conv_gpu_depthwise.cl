/* Convolution on GPUs channel by channel: groups of one channel each. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Weights as [tap][channels in whole blocks]. work: 1, channels packed, offset. */
__kernel void conv_gpu_depthwise_pack(__global float *packed, __global const float *weights,
                                      int4 source, int4 target, int4 window, int gradient,
                                      int4 work)
{
    const int i = rv_index(), k = i % work.y, tap = i / work.y;
    if (tap < window.x * window.y) {
        packed[work.w + i] =
            k < target.y ? weights[conv_weight(k, k, source, target, window, gradient) + tap]
                         : 0.0f;
    }
}

/* One work-item: one block of channels of one pixel. work.y: channels packed. */
__kernel void conv_gpu_depthwise_gather(__global float *y, __global const float *x,
                                        __global const float *packed, __global const float *bias,
                                        int4 source, int4 target, int4 window, int4 step,
                                        int4 place, float slope, int4 work)
{
    const int pixels = target.z * target.w, blocks = (target.y + 3) / 4, i = rv_index();
    const int pixel = i % pixels, block = i / pixels % blocks, plane = i / pixels;
    if (plane >= target.x * blocks) {
        return;
    }
    __global const float4 *from = (__global const float4 *)x + plane * source.z * source.w;
    __global const float4 *w = (__global const float4 *)(packed + work.w) + block;
    float4 sum = (float4)(0.0f);
    for (int r = 0; r < window.x; r++) {
        const int row = conv_row(pixel / target.w, r, source, window, step, place);
        for (int s = 0; s < window.y && row >= 0; s++) {
            const int column = conv_column(pixel % target.w, s, source, window, step, place);
            if (column >= 0) {
                sum = fma(from[row * source.w + column], w[(r * window.y + s) * (work.y / 4)], sum);
            }
        }
    }
    float add[4];
    for (int l = 0; l < 4; l++) {
        add[l] = bias != 0 && block * 4 + l < target.y ? bias[block * 4 + l] : 0.0f;
    }
    sum += vload4(0, add);
    __global float4 *to = (__global float4 *)y + i;
    *to = rv_rectifyB(place.w ? *to + sum : sum, slope);
}
