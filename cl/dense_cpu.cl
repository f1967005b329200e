/* Dense layers on CPUs: register tiles of floatB sums, one work-item per work-group, no barrier. */
/* SPDX-License-Identifier: MIT */
#include "transpose.clh"

/* For very few pictures, OUTPUTS x PICTURES sums, each a floatB along the features; else ROWS x KV, each a floatB along the
 * columns. Both leave registers for operands: of 32 with AVX-512, of 16 elsewhere. */
#if B == 16
#define OUTPUTS  6
#define PICTURES 4
#define SUMS     24
#else
#define OUTPUTS  4
#define PICTURES 3
#define SUMS     12
#endif
#ifndef KV
#define KV 2
#endif
#define ROWS (SUMS / KV)
/* Vectors of the panels that a work-item has packed, which stay in the second-level cache, while a tile of the other operand
 * stays in the first and meets one panel after the other. Each holds `depth` terms, or what is left of them. */
#define PANELS 4096

/* y[picture][output] (+)= x w over the features `start` to `end`, for up to OUTPUTS outputs and PICTURES pictures:
 * what lies beyond repeats the last one and is not stored. */
static inline void forward_tile(__global float *y, __global const float *x, __global const float *w,
                                __global const float *bias, int outputs, int pictures, int features,
                                int k, int start, int end, float slope)
{
    __global const float *row[OUTPUTS], *picture[PICTURES];
    floatB sum[OUTPUTS][PICTURES];
#pragma unroll
    for (int a = 0; a < OUTPUTS; a++) {
        row[a] = w + (size_t)min(a, outputs - 1) * features;
#pragma unroll
        for (int b = 0; b < PICTURES; b++) {
            picture[b] = x + (size_t)min(b, pictures - 1) * features;
            sum[a][b] = (floatB)(0.0f);
        }
    }
    int j = start;
    for (; j + B <= end; j += B) {
        floatB v[PICTURES];
#pragma unroll
        for (int b = 0; b < PICTURES; b++) {
            v[b] = vloadB(0, picture[b] + j);
        }
#pragma unroll
        for (int a = 0; a < OUTPUTS; a++) {
            const floatB u = vloadB(0, row[a] + j);
#pragma unroll
            for (int b = 0; b < PICTURES; b++) {
                sum[a][b] = fma(u, v[b], sum[a][b]);
            }
        }
    }
#pragma unroll
    for (int a = 0; a < OUTPUTS; a++) {
#pragma unroll
        for (int b = 0; b < PICTURES; b++) {
            if (a < outputs && b < pictures) {
                float total = rv_sum_lanes(sum[a][b]);
                for (int i = j; i < end; i++) {
                    total = fma(row[a][i], picture[b][i], total);
                }
                __global float *q = y + b * k + a;
                total += start > 0 ? *q : bias != 0 ? bias[a] : 0.0f;
                *q = end == features ? rv_rectify(total, slope) : total;
            }
        }
    }
}

/* y = x W^T + b, rectified, for `span` outputs, a multiple of OUTPUTS. y is [N,K], x [N,J], w [K,J], bias [K] or null. The
 * features are taken in stretches of `chunk`, so that all pictures of one stay in cache. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_forward(__global float *y, __global const float *x, __global const float *w,
                  __global const float *bias, int n, int k, int features, int span, int chunk,
                  float slope)
{
    const int first = (int)get_group_id(0) * span, last = min(k, first + span);
    for (int start = 0; start < features; start += chunk) {
        const int end = min(features, start + chunk);
        for (int output = first; output < last; output += OUTPUTS) {
            for (int picture = 0; picture < n; picture += PICTURES) {
                forward_tile(y + (size_t)picture * k + output, x + (size_t)picture * features,
                             w + (size_t)output * features, bias != 0 ? bias + output : 0,
                             min(OUTPUTS, last - output), min(PICTURES, n - picture), features, k,
                             start, end, slope);
            }
        }
    }
}

/* --- products in panels ---------------------------------------------------------------------- */

/* Lines of cache of a row of sums. */
#define OUT_LINES ((KV * B * (int)sizeof(float) + 63) / 64)
/* Asks for `lines` lines of cache from `from` on, to be read soon. */
static inline void fetch(__global const float *from, int lines)
{
#pragma unroll
    for (int i = 0; i < lines; i++) {
#if defined(__x86_64__) || defined(__aarch64__)
        __builtin_prefetch((const void *)(size_t)(from + i * (64 / (int)sizeof(float))));
#else
        (void)from;
#endif
    }
}

#define TILES   (96 / ROWS)
#define FETCHED 8 /* terms ahead */
/* Floats before each packed tile, lest all that are written side by side fall on the same lines of a cache. */
#define BETWEEN 16

