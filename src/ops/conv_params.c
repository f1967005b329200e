/* Gradients of a convolution's weights and bias: partial sums over parts of the output rows, added up. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    WEIGHT = 0,
    BIAS = 1,
    MIN_ITEMS = 4096, /* work-items that keep a device busy */
    MIN_PIXELS = 256, /* that a part should sum up */
    MIN_GROUPS = 32,  /* work-groups that several cores can share evenly */
    MAX_PARTS = 64,   /* for the cache's sake: each takes workspace */
    MIN_COLUMNS = 64, /* of an output row, where rows can be joined */
    CACHE_BYTES =
        512 * 1024,          /* of input and gradient in use at a time: half a second-level cache */
    CHUNK_BYTES = 192 * 1024 /* and of those a work-item reads again for each tap */
};

/* Depends on shapes only, so that the order of the sums does. */
static int32_t choose_parts(const rv_conv_geometry *o, size_t sums)
{
    const size_t rows = (size_t)o->target.s[0] * (size_t)o->target.s[2];
    const size_t pixels = rows * (size_t)o->target.s[3];
    const size_t wanted = MIN_ITEMS / sums + 1;
    const size_t most = pixels / MIN_PIXELS + 1 < rows ? pixels / MIN_PIXELS + 1 : rows;
    return (int32_t)(wanted < most ? wanted : most);
}

/* --- CPU form, blocked output ---------------------------------------------------------------- */

/* Constants of conv_cpu_params.cl. */
typedef struct tile {
    int32_t lanes, vectors, span, strips; /* LANES, KV, SPAN, STRIPS */
} tile;

static tile choose_tile(const rv_conv_geometry *o)
{
    const int32_t b = o->target_lanes, blocks = rv_divide_up(o->target.s[1], b);
    const int32_t sums = b == 16 ? 24 : 12; /* in registers */
    tile t = {o->source_lanes, 2, 1, 1};
    if (blocks % 2 == 1) {
        t.vectors = blocks % 3 == 0 && b == 16 ? 3 : blocks == 1 ? 1 : 2;
    }
    if (t.lanes == 1) {
        t.vectors = blocks == 1 ? 1 : 2;
        for (int32_t i = 1; i <= o->window.s[1] && i * t.vectors <= sums; i++) {
            t.span = o->window.s[1] % i == 0 ? i : t.span;
        }
        const int32_t all = o->source.s[1] * o->window.s[0] * (o->window.s[1] / t.span);
        const int32_t turns = rv_divide_up(all, sums / (t.vectors * t.span));
        t.strips = rv_divide_up(all, turns);
    }
    return t;
}

/* Units of source channels, at most, that a set of output channels reads. */
static int32_t count_units(const rv_conv_geometry *o, const tile *t)
{
    const int32_t source_per_group = o->source.s[1] / o->window.s[2];
    const int32_t target_per_group = o->target.s[1] / o->window.s[2];
    const int32_t width = t->vectors * o->target_lanes;
    int32_t most = 1;
    for (int32_t k = 0; k < o->target.s[1] && t->lanes > 1; k += width) {
        const int32_t end = k + width < o->target.s[1] ? k + width : o->target.s[1];
        const int32_t last_channel = ((end - 1) / target_per_group + 1) * source_per_group;
        const int32_t units = rv_divide_up(last_channel, t->lanes) -
                              k / target_per_group * source_per_group / t->lanes;
        most = units > most ? units : most;
    }
    return most;
}

