/* Between the plain layout N,C,H,W and the blocked layout N,C/B,H,W,B. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* One work-item: the B channels of one pixel. */
__kernel void reorder_to_blocked(__global floatB *y, __global const float *x, int n, int c,
                                 int pixels, int accumulate)
{
    const int blocks = (c + B - 1) / B;
    const int i = rv_index();
    if (i >= n * blocks * pixels) {
        return;
    }
    const int pixel = i % pixels, block = i / pixels % blocks, picture = i / pixels / blocks;
    float lane[B];
    for (int b = 0; b < B; b++) {
        const int channel = block * B + b;
        lane[b] = channel < c ? x[(picture * c + channel) * pixels + pixel] : 0.0f;
    }
    y[i] = rv_accumulateB(y + i, vloadB(0, lane), accumulate);
}

/* One work-item: one pixel of one channel. */
__kernel void reorder_to_plain(__global float *y, __global const float *x, int n, int c, int pixels,
                               int accumulate)
{
    const int blocks = (c + B - 1) / B;
    const int i = rv_index();
    if (i >= n * c * pixels) {
        return;
    }
    const int pixel = i % pixels, channel = i / pixels % c, picture = i / pixels / c;
    const float v = x[((picture * blocks + channel / B) * pixels + pixel) * B + channel % B];
    y[i] = rv_accumulate(y + i, v, accumulate);
}
