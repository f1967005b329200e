/* Eigenvalues and eigenvectors of a symmetric matrix, and functions of it. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_EIGEN_H
#define RV_BASE_EIGEN_H

/** Decomposes a symmetric matrix: A = V diag(values) V^T, by Householder reflections and implicit steps of QL (Golub
 *  and Van Loan, section 8.3); exact to a few roundings of the largest value.
 *  @param[out] values   n of them, in no order.
 *  @param[out] vectors  [n,n] row major, eigenvector i in column i.
 *  @param a             [n,n] row major; destroyed. */
void rv_eigen(double *values, double *vectors, double *a, int n);

/** out = V f(values) V^T with f(v) = (max(v, 0) + ridge)^power.
 *  @param[out] out  [n,n] row major; may not be `vectors`. */
void rv_eigen_power(double *out, const double *values, const double *vectors, int n, double ridge,
                    double power);

#endif
