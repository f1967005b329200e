/* Arithmetic on device vectors against double precision, at sizes around those of blocks and parts. */
/* SPDX-License-Identifier: MIT */
#include "optim/vector.h"
#include "base/philox.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdlib.h>

static const size_t sizes[] = {1, 3, 31, 64, 65, 1000, 4097, 300001};
enum { SIZES = sizeof sizes / sizeof sizes[0], FORMS = 2 };

typedef struct vectors {
    rv_device *device;
    rv_vectors *v;
    size_t n;
    float *x, *y; /* what was put into the buffers */
    rv_buffer *bx, *by;
} vectors;

static float number(uint32_t stream, size_t i)
{
    return 2.0f * rv_philox_uniform(11, stream, (uint32_t)i) - 1.0f;
}

static void put(vectors *t)
{
    for (size_t i = 0; i < t->n; i++) {
        t->x[i] = number(1, i);
        t->y[i] = number(2, i);
    }
    RV_ASSERT_OK(rv_buffer_write(t->device, t->bx, 0, t->x, t->n * sizeof(float)));
    RV_ASSERT_OK(rv_buffer_write(t->device, t->by, 0, t->y, t->n * sizeof(float)));
}

static void open_vectors(vectors *t, rv_device *device, size_t n)
{
    *t = (vectors){.device = device, .n = n};
    t->x = malloc(n * sizeof(float));
    t->y = malloc(n * sizeof(float));
    RV_ASSERT_OK(rv_vectors_create(&t->v, device, n));
    RV_ASSERT_OK(rv_buffer_create(&t->bx, device, n * sizeof(float)));
    RV_ASSERT_OK(rv_buffer_create(&t->by, device, n * sizeof(float)));
    put(t);
}

static void close_vectors(vectors *t)
{
    rv_buffer_destroy(t->bx);
    rv_buffer_destroy(t->by);
    rv_vectors_destroy(t->v);
    free(t->x);
    free(t->y);
}

static float slot(vectors *t, int i)
{
    float value;
    RV_ASSERT_OK(rv_vectors_read(t->v, &value, i, 1));
    return value;
}

/* Runs `body` for every size in both forms. */
static void everywhere(void (*body)(vectors *t))
{
    const rv_form forms[FORMS] = {RV_FORM_CPU, RV_FORM_GPU};
    for (int f = 0; f < FORMS; f++) {
        rv_device *device;
        RV_ASSERT_OK(rv_test_device_open(&device, forms[f], f == 0 ? 0 : 4));
        for (int i = 0; i < SIZES; i++) {
            vectors t;
            open_vectors(&t, device, sizes[i]);
            body(&t);
            close_vectors(&t);
        }
        rv_device_close(device);
    }
}

static void check_sums(vectors *t)
{
    double dot = 0, sum = 0, max = 0, size = 0;
    for (size_t i = 0; i < t->n; i++) {
        const double a = (double)t->x[i], b = (double)t->y[i];
        dot += a * b;
        size += fabs(a * b);
        sum += fabs(a);
        max = fmax(max, fabs(a));
    }
    RV_ASSERT_OK(rv_vectors_dot(t->v, 5, t->bx, t->by));
    RV_ASSERT_OK(rv_vectors_abs_sum(t->v, 6, t->bx));
    RV_ASSERT_OK(rv_vectors_abs_max(t->v, 127, t->bx));
    cr_assert_float_eq(slot(t, 5), dot, 1e-5 * size, "dot of %zu: %g, not %g", t->n,
                       (double)slot(t, 5), dot);
    cr_assert_float_eq(slot(t, 6), sum, 1e-5 * sum, "|.|_1 of %zu: %g, not %g", t->n,
                       (double)slot(t, 6), sum);
    cr_assert_eq(slot(t, 127), (float)max, "|.|_max of %zu", t->n);
    const float first = slot(t, 5);
    RV_ASSERT_OK(rv_vectors_dot(t->v, 5, t->bx, t->by));
    cr_assert_eq(slot(t, 5), first, "two runs differ");
}

Test(vector, sums_agree_with_double_precision)
{
    everywhere(check_sums);
}

/* Each of y is a x + b y, in a row of calls with what they must leave in y. */
static void is(vectors *t, double a, double b, const char *what)
{
    float *got = malloc(t->n * sizeof *got);
    RV_ASSERT_OK(rv_buffer_read(t->device, t->by, 0, got, t->n * sizeof *got));
    for (size_t i = 0; i < t->n; i++) {
        const double want = a * (double)t->x[i] + (b != 0 ? b * (double)t->y[i] : 0);
        cr_assert_float_eq(got[i], want, 1e-6, "%s: value %zu of %zu is %g, not %g", what, i, t->n,
                           (double)got[i], want);
    }
    free(got);
}

