/* Total variation: y = weight / count * the sum of |d| or d^2 over the differences d of each value
 * to its neighbours right and below; dx gathers the slopes of all four neighbours. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/loss.h"

typedef struct tv_attrs {
    int32_t power;
    float weight;
} tv_attrs;

enum { POWER_L1, POWER_SQUARED };
static const char *const powers[] = {"l1", "squared", NULL};

static const rv_attr attributes[] = {
    {"power", RV_ATTR_ENUM, offsetof(tv_attrs, power), 1, POWER_SQUARED, 0, 0, powers,
     "absolute or squared differences"},
    {"weight", RV_ATTR_FLOAT, offsetof(tv_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the mean"},
    {.name = NULL},
};

/* How the kernels see the tensor; cl/tv_loss.cl says what the sizes mean. */
typedef struct private
{
    rv_kernel *forward, *backward;
    rv_reduction sum;
    int32_t height, width, lanes, columns, rows;
}
private;

static rv_status infer(rv_node *n)
{
    RV_TRY(rv_node_takes_maps(n));
    n->out[0]->shape = rv_shape_1(1);
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const tv_attrs *a = n->attrs;
    const rv_tensor *x = n->in[0];
    const int32_t *d = x->shape.dim, b = rv_device_block(device);
    const char *defines = a->power == POWER_L1 ? "-DL1=1" : "-DL1=0";
    RV_TRY(rv_node_private(n, sizeof(private)));
    private *p = n->priv;
    p->height = d[2];
    p->lanes = x->block;
    p->width = d[3] * x->block;
    p->columns = rv_divide_up(p->width, b);
    const int32_t planes = d[0] * (x->layout == RV_BLOCKED ? rv_tensor_blocks(x) : d[1]);
    RV_TRY(rv_kernel_get(&p->forward, device, "tv_loss", "tv_loss_forward", defines));
    RV_TRY(rv_kernel_get(&p->backward, device, "tv_loss", "tv_loss_backward", defines));
    p->rows = planes * p->height;
    RV_TRY(rv_reduction_prepare(&p->sum, device, p->rows * p->columns));
    n->forward_workspace = rv_reduction_bytes(&p->sum);
    return RV_OK;
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const private *p = n->priv;
    const tv_attrs *a = n->attrs;
    RV_TRY(rv_launch(e->device, p->forward, rv_reduction_grid(&p->sum, e->device),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(p->height),
                             RV_ARG(p->width), RV_ARG(p->lanes), RV_ARG(p->columns),
                             RV_ARG(p->sum.vectors), RV_ARG(p->sum.share))));
    return rv_reduction_finish(&p->sum, e->device, n->out[0], n->workspace,
                               (float)rv_mean_factor(n, a->weight));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const private *p = n->priv;
    const tv_attrs *a = n->attrs;
    const float factor = (float)rv_mean_factor(n, a->weight);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const int32_t run = rv_lanes_run(e->device);
    const size_t items = rv_lanes_items(e->device, (size_t)p->rows, p->columns);
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->d_out[0]->buffer), RV_ARG(p->height), RV_ARG(p->width),
                             RV_ARG(p->lanes), RV_ARG(p->columns), RV_ARG(p->rows), RV_ARG(run),
                             RV_ARG(factor), RV_ARG(accumulate)));
}

const rv_op rv_op_tv_loss = {
    .name = "tv_loss",
    .summary = "weighted mean of the differences between neighbouring values",
    .attrs = attributes,
    .attr_size = sizeof(tv_attrs),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = rv_loss_layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