/* Where the first tile of the stretch from term `begin` on lies. */
static inline size_t packed_stretch(int begin, int depth, int tiles)
{
    return ((size_t)begin * ROWS + (size_t)(begin / depth) * BETWEEN) * tiles + BETWEEN;
}

/* A whose rows lie side by side, in the order that tiles read it: for each `depth` terms of `all_terms`,
 * packed[tile][term][ROWS], zero beyond the last row. Its value in row r and column i is a[r + i a_step]. Work-group:
 * (terms, TILES tiles), which take whole lines of cache. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_pack(__global float *packed, __global const float *a, int first_row, int rows, int first,
               int all_terms, int a_step, int depth)
{
    const int begin = (int)get_group_id(0) * depth, inner = min(depth, all_terms - begin);
    const int top = (int)get_group_id(1) * TILES, tiles = (rows + ROWS - 1) / ROWS;
    const int left = rows - top * ROWS;
    const int tile = inner * ROWS + BETWEEN;
    __global float *to = packed + packed_stretch(begin, depth, tiles) + (size_t)top * tile;
    __global const float *from = a + first_row + top * ROWS + (size_t)(first + begin) * a_step;
    for (int i = 0; i < inner && left >= TILES * ROWS; i++) {
        fetch(from + (size_t)(i + FETCHED) * a_step, TILES * ROWS * (int)sizeof(float) / 64);
#pragma unroll
        for (int k = 0; k < TILES; k++) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                to[k * tile + i * ROWS + r] = from[(size_t)i * a_step + k * ROWS + r];
            }
        }
    }
    for (int k = 0; k < min(TILES, tiles - top) && left < TILES * ROWS; k++) {
        for (int i = 0; i < inner; i++) {
            for (int r = 0; r < ROWS; r++) {
                to[k * tile + i * ROWS + r] =
                    k * ROWS + r < left ? from[(size_t)i * a_step + k * ROWS + r] : 0.0f;
            }
        }
    }
}

/* The same for rows that lie side by side: values of one column after the other, the last one for what lies beyond. */
static inline void pack_turned(floatB *panel, __global const float *b, int n, int columns,
                               int column_step)
{
    const int whole = n / B * B;
    for (int v = 0; v < KV; v++) {
        for (int i = 0; i < whole; i += B) {
            floatB w[B];
#pragma unroll
            for (int r = 0; r < B; r++) {
                w[r] = vloadB(0, b + (size_t)min(v * B + r, columns - 1) * column_step + i);
            }
            rv_transpose(w);
#pragma unroll
            for (int r = 0; r < B; r++) {
                panel[(i + r) * KV + v] = w[r];
            }
        }
    }
    for (int i = whole; i < n; i++) {
        __private float *to = (__private float *)(panel + i * KV);
        for (int c = 0; c < KV * B; c++) {
            to[c] = b[(size_t)min(c, columns - 1) * column_step + i];
        }
    }
}

/* panel[i][KV] for n terms and the first `columns` columns at b; what lies beyond is never stored. */
static inline void pack_panel(floatB *panel, __global const float *b, int n, int columns,
                              int column_step, int b_step)
{
    if (column_step != 1) {
        pack_turned(panel, b, n, columns, column_step);
        return;
    }
    for (int i = 0; i < n; i++) {
        __global const float *from = b + (size_t)i * b_step;
        if (columns >= KV * B) {
#pragma unroll
            for (int v = 0; v < KV; v++) {
                panel[i * KV + v] = vloadB(v, from);
            }
        } else {
            __private float *to = (__private float *)(panel + i * KV);
            for (int c = 0; c < KV * B; c++) {
                to[c] = from[min(c, columns - 1)];
            }
        }
    }
}

/* What happens to sums before they are stored. */
typedef struct finish {
    __global const float *bias; /* of these columns; 0: none */
    float slope;
    int add;  /* to what is there */
    int last; /* then come bias and slope */
    int past; /* the caches, which would not keep it: and then nothing else is done to them */
    int columns;
} finish;

/* One row of KV vectors, and of fewer values. */
static inline void store(__global float *out, const floatB *sums, const finish *f)
{
#pragma unroll
    for (int v = 0; v < KV; v++) {
        floatB sum = f->add ? vloadB(v, out) + sums[v] : sums[v];
        if (f->last) {
            sum = f->bias != 0 ? sum + vloadB(v, f->bias) : sum;
            sum = rv_rectifyB(sum, f->slope);
        }
        vstoreB(sum, v, out);
    }
}
static inline void store_some(__global float *out, const float *sums, const finish *f)
{
    for (int c = 0; c < f->columns; c++) {
        float sum = rv_accumulate(out + c, sums[c], f->add);
        if (f->last) {
            sum = rv_rectify(f->bias != 0 ? sum + f->bias[c] : sum, f->slope);
        }
        out[c] = sum;
    }
}

