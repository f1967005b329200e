/* From red, green, blue to the channels that a network was trained on, and gradients back. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* y_k = x_k' * factor_k + offset_k over [n,c,pixels], where k' is 2 - k if `reversed`; c is 3, or 1 for grey.
 * One work-item: B pixels in all channels, read before written, so that y may lie over x. */
__kernel void preprocess_map(__global float *y, __global const float *x, int n, int c, int pixels,
                             int reversed, int accumulate, float4 factor, float4 offset)
{
    const int vectors = (pixels + B - 1) / B, i = rv_index();
    const int picture = i / vectors, vector = i % vectors;
    if (picture >= n) {
        return;
    }
    y += picture * c * pixels;
    x += picture * c * pixels;
    if (c == 1) {
        const floatB v = rv_load(x, vector, pixels) * factor.x + offset.x;
        rv_store_gradient(y, vector, pixels, v, accumulate);
        return;
    }
    const floatB first = rv_load(x, vector, pixels);
    const floatB second = rv_load(x + pixels, vector, pixels);
    const floatB third = rv_load(x + 2 * pixels, vector, pixels);
    rv_store_gradient(y, vector, pixels, (reversed ? third : first) * factor.x + offset.x,
                      accumulate);
    rv_store_gradient(y + pixels, vector, pixels, second * factor.y + offset.y, accumulate);
    rv_store_gradient(y + 2 * pixels, vector, pixels,
                      (reversed ? first : third) * factor.z + offset.z, accumulate);
}
