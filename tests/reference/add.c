/* The twin of add. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_add;

void twin_add(rv_reference *r)
{
    for (size_t i = 0; i < rv_shape_count(&r->node->out[0]->shape); i++) {
        r->out[0][i] = 0;
        for (int k = 0; k < r->node->n_in; k++) {
            r->out[0][i] += r->in[k][i];
        }
    }
}
