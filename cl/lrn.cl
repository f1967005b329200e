/* Local response normalisation over neighbouring channels, or pixels of a channel, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "math.clh"

/* Farthest that a window reaches to either side: a multiple of every B. */
#define REACH 16

/* Blocks of channels, and pixels, that are done at a time. On CPUs several: the neighbours of a channel are read from
 * memory once, and a load of what was stored just before in other pieces would have to wait. */
#if RV_GPU_FORM
#define LRN_CHUNK  1
#define LRN_PIXELS 1
#else
#define LRN_CHUNK  (128 / LANES)
#define LRN_PIXELS 8
#endif

/* Something of a pixel: channel k of a chunk at 2 * REACH + k, between those that windows of windows reach. */
typedef struct values {
    float lane[LRN_CHUNK * LANES + 4 * REACH];
} values;

/* Where block `block` of a chunk that begins with block `first` lies. */
static inline float *lanes_of(values *v, int block, int first)
{
    return v->lane + 2 * REACH + (block - first) * LANES;
}

/* Sum over channels k - before to k + after for each lane k. */
static inline floatV window_sum(const float *lane, int before, int after)
{
    floatV sum = (floatV)(0.0f);
    if (before == 2 && after == 2) { /* as nearly always: no loop is left */
#pragma unroll
        for (int o = -2; o <= 2; o++) {
            sum += vloadV(0, lane + o);
        }
        return sum;
    }
    for (int o = -before; o <= after; o++) {
        sum += vloadV(0, lane + o);
    }
    return sum;
}

/* Blocks to either side that a window needs. */
static inline int blocks_beside(int before, int after)
{
    return (max(before, after) + LANES - 1) / LANES;
}

#if PLAIN
#define as_intV   as_int
#define as_floatV as_float
#else
#define as_intV   as_intB
#define as_floatV as_floatB
#endif

/* 1 / the fourth root of s: a quarter of the exponent is a guess within 4 %, and each of Newton's steps leaves 2.5 times
 * the square of what is missing. Roots and quotients would take most of the time. */
static inline floatV by_fourth_root(floatV s)
{
    floatV r = as_floatV(0x4F58CAE5 - (as_intV(s) >> 2));
#pragma unroll
    for (int i = 0; i < 3; i++) {
        const floatV square = r * r;
        r *= fma(s * -0.25f, square * square, (floatV)(1.25f));
    }
    return r;
}

/* s^-beta and s^-(beta + 1) for s above zero. */
typedef struct powers {
    floatV here, next;
} powers;

static inline powers powers_of(floatV s, float beta)
{
    powers w;
    if (beta == 0.75f) { /* the usual one */
        const floatV r = by_fourth_root(s), square = r * r;
        w.here = square * r;
        w.next = w.here * (square * square);
        return w;
    }
    w.here = rv_expV(-beta * rv_logV(s));
    w.next = w.here / s;
    return w;
}

/* Squares of blocks from `first` - `beside` to before `last` + `beside` of some pixels; x: the first pixel of block 0. */
static inline void put_squares(values *squares, __global const floatV *x, int first, int last,
                               int beside, int blocks, int pixels, int count)
{
    for (int b = first - beside; b < last + beside; b++) {
        const bool is_there = b >= 0 && b < blocks;
        for (int p = 0; p < count; p++) {
            const floatV v = is_there ? x[b * pixels + p] : (floatV)(0.0f);
            vstoreV(v * v, 0, lanes_of(&squares[p], b, first));
        }
    }
}

/* y = x s^-beta, s = k + scale * sum of x^2 over the window. One work-item: a run of pixels in `each` blocks. */
__kernel void lrn_forward(__global floatV *y, __global const floatV *x, int n, int c, int pixels,
                          int run, int each, int before, int after, float scale, float beta,
                          float k)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), parts = (blocks + each - 1) / each, picture = r.plane / parts;
    if (picture >= n) {
        return;
    }
    const int begin = r.plane % parts * each, end = min(begin + each, blocks);
    const int beside = blocks_beside(before, after);
    values squares[LRN_PIXELS];
    for (int from = r.begin; from < r.end; from += LRN_PIXELS) {
        const int count = min(LRN_PIXELS, r.end - from), at = picture * blocks * pixels + from;
        for (int first = begin; first < end; first += LRN_CHUNK) {
            const int last = min(first + LRN_CHUNK, end);
            put_squares(squares, x + at, first, last, beside, blocks, pixels, count);
            for (int b = first; b < last; b++) {
                for (int p = 0; p < count; p++) {
                    const int i = at + b * pixels + p;
                    const floatV s =
                        k + scale * window_sum(lanes_of(&squares[p], b, first), before, after);
                    rv_ahead(x + i);
                    rv_ahead_write(y + i);
                    y[i] = x[i] * powers_of(s, beta).here;
                }
            }
        }
    }
}

