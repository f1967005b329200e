/* Moments of colours, the map between two clouds of them, and whitening. */
/* SPDX-License-Identifier: MIT */
#include "stages/colour_match.h"
#include "base/philox.h"

#include <criterion/criterion.h>
#include <math.h>

enum { W = 40, H = 30, PIXELS = W * H };

static float first_data[3 * PIXELS], second_data[3 * PIXELS];
static const double whole = 1;

/* Correlated colours around a mean of their own. */
static rv_planar make(float *data, uint32_t seed, float red, float green, float blue)
{
    for (uint32_t i = 0; i < PIXELS; i++) {
        const float a = rv_philox_normal(seed, 0, i), b = rv_philox_normal(seed, 1, i);
        const float c = rv_philox_normal(seed, 2, i);
        data[i] = red + 0.1f * a;
        data[PIXELS + i] = green + 0.06f * a + 0.05f * b;
        data[2 * PIXELS + i] = blue - 0.03f * a + 0.04f * b + 0.02f * c;
    }
    return (rv_planar){W, H, data};
}

static void same_moments(const rv_colour_moments *a, const rv_colour_moments *b, double tolerance)
{
    for (int i = 0; i < 3; i++) {
        cr_assert_float_eq(a->mean[i], b->mean[i], tolerance);
    }
    for (int i = 0; i < 9; i++) {
        cr_assert_float_eq(a->covariance[i], b->covariance[i], tolerance, "%d: %g, %g", i,
                           a->covariance[i], b->covariance[i]);
    }
}

Test(colour_match, moments_of_four_pixels_are_those_by_hand)
{
    float data[12] = {0, 1, 0, 1, 0, 0, 1, 1, 0.5f, 0.5f, 0.5f, 0.5f};
    const rv_planar picture = {2, 2, data};
    const rv_colour_moments m = rv_colour_measure(&picture, NULL, &whole, 1);
    const rv_colour_moments expected = {{0.5, 0.5, 0.5}, {0.25, 0, 0, 0, 0.25, 0, 0, 0, 0}};
    same_moments(&m, &expected, 1e-12);
}

Test(colour_match, a_mixture_counts_the_distance_of_the_means)
{
    float data[2][3] = {{0, 0.5f, 1}, {1, 0.5f, 0}};
    const rv_planar pictures[2] = {{1, 1, data[0]}, {1, 1, data[1]}};
    const double shares[2] = {0.25, 0.75};
    const rv_colour_moments m = rv_colour_measure(pictures, NULL, shares, 2);
    const rv_colour_moments expected = {{0.75, 0.5, 0.25},
                                        {0.1875, 0, -0.1875, 0, 0, 0, -0.1875, 0, 0.1875}};
    same_moments(&m, &expected, 1e-12);
}

Test(colour_match, mapped_colours_have_the_moments_that_were_asked_for)
{
    rv_planar a = make(first_data, 1, 0.4f, 0.5f, 0.6f);
    const rv_planar b = make(second_data, 2, 0.7f, 0.3f, 0.2f);
    rv_colour_moments from = rv_colour_measure(&a, NULL, &whole, 1);
    rv_colour_moments to = rv_colour_measure(&b, NULL, &whole, 1);
    to.covariance[1] = to.covariance[3] = -to.covariance[1];
    rv_colour_map(&a, &from, &to);
    const rv_colour_moments got = rv_colour_measure(&a, NULL, &whole, 1);
    same_moments(&got, &to, 2e-6);
}

Test(colour_match, equal_moments_change_nothing)
{
    rv_planar a = make(first_data, 3, 0.4f, 0.5f, 0.6f);
    make(second_data, 3, 0.4f, 0.5f, 0.6f);
    const rv_colour_moments m = rv_colour_measure(&a, NULL, &whole, 1);
    rv_colour_map(&a, &m, &m);
    for (int i = 0; i < 3 * PIXELS; i++) {
        cr_assert_float_eq(first_data[i], second_data[i], 1e-3);
    }
}

Test(colour_match, a_grey_picture_becomes_no_noise)
{
    rv_planar grey = make(first_data, 4, 0.5f, 0.5f, 0.5f);
    for (int i = 0; i < PIXELS; i++) {
        first_data[PIXELS + i] = first_data[2 * PIXELS + i] = first_data[i];
    }
    const rv_planar b = make(second_data, 5, 0.7f, 0.3f, 0.2f);
    const rv_colour_moments from = rv_colour_measure(&grey, NULL, &whole, 1);
    const rv_colour_moments to = rv_colour_measure(&b, NULL, &whole, 1);
    rv_colour_map(&grey, &from, &to);
    for (int i = 0; i < 3 * PIXELS; i++) {
        cr_assert(fabs((double)first_data[i]) < 2);
    }
}

Test(colour_match, whitened_colours_have_unit_covariance)
{
    const rv_planar a = make(first_data, 6, 0.4f, 0.5f, 0.6f);
    const rv_colour_moments m = rv_colour_measure(&a, NULL, &whole, 1);
    double w[9];
    rv_colour_whitening(w, &m, 0);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            double sum = 0;
            for (int p = 0; p < 9; p++) {
                sum += w[i * 3 + p / 3] * m.covariance[p] * w[k * 3 + p % 3];
            }
            cr_assert_float_eq(sum, i == k, 0.01, "%d,%d: %g", i, k, sum);
        }
    }
}

/* Two of four pixels, one of them half. */
Test(colour_match, pixels_count_by_their_weights)
{
    float data[12] = {0, 1, 9, 0.5f, 0.25f, 0.75f, 9, 0.5f, 0, 1, 9, 9};
    const float weights[4] = {0.5f, 0.5f, 0, 0}, none[4] = {0};
    const float *const all[1] = {weights}, *const nothing[1] = {none}, *const plain[1] = {NULL};
    const rv_planar picture = {2, 2, data};
    const rv_colour_moments m = rv_colour_measure(&picture, all, &whole, 1);
    const rv_colour_moments expected = {
        {0.5, 0.5, 0.5}, {0.25, 0.125, 0.25, 0.125, 0.0625, 0.125, 0.25, 0.125, 0.25}};
    same_moments(&m, &expected, 1e-12);
    const rv_colour_moments a = rv_colour_measure(&picture, nothing, &whole, 1);
    const rv_colour_moments b = rv_colour_measure(&picture, plain, &whole, 1);
    same_moments(&a, &b, 0);
}
