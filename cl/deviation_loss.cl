/* Means and deviations of channels against those of a target, and the gradients. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* s = sqrt(max(q - m^2, 0) + ridge). */
static inline floatB deviation(floatB q, floatB m, float ridge)
{
    return sqrt(fmax(q - m * m, (floatB)(0.0f)) + ridge);
}

/* v with zeros beyond n. */
static inline floatB within(floatB v, int i, int n)
{
    return select((floatB)(0.0f), v, (intB)(i * B) + RV_LANES < (intB)(n));
}

/* parts: sums of (m - t)^2 + (s - d)^2 over n floats. */
RV_REDUCE_KERNEL void deviation_loss_forward(__global float *parts, __global const float *square,
                                             __global const float *mean,
                                             __global const float *target_deviation,
                                             __global const float *target_mean, int n, int vectors,
                                             int share, float ridge)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        const floatB m = rv_load(mean, i, n), off = m - rv_load(target_mean, i, n);
        const floatB d =
            deviation(rv_load(square, i, n), m, ridge) - rv_load(target_deviation, i, n);
        sum += within(off * off + d * d, i, n);
    }
    rv_reduce_store(parts, sum, scratch);
}

/* dq = factor * dy * (s - d) / s; with of_mean dm = factor * dy * 2 (m - t - m (s - d) / s). Where q is below m^2 there
 * is nothing to pull at. One work-item: B values. */
__kernel void deviation_loss_backward(__global float *dx, __global const float *square,
                                      __global const float *mean,
                                      __global const float *target_deviation,
                                      __global const float *target_mean, __global const float *dy,
                                      int n, int of_mean, float ridge, float factor, int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB q = rv_load(square, i, n), m = rv_load(mean, i, n);
    const floatB s = deviation(q, m, ridge);
    const floatB pull =
        select((floatB)(0.0f), (s - rv_load(target_deviation, i, n)) / s, q > m * m);
    const floatB d = of_mean ? 2.0f * (m - rv_load(target_mean, i, n) - m * pull) : pull;
    rv_store_gradient(dx, i, n, factor * dy[0] * d, accumulate);
}
