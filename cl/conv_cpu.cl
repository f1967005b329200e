/* Convolution into blocked tensors on CPUs, forward and backward to data: gather a tile, multiply packed weights. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"

/* Vectors of target channels side by side in registers: 1 to 3. */
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
/* Source columns from one target pixel of a tile to the next where the whole tile lies inside the source. */
#ifndef STEP
#define STEP 1
#endif
/* Source values that are gathered at a time: 24 KiB, half of the smallest first-level cache with AVX-512. */
#define PANEL (6144 / (PX * LANES))
/* Taps whose places are known at a time, and sets of KV vectors that share a panel. */
#define TAPS     (PANEL < 16 ? PANEL : 16)
#define MAX_SETS 4

#include "conv_cpu_pack.clh"

/* Where the pixels of a tile are. */
typedef struct tile {
    int n[PX], row[PX], column[PX];
    int to[PX]; /* index of the target pixel in block 0, -1: beyond the end */
} tile;

/* Targets that meet the same taps of a strided source are `phases` apart; tiles run through one phase after the
 * other so that taps which meet nothing are left out of whole tiles. */
static inline void find_pixels(tile *t, int first, int4 target, int2 phases, int blocks)
{
    const int rows = (target.z + phases.x - 1) / phases.x,
              columns = (target.w + phases.y - 1) / phases.y;
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
                              int4 window, int4 step, int4 place, int units)
{
    const int picture = units * source.z * source.w;
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

/* sum[PX][KV] += a * b for lane l of a unit: the innermost statement; a[p * stride] is the lane of pixel p. The
 * macros serve two address spaces. With one lane there must be no loop: compilers carry values from one turn to the
 * next, and shuffle. */
#define MULTIPLY_LANE(sum, a, stride, b)                                                         \
    {                                                                                            \
        _Pragma("unroll") for (int p = 0; p < PX; p++)                                           \
        {                                                                                        \
            _Pragma("unroll") for (int v = 0; v < KV; v++)                                       \
            {                                                                                    \
                (sum)[p * KV + v] = fma((floatB)((a)[p * (stride)]), (b)[v], (sum)[p * KV + v]); \
            }                                                                                    \
        }                                                                                        \
    }
#if LANES == 1
#define MULTIPLY(sum, a, stride, b, lanes) MULTIPLY_LANE(sum, a, stride, b)
#else
#define MULTIPLY(sum, a, stride, b, lanes)                \
    for (int l = 0; l < (lanes); l++) {                   \
        MULTIPLY_LANE(sum, (a) + l, stride, (b) + l * KV) \
    }
#endif

/* sums += panel * weights of one set; `w` points at unit 0 of the panel, `last_lanes` of its last unit count. */
static inline void multiply_panel(floatB *sums, const float *panel, __global const floatB *w,
                                  const reads *f, int n_units, int last_lanes, int taps)
{
    floatB sum[PX * KV];
#pragma unroll
    for (int i = 0; i < PX * KV; i++) {
        sum[i] = sums[i];
    }
    for (int u = 0; u < n_units; u++) {
        const int lanes = u == n_units - 1 ? last_lanes : LANES;
        (void)lanes; /* unused where there is one */
        for (int i = 0; i < f->n; i++) {
            const __private float *a = panel + (u * f->n + i) * PX * LANES;
            __global const floatB *b = w + (u * taps + f->tap[i]) * LANES * KV;
            MULTIPLY(sum, a, LANES, b, lanes)
        }
    }
#pragma unroll
    for (int i = 0; i < PX * KV; i++) {
        sums[i] = sum[i];
    }
}

/* What a work-item does. */
typedef struct job {
    int4 source, target, window, step, place;
    int2 apart; /* units of the source, and blocks of the target, from one picture to the next */
    int first_set, last_set;
    int first_unit, last_unit, last_channel; /* of the source, that these sets read */
    int packed_units, packed_offset;
    float slope;
} job;

static inline job find_job(int4 source, int4 target, int4 window, int4 step, int4 place, int2 apart,
                           float slope, int4 work)
{
    job j = {source, target, window, step, place, apart, 0, 0, 0, 0, 0, work.z, work.w, slope};
    const int source_per_group = source.y / window.z, target_per_group = target.y / window.z;
    j.first_set = (int)get_group_id(1) * work.y;
    j.last_set = min(j.first_set + work.y, (target.y + KV * B - 1) / (KV * B));
    j.first_unit = j.first_set * KV * B / target_per_group * source_per_group / LANES;
    j.last_channel =
        ((min(j.last_set * KV * B, target.y) - 1) / target_per_group + 1) * source_per_group;
    j.last_unit = (j.last_channel + LANES - 1) / LANES;
    return j;
}

/* Whether what is stored goes past the caches: a large gradient through a stride, most of which is zero and of which each
 * pixel is a line of memory far from the next. */
static inline int stores_past(const job *j)
{
    return j->place.z && !j->place.w && (j->step.x | j->step.y) > 1 &&
           rv_is_large((float)j->target.x * j->target.y * ((float)j->target.z * j->target.w));
}

/* Adds the bias and stores the sums of a set at to[PX]; pad lanes have zero weights and bias, hence stay zero. */
static inline void store(__global floatB *y, const floatB *sums, const int *to,
                         __global const float *bias, int set, const job *j)
{
    const int past = stores_past(j);
    for (int v = 0; v < KV; v++) {
        const int block = set * KV + v;
        if (block * B >= j->target.y) {
            return;
        }
        const floatB add = conv_bias(j->place.z ? 0 : bias, block, j->target.y);
        for (int p = 0; p < PX; p++) {
            if (to[p] >= 0) {
                const int at = to[p] + block * j->target.z * j->target.w;
                rv_store_past(conv_value(y, at, sums[p * KV + v], add, bias, j->place, j->slope),
                              (__global float *)(y + at), past);
            }
        }
    }
}

/* A tile anywhere: gathers panels that fit the first-level cache. */
static inline void do_tile(__global floatB *y, __global const float *x,
                           __global const floatB *packed, __global const float *bias, int first,
                           const job *j)
{
    const int taps = j->window.x * j->window.y;
    const int chunks = (taps + TAPS - 1) / TAPS, chunk = (taps + chunks - 1) / chunks;
    float panel[PANEL * PX * LANES] __attribute__((aligned(64)));
    floatB sums[MAX_SETS * PX * KV];
    tile t;
    reads f;
    find_pixels(&t, first, j->target, j->place.z ? j->step.xy : (int2)(1, 1), j->apart.y);
    for (int k = 0; k < (j->last_set - j->first_set) * PX * KV; k++) {
        sums[k] = (floatB)(0.0f);
    }
    for (int tap = 0; tap < taps; tap += chunk) {
        find_reads(&f, &t, tap, min(tap + chunk, taps), j->source, j->window, j->step, j->place,
                   j->apart.x);
        const int fit = f.n > 0 ? PANEL / f.n : j->last_unit;
        for (int u = j->first_unit; u < j->last_unit && f.n > 0; u += fit) {
            const int n_units = min(fit, j->last_unit - u);
            const int last_lanes = min(LANES, j->last_channel - (u + n_units - 1) * LANES);
            gather(panel, x, &f, u, n_units, j->source.z * j->source.w);
            for (int set = j->first_set; set < j->last_set; set++) {
                const int row = (set * j->packed_units + u - j->first_unit) * taps * LANES;
                multiply_panel(sums + (set - j->first_set) * PX * KV, panel,
                               packed + j->packed_offset + row * KV, &f, n_units, last_lanes, taps);
            }
        }
    }
    for (int set = j->first_set; set < j->last_set; set++) {
        store(y, sums + (set - j->first_set) * PX * KV, t.to, bias, set, j);
    }
}

/* Asks for the pixels of a unit that the next tile reads, while the one from `a` on is multiplied. */
static inline void fetch_next(__global const float *a)
{
    enum { PIXELS = PX * STEP * LANES };
#pragma unroll
    for (int i = 0; i < PIXELS; i += 16) {
        rv_prefetch(a + PIXELS + i);
    }
}

/* A tile of pixels side by side that all lie so that every tap meets the source: nothing is gathered. 0: it is not
 * such a tile. */
static inline int do_inner_tile(__global floatB *y, __global const float *x,
                                __global const floatB *packed, __global const float *bias,
                                int first, const job *j)
{
    const int column = first % j->target.w, row = first / j->target.w % j->target.z,
              n = first / (j->target.w * j->target.z);
    const int gradient = j->place.z, turn = gradient ? -1 : 1;
    const int top = gradient ? row + j->place.x : row * j->step.x - j->place.x;
    const int left = gradient ? column + j->place.y : column * STEP - j->place.y;
    const int down = turn * (j->window.x - 1) * j->step.z,
              right = turn * (j->window.y - 1) * j->step.w;
    const int plane = j->source.z * j->source.w;
    if ((gradient && (j->step.x | j->step.y) != 1) || column + PX > j->target.w ||
        n >= j->target.x || min(top, top + down) < 0 || max(top, top + down) >= j->source.z ||
        min(left, left + right) < 0 || max(left, left + right) + (PX - 1) * STEP >= j->source.w) {
        return 0;
    }
    int to[PX];
    for (int p = 0; p < PX; p++) {
        to[p] = (n * j->apart.y * j->target.z + row) * j->target.w + column + p;
    }
    const int from = ((n * j->apart.x + j->first_unit) * plane + top * j->source.w + left) * LANES;
    for (int set = j->first_set; set < j->last_set; set++) {
        __global const floatB *b = packed + j->packed_offset +
                                   set * j->packed_units * j->window.x * j->window.y * LANES * KV;
        floatB sum[PX * KV];
#pragma unroll
        for (int i = 0; i < PX * KV; i++) {
            sum[i] = (floatB)(0.0f);
        }
        for (int u = j->first_unit; u < j->last_unit; u++) {
            const int lanes = min(LANES, j->last_channel - u * LANES);
            (void)lanes;
            if (set == j->first_set) {
                fetch_next(x + from + (u - j->first_unit) * plane * LANES);
            }
            for (int r = 0; r < j->window.x; r++) {
                __global const float *a =
                    x + from +
                    ((u - j->first_unit) * plane + turn * r * j->step.z * j->source.w) * LANES;
                for (int s = 0; s < j->window.y; s++) {
                    MULTIPLY(sum, a, STEP * LANES, b, lanes)
                    a += turn * j->step.w * LANES;
                    b += LANES * KV;
                }
            }
        }
        floatB sums[PX * KV];
#pragma unroll
        for (int i = 0; i < PX * KV; i++) {
            sums[i] = sum[i];
        }
        store(y, sums, to, bias, set, j);
    }
    return 1;
}

/* One work-item: work.x tiles of PX pixels, work.y sets of KV * B target channels. work.z: units of the packed
 * weights, work.w: where they start. apart.xy: as in job. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv_cpu_gather(__global floatB *y, __global const float *x, __global const floatB *packed,
                __global const float *bias, int4 source, int4 target, int4 window, int4 step,
                int4 place, float slope, int4 work, int4 apart, int first_group)
{
    const int2 phases = place.z ? step.xy : (int2)(1, 1);
    const int per_picture = (target.z + phases.x - 1) / phases.x *
                            ((target.w + phases.y - 1) / phases.y) * phases.x * phases.y;
    const int end = target.x * per_picture;
    const job j = find_job(source, target, window, step, place, apart.xy, slope, work);
    for (int i = 0; i < work.x; i++) {
        const int first = ((first_group + (int)get_group_id(0)) * work.x + i) * PX;
        if (first < end && !do_inner_tile(y, x, packed, bias, first, &j)) {
            do_tile(y, x, packed, bias, first, &j);
        }
    }
}
