/* Gradients of a convolution's weights and bias: partial sums over parts of the pixels, then their sum. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* One work-item: one weight over the output rows of part `get_global_id(1)` of all parts.
 * partial [parts][K,C/groups,R,S]. */
__kernel void conv_params_weight(__global float *partial, __global const float *x,
                                 __global const float *dy, int4 source, int4 target, int4 window,
                                 int4 step, int4 place, int source_lanes, int target_lanes,
                                 int parts)
{
    const int per_group = source.y / window.z, taps = window.x * window.y;
    const int weights = target.y * per_group * taps;
    const int i = rv_index();
    if (i >= weights * parts) {
        return;
    }
    const int weight = i % weights, part = i / weights;
    const int s = weight % window.y, r = weight / window.y % window.x;
    const int k = weight / (taps * per_group);
    const int c = k / (target.y / window.z) * per_group + weight / taps % per_group;
    const int rows = target.x * target.z;
    float sum = 0.0f;
    for (int j = part * rows / parts; j < (part + 1) * rows / parts; j++) {
        const int n = j / target.z, row = j % target.z;
        const int from_row = conv_row(row, r, source, window, step, place);
        for (int column = 0; column < target.w && from_row >= 0; column++) {
            const int from_column = conv_column(column, s, source, window, step, place);
            if (from_column >= 0) {
                sum +=
                    x[conv_index(n, c, from_row * source.w + from_column, source, source_lanes)] *
                    dy[conv_index(n, k, row * target.w + column, target, target_lanes)];
            }
        }
    }
    partial[i] = sum;
}

/* One work-item: the bias gradient of channel i % K over part i / K of the output rows. partial [parts][K]. */
__kernel void conv_params_bias(__global float *partial, __global const float *dy, int4 target,
                               int lanes, int parts)
{
    const int i = rv_index();
    if (i >= target.y * parts) {
        return;
    }
    const int k = i % target.y, part = i / target.y, rows = target.x * target.z;
    float sum = 0.0f;
    for (int j = part * rows / parts; j < (part + 1) * rows / parts; j++) {
        for (int column = 0; column < target.w; column++) {
            sum += dy[conv_index(j / target.z, k, j % target.z * target.w + column, target, lanes)];
        }
    }
    partial[i] = sum;
}

/* Sum over the parts, in their order. */
__kernel void conv_params_sum(__global float *gradient, __global const float *partial, int n,
                              int parts, int accumulate)
{
    const int i = rv_index();
    if (i >= n) {
        return;
    }
    float sum = 0.0f;
    for (int part = 0; part < parts; part++) {
        sum += partial[part * n + i];
    }
    gradient[i] = rv_accumulate(gradient + i, sum, accumulate);
}
