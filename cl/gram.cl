/* Gram matrices: the light steps before and after the products, for both kernel forms. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* G from its parts: adds them in order, scales, and mirrors, as parts holds row i, column j only where j's block of
 * channels is not below i's. One work-item: one value of G. */
__kernel void gram_sum(__global float *g, __global const float *parts, int n, int c, int padded,
                       int n_parts, float scale)
{
    const int index = rv_index();
    if (index >= n * c * c) {
        return;
    }
    const int picture = index / (c * c), i = index / c % c, j = index % c;
    const int row = i / B <= j / B ? i : j, column = i / B <= j / B ? j : i;
    const size_t step = (size_t)padded * padded;
    __global const float *p = parts + picture * n_parts * step + row * padded + column;
    float sum = 0.0f;
    for (int k = 0; k < n_parts; k++) {
        sum += p[k * step];
    }
    g[index] = sum * scale;
}

/* M = (D + D^T) * scale in the order that backward reads: panels of `width` columns, row after row; zero beyond c.
 * One work-item: one value of M. */
__kernel void gram_symmetrize(__global float *m, __global const float *d, int n, int c, int panels,
                              int width, float scale)
{
    const int index = rv_index();
    if (index >= n * panels * c * width) {
        return;
    }
    const int row = index / width % c, picture = index / width / c / panels;
    const int column = index / width / c % panels * width + index % width;
    __global const float *p = d + (size_t)picture * c * c;
    m[index] = column < c ? (p[row * c + column] + p[column * c + row]) * scale : 0.0f;
}
