/* Largest or mean value of windows: max_pool and average_pool. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/lanes.h"
#include "ops/op.h"

#include <stdio.h>

typedef struct pool_attrs {
    int32_t count_include_pad;
    int32_t kernel[2], stride[2], pads[4];
    int32_t ceil_mode, global;
} pool_attrs;

enum {
    LONGEST = 1 << 15,
    PLACES = 256 /* that a byte tells apart */
};

/* The first row is for averages only. */
static const rv_attr attributes[] = {
    {"count_include_pad", RV_ATTR_INT, offsetof(pool_attrs, count_include_pad), 1, 0, 0, 1, NULL,
     "1: a mean counts the zeros of the padding, as in Caffe"},
    {"kernel", RV_ATTR_INT, offsetof(pool_attrs, kernel), 2, 0, 1, LONGEST, NULL,
     "rows and columns of the window; needed unless global"},
    {"stride", RV_ATTR_INT, offsetof(pool_attrs, stride), 2, 1, 1, LONGEST, NULL,
     "rows and columns from one window to the next"},
    {"pads", RV_ATTR_INT, offsetof(pool_attrs, pads), 4, 0, 0, LONGEST, NULL,
     "pixels added at top, left, bottom, right; fewer than the window has"},
    {"ceil_mode", RV_ATTR_INT, offsetof(pool_attrs, ceil_mode), 1, 0, 0, 1, NULL,
     "1: the last window may reach beyond the padding, but not start there; as in Caffe"},
    {"global", RV_ATTR_INT, offsetof(pool_attrs, global), 1, 0, 0, 1, NULL,
     "1: the window is the whole picture"},
    {.name = NULL},
};

typedef struct plan {
    rv_kernel *forward, *backward;
    rv_kernel *parts, *global; /* of a mean over whole planes; NULL otherwise */
    int32_t n_parts;
    int32_t run;               /* pixels side by side that one work-item writes */
    rv_int4 size, window, pad; /* as the kernels take them */
} plan;

/* --- shapes ---------------------------------------------------------------------------------- */

/* Windows along one axis. */
static rv_status count_windows(int32_t *out, const rv_node *n, int32_t from, int axis)
{
    const pool_attrs *a = n->attrs;
    const int32_t kernel = a->kernel[axis], stride = a->stride[axis];
    const int32_t before = a->pads[axis], after = a->pads[axis + 2];
    if (before >= kernel || after >= kernel) {
        return rv_fail(RV_ERR_SHAPE, "'%s': pads of %d and %d must be less than the window of %d",
                       n->name, (int)before, (int)after, (int)kernel);
    }
    const int64_t room = (int64_t)from + before + after - kernel;
    if (room < 0) {
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': a window of %d does not fit into %d padded pixels: the picture is "
                       "too small here",
                       n->name, (int)kernel, (int)from + before + after);
    }
    int64_t windows = (room + (a->ceil_mode ? stride - 1 : 0)) / stride + 1;
    if ((windows - 1) * stride >= (int64_t)from + before) {
        windows--;
    }
    *out = (int32_t)windows;
    return RV_OK;
}

static rv_status infer(rv_node *n)
{
    const pool_attrs *a = n->attrs;
    const rv_shape *in = &n->in[0]->shape;
    RV_TRY(rv_node_takes_maps(n));
    n->out[0]->shape = rv_shape_4(in->dim[0], in->dim[1], 1, 1);
    if (!a->global) {
        if (a->kernel[0] == 0) {
            return rv_fail(RV_ERR_USAGE, "'%s': %s needs a kernel, or global", n->name,
                           n->op->name);
        }
        RV_TRY(count_windows(&n->out[0]->shape.dim[2], n, in->dim[2], 0));
        RV_TRY(count_windows(&n->out[0]->shape.dim[3], n, in->dim[3], 1));
    }
    if (n->op->n_saved > 0) {
        n->saved[0]->shape = rv_shape_1(1); /* prepare knows how many */
    }
    return RV_OK;
}

/* The index is bytes, whatever the layout of the rest. */
static void max_layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    out[0] = in[0];
    n->saved[0]->layout = RV_PLAIN;
}

/* --- prepare --------------------------------------------------------------------------------- */

static rv_status make_plan(rv_node *n, const rv_device *device)
{
    RV_TRY(rv_node_private(n, sizeof(plan)));
    const pool_attrs *a = n->attrs;
    const int32_t *in = n->in[0]->shape.dim, *out = n->out[0]->shape.dim;
    plan *p = n->priv;
    p->run = rv_lanes_run(device);
    p->size = (rv_int4){{in[2], in[3], out[2], out[3]}};
    if (a->global) {
        p->window = (rv_int4){{in[2], in[3], 1, 1}};
    } else {
        p->window = (rv_int4){{a->kernel[0], a->kernel[1], a->stride[0], a->stride[1]}};
        p->pad = (rv_int4){{a->pads[0], a->pads[1], a->pads[2], a->pads[3]}};
    }
    return RV_OK;
}

static rv_status get_kernel(rv_kernel **out, const rv_node *n, rv_device *device, const char *name)
{
    return rv_kernel_get(out, device, "pool", name, rv_lanes_defines(n->in[0]));
}

