/* Convolution into blocked tensors on CPUs, forward and backward to data: gather a tile, multiply packed weights. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Vectors of target channels side by side in registers: 1 or 2. */
#ifndef KV
#define KV 2
#endif
/* Target pixels of a tile; PX * KV accumulators: 24 of 32 registers with AVX-512, 12 of 16 with AVX. */
#ifndef PX
#define PX 12
#endif
/* Source channels side by side: B blocked, 1 plain. */
#ifndef LANES
#define LANES B
#endif
/* Source values that are gathered at a time: 24 KiB, half of the smallest first-level cache with AVX-512. */
#define PANEL (6144 / (PX * LANES))
/* Taps whose places are known at a time, and sets of KV vectors that share a panel. */
#define TAPS     (PANEL < 16 ? PANEL : 16)
#define MAX_SETS 4

/* Packed weights: [set][unit][tap][lane][KV * B], where a unit is a block of LANES source channels. A work-item does
 * `sets` sets of KV * B target channels; `units` are counted from the first one that any of them reads.
 * One work-item: KV * B packed values. Weights between groups are zero. */
__kernel void conv_cpu_pack(__global floatB *packed, __global const float *weights, int4 source,
                            int4 target, int4 window, int gradient, int sets, int units, int offset)
{
    const int taps = window.x * window.y;
    const int i = rv_index();
    const int lane = i % LANES, tap = i / LANES % taps, unit = i / (LANES * taps) % units,
              set = i / (LANES * taps * units);
    const int n_sets = (target.y + KV * B - 1) / (KV * B);
    if (set >= n_sets) {
        return;
    }
    const int source_per_group = source.y / window.z, target_per_group = target.y / window.z;
    const int first = set / sets * sets * KV * B / target_per_group * source_per_group / LANES;
    const int c = (first + unit) * LANES + lane;
    float values[KV * B];
    for (int v = 0; v < KV * B; v++) {
        const int k = set * KV * B + v;
        const int joined =
            k < target.y && c < source.y && k / target_per_group == c / source_per_group;
        values[v] =
            joined ? weights[conv_weight(c, k, source, target, window, gradient) + tap] : 0.0f;
    }
    for (int v = 0; v < KV; v++) {
        packed[offset + i * KV + v] = vloadB(v, values);
    }
}

/* Where the pixels of a tile are. */
typedef struct tile {
    int n[PX], row[PX], column[PX];
    int to[PX]; /* index of the target pixel in block 0, -1: beyond the end */
} tile;

/* Targets that meet the same taps of a strided source are `phases` apart; tiles run through one phase after the
 * other so that taps which meet nothing are left out of whole tiles. */
static inline void find_pixels(tile *t, int first, int4 target, int2 phases)
{
    const int rows = (target.z + phases.x - 1) / phases.x,
              columns = (target.w + phases.y - 1) / phases.y;
    const int blocks = (target.y + B - 1) / B;
    int x = first % columns, y = first / columns % rows,
        phase = first / (columns * rows) % (phases.x * phases.y),
        n = first / (columns * rows * phases.x * phases.y);
    for (int p = 0; p < PX; p++) {
        t->n[p] = n;
        t->row[p] = y * phases.x + phase / phases.y;
        t->column[p] = x * phases.y + phase % phases.y;
        t->to[p] = n < target.x && t->row[p] < target.z && t->column[p] < target.w
                       ? (n * blocks * target.z + t->row[p]) * target.w + t->column[p]
                       : -1;
        if (++x == columns) {
            x = 0;
            if (++y == rows) {
                y = 0;
                if (++phase == phases.x * phases.y) {
                    phase = 0;
                    n++;
                }
            }
        }
    }
}

/* What a tile reads at some taps: indices of source pixels in unit 0, and masks that are zero where there is none. */
typedef struct reads {
    int n;         /* taps that meet anything */
    int tap[TAPS]; /* their numbers */
    int from[TAPS * PX], mask[TAPS * PX];
    int run[TAPS]; /* 1: all pixels are there, one beside the other */
} reads;

static inline void find_reads(reads *f, const tile *t, int first, int last, int4 source,
                              int4 window, int4 step, int4 place)
{
    const int picture = (source.y + LANES - 1) / LANES * source.z * source.w;
    f->n = 0;
    for (int tap = first; tap < last; tap++) {
        const int r = tap / window.y, s = tap % window.y;
        __private int *from = f->from + f->n * PX;
        __private int *mask = f->mask + f->n * PX;
        int any = 0, run = -1;
        for (int p = 0; p < PX; p++) {
            const int y = conv_row(t->row[p], r, source, window, step, place);
            const int x = conv_column(t->column[p], s, source, window, step, place);
            mask[p] = (y | x | t->to[p]) < 0 ? 0 : -1;
            from[p] = (t->n[p] * picture + y * source.w + x) & mask[p];
            any |= mask[p];
            run &= mask[p] & (from[p] - p == from[0] ? -1 : 0);
        }
        f->tap[f->n] = tap;
        f->run[f->n] = run != 0;
        f->n += any != 0;
    }
}

