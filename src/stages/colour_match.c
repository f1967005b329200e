/* Measures, maps and whitens the colours of pictures. */
/* SPDX-License-Identifier: MIT */
#include "stages/colour_match.h"
#include "base/eigen.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

/* Keeps roots of grey pictures, whose colours lie on a line, within bounds. */
#define SMALLEST_VARIANCE 1e-7

/* @param weights  of each pixel, the sum being `weight`; NULL: 1 */
static void add_picture(rv_colour_moments *sum, const rv_planar *p, const float *weights,
                        double weight, double share)
{
    const size_t n = (size_t)p->width * (size_t)p->height;
    for (int i = 0; i < 3; i++) {
        const float *a = p->data + (size_t)i * n;
        double mean = 0;
        for (size_t x = 0; x < n; x++) {
            mean += (double)a[x] * (weights != NULL ? (double)weights[x] : 1.0);
        }
        sum->mean[i] += share * mean / weight;
        for (int k = 0; k <= i; k++) {
            const float *b = p->data + (size_t)k * n;
            double dot = 0;
            for (size_t x = 0; x < n; x++) {
                const double product = (double)a[x] * (double)b[x];
                dot += product * (weights != NULL ? (double)weights[x] : 1.0);
            }
            sum->covariance[i * 3 + k] += share * dot / weight;
        }
    }
}

static void centre(rv_colour_moments *m)
{
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k <= i; k++) {
            m->covariance[i * 3 + k] -= m->mean[i] * m->mean[k];
            m->covariance[k * 3 + i] = m->covariance[i * 3 + k];
        }
    }
}

static double sum_of(const rv_planar *picture, const float *weights)
{
    const size_t n = (size_t)picture->width * (size_t)picture->height;
    double sum = 0;
    for (size_t i = 0; i < n && weights != NULL; i++) {
        sum += (double)weights[i];
    }
    return sum;
}

rv_colour_moments rv_colour_measure(const rv_planar *pictures, const float *const *weights,
                                    const double *shares, int n)
{
    rv_colour_moments m = {{0}, {0}};
    for (int i = 0; i < n; i++) {
        const float *own = weights != NULL ? weights[i] : NULL;
        const double pixels = (double)pictures[i].width * (double)pictures[i].height;
        const double sum = sum_of(&pictures[i], own);
        add_picture(&m, &pictures[i], sum > 0 ? own : NULL, sum > 0 ? sum : pixels, shares[i]);
    }
    centre(&m);
    return m;
}

rv_colour_moments rv_colour_measure_part(const rv_planar *picture, const float *weights)
{
    rv_colour_moments m = {{0}, {0}};
    const double sum = sum_of(picture, weights);
    if (sum > 0) {
        add_picture(&m, picture, weights, sum, 1.0);
        centre(&m);
    }
    return m;
}

rv_colour_moments rv_colour_mix(const rv_colour_moments *a, const rv_colour_moments *b,
                                double share)
{
    rv_colour_moments m;
    for (int i = 0; i < 3; i++) {
        m.mean[i] = (1 - share) * a->mean[i] + share * b->mean[i];
    }
    for (int i = 0; i < 9; i++) {
        m.covariance[i] = (1 - share) * a->covariance[i] + share * b->covariance[i];
    }
    return m;
}

static void power(double out[9], const double matrix[9], double ridge, double exponent)
{
    double copy[9], values[3], vectors[9];
    memcpy(copy, matrix, sizeof copy);
    rv_eigen(values, vectors, copy, 3);
    rv_eigen_power(out, values, vectors, 3, ridge, exponent);
}

static void multiply(double out[9], const double a[9], const double b[9])
{
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            out[i * 3 + k] = 0;
            for (int j = 0; j < 3; j++) {
                out[i * 3 + k] += a[i * 3 + j] * b[j * 3 + k];
            }
        }
    }
}

void rv_colour_map(rv_planar *picture, const rv_colour_moments *from, const rv_colour_moments *to)
{
    double root[9], inverse[9], a[9], b[9], map[9];
    power(root, from->covariance, SMALLEST_VARIANCE, 0.5);
    power(inverse, from->covariance, SMALLEST_VARIANCE, -0.5);
    multiply(a, root, to->covariance);
    multiply(b, a, root);
    power(a, b, 0, 0.5);
    multiply(b, inverse, a);
    multiply(map, b, inverse);
    const size_t n = (size_t)picture->width * (size_t)picture->height;
    float *red = picture->data, *green = red + n, *blue = green + n;
    for (size_t x = 0; x < n; x++) {
        const double v[3] = {(double)red[x] - from->mean[0], (double)green[x] - from->mean[1],
                             (double)blue[x] - from->mean[2]};
        float *out[3] = {&red[x], &green[x], &blue[x]};
        for (int i = 0; i < 3; i++) {
            *out[i] = (float)(to->mean[i] + map[i * 3] * v[0] + map[i * 3 + 1] * v[1] +
                              map[i * 3 + 2] * v[2]);
        }
    }
}

rv_status rv_colour_map_part(rv_planar *picture, const rv_planar *own, const float *part,
                             const rv_colour_moments *from, const rv_colour_moments *to)
{
    const size_t n = (size_t)own->width * (size_t)own->height;
    rv_planar mapped;
    RV_TRY(rv_planar_pad(&mapped, own, 0));
    rv_colour_map(&mapped, from, to);
    for (size_t i = 0; i < 3 * n; i++) {
        picture->data[i] += part[i % n] * (mapped.data[i] - own->data[i]);
    }
    rv_planar_release(&mapped);
    return RV_OK;
}

void rv_colour_whitening(double out[9], const rv_colour_moments *moments, double ridge)
{
    double copy[9], values[3], vectors[9];
    memcpy(copy, moments->covariance, sizeof copy);
    rv_eigen(values, vectors, copy, 3);
    const double largest = fmax(values[0], fmax(values[1], values[2]));
    rv_eigen_power(out, values, vectors, 3, ridge * largest + SMALLEST_VARIANCE, -0.5);
}
