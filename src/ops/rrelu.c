/* Randomised leaky ReLU (Xu et al. 2015): y = x above 0, s x below; in training s is drawn for each value, uniform
 * from low to high, else it is their mean. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/flat.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct rrelu_attrs {
    float low, high;
} rrelu_attrs;

static const rv_attr attributes[] = {
    {"low", RV_ATTR_FLOAT, offsetof(rrelu_attrs, low), 1, 0.125, 0, 1e6, NULL,
     "smallest factor of values below 0"},
    {"high", RV_ATTR_FLOAT, offsetof(rrelu_attrs, high), 1, 0.3333333333333333, 0, 1e6, NULL,
     "largest factor of values below 0"},
    {.name = NULL},
};

static rv_status infer(rv_node *n)
{
    const rrelu_attrs *a = n->attrs;
    if (a->low > a->high) {
        return rv_fail(RV_ERR_USAGE, "'%s': rrelu's low is %g, above its high, %g", n->name,
                       (double)a->low, (double)a->high);
    }
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(rv_kernel *)));
    return rv_kernel_get((rv_kernel **)n->priv, device, "rrelu",
                         n->in[0]->layout == RV_PLAIN ? "rrelu_plain" : "rrelu_blocked", NULL);
}

/* y = v where `sign` is above 0, else s v: forward with v = sign = x, backward with v = dy, sign = y. */
static rv_status map_plain(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *v,
                           const rv_tensor *sign, rv_float4 range, int32_t accumulate)
{
    rv_kernel *const *kernel = n->priv;
    const rv_flat f = rv_flat_of(v, e->device);
    return rv_launch(e->device, *kernel, rv_grid_items(e->device, (size_t)f.vectors),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(v->buffer), RV_ARG(sign->buffer),
                             RV_ARG(f.n), RV_ARG(e->seed), RV_ARG(e->stream), RV_ARG(e->step),
                             RV_ARG(range), RV_ARG(accumulate)));
}

static rv_status map_blocked(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *v,
                             const rv_tensor *sign, rv_float4 range, int32_t accumulate)
{
    rv_kernel *const *kernel = n->priv;
    const int32_t *d = v->shape.dim;
    const int32_t pixels = rv_lanes_pixels(v), run = rv_lanes_run(e->device);
    const size_t items = rv_lanes_items(e->device, rv_lanes_planes(v), pixels);
    return rv_launch(e->device, *kernel, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(v->buffer), RV_ARG(sign->buffer),
                             RV_ARG(d[0]), RV_ARG(d[1]), RV_ARG(pixels), RV_ARG(run),
                             RV_ARG(e->seed), RV_ARG(e->stream), RV_ARG(e->step), RV_ARG(range),
                             RV_ARG(accumulate)));
}

static rv_status map(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *v,
                     const rv_tensor *sign, int32_t accumulate)
{
    const rrelu_attrs *a = n->attrs;
    const float mean = 0.5f * (a->low + a->high);
    const rv_float4 drawn = {{a->low, a->high - a->low, 0, 0}}, fixed = {{mean, 0, 0, 0}};
    const rv_float4 range = n->mode == RV_TRAIN ? drawn : fixed;
    return v->layout == RV_PLAIN ? map_plain(n, e, y, v, sign, range, accumulate)
                                 : map_blocked(n, e, y, v, sign, range, accumulate);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    return map(n, e, n->out[0], n->in[0], n->in[0], 0);
}

/* The slopes are drawn again. y has the sign of x but where s is 0, and with it the gradient. */
static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    return map(n, e, n->d_in[0], n->d_out[0], n->out[0], (e->accumulate & RV_WANT_INPUT(0)) != 0);
}

const rv_op rv_op_rrelu = {
    .name = "rrelu",
    .summary = "x above 0, below it times a slope drawn while training",
    .attrs = attributes,
    .attr_size = sizeof(rrelu_attrs),
    .traits = RV_OP_HALVES | RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_BWD_INPLACE |
              RV_OP_BWD_READS_OUTPUT | RV_OP_DRAWS,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
