/* Dense layers: the light kernels of both kernel forms. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* Vectors of a work-item; on CPUs four lines of memory that lie side by side, while rows may lie whole pages apart, and so
 * many rows ahead as they are asked for. */
#if RV_GPU_FORM
#define BIAS_VECTORS 1
#else
#define BIAS_VECTORS 4
#define BIAS_AHEAD   16
#endif

/* db = sum of dy over the batch; dy is [N,K]. One work-item: BIAS_VECTORS vectors. */
__kernel void dense_bias_gradient(__global float *db, __global const float *dy, int n, int k,
                                  int accumulate)
{
    const int first = rv_index() * BIAS_VECTORS * B;
    if (first + BIAS_VECTORS * B <= k) {
        floatB sum[BIAS_VECTORS];
        for (int v = 0; v < BIAS_VECTORS; v++) {
            sum[v] = (floatB)(0.0f);
        }
        for (int picture = 0; picture < n; picture++) {
            __global const float *from = dy + (size_t)picture * k + first;
#pragma unroll
            for (int v = 0; v < BIAS_VECTORS; v++) {
#if !RV_GPU_FORM
                rv_prefetch(from + BIAS_AHEAD * k + v * B);
#endif
                sum[v] += vloadB(v, from);
            }
        }
        for (int v = 0; v < BIAS_VECTORS; v++) {
            vstoreB(accumulate ? vloadB(v, db + first) + sum[v] : sum[v], v, db + first);
        }
        return;
    }
    for (int i = first; i < k; i++) {
        float sum = 0.0f;
        for (int picture = 0; picture < n; picture++) {
            sum += dy[(size_t)picture * k + i];
        }
        db[i] = rv_accumulate(db + i, sum, accumulate);
    }
}
