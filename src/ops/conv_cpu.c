/* Algorithms of a convolution on CPUs by direct sums: blocked targets, and plain ones from either layout. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    MAX_SETS = 4,         /* as in conv_cpu.cl */
    CACHE_BYTES = 640000, /* of packed weights in use at a time: most of a second-level cache */
    MIN_GROUPS = 32,      /* work-groups that several cores can share evenly */
    MAX_GROUPS = 65535,   /* in one dimension */
    STRIP = 6144,         /* as in conv_cpu_strips.cl */
    ITEM_PIXELS = 1024    /* of a work-item that does a block of channels alone */
};
/* A work-item that does less is dominated by its launch. */
static const double min_item_flops = 4e6;

/* Direct sums of a pass; a gradient through a stride has fewer, as only some taps meet each value. */
static double flops_of(const rv_conv_geometry *o)
{
    const rv_int4 *outer = o->place.s[2] ? &o->source : &o->target;
    const int32_t channels = o->source.s[1] / o->window.s[2]; /* of a group */
    return 2.0 * outer->s[0] * (double)outer->s[2] * outer->s[3] * o->target.s[1] * channels *
           o->window.s[0] * o->window.s[1];
}

static rv_status run(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o)
{
    const rv_conv_geometry *s = &g->geometry;
    return rv_launch(e->device, g->run, g->run_grid,
                     RV_ARGS(RV_ARG(o->target), RV_ARG(o->source), RV_ARG(o->weights),
                             RV_ARG(o->bias), RV_ARG(s->source), RV_ARG(s->target),
                             RV_ARG(s->window), RV_ARG(s->step), RV_ARG(o->place), RV_ARG(o->slope),
                             RV_ARG(g->work), RV_FIRST));
}

static int32_t run_step(const rv_conv_geometry *o)
{
    return o->place.s[2] ? 1 : o->step.s[1];
}

/* Of rows and columns; 0: they differ. */
static int32_t even_stride(const rv_conv_geometry *o)
{
    return o->step.s[0] == o->step.s[1] ? o->step.s[0] : 0;
}

/* --- blocked target -------------------------------------------------------------------------- */

/* Constants of conv_cpu.cl. */
typedef struct tile {
    int32_t vectors, pixels, lanes, step; /* KV, PX, LANES, STEP */
} tile;

/* Two vectors of target channels share what is read of the source; three where that leaves none over. */
static tile choose_tile(const rv_conv_geometry *o)
{
    const int32_t b = o->target_lanes, blocks = rv_divide_up(o->target.s[1], b);
    const int32_t vectors = blocks == 1 ? 1 : blocks % 2 == 1 && blocks % 3 == 0 ? 3 : 2;
    return (tile){vectors, (b == 16 ? 24 : 12) / vectors, o->source_lanes,
                  o->place.s[2] ? 1 : o->step.s[1]};
}

/* Units (blocks of source channels) that sets from `first` to before `last` read together. */
static int32_t count_units(const rv_conv_geometry *o, const tile *t, int32_t first, int32_t last)
{
    const int32_t source_per_group = o->source.s[1] / o->window.s[2];
    const int32_t target_per_group = o->target.s[1] / o->window.s[2];
    const int32_t width = t->vectors * o->target_lanes;
    const int32_t end = last * width < o->target.s[1] ? last * width : o->target.s[1];
    const int32_t first_unit = first * width / target_per_group * source_per_group / t->lanes;
    const int32_t last_channel = ((end - 1) / target_per_group + 1) * source_per_group;
    return rv_divide_up(last_channel, t->lanes) - first_unit;
}

static int32_t max_units(const rv_conv_geometry *o, const tile *t, int32_t n_sets, int32_t sets)
{
    int32_t most = 0;
    for (int32_t first = 0; first < n_sets; first += sets) {
        const int32_t last = first + sets < n_sets ? first + sets : n_sets;
        const int32_t units = count_units(o, t, first, last);
        most = units > most ? units : most;
    }
    return most;
}

