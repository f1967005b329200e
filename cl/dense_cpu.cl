/* Dense layers on CPUs: register tiles of floatB sums, one work-item per work-group, no barrier. */
/* SPDX-License-Identifier: MIT */
#include "transpose.clh"

/* For few pictures, OUTPUTS x PICTURES sums, each a floatB along the features; else ROWS x KV, each a floatB along the
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
/* Vectors of a panel, which stays in the first-level cache, and of all that a work-item has packed. */
#define PANEL  384
#define PANELS (4 * PANEL)
/* Terms of a sum between which memory is asked for what comes. */
#define STRETCH 32

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

/* The first ROWS lanes of v. */
static inline void store_rows(__global float *to, floatB v)
{
#if B == 16 && ROWS == 12
    vstore8(v.lo, 0, to);
    vstore4(v.hi.lo, 2, to);
#elif B == 16 && ROWS == 8
    vstore8(v.lo, 0, to);
#elif B == 8 && ROWS == 6
    vstore4(v.lo, 0, to);
    vstore2(v.hi.lo, 2, to);
#elif B == 8
    vstore4(v.lo, 0, to);
#endif
}

/* A in the order that tiles read it: packed[tile][inner][ROWS], zero beyond the last row. Its value in row r and
 * column i is a[r row_step + i a_step]. One work-item: a tile. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_pack(__global float *packed, __global const float *a, int first_row, int rows, int first,
               int inner, int row_step, int a_step)
{
    const int tile = (int)get_group_id(0), n = min(ROWS, rows - tile * ROWS);
    __global float *to = packed + (size_t)tile * inner * ROWS;
    __global const float *from =
        a + (size_t)(first_row + tile * ROWS) * row_step + (size_t)first * a_step;
    const int whole = n == ROWS && a_step == (B > 4 ? 1 : 0) ? inner / B * B : 0;
    for (int i = 0; i < whole; i += B) {
        floatB v[B];
#pragma unroll
        for (int r = 0; r < B; r++) {
            v[r] = r < ROWS ? vloadB(0, from + (size_t)r * row_step + i) : (floatB)(0.0f);
        }
        rv_transpose(v);
#pragma unroll
        for (int r = 0; r < B; r++) {
            store_rows(to + (i + r) * ROWS, v[r]);
        }
    }
    if (n == ROWS && row_step == 1) {
        for (int i = 0; i < inner; i++) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                to[i * ROWS + r] = from[(size_t)i * a_step + r];
            }
        }
        return;
    }
    for (int start = whole; start < inner; start += B) {
        const int end = min(start + B, inner);
        for (int r = 0; r < ROWS; r++) {
            for (int i = start; i < end; i++) {
                to[i * ROWS + r] = r < n ? from[(size_t)r * row_step + (size_t)i * a_step] : 0.0f;
            }
        }
    }
}

/* panel[i][KV] for n terms and the first `columns` columns at b, zero beyond. */
static inline void pack_panel(floatB *panel, __global const float *b, int n, int columns,
                              int column_step, int b_step)
{
    const int whole = columns < KV * B ? 0 : column_step == 1 ? n : n / B * B;
    for (int i = 0; i < whole && column_step == 1; i++) {
#pragma unroll
        for (int v = 0; v < KV; v++) {
            panel[i * KV + v] = vloadB(v, b + (size_t)i * b_step);
        }
    }
    for (int v = 0; v < KV && column_step != 1; v++) {
        for (int i = 0; i < whole; i += B) {
            floatB w[B];
#pragma unroll
            for (int r = 0; r < B; r++) {
                w[r] = vloadB(0, b + (size_t)(v * B + r) * column_step + i);
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
            to[c] = c < columns ? b[(size_t)c * column_step + (size_t)i * b_step] : 0.0f;
        }
    }
}

/* What happens to sums before they are stored. */
typedef struct finish {
    __global const float *bias; /* of these columns; 0: none */
    float slope;
    int add; /* to what is there */
    int columns;
} finish;

/* One row of KV vectors, and of fewer values. */
static inline void store(__global float *out, const floatB *sums, const finish *f)
{
#pragma unroll
    for (int v = 0; v < KV; v++) {
        floatB sum = f->add ? vloadB(v, out) + sums[v] : sums[v];
        sum = f->bias != 0 ? sum + vloadB(v, f->bias) : sum;
        vstoreB(rv_rectifyB(sum, f->slope), v, out);
    }
}
static inline void store_some(__global float *out, const float *sums, const finish *f)
{
    for (int c = 0; c < f->columns; c++) {
        const float sum = rv_accumulate(out + c, sums[c], f->add);
        out[c] = rv_rectify(f->bias != 0 ? sum + f->bias[c] : sum, f->slope);
    }
}

/* Asks for `count` floats from `from` on, to be read soon. */
static inline void fetch(__global const float *from, int count)
{
    for (int i = 0; i < count; i += 64 / (int)sizeof(float)) {
#if defined(__x86_64__) || defined(__aarch64__)
        __builtin_prefetch((const void *)(size_t)(from + i));
#else
        prefetch(from + i, 1);
#endif
    }
}

/* The n terms of `width` columns of B that pack_panel() reads next; all of them are asked for in so many shares. */
typedef struct coming {
    __global const float *b;
    int column_step, b_step, n, width, shares;
} coming;

static inline void fetch_share(const coming *c, int share)
{
    const int along = c->column_step == 1; /* rows of the panel lie in memory */
    const int all = along ? c->n : c->width, length = along ? c->width : c->n;
    for (int i = share * all / c->shares; i < (share + 1) * all / c->shares; i++) {
        fetch(c->b + (size_t)i * (along ? c->b_step : c->column_step), length);
    }
}

/* out[ROWS][columns] (+)= packed a[n][ROWS] times panel[n][KV]; `rows` of them are stored. Meanwhile shares of what
 * comes are asked for, and where this goes. */
static inline void multiply(__global float *out, __global const float *a, const floatB *panel,
                            int n, int rows, int columns, const finish *f, const coming *c,
                            int share)
{
    for (int r = 0; r < rows; r++) {
        fetch(out + (size_t)r * columns, min(KV * B, f->columns));
    }
    floatB sum[ROWS * KV];
#pragma unroll
    for (int i = 0; i < ROWS * KV; i++) {
        sum[i] = (floatB)(0.0f);
    }
    for (int start = 0; start < n; start += STRETCH, share++) {
        const int end = min(start + STRETCH, n);
        if (c->n > 0) {
            fetch_share(c, share);
        }
        for (int i = start; i < end; i++) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const floatB value = (floatB)(a[i * ROWS + r]);
#pragma unroll
                for (int v = 0; v < KV; v++) {
                    sum[r * KV + v] = fma(value, panel[i * KV + v], sum[r * KV + v]);
                }
            }
        }
    }
    if (rows == ROWS && f->columns >= KV * B) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            store(out + (size_t)r * columns, sum + r * KV, f);
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
            store(out + (size_t)r * columns, sums + r * KV, f);
        } else {
            store_some(out + (size_t)r * columns, (const __private float *)(sums + r * KV), f);
        }
    }
}

