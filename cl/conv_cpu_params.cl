/* Gradient of a convolution's weights on CPUs where the output is blocked: lanes of output channels side by side. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"
#include "conv_bias.clh"
#include "transpose.clh"

/* Source channels side by side: B blocked, 1 plain. */
#ifndef LANES
#define LANES B
#endif
/* Blocks of output channels whose sums share what is read of the input. */
#ifndef KV
#define KV 2
#endif
/* Values of the input per output pixel that are multiplied at a time, TERMS * KV sums in registers: of a blocked input
 * so many lanes of one tap; of a plain one, STRIPS rows of the window (of one channel each), of each SPAN taps side by
 * side. */
#ifndef SPAN
#define SPAN 1
#endif
#ifndef STRIPS
#define STRIPS 1
#endif
#if LANES == 1
#define TERMS (STRIPS * SPAN)
#elif KV == 1
#define TERMS B
#else
#define TERMS (B / 2)
#endif

/* What a work-item does: output rows from `first` to before `last` of all pictures, one under the other. x points to
 * its first source channel, dy to its first block of output channels, both in picture 0; block[v]: from there to
 * block v. */
typedef struct job {
    int4 source, target, window, step, place;
    int first, last;
    __global const float *x;
    __global const floatB *dy;
    int block[KV];
    int picture_x, picture_dy; /* from one picture to the next */
} job;

/* sum[TERMS][KV] += a pixel; term(i) is the value of the input. */
#define MULTIPLY(sum, d, term)                                              \
    {                                                                       \
        floatB gradient[KV];                                                \
        _Pragma("unroll") for (int v = 0; v < KV; v++)                      \
        {                                                                   \
            gradient[v] = (d)[j->block[v]];                                 \
        }                                                                   \
        _Pragma("unroll") for (int i = 0; i < TERMS; i++)                   \
        {                                                                   \
            const floatB value = (floatB)(term);                            \
            _Pragma("unroll") for (int v = 0; v < KV; v++)                  \
            {                                                               \
                sum[i * KV + v] = fma(value, gradient[v], sum[i * KV + v]); \
            }                                                               \
        }                                                                   \
    }

/* The output columns from .x to before .y meet the source at tap column s without padding. */
static inline int2 whole_columns(int s, const job *j)
{
    const int before = j->place.y - s * j->step.w;
    const int end = j->source.w - 1 + before;
    return (int2)(before > 0 ? min((before + j->step.y - 1) / j->step.y, j->target.w) : 0,
                  end < 0 ? 0 : min(end / j->step.y + 1, j->target.w));
}

#if LANES == 1

