/* Twin of concat: value by value. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_concat;

void twin_concat(rv_reference *r)
{
    double *out = r->out[0];
    for (int32_t n = 0; n < r->node->out[0]->shape.dim[0]; n++) {
        for (int i = 0; i < r->node->n_in; i++) {
            const rv_shape *s = &r->node->in[i]->shape;
            const size_t each = rv_shape_count(s) / (size_t)s->dim[0];
            for (size_t k = 0; k < each; k++) {
                *out++ = r->in[i][(size_t)n * each + k];
            }
        }
    }
}
