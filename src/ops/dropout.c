/* In training drops values with probability `ratio` and scales the rest by 1 / (1 - ratio); else the identity. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/flat.h"
#include "ops/lanes.h"
#include "ops/op.h"

#include <math.h>

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
    return rv_kernel_get((rv_kernel **)n->priv, device, "dropout",
                         n->in[0]->layout == RV_PLAIN ? "dropout_plain" : "dropout_blocked", NULL);
}

/* What the kernels take of the ratio: the least word, in its upper 24 bits, whose value is kept, and the factor. */
typedef struct keep {
    uint32_t least;
    float factor;
} keep;

static keep keep_of(float ratio)
{
    const double least = ceil((double)ratio * 0x1p24);
    return (keep){(uint32_t)least << 8, (float)(1.0 / (1.0 - (double)ratio))};
}

static rv_status map_plain(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *x,
                           keep kept, int32_t accumulate)
{
    rv_kernel *const *kernel = n->priv;
    const rv_flat f = rv_flat_of(x, e->device);
    const int32_t run = rv_lanes_run(e->device);
    return rv_launch(e->device, *kernel,
                     rv_grid_items(e->device, (size_t)rv_divide_up(f.vectors, 4 * run)),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(x->buffer), RV_ARG(f.n), RV_ARG(run),
                             RV_ARG(e->seed), RV_ARG(e->stream), RV_ARG(e->step),
                             RV_ARG(kept.least), RV_ARG(kept.factor), RV_ARG(accumulate)));
}

static rv_status map_blocked(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *x,
                             keep kept, int32_t accumulate)
{
    rv_kernel *const *kernel = n->priv;
    const int32_t *d = x->shape.dim;
    const int32_t pixels = rv_lanes_pixels(x), run = rv_lanes_run(e->device);
    const size_t items = rv_lanes_items(e->device, rv_lanes_planes(x), pixels);
    return rv_launch(e->device, *kernel, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(x->buffer), RV_ARG(d[0]), RV_ARG(d[1]),
                             RV_ARG(pixels), RV_ARG(run), RV_ARG(e->seed), RV_ARG(e->stream),
                             RV_ARG(e->step), RV_ARG(kept.least), RV_ARG(kept.factor),
                             RV_ARG(accumulate)));
}

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
    const keep kept = keep_of(ratio);
    return x->layout == RV_PLAIN ? map_plain(n, e, y, x, kept, accumulate)
                                 : map_blocked(n, e, y, x, kept, accumulate);
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
    .traits = RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_BWD_INPLACE | RV_OP_DRAWS,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
