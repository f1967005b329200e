/* Adam with an optional box. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* One value: moments, bias-corrected step, clamp. scale1 and scale2 are 1 / (1 - beta^t). */
__kernel void adam_step(__global float *x, __global float *m, __global float *v,
                        __global const float *g, int n, float rate, float beta1, float beta2,
                        float epsilon, float scale1, float scale2, float low, float high)
{
    const int i = rv_index();
    if (i >= n) {
        return;
    }
    const float gi = g[i];
    const float mi = beta1 * m[i] + (1.0f - beta1) * gi;
    const float vi = beta2 * v[i] + (1.0f - beta2) * gi * gi;
    m[i] = mi;
    v[i] = vi;
    const float moved = x[i] - rate * (mi * scale1) / (sqrt(vi * scale2) + epsilon);
    x[i] = low < high ? clamp(moved, low, high) : moved;
}
