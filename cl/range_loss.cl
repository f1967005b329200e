/* Mean of squared distances from a range and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* parts: sums of (x - clamp(x, low, high))^2 over n floats; pad lanes are left out, as 0 may lie outside
 * the range. */
RV_REDUCE_KERNEL void range_loss_forward(__global float *parts, __global const float *x, int n,
                                         int pixels, int c, int vectors, int share, float low,
                                         float high)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        const floatB v = rv_load(x, i, n);
        const floatB d = rv_mask_flat(v - clamp(v, low, high), i, pixels, c);
        sum += d * d;
    }
    rv_reduce_store(parts, sum, scratch);
}

/* dx = factor * dy * (x - clamp(x, low, high)). One work-item: B values. */
__kernel void range_loss_backward(__global float *dx, __global const float *x,
                                  __global const float *dy, int n, int pixels, int c, float low,
                                  float high, float factor, int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB v = rv_load(x, i, n);
    const floatB d = rv_mask_flat(v - clamp(v, low, high), i, pixels, c);
    rv_store_gradient(dx, i, n, factor * dy[0] * d, accumulate);
}
