/* The photo's colours: matched in light, and its chroma under another luminance, each against a twin in double. */
/* SPDX-License-Identifier: MIT */
#include "stages/colour_keep.h"
#include "base/philox.h"
#include "support/assert.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { W = 50, H = 40, PIXELS = W * H };

static float first_data[3 * PIXELS], second_data[3 * PIXELS];

/* Correlated colours around a mean of their own, well within 0..1. */
static rv_planar make(float *data, uint32_t seed, float red, float green, float blue)
{
    for (uint32_t i = 0; i < PIXELS; i++) {
        const float a = rv_philox_uniform(seed, 0, i) - 0.5f;
        const float b = rv_philox_uniform(seed, 1, i) - 0.5f;
        const float c = rv_philox_uniform(seed, 2, i) - 0.5f;
        data[i] = red + 0.2f * a;
        data[PIXELS + i] = green + 0.12f * a + 0.1f * b;
        data[2 * PIXELS + i] = blue - 0.06f * a + 0.08f * b + 0.1f * c;
    }
    return (rv_planar){W, H, data};
}

/* --- twins ----------------------------------------------------------------------------------- */

static double light_of(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double light_at(const rv_planar *p, int c, int i)
{
    return light_of((double)p->data[c * PIXELS + i]);
}

static rv_colour_moments twin_moments(const rv_planar *p)
{
    rv_colour_moments m = {{0}, {0}};
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < PIXELS; i++) {
            m.mean[c] += light_at(p, c, i) / PIXELS;
        }
    }
    for (int c = 0; c < 3; c++) {
        for (int d = 0; d < 3; d++) {
            for (int i = 0; i < PIXELS; i++) {
                m.covariance[3 * c + d] +=
                    (light_at(p, c, i) - m.mean[c]) * (light_at(p, d, i) - m.mean[d]) / PIXELS;
            }
        }
    }
    return m;
}

/* out = a^(1/2) of a symmetric positive matrix, by the iteration of Denman and Beavers. */
static void twin_root(double out[9], const double a[9])
{
    double y[9], z[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, inverse[2][9];
    memcpy(y, a, sizeof y);
    for (int step = 0; step < 60; step++) {
        for (int k = 0; k < 2; k++) {
            const double *m = k == 0 ? y : z;
            double *o = inverse[k];
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) {
                    const int r = (j + 1) % 3, s = (j + 2) % 3, t = (i + 1) % 3, u = (i + 2) % 3;
                    o[3 * i + j] = m[3 * r + t] * m[3 * s + u] - m[3 * r + u] * m[3 * s + t];
                }
            }
            const double det = m[0] * o[0] + m[1] * o[3] + m[2] * o[6];
            for (int i = 0; i < 9; i++) {
                o[i] /= det;
            }
        }
        for (int i = 0; i < 9; i++) {
            y[i] = (y[i] + inverse[1][i]) / 2;
            z[i] = (z[i] + inverse[0][i]) / 2;
        }
    }
    memcpy(out, y, sizeof y);
}

static void twin_multiply(double out[9], const double a[9], const double b[9])
{
    for (int i = 0; i < 9; i++) {
        out[i] = a[i / 3 * 3] * b[i % 3] + a[i / 3 * 3 + 1] * b[3 + i % 3] +
                 a[i / 3 * 3 + 2] * b[6 + i % 3];
    }
}

/* How far a matrix T is from being the map of least cost between two clouds: T from T = to, and T symmetric. */
static void twin_check(const double map[9], const double from[9], const double to[9])
{
    double a[9], b[9];
    twin_multiply(a, map, from);
    twin_multiply(b, a, map);
    for (int i = 0; i < 9; i++) {
        cr_assert_float_eq(b[i], to[i], 2e-6, "%d: %g, not %g", i, b[i], to[i]);
        cr_assert_float_eq(map[i], map[i % 3 * 3 + i / 3], 1e-9);
    }
}

/* --- matching -------------------------------------------------------------------------------- */

Test(colour_keep, measures_light)
{
    const rv_planar a = make(first_data, 1, 0.4f, 0.5f, 0.6f);
    const rv_colour_moments want = twin_moments(&a);
    rv_colour_moments got;
    RV_ASSERT_OK(rv_light_measure(&got, &a, NULL));
    for (int i = 0; i < 3; i++) {
        cr_assert_float_eq(got.mean[i], want.mean[i], 1e-7);
    }
    for (int i = 0; i < 9; i++) {
        cr_assert_float_eq(got.covariance[i], want.covariance[i], 1e-8);
    }
}

Test(colour_keep, measures_the_light_of_what_is_visible)
{
    static float weights[PIXELS];
    const rv_planar a = make(first_data, 1, 0.4f, 0.5f, 0.6f);
    double mean = 0, square = 0, sum = 0;
    rv_colour_moments got;
    for (int i = 0; i < PIXELS; i++) {
        weights[i] = i % 3 == 0 ? 0 : 1.0f / (float)(1 + i % 5);
        const double v = light_at(&a, 1, i), w = (double)weights[i];
        sum += w;
        mean += w * v;
        square += w * v * v;
    }
    RV_ASSERT_OK(rv_light_measure(&got, &a, weights));
    cr_assert_float_eq(got.mean[1], mean / sum, 1e-6);
    cr_assert_float_eq(got.covariance[4], square / sum - mean / sum * mean / sum, 1e-6);
}

