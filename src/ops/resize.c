/* Resizes plain pictures with an antialiasing filter: over rows, then columns, in one launch. */
/* SPDX-License-Identifier: MIT */
#include "base/cl_host.h"
#include "base/error.h"
#include "ops/op.h"

#include "resize.clh"

typedef struct resize_attrs {
    int32_t height, width, filter;
    float window[4];
} resize_attrs;

static const char *const filters[] = {"lanczos3", "cubic", "linear", "nearest", NULL};

static const rv_attr attributes[] = {
    {"height", RV_ATTR_INT, offsetof(resize_attrs, height), 1, 1, 1, 1 << 20, NULL,
     "rows of the output"},
    {"width", RV_ATTR_INT, offsetof(resize_attrs, width), 1, 1, 1, 1 << 20, NULL,
     "columns of the output"},
    {"filter", RV_ATTR_ENUM, offsetof(resize_attrs, filter), 1, RV_RESIZE_LANCZOS3, 0, 0, filters,
     "what weighs the pixels"},
    {"window", RV_ATTR_FLOAT, offsetof(resize_attrs, window), 4, 0, 0, 1 << 20, NULL,
     "top, left, height, width of the part that fills the output, in pixels of the input; a size "
     "of 0 takes all; pixels around the part still count"},
    {.name = NULL},
};

enum { ROWS, COLUMNS };
enum {
    LEAST_RUN = 128, /* columns of a CPU's work-item: its first one needs a few more at once */
    MIN_GROUPS = 64, /* work-groups that several cores can share evenly */
    HIGH_GPU = 16,   /* HIGH and WIDE of resize.cl */
    WIDE_GPU = 64,
    MAX_GROUPS = 4096 /* along one dimension of a grid */
};

/* One axis: what a table needs to know. */
typedef struct axis {
    int32_t to, from;  /* pixels of output and input */
    int32_t taps;      /* weights per output */
    int32_t back_taps; /* and per pixel of the input in the transposed table */
    int32_t reach;
    float width; /* pixels per unit of the filter: wider when shrinking */
    rv_int4 position;
} axis;

typedef struct plan {
    axis axis[2];
    int32_t planes;
    rv_kernel *table, *transpose, *run;
} plan;

/* --- shapes ---------------------------------------------------------------------------------- */

static rv_status check_window(const rv_node *n, float start, float size, int32_t from)
{
    /* The sum of two floats may pass the edge by its rounding. */
    const double slack = 1e-5 * from;
    if (size == 0.0f && start != 0.0f) {
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': a window from %g on has no size, which is for all of the %d pixels",
                       n->name, (double)start, (int)from);
    }
    if ((double)start + (double)size > from + slack) {
        return rv_fail(RV_ERR_SHAPE,
                       "'%s': a window of %g from %g on does not lie within %d pixels", n->name,
                       (double)size, (double)start, (int)from);
    }
    return RV_OK;
}

static rv_status infer(rv_node *n)
{
    const resize_attrs *a = n->attrs;
    const rv_shape *in = &n->in[0]->shape;
    RV_TRY(rv_node_takes_maps(n));
    RV_TRY(check_window(n, a->window[0], a->window[2], in->dim[2]));
    RV_TRY(check_window(n, a->window[1], a->window[3], in->dim[3]));
    n->out[0]->shape = rv_shape_4(in->dim[0], in->dim[1], a->height, a->width);
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    (void)n;
    in[0] = out[0] = RV_PLAIN;
}

/* --- prepare --------------------------------------------------------------------------------- */

/* Pixels in fixed point, rounded up: a centre that lies on the border of two pixels stays there, and so nearest
 * takes the right one. */
static void split(int32_t out[2], double pixels)
{
    const int64_t fixed = (int64_t)ceil(ldexp(pixels, RV_RESIZE_FRACTION_BITS));
    out[0] = (int32_t)(fixed >> 32);
    out[1] = (int32_t)(uint32_t)fixed;
}

static axis make_axis(int32_t to, int32_t from, float start, float size, int32_t filter)
{
    axis x = {.to = to, .from = from};
    const double rest = (double)from - (double)start;
    const double step = (size > 0.0f && (double)size < rest ? (double)size : rest) / to;
    x.width = step > 1.0 ? (float)step : 1.0f;
    x.reach = rv_resize_reach(filter, x.width);
    x.taps = 2 * x.reach + 1 < from ? 2 * x.reach + 1 : from;
    const double back = ceil((2.0 * x.reach + 1.0) / step) + 1.0;
    x.back_taps = back < to ? (int32_t)back : to;
    split(x.position.s, (double)start);
    split(x.position.s + 2, step / 2.0);
    return x;
}

/* Floats of a table. */
static size_t table_floats(int32_t n, int32_t taps)
{
    return (size_t)n * ((size_t)taps + 2);
}

