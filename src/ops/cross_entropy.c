/* Cross-entropy: y = weight * mean over N of sum -t log softmax(x), dx = weight / N * (softmax(x) - t) * dy, where t
 * is 1 - smoothing at the label plus smoothing / K everywhere (Szegedy et al. 2016). Labels get no gradient. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/op.h"
#include "ops/reduce.h"

typedef struct entropy_attrs {
    float weight, smoothing;
} entropy_attrs;

static const rv_attr attributes[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(entropy_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {"smoothing", RV_ATTR_FLOAT, offsetof(entropy_attrs, smoothing), 1, 0, 0, 1, NULL,
     "share of each label that is spread evenly over all classes"},
    {.name = NULL},
};

typedef struct private
{
    rv_kernel *forward, *backward;
    rv_reduction sum; /* its parts: one per picture */
    int32_t n, k, stride;
}
private;

static rv_status infer(rv_node *n)
{
    const rv_shape *x = &n->in[0]->shape, *labels = &n->in[1]->shape;
    char text[64];
    if (x->rank != 2 && !(x->rank == 4 && x->dim[2] == 1 && x->dim[3] == 1)) {
        return rv_fail(RV_ERR_SHAPE, "'%s': cross_entropy takes logits of N,K, not %s", n->name,
                       rv_shape_text(text, x));
    }
    if (labels->rank != 1 || labels->dim[0] != x->dim[0]) {
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': cross_entropy takes one label for each of %d pictures, not %s",
                       n->name, (int)x->dim[0], rv_shape_text(text, labels));
    }
    n->out[0]->shape = rv_shape_1(1);
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[1] = out[0] = RV_PLAIN; /* the logits as they come */
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const rv_tensor *x = n->in[0];
    RV_TRY(rv_node_private(n, sizeof(private)));
    private *p = n->priv;
    p->n = x->shape.dim[0];
    p->k = x->shape.dim[1];
    p->stride = x->layout == RV_BLOCKED ? rv_tensor_blocks(x) * x->block : p->k;
    RV_TRY(rv_kernel_get(&p->forward, device, "cross_entropy", "cross_entropy_forward", NULL));
    RV_TRY(rv_kernel_get(&p->backward, device, "cross_entropy", "cross_entropy_backward", NULL));
    RV_TRY(rv_reduction_prepare(&p->sum, device, 1));
    p->sum.parts = p->n;
    n->forward_workspace = rv_reduction_bytes(&p->sum);
    return RV_OK;
}

static float weight_over_count(const rv_node *n)
{
    const entropy_attrs *a = n->attrs;
    return a->weight / (float)n->in[0]->shape.dim[0];
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const private *p = n->priv;
    const entropy_attrs *a = n->attrs;
    RV_TRY(
        rv_launch(e->device, p->forward, rv_grid_items(e->device, (size_t)p->n),
                  RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(n->in[1]->buffer),
                          RV_ARG(p->n), RV_ARG(p->k), RV_ARG(p->stride), RV_ARG(a->smoothing))));
    return rv_reduction_finish(&p->sum, e->device, n->out[0], n->workspace, weight_over_count(n));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const private *p = n->priv;
    const entropy_attrs *a = n->attrs;
    const float factor = weight_over_count(n);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, (size_t)p->n),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(n->d_out[0]->buffer), RV_ARG(p->n),
                             RV_ARG(p->k), RV_ARG(p->stride), RV_ARG(a->smoothing), RV_ARG(factor),
                             RV_ARG(accumulate)));
}

const rv_op rv_op_cross_entropy = {
    .name = "cross_entropy",
    .summary = "weighted mean of -log softmax at the label",
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
