/* Twin of preprocess: one value at a time. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_preprocess;

void twin_preprocess(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const int32_t pixels = d[2] * d[3];
    const bool bgr = d[1] == 3 && rv_twin_attr(r, "order", 0) != 0;
    for (int32_t n = 0; n < d[0]; n++) {
        for (int32_t c = 0; c < d[1]; c++) {
            const int32_t from = bgr ? 2 - c : c;
            for (int32_t p = 0; p < pixels; p++) {
                const double x = r->in[0][(n * d[1] + from) * pixels + p];
                r->out[0][(n * d[1] + c) * pixels + p] =
                    (x * rv_twin_attr(r, "range", 0) - rv_twin_attr(r, "mean", c)) /
                    rv_twin_attr(r, "deviation", c);
            }
        }
    }
}
