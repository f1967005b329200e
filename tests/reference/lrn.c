/* Twin of lrn: value by value. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_lrn;

/* Of the channels around number c, at the same pixel. */
static double sum_across(const double *x, const int32_t *d, int32_t c, int32_t size)
{
    double sum = 0;
    for (int32_t o = -((size - 1) / 2); o <= size / 2; o++) {
        if (c + o >= 0 && c + o < d[1]) {
            sum += x[o * d[2] * d[3]] * x[o * d[2] * d[3]];
        }
    }
    return sum;
}

/* Of the pixels around (row, column), in the same channel. */
static double sum_within(const double *x, const int32_t *d, int32_t row, int32_t column,
                         int32_t reach)
{
    double sum = 0;
    for (int32_t i = -reach; i <= reach; i++) {
        for (int32_t k = -reach; k <= reach; k++) {
            if (row + i >= 0 && row + i < d[2] && column + k >= 0 && column + k < d[3]) {
                sum += x[i * d[3] + k] * x[i * d[3] + k];
            }
        }
    }
    return sum;
}

void twin_lrn(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3], size = (int32_t)rv_twin_attr(r, "size", 0);
    const bool within = rv_twin_attr(r, "region", 0) != 0;
    const double alpha = rv_twin_attr(r, "alpha", 0) / (within ? size * size : size);
    for (int32_t i = 0; i < d[0] * d[1] * pixels; i++) {
        const double *x = r->in[0] + i;
        const double sum = within ? sum_within(x, d, i % pixels / d[3], i % d[3], (size - 1) / 2)
                                  : sum_across(x, d, i / pixels % d[1], size);
        const double s = rv_twin_attr(r, "k", 0) + alpha * sum;
        r->out[0][i] = *x * pow(s, -rv_twin_attr(r, "beta", 0));
    }
}
