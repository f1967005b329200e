/* Optimisers over weights against their formulas in double, step by step; clipping, penalties, averages, freezing. */
/* SPDX-License-Identifier: MIT */
#include "optim/update.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 25, INPUTS = 50, OUTPUTS = 7 };

static rv_device *device;
static rv_graph *graph;
static rv_params *params;
static size_t n; /* floats of the arena */
static float *x, *g;

/* dense (weight 7x50, bias 7) -> batch_norm (weight, bias, mean, variance of 7) */
static void build_on(rv_form form)
{
    RV_ASSERT_OK(rv_test_device_open(&device, form, 0));
    rv_value v;
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &v, "x", rv_shape_2(2, INPUTS)));
    RV_ASSERT_OK(
        rv_graph_add(graph, &v, "dense", "a", &v, 1, RV_ATTRS(RV_SET_INT("num_output", OUTPUTS))));
    RV_ASSERT_OK(
        rv_graph_add(graph, &v, "batch_norm", "b", &v, 1, RV_ATTRS(RV_SET_INT("affine", 1))));
    RV_ASSERT_OK(rv_graph_initialize(graph, 3));
    RV_ASSERT_OK(rv_params_create(&params, device, graph, true));
    n = rv_params_floats(params);
    x = calloc(n, sizeof *x);
    g = calloc(n, sizeof *g);
    cr_assert(x != NULL && g != NULL);
}

static void build(void)
{
    build_on(RV_FORM_AUTO);
}

static void build_gpu(void)
{
    build_on(RV_FORM_GPU);
}

static void destroy(void)
{
    free(x);
    free(g);
    rv_params_destroy(params);
    rv_graph_destroy(graph);
    rv_device_close(device);
}

TestSuite(update, .init = build, .fini = destroy);
TestSuite(update_gpu, .init = build_gpu, .fini = destroy);

static void read_x(void)
{
    RV_ASSERT_OK(rv_buffer_read(device, rv_params_values(params), 0, x, n * sizeof *x));
}

static void write_g(void)
{
    RV_ASSERT_OK(rv_buffer_write(device, rv_params_gradients(params), 0, g, n * sizeof *g));
}

/* The gradient of sum a_i (x_i - c_i)^2 / 2 at what the device holds. */
static void slopes(void)
{
    read_x();
    size_t n_segments;
    const rv_segment *s = rv_params_segments(params, &n_segments);
    memset(g, 0, n * sizeof *g);
    for (size_t k = 0; k < n_segments; k++) {
        for (size_t i = s[k].offset; i < s[k].offset + s[k].count; i++) {
            g[i] = (0.1f + 0.02f * (float)(i % 97)) * (x[i] - 0.05f * (float)(i % 31));
        }
    }
    write_g();
}

/* One value in double, by the formulas of update.h. */
typedef struct value {
    double x, first, second;
} value;

static void step_in_double(value *v, const rv_update_options *o, double slope, double r, int t,
                           bool penalized)
{
    const double mu = (double)o->momentum, d = (double)o->decay, e = (double)o->epsilon;
    const double l2 = penalized ? (double)o->l2 : 0, l1 = penalized ? (double)o->l1 : 0;
    const double old = v->x;
    slope += l1 * (v->x > 0 ? 1 : v->x < 0 ? -1 : 0);
    slope += o->method == RV_METHOD_ADAMW ? 0 : l2 * v->x;
    switch (o->method) {
    case RV_METHOD_SGD:
        v->x -= r * slope;
        break;
    case RV_METHOD_MOMENTUM:
        v->first = mu * v->first + r * slope;
        v->x -= v->first;
        break;
    case RV_METHOD_NESTEROV:
        v->first = mu * v->first + r * slope;
        v->x -= mu * v->first + r * slope;
        break;
    case RV_METHOD_ADAGRAD:
        v->first += slope * slope;
        v->x -= r * slope / (sqrt(v->first) + e);
        break;
    case RV_METHOD_RMSPROP:
        v->first = d * v->first + (1 - d) * slope * slope;
        v->x -= r * slope / (sqrt(v->first) + e);
        break;
    default:
        v->first = mu * v->first + (1 - mu) * slope;
        v->second = d * v->second + (1 - d) * slope * slope;
        v->x -= r * (v->first / (1 - pow(mu, t))) / (sqrt(v->second / (1 - pow(d, t))) + e);
        v->x -= o->method == RV_METHOD_ADAMW ? r * l2 * old : 0;
    }
}

