/* Pictures as sums of waves against a naive twin in double, and their gradients against its differences. */
/* SPDX-License-Identifier: MIT */
#include "stages/spectrum.h"
#include "base/philox.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdlib.h>

/* How one is opened and looked at. */
typedef struct rig {
    rv_device *device;
    rv_spectrum *spectrum;
    rv_buffer *pictures;
    int n, side;
    size_t floats;
    float *numbers, *values, *other;
} rig;

static void open_rig(rig *r, rv_form form, int block, int n, int side)
{
    *r = (rig){.n = n, .side = side, .floats = 3 * (size_t)n * (size_t)side * (size_t)side};
    RV_ASSERT_OK(rv_test_device_open(&r->device, form, block));
    RV_ASSERT_OK(rv_spectrum_create(&r->spectrum, r->device, n, side));
    RV_ASSERT_OK(rv_buffer_create(&r->pictures, r->device, r->floats * sizeof(float)));
    cr_assert_eq(rv_spectrum_floats(r->spectrum), r->floats);
    r->numbers = calloc(r->floats, sizeof(float));
    r->values = calloc(r->floats, sizeof(float));
    r->other = calloc(r->floats, sizeof(float));
    for (size_t i = 0; i < r->floats; i++) {
        r->numbers[i] = 0.3f * rv_philox_normal(7, 1, (uint32_t)i);
        r->other[i] = rv_philox_normal(7, 2, (uint32_t)i);
    }
}

static void close_rig(rig *r)
{
    rv_buffer_destroy(r->pictures);
    rv_spectrum_destroy(r->spectrum);
    rv_device_close(r->device);
    free(r->numbers);
    free(r->values);
    free(r->other);
}

/* Wave k of a row of `side`, at pixel x. */
static double wave(int k, int x, int side)
{
    if (k == 0) {
        return 1 / sqrt(side);
    }
    const int waves = (k + 1) / 2;
    if (2 * waves == side) {
        return (x % 2 == 0 ? 1 : -1) / sqrt(side);
    }
    const double angle = 2 * M_PI * waves * x / side;
    return (k % 2 == 1 ? cos(angle) : sin(angle)) * sqrt(2.0 / side);
}

/* A colour of picture i at a pixel, from numbers [side, side, 3, n]. */
static double twin_pixel(const double *z, int n, int side, int i, int colour, int y, int x)
{
    double mixed = 0;
    for (int field = 0; field < 3; field++) {
        double sum = 0;
        for (int ky = 0; ky < side; ky++) {
            for (int kx = 0; kx < side; kx++) {
                const double f = hypot((ky + 1) / 2, (kx + 1) / 2) / side; /* NOLINT: whole waves */
                const double s = sqrt(2) / 4 / fmax(f, 1.0 / side);
                sum += s * z[((ky * side + kx) * 3 + field) * n + i] * wave(ky, y, side) *
                       wave(kx, x, side);
            }
        }
        mixed += (double)rv_spectrum_colours[3 * colour + field] * sum;
    }
    return 1 / (1 + exp(-mixed));
}

/* All pictures from a view, [n,3,side,side]. */
static void twin(double *out, const double *z, int n, int side, const rv_view *view)
{
    const int pixels = side * side;
    double *plain = calloc((size_t)(n * 3 * pixels), sizeof *plain);
    for (int j = 0; j < n * 3 * pixels; j++) {
        plain[j] =
            twin_pixel(z, n, side, j / pixels / 3, j / pixels % 3, j % pixels / side, j % side);
    }
    for (int j = 0; j < n * 3 * pixels; j++) {
        const int x = j % side, y = j % pixels / side;
        const float *t = view->turn;
        const double px = (double)t[0] * x + (double)t[1] * y + (double)view->left;
        const double py = (double)t[2] * x + (double)t[3] * y + (double)view->top;
        out[j] = 0;
        for (int qy = (int)floor(py); qy <= (int)floor(py) + 1; qy++) {
            for (int qx = (int)floor(px); qx <= (int)floor(px) + 1; qx++) {
                const bool inside = qx >= 0 && qy >= 0 && qx < side && qy < side;
                out[j] += (1 - fabs(px - qx)) * (1 - fabs(py - qy)) *
                          (inside ? plain[j / pixels * pixels + qy * side + qx] : 0.5);
            }
        }
    }
    free(plain);
}

static const rv_view tilted = {{0.93f, -0.21f, 0.18f, 0.95f}, 1.3f, -0.8f};

/* The sum of the pictures of z + step * direction, weighted by `other`. */
static double twin_sum(const rig *r, const float *direction, double step, const rv_view *view)
{
    double *z = calloc(r->floats, sizeof *z), *out = calloc(r->floats, sizeof *out), sum = 0;
    for (size_t i = 0; i < r->floats; i++) {
        z[i] = (double)r->numbers[i] + (direction != NULL ? step * (double)direction[i] : 0);
    }
    twin(out, z, r->n, r->side, view);
    for (size_t i = 0; i < r->floats; i++) {
        sum += out[i] * (double)r->other[i];
    }
    free(z);
    free(out);
    return sum;
}

static void show(rig *r, const rv_view *view)
{
    const size_t bytes = r->floats * sizeof(float);
    RV_ASSERT_OK(
        rv_buffer_write(r->device, rv_spectrum_numbers(r->spectrum), 0, r->numbers, bytes));
    RV_ASSERT_OK(rv_spectrum_show(r->spectrum, r->pictures, view));
    RV_ASSERT_OK(rv_buffer_read(r->device, r->pictures, 0, r->values, bytes));
}