/* A part of the rows stays in the second-level cache while all taps read it, a chunk of them in the first. */
static void choose_work(rv_conv_params *p, const tile *t, int32_t units, int32_t sets)
{
    const rv_conv_geometry *o = &p->geometry;
    const int32_t rows = o->target.s[0] * o->target.s[2];
    const double source_lanes = t->lanes > 1 ? t->lanes : o->source.s[1];
    const double row_bytes = ((double)o->target.s[3] * t->vectors * o->target_lanes +
                              (double)o->source.s[3] * o->step.s[0] * source_lanes) *
                             (double)sizeof(float);
    const double fitting = rows * row_bytes / CACHE_BYTES + 1;
    const double by_cache = fitting < MAX_PARTS ? fitting : MAX_PARTS;
    const double by_groups = (double)MIN_GROUPS / ((double)units * sets) + 1;
    const double wanted = by_cache > by_groups ? by_cache : by_groups;
    const double chunk = CHUNK_BYTES / row_bytes;
    p->weight_parts = wanted < rows ? (int32_t)wanted : rows;
    p->work = (rv_int4){{p->weight_parts,
                         chunk < 1      ? 1
                         : chunk < rows ? (int32_t)chunk
                                        : rows,
                         units, 0}};
    const double flops = 2.0 * rows * o->target.s[3] * o->target.s[1] * o->source.s[1] *
                         o->window.s[0] * o->window.s[1] / o->window.s[2];
    p->weight_grid = rv_grid_cut(
        rv_grid_groups((size_t)units, (size_t)sets, (size_t)p->weight_parts, 1, 1, 1), 2, flops);
}

/* Channel by channel: units and sets are the same blocks. */
static rv_status prepare_depthwise(rv_conv_params *p, rv_device *device, int32_t blocks)
{
    const rv_conv_geometry *o = &p->geometry;
    const size_t sums = (size_t)blocks * (size_t)(o->window.s[0] * o->window.s[1]);
    const tile t = {.lanes = o->source_lanes, .vectors = 1};
    choose_work(p, &t, 1, blocks);
    p->weight_grid = rv_grid_groups((size_t)blocks, 1, (size_t)p->weight_parts, 1, 1, 1);
    p->weight_floats = (size_t)p->weight_parts * sums * (size_t)o->target_lanes;
    p->sum_grid = rv_grid_items(device, sums);
    static const char file[] = "conv_cpu_depthwise";
    RV_TRY(rv_kernel_get(&p->weight, device, file, "conv_cpu_depthwise_weight", NULL));
    return rv_kernel_get(&p->sum, device, file, "conv_cpu_depthwise_sum", NULL);
}

/* Where each output pixel meets one of the input, rows count as one that are so few that they end too soon. */
static void join_rows(rv_conv_geometry *o)
{
    const bool same = o->source.s[2] == o->target.s[2] && o->source.s[3] == o->target.s[3];
    const int32_t rows = o->target.s[2], columns = o->target.s[3];
    if (!same || (o->window.s[0] | o->window.s[1]) != 1 || (o->step.s[0] | o->step.s[1]) != 1 ||
        (o->place.s[0] | o->place.s[1]) != 0) {
        return;
    }
    int32_t joined = 1;
    for (int32_t i = 1; i <= rows && joined * columns < MIN_COLUMNS; i++) {
        joined = rows % i == 0 ? i : joined;
    }
    o->source.s[2] = o->target.s[2] = rows / joined;
    o->source.s[3] = o->target.s[3] = columns * joined;
}

static rv_status prepare_tiles(rv_conv_params *p, rv_device *device, int32_t blocks)
{
    const rv_conv_geometry *o = &p->geometry;
    const tile t = choose_tile(o);
    const int32_t units = count_units(o, &t), sets = rv_divide_up(blocks, t.vectors);
    const size_t taps = (size_t)o->window.s[0] * (size_t)o->window.s[1];
    const size_t lanes = (size_t)(t.lanes > 1 ? t.lanes : o->source.s[1]);
    choose_work(p, &t, units, sets);
    p->weight_floats = (size_t)p->weight_parts * (size_t)sets * (size_t)units * lanes * taps *
                       (size_t)(t.vectors * o->target_lanes);
    p->sum_grid = rv_grid_items(device, (size_t)sets * (size_t)units * (size_t)t.vectors);
    static const char file[] = "conv_cpu_params";
    char defines[80];
    snprintf(defines, sizeof defines, "-DLANES=%d -DKV=%d -DSPAN=%d -DSTRIPS=%d", (int)t.lanes,
             (int)t.vectors, (int)t.span, (int)t.strips);
    RV_TRY(rv_kernel_get(&p->weight, device, file, "conv_cpu_params_weight", defines));
    return rv_kernel_get(&p->sum, device, file, "conv_cpu_params_sum", defines);
}

