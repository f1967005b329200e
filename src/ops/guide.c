/* Multiplies all channels of a position by one number: y_cp = g_p x_cp, dx_cp = g_p dy_cp.
 *
 * With a map g of where a region lies, and a Gram matrix behind it, it is the guided Gram matrix of Gatys et al. 2017.
 * The map is given from outside and has no gradient. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct plan {
    rv_kernel *map;
} plan;

static rv_status infer(rv_node *n)
{
    const rv_shape *x = &n->in[0]->shape, *g = &n->in[1]->shape;
    RV_TRY(rv_node_takes_maps(n));
    const rv_shape wanted = rv_shape_4(x->dim[0], 1, x->dim[2], x->dim[3]);
    if (!rv_shape_equal(g, &wanted)) {
        char got[64], needed[64];
        return rv_fail(RV_ERR_SHAPE, "%s: the map is %s, must be %s", n->name,
                       rv_shape_text(got, g), rv_shape_text(needed, &wanted));
    }
    n->out[0]->shape = *x;
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[1] = RV_PLAIN;
    out[0] = in[0];
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(plan)));
    plan *p = n->priv;
    return rv_kernel_get(&p->map, device, "guide", "guide_map", rv_lanes_defines(n->in[0]));
}

/* to = guide * from, either of which may be a gradient. */
static rv_status map(const rv_node *n, const rv_exec *e, rv_tensor *to, const rv_tensor *from,
                     int32_t accumulate)
{
    const plan *p = n->priv;
    const rv_tensor *x = n->in[0];
    const int32_t pixels = rv_lanes_pixels(x), run = rv_lanes_run(e->device);
    const size_t planes = rv_lanes_planes(x);
    return rv_launch(
        e->device, p->map,
        rv_lanes_grid(e->device, rv_lanes_items(e->device, planes, pixels), 2 * rv_tensor_bytes(x)),
        RV_ARGS(RV_ARG(to->buffer), RV_ARG(from->buffer), RV_ARG(n->in[1]->buffer),
                RV_ARG(x->shape.dim[0]), RV_ARG(x->shape.dim[1]), RV_ARG(pixels), RV_ARG(run),
                RV_ARG(accumulate), RV_FIRST));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    return map(n, e, n->out[0], n->in[0], 0);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    return map(n, e, n->d_in[0], n->d_out[0], (e->accumulate & RV_WANT_INPUT(0)) != 0);
}

const rv_op rv_op_guide = {
    .name = "guide",
    .summary = "all channels of a position times the number that a map has there",
    .traits = RV_OP_INPLACE | RV_OP_BWD_READS_INPUT | RV_OP_BWD_INPLACE,
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
