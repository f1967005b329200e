/* Turns a picture into the channels, range and zero that a network was trained on:
 * y_c = (x_c' * range - mean_c) / deviation_c, c' the channel of the picture that is c of the network. A grey picture
 * has one channel, the first of each list. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/op.h"

typedef struct preprocess_attrs {
    int32_t order;
    float range, mean[3], deviation[3];
} preprocess_attrs;

enum { ORDER_RGB, ORDER_BGR };
static const char *const orders[] = {"rgb", "bgr", NULL};

static const rv_attr attributes[] = {
    {"order", RV_ATTR_ENUM, offsetof(preprocess_attrs, order), 1, ORDER_RGB, 0, 0, orders,
     "channels as the network takes them"},
    {"range", RV_ATTR_FLOAT, offsetof(preprocess_attrs, range), 1, 1, -1e9, 1e9, NULL,
     "what the network takes for white, before mean and deviation"},
    {"mean", RV_ATTR_FLOAT, offsetof(preprocess_attrs, mean), 3, 0, -1e9, 1e9, NULL,
     "taken off each channel, in the network's order and range"},
    {"deviation", RV_ATTR_FLOAT, offsetof(preprocess_attrs, deviation), 3, 1, 1e-9, 1e9, NULL,
     "divides each channel, in the network's order"},
    {.name = NULL},
};

static rv_status infer(rv_node *n)
{
    const rv_shape *in = &n->in[0]->shape;
    if (in->rank != 4 || (in->dim[1] != 3 && in->dim[1] != 1)) {
        char text[64];
        return rv_fail(RV_ERR_SHAPE, "'%s': preprocess takes N,3,H,W or N,1,H,W, not %s", n->name,
                       rv_shape_text(text, in));
    }
    n->out[0]->shape = *in;
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[0] = out[0] = RV_PLAIN;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(rv_kernel *)));
    return rv_kernel_get((rv_kernel **)n->priv, device, "preprocess", "preprocess_map", NULL);
}

static rv_status map(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *x,
                     int32_t accumulate, rv_float4 factor, rv_float4 offset)
{
    const preprocess_attrs *a = n->attrs;
    const int32_t *d = x->shape.dim;
    const int32_t pixels = d[2] * d[3], reversed = d[1] == 3 && a->order == ORDER_BGR;
    rv_kernel *const *kernel = n->priv;
    const int32_t vectors = rv_divide_up(pixels, rv_device_block(e->device));
    return rv_launch(e->device, *kernel, rv_grid_items(e->device, (size_t)d[0] * (size_t)vectors),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(x->buffer), RV_ARG(d[0]), RV_ARG(d[1]),
                             RV_ARG(pixels), RV_ARG(reversed), RV_ARG(accumulate), RV_ARG(factor),
                             RV_ARG(offset)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const preprocess_attrs *a = n->attrs;
    rv_float4 factor = {{0}}, offset = {{0}};
    for (int c = 0; c < 3; c++) {
        factor.s[c] = a->range / a->deviation[c];
        offset.s[c] = -a->mean[c] / a->deviation[c];
    }
    return map(n, e, n->out[0], n->in[0], 0, factor, offset);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const preprocess_attrs *a = n->attrs;
    const bool swapped = n->in[0]->shape.dim[1] == 3 && a->order == ORDER_BGR;
    rv_float4 factor = {{0}};
    const rv_float4 offset = {{0}};
    for (int c = 0; c < 3; c++) {
        factor.s[swapped ? 2 - c : c] = a->range / a->deviation[c];
    }
    return map(n, e, n->d_in[0], n->d_out[0], (e->accumulate & RV_WANT_INPUT(0)) != 0, factor,
               offset);
}

const rv_op rv_op_preprocess = {
    .name = "preprocess",
    .summary = "order, range, mean and deviation of the network's channels",
    .attrs = attributes,
    .attr_size = sizeof(preprocess_attrs),
    .traits = RV_OP_INPLACE | RV_OP_BWD_INPLACE,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
