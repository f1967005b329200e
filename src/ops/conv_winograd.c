/* Winograd's algorithms of a convolution on CPUs, F(4x4,3x3) and F(2x2,3x3): all in one launch, or in three steps; and
 * F(2x2,5x5) in one. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "ops/conv.h"

#include <stdio.h>

enum {
    SOURCE_UNITS = 8,  /* as in conv_cpu_winograd.cl */
    TARGET_SETS = 8,   /* as there */
    MIN_CHANNELS = 16, /* with fewer, transforms take more time than products save */
    FEW_PANELS = 2,
    PANELS_PER_CORE = 4,      /* that cores can share evenly; with fewer they share points */
    WEIGHT_BYTES = 16 << 20,  /* that stay in the last cache, while each panel needs all of them */
    SOURCE_BYTES = 512 << 10, /* of a panel, that stay in the second-level cache */
    ITEMS_PER_CORE = 288,     /* of a step: a core that was held up leaves more to the others */
    CHUNK = 12,               /* panels that share a pass over the weights in three steps */
    PANELS_PER_GROUP = 8,     /* in one launch, as far as there are */
    LEAST_GROUPS = 4,         /* this many per core, */
    MOST_GROUPS = 16          /* and no more than these */
};
/* Counted as direct convolution: a launch that does more could hold up a display or Ctrl-C. */
static const double max_launch_flops = 4e10;

/* Sizes of one use, in floatB where not said otherwise. */
typedef struct sizes {
    int32_t vectors, pixels;             /* KV, PX */
    int32_t points, units, sets, panels; /* numbers */
    int32_t source, product;             /* of a panel, and of a panel and set */
} sizes;

/* Vectors of target channels that share what is read of the source: two, or so many that none is left over. Layers of 5x5
 * are small: a program of its own would take longer than it saves. */
static int32_t count_vectors(const rv_conv_geometry *o)
{
    const int32_t blocks = rv_divide_up(o->target.s[1], o->target_lanes);
    return o->window.s[0] == 3 && (blocks == 1 || blocks == 3) ? blocks : 2;
}

static sizes sizes_of(const rv_conv_geometry *o, int32_t out)
{
    const int32_t b = o->target_lanes, in = out + o->window.s[0] - 1;
    const int32_t vectors = count_vectors(o);
    const int32_t px = (b == 16 ? 24 : 12) / vectors;
    const int32_t tiles =
        o->target.s[0] * rv_divide_up(o->target.s[2], out) * rv_divide_up(o->target.s[3], out);
    sizes s = {.vectors = vectors,
               .pixels = px,
               .points = in * in,
               .units = rv_divide_up(o->source.s[1], b),
               .sets = rv_divide_up(o->target.s[1], vectors * b),
               .panels = rv_divide_up(tiles, px)};
    s.source = s.points * (s.units * px | 1);
    s.product = s.points * (px * vectors + 1);
    return s;
}

/* --- what suits, and what pays --------------------------------------------------------------- */

/* @param exact  as F(2x2,3x3) is */
static bool suits(const rv_conv_gather *g, const rv_node *n, const rv_device *device,
                  int32_t window, bool exact)
{
    const rv_conv_geometry *o = &g->geometry;
    const rv_winograd wanted = rv_device_winograd(device);
    const bool allowed = wanted == RV_WINOGRAD_AUTO
                             ? exact || n->mode == RV_INFER
                             : wanted == (exact ? RV_WINOGRAD_F2 : RV_WINOGRAD_F4);
    return allowed && o->source_lanes > 1 && o->target_lanes > 1 && o->window.s[0] == window &&
           o->window.s[1] == window && o->window.s[2] == 1 &&
           (o->step.s[0] | o->step.s[1] | o->step.s[2] | o->step.s[3]) == 1;
}

bool rv_conv_winograd_suits(const rv_conv_gather *g, const rv_node *n, const rv_device *device,
                            int32_t out)
{
    return suits(g, n, device, 3, out == 2);
}

static bool suits_5x5(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    return !rv_device_gpu_form(device) && suits(g, n, device, 5, false);
}

static bool suits_f4(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    return !rv_device_gpu_form(device) && rv_conv_winograd_suits(g, n, device, 4);
}

static bool suits_f2(const rv_conv_gather *g, const rv_node *n, const rv_device *device)
{
    return !rv_device_gpu_form(device) && rv_conv_winograd_suits(g, n, device, 2);
}

static double weight_bytes(const rv_conv_geometry *o, const sizes *s)
{
    return (double)s->points * s->units * s->sets * s->vectors * o->target_lanes * o->target_lanes *
           (double)sizeof(float);
}

