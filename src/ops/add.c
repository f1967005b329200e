/* The sum of 2 to 28 tensors of one shape: y = x_0 + x_1 + ..., dx_i = dy. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/flat.h"
#include "ops/op.h"

typedef struct kernels {
    rv_kernel *forward, *backward;
} kernels;

static rv_status infer(rv_node *n)
{
    for (int i = 1; i < n->n_in; i++) {
        if (!rv_shape_equal(&n->in[0]->shape, &n->in[i]->shape)) {
            char first[64], other[64];
            return rv_fail(RV_ERR_SHAPE, "'%s': cannot add %s to %s", n->name,
                           rv_shape_text(other, &n->in[i]->shape),
                           rv_shape_text(first, &n->in[0]->shape));
        }
    }
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    RV_TRY(rv_kernel_get(&k->forward, device, "add", "add_forward", NULL));
    return rv_kernel_get(&k->backward, device, "add", "add_backward", NULL);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_flat f = rv_flat_of(n->out[0], e->device);
    rv_buffer *sum = n->out[0]->buffer;
    for (int i = 1; i < n->n_in; i++) {
        const rv_buffer *so_far = i == 1 ? n->in[0]->buffer : sum;
        const float slope = i == n->n_in - 1 ? n->slope : 1;
        RV_TRY(rv_launch(e->device, k->forward, rv_grid_items(e->device, (size_t)f.vectors),
                         RV_ARGS(RV_ARG(sum), RV_ARG(so_far), RV_ARG(n->in[i]->buffer), RV_ARG(f.n),
                                 RV_ARG(slope))));
    }
    return RV_OK;
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const kernels *k = n->priv;
    const rv_flat f = rv_flat_of(n->out[0], e->device);
    const rv_buffer *d_out = n->d_out[0]->buffer;
    for (int i = 0; i < n->n_in; i++) {
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(i)) != 0;
        if ((wanted & RV_WANT_INPUT(i)) == 0 || (n->d_in[i]->buffer == d_out && !accumulate)) {
            continue; /* in place there is nothing to do */
        }
        RV_TRY(rv_launch(
            e->device, k->backward, rv_grid_items(e->device, (size_t)f.vectors),
            RV_ARGS(RV_ARG(n->d_in[i]->buffer), RV_ARG(d_out), RV_ARG(f.n), RV_ARG(accumulate))));
    }
    return RV_OK;
}

const rv_op rv_op_add = {
    .name = "add",
    .summary = "sum of tensors of one shape",
    .traits = RV_OP_INPLACE | RV_OP_BWD_INPLACE | RV_OP_RECTIFIES,
    .min_in = 2,
    .max_in = RV_MAX_INPUTS,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
