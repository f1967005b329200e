/* The twin of binary_cross_entropy, for logits that do not overflow exp() in double. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_binary_cross_entropy;

void twin_binary_cross_entropy(rv_reference *r)
{
    const size_t n = rv_shape_count(&r->node->in[0]->shape);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = r->in[0][i], t = r->in[1][i];
        /* -t log p - (1 - t) log (1 - p) with p = 1 / (1 + exp(-x)) */
        sum += t * log(1 + exp(-x)) + (1 - t) * log(1 + exp(x));
    }
    r->out[0][0] = rv_twin_attr(r, "weight", 0) * sum / (double)n;
}
