/* Twin of lrn: value by value. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_lrn;

void twin_lrn(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3], size = (int32_t)rv_twin_attr(r, "size", 0);
    for (int32_t i = 0; i < d[0] * d[1] * pixels; i++) {
        const int32_t c = i / pixels % d[1];
        double sum = 0;
        for (int32_t o = -((size - 1) / 2); o <= size / 2; o++) {
            if (c + o >= 0 && c + o < d[1]) {
                sum += r->in[0][i + o * pixels] * r->in[0][i + o * pixels];
            }
        }
        const double s = rv_twin_attr(r, "k", 0) + rv_twin_attr(r, "alpha", 0) / size * sum;
        r->out[0][i] = r->in[0][i] * pow(s, -rv_twin_attr(r, "beta", 0));
    }
}