/* Strip i of the window: channel i / (R * S / SPAN), and so on; see TERMS. */
static inline void sum_strips(__global floatB *sums, int strip, int n_strips, const job *j)
{
    const int across = j->window.y / SPAN; /* strips of a row of the window */
    floatB sum[TERMS * KV];
    int channel[STRIPS], r[STRIPS], s[STRIPS];
#pragma unroll
    for (int q = 0; q < STRIPS; q++) {
        const int i = min(strip + q, n_strips - 1);
        s[q] = i % across * SPAN;
        r[q] = i / across % j->window.x;
        channel[q] = i / across / j->window.x;
    }
#pragma unroll
    for (int i = 0; i < TERMS * KV; i++) {
        sum[i] = sums[i];
    }
    int2 whole = (int2)(0, j->target.w);
    for (int q = 0; q < STRIPS; q++) {
        const int2 first = whole_columns(s[q], j), last = whole_columns(s[q] + SPAN - 1, j);
        whole = (int2)(max(whole.x, max(first.x, last.x)), min(whole.y, min(first.y, last.y)));
    }
    const int fast = SPAN == 1 ? 1 : j->step.w == 1;
    whole = fast && whole.x < whole.y ? whole : (int2)(j->target.w, j->target.w);
    for (int at = j->first; at < j->last; at++) {
        const int n = at / j->target.z, row = at % j->target.z;
        __global const float *a[STRIPS];
        int from_row[STRIPS], inside = 1;
#pragma unroll
        for (int q = 0; q < STRIPS; q++) {
            from_row[q] = conv_row(row, r[q], j->source, j->window, j->step, j->place);
            inside &= from_row[q] >= 0;
            a[q] = j->x + n * j->picture_x +
                   (channel[q] * j->source.z + max(from_row[q], 0)) * j->source.w;
        }
        __global const floatB *d = j->dy + n * j->picture_dy + row * j->target.w;
        const int begin = inside ? whole.x : j->target.w, end = inside ? whole.y : j->target.w;
        for (int column = 0; column < j->target.w; column++) {
            if (column == begin) {
                const int skip = begin * j->step.y - j->place.y;
#pragma unroll
                for (int q = 0; q < STRIPS; q++) {
                    a[q] += skip + s[q] * j->step.w;
                }
                for (; column < end; column++) {
                    MULTIPLY(sum, d + column, a[i / SPAN][i % SPAN])
#pragma unroll
                    for (int q = 0; q < STRIPS; q++) {
                        a[q] += j->step.y;
                    }
                }
#pragma unroll
                for (int q = 0; q < STRIPS; q++) {
                    a[q] -= skip + s[q] * j->step.w + (end - begin) * j->step.y;
                }
                if (column == j->target.w) {
                    break;
                }
            }
            float values[TERMS];
            for (int q = 0; q < STRIPS; q++) {
                for (int i = 0; i < SPAN; i++) {
                    const int from =
                        conv_column(column, s[q] + i, j->source, j->window, j->step, j->place);
                    values[q * SPAN + i] = (from | from_row[q]) < 0 ? 0.0f : a[q][max(from, 0)];
                }
            }
            MULTIPLY(sum, d + column, values[i])
        }
    }
#pragma unroll
    for (int i = 0; i < TERMS * KV; i++) {
        if (strip + i / KV / SPAN < n_strips) {
            sums[i] = sum[i];
        }
    }
}

static inline void sum_chunk(__global floatB *sums, const job *j)
{
    const int n_strips = j->source.y * j->window.x * j->window.y / SPAN;
    for (int strip = 0; strip < n_strips; strip += STRIPS) {
        sum_strips(sums + strip * SPAN * KV, strip, n_strips, j);
    }
}

#else

/* Pixels ahead of those that are multiplied, to be asked for; through a stride, those of the next row. */
#define AHEAD 32

/* TERMS lanes from `lane` on, of one tap; fresh: nothing of these rows has been read yet. sums[TERMS][KV] */
static inline void sum_tap(__global floatB *sums, int r, int s, int lane, int fresh, const job *j)
{
    const int2 whole = whole_columns(s, j);
    const int begin = whole.x, end = max(whole.x, whole.y), step = j->step.y * B;
    const int zero = j->window.w == CONV_PAD_ZERO;
    const int strided = j->step.x > 1 || j->step.y > 1;
    const int ahead = strided ? j->step.x * j->source.w * B : AHEAD * step;
    const int ahead_d = strided ? j->target.w : AHEAD;
    int n = j->first / j->target.z, row = j->first % j->target.z;
    floatB sum[TERMS * KV];
#pragma unroll
    for (int i = 0; i < TERMS * KV; i++) {
        sum[i] = sums[i];
    }
    for (int at = j->first; at < j->last; at++, row++) {
        if (row == j->target.z) {
            row = 0;
            n++;
        }
        const int from_row = conv_row(row, r, j->source, j->window, j->step, j->place);
        if (from_row < 0) {
            continue;
        }
        __global const float *from = j->x + n * j->picture_x + from_row * j->source.w * B + lane;
        __global const floatB *d = j->dy + n * j->picture_dy + row * j->target.w;
        __global const float *a = from + (begin * j->step.y - j->place.y + s * j->step.w) * B;
        for (int column = begin; column < end; column++) {
            if (fresh) {
                rv_prefetch(a + ahead);
#pragma unroll
                for (int v = 0; v < KV; v++) {
                    rv_prefetch(d + j->block[v] + column + ahead_d);
                }
            }
            MULTIPLY(sum, d + column, a[i])
            a += step;
        }
        for (int column = zero ? j->target.w : 0; column < j->target.w; column++) {
            if (column < begin || column >= end) {
                a = from + conv_column(column, s, j->source, j->window, j->step, j->place) * B;
                MULTIPLY(sum, d + column, a[i])
            }
        }
    }
#pragma unroll
    for (int i = 0; i < TERMS * KV; i++) {
        sums[i] = sum[i];
    }
}