/* One index for each value of the output, in bytes where that is enough for a place of a window. */
static rv_status max_prepare(rv_node *n, rv_device *device)
{
    RV_TRY(make_plan(n, device));
    plan *p = n->priv;
    const bool wide = (int64_t)p->window.s[0] * p->window.s[1] > PLACES;
    const size_t values = rv_tensor_floats(n->out[0]);
    const size_t floats = wide ? values : (values + sizeof(float) - 1) / sizeof(float);
    n->saved[0]->shape = rv_shape_1((int32_t)floats);
    const char *layout = rv_lanes_defines(n->in[0]);
    char defines[48];
    snprintf(defines, sizeof defines, "-DWIDE_INDEX=%d %s", wide, layout != NULL ? layout : "");
    RV_TRY(rv_kernel_get(&p->forward, device, "pool", "pool_max", defines));
    return rv_kernel_get(&p->backward, device, "pool", "pool_max_back", defines);
}

/* Rows of all planes of B channels, each cut into runs: what a kernel has work-items for. */
static size_t items(const rv_device *device, const rv_tensor *t)
{
    return rv_lanes_items(device, rv_lanes_planes(t) * (size_t)t->shape.dim[2], t->shape.dim[3]);
}

static rv_status average_prepare(rv_node *n, rv_device *device)
{
    RV_TRY(make_plan(n, device));
    const pool_attrs *a = n->attrs;
    plan *p = n->priv;
    RV_TRY(get_kernel(&p->backward, n, device, "pool_average_back"));
    if (!a->global) {
        return get_kernel(&p->forward, n, device, "pool_average");
    }
    p->n_parts = rv_lanes_parts(p->size.s[0] * p->size.s[1]);
    n->forward_workspace = rv_tensor_bytes(n->out[0]) * (size_t)p->n_parts;
    RV_TRY(get_kernel(&p->parts, n, device, "pool_global_parts"));
    return get_kernel(&p->global, n, device, "pool_global");
}

/* --- run ------------------------------------------------------------------------------------- */

static rv_grid forward_grid(const rv_node *n, const rv_device *device)
{
    const rv_tensor *y = n->out[0];
    return rv_lanes_grid(device, items(device, y), rv_tensor_bytes(n->in[0]) + rv_tensor_bytes(y));
}

static rv_status max_forward(const rv_node *n, const rv_exec *e)
{
    const plan *p = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    return rv_launch(e->device, p->forward, forward_grid(n, e->device),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->saved[0]->buffer),
                             RV_ARG(n->in[0]->buffer), RV_ARG(d[0]), RV_ARG(d[1]), RV_ARG(p->size),
                             RV_ARG(p->window), RV_ARG(p->pad), RV_ARG(p->run), RV_FIRST));
}

static rv_status max_backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const plan *p = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    const rv_buffer *y = rv_backward_reads_output(n) ? n->out[0]->buffer : NULL;
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, items(e->device, n->d_in[0])),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer), RV_ARG(y),
                             RV_ARG(n->saved[0]->buffer), RV_ARG(d[0]), RV_ARG(d[1]),
                             RV_ARG(p->size), RV_ARG(p->window), RV_ARG(p->pad), RV_ARG(p->run),
                             RV_ARG(accumulate), RV_ARG(n->slope)));
}

/* Two steps, so that a large plane is summed by many. */
static rv_status global_average(const rv_node *n, const rv_exec *e)
{
    const plan *p = n->priv;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3];
    RV_TRY(rv_launch(e->device, p->parts,
                     rv_grid_items(e->device, rv_lanes_planes(n->out[0]) * (size_t)p->n_parts),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(pixels), RV_ARG(p->n_parts))));
    return rv_launch(e->device, p->global, rv_grid_items(e->device, rv_lanes_planes(n->out[0])),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->workspace), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(pixels), RV_ARG(p->n_parts)));
}

static rv_status average_forward(const rv_node *n, const rv_exec *e)
{
    const plan *p = n->priv;
    const pool_attrs *a = n->attrs;
    const int32_t *d = n->in[0]->shape.dim;
    if (a->global) {
        return global_average(n, e);
    }
    return rv_launch(e->device, p->forward, forward_grid(n, e->device),
                     RV_ARGS(RV_ARG(n->out[0]->buffer), RV_ARG(n->in[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(p->size), RV_ARG(p->window), RV_ARG(p->pad),
                             RV_ARG(a->count_include_pad), RV_ARG(p->run), RV_FIRST));
}

static rv_status average_backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const plan *p = n->priv;
    const pool_attrs *a = n->attrs;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t accumulate = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    return rv_launch(e->device, p->backward, rv_grid_items(e->device, items(e->device, n->d_in[0])),
                     RV_ARGS(RV_ARG(n->d_in[0]->buffer), RV_ARG(n->d_out[0]->buffer), RV_ARG(d[0]),
                             RV_ARG(d[1]), RV_ARG(p->size), RV_ARG(p->window), RV_ARG(p->pad),
                             RV_ARG(a->count_include_pad), RV_ARG(p->run), RV_ARG(accumulate)));
}

const rv_op rv_op_max_pool = {
    .name = "max_pool",
    .summary = "largest value of each window",
    .attrs = attributes + 1,
    .attr_size = sizeof(pool_attrs),
    .traits = RV_OP_SELECTS,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .n_saved = 1,
    .infer = infer,
    .layouts = max_layouts,
    .prepare = max_prepare,
    .forward = max_forward,
    .backward = max_backward,
};

const rv_op rv_op_average_pool = {
    .name = "average_pool",
    .summary = "mean of each window",
    .attrs = attributes,
    .attr_size = sizeof(pool_attrs),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .prepare = average_prepare,
    .forward = average_forward,
    .backward = average_backward,
};
