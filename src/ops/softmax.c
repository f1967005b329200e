/* Softmax over axis 1: y_k = exp(x_k) / sum_j exp(x_j). */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct kernels {
    rv_kernel *forward, *back;
} kernels;

static rv_status infer(rv_node *n)
{
    RV_TRY(rv_node_takes_maps_or_vectors(n));
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    const char *defines = rv_lanes_defines(n->in[0]);
    RV_TRY(rv_kernel_get(&k->forward, device, "softmax", "softmax_forward", defines));
    return rv_kernel_get(&k->back, device, "softmax", "softmax_back", defines);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = rv_lanes_pixels(n->in[0]);
    return rv_launch(e->device, k->forward, rv_grid_items(e->device, (size_t)d[0] * (size_t)pixels),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(pixels)));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const kernels *k = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = rv_lanes_pixels(n->in[0]);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, k->back, rv_grid_items(e->device, (size_t)d[0] * (size_t)pixels),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer),
                             RV_ARG(n->out[0]->buffer), RV_ARG(d[0]), RV_ARG(d[1]), RV_ARG(pixels),
                             RV_ARG(accumulate)));
}

const rv_op rv_op_softmax = {
    .name = "softmax",
    .summary = "probabilities from scores, over the channels",
    .traits = RV_OP_INPLACE | RV_OP_BWD_READS_OUTPUT | RV_OP_BWD_INPLACE,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
