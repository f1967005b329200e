/* What losses share that are the weighted mean or sum of one number per value: kernels, the sum, shapes and layouts. */
/* SPDX-License-Identifier: MIT */
#include "ops/loss.h"
#include "base/error.h"

#include <stdio.h>

rv_status rv_loss_infer_pair(rv_node *n)
{
    if (!rv_shape_equal(&n->in[0]->shape, &n->in[1]->shape)) {
        char a[64], b[64];
        return rv_fail(RV_ERR_SHAPE, "'%s': %s compares %s with a target of %s", n->name,
                       n->op->name, rv_shape_text(a, &n->in[0]->shape),
                       rv_shape_text(b, &n->in[1]->shape));
    }
    n->out[0]->shape = rv_shape_1(1);
    return RV_OK;
}

void rv_loss_layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    for (int i = 1; i < n->n_in; i++) {
        in[i] = in[0];
    }
    out[0] = RV_PLAIN;
}

rv_status rv_loss_prepare(rv_node *n, rv_device *device)
{
    const char *name = n->op->name;
    char forward[64], backward[64];
    snprintf(forward, sizeof forward, "%s_forward", name);
    snprintf(backward, sizeof backward, "%s_backward", name);
    RV_TRY(rv_node_private(n, sizeof(rv_loss)));
    rv_loss *p = n->priv;
    RV_TRY(rv_kernel_get(&p->forward, device, name, forward, NULL));
    RV_TRY(rv_kernel_get(&p->backward, device, name, backward, NULL));
    RV_TRY(rv_reduction_prepare(&p->sum, device, rv_flat_of(n->in[0], device).vectors));
    n->forward_workspace = rv_reduction_bytes(&p->sum);
    return RV_OK;
}

rv_status rv_loss_finish(const rv_node *n, const rv_exec *e, float weight)
{
    const rv_loss *p = n->priv;
    return rv_reduction_finish(&p->sum, e->device, n->out[0], n->workspace,
                               (float)rv_mean_factor(n, weight));
}

rv_status rv_loss_sum_pair(const rv_node *n, const rv_exec *e, float factor)
{
    const rv_loss *p = n->priv;
    const rv_flat f = rv_flat_of(n->in[0], e->device);
    RV_TRY(
        rv_launch(e->device, p->forward, rv_reduction_grid(&p->sum, e->device),
                  RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(n->in[1]->buffer),
                          RV_ARG(f.n), RV_ARG(f.vectors), RV_ARG(p->sum.share))));
    return rv_reduction_finish(&p->sum, e->device, n->out[0], n->workspace, factor);
}
