/* Sum of products with a target and its gradients. Pad lanes are zero in both tensors and add nothing. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* parts: sums of x * t over n floats. */
RV_REDUCE_KERNEL void dot_loss_forward(__global float *parts, __global const float *x,
                                       __global const float *t, int n, int vectors, int share)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        sum += rv_load(x, i, n) * rv_load(t, i, n);
    }
    rv_reduce_store(parts, sum, scratch);
}

/* dx = weight * dy * other, where x multiplies the other. One work-item: B values. */
__kernel void dot_loss_backward(__global float *dx, __global const float *other,
                                __global const float *dy, int n, float weight, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store_gradient(dx, i, n, weight * dy[0] * rv_load(other, i, n), accumulate);
    }
}
