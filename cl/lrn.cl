/* Local response normalisation over neighbouring channels, or pixels of a channel, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "math.clh"

/* Farthest that a window reaches to either side: a multiple of every B. */
#define REACH 16

/* Values of LANES channels and their neighbours, channel k of the block at REACH + k. */
typedef struct neighbours {
    float lane[LANES + 2 * REACH];
} neighbours;

/* Sum over channels k - before to k + after for each lane k. */
static inline floatV window_sum(const neighbours *v, int before, int after)
{
    floatV sum = (floatV)(0.0f);
    for (int o = -before; o <= after; o++) {
        sum += vloadV(0, v->lane + REACH + o);
    }
    return sum;
}

/* Blocks to either side that a window needs. */
static inline int blocks_beside(int before, int after)
{
    return (max(before, after) + LANES - 1) / LANES;
}

/* v^exponent for v above zero, and for zero, which lanes beyond the last channel hold: that is 0, but with the exponent
 * 0 it is 1 for all, where 0 * log 0 would be no number. pow costs several times as much, roots half of it: the usual
 * exponent is 3/4. */
static inline floatV power(floatV v, float exponent)
{
    if (exponent == 0.0f) {
        return (floatV)(1.0f);
    }
    if (exponent == 0.75f) {
        const floatV root = sqrt(v);
        return root * sqrt(root);
    }
    return rv_expV(exponent * rv_logV(v));
}

/* Pixels whose neighbours are gathered before their sums are taken: on CPUs several, as a load of what was stored just
 * before in other pieces has to wait. */
#if RV_GPU_FORM
#define TOGETHER 1
#else
#define TOGETHER 16
#endif

/* y = x s^-beta, s = k + scale * sum of x^2 over the window. inverse: 1 / s for the gradient, NULL where none is
 * planned. One work-item: a run of pixels in one block. */
__kernel void lrn_forward(__global floatV *y, __global floatV *inverse, __global const floatV *x,
                          int n, int c, int pixels, int run, int before, int after, float scale,
                          float beta, float k)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), block = r.plane % blocks;
    if (r.plane >= n * blocks) {
        return;
    }
    const int beside = blocks_beside(before, after);
    neighbours squares[TOGETHER];
    for (int first = r.begin; first < r.end; first += TOGETHER) {
        const int count = min(TOGETHER, r.end - first);
        for (int i = -beside; i <= beside; i++) {
            const bool is_there = block + i >= 0 && block + i < blocks;
            const int from = (r.plane + i) * pixels + first;
            for (int p = 0; p < count; p++) {
                rv_ahead(x + from + p);
                const floatV v = is_there ? x[from + p] : (floatV)(0.0f);
                vstoreV(v * v, 0, squares[p].lane + REACH + i * LANES);
            }
        }
        for (int p = 0; p < count; p++) {
            const floatV s = k + scale * window_sum(&squares[p], before, after);
            const int at = r.plane * pixels + first + p;
            rv_ahead_write(y + at);
            rv_ahead_write(inverse + at);
            const floatV one_by = 1.0f / s;
            y[at] = x[at] * power(one_by, beta);
            if (inverse != 0) {
                inverse[at] = rv_maskV(one_by, block, c);
            }
        }
    }
}

/* dx_i = dy_i s_i^-beta - 2 scale beta x_i * sum of dy_j y_j / s_j over the windows j that hold i. */
__kernel void lrn_back(__global floatV *dx, __global const floatV *dy, __global const floatV *y,
                       __global const floatV *x, __global const floatV *inverse, int n, int c,
                       int pixels, int run, int before, int after, float scale, float beta,
                       int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), block = r.plane % blocks;
    if (r.plane >= n * blocks) {
        return;
    }
    const int beside = blocks_beside(before, after);
    neighbours terms[TOGETHER];
    for (int first = r.begin; first < r.end; first += TOGETHER) {
        const int count = min(TOGETHER, r.end - first);
        for (int i = -beside; i <= beside; i++) {
            const bool is_there = block + i >= 0 && block + i < blocks;
            for (int p = 0; p < count; p++) {
                const int from = (r.plane + i) * pixels + first + p;
                rv_ahead(dy + from);
                rv_ahead(y + from);
                rv_ahead(inverse + from);
                vstoreV(is_there ? dy[from] * y[from] * inverse[from] : (floatV)(0.0f), 0,
                        terms[p].lane + REACH + i * LANES);
            }
        }
        for (int p = 0; p < count; p++) {
            const int at = r.plane * pixels + first + p;
            rv_ahead(x + at);
            rv_ahead_write(dx + at);
            const floatV v = dy[at] * power(inverse[at], beta) -
                             2.0f * scale * beta * x[at] * window_sum(&terms[p], after, before);
            dx[at] = rv_accumulateV(dx + at, v, accumulate);
        }
    }
}

/* First and last row, and first and last column, of the window around pixel `at` of a plane. */
static inline int4 window_at(int at, int height, int width, int reach)
{
    const int row = at / width, column = at % width;
    return (int4)(max(row - reach, 0), min(row + reach, height - 1), max(column - reach, 0),
                  min(column + reach, width - 1));
}

/* As lrn_forward, the sum over the pixels up to `reach` away in the same channel. */
__kernel void lrn_within(__global floatV *y, __global floatV *inverse, __global const floatV *x,
                         int n, int c, int height, int width, int run, int reach, float scale,
                         float beta, float k)
{
    const rv_run r = rv_run_of(rv_index(), height * width, run);
    const int blocks = rv_blocks(c);
    if (r.plane >= n * blocks) {
        return;
    }
    const int plane = r.plane * height * width;
    for (int p = r.begin; p < r.end; p++) {
        const int4 w = window_at(p, height, width, reach);
        floatV sum = (floatV)(0.0f);
        for (int i = w.s0; i <= w.s1; i++) {
            for (int j = w.s2; j <= w.s3; j++) {
                const floatV v = x[plane + i * width + j];
                sum += v * v;
            }
        }
        const floatV one_by = 1.0f / (k + scale * sum);
        y[plane + p] = x[plane + p] * power(one_by, beta);
        if (inverse != 0) {
            inverse[plane + p] = rv_maskV(one_by, r.plane % blocks, c);
        }
    }
}

/* As lrn_back: a window holds a pixel where the pixel's own window holds its middle. */
__kernel void lrn_within_back(__global floatV *dx, __global const floatV *dy,
                              __global const floatV *y, __global const floatV *x,
                              __global const floatV *inverse, int n, int c, int height, int width,
                              int run, int reach, float scale, float beta, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), height * width, run);
    if (r.plane >= n * rv_blocks(c)) {
        return;
    }
    const int plane = r.plane * height * width;
    for (int p = r.begin; p < r.end; p++) {
        const int4 w = window_at(p, height, width, reach);
        const int at = plane + p;
        floatV sum = (floatV)(0.0f);
        for (int i = w.s0; i <= w.s1; i++) {
            for (int j = w.s2; j <= w.s3; j++) {
                const int from = plane + i * width + j;
                sum += dy[from] * y[from] * inverse[from];
            }
        }
        const floatV v = dy[at] * power(inverse[at], beta) - 2.0f * scale * beta * x[at] * sum;
        dx[at] = rv_accumulateV(dx + at, v, accumulate);
    }
}