/* out (+)= A B + bias, rectified: rows from first_row on of A, packed, and its columns from `first` on. B's value in
 * row i and column c is b[c column_step + i b_step]. The sums are added to `out` where `add` says so; bias and slope
 * come with the last of them. Work-group: `slabs` times KV * B columns, as many as fit PANELS; `tiles` tiles of rows. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
dense_cpu_product(__global float *out, __global const float *packed, __global const float *b,
                  __global const float *bias, int first_row, int rows, int first, int inner,
                  int columns, int column_step, int b_step, int slabs, int tiles, int add,
                  float slope)
{
    const int left = (int)get_group_id(0) * slabs * KV * B,
              right = min(left + slabs * KV * B, columns);
    const int top = (int)get_group_id(1) * tiles,
              bottom = min(top + tiles, (rows + ROWS - 1) / ROWS);
    const int depth = PANEL / KV / B * B, n_slabs = (right - left + KV * B - 1) / (KV * B);
    floatB panels[PANELS];
    for (int i = 0; i < inner; i += depth) {
        const int n = min(depth, inner - i), stretches = (n + STRETCH - 1) / STRETCH;
        const int last = i + n == inner, all = (bottom - top) * n_slabs;
        const coming next = {b + (size_t)left * column_step + (size_t)(first + i + n) * b_step,
                             column_step,
                             b_step,
                             min(depth, inner - i - n),
                             right - left,
                             all * stretches};
        for (int s = 0; s < n_slabs; s++) {
            const int column = left + s * KV * B;
            pack_panel(panels + s * n * KV,
                       b + (size_t)column * column_step + (size_t)(first + i) * b_step, n,
                       columns - column, column_step, b_step);
        }
        /* Rows side by side are stored one after the other where the panels fit the cache together. */
        const int by_rows = n_slabs * n * KV <= PANEL;
        for (int k = 0; k < all; k++) {
            const int tile = top + (by_rows ? k / n_slabs : k % (bottom - top)),
                      s = by_rows ? k % n_slabs : k / (bottom - top), column = left + s * KV * B;
            const finish f = {last && bias != 0 ? bias + column : 0, last ? slope : 1.0f,
                              add || i > 0, columns - column};
            multiply(out + (size_t)(first_row + tile * ROWS) * columns + column,
                     packed + ((size_t)tile * inner + i) * ROWS, panels + s * n * KV, n,
                     min(ROWS, rows - tile * ROWS), columns, &f, &next, k * stretches);
        }
    }
}
