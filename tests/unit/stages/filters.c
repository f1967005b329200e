/* Pictures for channels: they make them do more or less, the same each time; variants differ. */
/* SPDX-License-Identifier: MIT */
#include <reverie/filters.h>

#include "base/philox.h"
#include "small_network.h"
#include "stages/filter_batch.h"
#include "stages/likeness.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, N = 3, FLOATS = N * 3 * SIDE * SIDE };

static void no_report(void *payload, int done)
{
    *(int *)payload = done;
}

static rv_filters_options few_steps(int steps)
{
    rv_filters_options o = RV_FILTERS_OPTIONS_INIT;
    o.steps = steps;
    o.jitter = 2;
    return o;
}

static void run_batch(rv_filter_layer *layer, const rv_filter *filters, int n,
                      const rv_filters_options *o, float *pictures, double *means)
{
    int done = 0;
    RV_ASSERT_OK(rv_filter_batch_run(layer, filters, n, o, no_report, &done, pictures, means));
    cr_assert_eq(done, o->steps);
}

Test(filters, channels_do_more_or_less_the_same_each_time)
{
    static const rv_filter filters[N] = {{7, 1, 0}, {7, -1, 0}, {90, 1, 0}};
    static float pictures[FLOATS], again[FLOATS];
    rv_device *device = rv_test_device();
    rv_model *model;
    rv_filter_layer layer;
    double before[N], after[N], repeated[N], alone;
    const rv_filters_options one = few_steps(1), many = few_steps(40);
    RV_ASSERT_OK(rv_model_open(&model, "builtin", NULL));
    RV_ASSERT_OK(rv_filter_layer_open(&layer, device, model, "relu3_1", SIDE));
    cr_assert(layer.channels == 128 && layer.side == SIDE);
    run_batch(&layer, filters, N, &one, pictures, before);
    run_batch(&layer, filters, N, &many, pictures, after);
    cr_assert_gt(after[0], before[0] + 1);
    cr_assert_lt(after[1], before[1] - 1);
    cr_assert_gt(after[2], before[2] + 1);
    for (int i = 0; i < FLOATS; i++) {
        cr_assert(pictures[i] >= 0 && pictures[i] <= 1);
    }
    run_batch(&layer, filters, N, &many, again, repeated);
    cr_assert_arr_eq(pictures, again, sizeof pictures);
    cr_assert_arr_eq(after, repeated, sizeof after);
    run_batch(&layer, filters + 2, 1, &many, again, &alone);
    cr_assert_float_eq(alone, after[2], 0.02 * after[2], "%g, not %g", alone, after[2]);
    rv_filter_layer_close(&layer);
    rv_model_close(model);
    rv_device_close(device);
}

/* concat of relu(a) with 3 channels and b with 4: what drives a channel lies in front of the rectifiers. */
Test(filters, channels_are_driven_from_in_front_of_rectifiers_and_joints)
{
    rv_graph *graph;
    rv_value a, b, rectified, joint, last;
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &a, "a", rv_shape_4(1, 3, 5, 5)));
    RV_ASSERT_OK(rv_graph_input(graph, &b, "b", rv_shape_4(1, 4, 5, 5)));
    RV_ASSERT_OK(rv_graph_add(graph, &rectified, "relu", "r", &a, 1, RV_NO_ATTRS));
    const rv_value in[2] = {rectified, b};
    RV_ASSERT_OK(rv_graph_add(graph, &joint, "concat", "joint", in, 2, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_add(graph, &last, "relu", "last", &joint, 1, RV_NO_ATTRS));
    for (int i = 0; i < 7; i++) {
        int channel = i;
        cr_assert_eq(rv_filter_source(graph, last, &channel), i < 3 ? a : b, "channel %d", i);
        cr_assert_eq(channel, i < 3 ? i : i - 3);
    }
    rv_graph_destroy(graph);
}

/* --- likeness -------------------------------------------------------------------------------- */

enum { MAPS = 3, PLACES = 10, PAIR = 2 * MAPS * PLACES };