/* T = F^(-1/2) (F^(1/2) G F^(1/2))^(1/2) F^(-1/2) in light, every pixel through it. */
Test(colour_keep, maps_each_pixel_as_the_twin_does)
{
    rv_planar a = make(first_data, 2, 0.6f, 0.35f, 0.5f);
    const rv_planar before = make(second_data, 2, 0.6f, 0.35f, 0.5f);
    static float other[3 * PIXELS];
    const rv_planar b = make(other, 3, 0.45f, 0.5f, 0.4f);
    const rv_colour_moments from = twin_moments(&before), to = twin_moments(&b);
    double root[9], inverse[9], inner[9], t[9], map[9];
    twin_root(root, from.covariance);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            const int r = (j + 1) % 3, s = (j + 2) % 3, u = (i + 1) % 3, v = (i + 2) % 3;
            inverse[3 * i + j] =
                root[3 * r + u] * root[3 * s + v] - root[3 * r + v] * root[3 * s + u];
        }
    }
    const double det = root[0] * inverse[0] + root[1] * inverse[3] + root[2] * inverse[6];
    for (int i = 0; i < 9; i++) {
        inverse[i] /= det;
    }
    twin_multiply(t, root, to.covariance);
    twin_multiply(inner, t, root);
    twin_root(t, inner);
    twin_multiply(inner, inverse, t);
    twin_multiply(map, inner, inverse);
    twin_check(map, from.covariance, to.covariance);
    rv_light_match(&a, NULL, &to);
    for (int i = 0; i < PIXELS; i++) {
        for (int c = 0; c < 3; c++) {
            double want = to.mean[c];
            for (int k = 0; k < 3; k++) {
                want += map[3 * c + k] * (light_at(&before, k, i) - from.mean[k]);
            }
            want = fmin(fmax(want, 0), 1);
            cr_assert_float_eq(light_at(&a, c, i), want, 1e-4, "pixel %d, channel %d", i, c);
        }
    }
}

Test(colour_keep, a_matched_style_has_the_colours_of_the_photo_in_light)
{
    rv_planar a = make(first_data, 4, 0.7f, 0.3f, 0.3f);
    const rv_planar photo = make(second_data, 5, 0.4f, 0.45f, 0.55f);
    const rv_colour_moments want = twin_moments(&photo);
    rv_light_match(&a, NULL, &want);
    const rv_colour_moments got = twin_moments(&a);
    for (int i = 0; i < 3; i++) {
        cr_assert_float_eq(got.mean[i], want.mean[i], 1e-5);
    }
    for (int i = 0; i < 9; i++) {
        cr_assert_float_eq(got.covariance[i], want.covariance[i], 1e-5);
    }
}

Test(colour_keep, a_style_that_is_matched_stays_within_range)
{
    rv_planar a = make(first_data, 6, 0.5f, 0.5f, 0.5f);
    const rv_colour_moments wild = {{0.9, 0.05, 0.5}, {0.2, 0, 0, 0, 0.2, 0, 0, 0, 0.2}};
    rv_light_match(&a, NULL, &wild);
    for (int i = 0; i < 3 * PIXELS; i++) {
        cr_assert(a.data[i] >= 0 && a.data[i] <= 1, "%g", (double)a.data[i]);
    }
}

/* --- keeping --------------------------------------------------------------------------------- */

static double twin_luminance(const float v[3])
{
    return 0.2126 * (double)v[0] + 0.7152 * (double)v[1] + 0.0722 * (double)v[2];
}

/* The most of the photo's chroma that fits, found by halving. */
static void twin_keep(double out[3], const float styled[3], const float own[3])
{
    const double y = twin_luminance(styled), own_y = twin_luminance(own);
    double low = 0, high = 1;
    for (int step = 0; step < 60; step++) {
        const double t = step == 0 ? 1 : (low + high) / 2;
        bool fits = true;
        for (int c = 0; c < 3; c++) {
            const double v = y + t * ((double)own[c] - own_y);
            fits = fits && v >= 0 && v <= 1;
        }
        low = fits ? t : low;
        high = fits ? high : t;
        if (step == 0 && fits) {
            break;
        }
    }
    for (int c = 0; c < 3; c++) {
        out[c] = y + low * ((double)own[c] - own_y);
    }
}

Test(colour_keep, has_the_luminance_of_one_and_the_chroma_of_the_other)
{
    for (uint32_t i = 0; i < 5000; i++) {
        float styled[3], own[3];
        double want[3];
        for (uint32_t c = 0; c < 3; c++) {
            styled[c] = rv_philox_uniform(1, c, i);
            own[c] = rv_philox_uniform(2, c, i);
        }
        if (i < 64) { /* corners of the cube */
            for (uint32_t c = 0; c < 3; c++) {
                styled[c] = (float)(i >> c & 1);
                own[c] = (float)(i >> (3 + c) & 1);
            }
        }
        const double y = twin_luminance(styled);
        twin_keep(want, styled, own);
        rv_colour_keep(styled, own);
        for (int c = 0; c < 3; c++) {
            cr_assert_float_eq((double)styled[c], want[c], 2e-6, "%u, channel %d", i, c);
        }
        cr_assert_float_eq(twin_luminance(styled), y, 1e-6);
    }
}

Test(colour_keep, its_own_luminance_gives_the_photo_back)
{
    rv_planar a = make(first_data, 7, 0.5f, 0.4f, 0.6f);
    const rv_planar b = make(second_data, 7, 0.5f, 0.4f, 0.6f);
    rv_planar_keep_colours(&a, &b);
    for (int i = 0; i < 3 * PIXELS; i++) {
        cr_assert_float_eq(a.data[i], b.data[i], 1e-6);
    }
}
