/* Affine maps per channel: batch_norm and scale. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

enum { WEIGHT, BIAS };
enum { MEAN, VARIANCE };

/* --- what both share ------------------------------------------------------------------------- */

typedef struct plan {
    rv_kernel *map, *back, *products, *sums, *fold;
    rv_kernel *moments, *statistics; /* of batch_norm */
    int32_t n_parts;                 /* of the sum over one plane */
} plan;

/* Mean and variance [C] that are in force: each in a buffer from a place on, in floats; NULL for 0 and 1. */
typedef struct statistics {
    rv_buffer *mean, *variance;
    int32_t mean_at, variance_at;
    float epsilon;
    bool own; /* of this very batch: they have gradients */
} statistics;

/* Sizes of input 0 as launches take them; planes: N times blocks of channels. */
typedef struct sizes {
    int32_t n, c, pixels;
    size_t planes;
} sizes;

static sizes sizes_of(const rv_node *n)
{
    const rv_tensor *x = n->in[0];
    return (sizes){x->shape.dim[0], x->shape.dim[1], rv_lanes_pixels(x), rv_lanes_planes(x)};
}

static rv_buffer *param_of(const rv_node *n, int i)
{
    return rv_node_has_param(n, i) ? n->param[i]->buffer : NULL;
}

/* Floats of two sums for each part of each plane. */
static size_t part_floats(const rv_node *n, const plan *p)
{
    return rv_lanes_planes(n->in[0]) * (size_t)p->n_parts * 2 * (size_t)n->in[0]->block;
}

static rv_status get_kernels(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(plan)));
    plan *p = n->priv;
    p->n_parts = rv_lanes_parts(rv_lanes_pixels(n->in[0]));
    const struct {
        rv_kernel **kernel;
        const char *name;
    } table[] = {
        {&p->map, "affine_map"},           {&p->back, "affine_back"},
        {&p->products, "affine_products"}, {&p->sums, "affine_sums"},
        {&p->moments, "affine_moments"},   {&p->statistics, "affine_statistics"},
        {&p->fold, "affine_fold"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        RV_TRY(rv_kernel_get(table[i].kernel, device, "affine", table[i].name,
                             rv_lanes_defines(n->in[0])));
    }
    return RV_OK;
}

static rv_status map(const rv_node *n, const rv_exec *e, statistics s)
{
    const plan *p = n->priv;
    const sizes z = sizes_of(n);
    const int32_t run = rv_lanes_run(e->device);
    return rv_launch(
        e->device, p->map, rv_grid_items(e->device, rv_lanes_items(e->device, z.planes, z.pixels)),
        RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(s.mean),
                RV_ARG(s.variance), RV_ARG(param_of(n, WEIGHT)), RV_ARG(param_of(n, BIAS)),
                RV_ARG(z.n), RV_ARG(z.c), RV_ARG(z.pixels), RV_ARG(run), RV_ARG(s.mean_at),
                RV_ARG(s.variance_at), RV_ARG(s.epsilon), RV_ARG(n->slope)));
}

/* What backward rectifies with: only where it reads the input anyway, as the sign of the output follows from that. */
static float slope_of(const rv_node *n)
{
    return (n->op->traits & RV_OP_BWD_RECTIFIES) != 0 ? n->slope : 1.0f;
}

/* Gradients of the parameters that are wanted, and where the statistics are the batch's own, the two sums that the
 * gradient of the input needs, behind the parts in the workspace. */
