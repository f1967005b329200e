/* Adam against its formulas in double, step by step; and the average of iterates. */
/* SPDX-License-Identifier: MIT */
#include "optim/optim.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>

enum { N = 37, STEPS = 30 };

static rv_device *device;
static rv_buffer *x, *g;

static void open_device(void)
{
    device = rv_test_device();
    RV_ASSERT_OK(rv_buffer_create(&x, device, N * sizeof(float)));
    RV_ASSERT_OK(rv_buffer_create(&g, device, N * sizeof(float)));
}

static void close_device(void)
{
    rv_buffer_destroy(x);
    rv_buffer_destroy(g);
    rv_device_close(device);
}

TestSuite(adam, .init = open_device, .fini = close_device);
TestSuite(average, .init = open_device, .fini = close_device);

static void read_x(float *out)
{
    RV_ASSERT_OK(rv_buffer_read(device, x, 0, out, N * sizeof(float)));
}

static void write_to(rv_buffer *buffer, const float *values)
{
    RV_ASSERT_OK(rv_buffer_write(device, buffer, 0, values, N * sizeof(float)));
}

/* Bias-corrected first and second steps worked out by hand, for learning rate 0.1, gradients 1 then
 * -3: m = 0.1, v = 0.001, so the first step is 0.1 * 1 / (1 + 1e-8);
 * m = 0.9 * 0.1 - 0.3 = -0.21, v = 0.000999 + 0.009 = 0.009999, corrected by 1 / 0.19 and
 * 1 / 0.001999: -1.1052632 / 2.2365188 = -0.49418912. */
Test(adam, two_steps_are_as_worked_out_by_hand)
{
    const rv_adam_options options = {
        .learning_rate = 0.1f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f};
    rv_adam *adam;
    float values[N];
    RV_ASSERT_OK(rv_adam_create(&adam, device, N, &options));
    RV_ASSERT_OK(rv_buffer_fill(device, x, 0, N * sizeof(float), 5.0f));
    RV_ASSERT_OK(rv_buffer_fill(device, g, 0, N * sizeof(float), 1.0f));
    RV_ASSERT_OK(rv_adam_step(adam, x, g));
    read_x(values);
    cr_assert_float_eq(values[0], 4.9, 1e-6);
    RV_ASSERT_OK(rv_buffer_fill(device, g, 0, N * sizeof(float), -3.0f));
    RV_ASSERT_OK(rv_adam_step(adam, x, g));
    read_x(values);
    cr_assert_float_eq(values[0], 4.9 + 0.049418912, 2e-6);
    cr_assert_float_eq(values[N - 1], 4.9 + 0.049418912, 2e-6);
    rv_adam_destroy(adam);
}

/* The gradient of sum a_i (x_i - c_i)^2 / 2 at what the device holds. */
static float slope_at(float v, int i)
{
    return (0.1f + (float)i) * (v - 0.02f * (float)i);
}

/* x in double, moved by the gradients that the device saw. */
static void follow(const rv_adam_options *o, bool boxed)
{
    rv_adam *adam;
    double m[N] = {0}, v[N] = {0}, expected[N];
    float values[N], slopes[N];
    for (int i = 0; i < N; i++) {
        expected[i] = 0.5;
        values[i] = 0.5f;
    }
    write_to(x, values);
    RV_ASSERT_OK(rv_adam_create(&adam, device, N, o));
    for (int t = 1; t <= STEPS; t++) {
        read_x(values);
        for (int i = 0; i < N; i++) {
            slopes[i] = slope_at(values[i], i);
            const double s = (double)slopes[i], b1 = (double)o->beta1, b2 = (double)o->beta2;
            m[i] = b1 * m[i] + (1 - b1) * s;
            v[i] = b2 * v[i] + (1 - b2) * s * s;
            expected[i] -= (double)o->learning_rate * (m[i] / (1 - pow(b1, t))) /
                           (sqrt(v[i] / (1 - pow(b2, t))) + (double)o->epsilon);
            if (boxed) {
                expected[i] = fmin(fmax(expected[i], (double)o->low), (double)o->high);
            }
        }
        write_to(g, slopes);
        RV_ASSERT_OK(rv_adam_step(adam, x, g));
    }
    read_x(values);
    for (int i = 0; i < N; i++) {
        cr_assert_float_eq(values[i], expected[i], 2e-5, "value %d is %g, not %g", i,
                           (double)values[i], expected[i]);
    }
    rv_adam_destroy(adam);
}

Test(adam, a_trajectory_agrees_with_double_precision)
{
    follow(
        &(rv_adam_options){
            .learning_rate = 0.02f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f},
        false);
    follow(
        &(rv_adam_options){.learning_rate = 0.05f, .beta1 = 0.5f, .beta2 = 0.9f, .epsilon = 1e-3f},
        false);
}

Test(adam, the_box_holds_after_every_step)
{
    follow(&(rv_adam_options){.learning_rate = 0.05f,
                              .beta1 = 0.9f,
                              .beta2 = 0.999f,
                              .epsilon = 1e-8f,
                              .low = 0.2f,
                              .high = 0.45f},
           true);
    float values[N];
    read_x(values);
    int at_low = 0, at_high = 0;
    for (int i = 0; i < N; i++) {
        cr_assert(values[i] >= 0.2f && values[i] <= 0.45f);
        at_low += values[i] == 0.2f;
        at_high += values[i] == 0.45f;
    }
    cr_assert_gt(at_low, 0);
    cr_assert_gt(at_high, 0);
}

Test(adam, an_empty_vector_is_refused)
{
    rv_adam *adam;
    RV_ASSERT_FAILS(rv_adam_create(&adam, device, 0, &(rv_adam_options){0}), RV_ERR_SHAPE, "0");
}

Test(average, starts_without_bias_and_decays)
{
    rv_average *average;
    const double decay = 0.75;
    double sum = 0, weight = 0;
    float values[N];
    RV_ASSERT_OK(rv_average_create(&average, device, N, (float)decay));
    RV_ASSERT_FAILS(rv_average_read(average, g), RV_ERR_INTERNAL, "average of nothing");
    for (int t = 0; t < 6; t++) {
        const float at = (float)(t * t) - 3.0f;
        RV_ASSERT_OK(rv_buffer_fill(device, x, 0, N * sizeof(float), at));
        RV_ASSERT_OK(rv_average_update(average, x));
        sum = decay * sum + (1 - decay) * (double)at;
        weight = decay * weight + (1 - decay);
        RV_ASSERT_OK(rv_average_read(average, g));
        RV_ASSERT_OK(rv_buffer_read(device, g, 0, values, sizeof values));
        cr_assert_float_eq(values[0], sum / weight, 1e-5, "after %d: %g, not %g", t + 1,
                           (double)values[0], sum / weight);
        cr_assert_eq(values[N - 1], values[0]);
    }
    rv_average_destroy(average);
}

Test(average, of_one_iterate_is_that_iterate)
{
    rv_average *average;
    float values[N];
    RV_ASSERT_OK(rv_average_create(&average, device, N, 0.99f));
    RV_ASSERT_OK(rv_buffer_fill(device, x, 0, N * sizeof(float), 0.625f));
    RV_ASSERT_OK(rv_average_update(average, x));
    RV_ASSERT_OK(rv_average_read(average, g));
    RV_ASSERT_OK(rv_buffer_read(device, g, 0, values, sizeof values));
    cr_assert_float_eq(values[3], 0.625, 1e-6);
    rv_average_destroy(average);
}
