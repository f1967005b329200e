/* Gram matrices: the light steps before and after the products, for both kernel forms. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* G from its parts: adds them in order, scales, and mirrors, as parts holds row i, column j only where j's block of
 * channels is not below i's. One work-item: two blocks, rows and columns. */
__kernel void gram_sum(__global float *g, __global const float *parts, int n, int c, int n_parts,
                       float scale)
{
    const int index = rv_index(), blocks = (c + B - 1) / B, padded = blocks * B;
    const int j = index % blocks, i = index / blocks % blocks, picture = index / blocks / blocks;
    if (picture >= n || j < i) {
        return;
    }
    const size_t step = (size_t)padded * padded;
    __global const float *from = parts + picture * n_parts * step + i * B * padded + j * B;
    __global float *to = g + (size_t)picture * c * c;
    for (int a = 0; a < B && i * B + a < c; a++) {
        floatB sum = (floatB)(0.0f);
        for (int k = 0; k < n_parts; k++) {
            sum += vloadB(0, from + k * step + a * padded);
        }
        float lane[B];
        vstoreB(sum * scale, 0, lane);
        for (int b = 0; b < B && j * B + b < c; b++) {
            to[(i * B + a) * c + j * B + b] = lane[b];
            to[(j * B + b) * c + i * B + a] = lane[b];
        }
    }
}

/* M = (D + D^T) * scale in the order that backward reads: panels of `width` columns, `rows` of them one after another;
 * zero beyond c. One work-item: a block of rows and one of columns. */
__kernel void gram_symmetrize(__global float *m, __global const float *d, int n, int c, int rows,
                              int panels, int width, float scale)
{
    const int index = rv_index(), blocks = (rows + B - 1) / B, columns = panels * width / B;
    const int i = index % blocks, j = index / blocks % columns, picture = index / blocks / columns;
    if (picture >= n) {
        return;
    }
    __global const float *from = d + (size_t)picture * c * c;
    __global float *to =
        m + ((size_t)picture * panels + j * B / width) * rows * width + j * B % width;
    for (int row = i * B; row < min(rows, i * B + B); row++) {
        for (int b = 0; b < B; b++) {
            const int column = j * B + b;
            to[row * width + b] = row < c && column < c
                                      ? (from[row * c + column] + from[column * c + row]) * scale
                                      : 0.0f;
        }
    }
}
