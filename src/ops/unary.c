/* Functions of one value, y = f(x), each a row at the bottom.
 * A new one takes a row here, two formulas in cl/unary.cl, a line in registry.h, a table and a twin
 * in the tests. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/flat.h"
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

/* --- attributes ------------------------------------------------------------------------------ */

/* What a user can set. A function's struct holds at most four floats: the kernel gets them as one
 * float4. The table gives each a name, range, default and help; whoever builds a node (a loader of
 * model files, a test) goes through it, so values are in range from here on. */
typedef struct leaky_relu_attrs {
    float slope;
} leaky_relu_attrs;

static const rv_attr leaky_relu_table[] = {
    {"slope", RV_ATTR_FLOAT, offsetof(leaky_relu_attrs, slope), 1, 0.01, 0, 1e6, NULL,
     "factor of values below 0"},
    {.name = NULL},
};

typedef struct elu_attrs {
    float alpha;
} elu_attrs;

static const rv_attr elu_table[] = {
    {"alpha", RV_ATTR_FLOAT, offsetof(elu_attrs, alpha), 1, 1, 0, 1e6, NULL,
     "minus what values far below 0 go towards"},
    {.name = NULL},
};

typedef struct clip_attrs {
    float low, high;
} clip_attrs;

static const rv_attr clip_table[] = {
    {"low", RV_ATTR_FLOAT, offsetof(clip_attrs, low), 1, 0, -1e30, 1e30, NULL,
     "what values below become"},
    {"high", RV_ATTR_FLOAT, offsetof(clip_attrs, high), 1, 6, -1e30, 1e30, NULL,
     "what values above become; at least low"},
    {.name = NULL},
};

typedef struct selu_attrs {
    float alpha, scale;
} selu_attrs;

/* Klambauer et al. 2017: the fixed point of mean 0 and variance 1. */
static const rv_attr selu_table[] = {
    {"alpha", RV_ATTR_FLOAT, offsetof(selu_attrs, alpha), 1, 1.6732632423543772, 0, 1e6, NULL,
     "minus what values far below 0 go towards, before they are scaled"},
    {"scale", RV_ATTR_FLOAT, offsetof(selu_attrs, scale), 1, 1.0507009873554805, 1e-6, 1e6, NULL,
     "factor of all values"},
    {.name = NULL},
};

/* --- shapes ---------------------------------------------------------------------------------- */

/* Sizes of the output from those of the input; runs while a graph is built, without a device. */
static rv_status infer(rv_node *n)
{
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

/* --- kernels --------------------------------------------------------------------------------- */

typedef struct kernels {
    rv_kernel *forward, *backward;
} kernels;

/* Runs once per plan. cl/unary.cl is built with the two formulas that begin with the operation's
 * name; the kernels are kept in n->priv, freed by the planner. */
static rv_status prepare(rv_node *n, rv_device *device)
{
    char defines[96];
    snprintf(defines, sizeof defines, "-DVALUE=%s_value -DSLOPE=%s_slope%s", n->op->name,
             n->op->name, n->guided ? " -DGUIDED=1" : "");
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    RV_TRY(rv_kernel_get(&k->forward, device, "unary", "unary_forward", defines));
    return rv_kernel_get(&k->backward, device, "unary", "unary_backward", defines);
}

static rv_float4 attributes(const rv_node *n)
{
    rv_float4 a = {{0}};
    memcpy(&a, n->attrs, n->op->attr_size);
    return a;
}

/* One launch, with the arguments in the order of the kernel: outputs, inputs, sizes, scalars. It
 * only enqueues: nothing is allocated and nothing waited for. */
static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_flat f = rv_flat_of(n->out[0], e->device);
    return rv_launch(e->device, k->forward, rv_grid_items(e->device, (size_t)f.vectors),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(f.n),
                             RV_ARG(f.pixels), RV_ARG(f.c), RV_ARG(attributes(n))));
}

/* The gradient of the input from that of the output. The planner says whether it overwrites d_in or
 * adds to it: other nodes may have read the same input. */
static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted; /* there is one gradient to want */
    const kernels *k = n->priv;
    const rv_flat f = rv_flat_of(n->out[0], e->device);
    const bool from_output = (n->op->traits & RV_OP_BWD_READS_OUTPUT) != 0;
    const rv_buffer *kept = from_output ? n->out[0]->buffer : n->in[0]->buffer;
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, k->backward, rv_grid_items(e->device, (size_t)f.vectors),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(kept), RV_ARG(n->d_out[0]->buffer),
                             RV_ARG(f.n), RV_ARG(f.pixels), RV_ARG(f.c), RV_ARG(attributes(n)),
                             RV_ARG(accumulate)));
}

/* --- traits ------------------------------------------------------------------------------------ */

/* That these two are rectifiers lets the planner have them done by whatever makes their input. */
static bool relu_slope(const rv_node *n, float *slope)
{
    (void)n;
    *slope = 0;
    return true;
}

static bool leaky_relu_slope(const rv_node *n, float *slope)
{
    const leaky_relu_attrs *a = n->attrs;
    *slope = a->slope;
    return true;
}

/* --- the functions --------------------------------------------------------------------------- */

/* What all rows share. No `layouts`: everything stays in the layout that the input comes in. The
 * kernels read a value before they write it, so that output and gradient may lie over what they are
 * made from; `kept` says which tensor backward reads, so that the planner keeps it alive. */
#define UNARY(function, formula, kept)                                                     \
    .name = (function), .summary = (formula),                                              \
    .traits = RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_BWD_INPLACE | (kept), .min_in = 1, \
    .max_in = 1, .n_out = 1, .infer = infer, .prepare = prepare, .forward = forward,       \
    .backward = backward

const rv_op rv_op_relu = {
    UNARY("relu", "max(x, 0)", RV_OP_BWD_READS_OUTPUT | RV_OP_HALVES),
    .rectifier = relu_slope,
};

const rv_op rv_op_leaky_relu = {
    UNARY("leaky_relu", "x above 0, slope * x below", RV_OP_BWD_READS_OUTPUT | RV_OP_HALVES),
    .attrs = leaky_relu_table,
    .attr_size = sizeof(leaky_relu_attrs),
    .rectifier = leaky_relu_slope,
};

const rv_op rv_op_clip = {
    UNARY("clip", "x, but no less than low and no more than high", RV_OP_BWD_READS_OUTPUT),
    .attrs = clip_table,
    .attr_size = sizeof(clip_attrs),
};

const rv_op rv_op_square = {
    UNARY("square", "x * x", RV_OP_BWD_READS_INPUT),
};

const rv_op rv_op_sqrt = {
    UNARY("sqrt", "square root of x", RV_OP_BWD_READS_OUTPUT),
};

const rv_op rv_op_elu = {
    UNARY("elu", "x above 0, alpha * (exp(x) - 1) below", RV_OP_BWD_READS_OUTPUT | RV_OP_HALVES),
    .attrs = elu_table,
    .attr_size = sizeof(elu_attrs),
};

const rv_op rv_op_selu = {
    UNARY("selu", "1.0507 * elu(x) with alpha 1.6733: keeps mean 0 and variance 1",
          RV_OP_BWD_READS_OUTPUT),
    .attrs = selu_table,
    .attr_size = sizeof(selu_attrs),
};

const rv_op rv_op_sigmoid = {
    UNARY("sigmoid", "1 / (1 + exp(-x))", RV_OP_BWD_READS_OUTPUT),
};

const rv_op rv_op_tanh = {
    UNARY("tanh", "hyperbolic tangent of x", RV_OP_BWD_READS_OUTPUT),
};
