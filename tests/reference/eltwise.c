/* Twins of what takes two tensors value by value. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_maximum, twin_multiply, twin_weighted_add;

void twin_maximum(rv_reference *r)
{
    for (size_t i = 0; i < rv_shape_count(&r->node->out[0]->shape); i++) {
        r->out[0][i] = r->in[0][i] > r->in[1][i] ? r->in[0][i] : r->in[1][i];
    }
}

void twin_multiply(rv_reference *r)
{
    for (size_t i = 0; i < rv_shape_count(&r->node->out[0]->shape); i++) {
        r->out[0][i] = r->in[0][i] * r->in[1][i];
    }
}

void twin_weighted_add(rv_reference *r)
{
    const double f = rv_twin_attr(r, "factors", 0), g = rv_twin_attr(r, "factors", 1);
    for (size_t i = 0; i < rv_shape_count(&r->node->out[0]->shape); i++) {
        r->out[0][i] = f * r->in[0][i] + g * r->in[1][i];
    }
}
