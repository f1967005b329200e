/* One step of an optimiser over all weights at once, the norm of their gradient, and their moving average. */
/* SPDX-License-Identifier: MIT */
#include "reduce.clh"

/* All weights lie in one arena of whole vectors. `table` has a float4 for every `per_chunk` vectors: factor of the
 * learning rate (0: these are not moved), of the L1 and of the L2 penalty; the last is unused. */

/* What a method has beside gradient and rate: its moments, where it has any, and its numbers, which update.c
 * names. */
typedef struct own_values {
    __global float *first, *second;
    float4 number;
    float epsilon;
} own_values;

/* Methods, by their numbers in rv_method. */
#define SGD      0
#define MOMENTUM 1
#define NESTEROV 2
#define ADAGRAD  3
#define RMSPROP  4
#define ADAM     5

/* That of this program. */
#ifndef METHOD
#define METHOD ADAM
#endif

/* What is taken off vector i of x, from its gradient g at rate r. */
static inline floatB move(floatB g, float r, int i, own_values own)
{
#if METHOD == SGD
    (void)i;
    (void)own;
    return r * g;
#elif METHOD == MOMENTUM || METHOD == NESTEROV
    /* Nesterov's x is the point that momentum leads to. */
    const floatB v = own.number.x * vloadB(i, own.first) + r * g;
    vstoreB(v, i, own.first);
    return METHOD == MOMENTUM ? v : own.number.x * v + r * g;
#elif METHOD == ADAGRAD || METHOD == RMSPROP
    const floatB old = vloadB(i, own.first);
    const floatB s = METHOD == ADAGRAD ? old + g * g
                                       : own.number.x * old + (1.0f - own.number.x) * g * g;
    vstoreB(s, i, own.first);
    return r * g / (sqrt(s) + own.epsilon);
#else
    /* The last two numbers free the moments of the bias of their start. */
    const floatB m = own.number.x * vloadB(i, own.first) + (1.0f - own.number.x) * g;
    const floatB v = own.number.y * vloadB(i, own.second) + (1.0f - own.number.y) * g * g;
    vstoreB(m, i, own.first);
    vstoreB(v, i, own.second);
    return r * own.number.z * m / (sqrt(own.number.w * v) + own.epsilon);
#endif
}

/* The gradient as a step takes it: times `scale`, then within `limit` of zero where that is above 0. */
static inline floatB taken(__global const float *g, int i, float scale, float limit)
{
    const floatB v = scale * vloadB(i, g);
    return limit > 0.0f ? select(select(v, (floatB)(limit), v > limit), (floatB)(-limit), v < -limit)
                        : v;
}

/* parts: sums of squares of the gradients of all that is moved. */
RV_REDUCE_KERNEL void update_norm(__global float *parts, __global const float *g,
                                  __global const float4 *table, int vectors, int share,
                                  int per_chunk, float scale)
{
    RV_REDUCE_SCRATCH(scratch);
    const rv_stretch s = rv_reduce_stretch(vectors, share);
    floatB sum = (floatB)(0.0f);
    for (int i = s.first; i < s.end; i += RV_REDUCE_GROUP) {
        if (table[i / per_chunk].x > 0.0f) {
            const floatB v = scale * vloadB(i, g);
            sum += v * v;
        }
    }
    rv_reduce_store(parts, sum, scratch);
}

/* One work-item: B values. `average` and `squares`, the square of the norm, may be NULL.
 * step: learning rate, scale of the gradient, limit of each of its values, limit of its norm (0: none).
 * decay: factors of the L1 and the L2 penalty; what decoupled decay keeps of x less 1; weight of x in the average. */
__kernel void update_step(__global float *x, __global float *first, __global float *second,
                          __global float *average, __global const float *gradient,
                          __global const float4 *table, __global const float *squares, int vectors,
                          int per_chunk, float4 step, float4 own, float4 decay,
                          float epsilon)
{
    const int i = rv_index();
    if (i >= vectors) {
        return;
    }
    const float4 factors = table[i / per_chunk];
    floatB v = vloadB(i, x);
    if (factors.x > 0.0f) {
        const float norm = squares != 0 ? sqrt(squares[0]) : 0.0f;
        const float scale = step.y * (norm > step.w && step.w > 0.0f ? step.w / norm : 1.0f);
        floatB g = taken(gradient, i, scale, step.z);
        g += decay.x * factors.y * sign(v) + decay.y * factors.z * v;
        const own_values values = {first, second, own, epsilon};
        const floatB kept = v + decay.z * factors.x * factors.z * v;
        v = kept - move(g, factors.x * step.x, i, values);
        vstoreB(v, i, x);
    }
    if (average != 0) {
        const floatB a = vloadB(i, average);
        vstoreB(a + decay.w * (v - a), i, average);
    }
}

/* Exchanges two arrays; one work-item: B values. */
__kernel void update_swap(__global float *a, __global float *b, int vectors)
{
    const int i = rv_index();
    if (i < vectors) {
        const floatB v = vloadB(i, a);
        vstoreB(vloadB(i, b), i, a);
        vstoreB(v, i, b);
    }
}