static void check_combinations(vectors *t)
{
    RV_ASSERT_OK(rv_vectors_axpby(t->v, t->by, 0.5f, t->bx, -2.0f));
    is(t, 0.5, -2, "a x + b y");
    put(t);
    RV_ASSERT_OK(rv_buffer_fill(t->device, t->by, 0, t->n * sizeof(float), NAN));
    RV_ASSERT_OK(rv_vectors_axpby(t->v, t->by, 0.5f, t->bx, 0.0f));
    is(t, 0.5, 0, "b = 0 does not read y");
    /* Slots: s1 = |x|_max, s2 = s1 / s1 = 1, s3 = x . y * s1. */
    put(t);
    RV_ASSERT_OK(rv_vectors_abs_max(t->v, 1, t->bx));
    RV_ASSERT_OK(rv_vectors_slot_divide(t->v, 2, 1, 1));
    RV_ASSERT_OK(rv_vectors_dot(t->v, 4, t->bx, t->by));
    RV_ASSERT_OK(rv_vectors_dot_times(t->v, 3, 1, t->bx, t->by));
    const double s1 = (double)slot(t, 1);
    cr_assert_eq(slot(t, 2), 1.0f);
    cr_assert_eq(slot(t, 3), slot(t, 4) * slot(t, 1));
    RV_ASSERT_OK(rv_vectors_axpy_slot(t->v, t->by, -0.5f, 2, 1, t->bx));
    is(t, -0.5 * (1 - s1), 1, "y += factor (s_i - s_j) x");
    put(t);
    RV_ASSERT_OK(rv_vectors_axpy_slot(t->v, t->by, 2.0f, 1, -1, t->bx));
    is(t, 2 * s1, 1, "y += factor s_i x");
}

/* y = s1 (y - 0.5 (s2 - s1) x) and a product with z, which is x. */
static void check_sum_and_product(vectors *t)
{
    RV_ASSERT_OK(rv_vectors_abs_max(t->v, 1, t->bx));
    RV_ASSERT_OK(rv_vectors_slot_divide(t->v, 2, 1, 1));
    const double s1 = (double)slot(t, 1);
    rv_vectors_sum sum = {.x = t->bx, .i = 2, .j = 1, .scale = 1, .factor = -0.5f};
    RV_ASSERT_OK(rv_vectors_axpy_dot(t->v, t->by, &sum, 3, 1, t->bx));
    is(t, -0.5 * s1 * (1 - s1), s1, "y = s_k (y + factor (s_i - s_j) x)");
    RV_ASSERT_OK(rv_vectors_dot_times(t->v, 4, 1, t->by, t->bx));
    cr_assert_eq(slot(t, 3), slot(t, 4), "%zu: the product of a sum differs from one alone", t->n);
    put(t);
    sum.j = sum.scale = -1;
    RV_ASSERT_OK(rv_vectors_axpy_dot(t->v, t->by, &sum, 3, 1, t->bx));
    is(t, -0.5, 1, "y += factor s_i x");
}

Test(vector, a_sum_and_the_product_after_it_are_those_of_two_launches)
{
    everywhere(check_sum_and_product);
}

Test(vector, combinations_agree_with_double_precision)
{
    everywhere(check_combinations);
}

Test(vector, division_by_a_slot_of_zero_gives_zero)
{
    rv_device *device = rv_test_device();
    vectors t;
    open_vectors(&t, device, 8);
    RV_ASSERT_OK(rv_vectors_abs_max(t.v, 1, t.bx));
    RV_ASSERT_OK(rv_buffer_fill(device, t.bx, 0, 8 * sizeof(float), 0.0f));
    RV_ASSERT_OK(rv_vectors_abs_max(t.v, 2, t.bx));
    RV_ASSERT_OK(rv_vectors_slot_divide(t.v, 3, 1, 2));
    cr_assert_eq(slot(&t, 3), 0.0f);
    close_vectors(&t);
    rv_device_close(device);
}

Test(vector, an_empty_vector_is_refused)
{
    rv_device *device = rv_test_device();
    rv_vectors *v;
    RV_ASSERT_FAILS(rv_vectors_create(&v, device, 0), RV_ERR_SHAPE, "0 values");
    rv_device_close(device);
}

Test(vector, a_nan_shows_in_every_sum)
{
    rv_device *device = rv_test_device();
    vectors t;
    open_vectors(&t, device, 1000);
    t.x[777] = NAN;
    RV_ASSERT_OK(rv_buffer_write(device, t.bx, 0, t.x, t.n * sizeof(float)));
    RV_ASSERT_OK(rv_vectors_dot(t.v, 1, t.bx, t.by));
    RV_ASSERT_OK(rv_vectors_abs_sum(t.v, 2, t.bx));
    cr_assert(isnan(slot(&t, 1)) && isnan(slot(&t, 2)));
    close_vectors(&t);
    rv_device_close(device);
}