/* As many sets share a gathered panel as their weights fit the cache, in equal parts. */
static int32_t choose_sets(const rv_conv_geometry *o, const tile *t, int32_t n_sets)
{
    const double bytes = (double)count_units(o, t, 0, 1) * t->lanes * o->window.s[0] *
                         o->window.s[1] * t->vectors * o->target_lanes * (double)sizeof(float);
    int32_t most = MAX_SETS;
    while (most > 1 && bytes * most > CACHE_BYTES) {
        most--;
    }
    return rv_divide_up(n_sets, rv_divide_up(n_sets, most));
}

static int32_t count_tiles(const rv_conv_geometry *o, const tile *t)
{
    const int32_t rows = o->place.s[2] ? o->step.s[0] : 1;
    const int32_t columns = o->place.s[2] ? o->step.s[1] : 1;
    const int32_t pixels =
        rv_divide_up(o->target.s[2], rows) * rows * rv_divide_up(o->target.s[3], columns) * columns;
    return rv_divide_up(o->target.s[0] * pixels, t->pixels);
}

/* Tiles per work-item: enough to do, but groups enough for all cores. */
static int32_t choose_per_item(double tile_flops, int32_t tiles, int32_t all_groups)
{
    const double wanted = min_item_flops / tile_flops + 1;
    const int32_t most = all_groups / MIN_GROUPS > 1 ? all_groups / MIN_GROUPS : 1;
    const int32_t least = rv_divide_up(tiles, MAX_GROUPS);
    const int32_t n = wanted < most ? (int32_t)wanted : most;
    return n > least ? n : least;
}

/* Where each pixel meets one of the source, the map counts as one row, so that no tile crosses the end of one. */
static void flatten(rv_conv_geometry *o)
{
    const bool same = o->source.s[2] == o->target.s[2] && o->source.s[3] == o->target.s[3];
    if (same && (o->window.s[0] | o->window.s[1]) == 1 && (o->step.s[0] | o->step.s[1]) == 1 &&
        (o->place.s[0] | o->place.s[1]) == 0) {
        o->source.s[3] *= o->source.s[2];
        o->target.s[3] = o->source.s[3];
        o->source.s[2] = o->target.s[2] = 1;
    }
}

static rv_status prepare_blocked(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    flatten(&g->geometry);
    const rv_conv_geometry *o = &g->geometry;
    const tile t = choose_tile(o);
    const int32_t n_sets = rv_divide_up(o->target.s[1], t.vectors * o->target_lanes);
    const int32_t sets = choose_sets(o, &t, n_sets), chunks = rv_divide_up(n_sets, sets);
    const int32_t tiles = count_tiles(o, &t);
    const int32_t channels = o->source.s[1] / o->window.s[2];
    const double flops = 2.0 * t.pixels * sets * t.vectors * o->target_lanes * channels *
                         o->window.s[0] * o->window.s[1];
    const int32_t per_item = choose_per_item(flops, tiles, tiles * chunks);
    const int32_t units = max_units(o, &t, n_sets, sets);
    const size_t rows = (size_t)n_sets * (size_t)units * (size_t)t.lanes * (size_t)o->window.s[0] *
                        (size_t)o->window.s[1];
    g->work =
        (rv_int4){{per_item, sets, units, (int32_t)(*packed_floats / (size_t)o->target_lanes)}};
    g->packed_floats = rows * (size_t)(t.vectors * o->target_lanes);
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, rows);
    g->run_grid = rv_grid_cut(
        rv_grid_groups((size_t)rv_divide_up(tiles, per_item), (size_t)chunks, 1, 1, 1, 1), 0,
        flops_of(o));
    char defines[64];
    snprintf(defines, sizeof defines, "-DKV=%d -DPX=%d -DLANES=%d -DSTEP=%d", (int)t.vectors,
             (int)t.pixels, (int)t.lanes, (int)t.step);
    RV_TRY(rv_kernel_get(&g->pack, device, "conv_cpu", "conv_cpu_pack", defines));
    return rv_kernel_get(&g->run, device, "conv_cpu", "conv_cpu_gather", defines);
}

static bool suits_blocked(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    return !rv_device_gpu_form(device) && g->geometry.target_lanes > 1;
}

