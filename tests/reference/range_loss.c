/* The twin of range_loss. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_range_loss;

void twin_range_loss(rv_reference *r)
{
    const double low = rv_twin_attr(r, "low", 0), high = rv_twin_attr(r, "high", 0);
    const size_t n = rv_shape_count(&r->node->in[0]->shape);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = r->in[0][i], d = x < low ? low - x : x > high ? x - high : 0;
        sum += d * d;
    }
    r->out[0][0] = rv_twin_attr(r, "weight", 0) * sum / (double)n;
}