static rv_status prepare_blocked(rv_conv_params *p, rv_device *device)
{
    join_rows(&p->geometry);
    const rv_conv_geometry *o = &p->geometry;
    const int32_t blocks = rv_divide_up(o->target.s[1], o->target_lanes);
    const int32_t rows = o->target.s[0] * o->target.s[2];
    const int32_t parts = rv_divide_up(MIN_GROUPS, blocks);
    RV_TRY(rv_conv_is_depthwise(o) ? prepare_depthwise(p, device, blocks)
                                   : prepare_tiles(p, device, blocks));
    p->bias_parts = parts < rows ? parts : rows;
    p->bias_floats = (size_t)p->bias_parts * (size_t)(blocks * o->target_lanes);
    static const char file[] = "conv_cpu_params";
    RV_TRY(rv_kernel_get(&p->bias, device, file, "conv_cpu_params_bias", NULL));
    return rv_kernel_get(&p->bias_sum, device, file, "conv_cpu_params_bias_sum", NULL);
}

/* Where sums for the bias lie in the workspace, in vectors, that the weights' kernel makes on the way: each row of the
 * gradient is in a cache then. */
static int32_t bias_place(const rv_conv_params *p)
{
    return (int32_t)(p->weight_floats / (size_t)p->geometry.target_lanes);
}

static rv_status weight_blocked(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                                bool accumulate)
{
    const rv_conv_geometry *o = &p->geometry;
    const int32_t bias_at = (n->wanted & RV_WANT_PARAM(BIAS)) != 0 ? bias_place(p) : -1;
    RV_TRY(rv_launch(e->device, p->weight, p->weight_grid,
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->d_out[0]->buffer), RV_ARG(o->source), RV_ARG(o->target),
                             RV_ARG(o->window), RV_ARG(o->step), RV_ARG(o->place), RV_ARG(p->work),
                             RV_FIRST, RV_ARG(bias_at))));
    return rv_launch(e->device, p->sum, p->sum_grid,
                     RV_ARGS(RV_ARG(n->d_param[WEIGHT]->buffer), RV_ARG(n->workspace),
                             RV_ARG(o->source), RV_ARG(o->target), RV_ARG(o->window),
                             RV_ARG(p->work), RV_ARG((int32_t)accumulate)));
}

/* @param summed  the weights' kernel has made the sums of the parts. */
static rv_status bias_blocked(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                              bool accumulate, bool summed)
{
    const rv_conv_geometry *o = &p->geometry;
    const size_t blocks = (size_t)rv_divide_up(o->target.s[1], o->target_lanes);
    const int32_t parts = summed ? p->weight_parts : p->bias_parts;
    const int32_t at = summed ? bias_place(p) : 0;
    if (!summed) {
        RV_TRY(rv_launch(
            e->device, p->bias, rv_grid_groups(blocks, (size_t)p->bias_parts, 1, 1, 1, 1),
            RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(o->target))));
    }
    return rv_launch(e->device, p->bias_sum, rv_grid_items(e->device, blocks),
                     RV_ARGS(RV_ARG(n->d_param[BIAS]->buffer), RV_ARG(n->workspace),
                             RV_ARG(o->target.s[1]), RV_ARG(parts), RV_ARG(at),
                             RV_ARG((int32_t)accumulate)));
}

/* --- one value at a time --------------------------------------------------------------------- */

static rv_status prepare_values(rv_conv_params *p, const rv_node *n, rv_device *device)
{
    const size_t weights = rv_shape_count(&n->param[WEIGHT]->shape);
    const size_t channels = (size_t)p->geometry.target.s[1];
    p->weight_parts = choose_parts(&p->geometry, weights);
    p->weight_grid = rv_grid_items(device, weights * (size_t)p->weight_parts);
    p->bias_parts = choose_parts(&p->geometry, channels);
    p->weight_floats = weights * (size_t)p->weight_parts;
    p->bias_floats = channels * (size_t)p->bias_parts;
    RV_TRY(rv_kernel_get(&p->weight, device, "conv_params", "conv_params_weight", NULL));
    RV_TRY(rv_kernel_get(&p->bias, device, "conv_params", "conv_params_bias", NULL));
    return rv_kernel_get(&p->sum, device, "conv_params", "conv_params_sum", NULL);
}