/* The limits are measured on cores with 512-bit vectors; the tuning table knows others better. */
static bool pays(const rv_conv_gather *g, const rv_device *device, int32_t out, bool steps)
{
    const rv_conv_geometry *o = &g->geometry;
    const sizes s = sizes_of(o, out);
    const int32_t from = o->source.s[1], to = o->target.s[1];
    const double source_bytes = (double)s.source * o->source_lanes * (double)sizeof(float);
    const bool heavy = weight_bytes(o, &s) > WEIGHT_BYTES;
    const bool few = s.panels < PANELS_PER_CORE * rv_device_get_info(device)->compute_units;
    /* Reading the weights of F(4x4,3x3) would take longer than computing with those of F(2x2,3x3). */
    const bool lean = out == 4 && heavy && s.panels <= FEW_PANELS &&
                      rv_device_winograd(device) == RV_WINOGRAD_AUTO;
    return from >= MIN_CHANNELS && to >= MIN_CHANNELS && !lean &&
           (heavy || few || source_bytes > SOURCE_BYTES) == steps;
}

/* --- both ways ------------------------------------------------------------------------------- */

static rv_status get_kernel(rv_kernel **kernel, const rv_conv_gather *g, rv_device *device,
                            const char *name, int32_t out)
{
    char defines[48];
    snprintf(defines, sizeof defines, "-DOUT=%d -DWINDOW=%d -DKV=%d", (int)out,
             (int)g->geometry.window.s[0], (int)sizes_of(&g->geometry, out).vectors);
    return rv_kernel_get(kernel, device, "conv_cpu_winograd", name, defines);
}

/* Weights, and scratch memory for transformed sources and products. */
static rv_status prepare(rv_conv_gather *g, rv_device *device, size_t *packed_floats, int32_t out,
                         size_t sources, size_t products)
{
    const sizes s = sizes_of(&g->geometry, out);
    const size_t b = (size_t)g->geometry.target_lanes, vector = b * sizeof(float);
    const size_t rows = (size_t)s.sets * (size_t)s.units * b * (size_t)s.vectors;
    const size_t offset = (g->workspace_bytes + vector - 1) / vector;
    g->packed_floats = rows * (size_t)s.points * b;
    g->work.s[2] = s.units;
    g->work.s[3] = (int32_t)(*packed_floats / b);
    *packed_floats += g->packed_floats;
    g->pack_grid = rv_grid_items(device, rows);
    g->scratch[0] = (int32_t)offset;
    g->scratch[1] = (int32_t)(offset + sources);
    /* The last vector of a row of products is not used. */
    g->workspace_bytes = (offset + sources + products - 1) * vector;
    return get_kernel(&g->pack, g, device, "conv_cpu_winograd_pack", out);
}

static rv_int4 range_of(const rv_conv_gather *g, int32_t first, int32_t last)
{
    return (rv_int4){{first, last, g->scratch[0], g->scratch[1]}};
}

/* --- all in one launch ----------------------------------------------------------------------- */

/* Enough to share the work evenly among cores; each takes scratch memory and has to find its way into the source. */
static int32_t count_groups(const sizes *s, const rv_device *device)
{
    const int32_t cores = rv_device_get_info(device)->compute_units;
    const int32_t least = LEAST_GROUPS * cores, most = MOST_GROUPS * cores;
    const int32_t wanted = s->panels / PANELS_PER_GROUP;
    const int32_t n = wanted < least ? least : wanted < most ? wanted : most;
    return n < s->panels ? n : s->panels;
}

static rv_status prepare_fused(rv_conv_gather *g, rv_device *device, size_t *packed_floats,
                               int32_t out)
{
    const sizes s = sizes_of(&g->geometry, out);
    const size_t groups = (size_t)count_groups(&s, device);
    g->run_grid = rv_grid_groups(groups, 1, 1, 1, 1, 1);
    RV_TRY(prepare(g, device, packed_floats, out, groups * (size_t)s.source,
                   groups * (size_t)s.product));
    return get_kernel(&g->run, g, device, "conv_cpu_winograd_fused", out);
}

static rv_status run_fused(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o,
                           int32_t out)
{
    const rv_conv_geometry *s = &g->geometry;
    const int32_t panels = sizes_of(s, out).panels, groups = (int32_t)g->run_grid.global[0];
    const double flops = 2.0 * s->window.s[0] * s->window.s[1] * s->source.s[1] *
                         (double)s->target.s[0] * s->target.s[1] * s->target.s[2] * s->target.s[3];
    const int32_t launches = (int32_t)(flops / max_launch_flops) + 1;
    const int32_t each = rv_divide_up(panels, launches);
    for (int32_t first = 0; first < panels; first += each) {
        const int32_t last = first + each < panels ? first + each : panels;
        const int32_t n = groups < last - first ? groups : last - first;
        RV_TRY(rv_launch(e->device, g->run, rv_grid_groups((size_t)n, 1, 1, 1, 1, 1),
                         RV_ARGS(RV_ARG(o->target), RV_ARG(o->source), RV_ARG(o->weights),
                                 RV_ARG(o->bias), RV_ARG(o->workspace), RV_ARG(s->source),
                                 RV_ARG(s->target), RV_ARG(s->window), RV_ARG(o->place),
                                 RV_ARG(range_of(g, first, last)), RV_ARG(o->slope),
                                 RV_ARG(g->work), RV_ARG(o->apart))));
    }
    return RV_OK;
}

