/* Decomposes symmetric matrices by Jacobi rotations. */
/* SPDX-License-Identifier: MIT */
#include "base/eigen.h"

#include <math.h>
#include <stddef.h>

enum { MAX_SWEEPS = 30 };

/* Sum of squares off the diagonal against that of all. */
static double off_diagonal(const double *a, int n, double *all)
{
    double off = 0;
    *all = 0;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
            const double square = a[i * n + k] * a[i * n + k];
            *all += square;
            off += i != k ? square : 0;
        }
    }
    return off;
}

/* Turns rows p and q: only rows are touched, so that memory is walked in order. */
static void turn_rows(double *m, int n, int p, int q, double c, double s)
{
    double *x = m + (size_t)p * (size_t)n, *y = m + (size_t)q * (size_t)n;
    for (int k = 0; k < n; k++) {
        const double xk = x[k], yk = y[k];
        x[k] = c * xk - s * yk;
        y[k] = s * xk + c * yk;
    }
}

static void turn_columns(double *m, int n, int p, int q, double c, double s)
{
    for (int k = 0; k < n; k++) {
        double *row = m + (size_t)k * (size_t)n;
        const double xk = row[p], yk = row[q];
        row[p] = c * xk - s * yk;
        row[q] = s * xk + c * yk;
    }
}

static void rotate(double *a, double *rows, int n, int p, int q)
{
    const double apq = a[p * n + q];
    if (apq == 0) {
        return;
    }
    const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
    const double c = 1 / sqrt(t * t + 1), s = t * c;
    turn_rows(a, n, p, q, c, s);
    turn_columns(a, n, p, q, c, s);
    turn_rows(rows, n, p, q, c, s);
}

void rv_eigen(double *values, double *vectors, double *a, int n)
{
    for (int i = 0; i < n * n; i++) {
        vectors[i] = i / n == i % n;
    }
    for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
        double all;
        if (off_diagonal(a, n, &all) <= 1e-26 * all) {
            break;
        }
        for (int p = 0; p < n - 1; p++) {
            for (int q = p + 1; q < n; q++) {
                rotate(a, vectors, n, p, q);
            }
        }
    }
    /* The vectors were turned as rows. */
    for (int i = 0; i < n; i++) {
        values[i] = a[i * n + i];
        for (int k = 0; k < i; k++) {
            const double swap = vectors[i * n + k];
            vectors[i * n + k] = vectors[k * n + i];
            vectors[k * n + i] = swap;
        }
    }
}

void rv_eigen_power(double *out, const double *values, const double *vectors, int n, double ridge,
                    double power)
{
    for (int i = 0; i < n * n; i++) {
        out[i] = 0;
    }
    for (int k = 0; k < n; k++) {
        const double f = pow(fmax(values[k], 0) + ridge, power);
        for (int i = 0; i < n; i++) {
            const double left = f * vectors[i * n + k];
            for (int j = 0; j < n; j++) {
                out[i * n + j] += left * vectors[j * n + k];
            }
        }
    }
}
