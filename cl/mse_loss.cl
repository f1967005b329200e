/* Mean of squared differences and its gradients. Pad lanes are zero in both tensors and add nothing. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* parts: sums of (x - t)^2 over n floats. */
RV_REDUCE_KERNEL void mse_loss_forward(__global float *parts, __global const float *x,
                                       __global const float *t, int n, int vectors, int share)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        const floatB d = rv_load(x, i, n) - rv_load(t, i, n);
        sum += d * d;
    }
    rv_reduce_store(parts, sum, scratch);
}

/* dx = factor * dy * (x - t); the gradient of t takes the negative factor. One work-item: B values. */
__kernel void mse_loss_backward(__global float *dx, __global const float *x,
                                __global const float *t, __global const float *dy, int n,
                                float factor, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        const floatB d = rv_load(x, i, n) - rv_load(t, i, n);
        rv_store_gradient(dx, i, n, factor * dy[0] * d, accumulate);
    }
}
