/* Sums of tensors of one shape and layout. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* y = a + b over n floats, rectified by `slope`; y may lie over a or b. One work-item: B values. */
__kernel void add_forward(__global float *y, __global const float *a, __global const float *b,
                          int n, float slope)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store(y, i, n, rv_rectifyB(rv_load(a, i, n) + rv_load(b, i, n), slope));
    }
}

/* dx = dy */
__kernel void add_backward(__global float *dx, __global const float *dy, int n, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store_gradient(dx, i, n, rv_load(dy, i, n), accumulate);
    }
}