static void check_pictures(rig *r, const rv_view *view)
{
    double *z = calloc(r->floats, sizeof *z), *expected = calloc(r->floats, sizeof *expected);
    for (size_t i = 0; i < r->floats; i++) {
        z[i] = (double)r->numbers[i];
    }
    twin(expected, z, r->n, r->side, view);
    show(r, view);
    for (size_t i = 0; i < r->floats; i++) {
        cr_assert_float_eq((double)r->values[i], expected[i], 2e-5, "value %zu of %d pictures", i,
                           r->n);
    }
    free(z);
    free(expected);
}

/* Slopes in four directions, against differences of the twin. */
static void check_gradient(rig *r, const rv_view *view)
{
    const size_t bytes = r->floats * sizeof(float);
    float *direction = calloc(r->floats, sizeof *direction);
    show(r, view);
    RV_ASSERT_OK(rv_buffer_write(r->device, r->pictures, 0, r->other, bytes));
    RV_ASSERT_OK(rv_spectrum_backward(r->spectrum, r->pictures, view));
    RV_ASSERT_OK(rv_buffer_read(r->device, rv_spectrum_gradient(r->spectrum), 0, r->values, bytes));
    for (uint32_t k = 0; k < 4; k++) {
        double slope = 0, size = 0;
        for (size_t i = 0; i < r->floats; i++) {
            direction[i] = rv_philox_normal(8, k, (uint32_t)i);
            slope += (double)direction[i] * (double)r->values[i];
            size += pow((double)direction[i] * (double)r->values[i], 2);
        }
        const double expected =
            (twin_sum(r, direction, 1e-4, view) - twin_sum(r, direction, -1e-4, view)) / 2e-4;
        cr_assert_float_eq(slope, expected, 1e-4 * sqrt(size), "direction %u: %g, not %g", k, slope,
                           expected);
    }
    free(direction);
}

static void check(rv_form form, int block)
{
    static const struct {
        int n, side;
    } cases[] = {{1, 2}, {3, 9}, {5, 12}, {17, 7}, {33, 4}};
    const rv_view plain = RV_VIEW_PLAIN;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig r;
        open_rig(&r, form, block, cases[i].n, cases[i].side);
        check_pictures(&r, &plain);
        check_pictures(&r, &tilted);
        check_gradient(&r, &plain);
        check_gradient(&r, &tilted);
        close_rig(&r);
    }
}

Test(spectrum, pictures_and_gradients_are_those_of_the_twin)
{
    check(RV_FORM_AUTO, 0);
}

Test(spectrum, pictures_and_gradients_are_those_of_the_twin_in_blocks_of_four)
{
    check(RV_FORM_GPU, 4);
}

Test(spectrum, waves_are_orthonormal)
{
    static const int sides[] = {2, 7, 16};
    for (int i = 0; i < 3; i++) {
        const int side = sides[i];
        float a[256];
        rv_spectrum_basis(a, side);
        for (int p = 0; p < side; p++) {
            for (int q = 0; q < side; q++) {
                double sum = 0;
                for (int x = 0; x < side; x++) {
                    sum += (double)a[x * side + p] * (double)a[x * side + q];
                }
                cr_assert_float_eq(sum, p == q, 1e-6, "waves %d and %d of %d", p, q, side);
            }
        }
    }
}

/* Where the middle of the picture is seen, and how far apart its neighbours. */
Test(spectrum, views_move_turn_and_scale_within_their_limits)
{
    double most_turn = 0, most_move = 0, most_zoom = 0;
    for (uint32_t step = 0; step < 200; step++) {
        const rv_view v = rv_view_draw(33, 6, 0.1, 10, 3, step);
        const double x = (double)(v.turn[0] * 16 + v.turn[1] * 16 + v.left) - 16;
        const double y = (double)(v.turn[2] * 16 + v.turn[3] * 16 + v.top) - 16;
        const double zoom = 1 / sqrt((double)(v.turn[0] * v.turn[3] - v.turn[1] * v.turn[2]));
        most_move = fmax(most_move, fmax(fabs(x), fabs(y)));
        most_zoom = fmax(most_zoom, fabs(zoom - 1));
        most_turn = fmax(most_turn, fabs(atan2((double)v.turn[2], (double)v.turn[0])) * 180 / M_PI);
    }
    cr_assert(most_move > 5.5 && most_move < 6.001, "%g", most_move);
    cr_assert(most_zoom > 0.09 && most_zoom < 0.1001, "%g", most_zoom);
    cr_assert(most_turn > 9.5 && most_turn < 10.001, "%g", most_turn);
    const rv_view none = rv_view_draw(33, 0, 0, 0, 3, 5), plain = RV_VIEW_PLAIN;
    for (int i = 0; i < 4; i++) {
        cr_assert_float_eq(none.turn[i], plain.turn[i], 1e-7f);
    }
    cr_assert(fabsf(none.left) < 1e-5f && fabsf(none.top) < 1e-5f);
}

Test(spectrum, what_cannot_be_is_refused)
{
    rv_device *device = rv_test_device();
    rv_spectrum *s;
    RV_ASSERT_FAILS(rv_spectrum_create(&s, device, 0, 8), RV_ERR_SHAPE, "0 pictures");
    RV_ASSERT_FAILS(rv_spectrum_create(&s, device, 1 << 20, 64), RV_ERR_SHAPE, "too many");
    cr_assert_null(s);
    rv_device_close(device);
}
