/* Pictures as sums of waves: products with bases, colours, views, and the way back of gradients. */
/* SPDX-License-Identifier: MIT */
/* Places of n pictures lie one after the other, at each place 3n floats: the first colour of all pictures, then the
 * second and the third. So all sums run over whole vectors, whatever is done with places. */
#include "flat.clh"
#include "transpose.clh"

/* Rows and vectors whose sums a work-item keeps in registers. */
#ifndef ROWS
#define ROWS 4
#endif
#ifndef VECTORS
#define VECTORS 2
#endif

/* Sums of ROWS rows from `first` on in VECTORS vectors; `whole`: none of these ends beyond `length`. */
static inline void spectrum_sum(floatB sum[ROWS][VECTORS], __global const float *basis,
                                __global const float *in, int first, int v, int side, int step,
                                int length, int whole)
{
    for (int k = 0; k < side; k++) {
        floatB x[VECTORS];
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            x[j] = whole                  ? vloadB(v + j, in + k * step)
                   : (v + j) * B < length ? rv_load(in + k * step, v + j, length)
                                          : (floatB)(0.0f);
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const float a = basis[min(first + r, side - 1) * side + k];
#pragma unroll
            for (int j = 0; j < VECTORS; j++) {
                sum[r][j] = fma((floatB)(a), x[j], sum[r][j]);
            }
        }
    }
}

/* out[g][r] = sum over k of basis[r][k] in[g][k], for `groups` groups of `side` rows of `length` floats. Steps are from
 * row to row and from group to group, of out and of in. One work-item: ROWS rows of VECTORS vectors; those of the same
 * vectors follow each other, as they read the same. */
__kernel void spectrum_multiply(__global float *out, __global const float *basis,
                                __global const float *in, int groups, int side, int length,
                                int4 steps)
{
    const int strips = (side + ROWS - 1) / ROWS;
    const int columns = (length + VECTORS * B - 1) / (VECTORS * B);
    const int i = rv_index(), group = i / (strips * columns);
    const int first = i % strips * ROWS, v = i / strips % columns * VECTORS;
    if (group >= groups) {
        return;
    }
    out += group * steps.s1;
    in += group * steps.s3;
    floatB sum[ROWS][VECTORS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            sum[r][j] = 0.0f;
        }
    }
    if ((v + VECTORS) * B <= length) {
        spectrum_sum(sum, basis, in, first, v, side, steps.s2, length, 1);
    } else {
        spectrum_sum(sum, basis, in, first, v, side, steps.s2, length, 0);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
#pragma unroll
        for (int j = 0; j < VECTORS; j++) {
            if (first + r < side && (v + j) * B < length) {
                rv_store(out + (first + r) * steps.s0, v + j, length, sum[r][j]);
            }
        }
    }
}

/* out = in * scale of the place, where rows of `side` places begin at multiples of the steps. One work-item: a vector of a
 * place. */
__kernel void spectrum_scale(__global float *out, __global const float *in,
                             __global const float *scale, int side, int length, int out_step,
                             int in_step)
{
    const int vectors = (length + B - 1) / B, i = rv_index(), place = i / vectors;
    if (place < side * side) {
        const int v = i % vectors, row = place / side, at = place % side * length;
        rv_store(out + row * out_step + at, v, length,
                 rv_load(in + row * in_step + at, v, length) * scale[place]);
    }
}

/* In place, for each picture of a place: a = map x, y = 1 / (1 + exp(-a)). Rows of the map in r, g, b. One work-item: a
 * vector of pictures at a place. */
__kernel void spectrum_colour(__global float *x, int places, int n, float4 r, float4 g, float4 b)
{
    const int vectors = (n + B - 1) / B, i = rv_index(), place = i / vectors, v = i % vectors;
    if (place >= places) {
        return;
    }
    x += place * 3 * n;
    const floatB p = rv_load(x, v, n), q = rv_load(x + n, v, n), s = rv_load(x + 2 * n, v, n);
    rv_store(x, v, n, 1.0f / (1.0f + exp(-(r.x * p + r.y * q + r.z * s))));
    rv_store(x + n, v, n, 1.0f / (1.0f + exp(-(g.x * p + g.y * q + g.z * s))));
    rv_store(x + 2 * n, v, n, 1.0f / (1.0f + exp(-(b.x * p + b.y * q + b.z * s))));
}

/* In place in d: from the gradient of y to that of x, with y y (1 - y) the slope. Columns of the map in r, g, b. */
__kernel void spectrum_colour_gradient(__global float *d, __global const float *y, int places,
                                       int n, float4 r, float4 g, float4 b)
{
    const int vectors = (n + B - 1) / B, i = rv_index(), place = i / vectors, v = i % vectors;
    if (place >= places) {
        return;
    }
    d += place * 3 * n;
    y += place * 3 * n;
    floatB a[3];
    for (int c = 0; c < 3; c++) {
        const floatB value = rv_load(y + c * n, v, n);
        a[c] = rv_load(d + c * n, v, n) * value * (1.0f - value);
    }
    rv_store(d, v, n, r.x * a[0] + r.y * a[1] + r.z * a[2]);
    rv_store(d + n, v, n, g.x * a[0] + g.y * a[1] + g.z * a[2]);
    rv_store(d + 2 * n, v, n, b.x * a[0] + b.y * a[1] + b.z * a[2]);
}