/* dx_i = dy_i s_i^-beta - 2 scale beta x_i * sum of dy_j x_j s_j^-(beta + 1) over the windows j that hold i. slope: that
 * of the rectifier that x came out of, before which dx is then; else 1. */
__kernel void lrn_back(__global floatV *dx, __global const floatV *dy, __global const floatV *x,
                       int n, int c, int pixels, int run, int each, int before, int after,
                       float scale, float beta, float k, float slope, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), pixels, run);
    const int blocks = rv_blocks(c), parts = (blocks + each - 1) / each, picture = r.plane / parts;
    if (picture >= n) {
        return;
    }
    const int begin = r.plane % parts * each, end = min(begin + each, blocks);
    const int beside = blocks_beside(before, after);
    values squares[LRN_PIXELS], terms[LRN_PIXELS], own[LRN_PIXELS];
    for (int from = r.begin; from < r.end; from += LRN_PIXELS) {
        const int count = min(LRN_PIXELS, r.end - from), at = picture * blocks * pixels + from;
        for (int first = begin; first < end; first += LRN_CHUNK) {
            const int last = min(first + LRN_CHUNK, end);
            put_squares(squares, x + at, first, last, 2 * beside, blocks, pixels, count);
            for (int b = first - beside; b < last + beside; b++) {
                const bool is_there = b >= 0 && b < blocks;
                for (int p = 0; p < count; p++) {
                    const int i = at + (is_there ? b : first) * pixels + p;
                    const floatV s =
                        k + scale * window_sum(lanes_of(&squares[p], b, first), before, after);
                    const powers w = powers_of(s, beta);
                    const floatV term = is_there ? dy[i] * x[i] * w.next : (floatV)(0.0f);
                    vstoreV(term, 0, lanes_of(&terms[p], b, first));
                    vstoreV(dy[i] * w.here, 0, lanes_of(&own[p], b, first));
                }
            }
            for (int b = first; b < last; b++) {
                for (int p = 0; p < count; p++) {
                    const int i = at + b * pixels + p;
                    const floatV sum = window_sum(lanes_of(&terms[p], b, first), after, before);
                    rv_ahead(x + i);
                    rv_ahead(dy + i);
                    rv_ahead_write(dx + i);
                    const floatV v =
                        vloadV(0, lanes_of(&own[p], b, first)) - 2.0f * scale * beta * x[i] * sum;
                    dx[i] = rv_gateV(rv_accumulateV(dx + i, v, accumulate), x[i], slope);
                }
            }
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

/* As lrn_forward, the sum over the pixels up to `reach` away in the same channel. next: s^-(beta + 1) for the gradient,
 * NULL where none is planned. */
__kernel void lrn_within(__global floatV *y, __global floatV *next, __global const floatV *x, int n,
                         int c, int height, int width, int run, int reach, float scale, float beta,
                         float k)
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
        const powers s = powers_of(k + scale * sum, beta);
        y[plane + p] = x[plane + p] * s.here;
        if (next != 0) {
            next[plane + p] = rv_maskV(s.next, r.plane % blocks, c);
        }
    }
}

/* As lrn_back: a window holds a pixel where the pixel's own window holds its middle. */
__kernel void lrn_within_back(__global floatV *dx, __global const floatV *dy,
                              __global const floatV *x, __global const floatV *next, int n, int c,
                              int height, int width, int run, int reach, float scale, float beta,
                              float k, float slope, int accumulate)
{
    const rv_run r = rv_run_of(rv_index(), height * width, run);
    if (r.plane >= n * rv_blocks(c)) {
        return;
    }
    const int plane = r.plane * height * width;
    for (int p = r.begin; p < r.end; p++) {
        const int4 w = window_at(p, height, width, reach);
        const int at = plane + p;
        floatV sum = (floatV)(0.0f), squares = (floatV)(0.0f);
        for (int i = w.s0; i <= w.s1; i++) {
            for (int j = w.s2; j <= w.s3; j++) {
                const int from = plane + i * width + j;
                sum += dy[from] * x[from] * next[from];
                squares += x[from] * x[from];
            }
        }
        const floatV here = powers_of(k + scale * squares, beta).here;
        const floatV v = dy[at] * here - 2.0f * scale * beta * x[at] * sum;
        dx[at] = rv_gateV(rv_accumulateV(dx + at, v, accumulate), x[at], slope);
    }
}
