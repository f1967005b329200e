/* What Adam hands on from one descent to the next. */
/* SPDX-License-Identifier: MIT */
#include "stages/descent.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>

enum { SIDE = 4, VALUES = 3 * SIDE * SIDE };

/* One step of Adam from 0.5 everywhere, of a loss that is drawn to `target`. */
static void step(float pixels[VALUES], rv_adam_memory *memory, float target)
{
    rv_device *device = rv_test_device();
    const rv_shape shape = rv_shape_4(1, 3, SIDE, SIDE);
    float targets[VALUES];
    rv_graph *graph;
    rv_value in[2], loss;
    rv_plan *plan;
    double value;
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &in[0], "picture", shape));
    RV_ASSERT_OK(rv_graph_input(graph, &in[1], "target", shape));
    RV_ASSERT_OK(rv_graph_add(graph, &loss, "mse_loss", "loss", in, 2, RV_NO_ATTRS));
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = &loss, .n_outputs = 1, .gradients = in, .n_gradients = 1};
    RV_ASSERT_OK(rv_plan_create(&plan, graph, NULL, device, &options));
    for (int i = 0; i < VALUES; i++) {
        pixels[i] = 0.5f;
        targets[i] = target;
    }
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, in[1]), targets));
    const rv_descent descent = {.device = device,
                                .plan = plan,
                                .picture = in[0],
                                .optimizer = RV_OPTIMIZER_ADAM,
                                .learning_rate = 0.02,
                                .iterations = 1,
                                .memory = memory};
    RV_ASSERT_OK(rv_descend(&descent, pixels, &value));
    rv_plan_destroy(plan);
    rv_graph_destroy(graph);
    rv_device_close(device);
}

/* Without a slope: 0.9 m / (sqrt(0.99 v / (1 - 0.99^101))), m / (1 - 0.9^101) being m. */
Test(descent, adam_goes_on_with_the_moments_it_is_given)
{
    float pixels[VALUES], m[VALUES], v[VALUES];
    rv_adam_memory memory = {.steps = 100, .m = m, .v = v};
    for (int i = 0; i < VALUES; i++) {
        m[i] = (float)(i % 3 - 1);
        v[i] = 1;
    }
    step(pixels, &memory, 0.5f);
    const double length = 0.02 * 0.9 / sqrt(0.99 / (1 - pow(0.99, 101)));
    cr_assert_float_eq(memory.steps, 101, 1e-12);
    for (int i = 0; i < VALUES; i++) {
        cr_assert_float_eq(pixels[i], 0.5 - length * (i % 3 - 1), 1e-5);
        cr_assert_float_eq(m[i], 0.9 * (i % 3 - 1), 1e-6);
        cr_assert_float_eq(v[i], 0.99, 1e-6);
    }
}

/* The slope is 2 (0.5 - 0.25) / 48. */
Test(descent, adam_leaves_its_moments)
{
    float pixels[VALUES], m[VALUES] = {0}, v[VALUES] = {0};
    rv_adam_memory memory = {.m = m, .v = v};
    const double slope = 0.5 / VALUES;
    step(pixels, &memory, 0.25f);
    cr_assert_float_eq(memory.steps, 1, 1e-12);
    for (int i = 0; i < VALUES; i++) {
        cr_assert_float_eq(m[i], 0.1 * slope, 1e-6 * slope);
        cr_assert_float_eq(v[i], 0.01 * slope * slope, 1e-5 * slope * slope);
    }
}