static rv_status reduce(const rv_node *n, const rv_exec *e, uint32_t wanted, statistics s)
{
    const plan *p = n->priv;
    const sizes z = sizes_of(n);
    const bool weight = (wanted & RV_WANT_PARAM(WEIGHT)) != 0;
    const bool bias = (wanted & RV_WANT_PARAM(BIAS)) != 0;
    rv_buffer *d_weight = weight ? n->d_param[WEIGHT]->buffer : NULL;
    rv_buffer *d_bias = bias ? n->d_param[BIAS]->buffer : NULL;
    rv_buffer *sums = s.own ? n->workspace : NULL;
    const int32_t sums_at = (int32_t)part_floats(n, p);
    const int32_t add_weight = (e->accumulate & RV_WANT_PARAM(WEIGHT)) != 0;
    const int32_t add_bias = (e->accumulate & RV_WANT_PARAM(BIAS)) != 0;
    RV_TRY(rv_launch(e->device, p->products,
                     rv_grid_items(e->device, z.planes * (size_t)p->n_parts),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer),
                             RV_ARG(n->in[0]->buffer), RV_ARG(s.mean), RV_ARG(s.variance),
                             RV_ARG(param_of(n, WEIGHT)), RV_ARG(param_of(n, BIAS)), RV_ARG(z.n),
                             RV_ARG(z.c), RV_ARG(z.pixels), RV_ARG(p->n_parts), RV_ARG(s.mean_at),
                             RV_ARG(s.variance_at), RV_ARG(s.epsilon), RV_ARG(slope_of(n)))));
    return rv_launch(e->device, p->sums, rv_grid_items(e->device, z.planes / (size_t)z.n),
                     RV_ARGS(RV_ARG(d_weight), RV_ARG(d_bias), RV_ARG(sums), RV_ARG(n->workspace),
                             RV_ARG(s.variance), RV_ARG(z.n), RV_ARG(z.c), RV_ARG(p->n_parts),
                             RV_ARG(s.variance_at), RV_ARG(sums_at), RV_ARG(s.epsilon),
                             RV_ARG(add_weight), RV_ARG(add_bias)));
}

/* The input's gradient comes last: it may lie over the output's. */
static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted, statistics s)
{
    const plan *p = n->priv;
    const sizes z = sizes_of(n);
    const int32_t run = rv_lanes_run(e->device), sums_at = (int32_t)part_floats(n, p);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    rv_buffer *sums = s.own ? n->workspace : NULL;
    if (s.own || wanted != RV_WANT_INPUT(0)) {
        RV_TRY(reduce(n, e, wanted, s));
    }
    if ((wanted & RV_WANT_INPUT(0)) == 0) {
        return RV_OK;
    }
    return rv_launch(
        e->device, p->back, rv_grid_items(e->device, rv_lanes_items(e->device, z.planes, z.pixels)),
        RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer), RV_ARG(n->in[0]->buffer),
                RV_ARG(s.mean), RV_ARG(s.variance), RV_ARG(param_of(n, WEIGHT)),
                RV_ARG(param_of(n, BIAS)), RV_ARG(sums), RV_ARG(z.n), RV_ARG(z.c), RV_ARG(z.pixels),
                RV_ARG(run), RV_ARG(s.mean_at), RV_ARG(s.variance_at), RV_ARG(sums_at),
                RV_ARG(s.epsilon), RV_ARG(accumulate), RV_ARG(slope_of(n))));
}

static rv_status fold(const rv_node *n, rv_device *device, rv_tensor to[2], rv_tensor *from[2],
                      statistics s)
{
    const plan *p = n->priv;
    rv_buffer *from_bias = from[1] != NULL ? from[1]->buffer : NULL;
    const int32_t rows = to[1].shape.dim[0];
    const int32_t row = (int32_t)(rv_tensor_floats(&to[0]) / (size_t)rows);
    return rv_launch(device, p->fold, rv_grid_items(device, (size_t)rows),
                     RV_ARGS(RV_ARG(to[0].buffer), RV_ARG(to[1].buffer), RV_ARG(from[0]->buffer),
                             RV_ARG(from_bias), RV_ARG(s.mean), RV_ARG(s.variance),
                             RV_ARG(param_of(n, WEIGHT)), RV_ARG(param_of(n, BIAS)), RV_ARG(rows),
                             RV_ARG(row), RV_ARG(s.epsilon)));
}

/* --- scale: y = weight x + bias -------------------------------------------------------------- */

typedef struct scale_attrs {
    int32_t bias;
} scale_attrs;