/* --- in three steps -------------------------------------------------------------------------- */

/* Panels are done so many at a time. */
static int32_t chunk_of(const sizes *s)
{
    return rv_divide_up(s->panels, rv_divide_up(s->panels, CHUNK));
}

static rv_status prepare_steps(rv_conv_gather *g, rv_device *device, size_t *packed_floats,
                               int32_t out)
{
    const sizes s = sizes_of(&g->geometry, out);
    const int32_t cores = rv_device_get_info(device)->compute_units;
    const int32_t parts = rv_divide_up(ITEMS_PER_CORE * cores, s.points);
    const size_t chunk = (size_t)chunk_of(&s);
    g->work.s[1] = rv_divide_up(s.sets, parts < s.sets ? parts : s.sets);
    RV_TRY(prepare(g, device, packed_floats, out, chunk * (size_t)s.source,
                   chunk * (size_t)s.sets * (size_t)s.product));
    RV_TRY(get_kernel(&g->before, g, device, "conv_cpu_winograd_source", out));
    RV_TRY(get_kernel(&g->run, g, device, "conv_cpu_winograd_multiply", out));
    return get_kernel(&g->after, g, device, "conv_cpu_winograd_target", out);
}

static rv_status run_chunk(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o,
                           const sizes *z, int32_t first, int32_t last)
{
    const rv_conv_geometry *s = &g->geometry;
    const rv_int4 range = range_of(g, first, last);
    const size_t panels = (size_t)(last - first);
    const size_t source_parts = (size_t)rv_divide_up(z->units, SOURCE_UNITS);
    const size_t parts = (size_t)rv_divide_up(z->sets, g->work.s[1]);
    RV_TRY(rv_launch(e->device, g->before, rv_grid_groups(panels, source_parts, 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(o->workspace), RV_ARG(o->source), RV_ARG(s->source),
                             RV_ARG(s->target), RV_ARG(s->window), RV_ARG(o->place), RV_ARG(range),
                             RV_ARG(g->work), RV_ARG(o->apart))));
    RV_TRY(rv_launch(e->device, g->run, rv_grid_groups((size_t)z->points, parts, 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(o->workspace), RV_ARG(o->weights), RV_ARG(s->target),
                             RV_ARG(range), RV_ARG(g->work))));
    const size_t target_parts = (size_t)rv_divide_up(z->sets, TARGET_SETS);
    return rv_launch(e->device, g->after, rv_grid_groups(panels, target_parts, 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(o->target), RV_ARG(o->workspace), RV_ARG(o->bias),
                             RV_ARG(s->target), RV_ARG(o->place), RV_ARG(range), RV_ARG(o->slope),
                             RV_ARG(o->apart)));
}

static rv_status run_steps(const rv_conv_gather *g, const rv_exec *e, const rv_conv_operands *o,
                           int32_t out)
{
    const sizes s = sizes_of(&g->geometry, out);
    const int32_t chunk = chunk_of(&s);
    for (int32_t first = 0; first < s.panels; first += chunk) {
        RV_TRY(run_chunk(g, e, o, &s, first, first + chunk < s.panels ? first + chunk : s.panels));
    }
    return RV_OK;
}

/* --------------------------------------------------------------------------------------------- */

/* Both ways compute the same sums in the same order. */
#define ALGORITHM(name, way, out, is_steps)                                                     \
    static bool pays_##name(const rv_conv_gather *g, const rv_device *device)                   \
    {                                                                                           \
        return pays(g, device, out, is_steps);                                                  \
    }                                                                                           \
    static rv_status prepare_##name(rv_conv_gather *g, rv_device *device, size_t *packed)       \
    {                                                                                           \
        return prepare_##way(g, device, packed, out);                                           \
    }                                                                                           \
    static rv_status run_##name(const rv_conv_gather *g, const rv_exec *e,                      \
                                const rv_conv_operands *o)                                      \
    {                                                                                           \
        return run_##way(g, e, o, out);                                                         \
    }                                                                                           \
    const rv_conv_algorithm rv_conv_##name = {#name, suits_f##out, pays_##name, prepare_##name, \
                                              run_##name}

ALGORITHM(f4, fused, 4, false);
ALGORITHM(f4_steps, steps, 4, true);
ALGORITHM(f2, fused, 2, false);
ALGORITHM(f2_steps, steps, 2, true);

static bool pays_f2_5x5(const rv_conv_gather *g, const rv_device *device)
{
    (void)device;
    return g->geometry.source.s[1] >= MIN_CHANNELS && g->geometry.target.s[1] >= MIN_CHANNELS;
}

/* 36 products where direct sums have 100. */
const rv_conv_algorithm rv_conv_f2_5x5 = {"f2_5x5", suits_5x5, pays_f2_5x5, prepare_f2, run_f2};
