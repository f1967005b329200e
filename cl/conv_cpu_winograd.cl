/* Winograd's convolution on CPUs, forward and backward to data: F(4x4,3x3), F(2x2,5x5) or F(2x2,3x3). */
/* SPDX-License-Identifier: MIT */
#include "winograd.clh"

/* Per point, a matrix of tiles by source channels is multiplied by one of source by target channels. Tiles of a panel
 * and vectors of target channels, 1 to 3: PX * KV accumulators, 24 of 32 registers with AVX-512, 12 of 16
 * with AVX. */
#ifndef KV
#define KV 2
#endif
#if B == 16
#define PX (24 / KV)
#else
#define PX (12 / KV)
#endif
#define TAPS (WINDOW * WINDOW)
/* Rows of a panel are an odd number of vectors apart: at powers of two they would meet in few sets of the cache. */
#define SOURCE_ROW(units) ((units)*PX | 1)
#define TARGET_ROW        (PX * KV + 1)

/* --- weights --------------------------------------------------------------------------------- */

/* Packed weights: [set][point][source channel][KV * B]; work.z units of B source channels, work.w: where they start.
 * One work-item: B target channels of one source channel, at all points. */
__kernel void conv_cpu_winograd_pack(__global floatB *packed, __global const float *weights,
                                     int4 source, int4 target, int4 window, int gradient, int4 work)
{
    const int channels = work.z * B, n_sets = (target.y + KV * B - 1) / (KV * B);
    const int i = rv_index(), v = i % KV, c = i / KV % channels, set = i / (KV * channels);
    if (set >= n_sets) {
        return;
    }
    float window_values[TAPS * B];
    for (int b = 0; b < B; b++) {
        const int k = (set * KV + v) * B + b;
        const bool is_there = k < target.y && c < source.y;
        const int from = is_there ? conv_weight(c, k, source, target, window, gradient) : 0;
        for (int tap = 0; tap < TAPS; tap++) {
            window_values[tap * B + b] =
                is_there ? weights[from + (gradient ? TAPS - 1 - tap : tap)] : 0.0f;
        }
    }
    floatB columns[WINDOW * IN];
    for (int s = 0; s < WINDOW; s++) {
        floatB g[IN];
        for (int r = 0; r < WINDOW; r++) {
            g[r] = vloadB(r * WINDOW + s, window_values);
        }
        winograd_window(g);
        for (int r = 0; r < IN; r++) {
            columns[r * WINDOW + s] = g[r];
        }
    }
    for (int r = 0; r < IN; r++) {
        floatB g[IN];
        for (int s = 0; s < WINDOW; s++) {
            g[s] = columns[r * WINDOW + s];
        }
        winograd_window(g);
        for (int s = 0; s < IN; s++) {
            packed[work.w + ((set * POINTS + r * IN + s) * channels + c) * KV + v] = g[s];
        }
    }
}

/* --- source ---------------------------------------------------------------------------------- */

/* Where the tiles of a panel are; n is beyond the last picture where there is no such tile. */
typedef struct panel {
    int n[PX], row[PX], column[PX]; /* the first target */
} panel;

static inline void find_panel(panel *t, int first, int4 target)
{
    const int rows = (target.z + OUT - 1) / OUT, columns = (target.w + OUT - 1) / OUT;
    int x = first % columns, y = first / columns % rows, n = first / (columns * rows);
    for (int p = 0; p < PX; p++) {
        t->n[p] = n;
        t->row[p] = y * OUT;
        t->column[p] = x * OUT;
        if (++x == columns) {
            x = 0;
            if (++y == rows) {
                y = 0;
                n++;
            }
        }
    }
}

/* The source row or column that a tile beginning at target `at` has at place i; -1: zero. */
static inline int find_source(int at, int i, int pad, int source_size, int target_size, int mode)
{
    return at + i - (WINDOW - 1) < target_size ? conv_source(at, i, 1, 1, pad, source_size, mode)
                                               : -1;
}

