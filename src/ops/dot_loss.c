/* Product with a target: y = weight * sum(x t), dx = weight * t * dy, dt = weight * x * dy. A sum, not a mean: the
 * target says which values count and how much, and no number of others changes that. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/loss.h"

typedef struct dot_attrs {
    float weight;
} dot_attrs;

static const rv_attr attributes[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(dot_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the sum"},
    {.name = NULL},
};

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const dot_attrs *a = n->attrs;
    return rv_loss_sum_pair(n, e, a->weight);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const rv_loss *p = n->priv;
    const dot_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    for (int i = 0; i < 2; i++) {
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(i)) != 0;
        if ((wanted & RV_WANT_INPUT(i)) != 0) {
            RV_TRY(rv_launch(e->device, p->backward, rv_grid_items(e->device, (size_t)f.vectors),
                             RV_ARGS(RV_ARG(n->d_in[i]->buffer), RV_ARG(n->in[1 - i]->buffer),
                                     RV_ARG(n->d_out[0]->buffer), RV_ARG(f.n), RV_ARG(a->weight),
                                     RV_ARG(accumulate))));
        }
    }
    return RV_OK;
}

const rv_op rv_op_dot_loss = {
    .name = "dot_loss",
    .summary = "weighted sum of products with a target",
    .attrs = attributes,
    .attr_size = sizeof(dot_attrs),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = rv_loss_infer_pair,
    .layouts = rv_loss_layouts,
    .prepare = rv_loss_prepare,
    .forward = forward,
    .backward = backward,
};
