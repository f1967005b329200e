/* Puts tensors behind one another along axis 1. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct kernels {
    rv_kernel *put, *take;
} kernels;

static rv_status infer(rv_node *n)
{
    RV_TRY(rv_node_takes_maps_or_vectors(n));
    rv_shape out = n->in[0]->shape;
    for (int i = 1; i < n->n_in; i++) {
        const rv_shape *in = &n->in[i]->shape;
        rv_shape like = *in;
        like.dim[1] = n->in[0]->shape.dim[1];
        if (!rv_shape_equal(&like, &n->in[0]->shape)) {
            char a[64], b[64];
            return rv_fail(RV_ERR_SHAPE,
                           "'%s': %s cannot stand behind %s: all sizes but the channels must agree",
                           n->name, rv_shape_text(a, in), rv_shape_text(b, &n->in[0]->shape));
        }
        if (in->dim[1] > INT32_MAX - out.dim[1]) {
            return rv_fail(RV_ERR_SHAPE, "'%s': too many channels", n->name);
        }
        out.dim[1] += in->dim[1];
    }
    n->out[0]->shape = out;
    return RV_OK;
}

/* Blocked where one input is: fewer values change their layout than the other way round. */
static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    out[0] = RV_PLAIN;
    for (int i = 0; i < n->n_in; i++) {
        out[0] = in[i] == RV_BLOCKED ? RV_BLOCKED : out[0];
    }
    for (int i = 0; i < n->n_in; i++) {
        in[i] = out[0];
    }
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    const char *defines = rv_lanes_defines(n->in[0]);
    RV_TRY(rv_kernel_get(&k->put, device, "concat", "concat_put", defines));
    return rv_kernel_get(&k->take, device, "concat", "concat_take", defines);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_tensor *out = n->out[0];
    const int32_t pixels = rv_lanes_pixels(out), run = rv_lanes_run(e->device);
    int32_t first = 0;
    for (int i = 0; i < n->n_in; i++) {
        const int32_t *d = n->in[i]->shape.dim;
        const int32_t end = first % out->block + d[1];
        const int32_t touched = rv_divide_up(end, out->block);
        if ((n->placed & RV_WANT_INPUT(i)) != 0) {
            first += d[1];
            continue;
        }
        const size_t planes = (size_t)d[0] * (size_t)touched;
        RV_TRY(rv_launch(
            e->device, k->put, rv_grid_items(e->device, rv_lanes_items(e->device, planes, pixels)),
            RV_ARGS(RV_ARG(out->buffer), RV_ARG(n->in[i]->buffer), RV_ARG(d[0]), RV_ARG(d[1]),
                    RV_ARG(pixels), RV_ARG(first), RV_ARG(out->shape.dim[1]), RV_ARG(run))));
        first += d[1];
    }
    return RV_OK;
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const kernels *k = n->priv;
    const rv_tensor *d_out = n->d_out[0];
    const int32_t pixels = rv_lanes_pixels(d_out), run = rv_lanes_run(e->device);
    int32_t first = 0;
    for (int i = 0; i < n->n_in; first += n->in[i]->shape.dim[1], i++) {
        const int32_t *d = n->in[i]->shape.dim;
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(i)) != 0;
        if ((wanted & ~n->gradients_placed & RV_WANT_INPUT(i)) == 0) {
            continue;
        }
        const size_t planes = rv_lanes_planes(n->d_in[i]);
        const rv_buffer *y = (n->gated & RV_WANT_INPUT(i)) != 0 ? n->out[0]->buffer : NULL;
        RV_TRY(rv_launch(
            e->device, k->take, rv_grid_items(e->device, rv_lanes_items(e->device, planes, pixels)),
            RV_ARGS(RV_ARG(n->d_in[i]->buffer), RV_ARG(d_out->buffer), RV_ARG(y), RV_ARG(d[0]),
                    RV_ARG(d[1]), RV_ARG(pixels), RV_ARG(first), RV_ARG(d_out->shape.dim[1]),
                    RV_ARG(run), RV_ARG(n->gate), RV_ARG(accumulate))));
    }
    return RV_OK;
}

static bool gates(const rv_node *n, const rv_device *device)
{
    (void)n;
    (void)device;
    return true;
}

const rv_op rv_op_concat = {
    .name = "concat",
    .summary = "put channels behind one another",
    .traits = RV_OP_JOINS,
    .min_in = 1,
    .max_in = RV_MAX_INPUTS,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .gates = gates,
};