/* Where a place of the view lies in the picture. */
static inline float2 spectrum_at(int x, int y, float4 turn, float left, float top)
{
    return (float2)(turn.x * (float)x + turn.y * (float)y + left,
                    turn.z * (float)x + turn.w * (float)y + top);
}

/* A view of [height, width] places of a picture of [rows, columns]: place (x, y) shows (turn (x, y) + (left, top)), by
 * linear interpolation, and `outside` beyond the edges. One work-item: a vector of a place. */
__kernel void spectrum_view(__global float *out, __global const float *in, int height, int width,
                            int rows, int columns, int length, float4 turn, float left, float top,
                            float outside)
{
    const int vectors = (length + B - 1) / B, i = rv_index(), place = i / vectors, v = i % vectors;
    if (place >= height * width) {
        return;
    }
    const float2 at = spectrum_at(place % width, place / width, turn, left, top);
    const float2 corner = floor(at);
    const int x0 = (int)corner.x, y0 = (int)corner.y;
    floatB sum = 0.0f;
    for (int k = 0; k < 4; k++) {
        const int x = x0 + (k & 1), y = y0 + (k >> 1);
        const float2 share = 1.0f - fabs(at - (float2)((float)x, (float)y));
        const int inside = x >= 0 && y >= 0 && x < columns && y < rows;
        const floatB value =
            inside ? rv_load(in + (y * columns + x) * length, v, length) : (floatB)(outside);
        sum += share.x * share.y * value;
    }
    rv_store(out + place * length, v, length, sum);
}

/* The way back: each place of the picture gathers from the places of the view that show it. `back` is the inverse of
 * `turn`. One work-item: a vector of a place of the picture. */
__kernel void spectrum_view_gradient(__global float *out, __global const float *in, int height,
                                     int width, int rows, int columns, int length, float4 turn,
                                     float4 back, float left, float top)
{
    const int vectors = (length + B - 1) / B, i = rv_index(), place = i / vectors, v = i % vectors;
    if (place >= rows * columns) {
        return;
    }
    const float qx = (float)(place % columns), qy = (float)(place / columns);
    const float mx = back.x * (qx - left) + back.y * (qy - top);
    const float my = back.z * (qx - left) + back.w * (qy - top);
    const float reach_x = fabs(back.x) + fabs(back.y), reach_y = fabs(back.z) + fabs(back.w);
    const int x1 = min((int)floor(mx + reach_x), width - 1);
    const int y1 = min((int)floor(my + reach_y), height - 1);
    floatB sum = 0.0f;
    for (int y = max((int)ceil(my - reach_y), 0); y <= y1; y++) {
        for (int x = max((int)ceil(mx - reach_x), 0); x <= x1; x++) {
            const float2 share = 1.0f - fabs(spectrum_at(x, y, turn, left, top) - (float2)(qx, qy));
            if (share.x > 0.0f && share.y > 0.0f) {
                sum += share.x * share.y * rv_load(in + (y * width + x) * length, v, length);
            }
        }
    }
    rv_store(out + place * length, v, length, sum);
}

/* Between places [places, 3, n] and pictures [n, 3, places]: B places of B pictures in one colour. */
static inline void spectrum_turn(__global float *pictures, __global float *in_places, int places,
                                 int n, int to_pictures)
{
    const int blocks = (n + B - 1) / B, i = rv_index();
    const int strip = i / (3 * blocks), c = i / blocks % 3, block = i % blocks;
    if (strip > (places - 1) / B) {
        return;
    }
    floatB v[B];
    if (to_pictures) {
        for (int k = 0; k < B; k++) {
            const int place = min(strip * B + k, places - 1);
            v[k] = rv_load(in_places + (place * 3 + c) * n, block, n);
        }
        rv_transpose(v);
        for (int k = 0; k < B && block * B + k < n; k++) {
            rv_store(pictures + ((block * B + k) * 3 + c) * places, strip, places, v[k]);
        }
        return;
    }
    for (int k = 0; k < B; k++) {
        const int picture = min(block * B + k, n - 1);
        v[k] = rv_load(pictures + (picture * 3 + c) * places, strip, places);
    }
    rv_transpose(v);
    for (int k = 0; k < B && strip * B + k < places; k++) {
        rv_store(in_places + ((strip * B + k) * 3 + c) * n, block, n, v[k]);
    }
}

__kernel void spectrum_to_pictures(__global float *pictures, __global float *in_places, int places,
                                   int n)
{
    spectrum_turn(pictures, in_places, places, n, 1);
}

__kernel void spectrum_to_places(__global float *in_places, __global float *pictures, int places,
                                 int n)
{
    spectrum_turn(pictures, in_places, places, n, 0);
}
