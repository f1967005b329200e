/* Adam with an optional box. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* Moments, bias-corrected step, clamp. scale1 and scale2 are 1 / (1 - beta^t). One work-item: B values. */
__kernel void adam_step(__global float *x, __global float *m, __global float *v,
                        __global const float *g, int n, float rate, float beta1, float beta2,
                        float epsilon, float scale1, float scale2, float low, float high)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB gi = rv_load(g, i, n);
    const floatB mi = beta1 * rv_load(m, i, n) + (1.0f - beta1) * gi;
    const floatB vi = beta2 * rv_load(v, i, n) + (1.0f - beta2) * gi * gi;
    rv_store(m, i, n, mi);
    rv_store(v, i, n, vi);
    const floatB moved = rv_load(x, i, n) - rate * (mi * scale1) / (sqrt(vi * scale2) + epsilon);
    rv_store(x, i, n, low < high ? clamp(moved, low, high) : moved);
}
