/* Learns filters from pictures: draws patches, whitens them, clusters them. */
/* SPDX-License-Identifier: MIT */
#include "stages/patch_bank.h"
#include "base/eigen.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/philox.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATCHES = 6000, ROUNDS = 12, V = RV_PATCH_VALUES, CENTROIDS = RV_PATCH_CENTROIDS };

/* As much is seen of a patch as of another, but for so little. */
#define NEARLY 0.99

/* What learning works on; patches are rows of V values. */
typedef struct learner {
    float *patches;     /* [n,V], their mean taken off */
    float *white;       /* [n,V], decorrelated */
    double mean[V];     /* of the patches */
    double *covariance; /* [V,V] */
    double *whitening;  /* [V,V] */
    float *centroids;   /* [CENTROIDS,V], of length 1 */
    size_t n;
} learner;

static rv_status create(learner *l)
{
    const size_t n = PATCHES;
    RV_TRY(rv_alloc(&l->patches, n * V, sizeof(float), "patches"));
    RV_TRY(rv_alloc(&l->white, n * V, sizeof(float), "patches"));
    RV_TRY(rv_alloc(&l->covariance, (size_t)V * V, sizeof(double), "patches"));
    RV_TRY(rv_alloc(&l->whitening, (size_t)V * V, sizeof(double), "patches"));
    return rv_alloc(&l->centroids, (size_t)CENTROIDS * V, sizeof(float), "patches");
}

static void release(learner *l)
{
    free(l->patches);
    free(l->white);
    free(l->covariance);
    free(l->whitening);
    free(l->centroids);
}

/* --- drawing --------------------------------------------------------------------------------- */

static void take_patch(float *out, const rv_planar *p, int x, int y)
{
    const size_t plane = (size_t)p->width * (size_t)p->height;
    for (int c = 0; c < 3; c++) {
        for (int r = 0; r < RV_PATCH_SIDE; r++) {
            const float *row = p->data + (size_t)c * plane + (size_t)(y + r) * (size_t)p->width;
            memcpy(out, row + x, RV_PATCH_SIDE * sizeof(float));
            out += RV_PATCH_SIDE;
        }
    }
}

/* What is seen of a patch. */
static double sum_patch(const float *seen, int width, size_t x, size_t y)
{
    double sum = 0;
    for (int i = 0; i < RV_PATCH_SIDE * RV_PATCH_SIDE; i++) {
        sum += (double)seen[(y + (size_t)(i / RV_PATCH_SIDE)) * (size_t)width + x +
                            (size_t)(i % RV_PATCH_SIDE)];
    }
    return sum;
}

/* Of n places in rows of `columns`, those of which as much is seen as of any, in order. @param[out] out  [n]; returns
 * how many */
static size_t find_seen(size_t *out, size_t n, size_t columns, const float *seen, int width)
{
    double most = 0;
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, sum_patch(seen, width, i % columns, i / columns));
    }
    for (size_t i = 0; i < n; i++) {
        if (sum_patch(seen, width, i % columns, i / columns) >= NEARLY * most) {
            out[found++] = i;
        }
    }
    return found;
}

/* Patches of one picture: all that are seen, in order, where there are no more than wanted, else random ones. */
static rv_status draw(learner *l, const rv_planar *p, const float *seen, size_t wanted,
                      uint32_t seed, uint32_t stream)
{
    const size_t columns = (size_t)p->width - RV_PATCH_SIDE + 1;
    size_t places = columns * ((size_t)p->height - RV_PATCH_SIDE + 1), *list = NULL;
    if (seen != NULL) {
        RV_TRY(rv_alloc(&list, places, sizeof *list, "patches"));
        places = find_seen(list, places, columns, seen, p->width);
    }
    const size_t n = places < wanted ? places : wanted;
    for (size_t i = 0; i < n; i++) {
        const double u = (double)rv_philox_uniform(seed, stream, (uint32_t)(l->n + i));
        const size_t k = places <= wanted ? i : (size_t)(u * (double)places);
        const size_t at = list != NULL ? list[k] : k;
        take_patch(l->patches + (l->n + i) * V, p, (int)(at % columns), (int)(at / columns));
    }
    l->n += n;
    free(list);
    return RV_OK;
}

static void take_mean_off(learner *l)
{
    for (size_t i = 0; i < l->n * V; i++) {
        l->mean[i % V] += (double)l->patches[i] / (double)l->n;
    }
    for (size_t i = 0; i < l->n * V; i++) {
        l->patches[i] -= (float)l->mean[i % V];
    }
}

/* --- whitening ------------------------------------------------------------------------------- */

static void measure_covariance(learner *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const float *p = l->patches + i * V;
        for (int a = 0; a < V; a++) {
            double *row = l->covariance + a * V;
            for (int b = 0; b <= a; b++) {
                row[b] += (double)p[a] * (double)p[b];
            }
        }
    }
    for (int a = 0; a < V; a++) {
        for (int b = 0; b <= a; b++) {
            l->covariance[a * V + b] /= (double)l->n;
            l->covariance[b * V + a] = l->covariance[a * V + b];
        }
    }
}

static rv_status find_whitening(learner *l, double ridge)
{
    double *copy, *vectors, values[V], largest = 0;
    RV_TRY(rv_alloc(&copy, (size_t)V * V * 2, sizeof *copy, "patches"));
    vectors = copy + (size_t)V * V;
    memcpy(copy, l->covariance, (size_t)V * V * sizeof *copy);
    rv_eigen(values, vectors, copy, V);
    for (int i = 0; i < V; i++) {
        largest = fmax(largest, values[i]);
    }
    rv_eigen_power(l->whitening, values, vectors, V, ridge * largest + 1e-5, -0.5);
    free(copy);
    return RV_OK;
}

