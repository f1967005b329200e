/* Gram matrix of a feature map: G = F F^T / s, F the map seen as C rows of H W pixels.
 *
 * Forward is a product with few rows and a very long inner sum. The pixels are cut into parts, whose number follows
 * from shapes only; each part gives the upper triangle of a matrix of its own in workspace; the parts are added in
 * order and mirrored. Backward is dF = (D + D^T) F / s: a product of a small matrix with all pixels. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv_gpu.h"
#include "ops/op.h"

#include <stddef.h>

enum { NORMALIZE_CHW, NORMALIZE_HW, NORMALIZE_NONE };

typedef struct fields {
    int32_t normalize;
} fields;

static const char *const normalize_names[] = {"chw", "hw", "none", NULL};

static const rv_attr attrs[] = {
    {"normalize", RV_ATTR_ENUM, offsetof(fields, normalize), 1, NORMALIZE_CHW, 0, 0,
     normalize_names, "what the products are divided by: C*H*W, H*W, or nothing"},
    {.name = NULL},
};

enum {
    TILE = 64,         /* channels, as in gram_cpu.cl */
    GROUPS = 128,      /* work-groups that forward aims at: */
    PART = 1024,       /* fewer where parts would have less than so many pixels */
    SPAN = 192,        /* pixels of a work-group of backward, a multiple of the kernel's tile */
    MAX_GROUPS = 32768 /* along one dimension of a grid */
};

typedef struct kernels {
    rv_kernel *forward, *backward, *sum, *symmetrize;
    int32_t padded;      /* C in whole blocks */
    int32_t parts;       /* of the pixels */
    int32_t part_pixels; /* of each but the last */
    int32_t width;       /* columns of a panel of D + D^T */
    int32_t rows;        /* of a panel */
    int32_t panels;
    int32_t span; /* pixels of a work-group of backward */

    /* On GPUs backward is a convolution with windows of 1x1, each picture a group of channels. */
    rv_conv_geometry geometry;
    rv_conv_product product;
    size_t weight_floats; /* of D + D^T, the product's parts lie behind */
    rv_grid forward_grid;
} kernels;

static rv_status infer(rv_node *n)
{
    const rv_shape *x = &n->in[0]->shape;
    RV_TRY(rv_node_takes_maps(n));
    const int32_t dim[3] = {x->dim[0], x->dim[1], x->dim[1]};
    n->out[0]->shape = rv_shape_make(3, dim);
    return rv_shape_check(&n->out[0]->shape, n->name);
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[0] = RV_BLOCKED;
    out[0] = RV_PLAIN;
}

static float scale(const rv_node *n)
{
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t normalize = ((const fields *)n->attrs)->normalize;
    const double pixels = (double)d[2] * (double)d[3];
    return (float)(normalize == NORMALIZE_CHW  ? 1.0 / ((double)d[1] * pixels)
                   : normalize == NORMALIZE_HW ? 1.0 / pixels
                                               : 1.0);
}

/* Counted as a full product: what symmetry saves shows as speed. */
static double flops(const rv_node *n, rv_pass pass)
{
    const int32_t *d = n->in[0]->shape.dim;
    const double c = (double)d[1];
    return pass == RV_PASS_BACKWARD_PARAMS ? 0 : 2 * d[0] * c * c * d[2] * d[3];
}

/* Forward sums so many parts, each of about so many pixels. */
static void cut_pixels(kernels *k, int32_t pixels, int32_t parts)
{
    k->part_pixels = rv_divide_up(pixels, parts);
    k->parts = rv_divide_up(pixels, k->part_pixels);
}

static rv_status prepare_cpu(rv_node *n, kernels *k, rv_device *device)
{
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3], tiles = rv_divide_up(d[1], TILE);
    const int32_t pairs = tiles * (tiles + 1) / 2, most = rv_divide_up(pixels, PART);
    const int32_t parts = GROUPS / pairs;
    cut_pixels(k, pixels, parts < 1 ? 1 : parts > most ? most : parts);
    k->forward_grid =
        rv_grid_cut(rv_grid_groups((size_t)pairs, (size_t)k->parts, (size_t)d[0], 1, 1, 1), 1,
                    flops(n, RV_PASS_FORWARD));
    RV_TRY(rv_kernel_get(&k->forward, device, "gram_cpu", "gram_cpu_forward", NULL));
    if (n->wanted == 0) {
        return RV_OK;
    }
    k->rows = d[1];
    k->width = 2 * n->in[0]->block;
    k->panels = rv_divide_up(d[1], k->width);
    k->span = SPAN * rv_divide_up(rv_divide_up(pixels, SPAN), MAX_GROUPS);
    k->weight_floats = (size_t)d[0] * (size_t)k->panels * (size_t)k->rows * (size_t)k->width;
    return rv_kernel_get(&k->backward, device, "gram_cpu", "gram_cpu_backward", NULL);
}

