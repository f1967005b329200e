/* What losses share that are the weighted mean or sum of one number per value: kernels, the sum, shapes and layouts. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_LOSS_H
#define RV_OPS_LOSS_H

#include "ops/flat.h"
#include "ops/reduce.h"

/** n->priv of such a loss. */
typedef struct rv_loss {
    rv_kernel *forward, *backward;
    rv_reduction sum;
} rv_loss;

/** A loss of input 0 and a target of the same shape gives one number. */
RV_NODISCARD rv_status rv_loss_infer_pair(rv_node *n);
/** Inputs in the layout of the first, which is as it comes; the number is plain. */
void rv_loss_layouts(const rv_node *n, rv_layout *in, rv_layout *out);
/** Makes n->priv: the kernels OP_forward and OP_backward of cl/OP.cl, and the sum over input 0. */
RV_NODISCARD rv_status rv_loss_prepare(rv_node *n, rv_device *device);
/** The second stage of the sum: out = weight * mean. */
RV_NODISCARD rv_status rv_loss_finish(const rv_node *n, const rv_exec *e, float weight);
/** Both stages for a kernel (parts, x, target, n, vectors, share): out = factor * sum. */
RV_NODISCARD rv_status rv_loss_sum_pair(const rv_node *n, const rv_exec *e, float factor);

#endif
