/* Twin of guide. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_guide;

void twin_guide(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const size_t pixels = (size_t)d[2] * (size_t)d[3], channels = (size_t)d[1];
    for (size_t i = 0; i < rv_shape_count(&r->node->in[0]->shape); i++) {
        r->out[0][i] = r->in[0][i] * r->in[1][i / pixels / channels * pixels + i % pixels];
    }
}
