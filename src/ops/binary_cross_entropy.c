/* Binary cross-entropy of logits with targets 0 to 1, for several labels per picture: y = weight * mean of -t log p -
 * (1 - t) log(1 - p) with p = sigmoid(x), dx = weight / count * (p - t) * dy. Targets get no gradient. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/flat.h"
#include "ops/op.h"
#include "ops/reduce.h"

typedef struct entropy_attrs {
    float weight;
} entropy_attrs;

static const rv_attr attributes[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(entropy_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {.name = NULL},
};

typedef struct private
{
    rv_kernel *forward, *backward;
    rv_reduction sum;
}
private;

static rv_status infer(rv_node *n)
{
    if (!rv_shape_equal(&n->in[0]->shape, &n->in[1]->shape)) {
        char a[64], b[64];
        return rv_fail(RV_ERR_SHAPE, "'%s': binary_cross_entropy compares %s with a target of %s",
                       n->name, rv_shape_text(a, &n->in[0]->shape),
                       rv_shape_text(b, &n->in[1]->shape));
    }
    n->out[0]->shape = rv_shape_1(1);
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[1] = in[0];
    out[0] = RV_PLAIN;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(private)));
    private *p = n->priv;
    RV_TRY(rv_kernel_get(&p->forward, device, "binary_cross_entropy",
                         "binary_cross_entropy_forward", NULL));
    RV_TRY(rv_kernel_get(&p->backward, device, "binary_cross_entropy",
                         "binary_cross_entropy_backward", NULL));
    RV_TRY(rv_reduction_prepare(&p->sum, device, rv_flat_of(n->in[0], device).vectors));
    n->forward_workspace = rv_reduction_bytes(&p->sum);
    return RV_OK;
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const private *p = n->priv;
    const entropy_attrs *a = n->attrs;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    RV_TRY(rv_launch(e->device, p->forward, rv_reduction_grid(&p->sum, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(f.n), RV_ARG(f.pixels), RV_ARG(f.c),
                             RV_ARG(f.vectors), RV_ARG(p->sum.share))));
    return rv_reduction_finish(&p->sum, e->device, n->out[0], n->workspace,
                               (float)rv_mean_factor(n, a->weight));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const private *p = n->priv;
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
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