/* All weights of all segments but the state's, moved by the gradients that the device saw. */
static void follow(const rv_update_options *o, double rate)
{
    rv_update *update;
    size_t n_segments;
    const rv_segment *s = rv_params_segments(params, &n_segments);
    value *values = calloc(n, sizeof *values);
    RV_ASSERT_OK(rv_update_create(&update, device, params, o));
    read_x();
    for (size_t i = 0; i < n; i++) {
        values[i].x = (double)x[i];
    }
    for (int t = 1; t <= STEPS; t++) {
        slopes();
        const double r = rate / t; /* as a schedule has it */
        for (size_t k = 0; k < n_segments; k++) {
            const bool weight = o->penalize_all || (s[k].node == 0 && s[k].index == 0);
            for (size_t i = s[k].offset; !s[k].state && i < s[k].offset + s[k].count; i++) {
                step_in_double(&values[i], o, 0.5 * (double)g[i], r, t, weight);
            }
        }
        RV_ASSERT_OK(rv_update_step(update, (float)r, 0.5f));
    }
    read_x();
    for (size_t i = 0; i < n; i++) {
        cr_assert_float_eq(x[i], values[i].x, 2e-5, "%s, value %zu is %g, not %g",
                           rv_method_name((int)o->method), i, (double)x[i], values[i].x);
    }
    free(values);
    rv_update_destroy(update);
}

Test(update, each_method_follows_its_formula)
{
    for (int m = 0; m < RV_METHODS; m++) {
        const rv_update_options options = rv_update_defaults((rv_method)m);
        follow(&options, 0.05);
    }
}

Test(update, penalties_are_added_to_weights_only_unless_told_otherwise)
{
    for (int m = 0; m < RV_METHODS; m++) {
        rv_update_options options = rv_update_defaults((rv_method)m);
        options.l1 = 0.01f;
        options.l2 = 0.1f;
        /* Where gradient and penalty cancel, a smaller one would make a step of the rounding. */
        options.epsilon = 1e-2f;
        follow(&options, 0.05);
        options.penalize_all = true;
        follow(&options, 0.05);
    }
}

/* Two steps with learning rate 0.1 and gradients 1, then -3, from 5. Momentum 0.9: v = 0.1, x = 4.9; v = 0.09 - 0.3,
 * x = 5.11. Nesterov: x = 5 - 0.09 - 0.1 = 4.81; v = -0.21, x = 4.81 + 0.189 + 0.3 = 5.299. AdaGrad: x = 4.9;
 * s = 10, x = 4.9 + 0.3 / sqrt(10). RMSProp: s = 0.1, x = 5 - 0.1 / sqrt(0.1); s = 0.99, x + 0.3 / sqrt(0.99).
 * Adam: see adam.c. */
Test(update, two_steps_are_as_worked_out_by_hand)
{
    const double expected[RV_METHODS] = {5.2,
                                         5.11,
                                         5.299,
                                         4.9 + 0.3 / sqrt(10),
                                         5 - 0.1 / sqrt(0.1) + 0.3 / sqrt(0.99),
                                         4.949418912,
                                         4.949418912};
    for (int m = 0; m < RV_METHODS; m++) {
        const rv_update_options options = rv_update_defaults((rv_method)m);
        rv_update *update;
        rv_buffer *values = rv_params_values(params), *gradients = rv_params_gradients(params);
        RV_ASSERT_OK(rv_update_create(&update, device, params, &options));
        RV_ASSERT_OK(rv_buffer_fill(device, values, 0, n * sizeof *x, 5.0f));
        RV_ASSERT_OK(rv_buffer_fill(device, gradients, 0, n * sizeof *x, 1.0f));
        RV_ASSERT_OK(rv_update_step(update, 0.1f, 1.0f));
        RV_ASSERT_OK(rv_buffer_fill(device, gradients, 0, n * sizeof *x, -3.0f));
        RV_ASSERT_OK(rv_update_step(update, 0.1f, 1.0f));
        read_x();
        cr_assert_float_eq(x[3], expected[m], 2e-6, "%s: %.7f", rv_method_name(m), (double)x[3]);
        rv_update_destroy(update);
    }
}