/* panel[unit][tap][pixel][lane]. */
static inline void gather(float *panel, __global const float *x, const reads *f, int unit,
                          int n_units, int pixels)
{
    for (int u = 0; u < n_units; u++) {
        for (int i = 0; i < f->n; i++) {
            const __private int *from = f->from + i * PX;
            const __private int *mask = f->mask + i * PX;
            __private float *to = panel + (u * f->n + i) * PX * LANES;
            const int plane = (unit + u) * pixels;
#if LANES == 1
            if (f->run[i]) {
                for (int p = 0; p < PX; p++) {
                    to[p] = x[plane + from[0] + p];
                }
                continue;
            }
            for (int p = 0; p < PX; p++) {
                to[p] = as_float(as_int(x[plane + from[p]]) & mask[p]);
            }
#else
            for (int p = 0; p < PX; p++) {
                *(__private intB *)(to + p * B) =
                    ((__global const intB *)x)[plane + from[p]] & (intB)(mask[p]);
            }
#endif
        }
    }
}

/* sums[PX][KV] += panel * weights of one set; `w` points at unit 0 of the panel, `lanes` of its last unit count. */
static inline void multiply(floatB *sums, const float *panel, __global const floatB *w,
                            const reads *f, int n_units, int last_lanes, int taps)
{
    floatB sum[PX * KV];
#pragma unroll
    for (int i = 0; i < PX * KV; i++) {
        sum[i] = sums[i];
    }
    for (int u = 0; u < n_units; u++) {
        const int lanes = u == n_units - 1 ? last_lanes : LANES;
        for (int i = 0; i < f->n; i++) {
            const __private float *a = panel + (u * f->n + i) * PX * LANES;
            __global const floatB *b = w + (u * taps + f->tap[i]) * LANES * KV;
            for (int l = 0; l < lanes; l++) {
#pragma unroll
                for (int p = 0; p < PX; p++) {
#pragma unroll
                    for (int v = 0; v < KV; v++) {
                        sum[p * KV + v] =
                            fma((floatB)(a[p * LANES + l]), b[l * KV + v], sum[p * KV + v]);
                    }
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < PX * KV; i++) {
        sums[i] = sum[i];
    }
}

static inline floatB load_bias(__global const float *bias, int block, int channels)
{
    float lane[B];
    for (int b = 0; b < B; b++) {
        const int k = block * B + b;
        lane[b] = bias != 0 && k < channels ? bias[min(k, channels - 1)] : 0.0f;
    }
    return vloadB(0, lane);
}

/* Adds bias and stores; pad lanes have zero weights and bias, hence stay zero. */
static inline void store(__global floatB *y, const floatB *sums, const tile *t,
                         __global const float *bias, int block, int4 target, int accumulate)
{
    for (int v = 0; v < KV; v++) {
        if ((block + v) * B >= target.y) {
            return;
        }
        const floatB add = load_bias(bias, block + v, target.y);
        for (int p = 0; p < PX; p++) {
            if (t->to[p] >= 0) {
                __global floatB *to = y + t->to[p] + (block + v) * target.z * target.w;
                *to = rv_accumulateB(to, sums[p * KV + v] + add, accumulate);
            }
        }
    }
}

/* One work-item: work.x tiles of PX pixels, work.y sets of KV * B target channels. work.z: units of the packed
 * weights, work.w: where they start. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_gather(__global floatB *y, __global const float *x, __global const floatB *packed,
                __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                int4 place, int4 work)
{
    const int2 phases = place.z ? (int2)(step.x, step.y) : (int2)(1, 1);
    const int per_picture = (target.z + phases.x - 1) / phases.x *
                            ((target.w + phases.y - 1) / phases.y) * phases.x * phases.y;
    const int tiles = (target.x * per_picture + PX - 1) / PX;
    const int first_tile = (int)get_group_id(0) * work.x,
              last_tile = min(first_tile + work.x, tiles);
    const int first_set = (int)get_group_id(1) * work.y;
    const int last_set = min(first_set + work.y, (target.y + KV * B - 1) / (KV * B));
    const int taps = window.x * window.y;
    const int chunks = (taps + TAPS - 1) / TAPS, chunk = (taps + chunks - 1) / chunks;
    const int source_per_group = source.y / window.z, target_per_group = target.y / window.z;
    const int first_unit = first_set * KV * B / target_per_group * source_per_group / LANES;
    const int last_channel =
        ((min(last_set * KV * B, target.y) - 1) / target_per_group + 1) * source_per_group;
    const int last_unit = (last_channel + LANES - 1) / LANES;
    float panel[PANEL * PX * LANES] __attribute__((aligned(64)));
    floatB sums[MAX_SETS * PX * KV];
    tile t;
    reads f;
    for (int i = first_tile; i < last_tile; i++) {
        find_pixels(&t, i * PX, target, phases);
        for (int k = 0; k < (last_set - first_set) * PX * KV; k++) {
            sums[k] = (floatB)(0.0f);
        }
        for (int tap = 0; tap < taps; tap += chunk) {
            find_reads(&f, &t, tap, min(tap + chunk, taps), source, window, step, place);
            const int fit = f.n > 0 ? PANEL / f.n : last_unit;
            for (int u = first_unit; u < last_unit && f.n > 0; u += fit) {
                const int n_units = min(fit, last_unit - u);
                const int last_lanes = min(LANES, last_channel - (u + n_units - 1) * LANES);
                gather(panel, x, &f, u, n_units, source.z * source.w);
                for (int set = first_set; set < last_set; set++) {
                    multiply(sums + (set - first_set) * PX * KV, panel,
                             packed + work.w + (set * work.z + u - first_unit) * taps * LANES * KV,
                             &f, n_units, last_lanes, taps);
                }
            }
        }
        for (int set = first_set; set < last_set; set++) {
            store(y, sums + (set - first_set) * PX * KV, &t, bias, set * KV, target, place.w);
        }
    }
}
