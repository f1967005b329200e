/* Two tensors of one shape and layout, value by value: the larger, the product, a weighted sum; and gradients. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* What is done; as in src/ops/eltwise.c. */
#define MAXIMUM  0
#define MULTIPLY 1
#define WEIGHTED 2

/* Where v is the larger; a NaN is, so that it shows in the end. */
static inline intB is_larger(floatB v, floatB than)
{
    return (v > than) | (v != v);
}

/* y from a and b over n floats; fa, fb: weights of a sum. One work-item: B values. */
__kernel void eltwise_forward(__global float *y, __global const float *a, __global const float *b,
                              int n, int kind, float fa, float fb)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB v = rv_load(a, i, n), w = rv_load(b, i, n);
    rv_store(y, i, n,
             kind == MAXIMUM    ? select(w, v, is_larger(v, w))
             : kind == MULTIPLY ? v * w
                                : fa * v + fb * w);
}

/* For one of the two, `own`, of weight `factor`; `second`: it is b. Where both are the same, b is the larger. */
__kernel void eltwise_back(__global float *dx, __global const float *dy, __global const float *own,
                           __global const float *other, int n, int kind, float factor, int second,
                           int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB d = rv_load(dy, i, n), v = rv_load(own, i, n), w = rv_load(other, i, n);
    const intB is_mine = second ? ~is_larger(w, v) : is_larger(v, w);
    rv_store_gradient(dx, i, n,
                      kind == MAXIMUM    ? select((floatB)(0.0f), d, is_mine)
                      : kind == MULTIPLY ? d * w
                                         : factor * d,
                      accumulate);
}
