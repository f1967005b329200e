/* Decomposition of symmetric matrices: known ones, and the properties of random ones. */
/* SPDX-License-Identifier: MIT */
#include "base/eigen.h"
#include "base/philox.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { N = 60 };

Test(eigen, a_matrix_of_two_rows_has_the_values_of_the_textbook)
{
    double a[4] = {2, 1, 1, 2}, values[2], vectors[4];
    rv_eigen(values, vectors, a, 2);
    cr_assert_float_eq(fmin(values[0], values[1]), 1, 1e-14);
    cr_assert_float_eq(fmax(values[0], values[1]), 3, 1e-14);
    cr_assert_float_eq(fabs(vectors[0]), sqrt(0.5), 1e-14);
}

static void random_symmetric(double *a, int n)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k <= i; k++) {
            a[i * n + k] = a[k * n + i] = (double)rv_philox_normal(1, 2, (uint)(i * n + k));
        }
    }
}

/* Columns of unit length at right angles, which give the matrix back. */
static void check(const double *a, int n, double tolerance)
{
    static double copy[N * N], values[N], vectors[N * N];
    memcpy(copy, a, (size_t)n * (size_t)n * sizeof *a);
    rv_eigen(values, vectors, copy, n);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            double dot = 0, sum = 0;
            for (int k = 0; k < n; k++) {
                dot += vectors[k * n + i] * vectors[k * n + j];
                sum += vectors[i * n + k] * values[k] * vectors[j * n + k];
            }
            cr_assert_float_eq(dot, i == j, 1e-12, "%d: %d, %d: %g", n, i, j, dot);
            cr_assert_float_eq(sum, a[i * n + j], tolerance, "%d: %d, %d: %g, not %g", n, i, j, sum,
                               a[i * n + j]);
        }
    }
}

Test(eigen, vectors_are_orthonormal_and_give_the_matrix_back)
{
    static double a[N * N];
    for (int n = 1; n <= N; n += n < 5 ? 1 : 11) {
        random_symmetric(a, n);
        check(a, n, 1e-11);
    }
}

/* Values that are all alike, nearly nothing, huge, or of two kinds: what shifts and reflections divide by. */
Test(eigen, matrices_with_nothing_to_turn_are_their_own_values)
{
    enum { S = 9 };
    static double a[S * S];
    check(a, S, 0);
    for (int i = 0; i < S; i++) {
        a[i * S + i] = i < 4 ? 2 : -3;
    }
    check(a, S, 1e-14);
    for (int i = 0; i < S * S; i++) {
        a[i] = 1e-200; /* of rank 1 */
    }
    check(a, S, 1e-213);
    for (int i = 0; i < S * S; i++) {
        a[i] = 1e200 * (i / S + 1) * (i % S + 1);
    }
    check(a, S, 1e188);
}

Test(eigen, what_is_no_number_ends)
{
    static double a[N * N], values[N], vectors[N * N];
    for (int bad = 0; bad < 2; bad++) {
        random_symmetric(a, N);
        a[3 * N + 2] = a[2 * N + 3] = bad == 0 ? NAN : INFINITY;
        rv_eigen(values, vectors, a, N);
        cr_assert(!isfinite(values[0] + values[N - 1]));
    }
}

Test(eigen, the_root_times_itself_is_the_matrix_and_ridge_adds_to_the_values)
{
    double a[9] = {4, 1, 0.5, 1, 3, 0.2, 0.5, 0.2, 2}, copy[9], values[3], vectors[9], root[9];
    memcpy(copy, a, sizeof a);
    rv_eigen(values, vectors, copy, 3);
    rv_eigen_power(root, values, vectors, 3, 0.25, 0.5);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            double sum = 0;
            for (int k = 0; k < 3; k++) {
                sum += root[i * 3 + k] * root[k * 3 + j];
            }
            cr_assert_float_eq(sum, a[i * 3 + j] + (i == j ? 0.25 : 0), 1e-13);
        }
    }
}
