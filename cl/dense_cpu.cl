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
/* Vectors of a panel, and of all that a work-item has packed, which stay in the second-level cache, while a tile of the
 * other operand stays in the first and meets one panel after the other. */
#if B == 16
#define PANEL  2048
#define PANELS (2 * PANEL)
#else
#define PANEL  1024
#define PANELS (4 * PANEL)
#endif
/* Terms that a panel holds. */
#define DEPTH (PANEL / KV / B * B)

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
        prefetch(from + i * (64 / (int)sizeof(float)), 1);
#endif
    }
}

/* A whose rows lie side by side, in the order that tiles read it: for each DEPTH terms of `all_terms`,
 * packed[tile][term][ROWS], zero beyond the last row. Its value in row r and column i is a[r + i a_step]. Work-group:
 * (terms, TILES tiles), which take whole lines of cache. */
#define TILES   (96 / ROWS)
#define FETCHED 8 /* terms ahead */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_pack(__global float *packed, __global const float *a, int first_row, int rows, int first,
               int all_terms, int a_step)
{
    const int begin = (int)get_group_id(0) * DEPTH, inner = min(DEPTH, all_terms - begin);
    const int top = (int)get_group_id(1) * TILES, tiles = (rows + ROWS - 1) / ROWS;
    const int left = rows - top * ROWS;
    __global float *to = packed + ((size_t)begin * tiles + (size_t)top * inner) * ROWS;
    __global const float *from = a + first_row + top * ROWS + (size_t)(first + begin) * a_step;
    for (int i = 0; i < inner && left >= TILES * ROWS; i++) {
        fetch(from + (size_t)(i + FETCHED) * a_step, TILES * ROWS * (int)sizeof(float) / 64);
#pragma unroll
        for (int k = 0; k < TILES; k++) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                to[(k * inner + i) * ROWS + r] = from[(size_t)i * a_step + k * ROWS + r];
            }
        }
    }
    for (int k = 0; k < min(TILES, tiles - top) && left < TILES * ROWS; k++) {
        for (int i = 0; i < inner; i++) {
            for (int r = 0; r < ROWS; r++) {
                to[(k * inner + i) * ROWS + r] =
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

/* What is packed after a tile: `rows` rows in memory, `step` apart, of which so many are asked for at a time. */
typedef struct coming {
    __global const float *b;
    int rows, step, each;
} coming;

/* Rows of A: its value in row r and column i is at[r row_step + i step]. The rows of the next tile lie `ahead` on, 0 where
 * they need not be asked for. */
typedef struct tile_rows {
    __global const float *at;
    int row_step, step;
    size_t ahead;
} tile_rows;

/* out[ROWS][pitch] (+)= A's rows times panel[n][KV]; `rows` of them exist. Meanwhile what comes next is asked for, and
 * where this goes. */
static inline void multiply(__global float *out, const tile_rows *a, const floatB *panel, int n,
                            int rows, int pitch, const finish *f, const coming *c)
{
    __global const float *row[ROWS], *coming = c->b;
    int asked = c->rows;
    floatB sum[ROWS * KV];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        row[r] = a->at + (size_t)min(r, rows - 1) * a->row_step;
        fetch(out + (size_t)min(r, rows - 1) * pitch, OUT_LINES);
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
            fetch(coming, OUT_LINES);
            coming += c->step;
        }
        asked -= c->each;
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
    if (rows == ROWS && f->columns >= KV * B && f->add && !f->last) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
#pragma unroll
            for (int v = 0; v < KV; v++) {
                __global float *to = out + (size_t)r * pitch;
                vstoreB(vloadB(v, to) + sum[r * KV + v], v, to);
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

/* out (+)= A B + bias, rectified: rows from first_row on of A, and its columns from `first` on. Its value in row r and
 * column i is a[r row_step + i], or where `packed` says so in the order of dense_cpu_pack. B's value in row i and column c is
 * b[c column_step + i b_step]; `out` has rows of `pitch` columns, whole tiles or as many as B. The sums are added to what
 * is there where `add` says so; bias and slope come with the last of them. Work-group: `slabs` times KV * B columns, as
 * many as fit PANELS; `tiles` tiles of rows. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_product(__global float *out, __global const float *a, __global const float *b,
                  __global const float *bias, int first_row, int rows, int first, int inner,
                  int columns, int pitch, int row_step, int packed, int column_step, int b_step,
                  int slabs, int tiles, int add, float slope)
{
    const int left = (int)get_group_id(0) * slabs * KV * B,
              right = min(left + slabs * KV * B, columns);
    const int all_tiles = (rows + ROWS - 1) / ROWS;
    const int top = (int)get_group_id(1) * tiles, bottom = min(top + tiles, all_tiles);
    const int n_slabs = (right - left + KV * B - 1) / (KV * B);
    const int along = column_step == 1, share = bottom - top;
    floatB panels[2][PANELS]; /* of this stretch and the next, which is packed between the tiles */
    for (int s = 0; s < n_slabs; s++) {
        const int n = min(DEPTH, inner), column = left + s * KV * B;
        pack_panel(panels[0] + s * n * KV,
                   b + (size_t)column * column_step + (size_t)first * b_step, n, columns - column,
                   column_step, b_step);
    }
    for (int i = 0, which = 0; i < inner; i += DEPTH, which ^= 1) {
        const int n = min(DEPTH, inner - i), more = min(DEPTH, inner - i - n);
        const int step = (more + share * B - 1) / (share * B) * B; /* terms that follow a tile */
        for (int k = 0, tile = top, s = 0; k < share * n_slabs; k++) {
            const int column = left + s * KV * B, begin = (tile - top) * step;
            const int terms = clamp(more - begin, 0, step);
            const finish f = {bias != 0 ? bias + column : 0, slope, add || i > 0, i + n == inner,
                              pitch - column};
            const int asked = along || terms == 0 ? terms : min(KV * B, columns - column);
            const coming next = {b + (size_t)column * column_step +
                                     (size_t)(first + i + n + begin) * b_step,
                                 asked, along ? b_step : column_step, (asked * B + n - 1) / n};
            const tile_rows rows_of_a = {
                packed ? a + ((size_t)i * all_tiles + (size_t)tile * n) * ROWS
                       : a + (size_t)(first_row + tile * ROWS) * row_step + first + i,
                packed ? 1 : row_step, packed ? ROWS : 1,
                !packed && s == 0 && tile + 1 < bottom ? (size_t)ROWS * row_step : 0};
            multiply(out + (size_t)(first_row + tile * ROWS) * pitch + column, &rows_of_a,
                     panels[which] + s * n * KV, n, min(ROWS, rows - tile * ROWS), pitch, &f,
                     &next);
            if (terms > 0) {
                pack_panel(panels[which ^ 1] + (s * more + begin) * KV, next.b, terms,
                           columns - column, column_step, b_step);
            }
            s = s + 1 < n_slabs ? s + 1 : 0;
            tile += s == 0;
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