/* What a tile does besides: it copies `rows` rows of the next stretch, `step` apart, KV vectors of each, to a panel, and asks
 * for `asked` others; `each` of both in B terms. */
typedef struct coming {
    __global const float *from, *ask;
    floatB *to;
    int rows, asked, step, each;
} coming;

/* Rows of A: its value in row r and column i is at[r row_step + i step]. The rows of the next tile lie `ahead` on, 0 where
 * they need not be asked for. */
typedef struct tile_rows {
    __global const float *at;
    int row_step, step;
    size_t ahead;
} tile_rows;

/* out[ROWS][pitch] (+)= A's rows times panel[n][KV]; `rows` of them exist. */
static inline void multiply(__global float *out, const tile_rows *a, const floatB *panel, int n,
                            int rows, int pitch, const finish *f, const coming *c)
{
    __global const float *row[ROWS], *ask = c->ask, *from = c->from;
    floatB *to = c->to, sum[ROWS * KV];
    int asked = c->asked, copied = c->rows;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        row[r] = a->at + (size_t)min(r, rows - 1) * a->row_step;
        if (!f->past) {
            fetch(out + (size_t)min(r, rows - 1) * pitch, OUT_LINES);
        }
    }
#pragma unroll
    for (int i = 0; i < ROWS * KV; i++) {
        sum[i] = (floatB)(0.0f);
    }
    size_t at = 0;
    for (int left = n; left > 0; left -= B) {
        if (a->ahead > 0) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                rv_prefetch(row[r] + at + a->ahead);
            }
        }
        for (int k = min(c->each, asked); k > 0; k--) {
            fetch(ask, OUT_LINES);
            ask += c->step;
        }
        asked -= c->each;
        for (int k = min(c->each, copied); k > 0; k--) {
#pragma unroll
            for (int v = 0; v < KV; v++) {
                to[v] = vloadB(v, from);
            }
            from += c->step;
            to += KV;
        }
        copied -= c->each;
        for (int i = min(B, left); i > 0; i--) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const floatB value = (floatB)(row[r][at]);
#pragma unroll
                for (int v = 0; v < KV; v++) {
                    sum[r * KV + v] = fma(value, panel[v], sum[r * KV + v]);
                }
            }
            at += a->step;
            panel += KV;
        }
    }
    const int whole = rows == ROWS && f->columns >= KV * B;
    if (whole && (f->past || (f->add && !f->last))) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
#pragma unroll
            for (int v = 0; v < KV; v++) {
                __global float *at_out = out + (size_t)r * pitch + v * B;
                if (f->past) {
                    rv_store_past(sum[r * KV + v], at_out, 1);
                } else {
                    vstoreB(vloadB(0, at_out) + sum[r * KV + v], 0, at_out);
                }
            }
        }
        return;
    }
    floatB sums[ROWS * KV];
#pragma unroll
    for (int i = 0; i < ROWS * KV; i++) {
        sums[i] = sum[i];
    }
    for (int r = 0; r < rows; r++) {
        if (f->columns >= KV * B) {
            store(out + (size_t)r * pitch, sums + r * KV, f);
        } else {
            store_some(out + (size_t)r * pitch, (const __private float *)(sums + r * KV), f);
        }
    }
}

/* What is packed while the k-th pair of a tile and a slab, slab after slab, is multiplied in the stretch from term i on:
 * `terms` of the next stretch, which has `all` of them, from its `begin` on, the first of which is `term`. */
typedef struct piece {
    int slab, begin, terms, all, term;
} piece;

static inline piece piece_of(int i, int k, int inner, int depth, int tiles, int slabs)
{
    const int next = i + depth, all = clamp(inner - next, 0, depth);
    const int step = (all + tiles * B - 1) / (tiles * B) * B, begin = k / slabs * step;
    piece p;
    p.slab = k % slabs;
    p.begin = begin;
    p.terms = clamp(all - begin, 0, step);
    p.all = all;
    p.term = next + begin;
    return p;
}

