/* Likeness to the best of a list of vectors: y = weight * sum over places p of max_g <x_p, v_g>, x_p being the channels
 * at a place. dx_p = weight * v_g * dy for the g that is largest, the first of equals: that is likeness to a guide as in
 * the original DeepDream. The list [G,C] is given from outside and has no gradient.
 *
 * It is a product of two matrices of which only the largest of each column is kept, so that nothing of its size, G times
 * the places, is ever stored. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/op.h"
#include "ops/reduce.h"

typedef struct match_attrs {
    float weight;
} match_attrs;

static const rv_attr attributes[] = {
    {"weight", RV_ATTR_FLOAT, offsetof(match_attrs, weight), 1, 1, -1e12, 1e12, NULL,
     "factor of the sum"},
    {.name = NULL},
};

enum { LINE = 16 }; /* floats that start where a vector does */

typedef struct plan {
    rv_kernel *pack, *find, *backward;
    rv_reduction sum;     /* its parts: one per tile */
    int32_t tiles, items; /* of a picture, of all */
    int32_t start;        /* of the packed places in the workspace, behind the parts */
    int32_t c, places, g;
} plan;

static rv_status infer(rv_node *n)
{
    const rv_shape *x = &n->in[0]->shape, *list = &n->in[1]->shape;
    RV_TRY(rv_node_takes_maps(n));
    if (list->rank != 2 || list->dim[1] != x->dim[1]) {
        char a[64], b[64];
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': match_loss takes a list of vectors of %d channels for %s, not %s",
                       n->name, (int)x->dim[1], rv_shape_text(a, x), rv_shape_text(b, list));
    }
    n->out[0]->shape = rv_shape_1(1);
    n->saved[0]->shape = rv_shape_4(x->dim[0], 1, x->dim[2], x->dim[3]);
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    in[0] = in[1] = out[0] = n->saved[0]->layout = RV_PLAIN;
}

static double flops(const rv_node *n, rv_pass pass)
{
    const double values = (double)rv_shape_count(&n->in[0]->shape);
    return pass == RV_PASS_FORWARD ? 2 * values * n->in[1]->shape.dim[0] : 0;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    static const char file[] = "match_loss";
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t wide = (rv_device_gpu_form(device) ? 1 : 2) * rv_device_block(device);
    RV_TRY(rv_node_private(n, sizeof(plan)));
    plan *p = n->priv;
    p->c = d[1];
    p->places = d[2] * d[3];
    p->g = n->in[1]->shape.dim[0];
    p->tiles = rv_divide_up(p->places, wide);
    p->items = d[0] * p->tiles;
    RV_TRY(rv_kernel_get(&p->pack, device, file, "match_loss_pack", NULL));
    RV_TRY(rv_kernel_get(&p->find, device, file, "match_loss_find", NULL));
    RV_TRY(rv_kernel_get(&p->backward, device, file, "match_loss_backward", NULL));
    RV_TRY(rv_reduction_prepare(&p->sum, device, 1));
    p->sum.parts = p->items;
    p->start = rv_divide_up(p->items, LINE) * LINE;
    n->forward_workspace =
        ((size_t)p->start + (size_t)p->items * (size_t)(p->c * wide)) * sizeof(float);
    return RV_OK;
}

/* A tile keeps a core's registers busy: one work-item is a work-group there. */
static rv_grid grid_of(const plan *p, const rv_device *device)
{
    return rv_device_gpu_form(device) ? rv_grid_items(device, (size_t)p->items)
                                      : rv_grid_groups(1, (size_t)p->items, 1, 1, 1, 1);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const plan *p = n->priv;
    const match_attrs *a = n->attrs;
    const rv_grid grid = grid_of(p, e->device);
    const int32_t keep = n->saved[0]->buffer != NULL;
    RV_TRY(rv_launch(e->device, p->pack, grid,
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(p->items),
                             RV_ARG(p->tiles), RV_ARG(p->start), RV_ARG(p->c), RV_ARG(p->places))));
    RV_TRY(rv_launch(e->device, p->find, rv_grid_cut(grid, 1, flops(n, RV_PASS_FORWARD)),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->saved[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(p->items), RV_ARG(p->tiles),
                             RV_ARG(p->start), RV_ARG(p->c), RV_ARG(p->places), RV_ARG(p->g),
                             RV_ARG(keep), RV_FIRST)));
    return rv_reduction_finish(&p->sum, e->device, n->out[0], n->workspace, a->weight);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const plan *p = n->priv;
    const match_attrs *a = n->attrs;
    const int32_t pictures = n->in[0]->shape.dim[0], b = rv_device_block(e->device);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const size_t items = (size_t)pictures * (size_t)rv_divide_up(p->places, b);
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->saved[0]->buffer),
                             RV_ARG(n->in[1]->buffer), RV_ARG(n->d_out[0]->buffer),
                             RV_ARG(pictures), RV_ARG(p->c), RV_ARG(p->places), RV_ARG(a->weight),
                             RV_ARG(accumulate)));
}

const rv_op rv_op_match_loss = {
    .name = "match_loss",
    .summary = "weighted sum of the largest products of each place with a list of vectors",
    .attrs = attributes,
    .attr_size = sizeof(match_attrs),
    .traits = RV_OP_LOSS | RV_OP_BWD_READS_INPUT,
    .no_gradient = RV_WANT_INPUT(1),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .n_saved = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};
