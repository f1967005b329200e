/* Convolution of pictures into blocked tensors on CPUs: rows of the picture are copied with their padding. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Vectors of target channels side by side in registers: 1 to 3. */
#ifndef KV
#define KV 2
#endif
/* Target pixels of a tile; PX * KV accumulators: 24 of 32 registers with AVX-512, 12 of 16 with AVX. What is left of a
 * row is done in tiles of a third of that. */
#ifndef PX
#define PX 12
#endif
#define FEW_PX (PX / 3)
/* Columns of the source from one target pixel to the next. */
#ifndef STEP
#define STEP 1
#endif
/* Source channels are taken one by one. */
#define LANES 1
#include "conv_cpu_pack.clh"

/* Source values that are copied at a time: 24 KiB. */
#define STRIP 6144

/* What a work-item does. */
typedef struct job {
    int4 source, target, window, step, place;
    float slope;
    int width; /* of a row in the strip */
} job;

/* Where the source row or column, counted from the first one of the picture, is found; -1: zero. */
static inline int find(int at, int size, const job *j)
{
    return at >= 0 && at < size
               ? at
               : conv_source(at, 0, 1, 1, 0, size, j->place.z ? CONV_PAD_ZERO : j->window.w);
}

/* to[n] = columns of a row of the source from `left` on; row NULL: zero. */
static inline void copy_row(float *to, __global const float *row, int left, int n, const job *j)
{
    const int begin = row != 0 ? clamp(-left, 0, n) : n;
    const int end = row != 0 ? clamp(j->source.w - left, begin, n) : n;
    int i = 0;
    for (; i < begin; i++) {
        const int from = row != 0 ? find(left + i, j->source.w, j) : -1;
        to[i] = from < 0 ? 0.0f : row[from];
    }
    for (; i + B <= end; i += B) {
        vstoreB(vloadB(0, row + left + i), 0, to + i);
    }
    for (; i < end; i++) {
        to[i] = row[left + i];
    }
    for (; i < n; i++) {
        const int from = find(left + i, j->source.w, j);
        to[i] = from < 0 ? 0.0f : row[from];
    }
}

/* strip[channel][window row][width]: what `n` target pixels from `column` on of one row meet. */
static inline void copy_strip(float *strip, __global const float *x, int row, int column, int n,
                              const job *j)
{
    const int span = (j->window.y - 1) * j->step.w, needed = (n - 1) * STEP + span + 1;
    const int left = j->place.z ? column + j->place.y - span : column * STEP - j->place.y;
    for (int c = 0; c < j->source.y; c++) {
        for (int r = 0; r < j->window.x; r++) {
            const int from = conv_row(row, r, j->source, j->window, j->step, j->place);
            copy_row(strip, from < 0 ? 0 : x + (c * j->source.z + from) * j->source.w, left, needed,
                     j);
            for (int i = needed; i < j->width; i++) {
                strip[i] = 0.0f;
            }
            strip += j->width;
        }
    }
}

/* A tile of N pixels of the strip, the first `count` of which are stored to y, of one set of KV blocks; weights:
 * [channel][tap][KV]. */
#define DO_TILE(name, N)                                                                           \
    static inline void name(__global floatB *y, const float *strip,                                \
                            __global const floatB *weights, const floatB *bias, int blocks,        \
                            int count, const job *j)                                               \
    {                                                                                              \
        const int turn = j->place.z ? -j->step.w : j->step.w;                                      \
        const int first = j->place.z ? (j->window.y - 1) * j->step.w : 0;                          \
        floatB sum[N * KV];                                                                        \
        _Pragma("unroll") for (int i = 0; i < N * KV; i++)                                         \
        {                                                                                          \
            sum[i] = (floatB)(0.0f);                                                               \
        }                                                                                          \
        for (int row = 0; row < j->source.y * j->window.x; row++) {                                \
            const __private float *a = strip + row * j->width + first;                             \
            for (int s = 0; s < j->window.y; s++) {                                                \
                _Pragma("unroll") for (int p = 0; p < N; p++)                                      \
                {                                                                                  \
                    _Pragma("unroll") for (int v = 0; v < KV; v++)                                 \
                    {                                                                              \
                        sum[p * KV + v] = fma((floatB)(a[p * STEP]), weights[v], sum[p * KV + v]); \
                    }                                                                              \
                }                                                                                  \
                a += turn;                                                                         \
                weights += KV;                                                                     \
            }                                                                                      \
        }                                                                                          \
        _Pragma("unroll") for (int v = 0; v < KV; v++)                                             \
        {                                                                                          \
            __global floatB *to = y + (size_t)v * j->target.z * j->target.w;                       \
            _Pragma("unroll") for (int p = 0; p < N; p++)                                          \
            {                                                                                      \
                if (v < blocks && p < count) {                                                     \
                    const floatB value =                                                           \
                        rv_accumulateB(to + p, sum[p * KV + v] + bias[v], j->place.w);             \
                    to[p] = rv_rectifyB(value, j->slope);                                          \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
DO_TILE(do_tile, PX)
DO_TILE(do_few, FEW_PX)

/* All sets of one stretch of a target row. */
static inline void do_stretch(__global floatB *y, const float *strip, __global const floatB *packed,
                              __global const float *bias, int n, const job *j)
{
    const int blocks = (j->target.y + B - 1) / B, pixels = j->target.z * j->target.w;
    const int weights = j->source.y * j->window.x * j->window.y * KV;
    for (int block = 0; block < blocks; block += KV) {
        floatB add[KV];
        for (int v = 0; v < KV; v++) {
            add[v] = conv_bias(bias, block + v, j->target.y);
        }
        int p = 0;
        for (; p + 2 * FEW_PX < n; p += PX) {
            do_tile(y + block * pixels + p, strip + p * STEP, packed, add, blocks - block, n - p,
                    j);
        }
        for (; p < n; p += FEW_PX) {
            do_few(y + block * pixels + p, strip + p * STEP, packed, add, blocks - block, n - p, j);
        }
        packed += weights;
    }
}

/* One work-item: work.x rows of the target, work.y pixels at a time. Packed weights, those of conv_cpu_pack with
 * LANES 1, begin at work.w. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_strips_gather(__global floatB *y, __global const float *x, __global const floatB *packed,
                       __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                       int4 place, float slope, int4 work, int first_group)
{
    const job j = {source,
                   target,
                   window,
                   step,
                   place,
                   slope,
                   (work.y - 1) * STEP + (window.y - 1) * step.w + 1};
    const int blocks = (target.y + B - 1) / B,
              first = (first_group + (int)get_group_id(0)) * work.x;
    float strip[STRIP];
    for (int i = first; i < min(first + work.x, target.x * target.z); i++) {
        const int n = i / target.z, row = i % target.z;
        __global floatB *to = y + (n * blocks * target.z + row) * target.w;
        for (int column = 0; column < target.w; column += work.y) {
            const int count = min(work.y, target.w - column);
            copy_strip(strip, x + n * source.y * source.z * source.w, row, column, count, &j);
            do_stretch(to + column, strip, packed + work.w, bias, count, &j);
        }
    }
}
