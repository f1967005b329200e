/* Convolution: y_k = b_k + sum over c, r, s of w_kcrs x_c at (row * stride - pad + r * dilation, ...).
 *
 * Gradients: of the input, the same sum over k with the roles of input and output exchanged, gathered
 * value by value; of a weight, sum over pictures and pixels of dy_k * x_c; of the bias, sum of dy_k. */
/* SPDX-License-Identifier: MIT */
#include "ops/conv.h"
#include "base/error.h"

#include <stddef.h>

enum { WEIGHT, BIAS };

static const char *const pad_modes[] = {"zero", "reflect", "replicate", NULL};

#define FIELD(f) offsetof(rv_conv_attrs, f)
static const rv_attr attrs[] = {
    {"num_output", RV_ATTR_INT, FIELD(num_output), 1, 1, 1, 65536, NULL, "output channels"},
    {"kernel", RV_ATTR_INT, FIELD(kernel), 2, 1, 1, 1024, NULL, "rows and columns of the window"},
    {"stride", RV_ATTR_INT, FIELD(stride), 2, 1, 1, 1024, NULL, "input pixels between outputs"},
    {"dilation", RV_ATTR_INT, FIELD(dilation), 2, 1, 1, 1024, NULL, "input pixels between taps"},
    {"groups", RV_ATTR_INT, FIELD(groups), 1, 1, 1, 65536, NULL,
     "parts of the channels that do not see each other"},
    {"pads", RV_ATTR_INT, FIELD(pads), 4, 0, 0, 4096, NULL, "pixels: top, left, bottom, right"},
    {"pad_mode", RV_ATTR_ENUM, FIELD(pad_mode), 1, 0, 0, 0, pad_modes,
     "what stands there: zero, reflect (without the edge itself) or replicate"},
    {"bias", RV_ATTR_INT, FIELD(bias), 1, 1, 0, 1, NULL, "1: adds a number per output channel"},
    {NULL, RV_ATTR_INT, 0, 0, 0, 0, 0, NULL, NULL},
};

/* Passes and what they need of n->packed. */
typedef struct state {
    rv_conv_gather forward, backward;
    rv_conv_params params;
} state;

/* --- shapes ---------------------------------------------------------------------------------- */

static rv_status infer_size(int32_t *out, const rv_node *n, int axis)
{
    const rv_conv_attrs *a = n->attrs;
    const int32_t size = n->in[0]->shape.dim[2 + axis];
    const int32_t window = (a->kernel[axis] - 1) * a->dilation[axis] + 1;
    const int32_t padded = size + a->pads[axis] + a->pads[axis + 2];
    if (padded < window) {
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': a window of %d %s does not fit into %d padded ones: the picture is "
                       "too small here",
                       n->name, (int)window, axis == 0 ? "rows" : "columns", (int)padded);
    }
    const int32_t pad = a->pads[axis] > a->pads[axis + 2] ? a->pads[axis] : a->pads[axis + 2];
    if (a->pad_mode == RV_CONV_PAD_REFLECT && pad >= size) {
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': cannot reflect %d %s into %d of padding, only into fewer: pad less, "
                       "or replicate",
                       n->name, (int)size, axis == 0 ? "rows" : "columns", (int)pad);
    }
    *out = (padded - window) / a->stride[axis] + 1;
    return RV_OK;
}

static rv_status infer(rv_node *n)
{
    const rv_conv_attrs *a = n->attrs;
    const rv_shape *in = &n->in[0]->shape;
    RV_TRY(rv_node_takes_maps(n));
    const int32_t c = in->dim[1];
    if (c % a->groups != 0 || a->num_output % a->groups != 0) {
        return rv_fail(RV_ERR_SHAPE, "'%s': %d channels to %d do not divide into %d groups",
                       n->name, (int)c, (int)a->num_output, (int)a->groups);
    }
    int32_t rows, columns;
    RV_TRY(infer_size(&rows, n, 0));
    RV_TRY(infer_size(&columns, n, 1));
    n->out[0]->shape = rv_shape_4(in->dim[0], a->num_output, rows, columns);
    n->param[WEIGHT]->shape = rv_shape_4(a->num_output, c / a->groups, a->kernel[0], a->kernel[1]);
    if (a->bias) {
        n->param[BIAS]->shape = rv_shape_1(a->num_output);
    }
    /* Checked first, so that the product below cannot overflow. */
    RV_TRY(rv_shape_check(&n->param[WEIGHT]->shape, n->name));
    n->fan_in = c / a->groups * a->kernel[0] * a->kernel[1];
    n->fan_out = a->num_output / a->groups * a->kernel[0] * a->kernel[1];
    return rv_shape_check(&n->out[0]->shape, n->name);
}

