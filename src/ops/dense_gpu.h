/* Products of plain matrices on GPUs. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_DENSE_GPU_H
#define RV_OPS_DENSE_GPU_H

#include "ops/gpu_tile.h"

/** Of one size; any number of operands. */
typedef struct rv_dense_product {
    bool blas;            /**< CLBlast multiplies; then `run` is NULL, and `sum` adds the bias */
    rv_kernel *run, *sum; /**< sum NULL: in one part */
    rv_grid grid;
    int32_t rows, inner, columns, parts, span;
    size_t workspace_bytes;
} rv_dense_product;

/** A's value in row r and column i is a[r * row_step + i * a_step], B's in row i and column c is
 *  b[c * column_step + i * b_step]; of each pair of steps one is 1. */
typedef struct rv_dense_operands {
    const rv_buffer *out, *a, *b;
    const rv_buffer *bias; /**< one value a column; NULL: none */
    int32_t row_step, a_step, column_step, b_step;
    int32_t accumulate;
    float slope; /**< of rv_node; 1 for gradients */
} rv_dense_operands;

/** @param blas  by CLBlast, which rv_blas_offered(). */
RV_NODISCARD rv_status rv_dense_product_prepare(rv_dense_product *p, rv_device *device, bool blas,
                                                int32_t rows, int32_t inner, int32_t columns);
/** out (+)= A B + bias.  @param workspace  workspace_bytes, NULL where that is 0. */
RV_NODISCARD rv_status rv_dense_product_run(const rv_dense_product *p, rv_device *device,
                                            const rv_dense_operands *o, const rv_buffer *workspace);

#endif
