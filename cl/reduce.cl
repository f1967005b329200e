/* Second stage of a sum: one work-item adds up the parts. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* out = factor * sum of the parts, with Kahan's correction: there can be thousands. */
__kernel void reduce_finish(__global float *out, __global const float *parts, int n, float factor)
{
    if (rv_index() > 0) {
        return;
    }
    float sum = 0.0f, lost = 0.0f;
    for (int i = 0; i < n; i++) {
        const float term = parts[i] - lost;
        const float next = sum + term;
        lost = (next - sum) - term;
        sum = next;
    }
    out[0] = factor * sum;
}
