/* Gram matrix of a feature map: G = F F^T / s, F the map seen as C rows of H W pixels.
 *
 * Forward is a product with few rows and a very long inner sum. The pixels are cut into parts, whose number follows
 * from shapes only; each part gives the upper triangle of a matrix of its own in workspace; the parts are added in
 * order and mirrored. Backward is dF = (D + D^T) F / s: a product of a small matrix with all pixels. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
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
    TILE = 64,        /* channels, as in gram_cpu.cl and gram_gpu.cl */
    CPU_GROUPS = 128, /* work-groups that forward aims at: */
    GPU_GROUPS = 512,
    CPU_PART = 1024, /* fewer where parts would have less than so many pixels */
    GPU_PART = 256,
    CPU_SPAN = 192,    /* pixels of a work-group of backward, a multiple of the kernel's tile */
    MAX_GROUPS = 32768 /* along one dimension of a grid */
};

typedef struct kernels {
    rv_kernel *forward, *backward, *sum, *symmetrize;
    int32_t padded;      /* C in whole blocks */
    int32_t pairs;       /* tiles of the upper triangle */
    int32_t parts;       /* of the pixels */
    int32_t part_pixels; /* of each but the last */
    int32_t width;       /* columns of a panel of D + D^T */
    int32_t panels;
    int32_t span; /* pixels of a work-group of backward */
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

static void choose_sizes(kernels *k, const rv_shape *x, int32_t block, bool gpu)
{
    const int32_t c = x->dim[1], pixels = x->dim[2] * x->dim[3];
    const int32_t tiles = rv_divide_up(c, TILE), span = gpu ? TILE : CPU_SPAN;
    const int32_t most = rv_divide_up(pixels, gpu ? GPU_PART : CPU_PART);
    k->padded = rv_divide_up(c, block) * block;
    k->pairs = tiles * (tiles + 1) / 2;
    k->parts = (gpu ? GPU_GROUPS : CPU_GROUPS) / k->pairs;
    k->parts = k->parts < 1 ? 1 : k->parts > most ? most : k->parts;
    k->part_pixels = rv_divide_up(pixels, k->parts);
    k->parts = rv_divide_up(pixels, k->part_pixels);
    k->width = gpu ? TILE : 2 * block;
    k->panels = rv_divide_up(c, k->width);
    k->span = span * rv_divide_up(rv_divide_up(pixels, span), MAX_GROUPS);
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const bool gpu = rv_device_gpu_form(device);
    const rv_shape *x = &n->in[0]->shape;
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    kernels *k = n->priv;
    choose_sizes(k, x, n->in[0]->block, gpu);
    const size_t pictures = (size_t)x->dim[0], c = (size_t)x->dim[1], padded = (size_t)k->padded;
    n->forward_workspace = pictures * (size_t)k->parts * padded * padded * sizeof(float);
    RV_TRY(rv_kernel_get(&k->sum, device, "gram", "gram_sum", NULL));
    RV_TRY(rv_kernel_get(&k->forward, device, gpu ? "gram_gpu" : "gram_cpu",
                         gpu ? "gram_gpu_forward" : "gram_cpu_forward", NULL));
    if (n->wanted == 0) {
        return RV_OK;
    }
    n->backward_workspace = pictures * (size_t)k->panels * c * (size_t)k->width * sizeof(float);
    RV_TRY(rv_kernel_get(&k->symmetrize, device, "gram", "gram_symmetrize", NULL));
    return rv_kernel_get(&k->backward, device, gpu ? "gram_gpu" : "gram_cpu",
                         gpu ? "gram_gpu_backward" : "gram_cpu_backward", NULL);
}

/* Counted as a full product: what symmetry saves shows as speed. */
static double flops(const rv_node *n, rv_pass pass)
{
    const int32_t *d = n->in[0]->shape.dim;
    const double c = (double)d[1];
    return pass == RV_PASS_BACKWARD_PARAMS ? 0 : 2 * d[0] * c * c * d[2] * d[3];
}

/* The grid of a heavy kernel: one work-item per group on CPUs, 16 x 16 on GPUs; cut along y. */
static rv_grid groups(const rv_node *n, const rv_exec *e, int32_t x, int32_t y, int32_t z)
{
    const size_t side = rv_device_gpu_form(e->device) ? 16 : 1;
    return rv_grid_cut(rv_grid_groups((size_t)x, (size_t)y, (size_t)z, side, side, 1), 1,
                       flops(n, RV_PASS_FORWARD));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const rv_tensor *x = n->in[0], *g = n->out[0];
    const int32_t *d = x->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const size_t blocks = (size_t)(k->padded / x->block);
    RV_TRY(rv_launch(e->device, k->forward, groups(n, e, k->pairs, k->parts, d[0]),
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
    const size_t rows = (size_t)(k->padded / x->block);
    const size_t columns = (size_t)k->panels * (size_t)(k->width / x->block);
    RV_TRY(rv_launch(e->device, k->symmetrize,
                     rv_grid_items(e->device, (size_t)d[0] * rows * columns),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(k->panels), RV_ARG(k->width), RV_ARG(scale(n)))));
    return rv_launch(
        e->device, k->backward, groups(n, e, k->panels, rv_divide_up(pixels, k->span), d[0]),
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
