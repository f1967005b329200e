/* Mean square error: y = weight * mean((x - t)^2), dx = 2 weight / count * (x - t) * dy = -dt. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/loss.h"

typedef struct mse_attrs {
    float weight;
} mse_attrs;

static const rv_attr attributes[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(mse_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {.name = NULL},
};

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const mse_attrs *a = n->attrs;
    return rv_loss_sum_pair(n, e, (float)rv_mean_factor(n, a->weight));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const rv_loss *p = n->priv;
    const mse_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    for (int i = 0; i < 2; i++) {
        const float factor = (float)((i == 0 ? 2.0 : -2.0) * rv_mean_factor(n, a->weight));
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(i)) != 0;
        if ((wanted & RV_WANT_INPUT(i)) != 0) {
            RV_TRY(rv_launch(e->device, p->backward, rv_grid_items(e->device, (size_t)f.vectors),
                             RV_ARGS(RV_ARG(n->d_in[i]->buffer), RV_ARG(n->in[0]->buffer),
                                     RV_ARG(n->in[1]->buffer), RV_ARG(n->d_out[0]->buffer),
                                     RV_ARG(f.n), RV_ARG(factor), RV_ARG(accumulate))));
        }
    }
    return RV_OK;
}

const rv_op rv_op_mse_loss = {
    .name = "mse_loss",
    .summary = "weighted mean of squared differences to a target",
    .attrs = attributes,
    .attr_size = sizeof(mse_attrs),
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
