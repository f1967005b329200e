/* Two tensors of one shape and layout, value by value: the larger, the product, a weighted sum; and gradients. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* Each over n floats, a and b weighted by fa and fb where that is what it does. One work-item: B values. */
__kernel void eltwise_maximum(__global float *y, __global const float *a, __global const float *b,
                              int n, float fa, float fb)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        const floatB v = rv_load(a, i, n), w = rv_load(b, i, n);
        /* A NaN of either shows in the end. */
        rv_store(y, i, n, select(w, v, (v > w) | (v != v)));
    }
}

__kernel void eltwise_multiply(__global float *y, __global const float *a, __global const float *b,
                               int n, float fa, float fb)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store(y, i, n, rv_load(a, i, n) * rv_load(b, i, n));
    }
}

__kernel void eltwise_weighted_add(__global float *y, __global const float *a,
                                   __global const float *b, int n, float fa, float fb)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store(y, i, n, fa * rv_load(a, i, n) + fb * rv_load(b, i, n));
    }
}

/* For one of the two, `own`; `second`: it is b. Where both are the same, b is the larger. */
__kernel void eltwise_maximum_back(__global float *dx, __global const float *dy,
                                   __global const float *own, __global const float *other, int n,
                                   float factor, int second, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        const floatB v = rv_load(own, i, n), w = rv_load(other, i, n);
        const intB first_wins = second ? (w > v) | (w != w) : (v > w) | (v != v);
        const intB mine = second ? ~first_wins : first_wins;
        const floatB zero = (floatB)(0.0f);
        rv_store_gradient(dx, i, n, select(zero, rv_load(dy, i, n), mine), accumulate);
    }
}

__kernel void eltwise_multiply_back(__global float *dx, __global const float *dy,
                                    __global const float *own, __global const float *other, int n,
                                    float factor, int second, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store_gradient(dx, i, n, rv_load(dy, i, n) * rv_load(other, i, n), accumulate);
    }
}

__kernel void eltwise_weighted_add_back(__global float *dx, __global const float *dy,
                                        __global const float *own, __global const float *other,
                                        int n, float factor, int second, int accumulate)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store_gradient(dx, i, n, factor * rv_load(dy, i, n), accumulate);
    }
}
