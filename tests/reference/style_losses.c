/* Twins of the losses that compare moments of features, their roots by eigenvalues. */
/* SPDX-License-Identifier: MIT */
#include "base/eigen.h"
#include "reference/reference.h"

#include <math.h>
#include <stdlib.h>

rv_twin twin_wasserstein_loss, twin_deviation_loss;

void twin_deviation_loss(rv_reference *r)
{
    const size_t n = rv_shape_count(&r->node->in[0]->shape);
    const double ridge = rv_twin_attr(r, "ridge", 0);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double variance = r->in[0][i] - r->in[1][i] * r->in[1][i];
        const double off = sqrt(fmax(variance, 0) + ridge) - r->in[2][i];
        const double mean_off = r->in[1][i] - r->in[3][i];
        sum += off * off + mean_off * mean_off;
    }
    r->out[0][0] = rv_twin_attr(r, "weight", 0) * sum / (double)n;
}

/* Sum of the roots of the eigenvalues of a symmetric matrix, which is destroyed. */
static double trace_of_root(double *a, int c)
{
    double *values = calloc((size_t)c, sizeof *values);
    double *vectors = calloc((size_t)c * (size_t)c, sizeof *vectors);
    rv_eigen(values, vectors, a, c);
    double sum = 0;
    for (int i = 0; i < c; i++) {
        sum += sqrt(fmax(values[i], 0));
    }
    free(vectors);
    free(values);
    return sum;
}

/* out[i][k] = sum over j of a[j][i] b[j][k] */
static void multiply(double *out, const double *a, const double *b, int c)
{
    for (int i = 0; i < c; i++) {
        for (int k = 0; k < c; k++) {
            double sum = 0;
            for (int j = 0; j < c; j++) {
                sum += a[j * c + i] * b[j * c + k];
            }
            out[i * c + k] = sum;
        }
    }
}

static double distance(const double *second, const double *mean, const double *factor,
                       const double *target, int c, double ridge)
{
    const size_t n = (size_t)c * (size_t)c;
    double *a = calloc(n, sizeof *a), *product = calloc(n, sizeof *product), sum = 0;
    for (int i = 0; i < c; i++) {
        for (int k = 0; k < c; k++) {
            a[i * c + k] = (second[i * c + k] + second[k * c + i]) / 2 - mean[i] * mean[k];
            sum += factor[i * c + k] * factor[i * c + k];
        }
        a[i * c + i] += ridge;
        sum += a[i * c + i] + (mean[i] - target[i]) * (mean[i] - target[i]);
    }
    multiply(product, a, factor, c); /* a is symmetric */
    multiply(a, factor, product, c);
    sum -= 2 * trace_of_root(a, c);
    free(product);
    free(a);
    return sum / c;
}

void twin_wasserstein_loss(rv_reference *r)
{
    const int32_t pictures = r->node->in[1]->shape.dim[0], c = r->node->in[1]->shape.dim[1];
    const double ridge = rv_twin_attr(r, "ridge", 0);
    double sum = 0;
    for (int32_t i = 0; i < pictures; i++) {
        sum += distance(r->in[0] + (size_t)(i * c * c), r->in[1] + (size_t)(i * c),
                        r->in[2] + (size_t)(i * c * c), r->in[3] + (size_t)(i * c), c, ridge);
    }
    r->out[0][0] = rv_twin_attr(r, "weight", 0) * sum / pictures;
}
