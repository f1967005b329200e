/* Arithmetic on device vectors, and sums that stay on the device until they are asked for. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPTIM_VECTOR_H
#define RV_OPTIM_VECTOR_H

#include "device/device.h"

/** Kernels and scratch for vectors of one length. Scalars live in numbered slots on the device. */
typedef struct rv_vectors rv_vectors;

enum { RV_VECTOR_SLOTS = 128 };

/** @param n  floats in each vector, 1 to 2^31 - 1. */
RV_NODISCARD rv_status rv_vectors_create(rv_vectors **out, rv_device *device, size_t n);
void rv_vectors_destroy(rv_vectors *v);
uint64_t rv_vectors_bytes(void); /**< of device memory */

/** slot = a . b. The order of the sum depends on n only. */
RV_NODISCARD rv_status rv_vectors_dot(rv_vectors *v, int slot, const rv_buffer *a,
                                      const rv_buffer *b);
/** The same, times s[times]. */
RV_NODISCARD rv_status rv_vectors_dot_times(rv_vectors *v, int slot, int times, const rv_buffer *a,
                                            const rv_buffer *b);
/** slot = sum |a_i|; and max |a_i|. */
RV_NODISCARD rv_status rv_vectors_abs_sum(rv_vectors *v, int slot, const rv_buffer *a);
RV_NODISCARD rv_status rv_vectors_abs_max(rv_vectors *v, int slot, const rv_buffer *a);
/** y = a x + b y, the factors from the host. b = 0 does not read y. */
RV_NODISCARD rv_status rv_vectors_axpby(rv_vectors *v, rv_buffer *y, float a, const rv_buffer *x,
                                        float b);
/** y += factor * (s[i] - s[j]) * x with slots i and j; j < 0 stands for zero. */
RV_NODISCARD rv_status rv_vectors_axpy_slot(rv_vectors *v, rv_buffer *y, float factor, int i, int j,
                                            const rv_buffer *x);
/** What is added to a vector y: s[scale] * (y + factor * (s[i] - s[j]) * x); j < 0 stands for zero, scale < 0 for one. */
typedef struct rv_vectors_sum {
    const rv_buffer *x;
    int i, j, scale;
    float factor;
} rv_vectors_sum;

/** y becomes that sum, and slot = y . z * s[times], in one pass: the values that rv_vectors_axpy_slot()
 *  and rv_vectors_dot_times() would give. z may be x. */
RV_NODISCARD rv_status rv_vectors_axpy_dot(rv_vectors *v, rv_buffer *y, const rv_vectors_sum *sum,
                                           int slot, int times, const rv_buffer *z);
/** slot = s[i] / s[j], 0 where s[j] is 0. */
RV_NODISCARD rv_status rv_vectors_slot_divide(rv_vectors *v, int slot, int i, int j);
/** All slots, RV_VECTOR_SLOTS floats; borrowed. */
rv_buffer *rv_vectors_slots(const rv_vectors *v);
/** Waits and reads `n` slots from `first`. */
RV_NODISCARD rv_status rv_vectors_read(rv_vectors *v, float *out, int first, int n);

#endif
