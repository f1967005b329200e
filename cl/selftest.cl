/* Small problems with known answers, by which a device is judged before it is used. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* Work-items of a group, and values that a group reduces. */
#define GROUP 64

/* Whole numbers: multiplication modulo 2^32, its high half, shifts, signed division. */
__kernel void selftest_integers(__global uint *y, int n)
{
    const int i = rv_index();
    if (i >= n) {
        return;
    }
    uint v = (uint)i * 2654435761u + 12345u;
    v ^= v >> 15;
    v = v * 2246822519u + mul_hi(v, 3266489917u);
    y[i] = v + (uint)((i - 1000) / 7) + (uint)((i - 1000) % 7);
}

/* Floats in vectors of B: sums, products, comparisons, roots, powers. */
__kernel void selftest_floats(__global float *y, __global const float *x, int n)
{
    const int i = rv_index() * B;
    if (i >= n) {
        return;
    }
    const floatB v = vloadB(0, x + i);
    floatB w = v * 3.0f + 0.5f;
    w = select(-w, sqrt(fabs(w)), w > 0.0f);
    w += exp(-fabs(v)) + v / (fabs(v) + 1.0f);
    vstoreB(w, 0, y + i);
}

/* Every word of a large buffer, so that wrong addresses show. */
__kernel void selftest_addresses(__global uint *y, int n)
{
    const int i = rv_index();
    if (i < n) {
        y[i] = (uint)i ^ 0x5bd1e995u;
    }
}

/* Sums of whole numbers, exact in float: one for each group. */
__kernel __attribute__((reqd_work_group_size(RV_GPU_FORM ? GROUP : 1, 1, 1))) void
selftest_sum(__global float *sums, __global const float *x, int n)
{
#if RV_GPU_FORM
    __local float shared[GROUP];
    const int me = (int)get_local_id(0), i = (int)get_global_id(0);
    shared[GROUP - 1 - me] = i < n ? x[i] : 0.0f;
    for (int half_size = GROUP / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (me < half_size) {
            shared[me] += shared[me + half_size];
        }
    }
    if (me == 0) {
        sums[get_group_id(0)] = shared[0];
    }
#else
    const int start = (int)get_group_id(0) * GROUP, end = min(start + GROUP, n);
    float sum = 0.0f;
    for (int i = start; i < end; i++) {
        sum += x[i];
    }
    sums[get_group_id(0)] = sum;
#endif
}