/* out (+)= A B + bias, rectified: rows from first_row on of A, and its columns from `first` on. Its value in row r and
 * column i is a[r row_step + i], or where `packed` says so in the order of dense_cpu_pack. B's value in row i and column c is
 * b[c column_step + i b_step]; `out` has rows of `pitch` columns, whole tiles or as many as B. The sums are added to what
 * is there where `add` says so; bias and slope come with the last of them. Work-group: `slabs` times KV * B columns, so that
 * `depth` terms of them fit PANELS; `tiles` tiles of rows. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_product(__global float *out, __global const float *a, __global const float *b,
                  __global const float *bias, int first_row, int rows, int first, int inner,
                  int columns, int pitch, int row_step, int packed, int column_step, int b_step,
                  int depth, int slabs, int tiles, int add, float slope)
{
    const int left = (int)get_group_id(0) * slabs * KV * B;
    const int n_slabs = (min(left + slabs * KV * B, columns) - left + KV * B - 1) / (KV * B);
    const int all_tiles = (rows + ROWS - 1) / ROWS, top = (int)get_group_id(1) * tiles;
    const int n_tiles = min(top + tiles, all_tiles) - top, pairs = n_tiles * n_slabs;
    const int along = column_step == 1;
    const int past = !add && bias == 0 && slope == 1.0f && inner <= depth &&
                     rv_is_large((float)all_tiles * ROWS * pitch);
    floatB panels[2][PANELS]; /* of this stretch and the next, which is packed meanwhile */
    for (int s = 0; s < n_slabs; s++) {
        const int n = min(depth, inner), column = left + s * KV * B;
        pack_panel(panels[0] + s * n * KV,
                   b + (size_t)column * column_step + (size_t)first * b_step, n, columns - column,
                   column_step, b_step);
    }
    for (int i = 0, which = 0; i < inner; i += depth, which ^= 1) {
        const int n = min(depth, inner - i);
        for (int k = 0; k < pairs; k++) {
            const piece now = piece_of(i, k, inner, depth, n_tiles, n_slabs);
            const piece then = k + 1 < pairs
                                   ? piece_of(i, k + 1, inner, depth, n_tiles, n_slabs)
                                   : piece_of(i + depth, 0, inner, depth, n_tiles, n_slabs);
            const int tile = top + k / n_slabs, column = left + now.slab * KV * B;
            const int room = columns - column, copies = along && room >= KV * B;
            __global const float *from =
                b + (size_t)column * column_step + (size_t)(first + now.term) * b_step;
            floatB *to = panels[which ^ 1] + (now.slab * now.all + now.begin) * KV;
            /* Rows are asked for a pair before they are copied, columns while those before them are multiplied. */
            const int asked = along ? then.terms : now.terms > 0 ? min(KV * B, room) : 0;
            const int most = max(copies ? now.terms : 0, asked);
            const coming c = {
                from,
                along ? b + left + then.slab * KV * B + (size_t)(first + then.term) * b_step : from,
                to,
                copies ? now.terms : 0,
                asked,
                along ? b_step : column_step,
                (most * B + n - 1) / n};
            const finish f = {bias != 0 ? bias + column : 0,
                              slope,
                              add || i > 0,
                              i + n == inner,
                              past,
                              pitch - column};
            const tile_rows t = {
                packed
                    ? a + packed_stretch(i, depth, all_tiles) + (size_t)tile * (n * ROWS + BETWEEN)
                    : a + (size_t)(first_row + tile * ROWS) * row_step + first + i,
                packed ? 1 : row_step, packed ? ROWS : 1,
                !packed && now.slab == 0 && k + n_slabs < pairs ? (size_t)ROWS * row_step : 0};
            multiply(out + (size_t)(first_row + tile * ROWS) * pitch + column, &t,
                     panels[which] + now.slab * n * KV, n, min(ROWS, rows - tile * ROWS), pitch, &f,
                     &c);
            if (now.terms > 0 && !copies) {
                pack_panel(to, from, now.terms, room, column_step, b_step);
            }
        }
    }
}

/* y [n,k] = sums [k][pitch] turned about + bias, rectified. Work-group: B outputs. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_turn(__global float *y, __global const float *sums, __global const float *bias, int n,
               int k, int pitch, float slope)
{
    const int output = (int)get_group_id(0) * B, rows = min(B, k - output);
    const int whole = rows == B ? n / B * B : 0;
    __global const float *from = sums + (size_t)output * pitch;
    __global float *to = y + output;
    const floatB more = bias != 0 && rows == B ? vloadB(0, bias + output) : (floatB)(0.0f);
    for (int picture = 0; picture < whole; picture += B) {
        floatB v[B];
#pragma unroll
        for (int r = 0; r < B; r++) {
            v[r] = vloadB(0, from + (size_t)r * pitch + picture);
        }
        rv_transpose(v);
#pragma unroll
        for (int r = 0; r < B; r++) {
            vstoreB(rv_rectifyB(v[r] + more, slope), 0, to + (size_t)(picture + r) * k);
        }
    }
    for (int picture = whole; picture < n; picture++) {
        for (int r = 0; r < rows; r++) {
            const float sum = from[(size_t)r * pitch + picture];
            to[(size_t)picture * k + r] =
                rv_rectify(bias != 0 ? sum + bias[output + r] : sum, slope);
        }
    }
}
