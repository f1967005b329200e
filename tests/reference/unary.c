/* Twins of the functions of one value. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_relu, twin_leaky_relu, twin_square, twin_sqrt;

static size_t count(const rv_reference *r)
{
    return rv_shape_count(&r->node->out[0]->shape);
}

void twin_relu(rv_reference *r)
{
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = r->in[0][i] > 0 ? r->in[0][i] : 0;
    }
}

void twin_leaky_relu(rv_reference *r)
{
    const double slope = rv_twin_attr(r, "slope", 0);
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = r->in[0][i] > 0 ? r->in[0][i] : slope * r->in[0][i];
    }
}

void twin_square(rv_reference *r)
{
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = r->in[0][i] * r->in[0][i];
    }
}

void twin_sqrt(rv_reference *r)
{
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = sqrt(r->in[0][i]);
    }
}