/* Weight times the cosine of the Gram matrices of two pictures. */
static double twin_likeness(const double *x, double weight)
{
    double g[2][MAPS * MAPS], product = 0, size[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < MAPS * MAPS; k++) {
            g[i][k] = 0;
            for (int p = 0; p < PLACES; p++) {
                g[i][k] +=
                    x[(i * MAPS + k / MAPS) * PLACES + p] * x[(i * MAPS + k % MAPS) * PLACES + p];
            }
            size[i] += g[i][k] * g[i][k];
        }
    }
    for (int k = 0; k < MAPS * MAPS; k++) {
        product += g[0][k] * g[1][k];
    }
    return weight * product / sqrt(size[0] * size[1]);
}

Test(filters, likeness_has_the_gradient_of_the_twin)
{
    static const rv_filter filters[2] = {{4, 1, 0}, {4, 1, 1}};
    static const double weights[2] = {3, 3};
    rv_device *device = rv_test_device();
    rv_graph *graph;
    rv_params *params;
    rv_likeness *likeness;
    rv_plan *plan;
    rv_value x, outputs[2];
    float values[PAIR], gradient[PAIR];
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &x, "x", rv_shape_4(2, MAPS, 2, PLACES / 2)));
    RV_ASSERT_OK(rv_likeness_create(&likeness, device, 2));
    RV_ASSERT_OK(rv_likeness_add(likeness, graph, x, outputs));
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = outputs, .n_outputs = 2, .gradients = &x, .n_gradients = 1};
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
    for (int i = 0; i < PAIR; i++) {
        values[i] = rv_philox_normal(5, 1, (uint32_t)i);
    }
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, x), values));
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_likeness_update(likeness, plan, filters, weights));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_gradient(plan, x), gradient));
    for (int i = 0; i < PAIR; i++) {
        double at[PAIR];
        for (int k = 0; k < PAIR; k++) {
            at[k] = (double)values[k];
        }
        at[i] += 1e-5;
        const double above = twin_likeness(at, 3);
        at[i] -= 2e-5;
        const double expected = (above - twin_likeness(at, 3)) / 2e-5;
        cr_assert_float_eq((double)gradient[i], expected, 1e-5, "value %d: %g, not %g", i,
                           (double)gradient[i], expected);
    }
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_likeness_destroy(likeness);
    rv_graph_destroy(graph);
    rv_device_close(device);
}

/* Mean absolute difference of two pictures that are driven apart and of two that are not. */
Test(filters, variants_that_are_driven_apart_are_less_alike)
{
    static const rv_filter filters[2] = {{7, 1, 0}, {7, 1, 1}};
    static float pictures[2 * 3 * SIDE * SIDE];
    rv_device *device = rv_test_device();
    rv_model *model;
    rv_filter_layer layer;
    double means[2], apart[2];
    rv_filters_options o = few_steps(30);
    o.variants = 2;
    RV_ASSERT_OK(rv_model_open(&model, "builtin", NULL));
    RV_ASSERT_OK(rv_filter_layer_open(&layer, device, model, "relu3_1", SIDE));
    for (int k = 0; k < 2; k++) {
        o.diversity = k == 0 ? 0 : 4;
        run_batch(&layer, filters, 2, &o, pictures, means);
        apart[k] = 0;
        for (int c = 0; c < 3; c++) {
            double mean[2] = {0, 0};
            for (int i = 0; i < 2 * SIDE * SIDE; i++) {
                const int p = i % (SIDE * SIDE), v = i / (SIDE * SIDE);
                mean[v] += (double)pictures[(v * 3 + c) * SIDE * SIDE + p] / (SIDE * SIDE);
            }
            apart[k] += fabs(mean[0] - mean[1]);
        }
        cr_assert(means[0] > 0 && means[1] > 0);
    }
    cr_assert_gt(apart[1], apart[0], "mean colours %g apart, without force %g", apart[1], apart[0]);
    rv_filter_layer_close(&layer);
    rv_model_close(model);
    rv_device_close(device);
}

/* --- sheets ---------------------------------------------------------------------------------- */

