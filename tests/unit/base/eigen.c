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

Test(eigen, vectors_are_orthonormal_and_give_the_matrix_back)
{
    static double a[N * N], copy[N * N], values[N], vectors[N * N];
    random_symmetric(a, N);
    memcpy(copy, a, sizeof a);
    rv_eigen(values, vectors, copy, N);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            double dot = 0, sum = 0;
            for (int k = 0; k < N; k++) {
                dot += vectors[k * N + i] * vectors[k * N + j];
                sum += vectors[i * N + k] * values[k] * vectors[j * N + k];
            }
            cr_assert_float_eq(dot, i == j, 1e-12);
            cr_assert_float_eq(sum, a[i * N + j], 1e-11);
        }
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
