/* Functions of one value, y = f(x), and their gradients; one per program. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* A function has two formulas: NAME_value gives y from v = x; NAME_slope gives dy/dx from v = x or y, whichever
 * the function's row in unary.c keeps for backward. `a` holds its attributes, in their order, in a.x, a.y and so on.
 * They are written for vectors, so without a branch: select(no, yes, condition). */

/* NaN stays NaN, so that a network gone wrong shows: it is not below 0. */
#define relu_value(v, a) select(v, (floatB)(0.0f), v < 0.0f)
#define relu_slope(v, a) select((floatB)(0.0f), (floatB)(1.0f), v > 0.0f)

/* y has the sign of x, as the slope a.x is not negative. */
#define leaky_relu_value(v, a) select(v, a.x * v, v < 0.0f)
#define leaky_relu_slope(v, a) select((floatB)(a.x), (floatB)(1.0f), v > 0.0f)

/* y lies at an end, a.x or a.y, where x was at it or beyond. */
#define clip_value(v, a) select(select(v, (floatB)(a.y), v > a.y), (floatB)(a.x), v < a.x)
#define clip_slope(v, a) select((floatB)(0.0f), (floatB)(1.0f), (v > a.x) & (v < a.y))

#define square_value(v, a) (v * v)
#define square_slope(v, a) (2.0f * v)

/* At 0 the slope is infinite; 0 is handed down instead, which moves nothing. */
#define sqrt_value(v, a) sqrt(v)
#define sqrt_slope(v, a) select((floatB)(0.0f), 0.5f / v, v > 0.0f)

/* expm1 and not exp - 1, which loses all digits near 0. Slopes from y: below 0 the exponential is y + a.x. */
#define elu_value(v, a) select(v, a.x * expm1(v), v < 0.0f)
#define elu_slope(v, a) select(v + a.x, (floatB)(1.0f), v > 0.0f)

/* a.x is alpha, a.y the scale. */
#define selu_value(v, a) select(a.y * v, a.y * a.x * expm1(v), v < 0.0f)
#define selu_slope(v, a) select(v + a.y * a.x, (floatB)(a.y), v > 0.0f)

#define sigmoid_value(v, a) (1.0f / (1.0f + exp(-v)))
#define sigmoid_slope(v, a) (v * (1.0f - v))

#define tanh_value(v, a) tanh(v)
#define tanh_slope(v, a) (1.0f - v * v)

/* Those of this program. */
#ifndef VALUE
#define VALUE leaky_relu_value
#define SLOPE leaky_relu_slope
#endif

/* 1: backward leaves out what of dy is below 0, as rv_node.guided says. */
#ifndef GUIDED
#define GUIDED 0
#endif

/* y = f(x) over n floats; y may lie over x. One work-item: B values. */
__kernel void unary_forward(__global float *y, __global const float *x, int n, int pixels, int c,
                            float4 a)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB v = rv_load(x, i, n);
    rv_store(y, i, n, rv_mask_flat(VALUE(v, a), i, pixels, c));
}

/* dx = f'(kept) * dy; dx may lie over dy. */
__kernel void unary_backward(__global float *dx, __global const float *kept,
                             __global const float *dy, int n, int pixels, int c, float4 a,
                             int accumulate)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const floatB v = rv_load(kept, i, n);
    floatB above = rv_load(dy, i, n);
#if GUIDED
    above = select(above, (floatB)(0.0f), above < 0.0f);
#endif
    const floatB d = SLOPE(v, a) * above;
    rv_store_gradient(dx, i, n, rv_mask_flat(d, i, pixels, c), accumulate);
}
