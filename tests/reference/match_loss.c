/* The twin of match_loss. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_match_loss;

void twin_match_loss(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const int g = r->node->in[1]->shape.dim[0], c = d[1], places = d[2] * d[3];
    double sum = 0;
    for (int i = 0; i < d[0] * places; i++) {
        const double *x = r->in[0] + (i / places) * c * places + i % places;
        double most = 0;
        for (int k = 0; k < g; k++) {
            double product = 0;
            for (int j = 0; j < c; j++) {
                product += x[j * places] * r->in[1][k * c + j];
            }
            most = k == 0 || product > most ? product : most;
        }
        sum += most;
    }
    r->out[0][0] = rv_twin_attr(r, "weight", 0) * sum;
}
