/* From red, green, blue to the channels that a network was trained on, and gradients back. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* y_k = x_k' * factor_k + offset_k over [n,c,pixels], where k' is 2 - k if `reversed`; c is 3, or 1 for grey.
 * One work-item: one pixel in all channels, read before written, so that y may lie over x. */
__kernel void preprocess_map(__global float *y, __global const float *x, int n, int c, int pixels,
                             int reversed, int accumulate, float4 factor, float4 offset)
{
    const int i = rv_index();
    if (i >= n * pixels) {
        return;
    }
    const int at = i / pixels * c * pixels + i % pixels;
    if (c == 1) {
        y[at] = rv_accumulate(y + at, x[at] * factor.x + offset.x, accumulate);
        return;
    }
    const float first = x[at], second = x[at + pixels], third = x[at + 2 * pixels];
    const float3 v = reversed ? (float3)(third, second, first) : (float3)(first, second, third);
    const float3 mapped = v * factor.xyz + offset.xyz;
    y[at] = rv_accumulate(y + at, mapped.x, accumulate);
    y[at + pixels] = rv_accumulate(y + at + pixels, mapped.y, accumulate);
    y[at + 2 * pixels] = rv_accumulate(y + at + 2 * pixels, mapped.z, accumulate);
}
