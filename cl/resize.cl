/* Resizes planes by tables of pixels and weights for the rows and the columns of the output. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"
#include "resize.clh"
#include "transpose.clh"

/* A table of n outputs with `taps` weights each lies in the workspace from `at`, in floats:
 * float [n][taps], weights; int [n][2], first pixel and number of pixels. */
static inline __global int *table_ranges(__global float *workspace, int at, int n, int taps)
{
    return (__global int *)(workspace + at + n * taps);
}
static inline __global float *table_weights(__global float *workspace, int at, int taps, int i)
{
    return workspace + at + i * taps;
}

static inline long join(int high, int low)
{
    return ((long)high << 32) | (long)(uint)low;
}

/* Table of an axis from `from` to `to` pixels; one work-item: one output.
 * position: start and half a step in fixed point, two words each, the higher first. */
__kernel void resize_table(__global float *workspace, int at, int to, int from, int taps, int reach,
                           int filter, int4 position, float width)
{
    const int i = rv_index();
    if (i >= to) {
        return;
    }
    const long end = ((long)from << RV_RESIZE_FRACTION_BITS) - 1;
    const long centre = min(
        rv_resize_position(join(position.s0, position.s1), join(position.s2, position.s3), i), end);
    const int pixel = rv_resize_pixel(centre);
    const float offset = 0.5f - rv_resize_offset(centre);
    int first = max(pixel - reach, 0), last = min(pixel + reach, from - 1);
    /* `reach` is what any output may need: most need less. */
    while (first < pixel &&
           rv_resize_is_beyond(filter, ((float)(first - pixel) + offset) / width)) {
        first++;
    }
    while (last > pixel && rv_resize_is_beyond(filter, ((float)(last - pixel) + offset) / width)) {
        last--;
    }
    __global float *weight = table_weights(workspace, at, taps, i);
    float sum = 0.0f;
    for (int k = first; k <= last; k++) {
        weight[k - first] = rv_resize_weight(filter, ((float)(k - pixel) + offset) / width);
        sum += weight[k - first];
    }
    for (int k = first; k <= last; k++) {
        weight[k - first] /= sum;
    }
    __global int *range = table_ranges(workspace, at, to, taps) + 2 * i;
    range[0] = first;
    range[1] = last - first + 1;
}

/* The transpose of a table of `from` outputs over `to` pixels: for each pixel the outputs that take it.
 * First and last pixel never fall from one output to the next, so both ends are found by halving. */
__kernel void resize_transpose(__global float *workspace, int at, int to, int taps, int table,
                               int from, int table_taps)
{
    const int k = rv_index();
    if (k >= to) {
        return;
    }
    __global int *range = table_ranges(workspace, table, from, table_taps);
    int begin = 0, end = from;
    while (begin < end) {
        const int i = (begin + end) / 2;
        if (range[2 * i] + range[2 * i + 1] > k) {
            end = i;
        } else {
            begin = i + 1;
        }
    }
    int stop = begin;
    end = from;
    while (stop < end) {
        const int i = (stop + end) / 2;
        if (range[2 * i] > k) {
            end = i;
        } else {
            stop = i + 1;
        }
    }
    __global float *weight = table_weights(workspace, at, taps, k);
    for (int i = begin; i < stop; i++) {
        weight[i - begin] = table_weights(workspace, table, table_taps, i)[k - range[2 * i]];
    }
    range = table_ranges(workspace, at, to, taps);
    range[2 * k] = begin;
    range[2 * k + 1] = stop - begin;
}

/* Tables of rows and columns. */
typedef struct tables {
    __global const int *rows, *columns; /* ranges */
    __global const float *row_weights, *column_weights;
} tables;

static inline tables find_tables(__global float *workspace, int4 table, int4 size)
{
    tables t;
    t.rows = table_ranges(workspace, table.x, size.x, table.z);
    t.columns = table_ranges(workspace, table.y, size.y, table.w);
    t.row_weights = table_weights(workspace, table.x, table.z, 0);
    t.column_weights = table_weights(workspace, table.y, table.w, 0);
    return t;
}

