/* Twin of gram: every pair of channels, pixel by pixel. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_gram;

void twin_gram(rv_reference *r)
{
    const rv_node *n = r->node;
    const int32_t *d = n->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const double normalize = rv_twin_attr(r, "normalize", 0); /* chw, hw, none */
    const double divisor = normalize == 0 ? (double)d[1] * pixels : normalize == 1 ? pixels : 1.0;
    double *g = r->out[0];
    for (int32_t i = 0; i < d[0]; i++) {
        const double *x = r->in[0] + (size_t)i * (size_t)d[1] * (size_t)pixels;
        for (int32_t a = 0; a < d[1]; a++) {
            for (int32_t b = 0; b < d[1]; b++) {
                double sum = 0;
                for (int32_t p = 0; p < pixels; p++) {
                    sum += x[(size_t)a * (size_t)pixels + (size_t)p] *
                           x[(size_t)b * (size_t)pixels + (size_t)p];
                }
                *g++ = sum / divisor;
            }
        }
    }
}