static rv_status run_blocked(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o)
{
    const rv_conv_geometry *s = &g->geometry;
    return rv_launch(e->device, g->run, g->run_grid,
                     RV_ARGS(RV_ARG(o->target), RV_ARG(o->source), RV_ARG(o->weights),
                             RV_ARG(o->bias), RV_ARG(s->source), RV_ARG(s->target),
                             RV_ARG(s->window), RV_ARG(s->step), RV_ARG(o->place), RV_ARG(o->slope),
                             RV_ARG(g->work), RV_ARG(o->apart), RV_FIRST));
}

const rv_conv_algorithm rv_conv_blocked = {"blocked", suits_blocked, NULL, prepare_blocked,
                                           run_blocked};

/* --- plain source, blocked target ------------------------------------------------------------ */

/* Target pixels at a time, as many tiles as their strip of the source has room for; 0: not one. */
static int32_t count_stretch(const rv_conv_geometry *o, const tile *t)
{
    const int32_t span = (o->window.s[1] - 1) * o->step.s[3];
    const int32_t columns = STRIP / (o->source.s[1] * o->window.s[0]) - span - 1;
    const int32_t tiles = columns < 0 ? 0 : (columns / t->step + 1) / t->pixels;
    return tiles * t->pixels;
}

static rv_status prepare_strips(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    const rv_conv_geometry *o = &g->geometry;
    const tile t = choose_tile(o);
    const int32_t stretch = count_stretch(o, &t), rows = o->target.s[0] * o->target.s[2];
    const int32_t sets = rv_divide_up(o->target.s[1], t.vectors * o->target_lanes);
    const size_t weights =
        (size_t)sets * (size_t)o->source.s[1] * (size_t)o->window.s[0] * (size_t)o->window.s[1];
    const int32_t per_item = choose_per_item(flops_of(o) / rows, rows, rows);
    g->work = (rv_int4){
        {per_item, stretch, o->source.s[1], (int32_t)(*packed_floats / (size_t)o->target_lanes)}};
    g->packed_floats = weights * (size_t)(t.vectors * o->target_lanes);
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, weights);
    g->run_grid = rv_grid_cut(rv_grid_groups((size_t)rv_divide_up(rows, per_item), 1, 1, 1, 1, 1),
                              0, flops_of(o));
    char defines[64];
    snprintf(defines, sizeof defines, "-DKV=%d -DPX=%d -DSTEP=%d", (int)t.vectors, (int)t.pixels,
             (int)t.step);
    RV_TRY(rv_kernel_get(&g->run, device, "conv_cpu_strips", "conv_cpu_strips_gather", defines));
    return rv_kernel_get(&g->pack, device, "conv_cpu_strips", "conv_cpu_pack", defines);
}

static bool suits_strips(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    const rv_conv_geometry *o = &g->geometry;
    if (!suits_blocked(g, n, device) || o->source_lanes > 1 || o->window.s[2] > 1 ||
        (o->place.s[2] && (o->step.s[0] | o->step.s[1]) != 1)) {
        return false;
    }
    const tile t = choose_tile(o);
    return count_stretch(o, &t) > 0;
}

const rv_conv_algorithm rv_conv_strips = {"strips", suits_strips, NULL, prepare_strips, run};

/* --- channel by channel ---------------------------------------------------------------------- */

static rv_status prepare_depthwise(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    const rv_conv_geometry *o = &g->geometry;
    const int32_t b = o->target_lanes, blocks = rv_divide_up(o->target.s[1], b);
    const int32_t all = o->target.s[0] * blocks * o->target.s[2];
    const int32_t per_item =
        choose_per_item(min_item_flops / ITEM_PIXELS * o->target.s[3], all, all);
    const size_t rows = (size_t)blocks * (size_t)o->window.s[0] * (size_t)o->window.s[1];
    g->work = (rv_int4){{per_item, 0, 0, (int32_t)(*packed_floats / (size_t)b)}};
    g->packed_floats = rows * (size_t)b;
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, rows);
    g->run_grid = rv_grid_cut(rv_grid_groups((size_t)rv_divide_up(all, per_item), 1, 1, 1, 1, 1), 0,
                              flops_of(o) * b);
    static const char file[] = "conv_cpu_depthwise";
    char defines[16];
    snprintf(defines, sizeof defines, "-DSTEP=%d", (int)run_step(o));
    RV_TRY(rv_kernel_get(&g->pack, device, file, "conv_cpu_depthwise_pack", defines));
    return rv_kernel_get(&g->run, device, file, "conv_cpu_depthwise_gather", defines);
}