/* Norm of the gradient over all that is moved, from the host. */
static double norm_of_g(bool without_first)
{
    size_t n_segments;
    const rv_segment *s = rv_params_segments(params, &n_segments);
    double sum = 0;
    for (size_t k = without_first ? 1 : 0; k < n_segments; k++) {
        for (size_t i = s[k].offset; !s[k].state && i < s[k].offset + s[k].count; i++) {
            sum += (double)g[i] * (double)g[i];
        }
    }
    return sqrt(sum);
}

static void check_clipping_by_norm(void)
{
    for (int big = 0; big < 2; big++) {
        rv_update_options options = rv_update_defaults(RV_METHOD_SGD);
        rv_update *update;
        double norm;
        slopes();
        const double expected = 0.25 * norm_of_g(false);
        options.clip_norm = (float)(big != 0 ? expected / 3 : expected * 3);
        const double factor = big != 0 ? 0.25 / 3 : 0.25;
        RV_ASSERT_OK(rv_update_create(&update, device, params, &options));
        RV_ASSERT_OK(rv_update_norm(update, 0.25f, &norm));
        cr_assert_float_eq(norm, expected, 1e-5 * expected);
        const float before = x[10];
        RV_ASSERT_OK(rv_update_step(update, 1.0f, 0.25f));
        read_x();
        cr_assert_float_eq(before - x[10], factor * (double)g[10], 1e-5);
        rv_update_destroy(update);
    }
}

Test(update, clipping_by_norm_scales_the_whole_gradient_down_but_never_up)
{
    check_clipping_by_norm();
}

Test(update_gpu, the_form_for_gpus_moves_and_clips_alike)
{
    check_clipping_by_norm();
    for (int m = 0; m < RV_METHODS; m++) {
        const rv_update_options options = rv_update_defaults((rv_method)m);
        follow(&options, 0.05);
    }
}

Test(update, clipping_by_value_bounds_each_value)
{
    rv_update_options options = rv_update_defaults(RV_METHOD_SGD);
    rv_update *update;
    options.clip_value = 0.125f;
    RV_ASSERT_OK(rv_update_create(&update, device, params, &options));
    read_x();
    for (size_t i = 0; i < n; i++) {
        g[i] = (float)((int)(i % 9) - 4) * 0.0625f;
    }
    write_g();
    float *before = malloc(n * sizeof *before);
    memcpy(before, x, n * sizeof *x);
    RV_ASSERT_OK(rv_update_step(update, 1.0f, 1.0f));
    read_x();
    for (size_t i = 0; i < INPUTS * OUTPUTS; i++) {
        const double step = fmax(-0.125, fmin(0.125, (double)g[i]));
        cr_assert_float_eq(before[i] - x[i], step, 1e-6);
    }
    free(before);
    rv_update_destroy(update);
}

Test(update, a_frozen_segment_stays_and_does_not_count_in_the_norm)
{
    const rv_update_options options = rv_update_defaults(RV_METHOD_MOMENTUM);
    rv_update *update;
    double norm;
    size_t n_segments;
    const rv_segment *s = rv_params_segments(params, &n_segments);
    RV_ASSERT_OK(rv_update_create(&update, device, params, &options));
    RV_ASSERT_OK(rv_update_set_rate(update, 0, 0.0f));
    RV_ASSERT_OK(rv_update_set_rate(update, 1, 2.0f));
    slopes();
    g[0] = NAN; /* nobody computed it */
    write_g();
    float *before = malloc(n * sizeof *before);
    memcpy(before, x, n * sizeof *x);
    RV_ASSERT_OK(rv_update_norm(update, 1.0f, &norm));
    cr_assert_float_eq(norm, norm_of_g(true), 1e-5 * norm);
    RV_ASSERT_OK(rv_update_step(update, 0.5f, 1.0f));
    read_x();
    for (size_t k = 0; k < n_segments; k++) {
        const double rate = k == 0 || s[k].state ? 0 : k == 1 ? 1 : 0.5;
        for (size_t i = s[k].offset; i < s[k].offset + s[k].count; i++) {
            const double slope = rate > 0 ? (double)g[i] : 0;
            cr_assert_float_eq(before[i] - x[i], rate * slope, 1e-6, "segment %zu", k);
        }
    }
    free(before);
    rv_update_destroy(update);
}

