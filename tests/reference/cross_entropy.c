/* The twin of cross_entropy. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_cross_entropy;

void twin_cross_entropy(rv_reference *r)
{
    const double weight = rv_twin_attr(r, "weight", 0), spread = rv_twin_attr(r, "smoothing", 0);
    const int n = r->node->in[0]->shape.dim[0], k = r->node->in[0]->shape.dim[1];
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double exps = 0;
        for (int c = 0; c < k; c++) {
            exps += exp(r->in[0][i * k + c]);
        }
        for (int c = 0; c < k; c++) {
            const double target = (c == (int)r->in[1][i] ? 1 - spread : 0) + spread / k;
            sum -= target * log(exp(r->in[0][i * k + c]) / exps);
        }
    }
    r->out[0][0] = weight * sum / n;
}