/* y [planes,size.x,size.y] from x [planes,size.z,size.w]: what a few rows of outputs take of the rows of the source is
 * added up in strips of columns, which stay in a cache or in local memory, and the outputs are made of these. table: where
 * those of rows and of columns lie, and the weights per output in each. Work-groups take `run` columns of some rows, and
 * follow one another along the rows. */

#if RV_GPU_FORM

/* Outputs of a work-group: HIGH rows of `run` = WIDE columns; a work-item has PART of them, one below the other. */
#define WIDE 64
#define HIGH 16
#define PART (WIDE * HIGH / 256)
/* Columns of the source that lie in local memory: 12 KiB. */
#define STRIP 192

__kernel __attribute__((reqd_work_group_size(256, 1, 1))) void
resize_planes(__global float *y, __global const float *x, __global float *workspace, int planes,
              int4 size, int4 table, int run, int accumulate)
{
    __local float strip[HIGH * STRIP];
    const int group = (int)(get_group_id(1) * get_num_groups(0) + get_group_id(0));
    const int across = (size.y + WIDE - 1) / WIDE, down = (size.x + HIGH - 1) / HIGH;
    const int plane = min(group / across / down, planes - 1); /* beyond: the last, not stored */
    const int top = group / across % down * HIGH, left = group % across * WIDE;
    const int item = (int)get_local_id(0), lane = item % WIDE, first_row = item / WIDE * PART;
    const int rows = min(HIGH, size.x - top), end = min(left + WIDE, size.y) - 1;
    const tables t = find_tables(workspace, table, size);
    const int column = min(left + lane, end);
    const int start = t.columns[2 * column], count = t.columns[2 * column + 1];
    const int stop = t.columns[2 * end] + t.columns[2 * end + 1];
    __global const float *weight = t.column_weights + column * table.w;
    float sum[PART];
    for (int r = 0; r < PART; r++) {
        sum[r] = 0.0f;
    }
    (void)run; /* WIDE */
    x += plane * size.z * size.w;
    for (int begin = t.columns[2 * left]; begin < stop; begin += STRIP) {
        const int wide = min(STRIP, stop - begin);
        for (int row = item / WIDE; row < rows; row += 256 / WIDE) {
            const int n = t.rows[2 * (top + row) + 1];
            __global const float *from_rows = x + t.rows[2 * (top + row)] * size.w + begin;
            __global const float *row_weight = t.row_weights + (top + row) * table.z;
            for (int k = lane; k < wide; k += WIDE) {
                float v = 0.0f;
                for (int j = 0; j < n; j++) {
                    v += row_weight[j] * from_rows[j * size.w + k];
                }
                strip[row * STRIP + k] = v;
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = max(start, begin); k < min(start + count, begin + wide); k++) {
            for (int r = 0; r < PART; r++) {
                sum[r] +=
                    weight[k - start] * strip[min(first_row + r, rows - 1) * STRIP + k - begin];
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int r = 0; r < PART; r++) {
        const int row = first_row + r;
        if (row < rows && left + lane <= end && group < across * down * planes) {
            __global float *out = y + (plane * size.x + top + row) * size.y + left + lane;
            *out = rv_accumulate(out, sum[r], accumulate);
        }
    }
}

#else

/* Rows of outputs that share most of the rows that they read, and vectors side by side; together they leave registers
 * for operands. Rows a power of two apart fall on the same few lines of a cache: each is worth to be read once. */
#define ROWS_TOGETHER (B / 4)
#define TOGETHER      4
/* Columns of the source in a strip: 16 KiB with B = 16, half of a first-level cache. */
#define STRIP         (4 * TOGETHER * B)

/* ROWS_TOGETHER rows of outputs: the weights of each, how many, and which row each reads first, counted from `first`. */
typedef struct row_group {
    __global const float *weight[ROWS_TOGETHER];
    int begin[ROWS_TOGETHER], count[ROWS_TOGETHER];
    int first, all; /* row of the source, and rows from there on, that any of them reads */
    int seen;       /* of which the rows of outputs above read these, too */
} row_group;

/* The B rows of outputs from `row` on; beyond the last one there are no weights. */
static inline void find_rows(row_group *groups, const tables *t, int row, int n_rows, int taps)
{
    int seen = 0; /* rows before this one have been read */
    for (int g = 0; g < B / ROWS_TOGETHER; g++) {
        row_group *w = &groups[g];
        for (int r = 0; r < ROWS_TOGETHER; r++) {
            const int i = min(row + g * ROWS_TOGETHER + r, n_rows - 1), start = t->rows[2 * i];
            w->first = r == 0 ? start : w->first;
            w->weight[r] = t->row_weights + i * taps;
            w->begin[r] = start - w->first;
            w->count[r] = row + g * ROWS_TOGETHER + r < n_rows ? t->rows[2 * i + 1] : 0;
            w->all = w->begin[r] + t->rows[2 * i + 1];
        }
        w->seen = seen - w->first;
        seen = w->first + w->all;
    }
}

/* sums[ROWS_TOGETHER][TOGETHER] over rows of the source from x on, `columns` apart. */
static inline void sum_rows(floatB *sums, __global const float *x, const row_group *w, int columns)
{
    floatB sum[ROWS_TOGETHER * TOGETHER];
#pragma unroll
    for (int k = 0; k < ROWS_TOGETHER * TOGETHER; k++) {
        sum[k] = (floatB)(0.0f);
    }
    x += w->first * columns;
    for (int j = 0; j < w->all; j++, x += columns) {
        floatB v[TOGETHER];
#pragma unroll
        for (int k = 0; k < TOGETHER; k++) {
            v[k] = vloadB(k, x);
            if (j >= w->seen) {
                rv_prefetch(x + (TOGETHER + k) * B);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS_TOGETHER; r++) {
            const int i = j - w->begin[r];
            if (i >= 0 && i < w->count[r]) {
                const floatB weight = (floatB)(w->weight[r][i]);
#pragma unroll
                for (int k = 0; k < TOGETHER; k++) {
                    sum[r * TOGETHER + k] = fma(weight, v[k], sum[r * TOGETHER + k]);
                }
            }
        }
    }
#pragma unroll
    for (int k = 0; k < ROWS_TOGETHER * TOGETHER; k++) {
        sums[k] = sum[k];
    }
}

/* The same for one vector, of which the first `there` columns exist: sums[ROWS_TOGETHER]. */
static inline void sum_rows_edge(floatB *sums, __global const float *x, const row_group *w,
                                 int columns, int there)
{
    for (int r = 0; r < ROWS_TOGETHER; r++) {
        __global const float *from = x + (w->first + w->begin[r]) * columns;
        sums[r] = (floatB)(0.0f);
        for (int j = 0; j < w->count[r] && there == B; j++) {
            sums[r] += w->weight[r][j] * vloadB(0, from + j * columns);
        }
        for (int b = 0; b < there && there < B; b++) {
            float sum = 0.0f;
            for (int j = 0; j < w->count[r]; j++) {
                sum += w->weight[r][j] * from[j * columns + b];
            }
            ((__private float *)(sums + r))[b] = sum;
        }
    }
}

/* strip[k]: sums over rows in column begin + k of the source, a row of outputs in each lane, from `k` to `end`, both
 * multiples of B. Columns beyond the source are zero. */
static inline void fill_strip(floatB *strip, __global const float *x, const row_group *groups,
                              int columns, int begin, int k, int end)
{
    while (k < end) {
        const int across =
            end - k >= TOGETHER * B && columns - begin - k >= TOGETHER * B ? TOGETHER : 1;
        floatB sums[B * TOGETHER];
        for (int g = 0; g < B / ROWS_TOGETHER; g++) {
            if (across == TOGETHER) {
                sum_rows(sums + g * ROWS_TOGETHER * TOGETHER, x + begin + k, &groups[g], columns);
            } else {
                sum_rows_edge(sums + g * ROWS_TOGETHER, x + begin + k, &groups[g], columns,
                              min(B, columns - begin - k));
            }
        }
        for (int v = 0; v < across; v++, k += B) {
            floatB turned[B];
#pragma unroll
            for (int r = 0; r < B; r++) {
                turned[r] = sums[r * across + v];
            }
            rv_transpose(turned);
#pragma unroll
            for (int b = 0; b < B; b++) {
                strip[k + b] = turned[b];
            }
        }
    }
}

/* B columns of sums, a row in each lane, to y. */
static inline void turn_back(__global float *y, floatB *sums, int rows, int to, int columns,
                             int accumulate, int large)
{
    rv_transpose(sums);
    for (int r = 0; r < rows; r++) {
        __global float *at = y + r * to;
        if (!large) {
            rv_prefetch_write(at + 4 * B);
        }
        if (columns == B) {
            rv_store_past(accumulate ? vloadB(0, at) + sums[r] : sums[r], at, large);
            continue;
        }
        float lane[B];
        vstoreB(sums[r], 0, lane);
        for (int b = 0; b < columns; b++) {
            at[b] = rv_accumulate(at + b, lane[b], accumulate);
        }
    }
}

/* Columns of the source whose sums over rows lie turned about. */
typedef struct strip {
    floatB *sums;
    int begin, end;
} strip;

/* Has columns `first` to first + n there, n at most STRIP - TOGETHER * B; `stop`: end of all that will be asked for. */
static inline void advance(strip *s, __global const float *x, const row_group *groups, int columns,
                           int first, int n, int stop)
{
    if (first >= s->begin && first + n <= s->end) {
        return;
    }
    const int next = first / (TOGETHER * B) * (TOGETHER * B);
    const int kept = next >= s->begin && next < s->end ? s->end - next : 0;
    for (int k = 0; k < kept; k++) {
        s->sums[k] = s->sums[next - s->begin + k];
    }
    s->begin = next;
    s->end = next + min(STRIP, (stop - next + B - 1) / B * B);
    fill_strip(s->sums, x, groups, columns, next, kept, s->end - next);
}

/* One column of outputs, or a part of its sum. */
static inline floatB sum_columns(const floatB *v, __global const float *weight, int n)
{
    floatB even = (floatB)(0.0f), odd = (floatB)(0.0f);
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        even = fma((floatB)(weight[i]), v[i], even);
        odd = fma((floatB)(weight[i + 1]), v[i + 1], odd);
    }
    return i < n ? fma((floatB)(weight[i]), v[i], even) + odd : even + odd;
}

/* One work-item: `run` columns, a multiple of B, of B rows, which lie side by side in vectors. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
resize_planes(__global float *y, __global const float *x, __global float *workspace, int planes,
              int4 size, int4 table, int run, int accumulate)
{
    const int group = (int)(get_group_id(1) * get_num_groups(0) + get_group_id(0));
    const int across = (size.y + run - 1) / run, down = (size.x + B - 1) / B;
    const int plane = group / across / down, row = group / across % down * B;
    if (plane >= planes) {
        return;
    }
    const int left = group % across * run, right = min(left + run, size.y);
    const int n_rows = min(B, size.x - row), least = STRIP - TOGETHER * B;
    const int large = !accumulate && rv_is_large((float)planes * (float)size.x * (float)size.y);
    const tables t = find_tables(workspace, table, size);
    const int stop = t.columns[2 * (right - 1)] + t.columns[2 * (right - 1) + 1];
    row_group groups[B / ROWS_TOGETHER];
    find_rows(groups, &t, row, size.x, table.z);
    floatB sums[B], room[STRIP];
    strip s = {room, 0, 0};
    x += plane * size.z * size.w;
    y += (plane * size.x + row) * size.y;
    for (int column = left; column < right; column += B) {
        const int columns = min(B, right - column), last = column + columns - 1;
        __global const float *weight = t.column_weights + column * table.w;
        __global const int *range = t.columns + 2 * column;
        const int span = t.columns[2 * last] + t.columns[2 * last + 1] - range[0];
        if (span <= least) {
            advance(&s, x, groups, size.w, range[0], span, stop);
        }
        for (int b = 0; b < columns; b++, weight += table.w, range += 2) {
            if (span <= least) {
                sums[b] = sum_columns(room + range[0] - s.begin, weight, range[1]);
                continue;
            }
            sums[b] = (floatB)(0.0f);
            for (int done = 0; done < range[1]; done += least) {
                const int first = range[0] + done, n = min(range[1] - done, least);
                advance(&s, x, groups, size.w, first, n, stop);
                sums[b] += sum_columns(room + first - s.begin, weight + done, n);
            }
        }
        for (int b = columns; b < B; b++) {
            sums[b] = (floatB)(0.0f);
        }
        turn_back(y + column, sums, n_rows, size.y, columns, accumulate, large);
    }
}

#endif
