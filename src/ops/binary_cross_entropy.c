/* Binary cross-entropy of logits with targets 0 to 1, for several labels per picture: y = weight * mean of -t log p -
 * (1 - t) log(1 - p) with p = sigmoid(x), dx = weight / count * (p - t) * dy. Targets get no gradient. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/loss.h"

typedef struct entropy_attrs {
    float weight;
} entropy_attrs;

static const rv_attr attributes[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(entropy_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {.name = NULL},
};

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const rv_loss *p = n->priv;
    const entropy_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    RV_TRY(rv_launch(e->device, p->forward, rv_reduction_grid(&p->sum, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(f.n), RV_ARG(f.pixels), RV_ARG(f.c),
                             RV_ARG(f.vectors), RV_ARG(p->sum.share))));
    return rv_loss_finish(n, e, a->weight);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const rv_loss *p = n->priv;
    const entropy_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    const float factor = (float)rv_mean_factor(n, a->weight);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, (size_t)f.vectors),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(n->d_out[0]->buffer), RV_ARG(f.n),
                             RV_ARG(f.pixels), RV_ARG(f.c), RV_ARG(factor), RV_ARG(accumulate)));
}

const rv_op rv_op_binary_cross_entropy = {
    .name = "binary_cross_entropy",
    .summary = "weighted mean of cross-entropy for targets 0 to 1 of each logit",
    .attrs = attributes,
    .attr_size = sizeof(entropy_attrs),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .no_gradient = RV_WANT_INPUT(1),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = rv_loss_infer_pair,
    .layouts = rv_loss_layouts,
    .prepare = rv_loss_prepare,
    .forward = forward,
    .backward = backward,
};