static bool suits_depthwise(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    const rv_conv_geometry *o = &g->geometry;
    return suits_blocked(g, n, device) && rv_conv_is_depthwise(o);
}

const rv_conv_algorithm rv_conv_channels = {"channels", suits_depthwise, NULL, prepare_depthwise,
                                            run};

/* --- plain target ---------------------------------------------------------------------------- */

/* Of tiles that lie in one row (conv_rows.clh), as many per work-item as make it worth a launch. */
static int32_t row_tiles(const rv_conv_geometry *o, int32_t pixels, int32_t *per_item)
{
    const int32_t apart = o->place.s[2] ? o->step.s[1] : 1;
    const int32_t tiles =
        o->target.s[0] * o->target.s[2] * rv_divide_up(o->target.s[3], apart * pixels) * apart;
    const int32_t channels = o->source.s[1] / o->window.s[2];
    const double flops = 2.0 * pixels * o->target.s[1] * channels * o->window.s[0] * o->window.s[1];
    *per_item = choose_per_item(flops, tiles, tiles);
    return rv_divide_up(tiles, *per_item);
}

static rv_status prepare_thin(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    const rv_conv_geometry *o = &g->geometry;
    const int32_t b = o->source_lanes, k = o->target.s[1], pixels = (b == 16 ? 24 : 12) / k;
    const size_t rows = (size_t)rv_divide_up(o->source.s[1], b) * (size_t)o->window.s[0] *
                        (size_t)o->window.s[1] * (size_t)k;
    int32_t per_item;
    const int32_t groups = row_tiles(o, pixels, &per_item);
    g->work = (rv_int4){{per_item, 0, 0, (int32_t)(*packed_floats / (size_t)b)}};
    g->packed_floats = rows * (size_t)b;
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, rows);
    g->run_grid = rv_grid_cut(rv_grid_groups((size_t)groups, 1, 1, 1, 1, 1), 0, flops_of(o));
    char defines[64];
    snprintf(defines, sizeof defines, "-DKT=%d -DPX=%d -DSTEP=%d -DSTRIDE=%d", (int)k, (int)pixels,
             (int)run_step(o), (int)even_stride(o));
    RV_TRY(rv_kernel_get(&g->pack, device, "conv_cpu_thin", "conv_cpu_thin_pack", defines));
    return rv_kernel_get(&g->run, device, "conv_cpu_thin", "conv_cpu_thin_gather", defines);
}

static bool suits_thin(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    return !rv_device_gpu_form(device) && g->geometry.target_lanes == 1 &&
           g->geometry.source_lanes > 1;
}

const rv_conv_algorithm rv_conv_thin = {"thin", suits_thin, NULL, prepare_thin, run};

static rv_status prepare_plain(rv_conv_gather *g, rv_device *device, size_t *packed_floats)
{
    (void)packed_floats; /* reads the weights as they are */
    const rv_conv_geometry *o = &g->geometry;
    const int32_t k = o->target.s[1] / o->window.s[2], vectors = k < 3 ? 4 : 2;
    int32_t per_item;
    const int32_t groups = row_tiles(o, vectors * rv_device_block(device), &per_item);
    g->work = (rv_int4){{per_item, 0, 0, 0}};
    g->run_grid = rv_grid_cut(rv_grid_groups((size_t)groups, (size_t)o->window.s[2], 1, 1, 1, 1), 0,
                              flops_of(o));
    char defines[64];
    snprintf(defines, sizeof defines, "-DKT=%d -DNV=%d -DSTEP=%d", (int)k, (int)vectors,
             (int)run_step(o));
    return rv_kernel_get(&g->run, device, "conv_cpu_plain", "conv_cpu_plain_gather", defines);
}

static bool suits_plain(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    (void)n;
    return !rv_device_gpu_form(device) && g->geometry.target_lanes == 1 &&
           g->geometry.source_lanes == 1;
}

const rv_conv_algorithm rv_conv_plain = {"plain", suits_plain, NULL, prepare_plain, run};
