/* Twin of softmax: by its formula, which doubles bear without taking off the maximum. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_softmax;

void twin_softmax(rv_reference *r)
{
    const rv_shape *s = &r->node->in[0]->shape;
    const int32_t c = s->dim[1], pixels = s->rank == 4 ? s->dim[2] * s->dim[3] : 1;
    for (int32_t n = 0; n < s->dim[0]; n++) {
        for (int32_t p = 0; p < pixels; p++) {
            const int32_t at = n * c * pixels + p;
            double sum = 0;
            for (int32_t k = 0; k < c; k++) {
                sum += exp(r->in[0][at + k * pixels]);
            }
            for (int32_t k = 0; k < c; k++) {
                r->out[0][at + k * pixels] = exp(r->in[0][at + k * pixels]) / sum;
            }
        }
    }
}
