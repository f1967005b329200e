/* The twin of tv_loss. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>
#include <string.h>

rv_twin twin_tv_loss;

typedef struct tv_attrs {
    int32_t squared;
    float weight;
} tv_attrs;

static double measure(double d, const tv_attrs *a)
{
    return a->squared != 0 ? d * d : fabs(d);
}

void twin_tv_loss(rv_reference *r)
{
    tv_attrs a;
    memcpy(&a, r->node->attrs, sizeof a);
    const int32_t *d = r->node->in[0]->shape.dim;
    const size_t planes = (size_t)d[0] * (size_t)d[1], h = (size_t)d[2], w = (size_t)d[3];
    double sum = 0;
    for (size_t p = 0; p < planes; p++) {
        for (size_t y = 0; y < h; y++) {
            for (size_t x = 0; x < w; x++) {
                const double *v = r->in[0] + (p * h + y) * w + x;
                sum += x + 1 < w ? measure(v[1] - v[0], &a) : 0;
                sum += y + 1 < h ? measure(v[w] - v[0], &a) : 0;
            }
        }
    }
    r->out[0][0] = (double)a.weight * sum / (double)(planes * h * w);
}
