/* Twins of batch_norm and scale: channel by channel. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_batch_norm, twin_scale;

typedef struct sizes {
    int32_t n, c, pixels;
} sizes;

static sizes sizes_of(const rv_reference *r)
{
    const rv_shape *s = &r->node->in[0]->shape;
    return (sizes){s->dim[0], s->dim[1], s->rank == 4 ? s->dim[2] * s->dim[3] : 1};
}

/* y = (x - mean) * factor + offset for channel k. */
static void map(rv_reference *r, int32_t k, double mean, double factor, double offset)
{
    const sizes z = sizes_of(r);
    for (int32_t n = 0; n < z.n; n++) {
        for (int32_t p = 0; p < z.pixels; p++) {
            const int32_t at = (n * z.c + k) * z.pixels + p;
            r->out[0][at] = (r->in[0][at] - mean) * factor + offset;
        }
    }
}

static double mean_power(const rv_reference *r, int32_t k, double middle, int power)
{
    const sizes z = sizes_of(r);
    double sum = 0;
    for (int32_t n = 0; n < z.n; n++) {
        for (int32_t p = 0; p < z.pixels; p++) {
            sum += pow(r->in[0][(n * z.c + k) * z.pixels + p] - middle, power);
        }
    }
    return sum / ((double)z.n * z.pixels);
}

void twin_scale(rv_reference *r)
{
    for (int32_t k = 0; k < sizes_of(r).c; k++) {
        map(r, k, 0, r->param[0][k], r->param[1] != NULL ? r->param[1][k] : 0);
    }
}

void twin_batch_norm(rv_reference *r)
{
    const double momentum = rv_twin_attr(r, "momentum", 0);
    for (int32_t k = 0; k < sizes_of(r).c; k++) {
        double mean = r->state[0][k], variance = r->state[1][k];
        if (r->node->mode == RV_TRAIN) {
            mean = mean_power(r, k, 0, 1);
            variance = mean_power(r, k, mean, 2);
            r->state[0][k] = momentum * r->state[0][k] + (1 - momentum) * mean;
            r->state[1][k] = momentum * r->state[1][k] + (1 - momentum) * variance;
        }
        const double weight = r->param[0] != NULL ? r->param[0][k] : 1;
        const double bias = r->param[1] != NULL ? r->param[1][k] : 0;
        map(r, k, mean, weight / sqrt(variance + rv_twin_attr(r, "epsilon", 0)), bias);
    }
}
