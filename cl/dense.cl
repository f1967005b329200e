/* Dense layers: the light kernels of both kernel forms. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* db = sum of dy over the batch; dy is [N,K]. One work-item: B values. */
__kernel void dense_bias_gradient(__global float *db, __global const float *dy, int n, int k,
                                  int accumulate)
{
    const int first = rv_index() * B;
    if (first + B <= k) {
        floatB sum = (floatB)(0.0f);
        for (int picture = 0; picture < n; picture++) {
            sum += vloadB(0, dy + (size_t)picture * k + first);
        }
        vstoreB(accumulate ? vloadB(0, db + first) + sum : sum, 0, db + first);
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
