/* Local response normalisation: y = x / (k + alpha / n * sum x^2)^beta, the sum over n values: of `size` channels at the
 * same pixel, or of size x size pixels in the same channel. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

typedef struct lrn_attrs {
    int32_t size;
    float alpha, beta, k;
    int32_t region;
} lrn_attrs;

enum { ACROSS, WITHIN };
static const char *const regions[] = {"across", "within", NULL};

enum {
    LARGEST = 33,     /* the kernels reach 16 channels to either side */
    CHUNK_LANES = 128, /* as in lrn.cl */
    ENOUGH = 512      /* work-items that cores can share evenly */
};

static const rv_attr attributes[] = {
    {"size", RV_ATTR_INT, offsetof(lrn_attrs, size), 1, 5, 1, LARGEST, NULL,
     "channels that are summed, the own one in the middle; rows and columns within a channel"},
    {"alpha", RV_ATTR_FLOAT, offsetof(lrn_attrs, alpha), 1, 1e-4, 0, 1e9, NULL,
     "factor of the sum, divided by how many values it has"},
    {"beta", RV_ATTR_FLOAT, offsetof(lrn_attrs, beta), 1, 0.75, 0, 100, NULL, "exponent"},
    {"k", RV_ATTR_FLOAT, offsetof(lrn_attrs, k), 1, 1, 1e-6, 1e9, NULL, "added to the sum"},
    {"region", RV_ATTR_ENUM, offsetof(lrn_attrs, region), 1, ACROSS, 0, 0, regions,
     "what the sum goes over: across channels, or pixels within one"},
    {.name = NULL},
};

typedef struct kernels {
    rv_kernel *forward, *back;
    int32_t before, after; /* channels, or pixels, of the window beside the own one */
    float scale;
} kernels;

static rv_status infer(rv_node *n)
{
    const lrn_attrs *a = n->attrs;
    RV_TRY(rv_node_takes_maps(n));
    if (a->region == WITHIN && a->size % 2 == 0) {
        return rv_fail(RV_ERR_USAGE, "'%s': size is %d, but has to be odd within a channel",
                       n->name, (int)a->size);
    }
    n->out[0]->shape = n->in[0]->shape;
    /* Across channels backward computes again what it needs: that takes less time than to read it. */
    n->saved[0]->shape = a->region == WITHIN ? n->in[0]->shape : rv_shape_4(1, 1, 1, 1);
    return RV_OK;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(kernels)));
    const lrn_attrs *a = n->attrs;
    kernels *k = n->priv;
    /* An even size has one more behind, as in ONNX. */
    k->before = (a->size - 1) / 2;
    k->after = a->size / 2;
    const bool within = a->region == WITHIN;
    k->scale = a->alpha / (float)(within ? a->size * a->size : a->size);
    const char *defines = rv_lanes_defines(n->in[0]);
    RV_TRY(
        rv_kernel_get(&k->forward, device, "lrn", within ? "lrn_within" : "lrn_forward", defines));
    return rv_kernel_get(&k->back, device, "lrn", within ? "lrn_within_back" : "lrn_back", defines);
}

static rv_status forward_within(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const lrn_attrs *a = n->attrs;
    const rv_tensor *x = n->in[0];
    const int32_t *d = x->shape.dim;
    const int32_t run = rv_lanes_run(e->device);
    const size_t items = rv_lanes_items(e->device, rv_lanes_planes(x), rv_lanes_pixels(x));
    return rv_launch(e->device, k->forward, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->saved[0]->buffer),
                             RV_ARG(x->buffer), RV_ARG(d[0]), RV_ARG(d[1]), RV_ARG(d[2]),
                             RV_ARG(d[3]), RV_ARG(run), RV_ARG(k->after), RV_ARG(k->scale),
                             RV_ARG(a->beta), RV_ARG(a->k)));
}

/* Of the rectifier before it, which backward undoes as well; 1: there is none. */
static float slope_of(const rv_node *n)
{
    return n->gated != 0 ? n->gate : 1;
}

