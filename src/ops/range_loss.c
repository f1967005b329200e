/* Keeps values in a range: y = weight * mean((x - clamp(x, low, high))^2), and
 * dx = 2 weight / count * (x - clamp(x, low, high)) * dy. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/loss.h"

typedef struct range_attrs {
    float low, high, weight;
} range_attrs;

static const rv_attr attributes[] = {
    {"low", RV_ATTR_FLOAT, offsetof(range_attrs, low), 1, 0, -1e12, 1e12, NULL,
     "lower end of the range"},
    {"high", RV_ATTR_FLOAT, offsetof(range_attrs, high), 1, 1, -1e12, 1e12, NULL,
     "upper end of the range"},
    {"weight", RV_ATTR_FLOAT, offsetof(range_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {.name = NULL},
};

static rv_status infer(rv_node *n)
{
    const range_attrs *a = n->attrs;
    if (a->low > a->high) {
        return rv_fail(RV_ERR_USAGE, "'%s': the range from %g to %g is empty", n->name,
                       (double)a->low, (double)a->high);
    }
    n->out[0]->shape = rv_shape_1(1);
    return RV_OK;
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const rv_loss *p = n->priv;
    const range_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    RV_TRY(rv_launch(e->device, p->forward, rv_reduction_grid(&p->sum, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(f.n),
                             RV_ARG(f.pixels), RV_ARG(f.c), RV_ARG(f.vectors), RV_ARG(p->sum.share),
                             RV_ARG(a->low), RV_ARG(a->high))));
    return rv_loss_finish(n, e, a->weight);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const rv_loss *p = n->priv;
    const range_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    const float factor = (float)(2.0 * rv_mean_factor(n, a->weight));
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, (size_t)f.vectors),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->d_out[0]->buffer), RV_ARG(f.n), RV_ARG(f.pixels),
                             RV_ARG(f.c), RV_ARG(a->low), RV_ARG(a->high), RV_ARG(factor),
                             RV_ARG(accumulate)));
}

const rv_op rv_op_range_loss = {
    .name = "range_loss",
    .summary = "weighted mean of squared distances from a range",
    .attrs = attributes,
    .attr_size = sizeof(range_attrs),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = rv_loss_layouts,
    .prepare = rv_loss_prepare,
    .forward = forward,
    .backward = backward,
};