/* The source pixels of a tile, zero where there is none: patch[IN][IN]. */
static inline void gather(floatB *patch, __global const floatB *x, int row, int column, int2 pads,
                          int4 source, int4 target, int mode)
{
    int columns[IN];
    for (int s = 0; s < IN; s++) {
        columns[s] = find_source(column, s, pads.y, source.w, target.w, mode);
    }
    for (int r = 0; r < IN; r++) {
        const int from = find_source(row, r, pads.x, source.z, target.z, mode);
        for (int s = 0; s < IN; s++) {
            const int none = (from | columns[s]) < 0;
            patch[r * IN + s] = none ? (floatB)(0.0f) : x[from * source.w + columns[s]];
        }
    }
}

/* to[point * apart] = transform of x[IN rows, `stride` apart][IN]; a macro as it serves two address spaces. */
#define TRANSFORM_TILE(to, apart, x, stride)                        \
    {                                                               \
        floatB columns[POINTS];                                     \
        _Pragma("unroll") for (int s = 0; s < IN; s++)              \
        {                                                           \
            floatB d[IN];                                           \
            _Pragma("unroll") for (int r = 0; r < IN; r++)          \
            {                                                       \
                d[r] = (x)[r * (stride) + s];                       \
            }                                                       \
            winograd_source(d);                                     \
            _Pragma("unroll") for (int r = 0; r < IN; r++)          \
            {                                                       \
                columns[r * IN + s] = d[r];                         \
            }                                                       \
        }                                                           \
        _Pragma("unroll") for (int r = 0; r < IN; r++)              \
        {                                                           \
            winograd_source(columns + r * IN);                      \
            _Pragma("unroll") for (int s = 0; s < IN; s++)          \
            {                                                       \
                (to)[(r * IN + s) * (apart)] = columns[r * IN + s]; \
            }                                                       \
        }                                                           \
    }

/* Units from `begin` to before `end` of one panel: to[point][unit][tile]. */
static inline void transform_panel(__global floatB *to, __global const floatB *x, const panel *t,
                                   int begin, int end, int4 source, int4 target, int4 window,
                                   int4 place, int pictures_apart)
{
    const int units = (source.y + B - 1) / B, apart = SOURCE_ROW(units);
    /* The gradient is the same with the window turned around. */
    const int2 pads = place.z ? WINDOW - 1 - place.xy : place.xy;
    const int mode = place.z ? CONV_PAD_ZERO : window.w;
    for (int u = begin; u < end; u++) {
        for (int p = 0; p < PX; p++) {
            __global floatB *at = to + u * PX + p;
            if (t->n[p] >= target.x) {
                for (int i = 0; i < POINTS; i++) {
                    at[i * apart] = (floatB)(0.0f);
                }
                continue;
            }
            __global const floatB *from = x + (t->n[p] * pictures_apart + u) * source.z * source.w;
            const int top = t->row[p] - pads.x, left = t->column[p] - pads.y;
            if (top >= 0 && left >= 0 && top + IN <= source.z && left + IN <= source.w) {
                from += top * source.w + left;
                TRANSFORM_TILE(at, apart, from, source.w)
            } else {
                floatB patch[POINTS];
                gather(patch, from, t->row[p], t->column[p], pads, source, target, mode);
                TRANSFORM_TILE(at, apart, patch, IN)
            }
        }
    }
}

/* --- what will be needed --------------------------------------------------------------------- */

/* While products are computed, the lines of memory that come next are asked for, in parts: a row of a tile, without
 * those pixels that it shares with the tile before. What lies beyond a picture does no harm. */
#define LINE         (16 / B) /* pixels of a line */
#define SOURCE_PARTS (IN * PX)
#define TARGET_PARTS (OUT * PX * KV)

/* Parts [unit][row][tile] of the source of a panel. */
static inline void fetch_source(__global const floatB *x, const panel *t, int begin, int end,
                                int4 source, int4 place, int pictures_apart)
{
    const int2 pads = place.z ? WINDOW - 1 - place.xy : place.xy;
    for (int i = begin; i < end; i++) {
        const int p = i % PX, row = t->row[p] - pads.x + i / PX % IN, u = i / SOURCE_PARTS;
        __global const floatB *at = x +
                                    ((t->n[p] * pictures_apart + u) * source.z + row) * source.w +
                                    t->column[p] - pads.y + WINDOW - 1;
        for (int s = 0; s < OUT; s += LINE) {
            rv_prefetch(at + s);
        }
    }
}

