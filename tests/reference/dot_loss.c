/* The twin of dot_loss. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_dot_loss;

void twin_dot_loss(rv_reference *r)
{
    const double weight = rv_twin_attr(r, "weight", 0);
    const size_t n = rv_shape_count(&r->node->in[0]->shape);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += r->in[0][i] * r->in[1][i];
    }
    r->out[0][0] = weight * sum;
}
