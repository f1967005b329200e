/* Convolution on GPUs as a product of matrices that are never written out: pixels x (tap, channel) x target channels. */
/* SPDX-License-Identifier: MIT */
#include "conv.clh"
#include "tile_gpu.clh"

/* Source and target are blocked, 4 channels side by side. Work-items lie along the pixels of a tile, its rows, and
 * then along its columns, the target channels. work: parts of the sum, chunks of TK channels that a tap has, target
 * channels of a group in whole tiles, offset of packed weights. from: where target, source, weights start, in
 * float4. */
#define UNITS       (TK / 4)     /* blocks of source channels in local memory */
#define LEFT_STEP   (ITEMS / TM) /* of which neighbouring work-items along the blocks load one each */
#define LEFT_LOADS  (UNITS / LEFT_STEP)
#define RIGHT_LOADS (TK * TN / 4 / ITEMS)

/* Blocks of channels that a group of the source begins in, and has. */
static inline int first_block(int group, int channels)
{
    return group * channels / 4;
}

static inline int count_blocks(int group, int channels)
{
    return ((group + 1) * channels + 3) / 4 - first_block(group, channels);
}

/* Weights as [group][tap][chunk][TK channels][target channels in whole tiles] with zeros beyond channels and group.
 * One work-item: one weight. */
__kernel void conv_gpu_pack(__global float *packed, __global const float *weights, int4 source,
                            int4 target, int4 window, int gradient, int4 work)
{
    const int taps = window.x * window.y;
    const int channels = source.y / window.z, targets = target.y / window.z;
    const int i = rv_index();
    if (i >= window.z * taps * work.y * TK * work.z) {
        return;
    }
    const int k = i % work.z, row = i / work.z % (work.y * TK),
              tap = i / work.z / (work.y * TK) % taps, group = i / work.z / (work.y * TK) / taps;
    const int c = first_block(group, channels) * 4 + row;
    packed[work.w + i] =
        k < targets && c >= group * channels && c < (group + 1) * channels
            ? weights[conv_weight(c, group * targets + k, source, target, window, gradient) + tap]
            : 0.0f;
}

/* Taps along one dimension that meet the source at all, for targets at `at`, at + stride, ...: the first, how far they
 * are apart, how many. */
static inline int4 meeting_taps(int at, int taps, int stride, int dilation, int gradient)
{
    if (!gradient || stride == 1) {
        return (int4)(0, 1, taps, 0);
    }
    int4 found = (int4)(0, 1, 0, 0);
    for (int i = 0; i < taps; i++) {
        if ((at - i * dilation) % stride == 0) {
            found.x = found.z == 0 ? i : found.x;
            found.y = found.z == 1 ? i - found.x : found.y;
            found.z++;
        }
    }
    return found;
}

/* The targets of a work-group: of a gradient over strides, only those that meet the same taps. */
typedef struct phase {
    int row, column, row_step, column_step, rows, columns;
} phase;

static inline phase find_phase(int i, int4 target, int4 step, int4 place)
{
    phase p;
    p.row_step = place.z ? step.x : 1;
    p.column_step = place.z ? step.y : 1;
    p.row = i / p.column_step;
    p.column = i % p.column_step;
    p.rows = (target.z + p.row_step - 1) / p.row_step;
    p.columns = (target.w + p.column_step - 1) / p.column_step;
    return p;
}

/* Picture, row and column of pixel i of a phase; the picture is -1 where there is none. */
static inline int4 find_pixel(int i, const phase *p, int4 target)
{
    int4 at;
    const int row = i / p->columns;
    at.x = row / p->rows;
    at.y = row % p->rows * p->row_step + p->row;
    at.z = (i - row * p->columns) * p->column_step + p->column;
    at.w = 0;
    at.x = at.x < target.x && at.y < target.z && at.z < target.w ? at.x : -1;
    return at;
}

static inline float4 load_bias(__global const float *bias, int channel, int targets)
{
    float lane[4];
    for (int l = 0; l < 4; l++) {
        lane[l] = channel + l < targets ? bias[channel + l] : 0.0f;
    }
    return vload4(0, lane);
}

