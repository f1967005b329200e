/* Twin of rrelu: a number is drawn for each value in N,C,H,W order. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include "base/philox.h"

rv_twin twin_rrelu;

void twin_rrelu(rv_reference *r)
{
    const double low = (double)(float)rv_twin_attr(r, "low", 0);
    const double high = (double)(float)rv_twin_attr(r, "high", 0);
    for (size_t i = 0; i < rv_shape_count(&r->node->in[0]->shape); i++) {
        const uint32_t index = (uint32_t)i;
        const rv_philox_words words =
            rv_philox((rv_philox_words){{index / 4, r->step, 0, 0}}, r->seed, r->stream);
        const double number = ldexp(words.w[index % 4] >> 8, -24), x = r->in[0][i];
        const double slope =
            r->node->mode == RV_INFER ? (low + high) / 2 : low + (high - low) * number;
        r->out[0][i] = x > 0 ? x : slope * x;
    }
}