static rv_status sum_up(const rv_conv_params *p, const rv_node *n, const rv_exec *e, int param,
                        int32_t parts, bool accumulate)
{
    const rv_tensor *gradient = n->d_param[param];
    const size_t count = rv_shape_count(&gradient->shape);
    return rv_launch(e->device, p->sum, rv_grid_items(e->device, count),
                     RV_ARGS(RV_ARG(gradient->buffer), RV_ARG(n->workspace), RV_ARG((int32_t)count),
                             RV_ARG(parts), RV_ARG((int32_t)accumulate)));
}

/* --- all ------------------------------------------------------------------------------------- */

rv_status rv_conv_params_prepare(rv_conv_params *p, const rv_node *n, rv_device *device)
{
    p->geometry = rv_conv_geometry_of(n, false);
    const bool gpu = rv_device_gpu_form(device);
    if (!gpu && p->geometry.target_lanes > 1) {
        RV_TRY(prepare_blocked(p, device));
    } else {
        RV_TRY(prepare_values(p, n, device));
    }
    if (gpu && rv_conv_gpu_params_suits(&p->geometry)) {
        RV_TRY(rv_conv_gpu_params_prepare(p, device));
    }
    const bool weight = (n->wanted & RV_WANT_PARAM(WEIGHT)) != 0;
    const size_t bias = (n->wanted & RV_WANT_PARAM(BIAS)) != 0 ? p->bias_floats : 0;
    const size_t blocks = (size_t)rv_divide_up(p->geometry.target.s[1], p->geometry.target_lanes);
    const size_t along = bias > 0 && p->bias_sum != NULL
                             ? blocks * (size_t)p->weight_parts * (size_t)p->geometry.target_lanes
                             : 0;
    const size_t floats = weight ? p->weight_floats + along : 0;
    p->workspace_bytes = (floats > bias ? floats : bias) * sizeof(float);
    return RV_OK;
}

static rv_status weight_values(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                               bool accumulate)
{
    const rv_conv_geometry *o = &p->geometry;
    if (p->gpu_weight != NULL) {
        return rv_conv_gpu_params_weight(p, n, e, accumulate);
    }
    RV_TRY(rv_launch(e->device, p->weight, p->weight_grid,
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->in[0]->buffer),
                             RV_ARG(n->d_out[0]->buffer), RV_ARG(o->source), RV_ARG(o->target),
                             RV_ARG(o->window), RV_ARG(o->step), RV_ARG(o->place),
                             RV_ARG(o->source_lanes), RV_ARG(o->target_lanes),
                             RV_ARG(p->weight_parts))));
    return sum_up(p, n, e, WEIGHT, p->weight_parts, accumulate);
}

static rv_status bias_values(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                             bool accumulate)
{
    const rv_conv_geometry *o = &p->geometry;
    if (p->gpu_bias != NULL) {
        RV_TRY(rv_conv_gpu_params_bias(p, n, e));
        return sum_up(p, n, e, BIAS, p->bias_parts, accumulate);
    }
    const size_t items = (size_t)o->target.s[1] * (size_t)p->bias_parts;
    RV_TRY(rv_launch(e->device, p->bias, rv_grid_items(e->device, items),
                     RV_ARGS(RV_ARG(n->workspace), RV_ARG(n->d_out[0]->buffer), RV_ARG(o->target),
                             RV_ARG(o->target_lanes), RV_ARG(p->bias_parts))));
    return sum_up(p, n, e, BIAS, p->bias_parts, accumulate);
}

rv_status rv_conv_params_run(const rv_conv_params *p, const rv_node *n, const rv_exec *e,
                             uint32_t wanted)
{
    const bool weight = (wanted & RV_WANT_PARAM(WEIGHT)) != 0;
    const bool bias = (wanted & RV_WANT_PARAM(BIAS)) != 0, blocked = p->bias_sum != NULL;
    const bool add_weight = (e->accumulate & RV_WANT_PARAM(WEIGHT)) != 0;
    const bool add_bias = (e->accumulate & RV_WANT_PARAM(BIAS)) != 0;
    if (weight) {
        RV_TRY(blocked ? weight_blocked(p, n, e, add_weight) : weight_values(p, n, e, add_weight));
    }
    if (!bias) {
        return RV_OK;
    }
    return blocked ? bias_blocked(p, n, e, add_bias, weight) : bias_values(p, n, e, add_bias);
}
