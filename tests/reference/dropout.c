/* Twin of dropout: a number is drawn for each value in N,C,H,W order. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include "base/philox.h"

rv_twin twin_dropout;

void twin_dropout(rv_reference *r)
{
    const float ratio = (float)rv_twin_attr(r, "ratio", 0);
    for (size_t i = 0; i < rv_shape_count(&r->node->in[0]->shape); i++) {
        const uint32_t index = (uint32_t)i;
        const rv_philox_words words =
            rv_philox((rv_philox_words){{index / 4, r->step, 0, 0}}, r->seed, r->stream);
        const bool keep =
            r->node->mode == RV_INFER || ldexp(words.w[index % 4] >> 8, -24) >= (double)ratio;
        const double scale = r->node->mode == RV_INFER ? 1.0 : 1.0 / (1.0 - (double)ratio);
        r->out[0][i] = keep ? r->in[0][i] * scale : 0.0;
    }
}