/* A float4 of target channels from `channel` of the group on; `all` counts over all groups. */
static inline void store(__global float *y, float4 v, int4 at, int channel, int group, int4 target,
                         int4 window, int4 place, float slope)
{
    const int targets = target.y / window.z, all = group * targets + channel;
    const int pixels = target.z * target.w, pixel = at.y * target.w + at.z;
    const int blocks = (target.y + 3) / 4;
    if (targets % 4 == 0 || window.z == 1) {
        if (channel < targets) {
            __global float4 *to = (__global float4 *)y + (at.x * blocks + all / 4) * pixels + pixel;
            *to = rv_rectifyB(place.w ? *to + v : v, slope);
        }
        return;
    }
    /* Groups share blocks; the last one writes the pad lanes too, whose sums are zero. */
    const int end = group == window.z - 1 ? blocks * 4 - group * targets : targets;
    float lane[4];
    vstore4(v, 0, lane);
    for (int i = 0; i < 4; i++) {
        if (channel + i < end) {
            __global float *to = y + conv_index(at.x, all + i, pixel, target, 4);
            *to = rv_rectify(rv_accumulate(to, lane[i], place.w), slope);
        }
    }
}

/* Where a work-group stands in its sum, and what this work-item loads there. */
typedef struct reader {
    int4 rows, columns;      /* the taps that count: as from meeting_taps() */
    int r, s, chunk, chunks; /* number of the tap's row and column among these; TK channels of it */
    int row, column, first; /* pixel of the target; its picture and group in the source, -1: none */
    int at;                 /* the source pixel that it meets, -1: none */
    int blocks;             /* that are left of the group from this work-item's first on */
    int weight, width;      /* float4 in the first row of weights; between rows */
} reader;

typedef struct terms {
    float4 left[LEFT_LOADS], right[RIGHT_LOADS];
} terms;

static inline void find_source(reader *t, int4 source, int4 window, int4 step, int4 place)
{
    const int row = conv_row(t->row, t->rows.x + t->r * t->rows.y, source, window, step, place);
    const int column =
        conv_column(t->column, t->columns.x + t->s * t->columns.y, source, window, step, place);
    t->at = (t->first | row | column) < 0 ? -1 : t->first + row * source.w + column;
}

/* Loads the next TK terms of the sum and goes on. */
static inline void load_terms(terms *v, reader *t, __global const float4 *x,
                              __global const float4 *weights, int4 source, int4 window, int4 step,
                              int4 place)
{
    const int pixels = source.z * source.w;
#pragma unroll
    for (int q = 0; q < LEFT_LOADS; q++) {
        const int unit = t->chunk * UNITS + q * LEFT_STEP;
        v->left[q] = t->at >= 0 && unit < t->blocks ? x[t->at + unit * pixels] : (float4)(0.0f);
    }
    const int tap = (t->rows.x + t->r * t->rows.y) * window.y + t->columns.x + t->s * t->columns.y;
    const int w = (tap * t->chunks + t->chunk) * TK * t->width + t->weight;
#pragma unroll
    for (int q = 0; q < RIGHT_LOADS; q++) {
        v->right[q] = weights[w + q * (ITEMS / (TN / 4)) * t->width];
    }
    t->chunk++;
    if (t->chunk == t->chunks) {
        t->chunk = 0;
        t->s++;
        t->r += t->s == t->columns.z;
        t->s = t->s == t->columns.z ? 0 : t->s;
        find_source(t, source, window, step, place);
    }
}

static inline void keep_terms(__local float4 *left, __local float4 *right, const terms *v)
{
    const int item = (int)get_local_id(0);
    __local float *into = (__local float *)left + item / TM * (16 * LEFT_ROW) + item % TM;
#pragma unroll
    for (int q = 0; q < LEFT_LOADS; q++) {
        into[q * LEFT_STEP * 16 * LEFT_ROW] = v->left[q].s0;
        into[(q * LEFT_STEP * 4 + 1) * 4 * LEFT_ROW] = v->left[q].s1;
        into[(q * LEFT_STEP * 4 + 2) * 4 * LEFT_ROW] = v->left[q].s2;
        into[(q * LEFT_STEP * 4 + 3) * 4 * LEFT_ROW] = v->left[q].s3;
    }
#pragma unroll
    for (int q = 0; q < RIGHT_LOADS; q++) {
        right[(item / (TN / 4) + q * (ITEMS / (TN / 4))) * RIGHT_ROW + item % (TN / 4)] =
            v->right[q];
    }
}