static inline void sum_chunk(__global floatB *sums, const job *j)
{
    /* What 16 MB of cache keep needs no asking, unless strides leave out lines. */
    const float pixels = (float)j->target.x * (float)j->target.z * (float)j->target.w;
    const int large = (j->window.x == 1 && j->step.x > 1) ||
                      (j->step.x == 1 && j->step.y == 1 &&
                       rv_is_large(pixels / 4 * (float)max(j->source.y, j->target.y)));
    for (int r = 0; r < j->window.x; r++) {
        for (int s = 0; s < j->window.y; s++) {
            for (int lane = 0; lane < B; lane += TERMS) {
                sum_tap(sums, r, s, lane, large && (r | s | lane) == 0, j);
                sums += TERMS * KV;
            }
        }
    }
}

#endif

/* The first unit of LANES source channels that any output channel of a set (KV blocks) reads. */
static inline int first_unit(int set, int4 source, int4 target, int4 window)
{
    return set * KV * B / (target.y / window.z) * (source.y / window.z) / LANES;
}

/* One work-item: the weights between a unit of source channels and a set of output channels, over part
 * get_group_id(2) of work.x parts of the output rows. Rows are taken work.y at a time, so that they stay in the cache
 * while all taps read them. partial [parts][set][unit][tap][LANES][KV * B] has work.z units per set, beginning with the
 * first that it reads; a plain source is one unit, [channel][tap][KV * B]. From bias_at on, unless that is below 0, it holds
 * sums for the bias, [parts][blocks][B], which the first unit of a set makes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_params_weight(__global floatB *partial, __global const float *x, __global const floatB *dy,
                       int4 source, int4 target, int4 window, int4 step, int4 place, int4 work,
                       int first_part, int bias_at)
{
    const int set = (int)get_group_id(1), part = first_part + (int)get_group_id(2);
    const int unit =
        (int)get_group_id(0) + (LANES > 1 ? first_unit(set, source, target, window) : 0);
    const int rows = target.x * target.z, units = LANES > 1 ? (source.y + B - 1) / B : 1;
    const int plane = source.z * source.w * (LANES > 1 ? B : source.y);
    const int pixels = target.z * target.w, blocks = (target.y + B - 1) / B;
    const int count = window.x * window.y * (LANES > 1 ? B : source.y) * KV;
    const int last = unit < units ? (part + 1) * rows / work.x : 0;
    job j = {source,
             target,
             window,
             step,
             place,
             0,
             0,
             x + unit * plane,
             dy + set * KV * pixels,
             {0},
             units * plane,
             blocks * pixels};
    __global floatB *sums =
        partial + ((part * (int)get_num_groups(1) + set) * work.z + (int)get_group_id(0)) * count;
    for (int v = 0; v < KV; v++) {
        j.block[v] = min(v, blocks - 1 - set * KV) * pixels;
    }
    for (int i = 0; i < count; i++) {
        sums[i] = (floatB)(0.0f);
    }
    const int with_bias = bias_at >= 0 && get_group_id(0) == 0;
    floatB bias[KV];
    for (int v = 0; v < KV; v++) {
        bias[v] = (floatB)(0.0f);
    }
    for (j.first = part * rows / work.x; j.first < last; j.first = j.last) {
        j.last = min(j.first + work.y, last);
        sum_chunk(sums, &j);
        for (int v = 0; v < KV && with_bias; v++) {
            bias[v] += conv_sum_rows(j.dy + j.block[v], j.picture_dy, j.first, j.last, target);
        }
    }
    for (int v = 0; v < KV && with_bias && set * KV + v < blocks; v++) {
        partial[bias_at + part * blocks + set * KV + v] = bias[v];
    }
}

/* gradient (+)= sum of the parts, in their order. One work-item: one output channel, all its weights of a unit. */
__kernel void conv_cpu_params_sum(__global float *gradient, __global const float *partial,
                                  int4 source, int4 target, int4 window, int4 work, int accumulate)
{
    const int sets = (target.y + KV * B - 1) / (KV * B), taps = window.x * window.y;
    const int i = rv_index(), v = i % KV, at = i / KV % work.z, set = i / KV / work.z;
    const int lanes = LANES > 1 ? B : source.y;
    const int per_group = source.y / window.z, targets = target.y / window.z;
    const size_t step = (size_t)sets * work.z * taps * lanes * KV * B;
    if (set >= sets) {
        return;
    }
    const int unit = at + (LANES > 1 ? first_unit(set, source, target, window) : 0);
    const int k = (set * KV + v) * B, n_k = min(B, target.y - k);
    __global const float *from =
        partial + ((size_t)(set * work.z + at) * taps * lanes * KV + v) * B;
#if LANES > 1
    if (taps == 1 && window.z == 1 && n_k == B && unit * B + B <= source.y) {
        floatB v[B];
        for (int l = 0; l < B; l++) {
            v[l] = (floatB)(0.0f);
            for (int part = 0; part < work.x; part++) {
                v[l] += vloadB(0, from + l * KV * B + part * step);
            }
        }
        rv_transpose(v);
        for (int b = 0; b < B; b++) {
            __global float *to = gradient + (k + b) * source.y + unit * B;
            vstoreB(accumulate ? vloadB(0, to) + v[b] : v[b], 0, to);
        }
        return;
    }
#endif
    for (int term = 0; term < taps * lanes; term++, from += KV * B) {
        const int l = LANES > 1 ? term % B : term / taps, tap = LANES > 1 ? term / B : term % taps;
        const int c = unit * LANES + l, group = window.z > 1 ? c / per_group : 0;
        __global float *to = gradient + (k * per_group + c - group * per_group) * taps + tap;
        floatB sum = (floatB)(0.0f);
        if (c >= source.y) {
            continue;
        }
        for (int part = 0; part < work.x; part++) {
            sum += vloadB(0, from + part * step);
        }
        float lane[B];
        vstoreB(sum, 0, lane);
        for (int b = 0; b < n_k; b++, to += per_group * taps) {
            if (window.z == 1 || (k + b) / targets == group) {
                *to = rv_accumulate(to, lane[b], accumulate);
            }
        }
    }
}

