/* Products of each place of a picture with all vectors of a list, of which only the largest is kept. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* Vectors B places wide that a work-item has, and vectors of the list that it multiplies them by at a time: what a core's
 * registers hold. On a GPU neighbours have neighbouring places. */
#if RV_GPU_FORM
#define WIDE 1
#else
#define WIDE 2
#endif
#define ROWS   8
#define PLACES (WIDE * B)

/* Where channel `ch` of a work-item's places lies behind `start`: a CPU core has all of them side by side, on a GPU
 * neighbours have. */
static inline size_t at(int item, int items, int start, int ch, int c)
{
#if RV_GPU_FORM
    (void)c;
    return start + ((size_t)ch * items + item) * PLACES;
#else
    (void)items;
    return start + ((size_t)item * c + ch) * PLACES;
#endif
}

/* Plain maps x [n,c,places] to tiles of PLACES, zero beyond the last, behind `start` of the workspace. One work-item: a
 * tile. */
__kernel void match_loss_pack(__global float *work, __global const float *x, int items, int tiles,
                              int start, int c, int places)
{
    const int item = rv_index();
    if (item >= items) {
        return;
    }
    const int place = item % tiles * PLACES;
    const int n = min(PLACES, places - place);
    __global const float *from = x + (size_t)(item / tiles) * c * places + place;
    for (int ch = 0; ch < c; ch++) {
        __global float *to = work + at(item, items, start, ch, c);
        for (int i = 0; i < PLACES; i++) {
            to[i] = i < n ? from[(size_t)ch * places + i] : 0.0f;
        }
    }
}

/* What lies before `start`: sums of the largest product of each place of a tile; index [n,places]: which vector of list
 * [g,c] that is, the first of equals. One work-item: a tile. */
__kernel void match_loss_find(__global float *work, __global int *index, __global const float *list,
                              int items, int tiles, int start, int c, int places, int g, int keep,
                              int first)
{
    const int item = rv_index_from(first);
    if (item >= items) {
        return;
    }
    floatB most[WIDE];
    intB best[WIDE];
    for (int w = 0; w < WIDE; w++) {
        most[w] = (floatB)(-INFINITY);
        best[w] = (intB)(0);
    }
    for (int from = 0; from < g; from += ROWS) {
        floatB sum[ROWS][WIDE];
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            for (int w = 0; w < WIDE; w++) {
                sum[r][w] = (floatB)(0.0f);
            }
        }
        for (int ch = 0; ch < c; ch++) {
            __global const float *x = work + at(item, items, start, ch, c);
            const floatB x0 = vloadB(0, x), x1 = vloadB(WIDE - 1, x);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const floatB u = (floatB)(list[(size_t)min(from + r, g - 1) * c + ch]);
                sum[r][0] = fma(u, x0, sum[r][0]);
                if (WIDE > 1) {
                    sum[r][WIDE - 1] = fma(u, x1, sum[r][WIDE - 1]);
                }
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            for (int w = 0; w < WIDE; w++) {
                const intB less = sum[r][w] <= most[w]; /* not so for NaN, which stays */
                most[w] = select(sum[r][w], most[w], less);
                best[w] = select((intB)(min(from + r, g - 1)), best[w], less);
            }
        }
    }
    floatB all = most[0];
    for (int w = 1; w < WIDE; w++) {
        all += most[w];
    }
    work[item] = rv_sum_lanes(all); /* places beyond the last are zero, and so are their products */
    if (keep) {
        const int place = item % tiles * PLACES;
        __global int *to = index + (size_t)(item / tiles) * places + place;
        int lane[PLACES];
        for (int w = 0; w < WIDE; w++) {
            vstoreB(best[w], w, lane);
        }
        for (int i = 0; i < PLACES && place + i < places; i++) {
            to[i] = lane[i];
        }
    }
}

/* dx = weight * dy * the vector that was chosen, plain. One work-item: B places of one picture. */
__kernel void match_loss_backward(__global float *dx, __global const int *index,
                                  __global const float *list, __global const float *dy, int n,
                                  int c, int places, float weight, int accumulate)
{
    const int runs = (places + B - 1) / B, item = rv_index();
    if (item >= n * runs) {
        return;
    }
    const int place = item % runs * B, count = min(B, places - place);
    __global const int *chosen = index + (size_t)(item / runs) * places + place;
    __global float *to = dx + (size_t)(item / runs) * c * places + place;
    const float factor = weight * dy[0];
    int lane[B];
    for (int i = 0; i < B; i++) {
        lane[i] = i < count ? chosen[i] : 0;
    }
    for (int ch = 0; ch < c; ch++) {
        __global float *p = to + (size_t)ch * places;
        for (int i = 0; i < count; i++) {
            p[i] = rv_accumulate(p + i, factor * list[(size_t)lane[i] * c + ch], accumulate);
        }
    }
}
