/* Twin of prelu. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_prelu;

void twin_prelu(rv_reference *r)
{
    const rv_shape *s = &r->node->in[0]->shape;
    const size_t pixels = s->rank == 4 ? (size_t)s->dim[2] * (size_t)s->dim[3] : 1;
    for (size_t i = 0; i < rv_shape_count(s); i++) {
        const double x = r->in[0][i], a = r->param[0][i / pixels % (size_t)s->dim[1]];
        r->out[0][i] = x > 0 ? x : a * x;
    }
}
