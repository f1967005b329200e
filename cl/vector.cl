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
#define DOT 0
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

/* First stage: each work-item folds its share, each group gives one part. On GPUs neighbours read
 * neighbours; a CPU thread reads one contiguous stretch. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
vector_reduce(__global float *parts, __global const float *a, __global const float *b, int n,
              int share, int mode)
{
    floatB sum = (floatB)(0.0f);
    const int me = (int)get_global_id(0), last = (n - 1) / B;
#if RV_GPU_FORM
    const int step = (int)get_global_size(0);
    for (int k = 0, i = me; k < share && i <= last; k++, i += step) {
        sum = combine(sum, rv_load(a, i, n), rv_load(b, i, n), mode);
    }
#else
    for (int k = 0, i = me * share; k < share && i <= last; k++, i++) {
        sum = combine(sum, rv_load(a, i, n), rv_load(b, i, n), mode);
    }
#endif
    float lane[B];
    vstoreB(sum, 0, lane);
    float v = lane[0];
    for (int k = 1; k < B; k++) {
        v = combine_parts(v, lane[k], mode);
    }
#if RV_GPU_FORM
    __local float shared[GROUP];
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
    parts[get_group_id(0)] = v;
#endif
}

/* Second stage, one work-item. */
__kernel void vector_reduce_parts(__global float *slots, __global const float *parts, int slot,
                                  int n_parts, int mode)
{
    if (rv_index() > 0) {
        return;
    }
    float v = parts[0];
    for (int i = 1; i < n_parts; i++) {
        v = combine_parts(v, parts[i], mode);
    }
    slots[slot] = v;
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

/* y = slot i * x */
__kernel void vector_scale_slot(__global float *y, __global const float *x,
                                __global const float *slots, int n, int slot_i)
{
    const int i = rv_index();
    if (!rv_beyond(i, n)) {
        rv_store(y, i, n, slots[slot_i] * rv_load(x, i, n));
    }
}

/* slot = slot i * slot j, or slot i / slot j with 0 for a zero divisor; one work-item */
__kernel void vector_slots(__global float *slots, int slot, int slot_i, int slot_j, int divide)
{
    if (rv_index() > 0) {
        return;
    }
    const float a = slots[slot_i], b = slots[slot_j];
    slots[slot] = divide ? (b == 0.0f ? 0.0f : a / b) : a * b;
}
