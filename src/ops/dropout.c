/* In training drops values with probability `ratio` and scales the rest by 1 / (1 - ratio); else the identity. */
/* SPDX-License-Identifier: MIT */
#include "ops/lanes.h"
#include "ops/op.h"

#include "base/error.h"

typedef struct dropout_attrs {
    float ratio;
} dropout_attrs;

static const rv_attr attributes[] = {
    {"ratio", RV_ATTR_FLOAT, offsetof(dropout_attrs, ratio), 1, 0.5, 0, 0.9999, NULL,
     "share of the values that is dropped in training"},
    {.name = NULL},
};

static rv_status infer(rv_node *n)
{
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(rv_kernel *)));
    return rv_kernel_get((rv_kernel **)n->priv, device, "dropout", "dropout_map",
                         rv_lanes_defines(n->in[0]));
}

/* Any rank is read as N,C and pixels: the order of the values in memory is what counts. */
static rv_status map(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *x,
                     int32_t accumulate)
{
    const dropout_attrs *a = n->attrs;
    const float ratio = n->mode == RV_TRAIN ? a->ratio : 0.0f;
    if (ratio == 0.0f && !accumulate) {
        return y->buffer == x->buffer
                   ? RV_OK
                   : rv_buffer_copy(e->device, y->buffer, 0, x->buffer, 0, rv_tensor_bytes(x));
    }
    rv_kernel *const *kernel = n->priv;
    const bool maps = x->shape.rank == 4;
    const int32_t pictures = maps ? x->shape.dim[0] : 1, c = maps ? x->shape.dim[1] : 1;
    const int32_t pixels = maps ? rv_lanes_pixels(x) : (int32_t)rv_shape_count(&x->shape);
    const int32_t run = rv_lanes_run(e->device);
    const size_t planes = maps ? rv_lanes_planes(x) : 1;
    return rv_launch(e->device, *kernel,
                     rv_grid_items(e->device, rv_lanes_items(e->device, planes, pixels)),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(x->buffer), RV_ARG(pictures), RV_ARG(c),
                             RV_ARG(pixels), RV_ARG(run), RV_ARG(e->seed), RV_ARG(e->stream),
                             RV_ARG(e->step), RV_ARG(ratio), RV_ARG(accumulate)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    return map(n, e, n->out[0], n->in[0], 0);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    return map(n, e, n->d_in[0], n->d_out[0], (e->accumulate & RV_WANT_INPUT(0)) != 0);
}

const rv_op rv_op_dropout = {
    .name = "dropout",
    .summary = "drop values at random while training",
    .attrs = attributes,
    .attr_size = sizeof(dropout_attrs),
    .traits = RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_BWD_INPLACE,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
