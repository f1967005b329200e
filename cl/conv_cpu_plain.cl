/* Convolution between plain tensors of up to four channels on CPUs: pixels side by side. */
/* SPDX-License-Identifier: MIT */
#include "conv_rows.clh"

/* Target channels of a group. */
#ifndef KT
#define KT 3
#endif
/* Vectors of B target pixels in a tile. */
#ifndef NV
#define NV 2
#endif
/* Source columns from one pixel of a tile to the next; beyond 2 they are loaded one by one. */
#ifndef STEP
#define STEP 1
#endif
#define PX (NV * B)

/* Pixels x[0], x[STEP], ... */
static inline floatB load_run(__global const float *x)
{
#if STEP == 1
    return vloadB(0, x);
#elif STEP == 2
    /* Not one float beyond the last that is needed. */
    return (floatB)(vloadB(0, x).even, vloadB(0, x + B - 1).odd);
#else
    float pixel[B];
    for (int b = 0; b < B; b++) {
        pixel[b] = x[b * STEP];
    }
    return vloadB(0, pixel);
#endif
}

/* Pixels x[from[p]], zero where from[p] is negative. */
static inline floatB load_mixed(__global const float *x, const int *from)
{
    float pixel[B];
    for (int b = 0; b < B; b++) {
        pixel[b] = from[b] < 0 ? 0.0f : x[max(from[b], 0)];
    }
    return vloadB(0, pixel);
}

/* Adds the bias of channel k, rectifies, and stores its sums[NV]. */
static inline void store(__global float *y, const floatB *sums, float bias, int k,
                         const row_tile *t, int4 target, int accumulate, float slope)
{
    __global float *row = y + ((t->n * target.y + k) * target.z + t->row) * target.w + t->column;
    for (int v = 0; v < NV; v++) {
        __global float *to = row + v * B * t->apart;
        const floatB value = sums[v] + bias;
        if (t->apart == 1 && t->column + (v + 1) * B <= target.w) {
            vstoreB(rv_rectifyB(accumulate ? vloadB(0, to) + value : value, slope), 0, to);
            continue;
        }
        float pixel[B];
        vstoreB(value, 0, pixel);
        for (int b = 0; b < B && t->column + (v * B + b) * t->apart < target.w; b++) {
            __global float *at = to + b * t->apart;
            *at = rv_rectify(rv_accumulate(at, pixel[b], accumulate), slope);
        }
    }
}

/* One work-item: work.x tiles of PX pixels of the KT target channels of a group. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_plain_gather(__global float *y, __global const float *x, __global const float *weights,
                      __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                      int4 place, float slope, int4 work, int first_group)
{
    const int channels = source.y / window.z, plane = source.z * source.w;
    const int first = (int)get_group_id(1) * channels, first_k = (int)get_group_id(1) * KT;
    for (int i = 0; i < work.x; i++) {
        const row_tile t =
            find_row_tile((first_group + (int)get_group_id(0)) * work.x + i, target, step, place, PX);
        if (t.n >= target.x) {
            return;
        }
        floatB sum[KT * NV];
#pragma unroll
        for (int k = 0; k < KT * NV; k++) {
            sum[k] = (floatB)(0.0f);
        }
        for (int s = 0; s < window.y; s++) {
            const int run = row_run(&t, s, source, target, step, place, PX);
            if (run == ROW_NONE) {
                continue;
            }
            int from[PX];
            for (int p = 0; p < PX && run < 0; p++) {
                from[p] = row_column(&t, p, s, source, target, window, step, place);
            }
            for (int r = 0; r < window.x; r++) {
                const int row = conv_row(t.row, r, source, window, step, place);
                for (int c = first; c < first + channels && row >= 0; c++) {
                    __global const float *a = x + (t.n * source.y + c) * plane + row * source.w;
                    floatB pixels[NV];
#pragma unroll
                    for (int v = 0; v < NV; v++) {
                        pixels[v] = run >= 0 ? load_run(a + run + v * B * STEP)
                                             : load_mixed(a, from + v * B);
                    }
#pragma unroll
                    for (int k = 0; k < KT; k++) {
                        const float w =
                            weights[conv_weight(c, first_k + k, source, target, window, place.z) +
                                    r * window.y + s];
#pragma unroll
                        for (int v = 0; v < NV; v++) {
                            sum[k * NV + v] = fma((floatB)(w), pixels[v], sum[k * NV + v]);
                        }
                    }
                }
            }
        }
        floatB sums[KT * NV];
#pragma unroll
        for (int k = 0; k < KT * NV; k++) {
            sums[k] = sum[k];
        }
        for (int k = 0; k < KT; k++) {
            store(y, sums + k * NV, bias != 0 ? bias[first_k + k] : 0.0f, first_k + k, &t, target,
                  place.w, slope);
        }
    }
}
