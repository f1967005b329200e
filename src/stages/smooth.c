/* Makes gradients of pictures smooth: Gaussian, Laplacian pyramid with bands of equal strength, colours of photos. */
/* SPDX-License-Identifier: MIT */
#include "stages/smooth.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEVELS = 8, SMALLEST = 8 };

/* Below this a band has nothing in it. */
#define NOTHING 1e-20

/* Index that a mirror at both edges shows at i, both within n of the range. */
static int mirrored(int i, int n)
{
    i = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* --- Gaussian -------------------------------------------------------------------------------- */

typedef struct blur {
    rv_planar *planes;
    float *weights; /* [radius + 1] */
    int radius;
} blur;

static void blur_row(float *to, const float *from, int n, const float *weights, int radius)
{
    for (int x = 0; x < n; x++) {
        float sum = weights[0] * from[x];
        for (int k = 1; k <= radius; k++) {
            sum += weights[k] * (from[mirrored(x - k, n)] + from[mirrored(x + k, n)]);
        }
        to[x] = sum;
    }
}

/* One plane, along rows and then along columns. */
static rv_status blur_plane(void *payload, size_t plane)
{
    const blur *b = payload;
    const int width = b->planes->width, height = b->planes->height;
    const size_t w = (size_t)width;
    float *data = b->planes->data + plane * w * (size_t)height, *rows;
    RV_TRY(rv_alloc(&rows, (size_t)height * w, sizeof *rows, "gradient"));
    for (int y = 0; y < height; y++) {
        blur_row(rows + (size_t)y * w, data + (size_t)y * w, width, b->weights, b->radius);
    }
    for (int y = 0; y < height; y++) {
        float *to = data + (size_t)y * w;
        memset(to, 0, w * sizeof *to);
        for (int k = -b->radius; k <= b->radius; k++) {
            const float *from = rows + (size_t)mirrored(y + k, height) * w;
            const float weight = b->weights[k < 0 ? -k : k];
            for (int x = 0; x < width; x++) {
                to[x] += weight * from[x];
            }
        }
    }
    free(rows);
    return RV_OK;
}

rv_status rv_smooth_blur(rv_planar *planes, double sigma)
{
    const int shorter = planes->width < planes->height ? planes->width : planes->height;
    blur b = {.planes = planes, .radius = (int)fmin(ceil(3 * sigma), shorter - 1)};
    double sum = 0;
    if (!(sigma > 0) || b.radius < 1) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&b.weights, (size_t)b.radius + 1, sizeof(float), "gradient"));
    for (int k = 0; k <= b.radius; k++) {
        b.weights[k] = (float)exp(-0.5 * k * k / (sigma * sigma));
        sum += (k > 0 ? 2 : 1) * (double)b.weights[k];
    }
    for (int k = 0; k <= b.radius; k++) {
        b.weights[k] = (float)((double)b.weights[k] / sum);
    }
    const rv_status status = rv_parallel_for(3, 0, blur_plane, &b);
    free(b.weights);
    return status;
}

/* --- Laplacian pyramid ----------------------------------------------------------------------- */

/* Levels of one plane: level 0 is the plane itself. */
typedef struct level {
    int width, height;
    float *data; /* band, then what is rebuilt from the coarser ones */
} level;

typedef struct pyramid {
    level level[MAX_LEVELS + 1];
    int n;
    double squares[MAX_LEVELS + 1]; /* sum over a level */
} pyramid;

/* A row of half the length, weighted 1 4 6 4 1. */
static void halve_row(float *to, const float *from, int width)
{
    const int half = (width + 1) / 2;
    for (int x = 0; x < half; x++) {
        const int a = 2 * x;
        to[x] = (from[mirrored(a - 2, width)] + from[mirrored(a + 2, width)] +
                 4 * (from[mirrored(a - 1, width)] + from[mirrored(a + 1, width)]) + 6 * from[a]) *
                0.0625f;
    }
}

