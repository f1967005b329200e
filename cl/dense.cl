/* Dense layers: the light kernels of both kernel forms. */
/* SPDX-License-Identifier: MIT */
#include "common.clh"

/* db = sum of dy over the batch; dy is [N,K]. One work-item: one value. */
__kernel void dense_bias_gradient(__global float *db, __global const float *dy, int n, int k,
                                  int accumulate)
{
    const int i = rv_index();
    if (i >= k) {
        return;
    }
    float sum = 0.0f;
    for (int picture = 0; picture < n; picture++) {
        sum += dy[(size_t)picture * k + i];
    }
    db[i] = rv_accumulate(db + i, sum, accumulate);
}

/* As dense_cpu_product, for fewer columns than a vector has. One work-item: one value. */
__kernel void dense_narrow_product(__global float *product, __global const float *a,
                                   __global const float *b, int rows, int inner, int columns,
                                   int row_step, int inner_step, int accumulate)
{
    const int index = rv_index();
    if (index >= rows * columns) {
        return;
    }
    const int row = index / columns, column = index % columns;
    float sum = 0.0f;
    for (int i = 0; i < inner; i++) {
        sum = fma(a[row * row_step + i * inner_step], b[i * columns + column], sum);
    }
    product[index] = rv_accumulate(product + index, sum, accumulate);
}