Test(filters, sheets_hold_a_tile_for_each_picture)
{
    static const int channels[] = {3, 250};
    rv_device *device = rv_test_device();
    rv_model *model;
    rv_image *sheet;
    double flops = 0, seconds = 0;
    rv_filters_options o = few_steps(2);
    o.size = 16;
    o.direction = RV_FILTER_BOTH;
    o.batch = 3;
    o.flops = &flops;
    o.seconds = &seconds;
    RV_ASSERT_OK(rv_model_open(&model, "builtin", NULL));
    RV_ASSERT_OK(rv_visualize_filters(&sheet, model, device, "relu4_1", channels, 2, &o));
    /* A pair in a row, in cells of 16 + 4 by 16 + 4 + 9 + 2 under two lines of title. */
    cr_assert_eq(rv_image_height(sheet), 4 + 27 + 4 + 2 * 31);
    cr_assert(flops > 0 && seconds > 0);
    rv_image_destroy(sheet);
    RV_ASSERT_FAILS(rv_visualize_filters(&sheet, model, device, "relu4_1", &(int){256}, 1, &o),
                    RV_ERR_NOT_FOUND, "no channel 256 in 'relu4_1', which has 256, from 0 to 255");
    RV_ASSERT_FAILS(rv_visualize_filters(&sheet, model, device, "relu4_9", channels, 1, &o),
                    RV_ERR_NOT_FOUND, "the nearest is 'relu4_");
    o.steps = 0;
    RV_ASSERT_FAILS(rv_visualize_filters(&sheet, model, device, "relu4_1", channels, 1, &o),
                    RV_ERR_USAGE, "steps");
    cr_assert_null(sheet);
    rv_model_close(model);
    rv_device_close(device);
}

static bool stop(void *payload)
{
    return --*(int *)payload < 0;
}

Test(filters, what_there_is_comes_out_when_it_is_cancelled)
{
    int left = 40;
    const rv_events events = {.payload = &left, .cancelled = stop};
    rv_device *device = rv_test_device();
    rv_model *model;
    rv_image *sheet;
    rv_filters_options o = few_steps(100000);
    o.size = 16;
    o.events = &events;
    RV_ASSERT_OK(rv_model_open(&model, "builtin", NULL));
    cr_assert_eq(rv_visualize_filters(&sheet, model, device, "relu1_1", NULL, 4, &o),
                 RV_ERR_CANCELLED);
    cr_assert_not_null(sheet);
    rv_image_destroy(sheet);
    rv_model_close(model);
    rv_device_close(device);
}

Test(filters, untrained_networks_are_refused)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_image *sheet;
    RV_ASSERT_FAILS(rv_visualize_filters(&sheet, model, device, "conv2", NULL, 4, NULL),
                    RV_ERR_USAGE, "take builtin");
    RV_ASSERT_FAILS(rv_visualize_kernels(&sheet, model), RV_ERR_USAGE, "take builtin");
    rv_model_close(model);
    rv_device_close(device);
}

/* What a caller of an older library does not know of is as usual: here it is the network that is refused. */
Test(filters, an_older_caller_knows_fewer_options)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_image *sheet;
    rv_filters_options o = RV_FILTERS_OPTIONS_INIT;
    o.struct_size = offsetof(rv_filters_options, steps);
    o.steps = -1;
    RV_ASSERT_FAILS(rv_visualize_filters(&sheet, model, device, "conv2", NULL, 4, &o), RV_ERR_USAGE,
                    "take builtin");
    rv_model_close(model);
    rv_device_close(device);
}

/* The largest weight of a kernel is as far from grey as can be, in its own colour. */
Test(filters, kernels_are_drawn_as_they_are)
{
    rv_model *model;
    rv_model_graph graph;
    rv_image *sheet;
    RV_ASSERT_OK(rv_model_open(&model, "builtin", NULL));
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    RV_ASSERT_OK(rv_visualize_kernels(&sheet, model));
    const rv_param *weights = NULL;
    for (int i = 0; weights == NULL; i++) {
        weights = rv_graph_param(graph.graph, i, 0);
    }
    cr_assert(weights->shape.dim[0] == 32 && weights->shape.dim[1] == 3);
    double unit = 0;
    for (int i = 0; i < 27; i++) {
        unit = fmax(unit, fabs((double)weights->data[i]));
    }
    /* Squares of 18 pixels from (4, 4 + 27 + 4) on. */
    for (int i = 0; i < 27; i++) {
        const int x = 4 + 18 * (i % 3) + 9, y = 35 + 18 * (i / 3 % 3) + 9;
        const uint8_t *p =
            (const uint8_t *)rv_image_pixels_const(sheet) + 3 * (y * rv_image_width(sheet) + x);
        cr_assert_eq(p[i / 9], lround(127.5 + 127.5 * (double)weights->data[i] / unit));
    }
    rv_image_destroy(sheet);
    rv_graph_destroy(graph.graph);
    rv_model_close(model);
}