static rv_status halve(level *to, const level *from)
{
    static const float weights[5] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};
    const size_t half = (size_t)to->width;
    float *rows;
    RV_TRY(rv_alloc(&rows, half * (size_t)from->height, sizeof *rows, "gradient"));
    for (int y = 0; y < from->height; y++) {
        halve_row(rows + (size_t)y * half, from->data + (size_t)y * (size_t)from->width,
                  from->width);
    }
    for (int y = 0; y < to->height; y++) {
        float *out = to->data + (size_t)y * half;
        for (int k = 0; k < 5; k++) {
            const float *in = rows + (size_t)mirrored(2 * y + k - 2, from->height) * half;
            for (size_t x = 0; x < half; x++) {
                out[x] = (k > 0 ? out[x] : 0) + weights[k] * in[x];
            }
        }
    }
    free(rows);
    return RV_OK;
}

/* Index of a coarse value, where that lies one beyond an edge of the n fine ones: that of its mirror. */
static int beyond(int i, int n)
{
    return mirrored(2 * i, n) / 2;
}

/* to += sign * from, at twice its size: the transpose of halving, times four. */
static void add_doubled(level *to, const level *from, float *row, float sign)
{
    const size_t half = (size_t)from->width;
    for (int y = 0; y < to->height; y++) {
        const float *at = from->data + (size_t)(y / 2) * half;
        const float *next = from->data + (size_t)beyond(y / 2 + 1, to->height) * half;
        const float *last = from->data + (size_t)beyond(y / 2 - 1, to->height) * half;
        for (size_t x = 0; x < half; x++) {
            row[x] = sign * (y % 2 == 0 ? 0.125f * (last[x] + next[x]) + 0.75f * at[x]
                                        : 0.5f * (at[x] + next[x]));
        }
        float *out = to->data + (size_t)y * (size_t)to->width;
        for (int x = 0; x < to->width; x++) {
            const int i = x / 2;
            const float right = row[beyond(i + 1, to->width)];
            out[x] += x % 2 == 0 ? 0.125f * (row[beyond(i - 1, to->width)] + right) + 0.75f * row[i]
                                 : 0.5f * (row[i] + right);
        }
    }
}

static double squares_of(const level *l)
{
    double sum = 0;
    for (int y = 0; y < l->height; y++) {
        float row = 0;
        for (int x = 0; x < l->width; x++) {
            const float v = l->data[(size_t)y * (size_t)l->width + (size_t)x];
            row += v * v;
        }
        sum += (double)row;
    }
    return sum;
}

/* Three pyramids, and what their bands are to be multiplied by. */
typedef struct equalizer {
    rv_planar *planes;
    pyramid pyramid[3];
    float factor[MAX_LEVELS + 1];
    float keep; /* of the plane as it was */
} equalizer;

static rv_status split(void *payload, size_t plane)
{
    equalizer *e = payload;
    pyramid *p = &e->pyramid[plane];
    float *row;
    RV_TRY(rv_alloc(&row, (size_t)e->planes->width, sizeof *row, "gradient"));
    rv_status status = RV_OK;
    for (int i = 0; i + 1 < p->n && status == RV_OK; i++) {
        status = halve(&p->level[i + 1], &p->level[i]);
        if (status == RV_OK) {
            add_doubled(&p->level[i], &p->level[i + 1], row, -1);
        }
    }
    for (int i = 0; i < p->n; i++) {
        p->squares[i] = squares_of(&p->level[i]);
    }
    free(row);
    return status;
}

static rv_status join(void *payload, size_t plane)
{
    equalizer *e = payload;
    pyramid *p = &e->pyramid[plane];
    float *row,
        *out = e->planes->data + plane * (size_t)e->planes->width * (size_t)e->planes->height;
    RV_TRY(rv_alloc(&row, (size_t)e->planes->width, sizeof *row, "gradient"));
    for (int i = p->n - 1; i >= 0; i--) {
        level *l = &p->level[i];
        const size_t n = (size_t)l->width * (size_t)l->height;
        for (size_t k = 0; k < n; k++) {
            l->data[k] *= e->factor[i];
        }
        if (i + 1 < p->n) {
            add_doubled(l, &p->level[i + 1], row, 1);
        }
        for (size_t k = 0; k < n && i == 0; k++) {
            out[k] = e->keep * out[k] + l->data[k];
        }
    }
    free(row);
    return RV_OK;
}

