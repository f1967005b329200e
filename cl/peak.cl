/* What a device can do at most: multiply-adds in registers, copies through memory, empty launches. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* fma() as in all kernels that sum products, where a device has it: mad() may become a multiplication and an addition
 * even there, and what that reaches is no peak. */
#ifdef FUSED
#define FMA(x, a, b) fma(x, a, b)
#else
#define FMA(x, a, b) mad(x, a, b)
#endif

/* Twelve chains that do not wait for each other: latency 4 times 2 units, and some more. */
#define STEP              \
    x0 = FMA(x0, p, q);   \
    x1 = FMA(x1, p, q);   \
    x2 = FMA(x2, p, q);   \
    x3 = FMA(x3, p, q);   \
    x4 = FMA(x4, p, q);   \
    x5 = FMA(x5, p, q);   \
    x6 = FMA(x6, p, q);   \
    x7 = FMA(x7, p, q);   \
    x8 = FMA(x8, p, q);   \
    x9 = FMA(x9, p, q);   \
    x10 = FMA(x10, p, q); \
    x11 = FMA(x11, p, q);

/* rounds * 4 * 12 * B multiply-adds in each work-item; with a + b = 1 the values go to 1. The grid has as many
 * items as y has floats. */
__kernel void peak_fma(__global float *y, int rounds, float a, float b)
{
    const floatB p = (floatB)(a), q = (floatB)(b);
    const float s = (float)(get_global_id(0) % 7);
    floatB x0 = (floatB)(s), x1 = x0 + 1.0f, x2 = x0 + 2.0f, x3 = x0 + 3.0f;
    floatB x4 = x0 + 4.0f, x5 = x0 + 5.0f, x6 = x0 + 6.0f, x7 = x0 + 7.0f;
    floatB x8 = x0 + 8.0f, x9 = x0 + 9.0f, x10 = x0 + 10.0f, x11 = x0 + 11.0f;
    for (int i = 0; i < rounds; i++) {
        STEP STEP STEP STEP
    }
    const floatB sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;
    float lane[B];
    vstoreB(sum, 0, lane);
    float total = 0.0f;
    for (int k = 0; k < B; k++) {
        total += lane[k];
    }
    y[get_global_id(0)] = total;
}

/* y = x in vectors of B: a work-item moves `share` of them, on GPUs far apart, on CPUs neighbours. */
__kernel void peak_copy(__global floatB *y, __global const floatB *x, int n, int share)
{
    const int me = (int)get_global_id(0);
#if RV_GPU_FORM
    const int items = (int)get_global_size(0);
    for (int k = 0, i = me; k < share && i < n; k++, i += items) {
        y[i] = x[i];
    }
#else
    const int end = min(n, (me + 1) * share);
    for (int i = me * share; i < end; i++) {
        y[i] = x[i];
    }
#endif
}

/* Nothing but a launch. */
__kernel void peak_launch(__global float *y, int n)
{
    if ((int)get_global_id(0) < n) {
        y[get_global_id(0)] = 0.0f;
    }
}