static const rv_attr scale_attributes[] = {
    {"bias", RV_ATTR_INT, offsetof(scale_attrs, bias), 1, 0, 0, 1, NULL,
     "1: a number is added to each channel"},
    {.name = NULL},
};

static rv_status scale_infer(rv_node *n)
{
    const scale_attrs *a = n->attrs;
    RV_TRY(rv_node_takes_maps_or_vectors(n));
    n->out[0]->shape = n->in[0]->shape;
    n->param[WEIGHT]->shape = rv_shape_1(n->in[0]->shape.dim[1]);
    n->param[BIAS]->shape = a->bias ? n->param[WEIGHT]->shape : (rv_shape){0};
    return RV_OK;
}

static rv_status scale_prepare(rv_node *n, rv_device *device)
{
    RV_TRY(get_kernels(n, device));
    if ((n->wanted & ~RV_WANT_INPUT(0)) != 0) {
        n->backward_workspace = part_floats(n, n->priv) * sizeof(float);
    }
    return RV_OK;
}

static rv_status scale_forward(const rv_node *n, const rv_exec *e)
{
    return map(n, e, (statistics){0});
}

static rv_status scale_backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    return backward(n, e, wanted, (statistics){0});
}

static rv_status scale_fold(const rv_node *n, rv_device *device, rv_tensor to[2],
                            rv_tensor *from[2])
{
    return fold(n, device, to, from, (statistics){0});
}

const rv_op rv_op_scale = {
    .name = "scale",
    .summary = "multiply each channel by a number, and add one",
    .attrs = scale_attributes,
    .attr_size = sizeof(scale_attrs),
    .traits = RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_PARAMS_READ_INPUT | RV_OP_BWD_INPLACE |
              RV_OP_AFFINE_PER_CHANNEL | RV_OP_RECTIFIES,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_params = 2,
    .param_init = {RV_INIT_ONE, RV_INIT_ZERO},
    .param_names = {"weight", "bias"},
    .infer = scale_infer,
    .prepare = scale_prepare,
    .forward = scale_forward,
    .backward = scale_backward,
    .fold = scale_fold,
};

/* --- batch_norm ------------------------------------------------------------------------------ */

typedef struct batch_norm_attrs {
    float epsilon, momentum;
    int32_t affine;
} batch_norm_attrs;

static const rv_attr batch_norm_attributes[] = {
    {"epsilon", RV_ATTR_FLOAT, offsetof(batch_norm_attrs, epsilon), 1, 1e-5, 1e-12, 1, NULL,
     "added to the variance"},
    {"momentum", RV_ATTR_FLOAT, offsetof(batch_norm_attrs, momentum), 1, 0.9, 0, 1, NULL,
     "what is kept of the running mean and variance at each step of training"},
    {"affine", RV_ATTR_INT, offsetof(batch_norm_attrs, affine), 1, 0, 0, 1, NULL,
     "1: with weight and bias per channel; Caffe keeps them in a layer of their own"},
    {.name = NULL},
};

static rv_status batch_norm_infer(rv_node *n)
{
    const batch_norm_attrs *a = n->attrs;
    RV_TRY(rv_node_takes_maps_or_vectors(n));
    n->out[0]->shape = n->in[0]->shape;
    const rv_shape channels = rv_shape_1(n->in[0]->shape.dim[1]);
    n->param[WEIGHT]->shape = n->param[BIAS]->shape = a->affine ? channels : (rv_shape){0};
    n->state[MEAN]->shape = n->state[VARIANCE]->shape = channels;
    n->saved[0]->shape = rv_shape_2(2, channels.dim[0]);
    return RV_OK;
}

/* The saved statistics are rows of numbers, whatever the layout of the rest. */
static void batch_norm_layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    out[0] = in[0];
    n->saved[0]->layout = RV_PLAIN;
}

