/* The twin of range_loss. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_range_loss;

void twin_range_loss(rv_reference *r)
{
    const float *attrs = r->node->attrs; /* low, high, weight */
    const double low = (double)attrs[0], high = (double)attrs[1];
    const size_t n = rv_shape_count(&r->node->in[0]->shape);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = r->in[0][i], d = x < low ? low - x : x > high ? x - high : 0;
        sum += d * d;
    }
    r->out[0][0] = (double)attrs[2] * sum / (double)n;
}
