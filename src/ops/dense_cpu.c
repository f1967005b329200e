/* Products of plain matrices on CPUs: tiles of registers run over panels of B; A is read as it lies, or packed. */
/* SPDX-License-Identifier: MIT */
#include "ops/dense_cpu.h"

#include "base/error.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>

enum {
    PANELS = 4096,      /* vectors of all panels of a work-item, as in dense_cpu.cl */
    PANEL = 2048,       /* of one at most */
    SHORT_PANEL = 1024, /* where few tiles of rows meet it: wider stretches of memory are read */
    FEW_TILES = 16,
    MAX_SLABS = 8,         /* panels side by side */
    BETWEEN = 16,          /* floats between packed tiles */
    PACK_ROWS = 96,        /* that one packs, TILES of dense_cpu.cl times its ROWS */
    MAX_DEPTH = 4096,      /* terms of a launch that packs */
    BAND_FLOATS = 2 << 20, /* of packed rows */
    GROUPS_OF_A_CORE = 4,  /* that several cores can share evenly */
    MIN_TILES = 16,        /* of a work-group: below, packing its panels takes too long */
    TURNED_COLUMNS = 128,  /* up to which a product may be made the other way round */
    TURNED_TERMS = 8       /* terms for each column from which on that pays */
};
/* A launch that does more could hold up a display or Ctrl-C. */
static const double max_launch_flops = 4e10;