/* Parts [block][tile][row] of the target of a panel and set. */
static inline void fetch_target(__global floatB *y, const panel *t, int set, int begin, int end,
                                int4 target, int pictures_apart)
{
    for (int i = begin; i < end; i++) {
        const int p = i / OUT % PX, row = t->row[p] + i % OUT, block = set * KV + i / (OUT * PX);
        __global floatB *at =
            y + ((t->n[p] * pictures_apart + block) * target.z + row) * target.w + t->column[p];
        for (int s = 0; s < OUT; s += LINE) {
            rv_prefetch_write(at + s);
        }
    }
}

/* --- products -------------------------------------------------------------------------------- */

/* One point of one panel and set: to[tile][KV] = source[unit][tile][B] * weights[channel][KV]. */
static inline void multiply(__global floatB *to, __global const float *source,
                            __global const floatB *weights, int units)
{
    floatB sum[PX * KV];
#pragma unroll
    for (int i = 0; i < PX * KV; i++) {
        sum[i] = (floatB)(0.0f);
    }
    for (int u = 0; u < units; u++) {
        for (int l = 0; l < B; l++) {
#pragma unroll
            for (int p = 0; p < PX; p++) {
#pragma unroll
                for (int v = 0; v < KV; v++) {
                    sum[p * KV + v] = fma((floatB)(source[p * B + l]), weights[v], sum[p * KV + v]);
                }
            }
            weights += KV;
        }
        source += PX * B;
    }
#pragma unroll
    for (int i = 0; i < PX * KV; i++) {
        to[i] = sum[i];
    }
}

/* --- target ---------------------------------------------------------------------------------- */

/* Targets of one panel and set from products[point][tile][KV]. */
static inline void store_panel(__global floatB *y, __global const floatB *products,
                               __global const float *bias, const panel *t, int set, int4 target,
                               int4 place, int pictures_apart, float slope)
{
    const int blocks = (target.y + B - 1) / B;
    for (int v = 0; v < KV && set * KV + v < blocks; v++) {
        const int block = set * KV + v;
        const floatB add = conv_bias(place.z ? 0 : bias, block, target.y);
        for (int p = 0; p < PX && t->n[p] < target.x; p++) {
            __global const floatB *from = products + p * KV + v;
            floatB rows[OUT * IN];
#pragma unroll
            for (int s = 0; s < IN; s++) {
                floatB m[IN];
#pragma unroll
                for (int r = 0; r < IN; r++) {
                    m[r] = from[(r * IN + s) * TARGET_ROW];
                }
                winograd_target(m);
#pragma unroll
                for (int r = 0; r < OUT; r++) {
                    rows[r * IN + s] = m[r];
                }
            }
            const int to = ((t->n[p] * pictures_apart + block) * target.z + t->row[p]) * target.w +
                           t->column[p];
            const int n_rows = min(OUT, target.z - t->row[p]);
            const int n_columns = min(OUT, target.w - t->column[p]);
#pragma unroll
            for (int r = 0; r < OUT; r++) {
                winograd_target(rows + r * IN);
                if (r < n_rows) {
#pragma unroll
                    for (int s = 0; s < OUT; s++) {
                        if (s < n_columns) {
                            const int at = to + r * target.w + s;
                            y[at] = conv_value(y, at, rows[r * IN + s], add, bias, place, slope);
                        }
                    }
                }
            }
        }
    }
}

/* --- all in one ------------------------------------------------------------------------------ */

/* scratch, from range.z on: transformed sources [panel][point][unit][tile], and from range.w on products
 * [panel][set][point][tile][KV]. Panels are those from range.x on to before range.y. work: y, sets per work-item, z,
 * units of B source channels, w, where the packed weights start. apart.xy: blocks of source and target from one picture
 * to the next. */

