/* Moments of features about 0 turned into what style losses compare with, in double precision. */
/* SPDX-License-Identifier: MIT */
#include "stages/moments.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

void rv_moments_deviations(float *squares, const float *means, int c, double ridge)
{
    for (int i = 0; i < c; i++) {
        const double m = (double)means[i];
        squares[i] = (float)sqrt(fmax((double)squares[i] - m * m, 0) + ridge);
    }
}

/* Row i of a Cholesky factor, whose rows above are there (Golub and Van Loan, section 4.2). A pivot below the ridge is
 * rounding: the covariance itself has none below 0. */
static void factor_row(double *a, int c, int i, double ridge)
{
    double *row = a + (size_t)i * (size_t)c;
    for (int k = 0; k <= i; k++) {
        const double *other = a + (size_t)k * (size_t)c;
        double sum = row[k];
        for (int j = 0; j < k; j++) {
            sum -= row[j] * other[j];
        }
        row[k] = k < i ? sum / other[k] : sqrt(fmax(sum, 1e-3 * ridge));
    }
    for (int k = i + 1; k < c; k++) {
        row[k] = 0;
    }
}

rv_status rv_moments_factor(float *products, const float *means, int c, double ridge)
{
    double *a;
    RV_TRY(rv_alloc(&a, (size_t)c * (size_t)c, sizeof *a, "covariances"));
    for (int i = 0; i < c; i++) {
        for (int k = 0; k < c; k++) {
            const size_t at = (size_t)i * (size_t)c + (size_t)k;
            a[at] = (double)products[at] - (double)means[i] * (double)means[k];
        }
        a[(size_t)i * (size_t)c + (size_t)i] += ridge;
    }
    for (int i = 0; i < c; i++) {
        factor_row(a, c, i, ridge);
    }
    for (size_t i = 0; i < (size_t)c * (size_t)c; i++) {
        products[i] = (float)a[i];
    }
    free(a);
    return RV_OK;
}
