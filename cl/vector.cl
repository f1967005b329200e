/* Sums over and combinations of long vectors; scalars stay in slots on the device. */
/* SPDX-License-Identifier: MIT */
#include "flat.clh"

/* Work-items of a group in the first stage of a reduction. */
#if RV_GPU_FORM
#define GROUP 256
#else
#define GROUP 1
#endif

/* What is reduced. */
#define DOT     0
#define ABS_SUM 1
#define ABS_MAX 2

static inline floatB combine(floatB sum, floatB a, floatB b, int mode)
{
    return mode == DOT ? sum + a * b : mode == ABS_SUM ? sum + fabs(a) : fmax(sum, fabs(a));
}

static inline float combine_parts(float x, float y, int mode)
{
    return mode == ABS_MAX ? fmax(x, y) : x + y;
}

/* The part of a group: of each work-item's sum all lanes, then of the group all work-items. */
static inline void fold(__global float *parts, floatB sum, int mode, __local float *shared)
{
    float lane[B];
    vstoreB(sum, 0, lane);
    float v = lane[0];
    for (int k = 1; k < B; k++) {
        v = combine_parts(v, lane[k], mode);
    }
#if RV_GPU_FORM
    const int lane_of_group = (int)get_local_id(0);
    shared[lane_of_group] = v;
    for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane_of_group < half_size) {
            shared[lane_of_group] =
                combine_parts(shared[lane_of_group], shared[lane_of_group + half_size], mode);
        }
    }
    if (lane_of_group == 0) {
        parts[get_group_id(0)] = shared[0];
    }
#else
    (void)shared;
    parts[get_group_id(0)] = v;
#endif
}

/* Vectors that a work-item folds: `begin`, and every `step`-th of `count` that there are. On GPUs neighbours read
 * neighbours; a CPU thread reads one contiguous stretch. */
typedef struct stretch {
    int begin, step, count;
} stretch;
static inline stretch stretch_of(int n, int share)
{
    const int me = (int)get_global_id(0), all = (n - 1) / B + 1;
#if RV_GPU_FORM
    const int step = (int)get_global_size(0), begin = me;
#else
    const int step = 1, begin = min(me * share, all);
#endif
    stretch s = {begin, step, begin < all ? min(share, (all - 1 - begin) / step + 1) : 0};
    return s;
}

#if RV_GPU_FORM
#define SHARED __local float shared[GROUP];
#else
#define SHARED __local float *shared = 0;
#endif

/* First stage: each work-item folds its share, each group gives one part. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
vector_reduce(__global float *parts, __global const float *a, __global const float *b, int n,
              int share, int mode)
{
    SHARED
    const stretch s = stretch_of(n, share);
    floatB sum = (floatB)(0.0f);
    for (int k = 0, i = s.begin; k < s.count; k++, i += s.step) {
        sum = combine(sum, rv_load(a, i, n), rv_load(b, i, n), mode);
    }
    fold(parts, sum, mode, shared);
}

/* Second stage, one work-item: slot = v, times slot `times` unless that is below 0. */
__kernel void vector_reduce_parts(__global float *slots, __global const float *parts, int slot,
                                  int times, int n_parts, int mode)
{
    if (rv_index() > 0) {
        return;
    }
    float v = parts[0];
    for (int i = 1; i < n_parts; i++) {
        v = combine_parts(v, parts[i], mode);
    }
    slots[slot] = times < 0 ? v : v * slots[times];
}

/* y = slot `scale` * (y + factor * (slot i - slot j) * x), as in vector_axpy_slot, and the first stage of its product with
 * z; scale < 0 stands for 1. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
vector_axpy_dot(__global float *y, __global float *parts, __global const float *x,
                __global const float *z, __global const float *slots, int n, int share, int slot_i,
                int slot_j, int scale, float factor)
{
    SHARED
    const stretch s = stretch_of(n, share);
    const float a = factor * (slots[slot_i] - (slot_j < 0 ? 0.0f : slots[slot_j]));
    const float b = scale < 0 ? 1.0f : slots[scale];
    floatB sum = (floatB)(0.0f);
    for (int k = 0, i = s.begin; k < s.count; k++, i += s.step) {
        floatB v = rv_load(y, i, n) + a * rv_load(x, i, n);
        v = scale < 0 ? v : b * v;
        rv_store(y, i, n, v);
        sum = combine(sum, v, rv_load(z, i, n), DOT);
    }
    fold(parts, sum, DOT, shared);
}

/* y = a x + b y */
__kernel void vector_axpby(__global float *y, __global const float *x, int n, float a, float b)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    floatB v = a * rv_load(x, i, n);
    if (b != 0.0f) {
        v += b * rv_load(y, i, n);
    }
    rv_store(y, i, n, v);
}

/* y += factor * (slot i - slot j) * x; j < 0 stands for zero */
__kernel void vector_axpy_slot(__global float *y, __global const float *x,
                               __global const float *slots, int n, int slot_i, int slot_j,
                               float factor)
{
    const int i = rv_index();
    if (rv_beyond(i, n)) {
        return;
    }
    const float a = factor * (slots[slot_i] - (slot_j < 0 ? 0.0f : slots[slot_j]));
    rv_store(y, i, n, rv_load(y, i, n) + a * rv_load(x, i, n));
}

/* slot = slot i / slot j, 0 for a zero divisor; one work-item */
__kernel void vector_divide(__global float *slots, int slot, int slot_i, int slot_j)
{
    if (rv_index() == 0) {
        const float a = slots[slot_i], b = slots[slot_j];
        slots[slot] = b == 0.0f ? 0.0f : a / b;
    }
}