static rv_status make_pyramids(equalizer *e, int levels)
{
    const size_t n = (size_t)e->planes->width * (size_t)e->planes->height;
    for (size_t c = 0; c < 3; c++) {
        pyramid *p = &e->pyramid[c];
        int width = e->planes->width, height = e->planes->height;
        for (p->n = 0; p->n <= levels && p->n <= MAX_LEVELS; p->n++) {
            if (p->n > 0 && (width < SMALLEST || height < SMALLEST)) {
                break;
            }
            p->level[p->n] = (level){.width = width, .height = height};
            RV_TRY(rv_alloc(&p->level[p->n].data, (size_t)width * (size_t)height, sizeof(float),
                            "gradient"));
            width = (width + 1) / 2;
            height = (height + 1) / 2;
        }
        memcpy(p->level[0].data, e->planes->data + c * n, n * sizeof(float));
    }
    return RV_OK;
}

/* Of the planes as they are, for the share that stays. */
static double root_mean_square(const rv_planar *planes)
{
    const level all = {planes->width, 3 * planes->height, planes->data};
    return sqrt(squares_of(&all) / (double)rv_planar_floats(planes));
}

static void choose_factors(equalizer *e, double share)
{
    const double rms = root_mean_square(e->planes);
    e->keep = rms > NOTHING ? (float)((1 - share) / rms) : 0;
    for (int i = 0; i < e->pyramid[0].n; i++) {
        const level *l = &e->pyramid[0].level[i];
        double sum = 0;
        for (int c = 0; c < 3; c++) {
            sum += e->pyramid[c].squares[i];
        }
        const double band = sqrt(sum / (3.0 * l->width * l->height));
        e->factor[i] = band > NOTHING ? (float)(share / band) : 0;
    }
}

rv_status rv_smooth_equalize(rv_planar *planes, int levels, double share)
{
    equalizer *e;
    RV_TRY(rv_alloc(&e, 1, sizeof *e, "gradient"));
    e->planes = planes;
    rv_status status = make_pyramids(e, levels);
    if (status == RV_OK) {
        status = rv_parallel_for(3, 0, split, e);
    }
    if (status == RV_OK) {
        choose_factors(e, share);
        status = rv_parallel_for(3, 0, join, e);
    }
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i <= MAX_LEVELS; i++) {
            free(e->pyramid[c].level[i].data);
        }
    }
    free(e);
    return status;
}

/* --- colours --------------------------------------------------------------------------------- */

/* M M^T, M the square root of the covariance of colours in ImageNet by Olah et al. 2017, scaled so that the sum of what
 * it makes of grey stays as it is. */
static const float covariance[3][3] = {
    {0.3567f, 0.3244f, 0.2939f}, {0.3244f, 0.3534f, 0.3347f}, {0.2939f, 0.3347f, 0.3839f}};

void rv_smooth_colours(rv_planar *planes, double share)
{
    const size_t n = (size_t)planes->width * (size_t)planes->height;
    float *r = planes->data, *g = r + n, *b = g + n, m[3][3];
    if (!(share > 0)) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            m[i][k] = (float)share * covariance[i][k] + (i == k ? 1 - (float)share : 0);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const float x = r[i], y = g[i], z = b[i];
        r[i] = m[0][0] * x + m[0][1] * y + m[0][2] * z;
        g[i] = m[1][0] * x + m[1][1] * y + m[1][2] * z;
        b[i] = m[2][0] * x + m[2][1] * y + m[2][2] * z;
    }
}