/* Up to four channels are pictures, and stay plain. */
static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    in[0] = n->in[0]->shape.dim[1] <= 4 ? RV_PLAIN : RV_BLOCKED;
    out[0] = n->out[0]->shape.dim[1] <= 4 ? RV_PLAIN : RV_BLOCKED;
}

static rv_int4 shape_int4(const rv_shape *s)
{
    return (rv_int4){{s->dim[0], s->dim[1], s->dim[2], s->dim[3]}};
}

rv_conv_geometry rv_conv_geometry_of(const rv_node *n, bool gradient)
{
    const rv_conv_attrs *a = n->attrs;
    const rv_tensor *from = gradient ? n->out[0] : n->in[0], *to = gradient ? n->in[0] : n->out[0];
    return (rv_conv_geometry){
        .source = shape_int4(&from->shape),
        .target = shape_int4(&to->shape),
        .window = {{a->kernel[0], a->kernel[1], a->groups, a->pad_mode}},
        .step = {{a->stride[0], a->stride[1], a->dilation[0], a->dilation[1]}},
        .place = {{a->pads[0], a->pads[1], gradient, 0}},
        .source_lanes = from->block,
        .target_lanes = to->block,
    };
}

/* --- run ------------------------------------------------------------------------------------- */

static size_t algorithms(const rv_node *n, const rv_device *device, rv_pass pass,
                         const char *names[RV_MAX_ALGORITHMS])
{
    return pass == RV_PASS_BACKWARD_PARAMS
               ? 0
               : rv_conv_gather_algorithms(n, device, pass == RV_PASS_BACKWARD_DATA, names);
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(state)));
    state *s = n->priv;
    size_t packed = 0, packed_back = 0;
    RV_TRY(rv_conv_gather_prepare(&s->forward, n, device, false, &packed));
    n->forward_workspace = s->forward.workspace_bytes;
    if ((n->wanted & RV_WANT_INPUT(0)) != 0) {
        RV_TRY(rv_conv_gather_prepare(&s->backward, n, device, true, &packed_back));
        n->backward_workspace = s->backward.workspace_bytes;
    }
    if ((n->wanted & (RV_WANT_PARAM(WEIGHT) | RV_WANT_PARAM(BIAS))) != 0) {
        RV_TRY(rv_conv_params_prepare(&s->params, n, device));
        if (n->backward_workspace < s->params.workspace_bytes) {
            n->backward_workspace = s->params.workspace_bytes;
        }
    }
    n->packed_bytes = packed * sizeof(float);
    n->packed_back_bytes = packed_back * sizeof(float);
    return RV_OK;
}

static rv_status pack(const rv_node *n, const rv_exec *e, bool backward)
{
    const state *s = n->priv;
    return rv_conv_gather_pack(backward ? &s->backward : &s->forward, n, e);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const state *s = n->priv;
    return rv_conv_gather_run(&s->forward, n, e, n->out[0], n->in[0],
                              rv_node_has_param(n, BIAS) ? n->param[BIAS] : NULL, false);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const state *s = n->priv;
    if ((wanted & RV_WANT_INPUT(0)) != 0) {
        RV_TRY(rv_conv_gather_run(&s->backward, n, e, n->d_in[0], n->d_out[0], NULL,
                                  (e->accumulate & RV_WANT_INPUT(0)) != 0));
    }
    return rv_conv_params_run(&s->params, n, e, wanted);
}

/* Gradients of weights read the output's gradient as a tensor of its own. */
static bool places(const rv_node *n, const rv_device *device)
{
    return (n->wanted & (RV_WANT_PARAM(WEIGHT) | RV_WANT_PARAM(BIAS))) == 0 &&
           rv_conv_gather_gates(n, device);
}

/* The same for each pass. */
static double flops(const rv_node *n, rv_pass pass)
{
    (void)pass;
    return 2.0 * (double)rv_shape_count(&n->out[0]->shape) * (double)n->fan_in;
}

const rv_op rv_op_conv = {
    .name = "conv",
    .summary = "convolution with stride, dilation, groups and three kinds of padding",
    .attrs = attrs,
    .attr_size = sizeof(rv_conv_attrs),
    .traits = RV_OP_PARAMS_READ_INPUT | RV_OP_RECTIFIES | RV_OP_FOLDS,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_params = 2,
    .param_init = {RV_INIT_HE, RV_INIT_ZERO},
    .param_names = {"weight", "bias"},
    .infer = infer,
    .layouts = layouts,
    .algorithms = algorithms,
    .prepare = prepare,
    .pack = pack,
    .forward = forward,
    .backward = backward,
    .gates = rv_conv_gather_gates,
    .places = places,
    .flops = flops,
};