Test(update, the_average_follows_weights_and_statistics_and_can_be_swapped_in)
{
    rv_update_options options = rv_update_defaults(RV_METHOD_SGD);
    rv_update *update;
    options.average = 0.75f;
    RV_ASSERT_OK(rv_update_create(&update, device, params, &options));
    RV_ASSERT_FAILS(rv_update_swap_average(update), RV_ERR_INTERNAL, "no average");
    double *sum = calloc(n, sizeof *sum), weight = 0;
    for (int t = 0; t < 6; t++) {
        slopes();
        RV_ASSERT_OK(rv_update_step(update, 0.3f, 1.0f));
        read_x();
        weight = 0.75 * weight + 0.25;
        for (size_t i = 0; i < n; i++) {
            sum[i] = 0.75 * sum[i] + 0.25 * (double)x[i];
        }
    }
    float *last = malloc(n * sizeof *last);
    memcpy(last, x, n * sizeof *x);
    RV_ASSERT_OK(rv_update_swap_average(update));
    read_x();
    for (size_t i = 0; i < n; i++) {
        cr_assert_float_eq(x[i], sum[i] / weight, 1e-5);
    }
    RV_ASSERT_OK(rv_update_swap_average(update));
    read_x();
    cr_assert_arr_eq(x, last, n * sizeof *x);
    free(sum);
    free(last);
    rv_update_destroy(update);
}

/* What a checkpoint keeps is all there is: with it, another optimiser goes on to the same bytes. */
Test(update, another_optimiser_goes_on_from_its_state)
{
    for (int m = 0; m < RV_METHODS; m++) {
        rv_update_options options = rv_update_defaults((rv_method)m);
        rv_update *a, *b;
        options.average = 0.9f;
        RV_ASSERT_OK(rv_update_create(&a, device, params, &options));
        RV_ASSERT_OK(rv_update_create(&b, device, params, &options));
        slopes();
        RV_ASSERT_OK(rv_update_step(a, 0.01f, 1.0f));
        const rv_update_state from = rv_update_get_state(a), to = rv_update_get_state(b);
        cr_assert_eq(from.n, to.n);
        cr_assert_eq(from.steps, 1);
        for (int i = 0; i < from.n; i++) {
            cr_assert_str_eq(from.name[i], to.name[i]);
            RV_ASSERT_OK(
                rv_buffer_copy(device, to.array[i], 0, from.array[i], 0, n * sizeof(float)));
        }
        rv_update_set_steps(b, from.steps);
        slopes();
        float *start = malloc(n * sizeof *start), *result = malloc(n * sizeof *result);
        memcpy(start, x, n * sizeof *x);
        RV_ASSERT_OK(rv_update_step(a, 0.01f, 1.0f));
        read_x();
        memcpy(result, x, n * sizeof *x);
        RV_ASSERT_OK(rv_buffer_write(device, rv_params_values(params), 0, start, n * sizeof *x));
        RV_ASSERT_OK(rv_update_step(b, 0.01f, 1.0f));
        read_x();
        cr_assert_arr_eq(x, result, n * sizeof *x, "%s", rv_method_name(m));
        free(start);
        free(result);
        rv_update_destroy(a);
        rv_update_destroy(b);
    }
}

Test(update, plans_pack_anew_after_a_step)
{
    const rv_update_options options = rv_update_defaults(RV_METHOD_SGD);
    rv_update *update;
    RV_ASSERT_OK(rv_update_create(&update, device, params, &options));
    const uint64_t version = rv_params_version(params);
    RV_ASSERT_OK(rv_update_step(update, 0.1f, 1.0f));
    cr_assert_neq(rv_params_version(params), version);
    rv_update_destroy(update);
}

Test(update, options_out_of_range_are_named)
{
    rv_update *update;
    rv_update_options o = rv_update_defaults(RV_METHOD_ADAM);
    o.momentum = 1;
    RV_ASSERT_FAILS(rv_update_create(&update, device, params, &o), RV_ERR_USAGE, "momentum");
    o = rv_update_defaults(RV_METHOD_ADAM);
    o.decay = -0.5f;
    RV_ASSERT_FAILS(rv_update_create(&update, device, params, &o), RV_ERR_USAGE, "squares");
    o = rv_update_defaults(RV_METHOD_SGD);
    o.l2 = NAN;
    RV_ASSERT_FAILS(rv_update_create(&update, device, params, &o), RV_ERR_USAGE, "L2");
    o = rv_update_defaults(RV_METHOD_SGD);
    o.clip_norm = -1;
    RV_ASSERT_FAILS(rv_update_create(&update, device, params, &o), RV_ERR_USAGE, "norm");
}
