/* What units draw in training, by its statistics, and what stands in its place afterwards: rrelu and dropout. */
/* SPDX-License-Identifier: MIT */
#include "graph/plan.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>

enum { SIDE = 128, N = SIDE * SIDE };

static float x[N], y[2][N];

/* Two runs of one operation over N values of `value`. */
static void run(const char *op, rv_mode mode, float value)
{
    rv_device *device = rv_test_device();
    rv_graph *graph;
    rv_plan *plan;
    rv_params *params;
    rv_value in, out;
    for (int i = 0; i < N; i++) {
        x[i] = value;
    }
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &in, "x", rv_shape_4(1, 1, SIDE, SIDE)));
    RV_ASSERT_OK(rv_graph_add(graph, &out, op, op, &in, 1, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    const rv_plan_options options = {.mode = mode, .outputs = &out, .n_outputs = 1, .seed = 9};
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
    for (int i = 0; i < 2; i++) {
        RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, in), x));
        RV_ASSERT_OK(rv_plan_forward(plan));
        RV_ASSERT_OK(rv_tensor_read(device, rv_plan_tensor(plan, out), y[i]));
    }
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_graph_destroy(graph);
    rv_device_close(device);
}

static double mean_of(const float *values)
{
    double sum = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)values[i] / N;
    }
    return sum;
}

/* A slope for each unit, uniform in [1/8, 1/3], another one at each step. */
Test(draws, rrelu_draws_a_slope_for_each_unit_in_training)
{
    const double low = 1.0 / 8, high = 1.0 / 3, width = high - low;
    run("rrelu", RV_TRAIN, -1);
    double squares = 0, product = 0;
    const double mean[2] = {-mean_of(y[0]), -mean_of(y[1])};
    for (int i = 0; i < N; i++) {
        const double s = -(double)y[0][i], t = -(double)y[1][i];
        cr_assert(s >= low - 1e-7 && s <= high + 1e-7, "slope %g", s);
        squares += (s - mean[0]) * (s - mean[0]) / N;
        product += (s - mean[0]) * (t - mean[1]) / N;
    }
    /* Four deviations: of the mean width / sqrt(12 N), of the variance variance * sqrt(0.8 / N). */
    cr_assert_float_eq(mean[0], 11.0 / 48, 4 * width / sqrt(12.0 * N));
    cr_assert_float_eq(squares, width * width / 12, 4 * width * width / 12 * sqrt(0.8 / N));
    cr_assert_lt(fabs(product) / squares, 4 / sqrt(N), "steps are independent");
    run("rrelu", RV_TRAIN, 2);
    cr_assert_eq(y[0][N - 1], 2, "what is above 0 stays");
}

Test(draws, rrelu_takes_the_mean_slope_afterwards)
{
    run("rrelu", RV_INFER, -1);
    for (int i = 0; i < N; i++) {
        cr_assert_float_eq(y[0][i], -11.0 / 48, 1e-7);
    }
    cr_assert_arr_eq(y[0], y[1], sizeof y[0]);
}

/* Half of the values, twice as large: the mean stays. */
Test(draws, dropout_keeps_the_mean_in_training_and_every_value_afterwards)
{
    run("dropout", RV_TRAIN, 3);
    int kept[2] = {0, 0}, both = 0;
    for (int i = 0; i < N; i++) {
        cr_assert(y[0][i] == 0 || y[0][i] == 6);
        kept[0] += y[0][i] > 0;
        kept[1] += y[1][i] > 0;
        both += y[0][i] > 0 && y[1][i] > 0;
    }
    cr_assert_float_eq(kept[0], N / 2, 2 * sqrt(N), "%d kept", kept[0]);
    cr_assert_float_eq(both, N / 4, 4 * sqrt(N * 3.0 / 16), "steps are independent: %d", both);
    run("dropout", RV_INFER, 3);
    cr_assert_arr_eq(y[0], x, sizeof x);
}
