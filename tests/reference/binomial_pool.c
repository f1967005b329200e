/* Twin of binomial_pool: all nine places of each window. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_binomial_pool;

static double weighted_mean(const double *x, int32_t height, int32_t width, int32_t row,
                            int32_t column)
{
    static const double weights[3] = {1, 2, 1};
    double sum = 0, all = 0;
    for (int32_t r = -1; r <= 1; r++) {
        for (int32_t s = -1; s <= 1; s++) {
            const int32_t i = row + r, j = column + s;
            if (i >= 0 && i < height && j >= 0 && j < width) {
                sum += weights[r + 1] * weights[s + 1] * x[i * width + j];
                all += weights[r + 1] * weights[s + 1];
            }
        }
    }
    return sum / all;
}

void twin_binomial_pool(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim, *o = r->node->out[0]->shape.dim;
    double *out = r->out[0];
    for (int32_t plane = 0; plane < d[0] * d[1]; plane++) {
        const double *x = r->in[0] + plane * d[2] * d[3];
        for (int32_t i = 0; i < o[2]; i++) {
            for (int32_t j = 0; j < o[3]; j++) {
                *out++ = weighted_mean(x, d[2], d[3], 2 * i, 2 * j);
            }
        }
    }
}
