/* Affine maps per channel, fixed or from the statistics of a batch, and their gradients. */
/* SPDX-License-Identifier: MIT */
#include "lanes.clh"

/* One map serves batch_norm and scale: y = (x - mean) / sqrt(variance + epsilon) * weight + bias.
 * `mean` and `variance` [c] lie from `mean_at` and `variance_at` on in one buffer or two; NULL stands for 0 and 1
 * without epsilon. `weight` and `bias` [c] may be NULL: 1 and 0. */

static inline floatV mean_of(__global const float *mean, int mean_at, int block, int c)
{
    return mean == 0 ? (floatV)(0.0f) : rv_channelsV(mean + mean_at, block, c);
}

static inline floatV inverse_deviation(__global const float *variance, int variance_at, int block,
                                       int c, float epsilon)
{
    return variance == 0 ? (floatV)(1.0f)
                         : 1.0f / sqrt(rv_channelsV(variance + variance_at, block, c) + epsilon);
}

static inline floatV vector_or(__global const float *p, float other, int block, int c)
{
    return p == 0 ? (floatV)(other) : rv_channelsV(p, block, c);
}

/* One work-item: a run of pixels in one block; y may lie over x. */
__kernel void affine_map(__global floatV *y, __global const floatV *x, __global const float *mean,
                         __global const float *variance, __global const float *weight,
                         __global const float *bias, int n, int c, int pixels, int run, int mean_at,
                         int variance_at, float epsilon, float slope)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), block = r.plane % blocks;
    if (r.plane >= n * blocks) {
        return;
    }
    const floatV middle = mean_of(mean, mean_at, block, c);
    const floatV factor = vector_or(weight, 1.0f, block, c) *
                          inverse_deviation(variance, variance_at, block, c, epsilon);
    const floatV offset = vector_or(bias, 0.0f, block, c);
    for (int p = r.plane * pixels + r.begin; p < r.plane * pixels + r.end; p++) {
        y[p] = rv_maskV(rv_rectifyV((x[p] - middle) * factor + offset, slope), block, c);
    }
}

/* dy of the affine map itself where that of its rectified output is given; x is read for a slope other than 1 only. */
static inline floatV unrectified(floatV dy, __global const floatV *x, floatV middle, floatV factor,
                                 floatV offset, float slope)
{
    if (slope == 1.0f) {
        return dy;
    }
    return select(slope * dy, dy, (*x - middle) * factor + offset > (floatV)(0.0f));
}

/* dx = dy * weight / sqrt(variance + epsilon), and where the statistics are the batch's own, whose two sums are
 * given: dx = (dy - mean dy - x^ * mean (dy x^)) * that, x^ the normalised x. sums: [2,c], NULL for fixed ones.
 * dx may lie over dy. */
__kernel void affine_back(__global floatV *dx, __global const floatV *dy, __global const floatV *x,
                          __global const float *mean, __global const float *variance,
                          __global const float *weight, __global const float *bias,
                          __global const float *sums, int n, int c, int pixels, int run,
                          int mean_at, int variance_at, int sums_at, float epsilon, int accumulate,
                          float slope)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), block = r.plane % blocks;
    if (r.plane >= n * blocks) {
        return;
    }
    const floatV inverse = inverse_deviation(variance, variance_at, block, c, epsilon);
    const floatV factor = vector_or(weight, 1.0f, block, c) * inverse;
    const floatV offset = vector_or(bias, 0.0f, block, c);
    const floatV middle = mean_of(mean, mean_at, block, c);
    const int begin = r.plane * pixels + r.begin, end = r.plane * pixels + r.end;
    if (sums == 0) {
        for (int p = begin; p < end; p++) {
            const floatV v = unrectified(dy[p], x + p, middle, factor, offset, slope) * factor;
            dx[p] = rv_accumulateV(dx + p, v, accumulate);
        }
        return;
    }
    const float share = 1.0f / ((float)n * (float)pixels);
    const floatV mean_dy = rv_channelsV(sums + sums_at, block, c) * share;
    const floatV tilt = rv_channelsV(sums + sums_at + c, block, c) * share * inverse;
    for (int p = begin; p < end; p++) {
        const floatV d = unrectified(dy[p], x + p, middle, factor, offset, slope);
        const floatV v = (d - mean_dy - (x[p] - middle) * tilt) * factor;
        dx[p] = rv_accumulateV(dx + p, v, accumulate);
    }
}

/* --- statistics of a batch --------------------------------------------------------------------------------- */

/* Mean and sum of squared deviations of each part of each plane, parts [n * blocks, n_parts, 2]. The second look at
 * a part finds it in the cache, and so little is lost where the mean is far from zero. */
__kernel void affine_moments(__global floatV *parts, __global const floatV *x, int n, int c,
                             int pixels, int n_parts)
{
    const int i = rv_index(), plane = i / n_parts;
    if (plane >= n * rv_blocks(c)) {
        return;
    }
    const rv_share share = rv_share_of(i % n_parts, n_parts, pixels);
    x += plane * pixels;
    floatV sum = (floatV)(0.0f), squares = (floatV)(0.0f);
    for (int p = share.begin; p < share.end; p += share.step) {
        sum += x[p];
    }
    const floatV mean = sum / (float)max(rv_share_count(share), 1);
    for (int p = share.begin; p < share.end; p += share.step) {
        squares += (x[p] - mean) * (x[p] - mean);
    }
    parts[2 * i] = mean;
    parts[2 * i + 1] = squares;
}

/* Mean and variance [2,c] of all pixels of all pictures (over their number, as in ONNX), and the running ones.
 * One work-item: one block. */
