/* Sums over a tensor in two launches, the same from run to run: the losses end in one. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_REDUCE_H
#define RV_OPS_REDUCE_H

#include "ops/op.h"

/** How a sum over vectors of B floats is cut. The cut depends on their number and the device's
 *  class only. First stage: a kernel with reduce.clh and the arguments (parts, ..., vectors,
 *  share); second stage: rv_reduction_finish(). */
typedef struct rv_reduction {
    rv_kernel *finish;
    int32_t vectors; /**< to add up, B floats each */
    int32_t share;   /**< of one work-group */
    int32_t parts;   /**< work-groups: floats of workspace */
} rv_reduction;

/** Factor that makes a weighted mean of a sum over the values of input 0: weight / count. */
double rv_mean_factor(const rv_node *n, float weight);

RV_NODISCARD rv_status rv_reduction_prepare(rv_reduction *out, rv_device *device, int32_t vectors);
/** Workspace for the parts. */
size_t rv_reduction_bytes(const rv_reduction *r);
/** Grid of the first stage. */
rv_grid rv_reduction_grid(const rv_reduction *r, const rv_device *device);
/** out[0] = factor * sum of the parts. */
RV_NODISCARD rv_status rv_reduction_finish(const rv_reduction *r, rv_device *device, rv_tensor *out,
                                           const rv_buffer *parts, float factor);

#endif
