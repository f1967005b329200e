/* Mean and standard deviation of channels against a target (Li et al. 2017, of batch normalisation's statistics):
 *
 *   s = sqrt(max(q - m^2, 0) + ridge)
 *   y = weight * mean((m - t)^2 + (s - d)^2)
 *
 * with means m and mean squares q of channels, and the target's means t and deviations d. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/loss.h"

typedef struct fields {
    float weight, ridge;
} fields;

static const rv_attr attrs[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(fields, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {"ridge", RV_ATTR_FLOAT, offsetof(fields, ridge), 1, 1e-4, 1e-30, 1e12, NULL,
     "added to the variances"},
    {.name = NULL},
};

enum { SQUARE, MEAN, TARGET_DEVIATION, TARGET_MEAN };

static rv_status infer(rv_node *n)
{
    for (int i = 1; i < n->n_in; i++) {
        if (!rv_shape_equal(&n->in[0]->shape, &n->in[i]->shape)) {
            char a[64], b[64];
            return rv_fail(RV_ERR_SHAPE, "'%s': deviation_loss compares %s with %s", n->name,
                           rv_shape_text(a, &n->in[0]->shape), rv_shape_text(b, &n->in[i]->shape));
        }
    }
    n->out[0]->shape = rv_shape_1(1);
    return RV_OK;
}

/* Pad lanes would count: the root of the ridge is not 0. */
static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    for (int i = 0; i < n->n_in; i++) {
        in[i] = RV_PLAIN;
    }
    out[0] = RV_PLAIN;
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const rv_loss *p = n->priv;
    const fields *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    RV_TRY(rv_launch(e->device, p->forward, rv_reduction_grid(&p->sum, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[SQUARE]->buffer),
                             RV_ARG(n->in[MEAN]->buffer), RV_ARG(n->in[TARGET_DEVIATION]->buffer),
                             RV_ARG(n->in[TARGET_MEAN]->buffer), RV_ARG(f.n), RV_ARG(f.vectors),
                             RV_ARG(p->sum.share), RV_ARG(a->ridge))));
    return rv_loss_finish(n, e, a->weight);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const rv_loss *p = n->priv;
    const fields *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    const float factor = (float)rv_mean_factor(n, a->weight);
    for (int32_t i = SQUARE; i <= MEAN; i++) {
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(i)) != 0;
        if ((wanted & RV_WANT_INPUT(i)) != 0) {
            RV_TRY(rv_launch(e->device, p->backward, rv_grid_items(e->device, (size_t)f.vectors),
                             RV_ARGS(RV_ARG(n->d_in[i]->buffer), RV_ARG(n->in[SQUARE]->buffer),
                                     RV_ARG(n->in[MEAN]->buffer),
                                     RV_ARG(n->in[TARGET_DEVIATION]->buffer),
                                     RV_ARG(n->in[TARGET_MEAN]->buffer),
                                     RV_ARG(n->d_out[0]->buffer), RV_ARG(f.n), RV_ARG(i),
                                     RV_ARG(a->ridge), RV_ARG(factor), RV_ARG(accumulate))));
        }
    }
    return RV_OK;
}

const rv_op rv_op_deviation_loss = {
    .name = "deviation_loss",
    .summary = "distance of means and deviations of channels to those of a target",
    .attrs = attrs,
    .attr_size = sizeof(fields),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .no_gradient = RV_WANT_INPUT(TARGET_DEVIATION) | RV_WANT_INPUT(TARGET_MEAN),
    .min_in = 4,
    .max_in = 4,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = rv_loss_prepare,
    .forward = forward,
    .backward = backward,
};