__kernel void affine_statistics(__global float *statistics, __global float *running_mean,
                                __global float *running_variance, __global const floatV *parts,
                                int n, int c, int pixels, int n_parts, int at, float momentum)
{
    const int block = rv_index(), blocks = rv_blocks(c);
    if (block >= blocks) {
        return;
    }
    const float total = (float)n * (float)pixels;
    floatV mean = (floatV)(0.0f), squares = (floatV)(0.0f);
    for (int i = 0; i < n * n_parts; i++) {
        const rv_share share = rv_share_of(i % n_parts, n_parts, pixels);
        const int from = (i / n_parts * blocks + block) * n_parts + i % n_parts;
        mean += parts[2 * from] * ((float)rv_share_count(share) / total);
    }
    for (int i = 0; i < n * n_parts; i++) {
        const rv_share share = rv_share_of(i % n_parts, n_parts, pixels);
        const int from = (i / n_parts * blocks + block) * n_parts + i % n_parts;
        const floatV apart = parts[2 * from] - mean;
        squares += parts[2 * from + 1] + apart * apart * (float)rv_share_count(share);
    }
    const floatV variance = squares / total;
    rv_store_channelsV(statistics + at, block, c, mean, 0);
    rv_store_channelsV(statistics + at + c, block, c, variance, 0);
    const floatV old_mean = rv_channelsV(running_mean, block, c);
    const floatV old_variance = rv_channelsV(running_variance, block, c);
    rv_store_channelsV(running_mean, block, c, momentum * old_mean + (1.0f - momentum) * mean, 0);
    rv_store_channelsV(running_variance, block, c,
                       momentum * old_variance + (1.0f - momentum) * variance, 0);
}

/* --- sums for gradients ------------------------------------------------------------------------------------ */

/* Sums of dy and of dy (x - mean) over each part of each plane, parts [n * blocks, n_parts, 2]. */
__kernel void affine_products(__global floatV *parts, __global const floatV *dy,
                              __global const floatV *x, __global const float *mean,
                              __global const float *variance, __global const float *weight,
                              __global const float *bias, int n, int c, int pixels, int n_parts,
                              int mean_at, int variance_at, float epsilon, float slope)
{
    const int i = rv_index(), plane = i / n_parts, blocks = rv_blocks(c);
    if (plane >= n * blocks) {
        return;
    }
    const floatV middle = mean_of(mean, mean_at, plane % blocks, c);
    const floatV factor =
        vector_or(weight, 1.0f, plane % blocks, c) *
        inverse_deviation(variance, variance_at, plane % blocks, c, epsilon);
    const floatV offset = vector_or(bias, 0.0f, plane % blocks, c);
    const rv_share share = rv_share_of(i % n_parts, n_parts, pixels);
    floatV sum = (floatV)(0.0f), products = (floatV)(0.0f);
    for (int p = plane * pixels + share.begin; p < plane * pixels + share.end; p += share.step) {
        const floatV d = unrectified(dy[p], x + p, middle, factor, offset, slope);
        sum += d;
        products += d * (x[p] - middle);
    }
    parts[2 * i] = sum;
    parts[2 * i + 1] = products;
}

/* Gradients of bias and weight: the sums of dy and of dy x^ over everything. Each of d_bias, d_weight, and of
 * `sums` [2,c], which holds both for affine_back, may be NULL. One work-item: one block. */
__kernel void affine_sums(__global float *d_weight, __global float *d_bias, __global float *sums,
                          __global const floatV *parts, __global const float *variance, int n,
                          int c, int n_parts, int variance_at, int sums_at, float epsilon,
                          int accumulate_weight, int accumulate_bias)
{
    const int block = rv_index(), blocks = rv_blocks(c);
    if (block >= blocks) {
        return;
    }
    floatV sum = (floatV)(0.0f), products = (floatV)(0.0f);
    for (int i = 0; i < n * n_parts; i++) {
        const int from = (i / n_parts * blocks + block) * n_parts + i % n_parts;
        sum += parts[2 * from];
        products += parts[2 * from + 1];
    }
    products *= inverse_deviation(variance, variance_at, block, c, epsilon);
    if (sums != 0) {
        rv_store_channelsV(sums + sums_at, block, c, sum, 0);
        rv_store_channelsV(sums + sums_at + c, block, c, products, 0);
    }
    if (d_bias != 0) {
        rv_store_channelsV(d_bias, block, c, sum, accumulate_bias);
    }
    if (d_weight != 0) {
        rv_store_channelsV(d_weight, block, c, products, accumulate_weight);
    }
}

/* --- into the parameters of what comes before -------------------------------------------------------------- */

/* to = factor * from for each row, to_bias = (from_bias - mean) * factor + bias: the map after a weighted sum. In place
 * if `to` is `from`; from_bias may be NULL. One work-item: one row, which is one channel. */
__kernel void affine_fold(__global float *to, __global float *to_bias, __global const float *from,
                          __global const float *from_bias, __global const float *mean,
                          __global const float *variance, __global const float *weight,
                          __global const float *bias, int rows, int row, float epsilon)
{
    const int k = rv_index();
    if (k >= rows) {
        return;
    }
    const float inverse = variance == 0 ? 1.0f : 1.0f / sqrt(variance[k] + epsilon);
    const float factor = (weight == 0 ? 1.0f : weight[k]) * inverse;
    for (int i = k * row; i < (k + 1) * row; i++) {
        to[i] = factor * from[i];
    }
    const float middle = mean == 0 ? 0.0f : mean[k];
    to_bias[k] = ((from_bias == 0 ? 0.0f : from_bias[k]) - middle) * factor +
                 (bias == 0 ? 0.0f : bias[k]);
}
