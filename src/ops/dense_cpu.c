/* Products of plain matrices on CPUs: A is packed band by band, then tiles of registers run over panels of B. */
/* SPDX-License-Identifier: MIT */
#include "ops/dense_cpu.h"

#include "base/error.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>

enum {
    PANEL = 1024, /* vectors of a panel, as in dense_cpu.cl */
    SLABS = 4,    /* panels of that size that a work-item has packed, likewise */
    MAX_SLABS = 8,
    PACK_TILES = 4,        /* tiles that one packs, TILES there */
    MAX_DEPTH = 4096,      /* terms of a launch */
    BAND_FLOATS = 2 << 20, /* of packed rows */
    MIN_GROUPS = 16,       /* work-groups that several cores can share evenly */
    MIN_TILES = 16         /* of a work-group: below, packing its panels takes too long */
};
/* A launch that does more could hold up a display or Ctrl-C. */
static const double max_launch_flops = 4e10;

/* Of two tiles with the same number of sums the one that does less beyond the edges. */
static void choose_tile(rv_dense_panels *p, int32_t b)
{
    const int32_t sums = b == 16 ? 24 : 12;
    double least = INFINITY;
    for (int32_t vectors = 2; vectors <= 3; vectors++) {
        const int32_t tile = sums / vectors, width = vectors * b;
        const double all =
            (double)rv_divide_up(p->rows, tile) * tile * rv_divide_up(p->columns, width) * width;
        if (all < least) {
            least = all;
            p->tile = tile;
            p->width = width;
        }
    }
}

rv_status rv_dense_panels_prepare(rv_dense_panels *p, rv_device *device, int32_t rows,
                                  int32_t inner, int32_t columns)
{
    *p = (rv_dense_panels){.rows = rows, .inner = inner, .columns = columns};
    choose_tile(p, rv_device_block(device));
    p->depth = rv_divide_up(inner, rv_divide_up(inner, MAX_DEPTH));
    const double by_flops = max_launch_flops / (2.0 * p->depth * columns);
    const int32_t by_floats = BAND_FLOATS / p->depth;
    const double most = by_flops < by_floats ? by_flops : by_floats;
    const int32_t tiles = most < p->tile ? 1 : (int32_t)(most < rows ? most : rows) / p->tile + 1;
    const int32_t all = rv_divide_up(rows, p->tile);
    p->band = p->tile * rv_divide_up(all, rv_divide_up(all, tiles));
    p->workspace_bytes = (size_t)p->band * (size_t)p->depth * sizeof(float);
    char defines[16];
    snprintf(defines, sizeof defines, "-DKV=%d", (int)(p->width / rv_device_block(device)));
    RV_TRY(rv_kernel_get(&p->pack, device, "dense_cpu", "dense_cpu_pack", defines));
    return rv_kernel_get(&p->run, device, "dense_cpu", "dense_cpu_product", defines);
}

/* Rows and terms of one launch. */
typedef struct part {
    int32_t first_row, rows, first, inner;
} part;

/* Terms that a panel holds, DEPTH of dense_cpu.cl. */
static int32_t panel_terms(const rv_dense_panels *p, int32_t block)
{
    return PANEL / (p->width / block) / block * block;
}

/* Panels of a work-item: narrow where that is all there is to share. */
static int32_t choose_slabs(const rv_dense_panels *p, int32_t block, int32_t inner, int32_t tiles)
{
    const int32_t parts = tiles < MIN_TILES ? 1 : tiles / MIN_TILES;
    const int32_t vectors = p->width / block, depth = panel_terms(p, block);
    const int32_t fit = SLABS * PANEL / vectors / (inner < depth ? inner : depth);
    const int32_t most = fit < MAX_SLABS ? fit : MAX_SLABS;
    const int32_t shared = p->columns / p->width / rv_divide_up(MIN_GROUPS, parts);
    return shared < 1 ? 1 : shared < most ? shared : most;
}

static rv_status run(const rv_dense_panels *p, rv_device *device, const rv_dense_operands *o,
                     const rv_buffer *workspace, const part *a)
{
    const int32_t tiles = rv_divide_up(a->rows, p->tile);
    const int32_t slabs = choose_slabs(p, rv_device_block(device), a->inner, tiles);
    const int32_t across = rv_divide_up(p->columns, slabs * p->width);
    const int32_t least = rv_divide_up(tiles, rv_divide_up(MIN_GROUPS, across));
    const int32_t each = least > MIN_TILES ? least : MIN_TILES;
    const bool last = a->first + a->inner == p->inner;
    const int32_t add = o->accumulate || a->first > 0;
    const float slope = last ? o->slope : 1;
    const rv_buffer *bias = last ? o->bias : NULL;
    const size_t stretches =
        (size_t)rv_divide_up(a->inner, panel_terms(p, rv_device_block(device)));
    RV_TRY(rv_launch(device, p->pack,
                     rv_grid_groups(stretches, (size_t)rv_divide_up(tiles, PACK_TILES), 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(workspace), RV_ARG(o->a), RV_ARG(a->first_row), RV_ARG(a->rows),
                             RV_ARG(a->first), RV_ARG(a->inner), RV_ARG(o->row_step),
                             RV_ARG(o->a_step))));
    return rv_launch(device, p->run,
                     rv_grid_groups((size_t)across, (size_t)rv_divide_up(tiles, each), 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(o->out), RV_ARG(workspace), RV_ARG(o->b), RV_ARG(bias),
                             RV_ARG(a->first_row), RV_ARG(a->rows), RV_ARG(a->first),
                             RV_ARG(a->inner), RV_ARG(p->columns), RV_ARG(o->column_step),
                             RV_ARG(o->b_step), RV_ARG(slabs), RV_ARG(each), RV_ARG(add),
                             RV_ARG(slope)));
}

rv_status rv_dense_panels_run(const rv_dense_panels *p, rv_device *device,
                              const rv_dense_operands *o, const rv_buffer *workspace)
{
    for (int32_t row = 0; row < p->rows; row += p->band) {
        for (int32_t first = 0; first < p->inner; first += p->depth) {
            const part a = {.first_row = row,
                            .rows = p->band < p->rows - row ? p->band : p->rows - row,
                            .first = first,
                            .inner = p->depth < p->inner - first ? p->depth : p->inner - first};
            RV_TRY(run(p, device, o, workspace, &a));
        }
    }
    return RV_OK;
}