/* Bias: partial [parts][blocks][B] sums over parts of the output rows. One work-item: one block and part. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_params_bias(__global floatB *partial, __global const floatB *dy, int4 target)
{
    const int block = (int)get_group_id(0), part = (int)get_group_id(1);
    const int blocks = (target.y + B - 1) / B, rows = target.x * target.z;
    const int parts = (int)get_num_groups(1), last = (part + 1) * rows / parts;
    partial[part * blocks + block] =
        conv_sum_rows(dy + block * target.z * target.w, blocks * target.z * target.w,
                      part * rows / parts, last, target);
}

/* gradient (+)= sum of the parts, in their order, which lie from `at` on. One work-item: one block. */
__kernel void conv_cpu_params_bias_sum(__global float *gradient, __global const floatB *partial,
                                       int channels, int parts, int at, int accumulate)
{
    const int block = rv_index(), blocks = (channels + B - 1) / B;
    if (block >= blocks) {
        return;
    }
    floatB sum = (floatB)(0.0f);
    for (int part = 0; part < parts; part++) {
        sum += partial[at + part * blocks + block];
    }
    float lane[B];
    vstoreB(sum, 0, lane);
    for (int b = 0; b < B && block * B + b < channels; b++) {
        __global float *to = gradient + block * B + b;
        *to = rv_accumulate(to, lane[b], accumulate);
    }
}