/* Of tiles with the same number of sums the one that does least beyond the edges; the widest needs fewest operands. */
static void choose_tile(rv_dense_panels *p, int32_t b)
{
    const int32_t sums = b == 16 ? 24 : 12, widest = b == 16 ? 4 : 3;
    double least = INFINITY;
    for (int32_t vectors = widest; vectors >= 2; vectors--) {
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

/* Terms that a panel holds: all of them where these are few, so that nothing is added to what is there. */
static void choose_terms(rv_dense_panels *p, int32_t block)
{
    const int32_t vectors = p->width / block, most = PANELS / vectors / block * block;
    const bool few = rv_divide_up(p->rows, p->tile) <= FEW_TILES || block < 16;
    const int32_t terms = (few ? SHORT_PANEL : PANEL) / vectors / block * block;
    p->terms = !few && p->inner > terms && p->inner <= most ? most : terms;
}

/* Rows and terms of a launch, and the floats of its packed rows. */
static void choose_launch(rv_dense_panels *p, bool packs)
{
    p->depth = packs ? rv_divide_up(p->inner, rv_divide_up(p->inner, MAX_DEPTH)) : p->inner;
    const double by_flops = max_launch_flops / (2.0 * p->depth * p->columns);
    const int32_t by_floats = packs ? BAND_FLOATS / p->depth : p->rows;
    const double most = by_flops < by_floats ? by_flops : by_floats;
    const double rows = most < p->rows ? most : p->rows;
    const int32_t tiles = rows < p->tile ? 1 : (int32_t)rows / p->tile;
    const int32_t all = rv_divide_up(p->rows, p->tile);
    p->band = p->tile * rv_divide_up(all, rv_divide_up(all, tiles));
    const size_t between = (size_t)rv_divide_up(p->depth, p->terms) * BETWEEN;
    p->pack_floats =
        packs ? (size_t)p->band * (size_t)p->depth + (size_t)(p->band / p->tile) * between : 0;
}

rv_status rv_dense_panels_prepare(rv_dense_panels *p, rv_device *device, int32_t rows,
                                  int32_t inner, int32_t columns, rv_dense_order order)
{
    const int32_t block = rv_device_block(device);
    *p = (rv_dense_panels){.rows = rows, .inner = inner, .columns = columns};
    p->turned =
        order == RV_DENSE_ROWS_OF_BOTH && rows <= TURNED_COLUMNS && inner >= TURNED_TERMS * rows;
    if (p->turned) {
        p->rows = columns;
        p->columns = rows;
    }
    choose_tile(p, block);
    choose_terms(p, block);
    choose_launch(p, order == RV_DENSE_COLUMNS_OF_A);
    p->pitch = p->turned ? rv_divide_up(p->columns, p->width) * p->width : p->columns;
    p->workspace_bytes =
        (p->turned ? (size_t)p->rows * (size_t)p->pitch : p->pack_floats) * sizeof(float);
    char defines[16];
    snprintf(defines, sizeof defines, "-DKV=%d", (int)(p->width / block));
    if (p->pack_floats > 0) {
        RV_TRY(rv_kernel_get(&p->pack, device, "dense_cpu", "dense_cpu_pack", defines));
    }
    if (p->turned) {
        RV_TRY(rv_kernel_get(&p->turn, device, "dense_cpu", "dense_cpu_turn", defines));
    }
    return rv_kernel_get(&p->run, device, "dense_cpu", "dense_cpu_product", defines);
}

/* Rows and terms of one launch. */
typedef struct part {
    int32_t first_row, rows, first, inner;
} part;

/* How a launch is shared: each work-group packs its panels, so they are cut along the rows only where the columns are too
 * few. */
typedef struct share {
    int32_t slabs, tiles; /* of a work-group */
    int32_t across, down;
} share;

static share choose_share(const rv_dense_panels *p, const rv_device *device, const part *a)
{
    const int32_t vectors = p->width / rv_device_block(device);
    const int32_t units = rv_device_get_info(device)->compute_units, cores = units > 1 ? units : 1;
    const int32_t wanted = GROUPS_OF_A_CORE * cores, all = rv_divide_up(p->columns, p->width);
    const int32_t fit = PANELS / (vectors * (a->inner < p->terms ? a->inner : p->terms));
    const int32_t most = fit < MAX_SLABS ? fit : MAX_SLABS;
    const int32_t widest = all / wanted < 1 ? 1 : all / wanted < most ? all / wanted : most;
    share s = {.slabs = widest};
    for (int32_t slabs = widest, least = INT32_MAX; 2 * slabs > widest; slabs--) {
        const int32_t takes = rv_divide_up(rv_divide_up(all, slabs), cores) * slabs;
        if (takes < least) {
            least = takes;
            s.slabs = slabs;
        }
    }
    s.across = rv_divide_up(all, s.slabs);
    const int32_t tiles = rv_divide_up(a->rows, p->tile);
    const int32_t even = rv_divide_up(tiles, rv_divide_up(wanted, s.across));
    s.tiles = even > MIN_TILES ? even : MIN_TILES;
    s.down = rv_divide_up(tiles, s.tiles);
    return s;
}

static rv_status pack(const rv_dense_panels *p, rv_device *device, const rv_dense_operands *o,
                      const rv_buffer *workspace, const part *a)
{
    const int32_t stretches = rv_divide_up(a->inner, p->terms);
    const int32_t tiles = rv_divide_up(a->rows, p->tile);
    return rv_launch(device, p->pack,
                     rv_grid_groups((size_t)stretches,
                                    (size_t)rv_divide_up(tiles, PACK_ROWS / p->tile), 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(workspace), RV_ARG(o->a), RV_ARG(a->first_row), RV_ARG(a->rows),
                             RV_ARG(a->first), RV_ARG(a->inner), RV_ARG(o->a_step),
                             RV_ARG(p->terms)));
}

static rv_status run(const rv_dense_panels *p, rv_device *device, const rv_dense_operands *o,
                     const rv_buffer *workspace, const part *a)
{
    const share s = choose_share(p, device, a);
    const bool last = a->first + a->inner == p->inner;
    const int32_t add = o->accumulate || a->first > 0;
    const float slope = last ? o->slope : 1;
    const rv_buffer *bias = last ? o->bias : NULL;
    if (p->pack != NULL) {
        RV_TRY(pack(p, device, o, workspace, a));
    }
    const rv_buffer *rows = p->pack != NULL ? workspace : o->a;
    const int32_t packed = p->pack != NULL;
    return rv_launch(device, p->run, rv_grid_groups((size_t)s.across, (size_t)s.down, 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(o->out), RV_ARG(rows), RV_ARG(o->b), RV_ARG(bias),
                             RV_ARG(a->first_row), RV_ARG(a->rows), RV_ARG(a->first),
                             RV_ARG(a->inner), RV_ARG(p->columns), RV_ARG(p->pitch),
                             RV_ARG(o->row_step), RV_ARG(packed), RV_ARG(o->column_step),
                             RV_ARG(o->b_step), RV_ARG(p->terms), RV_ARG(s.slabs), RV_ARG(s.tiles),
                             RV_ARG(add), RV_ARG(slope)));
}

static rv_status run_parts(const rv_dense_panels *p, rv_device *device, const rv_dense_operands *o,
                           const rv_buffer *workspace)
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

rv_status rv_dense_panels_run(const rv_dense_panels *p, rv_device *device,
                              const rv_dense_operands *o, const rv_buffer *workspace)
{
    if (!p->turned) {
        return run_parts(p, device, o, workspace);
    }
    /* The rows of B are many: they are read once, as they lie, and those of A become panels. */
    const rv_dense_operands turned = {.out = workspace,
                                      .a = o->b,
                                      .b = o->a,
                                      .row_step = o->column_step,
                                      .a_step = o->b_step,
                                      .column_step = o->row_step,
                                      .b_step = o->a_step,
                                      .slope = 1};
    RV_TRY(run_parts(p, device, &turned, NULL));
    const size_t groups = (size_t)rv_divide_up(p->rows, rv_device_block(device));
    return rv_launch(device, p->turn, rv_grid_groups(groups, 1, 1, 1, 1, 1),
                     RV_ARGS(RV_ARG(o->out), RV_ARG(workspace), RV_ARG(o->bias), RV_ARG(p->columns),
                             RV_ARG(p->rows), RV_ARG(p->pitch), RV_ARG(o->slope)));
}