static size_t both_tables(const plan *p, bool transposed)
{
    size_t floats = 0;
    for (int i = 0; i < 2; i++) {
        const axis *x = &p->axis[i];
        floats += transposed ? table_floats(x->from, x->back_taps) : table_floats(x->to, x->taps);
    }
    return floats;
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const resize_attrs *a = n->attrs;
    const int32_t *d = n->in[0]->shape.dim;
    RV_TRY(rv_node_private(n, sizeof(plan)));
    plan *p = n->priv;
    p->planes = d[0] * d[1];
    p->axis[ROWS] = make_axis(a->height, d[2], a->window[0], a->window[2], a->filter);
    p->axis[COLUMNS] = make_axis(a->width, d[3], a->window[1], a->window[3], a->filter);
    const size_t forward = both_tables(p, false), backward = forward + both_tables(p, true);
    if (backward > INT32_MAX) {
        return rv_fail(RV_ERR_SHAPE, "'%s': resizing from %dx%d to %dx%d takes too many weights",
                       n->name, (int)d[2], (int)d[3], (int)a->height, (int)a->width);
    }
    n->forward_workspace = forward * sizeof(float);
    n->backward_workspace = backward * sizeof(float);
    RV_TRY(rv_kernel_get(&p->table, device, "resize", "resize_table", NULL));
    RV_TRY(rv_kernel_get(&p->transpose, device, "resize", "resize_transpose", NULL));
    return rv_kernel_get(&p->run, device, "resize", "resize_planes", NULL);
}

/* --- run ------------------------------------------------------------------------------------- */

/* Both tables, from the start of the workspace; at[i] is the place of axis i's. */
static rv_status make_tables(const rv_node *n, const rv_exec *e, int32_t at[2])
{
    const plan *p = n->priv;
    const resize_attrs *a = n->attrs;
    at[0] = 0;
    at[1] = (int32_t)table_floats(p->axis[0].to, p->axis[0].taps);
    for (int i = 0; i < 2; i++) {
        const axis *x = &p->axis[i];
        RV_TRY(rv_launch(e->device, p->table, rv_grid_items(e->device, (size_t)x->to),
                         RV_ARGS(RV_ARG(n->workspace), RV_ARG(at[i]), RV_ARG(x->to),
                                 RV_ARG(x->from), RV_ARG(x->taps), RV_ARG(x->reach),
                                 RV_ARG(a->filter), RV_ARG(x->position), RV_ARG(x->width))));
    }
    return RV_OK;
}

/* The transposed tables, behind the tables themselves. */
static rv_status transpose_tables(const rv_node *n, const rv_exec *e, int32_t at[2])
{
    const plan *p = n->priv;
    const int32_t table[2] = {at[0], at[1]};
    at[0] = (int32_t)both_tables(p, false);
    at[1] = at[0] + (int32_t)table_floats(p->axis[0].from, p->axis[0].back_taps);
    for (int i = 0; i < 2; i++) {
        const axis *x = &p->axis[i];
        RV_TRY(rv_launch(e->device, p->transpose, rv_grid_items(e->device, (size_t)x->from),
                         RV_ARGS(RV_ARG(n->workspace), RV_ARG(at[i]), RV_ARG(x->from),
                                 RV_ARG(x->back_taps), RV_ARG(table[i]), RV_ARG(x->to),
                                 RV_ARG(x->taps))));
    }
    return RV_OK;
}

/* y = x resized, or what backward makes of dy, by the tables at `at`. */
static rv_status run(const rv_node *n, const rv_exec *e, rv_tensor *y, const rv_tensor *x,
                     const int32_t at[2], bool back, int32_t accumulate)
{
    const plan *p = n->priv;
    const bool gpu = rv_device_gpu_form(e->device);
    const int32_t b = rv_device_block(e->device), width = y->shape.dim[3];
    const int32_t bands = p->planes * rv_divide_up(y->shape.dim[2], gpu ? HIGH_GPU : b);
    const int32_t share = rv_divide_up(rv_divide_up(width, rv_divide_up(MIN_GROUPS, bands)), b) * b;
    const int32_t run = gpu ? WIDE_GPU : share > LEAST_RUN ? share : LEAST_RUN;
    const size_t groups = (size_t)bands * (size_t)rv_divide_up(width, run);
    const size_t rows = (groups + MAX_GROUPS - 1) / MAX_GROUPS;
    const rv_int4 size = {{y->shape.dim[2], width, x->shape.dim[2], x->shape.dim[3]}};
    const rv_int4 table = {{at[0], at[1], back ? p->axis[0].back_taps : p->axis[0].taps,
                            back ? p->axis[1].back_taps : p->axis[1].taps}};
    return rv_launch(e->device, p->run,
                     rv_grid_groups(rows > 1 ? MAX_GROUPS : groups, rows, 1, gpu ? 256 : 1, 1, 1),
                     RV_ARGS(RV_ARG(y->buffer), RV_ARG(x->buffer), RV_ARG(n->workspace),
                             RV_ARG(p->planes), RV_ARG(size), RV_ARG(table), RV_ARG(run),
                             RV_ARG(accumulate)));
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    int32_t at[2];
    RV_TRY(make_tables(n, e, at));
    return run(n, e, n->out[0], n->in[0], at, false, 0);
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    int32_t at[2];
    RV_TRY(make_tables(n, e, at));
    RV_TRY(transpose_tables(n, e, at));
    return run(n, e, n->d_in[0], n->d_out[0], at, true, (e->accumulate & RV_WANT_INPUT(0)) != 0);
}

const rv_op rv_op_resize = {
    .name = "resize",
    .summary = "resize pictures with an antialiasing filter",
    .attrs = attributes,
    .attr_size = sizeof(resize_attrs),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
