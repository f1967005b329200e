/* Cross-entropy of logits with one label per picture, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* The logits of a picture are k floats, `stride` floats from those of the next. The largest is taken off before
 * exp(), which changes no share and cannot overflow. */
static inline float largest(__global const float *x, int k)
{
    float m = x[0];
    for (int i = 1; i < k; i++) {
        m = fmax(m, x[i]);
    }
    return m;
}

static inline float exp_sum(__global const float *x, int k, float m)
{
    float sum = 0.0f;
    for (int i = 0; i < k; i++) {
        sum += exp(x[i] - m);
    }
    return sum;
}

/* Mean of the logits less m, which stays near them. */
static inline float mean_below(__global const float *x, int k, float m)
{
    float sum = 0.0f;
    for (int i = 0; i < k; i++) {
        sum += x[i] - m;
    }
    return sum / (float)k;
}

/* parts[picture] = -log softmax at the label, `smoothing` of it spread over all classes; a label that is no class gives NaN. One work-item: one picture. */
__kernel void cross_entropy_forward(__global float *parts, __global const float *x,
                                    __global const float *labels, int n, int k, int stride,
                                    float smoothing)
{
    const int picture = rv_index();
    if (picture >= n) {
        return;
    }
    x += picture * stride;
    const float label = labels[picture];
    const float m = largest(x, k);
    if (!(label >= 0.0f && label < (float)k)) {
        parts[picture] = NAN;
        return;
    }
    float target = (1.0f - smoothing) * (x[(int)label] - m);
    if (smoothing > 0.0f) {
        target += smoothing * mean_below(x, k, m);
    }
    parts[picture] = log(exp_sum(x, k, m)) - target;
}

/* dx = factor * dy * (softmax - target); one work-item: one picture. */
__kernel void cross_entropy_backward(__global float *dx, __global const float *x,
                                     __global const float *labels, __global const float *dy, int n,
                                     int k, int stride, float smoothing, float factor,
                                     int accumulate)
{
    const int picture = rv_index();
    if (picture >= n) {
        return;
    }
    x += picture * stride;
    dx += picture * stride;
    const int label = (int)labels[picture];
    const float m = largest(x, k), share = 1.0f / exp_sum(x, k, m), scale = factor * dy[0];
    const float off = smoothing / (float)k, on = off + (1.0f - smoothing);
    for (int i = 0; i < stride; i++) {
        const float v = i < k ? exp(x[i] - m) * share - (i == label ? on : off) : 0.0f;
        dx[i] = rv_accumulate(dx + i, scale * v, accumulate);
    }
}
