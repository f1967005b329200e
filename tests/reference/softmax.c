/* Twin of softmax: y_k = 1 / sum_j exp(x_j - x_k), which holds for scores of any size. */
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
            for (int32_t k = 0; k < c; k++) {
                double sum = 0;
                for (int32_t j = 0; j < c; j++) {
                    sum += exp(r->in[0][at + j * pixels] - r->in[0][at + k * pixels]);
                }
                r->out[0][at + k * pixels] = 1 / sum;
            }
        }
    }
}
