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

/* Rows that lie one behind the other are summed along their values, all else pixel by pixel. */
static bool in_rows(const rv_node *n)
{
    return n->in[0]->layout == RV_PLAIN && rv_lanes_pixels(n->in[0]) == 1;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    const char *defines = rv_lanes_defines(n->in[0]);
    const bool rows = in_rows(n);
    RV_TRY(rv_kernel_get(&k->forward, device, "softmax", rows ? "softmax_rows" : "softmax_forward",
                         defines));
    return rv_kernel_get(&k->back, device, "softmax", rows ? "softmax_rows_back" : "softmax_back",
                         defines);
}

/* A row is worth a work-group of its own on CPUs, where a batch of few would leave cores idle. */
static rv_grid grid_of(const rv_node *n, const rv_device *device)
{
    enum { MOST = 32768 };
    const size_t items = (size_t)n->in[0]->shape.dim[0] * (size_t)rv_lanes_pixels(n->in[0]);
    if (!in_rows(n) || rv_device_gpu_form(device)) {
        return rv_grid_items(device, items);
    }
    const size_t across = items < MOST ? items : MOST;
    return rv_grid_groups(across, (items + across - 1) / across, 1, 1, 1, 1);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = rv_lanes_pixels(n->in[0]);
    const rv_grid grid = grid_of(n, e->device);
    rv_buffer *y = n->out[0]->buffer, *x = n->in[0]->buffer;
    if (in_rows(n)) {
        return rv_launch(e->device, k->forward, grid,
                         RV_ARGS(RV_ARG(y), RV_ARG(x), RV_ARG(d[0]), RV_ARG(d[1])));
    }
    return rv_launch(e->device, k->forward, grid,
                     RV_ARGS(RV_ARG(y), RV_ARG(x), RV_ARG(d[0]), RV_ARG(d[1]), RV_ARG(pixels)));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const kernels *k = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = rv_lanes_pixels(n->in[0]);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const rv_grid grid = grid_of(n, e->device);
    rv_buffer *dx = n->d_in[0]->buffer, *dy = n->d_out[0]->buffer, *y = n->out[0]->buffer;
    if (in_rows(n)) {
        return rv_launch(e->device, k->back, grid,
                         RV_ARGS(RV_ARG(dx), RV_ARG(dy), RV_ARG(y), RV_ARG(d[0]), RV_ARG(d[1]),
                                 RV_ARG(accumulate)));
    }
    return rv_launch(e->device, k->back, grid,
                     RV_ARGS(RV_ARG(dx), RV_ARG(dy), RV_ARG(y), RV_ARG(d[0]), RV_ARG(d[1]),
                             RV_ARG(pixels), RV_ARG(accumulate)));
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
