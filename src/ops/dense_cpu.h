/* Products of plain matrices on CPUs. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_DENSE_CPU_H
#define RV_OPS_DENSE_CPU_H

#include "ops/dense_gpu.h"

/** Of one size; any number of operands. */
typedef struct rv_dense_panels {
    rv_kernel *pack, *run;
    int32_t rows, inner, columns;
    int32_t tile, width; /**< rows and columns that are summed at a time */
    int32_t band, depth; /**< rows, and terms of the sums, of a launch */
    size_t workspace_bytes;
} rv_dense_panels;

RV_NODISCARD rv_status rv_dense_panels_prepare(rv_dense_panels *p, rv_device *device, int32_t rows,
                                               int32_t inner, int32_t columns);
/** out (+)= A B + bias. Of each pair of steps one is 1.  @param workspace  workspace_bytes. */
RV_NODISCARD rv_status rv_dense_panels_run(const rv_dense_panels *p, rv_device *device,
                                           const rv_dense_operands *o, const rv_buffer *workspace);

#endif