static rv_status batch_norm_prepare(rv_node *n, rv_device *device)
{
    RV_TRY(get_kernels(n, device));
    const plan *p = n->priv;
    const bool train = n->mode == RV_TRAIN;
    const size_t rows = rv_shape_count(&n->saved[0]->shape);
    if (train) {
        /* Without backward the statistics have no other place. */
        n->forward_workspace = (part_floats(n, p) + (n->wanted == 0 ? rows : 0)) * sizeof(float);
    }
    if (n->wanted != 0 && (train || n->wanted != RV_WANT_INPUT(0))) {
        n->backward_workspace = (part_floats(n, p) + (train ? rows : 0)) * sizeof(float);
    }
    return RV_OK;
}

/* Where mean and variance are, in forward (workspace where nothing is saved) and in backward. */
static statistics statistics_of(const rv_node *n)
{
    const batch_norm_attrs *a = n->attrs;
    const int32_t c = n->in[0]->shape.dim[1];
    if (n->mode == RV_INFER) {
        return (statistics){
            n->state[MEAN]->buffer, n->state[VARIANCE]->buffer, 0, 0, a->epsilon, false};
    }
    const bool saved = n->saved[0]->buffer != NULL;
    rv_buffer *buffer = saved ? n->saved[0]->buffer : n->workspace;
    const int32_t at = saved ? 0 : (int32_t)part_floats(n, n->priv);
    return (statistics){buffer, buffer, at, at + c, a->epsilon, true};
}

static rv_status take_statistics(const rv_node *n, const rv_exec *e, statistics s)
{
    const plan *p = n->priv;
    const batch_norm_attrs *a = n->attrs;
    const sizes z = sizes_of(n);
    RV_TRY(rv_launch(e->device, p->moments, rv_grid_items(e->device, z.planes * (size_t)p->n_parts),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(z.n),
                             RV_ARG(z.c), RV_ARG(z.pixels), RV_ARG(p->n_parts))));
    return rv_launch(e->device, p->statistics, rv_grid_items(e->device, z.planes / (size_t)z.n),
                     RV_ARGS(RV_ARG(s.mean), RV_ARG(n->state[MEAN]->buffer),
                             RV_ARG(n->state[VARIANCE]->buffer), RV_ARG(n->workspace), RV_ARG(z.n),
                             RV_ARG(z.c), RV_ARG(z.pixels), RV_ARG(p->n_parts), RV_ARG(s.mean_at),
                             RV_ARG(a->momentum)));
}

static rv_status batch_norm_forward(const rv_node *n, const rv_exec *e)
{
    const statistics s = statistics_of(n);
    if (s.own && !e->again) { /* then they were saved the first time */
        RV_TRY(take_statistics(n, e, s));
    }
    return map(n, e, s);
}

static rv_status batch_norm_backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    return backward(n, e, wanted, statistics_of(n));
}

static rv_status batch_norm_fold(const rv_node *n, rv_device *device, rv_tensor to[2],
                                 rv_tensor *from[2])
{
    return fold(n, device, to, from, statistics_of(n));
}

const rv_op rv_op_batch_norm = {
    .name = "batch_norm",
    .summary = "bring each channel to mean 0 and variance 1",
    .attrs = batch_norm_attributes,
    .attr_size = sizeof(batch_norm_attrs),
    .traits = RV_OP_INPLACE | RV_OP_BWD_READS_INPUT | RV_OP_BWD_INPLACE | RV_OP_AFFINE_PER_CHANNEL |
              RV_OP_RECTIFIES | RV_OP_BWD_RECTIFIES,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_params = 2,
    .n_state = 2,
    .n_saved = 1,
    .param_init = {RV_INIT_ONE, RV_INIT_ZERO},
    .state_init = {RV_INIT_ZERO, RV_INIT_ONE},
    .param_names = {"weight", "bias"},
    .state_names = {"mean", "variance"},
    .infer = batch_norm_infer,
    .layouts = batch_norm_layouts,
    .prepare = batch_norm_prepare,
    .forward = batch_norm_forward,
    .backward = batch_norm_backward,
    .fold = batch_norm_fold,
};
