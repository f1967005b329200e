/* Twins of the functions of one value. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_relu, twin_leaky_relu, twin_clip, twin_square, twin_sqrt;
rv_twin twin_elu, twin_selu, twin_sigmoid, twin_tanh;

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

void twin_clip(rv_reference *r)
{
    const double low = rv_twin_attr(r, "low", 0), high = rv_twin_attr(r, "high", 0);
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = fmin(fmax(r->in[0][i], low), high);
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

void twin_elu(rv_reference *r)
{
    const double alpha = rv_twin_attr(r, "alpha", 0);
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = r->in[0][i] > 0 ? r->in[0][i] : alpha * (exp(r->in[0][i]) - 1);
    }
}

void twin_selu(rv_reference *r)
{
    const double scale = rv_twin_attr(r, "scale", 0), alpha = rv_twin_attr(r, "alpha", 0);
    for (size_t i = 0; i < count(r); i++) {
        const double x = r->in[0][i];
        r->out[0][i] = scale * (x > 0 ? x : alpha * (exp(x) - 1));
    }
}

void twin_sigmoid(rv_reference *r)
{
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = 1 / (1 + exp(-r->in[0][i]));
    }
}

void twin_tanh(rv_reference *r)
{
    for (size_t i = 0; i < count(r); i++) {
        r->out[0][i] = tanh(r->in[0][i]);
    }
}
