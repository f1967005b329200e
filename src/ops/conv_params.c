/* Gradients of a convolution's weights and bias: partial sums over parts of the output rows, added up. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

enum {
    WEIGHT = 0,
    BIAS = 1,
    MIN_ITEMS = 4096, /* work-items that keep a device busy */
    MIN_PIXELS = 256  /* that a part should sum up */
};

/* Depends on shapes only, so that the order of the sums does. */
static int32_t choose_parts(const rv_conv_geometry *o, size_t sums)
{
    const size_t rows = (size_t)o->target.s[0] * (size_t)o->target.s[2];
    const size_t pixels = rows * (size_t)o->target.s[3];
    const size_t wanted = MIN_ITEMS / sums + 1;
    const size_t most = pixels / MIN_PIXELS + 1 < rows ? pixels / MIN_PIXELS + 1 : rows;
    return (int32_t)(wanted < most ? wanted : most);
}

rv_status rv_conv_params_prepare(rv_conv_params *p, const rv_node *n, rv_device *device)
{
    p->geometry = rv_conv_geometry_of(n, false);
    const size_t weights = rv_shape_count(&n->param[WEIGHT]->shape);
    const size_t channels = (size_t)p->geometry.target.s[1];
    p->weight_parts = choose_parts(&p->geometry, weights);
    p->bias_parts = choose_parts(&p->geometry, channels);
    const size_t floats = weights * (size_t)p->weight_parts;
    const size_t bias_floats = channels * (size_t)p->bias_parts;
    p->workspace_bytes = (floats > bias_floats ? floats : bias_floats) * sizeof(float);
    RV_TRY(rv_kernel_get(&p->weight, device, "conv_params", "conv_params_weight", NULL));
    RV_TRY(rv_kernel_get(&p->bias, device, "conv_params", "conv_params_bias", NULL));
    return rv_kernel_get(&p->sum, device, "conv_params", "conv_params_sum", NULL);
}

static rv_status sum_up(const rv_conv_params *p, const rv_node *n, const rv_exec *e, int param,
                        int32_t parts, bool accumulate)
{
    const rv_tensor *gradient = n->d_param[param];
    const size_t count = rv_shape_count(&gradient->shape);
    return rv_launch(e->device, p->sum, rv_grid_items(e->device, count),
                     RV_ARGS(RV_ARG(gradient->buffer), RV_ARG(n->workspace), RV_ARG((int32_t)count),
                             RV_ARG(parts), RV_ARG((int32_t)accumulate)));
}

rv_status rv_conv_params_weight(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                                bool accumulate)
{
    const rv_conv_geometry *o = &p->geometry;
    const size_t weights = rv_shape_count(&n->param[WEIGHT]->shape);
    RV_TRY(rv_launch(
        e->device, p->weight, rv_grid_items(e->device, weights * (size_t)p->weight_parts),
        RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(n->d_out[0]->buffer),
                RV_ARG(o->source), RV_ARG(o->target), RV_ARG(o->window), RV_ARG(o->step),
                RV_ARG(o->place), RV_ARG(o->source_lanes), RV_ARG(o->target_lanes),
                RV_ARG(p->weight_parts))));
    return sum_up(p, n, e, WEIGHT, p->weight_parts, accumulate);
}

rv_status rv_conv_params_bias(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                              bool accumulate)
{
    const rv_conv_geometry *o = &p->geometry;
    const size_t items = (size_t)o->target.s[1] * (size_t)p->bias_parts;
    RV_TRY(rv_launch(e->device, p->bias, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(o->target),
                             RV_ARG(o->target_lanes), RV_ARG(p->bias_parts))));
    return sum_up(p, n, e, BIAS, p->bias_parts, accumulate);
}