/* One work-group: TM pixels of a phase (dimension 0) x TN channels (dimension 1) of a group, phase and part (dimension
 * 2). With several parts, y holds a target for each. */
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
conv_gpu_tiles(__global float *y, __global const float *x, __global const float *packed,
               __global const float *bias, int4 source, int4 target, int4 window, int4 step,
               int4 place, float slope, int4 work, int4 from, int first)
{
    __local float4 left[TK * LEFT_ROW], right[TK * RIGHT_ROW];
    const int item = (int)get_local_id(0), parts = work.x;
    const int group = (int)get_group_id(2) % window.z, rest = (int)get_group_id(2) / window.z;
    const int part = rest % parts, channels = source.y / window.z;
    const int first_pixel = (first + (int)get_group_id(0)) * TM,
              first_channel = (int)get_group_id(1) * TN;
    const phase phase = find_phase(rest / parts, target, step, place);
    const int4 mine = find_pixel(first_pixel + item % TM, &phase, target);
    reader t;
    t.rows = meeting_taps(phase.row + place.x, window.x, step.x, step.z, place.z);
    t.columns = meeting_taps(phase.column + place.y, window.y, step.y, step.w, place.z);
    t.chunks = work.y;
    const int steps = t.rows.z * t.columns.z * t.chunks;
    const int begin = (int)((long)steps * part / parts);
    const int end = (int)((long)steps * (part + 1) / parts);
    t.chunk = begin % t.chunks;
    t.r = steps > 0 ? begin / t.chunks / t.columns.z : 0;
    t.s = steps > 0 ? begin / t.chunks % t.columns.z : 0;
    t.row = mine.y;
    t.column = mine.z;
    t.first = mine.x < 0
                  ? -1
                  : (mine.x * ((source.y + 3) / 4) + first_block(group, channels) + item / TM) *
                        source.z * source.w;
    t.blocks = count_blocks(group, channels) - item / TM;
    t.width = work.z / 4;
    t.weight = group * window.x * window.y * t.chunks * TK * t.width + first_channel / 4 +
               item / (TN / 4) * t.width + item % (TN / 4);
    find_source(&t, source, window, step, place);
    __global const float4 *maps = (__global const float4 *)x + from.y;
    __global const float4 *weights = (__global const float4 *)packed + from.z;

    float4 sum[4 * MB][NB];
    terms next;
    tile_zero(sum);
    if (begin < end) {
        load_terms(&next, &t, maps, weights, source, window, step, place);
    }
    for (int i = begin; i < end; i++) {
        barrier(CLK_LOCAL_MEM_FENCE); /* the terms before have been multiplied */
        keep_terms(left, right, &next);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (i + 1 < end) { /* come while these are multiplied */
            load_terms(&next, &t, maps, weights, source, window, step, place);
        }
        tile_multiply(sum, left, right);
    }

    y += ((size_t)part * target.x * ((target.y + 3) / 4) * target.z * target.w + from.x) * 4;
    const int targets = target.y / window.z, column = first_channel + TILE_COLUMN * 4;
#pragma unroll
    for (int j = 0; j < NB; j++) {
        if (bias != 0) {
            const float4 add = load_bias(bias + group * targets, column + j * SN * 4, targets);
#pragma unroll
            for (int m = 0; m < 4 * MB; m++) {
                sum[m][j] += add;
            }
        }
    }
#pragma unroll
    for (int m = 0; m < 4 * MB; m++) {
        const int4 to =
            find_pixel(first_pixel + (TILE_ROW + m / 4 * SM) * 4 + m % 4, &phase, target);
#pragma unroll
        for (int j = 0; j < NB; j++) {
            if (to.x >= 0) {
                store(y, sum[m][j], to, column + j * SN * 4, group, target, window, place, slope);
            }
        }
    }
}

/* The target from its parts, in their order. One work-item: a block of channels of a pixel. from: where target and
 * parts start, in float4. */
__kernel void conv_gpu_sum(__global float *y, __global const float *partial,
                           __global const float *bias, int4 target, int4 place, float slope,
                           int4 work, int4 from)
{
    const int pixels = target.z * target.w, blocks = (target.y + 3) / 4, i = rv_index();
    const int n = target.x * blocks * pixels;
    if (i >= n) {
        return;
    }
    __global const float4 *part = (__global const float4 *)partial + from.y + i;
    float4 sum = *part;
    for (int k = 1; k < work.x; k++) {
        sum += part[(size_t)k * n];
    }
    if (bias != 0) {
        sum += load_bias(bias, i / pixels % blocks * 4, target.y);
    }
    __global float4 *to = (__global float4 *)y + from.x + i;
    *to = rv_rectifyB(place.w ? *to + sum : sum, slope);
}
