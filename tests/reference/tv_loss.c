/* The twin of tv_loss. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_tv_loss;

static double measure(double d, bool squared)
{
    return squared ? d * d : fabs(d);
}

void twin_tv_loss(rv_reference *r)
{
    const bool squared = rv_twin_attr(r, "power", 0) != 0; /* l1, squared */
    const int32_t *d = r->node->in[0]->shape.dim;
    const size_t planes = (size_t)d[0] * (size_t)d[1], h = (size_t)d[2], w = (size_t)d[3];
    double sum = 0;
    for (size_t p = 0; p < planes; p++) {
        for (size_t y = 0; y < h; y++) {
            for (size_t x = 0; x < w; x++) {
                const double *v = r->in[0] + (p * h + y) * w + x;
                sum += x + 1 < w ? measure(v[1] - v[0], squared) : 0;
                sum += y + 1 < h ? measure(v[w] - v[0], squared) : 0;
            }
        }
    }
    r->out[0][0] = rv_twin_attr(r, "weight", 0) * sum / (double)(planes * h * w);
}
