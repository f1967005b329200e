/* Decomposes symmetric matrices: reflections make them tridiagonal, and steps of QL diagonal. */
/* SPDX-License-Identifier: MIT */
#include "base/eigen.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* Two steps find most values; more are wanted by numbers that are none. */
enum { MAX_STEPS = 60 };

static double dot(const double *x, const double *y, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i] * y[i];
    }
    return sum;
}

/* row - f * v */
static void take_off(double *row, const double *v, double f, int n)
{
    for (int i = 0; i < n; i++) {
        row[i] -= f * v[i];
    }
}

/* Makes v the direction of length sqrt(2) whose reflection H = I - v v^T turns the column x into its first place; false
 * where only that is not 0. *first: what is there afterwards. */
static bool find_reflection(double *v, const double *x, int m, double *first)
{
    double largest = 0;
    *first = x[0];
    for (int i = 1; i < m; i++) {
        largest = fmax(largest, fabs(x[i]));
    }
    if (!(largest > 0)) {
        return false;
    }
    largest = fmax(largest, fabs(x[0]));
    for (int i = 0; i < m; i++) {
        v[i] = x[i] / largest; /* whose squares neither vanish nor overflow */
    }
    const double length = copysign(sqrt(dot(v, v, m)), v[0]);
    *first = -length * largest;
    /* |v + length e|^2 / 2 = length (length + v) */
    const double scale = 1 / sqrt(length * (length + v[0]));
    v[0] += length;
    for (int i = 0; i < m; i++) {
        v[i] *= scale;
    }
    return true;
}

/* Reflects a, of which only rows and columns from k + 1 on are still to do, so that row and column k end beside the
 * diagonal; the direction stays in row k (length 0: nothing was to do), what is beside the diagonal in column k.
 * work: n numbers. */
static void reduce_row(double *a, int n, int k, double *work)
{
    const int m = n - k - 1;
    double *v = a + (size_t)k * (size_t)n + k + 1, first;
    const bool reflects = find_reflection(v, v, m, &first);
    for (int i = 0; i < m && !reflects; i++) {
        v[i] = 0;
    }
    a[(size_t)(k + 1) * (size_t)n + k] = first;
    if (!reflects) {
        return;
    }
    /* H A H = A - v w^T - w v^T with w = A v - (v . A v / 2) v */
    for (int i = 0; i < m; i++) {
        work[i] = dot(a + (size_t)(k + 1 + i) * (size_t)n + k + 1, v, m);
    }
    take_off(work, v, dot(v, work, m) / 2, m);
    for (int i = 0; i < m; i++) {
        double *row = a + (size_t)(k + 1 + i) * (size_t)n + k + 1;
        take_off(row, work, v[i], m);
        take_off(row, v, work[i], m);
    }
}

/* A = rows^T T rows: T is the diagonal and what is beside it. The matrix is destroyed. */
static void reduce(double *diagonal, double *rows, double *a, int n)
{
    for (int k = 0; k < n - 2; k++) {
        reduce_row(a, n, k, diagonal);
    }
    for (int i = 0; i < n * n; i++) {
        rows[i] = i / n == i % n;
    }
    /* From the last reflection to the first: so early ones meet what is still the identity. */
    for (int k = n - 3; k >= 0; k--) {
        const double *v = a + (size_t)k * (size_t)n + k + 1;
        const int m = n - k - 1;
        for (int i = k + 1; i < n; i++) {
            double *row = rows + (size_t)i * (size_t)n + k + 1;
            take_off(row, v, dot(row, v, m), m);
        }
    }
    for (int i = 0; i < n; i++) {
        diagonal[i] = a[(size_t)i * (size_t)n + i];
    }
}

/* Turns two rows that follow one another. */
static void turn(double *row, int n, double c, double s)
{
    double *next = row + n;
    for (int k = 0; k < n; k++) {
        const double x = row[k], y = next[k];
        row[k] = c * x - s * y;
        next[k] = s * x + c * y;
    }
}

/* One implicit step of the QL algorithm on the values from l to m, with the shift of Wilkinson. */
static void step(double *d, double *e, double *rows, int n, int l, int m)
{
    const double half = (d[l + 1] - d[l]) / (2 * e[l]);
    double g = d[m] - d[l] + e[l] / (half + copysign(hypot(half, 1), half));
    double s = 1, c = 1, moved = 0;
    for (int i = m - 1; i >= l; i--) {
        const double f = s * e[i], b = c * e[i], r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) { /* it falls into two */
            d[i + 1] -= moved;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - moved;
        const double t = (d[i] - g) * s + 2 * c * b;
        moved = s * t;
        d[i + 1] = g + moved;
        g = c * t - b;
        turn(rows + (size_t)i * (size_t)n, n, c, s);
    }
    d[l] -= moved;
    e[l] = g;
    e[m] = 0;
}

/* Turns the values beside the diagonal, e[n], the last of them 0, into nothing. */
static void diagonalize(double *d, double *e, double *rows, int n)
{
    for (int l = 0; l < n; l++) {
        for (int steps = 0; steps < MAX_STEPS; steps++) {
            int m = l;
            while (m < n - 1 && fabs(e[m]) > DBL_EPSILON * (fabs(d[m]) + fabs(d[m + 1]))) {
                m++;
            }
            if (m == l) {
                break;
            }
            step(d, e, rows, n, l, m);
        }
    }
}

void rv_eigen(double *values, double *vectors, double *a, int n)
{
    reduce(values, vectors, a, n);
    for (int k = 0; k < n - 1; k++) {
        a[k] = a[(size_t)(k + 1) * (size_t)n + k]; /* what the first row held has been used */
    }
    a[n - 1] = 0;
    diagonalize(values, a, vectors, n);
    /* The vectors were turned as rows. */
    for (int i = 0; i < n; i++) {
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
