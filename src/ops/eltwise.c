/* Two tensors of one shape, value by value: maximum y = max(a, b), multiply y = a b, weighted_add y = f a + g b.
 * The gradient of the maximum goes to the larger; of a product, times the other; of a sum, times its factor. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/flat.h"
#include "ops/op.h"

#include <string.h>

typedef struct eltwise_attrs {
    float factors[2];
} eltwise_attrs;

static const rv_attr attributes[] = {
    {"factors", RV_ATTR_FLOAT, offsetof(eltwise_attrs, factors), 2, 1, -1e9, 1e9, NULL,
     "what each of the two is multiplied with"},
    {.name = NULL},
};

/* What is done; as in cl/eltwise.cl. */
enum { MAXIMUM, MULTIPLY, WEIGHTED };

typedef struct kernels {
    rv_kernel *forward, *backward;
    int32_t kind;
} kernels;

static rv_status infer(rv_node *n)
{
    if (!rv_shape_equal(&n->in[0]->shape, &n->in[1]->shape)) {
        char first[64], other[64];
        return rv_fail(RV_ERR_SHAPE, "'%s': %s of %s and %s", n->name, n->op->name,
                       rv_shape_text(first, &n->in[0]->shape),
                       rv_shape_text(other, &n->in[1]->shape));
    }
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    k->kind = strcmp(n->op->name, "maximum") == 0    ? MAXIMUM
              : strcmp(n->op->name, "multiply") == 0 ? MULTIPLY
                                                     : WEIGHTED;
    RV_TRY(rv_kernel_get(&k->forward, device, "eltwise", "eltwise_forward", NULL));
    return rv_kernel_get(&k->backward, device, "eltwise", "eltwise_back", NULL);
}

static float factor(const rv_node *n, int i)
{
    const eltwise_attrs *a = n->attrs;
    return n->op->attrs != NULL ? a->factors[i] : 1.0f;
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_flat f = rv_flat_of(n->out[0], e->device);
    return rv_launch(e->device, k->forward, rv_grid_items(e->device, (size_t)f.vectors),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(f.n), RV_ARG(k->kind),
                             RV_ARG(factor(n, 0)), RV_ARG(factor(n, 1))));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    const kernels *k = n->priv;
    const rv_flat f = rv_flat_of(n->out[0], e->device);
    for (int i = 0; i < 2; i++) {
        const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(i)) != 0, second = i;
        if ((wanted & RV_WANT_INPUT(i)) != 0) {
            RV_TRY(rv_launch(e->device, k->backward, rv_grid_items(e->device, (size_t)f.vectors),
                             RV_ARGS(RV_ARG(n->d_in[i]->buffer), RV_ARG(n->d_out[0]->buffer),
                                     RV_ARG(n->in[i]->buffer), RV_ARG(n->in[1 - i]->buffer),
                                     RV_ARG(f.n), RV_ARG(k->kind), RV_ARG(factor(n, i)),
                                     RV_ARG(second), RV_ARG(accumulate))));
        }
    }
    return RV_OK;
}

const rv_op rv_op_maximum = {
    .name = "maximum",
    .summary = "the larger of two tensors",
    .traits = RV_OP_BWD_READS_INPUT,
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};

const rv_op rv_op_multiply = {
    .name = "multiply",
    .summary = "product of two tensors",
    .traits = RV_OP_BWD_READS_INPUT,
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};

const rv_op rv_op_weighted_add = {
    .name = "weighted_add",
    .summary = "sum of two tensors, each times a factor",
    .attrs = attributes,
    .attr_size = sizeof(eltwise_attrs),
    .traits = RV_OP_BWD_READS_INPUT,
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
