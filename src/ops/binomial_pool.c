/* Halves maps without the aliasing of other pooling: (1 2 1)/4 along each axis at every other pixel.
 *
 * Zhang 2019, Making Convolutional Networks Shift-Invariant Again, calls this a blur with a triangle filter. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct kernels {
    rv_kernel *forward, *backward;
} kernels;

static rv_status infer(rv_node *n)
{
    const rv_shape *in = &n->in[0]->shape;
    RV_TRY(rv_node_takes_maps(n));
    n->out[0]->shape = rv_shape_4(in->dim[0], in->dim[1], rv_divide_up(in->dim[2], 2),
                                  rv_divide_up(in->dim[3], 2));
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    const char *defines = rv_lanes_defines(n->in[0]);
    RV_TRY(rv_kernel_get(&k->forward, device, "binomial_pool", "binomial_pool_forward", defines));
    return rv_kernel_get(&k->backward, device, "binomial_pool", "binomial_pool_back", defines);
}

/* As the kernels take it. */
static rv_int4 size_of(const rv_node *n)
{
    const int32_t *in = n->in[0]->shape.dim, *out = n->out[0]->shape.dim;
    return (rv_int4){{in[2], in[3], out[2], out[3]}};
}

/* Work-items for `rows` rows of each plane, which take so many windows of theirs each. */
static size_t items(const rv_node *n, const rv_device *device, int32_t rows)
{
    const rv_tensor *y = n->out[0];
    return rv_lanes_items(device, rv_lanes_planes(y) * (size_t)rows, y->shape.dim[3]);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const int32_t *d = n->in[0]->shape.dim, run = rv_lanes_run(e->device);
    const rv_int4 size = size_of(n);
    const size_t bytes = rv_tensor_bytes(n->in[0]) + rv_tensor_bytes(n->out[0]);
    return rv_launch(e->device, k->forward,
                     rv_lanes_grid(e->device, items(n, e->device, size.s[2]), bytes),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(size), RV_ARG(run), RV_FIRST));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const kernels *k = n->priv;
    const int32_t *d = n->in[0]->shape.dim, run = rv_lanes_run(e->device);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const rv_int4 size = size_of(n);
    return rv_launch(e->device, k->backward,
                     rv_grid_items(e->device, items(n, e->device, size.s[0])),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(size), RV_ARG(run), RV_ARG(accumulate)));
}

const rv_op rv_op_binomial_pool = {
    .name = "binomial_pool",
    .summary = "half the size, each value a mean weighted by 1 2 1 along both axes",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
