/* Gradients of a convolution's weights and bias: partial sums over parts of the output rows, added up. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    WEIGHT = 0,
    BIAS = 1,
    MIN_ITEMS = 4096,        /* work-items that keep a device busy */
    MIN_PIXELS = 256,        /* that a part should sum up */
    MIN_GROUPS = 32,         /* work-groups that several cores can share evenly */
    MAX_PARTS = 64,          /* for the cache's sake: each takes workspace */
    CACHE_BYTES = 512 * 1024 /* of input and gradient in use at a time: half a second-level cache */
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

/* CPU form, blocked output: a part of the rows stays in the cache while all taps read it. */
static rv_status prepare_blocked(rv_conv_params *p, rv_device *device)
{
    const rv_conv_geometry *o = &p->geometry;
    const int32_t units = rv_divide_up(o->source.s[1], o->source_lanes);
    const int32_t blocks = rv_divide_up(o->target.s[1], o->target_lanes);
    const int32_t rows = o->target.s[0] * o->target.s[2];
    const double row_bytes = ((double)o->target.s[3] * o->target_lanes +
                              (double)o->source.s[3] * o->step.s[0] * o->source_lanes) *
                             (double)sizeof(float);
    const double fitting = rows * row_bytes / CACHE_BYTES + 1;
    const double by_cache = fitting < MAX_PARTS ? fitting : MAX_PARTS;
    const double by_groups = (double)MIN_GROUPS / ((double)units * blocks) + 1;
    const double wanted = by_cache > by_groups ? by_cache : by_groups;
    p->weight_parts = wanted < rows ? (int32_t)wanted : rows;
    p->weight_grid =
        rv_grid_groups((size_t)units, (size_t)blocks, (size_t)p->weight_parts, 1, 1, 1);
    char defines[32];
    snprintf(defines, sizeof defines, "-DLANES=%d", (int)o->source_lanes);
    return rv_kernel_get(&p->weight_blocked, device, "conv_cpu_params", "conv_cpu_params_weight",
                         defines);
}

rv_status rv_conv_params_prepare(rv_conv_params *p, const rv_node *n, rv_device *device)
{
    p->geometry = rv_conv_geometry_of(n, false);
    const size_t weights = rv_shape_count(&n->param[WEIGHT]->shape);
    const size_t channels = (size_t)p->geometry.target.s[1];
    if (!rv_device_gpu_form(device) && p->geometry.target_lanes > 1) {
        RV_TRY(prepare_blocked(p, device));
    } else {
        p->weight_parts = choose_parts(&p->geometry, weights);
        p->weight_grid = rv_grid_items(device, weights * (size_t)p->weight_parts);
        RV_TRY(rv_kernel_get(&p->weight, device, "conv_params", "conv_params_weight", NULL));
    }
    p->bias_parts = choose_parts(&p->geometry, channels);
    const bool wants_weight = (n->wanted & RV_WANT_PARAM(WEIGHT)) != 0;
    const bool wants_bias = (n->wanted & RV_WANT_PARAM(BIAS)) != 0;
    const size_t floats = wants_weight ? weights * (size_t)p->weight_parts : 0;
    const size_t bias_floats = wants_bias ? channels * (size_t)p->bias_parts : 0;
    p->workspace_bytes = (floats > bias_floats ? floats : bias_floats) * sizeof(float);
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
    if (p->weight_blocked != NULL) {
        RV_TRY(rv_launch(e->device, p->weight_blocked, p->weight_grid,
                         RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                                 RV_ARG(n->d_out[0]->buffer), RV_ARG(o->source), RV_ARG(o->target),
                                 RV_ARG(o->window), RV_ARG(o->step), RV_ARG(o->place),
                                 RV_ARG(p->weight_parts))));
    } else {
        RV_TRY(rv_launch(e->device, p->weight, p->weight_grid,
                         RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                                 RV_ARG(n->d_out[0]->buffer), RV_ARG(o->source), RV_ARG(o->target),
                                 RV_ARG(o->window), RV_ARG(o->step), RV_ARG(o->place),
                                 RV_ARG(o->source_lanes), RV_ARG(o->target_lanes),
                                 RV_ARG(p->weight_parts))));
    }
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
