/* Parametric ReLU (He et al. 2015): y = x above 0, a_c x below, the slope a_c of each channel being learned.
 * dx = dy above 0, a_c dy below; da_c = sum of x dy over the values of the channel that are below 0. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct plan {
    rv_kernel *map, *products, *sums;
    int32_t n_parts; /* of the sum over one plane */
} plan;

static rv_status infer(rv_node *n)
{
    RV_TRY(rv_node_takes_maps_or_vectors(n));
    n->out[0]->shape = n->in[0]->shape;
    n->param[0]->shape = rv_shape_1(n->in[0]->shape.dim[1]);
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const char *defines = rv_lanes_defines(n->in[0]);
    RV_TRY(rv_node_private(n, sizeof(plan)));
    plan *p = n->priv;
    p->n_parts = rv_lanes_parts(rv_lanes_pixels(n->in[0]));
    RV_TRY(rv_kernel_get(&p->map, device, "prelu", "prelu_map", defines));
    RV_TRY(rv_kernel_get(&p->products, device, "prelu", "prelu_products", defines));
    RV_TRY(rv_kernel_get(&p->sums, device, "prelu", "prelu_sums", defines));
    if ((n->wanted & RV_WANT_PARAM(0)) != 0) {
        n->backward_workspace = rv_lanes_planes(n->in[0]) * (size_t)p->n_parts *
                                (size_t)n->in[0]->block * sizeof(float);
    }
    return RV_OK;
}

/* y = v where x is above 0, else a_c v: forward with v = x, backward with v = dy. */
static rv_status map(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *v,
                     int32_t accumulate)
{
    const plan *p = n->priv;
    const rv_tensor *x = n->in[0];
    const int32_t pixels = rv_lanes_pixels(x), run = rv_lanes_run(e->device);
    const size_t planes = rv_lanes_planes(x);
    return rv_launch(
        e->device, p->map, rv_grid_items(e->device, rv_lanes_items(e->device, planes, pixels)),
        RV_ARGS(RV_ARG(y->buffer), RV_ARG(v->buffer), RV_ARG(x->buffer),
                RV_ARG(n->param[0]->buffer), RV_ARG(x->shape.dim[0]), RV_ARG(x->shape.dim[1]),
                RV_ARG(pixels), RV_ARG(run), RV_ARG(accumulate)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    return map(n, e, n->out[0], n->in[0], 0);
}

static rv_status slope_gradient(const rv_node *n, const rv_exec *e)
{
    const plan *p = n->priv;
    const rv_tensor *x = n->in[0];
    const int32_t pixels = rv_lanes_pixels(x), pictures = x->shape.dim[0];
    const int32_t channels = x->shape.dim[1];
    const int32_t accumulate = (e->accumulate & RV_WANT_PARAM(0)) != 0;
    const size_t planes = rv_lanes_planes(x);
    RV_TRY(
        rv_launch(e->device, p->products, rv_grid_items(e->device, planes * (size_t)p->n_parts),
                  RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(x->buffer),
                          RV_ARG(pictures), RV_ARG(channels), RV_ARG(pixels), RV_ARG(p->n_parts))));
    return rv_launch(e->device, p->sums, rv_grid_items(e->device, planes / (size_t)pictures),
                     RV_ARGS(RV_ARG(n->d_param[0]->buffer), RV_ARG(n->workspace), RV_ARG(pictures),
                             RV_ARG(channels), RV_ARG(p->n_parts), RV_ARG(accumulate)));
}

/* The input's gradient comes last: it may lie over the output's. */
static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    if ((wanted & RV_WANT_PARAM(0)) != 0) {
        RV_TRY(slope_gradient(n, e));
    }
    return (wanted & RV_WANT_INPUT(0)) == 0
               ? RV_OK
               : map(n, e, n->d_in[0], n->d_out[0], (e->accumulate & RV_WANT_INPUT(0)) != 0);
}

const rv_op rv_op_prelu = {
    .name = "prelu",
    .summary = "x above 0, below it times a slope that each channel learns",
    .traits = RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_BWD_READS_INPUT | RV_OP_BWD_INPLACE |
              RV_OP_HALVES,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_params = 1,
    .param_init = {RV_INIT_QUARTER},
    .param_names = {"weight"},
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
