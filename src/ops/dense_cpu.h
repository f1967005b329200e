/* Products of plain matrices on CPUs. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_DENSE_CPU_H
#define RV_OPS_DENSE_CPU_H

#include "ops/dense_gpu.h"

/** How the operands lie: along which of their dimensions values are neighbours. */
typedef enum rv_dense_order {
    RV_DENSE_ROWS_OF_BOTH, /**< the terms of a sum in both: a_step and b_step are 1 */
    RV_DENSE_ROWS_OF_A,    /**< terms in A, columns in B: a_step and column_step are 1 */
    RV_DENSE_COLUMNS_OF_A  /**< rows in A, columns in B: row_step and column_step are 1 */
} rv_dense_order;

/** Of one size; any number of operands. */
typedef struct rv_dense_panels {
    rv_kernel *run;
    rv_kernel *pack; /**< NULL: A is read as it lies */
    rv_kernel *turn;
    bool
        turned; /**< rows and columns are those of B and of A, and the result is turned about in the end; then nothing is
                    added to what is there */
    int32_t rows, inner, columns, pitch;
    int32_t tile, width; /**< rows and columns that are summed at a time */
    int32_t terms;       /**< of the sums that a panel holds */
    int32_t band, depth; /**< rows, and terms of the sums, of a launch */
    size_t pack_floats, workspace_bytes;
} rv_dense_panels;

RV_NODISCARD rv_status rv_dense_panels_prepare(rv_dense_panels *p, rv_device *device, int32_t rows,
                                               int32_t inner, int32_t columns,
                                               rv_dense_order order);
/** out (+)= A B + bias.  @param workspace  workspace_bytes. */
RV_NODISCARD rv_status rv_dense_panels_run(const rv_dense_panels *p, rv_device *device,
                                           const rv_dense_operands *o, const rv_buffer *workspace);

#endif