static rv_status backward_within(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const lrn_attrs *a = n->attrs;
    const rv_tensor *x = n->in[0];
    const int32_t *d = x->shape.dim;
    const int32_t run = rv_lanes_run(e->device);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const size_t items = rv_lanes_items(e->device, rv_lanes_planes(x), rv_lanes_pixels(x));
    return rv_launch(e->device, k->back, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer),
                             RV_ARG(x->buffer), RV_ARG(n->saved[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(d[2]), RV_ARG(d[3]), RV_ARG(run),
                             RV_ARG(k->after), RV_ARG(k->scale), RV_ARG(a->beta), RV_ARG(a->k),
                             RV_ARG(slope_of(n)), RV_ARG(accumulate)));
}

/* Blocks of channels that a work-item does, *parts of which make all: on CPUs as many as leave work-items enough. */
static int32_t count_each(const rv_tensor *x, const rv_device *device, int32_t *parts)
{
    const int32_t blocks = rv_tensor_blocks(x), chunk = CHUNK_LANES / x->block;
    const int32_t runs = rv_divide_up(rv_lanes_pixels(x), rv_lanes_run(device));
    const double items = (double)x->shape.dim[0] * runs;
    const int32_t chunks = rv_divide_up(blocks, chunk);
    const int32_t wanted = items < ENOUGH ? (int32_t)(ENOUGH / items) : 1;
    const int32_t each = rv_divide_up(chunks, wanted < chunks ? wanted : chunks) * chunk;
    const int32_t chosen = rv_device_gpu_form(device) ? 1 : each;
    *parts = rv_divide_up(blocks, chosen);
    return chosen;
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    const kernels *k = n->priv;
    const lrn_attrs *a = n->attrs;
    const rv_tensor *x = n->in[0];
    const int32_t *d = x->shape.dim;
    const int32_t pixels = rv_lanes_pixels(x), run = rv_lanes_run(e->device);
    if (a->region == WITHIN) {
        return forward_within(n, e);
    }
    int32_t parts;
    const int32_t each = count_each(x, e->device, &parts);
    const size_t items = rv_lanes_items(e->device, (size_t)d[0] * (size_t)parts, pixels);
    return rv_launch(e->device, k->forward, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(x->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(pixels), RV_ARG(run), RV_ARG(each),
                             RV_ARG(k->before), RV_ARG(k->after), RV_ARG(k->scale), RV_ARG(a->beta),
                             RV_ARG(a->k)));
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const kernels *k = n->priv;
    const lrn_attrs *a = n->attrs;
    const rv_tensor *x = n->in[0];
    const int32_t *d = x->shape.dim;
    const int32_t pixels = rv_lanes_pixels(x), run = rv_lanes_run(e->device);
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    if (a->region == WITHIN) {
        return backward_within(n, e);
    }
    int32_t parts;
    const int32_t each = count_each(x, e->device, &parts);
    const size_t items = rv_lanes_items(e->device, (size_t)d[0] * (size_t)parts, pixels);
    return rv_launch(e->device, k->back, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer),
                             RV_ARG(x->buffer), RV_ARG(d[0]), RV_ARG(d[1]), RV_ARG(pixels),
                             RV_ARG(run), RV_ARG(each), RV_ARG(k->before), RV_ARG(k->after),
                             RV_ARG(k->scale), RV_ARG(a->beta), RV_ARG(a->k), RV_ARG(slope_of(n)),
                             RV_ARG(accumulate)));
}

static bool gates(const rv_node *n, const rv_device *device)
{
    (void)n;
    (void)device;
    return true;
}

const rv_op rv_op_lrn = {
    .name = "lrn",
    .summary = "normalise by neighbouring channels or pixels",
    .attrs = attributes,
    .attr_size = sizeof(lrn_attrs),
    .traits = RV_OP_BWD_READS_INPUT,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_saved = 1,
    .infer = infer,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .gates = gates,
};