static rv_status prepare_gpu(rv_node *n, kernels *k, rv_device *device)
{
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const rv_gpu_tile *t = rv_gpu_tile_choose_square(device, d[1]);
    const int32_t tiles = rv_divide_up(d[1], rv_gpu_tile_rows(t));
    const int32_t pairs = tiles * (tiles + 1) / 2;
    cut_pixels(
        k, pixels,
        rv_gpu_tile_parts((double)pairs * d[0], pixels, (double)d[0] * k->padded * k->padded));
    k->forward_grid = rv_grid_cut(rv_grid_groups((size_t)pairs, (size_t)k->parts, (size_t)d[0],
                                                 (size_t)rv_gpu_tile_items(t), 1, 1),
                                  1, flops(n, RV_PASS_FORWARD));
    char defines[RV_GPU_TILE_DEFINES];
    rv_gpu_tile_defines(defines, t);
    RV_TRY(rv_kernel_get(&k->forward, device, "gram_gpu", "gram_gpu_forward", defines));
    if (n->wanted == 0) {
        return RV_OK;
    }
    const rv_int4 maps = {{1, d[0] * k->padded, d[2], d[3]}};
    k->geometry = (rv_conv_geometry){
        .source = maps, .target = maps, .window = {{1, 1, d[0], 0}}, .step = {{1, 1, 1, 1}}};
    k->geometry.source_lanes = k->geometry.target_lanes = n->in[0]->block;
    RV_TRY(rv_conv_product_prepare(&k->product, &k->geometry, device, NULL));
    k->rows = k->product.rows;
    k->width = k->product.work.s[2];
    k->panels = 1;
    k->weight_floats = k->product.packed_floats;
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const rv_shape *x = &n->in[0]->shape;
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    k->padded = rv_divide_up(x->dim[1], n->in[0]->block) * n->in[0]->block;
    RV_TRY(rv_device_gpu_form(device) ? prepare_gpu(n, k, device) : prepare_cpu(n, k, device));
    const size_t pictures = (size_t)x->dim[0], padded = (size_t)k->padded;
    n->forward_workspace = pictures * (size_t)k->parts * padded * padded * sizeof(float);
    RV_TRY(rv_kernel_get(&k->sum, device, "gram", "gram_sum", NULL));
    if (n->wanted == 0) {
        return RV_OK;
    }
    n->backward_workspace = (k->weight_floats + k->product.partial_floats) * sizeof(float);
    return rv_kernel_get(&k->symmetrize, device, "gram", "gram_symmetrize", NULL);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_tensor *x = n->in[0], *g = n->out[0];
    const int32_t *d = x->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const size_t blocks = (size_t)(k->padded / x->block);
    RV_TRY(rv_launch(e->device, k->forward, k->forward_grid,
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(x->buffer), RV_ARG(d[1]), RV_ARG(pixels),
                             RV_ARG(k->parts), RV_ARG(k->part_pixels), RV_FIRST)));
    return rv_launch(e->device, k->sum, rv_grid_items(e->device, (size_t)d[0] * blocks * blocks),
                     RV_ARGS(RV_ARG(g->buffer), RV_ARG(n->workspace), RV_ARG(d[0]), RV_ARG(d[1]),
                             RV_ARG(k->parts), RV_ARG(scale(n))));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const kernels *k = n->priv;
    const rv_tensor *x = n->in[0];
    const int32_t *d = x->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const size_t rows = (size_t)rv_divide_up(k->rows, x->block);
    const size_t columns = (size_t)k->panels * (size_t)(k->width / x->block);
    RV_TRY(rv_launch(
        e->device, k->symmetrize, rv_grid_items(e->device, (size_t)d[0] * rows * columns),
        RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(d[0]), RV_ARG(d[1]),
                RV_ARG(k->rows), RV_ARG(k->panels), RV_ARG(k->width), RV_ARG(scale(n)))));
    if (rv_device_gpu_form(e->device)) {
        const rv_conv_offsets from = {.partial = k->weight_floats};
        return rv_conv_product_run(&k->product, &k->geometry, e->device, n->d_in[0]->buffer,
                                   x->buffer, n->workspace, NULL, n->workspace,
                                   (rv_int4){{0, 0, 0, accumulate}}, 1, from);
    }
    return rv_launch(
        e->device, k->backward,
        rv_grid_cut(rv_grid_groups((size_t)k->panels, (size_t)rv_divide_up(pixels, k->span),
                                   (size_t)d[0], 1, 1, 1),
                    1, flops(n, RV_PASS_BACKWARD_DATA)),
        RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(x->buffer), RV_ARG(n->workspace), RV_ARG(d[1]),
                RV_ARG(pixels), RV_ARG(k->span), RV_ARG(accumulate), RV_FIRST));
}

const rv_op rv_op_gram = {
    .name = "gram",
    .summary = "products of all pairs of channels, summed over the pixels",
    .attrs = attrs,
    .attr_size = sizeof(fields),
    .traits = RV_OP_BWD_READS_INPUT,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .flops = flops,
};
