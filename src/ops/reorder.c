/* Changes the layout of a rank-4 tensor; the planner puts it where two operations disagree. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

/* Pixels that a work-item takes on CPUs: whole pages of a row, for all of whose channels the cache has room. */
enum { RUN = 256 };

typedef struct kernels {
    rv_kernel *to_blocked, *to_plain;
} kernels;

static rv_status infer(rv_node *n)
{
    RV_TRY(rv_node_takes_maps(n)); /* nothing else has two layouts */
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    out[0] = in[0] == RV_PLAIN ? RV_BLOCKED : RV_PLAIN;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    RV_TRY(rv_kernel_get(&k->to_blocked, device, "reorder", "reorder_to_blocked", NULL));
    return rv_kernel_get(&k->to_plain, device, "reorder", "reorder_to_plain", NULL);
}

static rv_status enqueue(const rv_node *n, const rv_exec *e, rv_tensor *to, const rv_tensor *from,
                         int32_t accumulate)
{
    const kernels *k = n->priv;
    const int32_t *d = to->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const bool to_blocked = to->layout == RV_BLOCKED;
    const int32_t run = rv_device_gpu_form(e->device) ? 1 : RUN;
    const size_t planes = rv_lanes_planes(to_blocked ? to : from);
    const size_t items = planes * (size_t)rv_divide_up(pixels, run);
    return rv_launch(e->device, to_blocked ? k->to_blocked : k->to_plain,
                     rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(to->buffer), RV_ARG(from->buffer), RV_ARG(d[0]), RV_ARG(d[1]),
                             RV_ARG(pixels), RV_ARG(run), RV_ARG(accumulate)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    return enqueue(n, e, n->out[0], n->in[0], 0);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    return enqueue(n, e, n->d_in[0], n->d_out[0], (e->accumulate & RV_WANT_INPUT(0)) != 0);
}

const rv_op rv_op_reorder = {
    .name = "reorder",
    .summary = "change the layout between plain and blocked",
    .traits = RV_OP_REORDER,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
