/* Twin of dense: every output is a sum over all features. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_dense;

void twin_dense(rv_reference *r)
{
    const rv_shape *y = &r->node->out[0]->shape;
    const size_t outputs = (size_t)y->dim[1];
    const size_t features = rv_shape_count(&r->node->in[0]->shape) / (size_t)y->dim[0];
    for (size_t i = 0; i < (size_t)y->dim[0]; i++) {
        for (size_t k = 0; k < outputs; k++) {
            double sum = r->param[1] != NULL ? r->param[1][k] : 0;
            for (size_t j = 0; j < features; j++) {
                sum += r->in[0][i * features + j] * r->param[0][k * features + j];
            }
            r->out[0][i * outputs + k] = sum;
        }
    }
}