/* out[m,V] = rows[m,V] whitening */
static void whiten(float *out, const float *rows, size_t m, const double *whitening)
{
    float w[V * V];
    for (int i = 0; i < V * V; i++) {
        w[i] = (float)whitening[i];
    }
    memset(out, 0, m * V * sizeof(float));
    for (size_t i = 0; i < m; i++) {
        for (int k = 0; k < V; k++) {
            const float x = rows[i * V + (size_t)k];
            for (int j = 0; j < V; j++) {
                out[i * V + (size_t)j] += x * w[k * V + j];
            }
        }
    }
}

/* --- clustering ------------------------------------------------------------------------------ */

/* Sixteen partial sums, which a compiler turns into vectors without reordering anything. */
static float dot(const float *a, const float *b)
{
    float part[16] = {0}, sum = 0;
    int i = 0;
    for (; i + 16 <= V; i += 16) {
        for (int k = 0; k < 16; k++) {
            part[k] += a[i + k] * b[i + k];
        }
    }
    for (; i < V; i++) {
        sum += a[i] * b[i];
    }
    for (int k = 0; k < 16; k++) {
        sum += part[k];
    }
    return sum;
}

/* Scales to length 1; false where there is nothing to scale. */
static bool normalize(float *a)
{
    const float length = sqrtf(dot(a, a));
    for (int i = 0; length > 1e-6f && i < V; i++) {
        a[i] /= length;
    }
    return length > 1e-6f;
}

/* Makes a random patch a centroid: to start with, and where a cluster has lost all its patches. */
static void seed_centroid(learner *l, int k, uint32_t seed, uint32_t stream, uint32_t draw_index)
{
    const double u = (double)rv_philox_uniform(seed, stream, draw_index);
    float *c = l->centroids + (size_t)k * V;
    memcpy(c, l->white + (size_t)(u * (double)l->n) * V, V * sizeof(float));
    if (!normalize(c)) {
        c[k % V] = 1.0f;
    }
}

/* Spherical k-means in which a patch and its negative are alike. */
static rv_status cluster(learner *l, uint32_t seed, uint32_t stream)
{
    float *sums;
    RV_TRY(rv_alloc(&sums, (size_t)CENTROIDS * V, sizeof *sums, "patches"));
    uint32_t drawn = 0;
    for (int k = 0; k < CENTROIDS; k++) {
        seed_centroid(l, k, seed, stream, drawn++);
    }
    for (int round = 0; round < ROUNDS; round++) {
        memset(sums, 0, (size_t)CENTROIDS * V * sizeof *sums);
        for (size_t i = 0; i < l->n; i++) {
            const float *z = l->white + i * V;
            float best = 0;
            int nearest = 0;
            for (int k = 0; k < CENTROIDS; k++) {
                const float d = dot(z, l->centroids + (size_t)k * V);
                if (fabsf(d) > fabsf(best)) {
                    best = d;
                    nearest = k;
                }
            }
            for (int j = 0; j < V; j++) {
                sums[nearest * V + j] += best * z[j];
            }
        }
        memcpy(l->centroids, sums, (size_t)CENTROIDS * V * sizeof *sums);
        for (int k = 0; k < CENTROIDS; k++) {
            if (!normalize(l->centroids + (size_t)k * V)) {
                seed_centroid(l, k, seed, stream, drawn++);
            }
        }
    }
    free(sums);
    return RV_OK;
}

/* --- filters --------------------------------------------------------------------------------- */

/* A filter works on pixels as they are: whitening moves from the patch into the filter. */
static void write_filters(rv_patch_bank *out, const learner *l)
{
    float filters[CENTROIDS * V];
    whiten(filters, l->centroids, CENTROIDS, l->whitening);
    for (int k = 0; k < CENTROIDS; k++) {
        const float *w = filters + k * V;
        double variance = 0, mean = 0;
        for (int a = 0; a < V; a++) {
            double product = 0;
            for (int b = 0; b < V; b++) {
                product += l->covariance[a * V + b] * (double)w[b];
            }
            variance += (double)w[a] * product;
            mean += (double)w[a] * l->mean[a];
        }
        const double scale = 1 / (sqrt(fmax(variance, 0)) + 1e-4);
        for (int a = 0; a < V; a++) {
            const float value = (float)(scale * (double)w[a]);
            out->weight[k * V + a] = value;
            out->weight[(CENTROIDS + k) * V + a] = -value;
        }
        out->bias[k] = (float)(-scale * mean);
        out->bias[CENTROIDS + k] = -out->bias[k];
    }
}

rv_status rv_patch_bank_learn(rv_patch_bank *out, const rv_planar *pictures,
                              const float *const *seen, const double *shares, int n, double ridge,
                              uint32_t seed, uint32_t stream)
{
    learner l = {0};
    rv_status status = create(&l);
    for (int i = 0; i < n && status == RV_OK; i++) {
        const size_t left = PATCHES - l.n, wanted = (size_t)(shares[i] * PATCHES + 0.5);
        status = draw(&l, &pictures[i], seen != NULL ? seen[i] : NULL,
                      wanted < left ? wanted : left, seed, 2 * stream);
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    take_mean_off(&l);
    measure_covariance(&l);
    status = find_whitening(&l, ridge);
    if (status != RV_OK) {
        goto cleanup;
    }
    whiten(l.white, l.patches, l.n, l.whitening);
    status = cluster(&l, seed, 2 * stream + 1);
    if (status == RV_OK) {
        write_filters(out, &l);
    }
cleanup:
    release(&l);
    return status;
}