/* One work-item: a share of the panels, side by side. It keeps one panel and set at a time in its own part of the
 * scratch memory, which stays in its core's cache. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_winograd_fused(__global floatB *y, __global const floatB *x, __global const floatB *packed,
                        __global const float *bias, __global floatB *scratch, int4 source,
                        int4 target, int4 window, int4 place, int4 range, float slope, int4 work,
                        int4 apart)
{
    const int units = work.z, n_sets = (target.y + KV * B - 1) / (KV * B), row = SOURCE_ROW(units);
    const int group = (int)get_group_id(0), groups = (int)get_num_groups(0);
    const int panels = range.y - range.x, products_in_all = n_sets * POINTS;
    __global floatB *sources = scratch + range.z + group * POINTS * row;
    __global floatB *products = scratch + range.w + group * POINTS * TARGET_ROW;
    panel here, next;
    find_panel(&next, (range.x + panels * group / groups) * PX, target);
    for (int i = panels * group / groups; i < panels * (group + 1) / groups; i++) {
        __global const floatB *w = packed + work.w;
        here = next;
        find_panel(&next, (range.x + i + 1) * PX, target);
        transform_panel(sources, x, &here, 0, units, source, target, window, place, apart.x);
        for (int k = 0; k < products_in_all; k++) {
            const int set = k / POINTS, point = k % POINTS;
            multiply(products + point * TARGET_ROW, (__global const float *)(sources + point * row),
                     w, units);
            w += units * B * KV;
            fetch_source(x, &next, k * units * SOURCE_PARTS / products_in_all,
                         (k + 1) * units * SOURCE_PARTS / products_in_all, source, place, apart.x);
            fetch_target(y, &here, set, point * TARGET_PARTS / POINTS,
                         (point + 1) * TARGET_PARTS / POINTS, target, apart.y);
            if (point == POINTS - 1) {
                store_panel(y, products, bias, &here, set, target, place, apart.y, slope);
            }
        }
    }
}

/* --- in three steps -------------------------------------------------------------------------- */

/* For many channels, whose transformed source does not fit the cache: it goes to memory for several panels, which
 * then share all weights of one point while these are in the cache. */

/* One work-item: 8 units of a panel. */
#define SOURCE_UNITS 8

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_winograd_source(__global floatB *scratch, __global const floatB *x, int4 source,
                         int4 target, int4 window, int4 place, int4 range, int4 work, int4 apart)
{
    const int p = (int)get_group_id(0), first = (int)get_group_id(1) * SOURCE_UNITS;
    panel t;
    find_panel(&t, (range.x + p) * PX, target);
    transform_panel(scratch + range.z + p * POINTS * SOURCE_ROW(work.z), x, &t, first,
                    min(first + SOURCE_UNITS, work.z), source, target, window, place, apart.x);
}

/* One work-item: a point, and work.y sets. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_winograd_multiply(__global floatB *scratch, __global const floatB *packed, int4 target,
                           int4 range, int4 work)
{
    const int units = work.z, row = SOURCE_ROW(units), point = (int)get_group_id(0);
    const int n_sets = (target.y + KV * B - 1) / (KV * B), first = (int)get_group_id(1) * work.y;
    for (int set = first; set < min(first + work.y, n_sets); set++) {
        __global const floatB *w = packed + work.w + (set * POINTS + point) * units * B * KV;
        for (int p = 0; p < range.y - range.x; p++) {
            multiply(scratch + range.w + ((p * n_sets + set) * POINTS + point) * TARGET_ROW,
                     (__global const float *)(scratch + range.z + (p * POINTS + point) * row), w,
                     units);
        }
    }
}

/* One work-item: 8 sets of a panel. */
#define TARGET_SETS 8

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_winograd_target(__global floatB *y, __global const floatB *scratch,
                         __global const float *bias, int4 target, int4 place, int4 range,
                         float slope, int4 apart)
{
    const int p = (int)get_group_id(0), n_sets = (target.y + KV * B - 1) / (KV * B),
              first = (int)get_group_id(1) * TARGET_SETS;
    panel t;
    find_panel(&t, (range.x + p) * PX, target);
    for (int set = first; set < min(first + TARGET_SETS, n_sets); set++) {
        store_panel(y, scratch + range.w + (p * n_sets + set) * POINTS * TARGET_ROW, bias, &t, set,
                    target, place, apart.y, slope);
    }
}
