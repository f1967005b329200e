/* Binary cross-entropy of logits with targets 0 to 1, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* parts: sums of max(x, 0) - x t + log(1 + exp(-|x|)) over n floats, which overflows for no x. Where c is above 0 the
 * layout is blocked with c channels, and pad lanes count as nothing. */
RV_REDUCE_KERNEL void binary_cross_entropy_forward(__global float *parts, __global const float *x,
                                                   __global const float *t, int n, int pixels,
                                                   int c, int vectors, int share)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        const floatB v = rv_load(x, i, n);
        /* Not fmax: a NaN has to stay one. */
        const floatB above = select(v, (floatB)(0.0f), v < 0.0f);
        floatB loss = above - v * rv_load(t, i, n) + log1p(exp(-fabs(v)));
        if ((i + 1) * B > n) {
            loss = select((floatB)(0.0f), loss, (intB)(i * B) + RV_LANES < (intB)(n));
        }
        sum += rv_mask_flat(loss, i, pixels, c);
    }
    rv_reduce_store(parts, sum, scratch);
}

/* dx = factor * dy * (sigmoid(x) - t). One work-item: B values. */
__kernel void binary_cross_entropy_backward(__global float *dx, __global const float *x,
                                            __global const float *t, __global const float *dy,
                                            int n, int pixels, int c, float factor, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        const floatB v = rv_load(x, i, n);
        const floatB d = factor * dy[0] * (1.0f / (1.0f + exp(-v)) - rv_load(t, i, n));
        rv_store_gradient(dx, i, n, rv_mask_flat(d, i, pixels, c), accumulate);
    }
}
