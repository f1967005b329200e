/* Building graphs: names, shapes, errors, reshaping, rewinding, initialisation. */
/* SPDX-License-Identifier: MIT */
#include "graph/graph.h"
#include "base/philox.h"
#include "support/assert.h"

#include <math.h>

#define CONV(k) \
    RV_ATTRS(RV_SET_INT("num_output", k), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1))

static rv_graph *graph;
static rv_value x, conv, relu, pool, dense;

/* x -> conv1_1 -> relu1_1 -> pool1 -> fc */
static void build(void)
{
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &x, "data", rv_shape_4(1, 3, 8, 6)));
    RV_ASSERT_OK(rv_graph_add(graph, &conv, "conv", "conv1_1", &x, 1, CONV(5)));
    RV_ASSERT_OK(rv_graph_add(graph, &relu, "relu", "relu1_1", &conv, 1, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_add(graph, &pool, "max_pool", "pool1", &relu, 1,
                              RV_ATTRS(RV_SET_INT("kernel", 2), RV_SET_INT("stride", 2))));
    RV_ASSERT_OK(rv_graph_add(graph, &dense, "dense", "fc", &pool, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 7))));
}

static void destroy(void)
{
    rv_graph_destroy(graph);
}

TestSuite(graph, .init = build, .fini = destroy);

static void has_shape(rv_value v, const char *text)
{
    char buffer[64];
    cr_assert_str_eq(rv_shape_text(buffer, rv_graph_shape(graph, v)), text);
}

Test(graph, shapes_follow_from_operations)
{
    has_shape(x, "1x3x8x6");
    has_shape(conv, "1x5x8x6");
    has_shape(relu, "1x5x8x6");
    has_shape(pool, "1x5x4x3");
    has_shape(dense, "1x7");
    cr_assert_eq(rv_graph_node_count(graph), 4);
    cr_assert_eq(rv_graph_value_count(graph), 5);
    cr_assert_eq(rv_graph_producer(graph, x), -1);
    cr_assert_eq(rv_graph_producer(graph, pool), 2);
    cr_assert_eq(rv_graph_node_inputs(graph, 2)[0], relu);
    cr_assert_eq(rv_graph_node_output(graph, 2, 0), pool);
    cr_assert_str_eq(rv_graph_value_name(graph, pool), "pool1");
}

Test(graph, names_are_found)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_find(graph, &v, "relu1_1"));
    cr_assert_eq(v, relu);
    RV_ASSERT_OK(rv_graph_find(graph, &v, "data"));
    cr_assert_eq(v, x);
}

Test(graph, later_aliases_win_but_not_over_nodes)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_alias(graph, conv, "top"));
    RV_ASSERT_OK(rv_graph_alias(graph, relu, "top"));
    RV_ASSERT_OK(rv_graph_alias(graph, relu, "conv1_1"));
    RV_ASSERT_OK(rv_graph_find(graph, &v, "top"));
    cr_assert_eq(v, relu);
    RV_ASSERT_OK(rv_graph_find(graph, &v, "conv1_1"));
    cr_assert_eq(v, conv, "convX_Y is what the convolution gives, before the activation");
}

Test(graph, an_unknown_layer_names_the_nearest_and_all)
{
    rv_value v;
    RV_ASSERT_FAILS(rv_graph_find(graph, &v, "relu1_2"), RV_ERR_NOT_FOUND,
                    "there is no layer 'relu1_2'; the nearest is 'relu1_1'; "
                    "all: conv1_1 relu1_1 pool1 fc");
    cr_assert_eq(v, -1);
}

Test(graph, mistakes_are_reported_at_the_node_and_leave_no_trace)
{
    rv_value v;
    const rv_value two[] = {x, x};
    RV_ASSERT_FAILS(rv_graph_add(graph, &v, "rellu", "r", &x, 1, RV_NO_ATTRS), RV_ERR_UNSUPPORTED,
                    "'r': there is no operation 'rellu'; the nearest is 'relu'");
    RV_ASSERT_FAILS(rv_graph_add(graph, &v, "relu", "pool1", &x, 1, RV_NO_ATTRS), RV_ERR_USAGE,
                    "'pool1'");
    RV_ASSERT_FAILS(rv_graph_add(graph, &v, "relu", "data", &x, 1, RV_NO_ATTRS), RV_ERR_USAGE,
                    "'data'");
    RV_ASSERT_FAILS(rv_graph_add(graph, &v, "relu", "r", two, 2, RV_NO_ATTRS), RV_ERR_SHAPE,
                    "'r': relu takes 1 input, not 2");
    RV_ASSERT_FAILS(
        rv_graph_add(graph, &v, "leaky_relu", "r", &x, 1, RV_ATTRS(RV_SET_FLOAT("slop", 1))),
        RV_ERR_USAGE, "'r': there is no attribute 'slop'; the nearest is 'slope'");
    RV_ASSERT_FAILS(
        rv_graph_add(graph, &v, "leaky_relu", "r", &x, 1, RV_ATTRS(RV_SET_FLOAT("slope", -1))),
        RV_ERR_USAGE, "'r': slope is -1, outside 0 to 1e+06");
    RV_ASSERT_FAILS(rv_graph_add(graph, &v, "conv", "c", &dense, 1, CONV(5)), RV_ERR_SHAPE, "'c'");
    RV_ASSERT_FAILS(rv_graph_input(graph, &v, "fc", rv_shape_1(1)), RV_ERR_USAGE, "'fc'");
    RV_ASSERT_FAILS(rv_graph_input(graph, &v, "big", rv_shape_4(1, 3, 60000, 60000)), RV_ERR_SHAPE,
                    "'big'");
    cr_assert_eq(rv_graph_node_count(graph), 4);
    cr_assert_eq(rv_graph_value_count(graph), 5);
}

Test(graph, reshaping_reaches_every_node)
{
    rv_graph *g;
    rv_value in, c, p;
    RV_ASSERT_OK(rv_graph_create(&g));
    RV_ASSERT_OK(rv_graph_input(g, &in, "in", rv_shape_4(1, 3, 8, 6)));
    RV_ASSERT_OK(rv_graph_add(g, &c, "conv", "c", &in, 1, CONV(5)));
    RV_ASSERT_OK(rv_graph_add(g, &p, "square", "s", &c, 1, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_reshape(g, in, rv_shape_4(2, 3, 31, 33)));
    char text[64];
    cr_assert_str_eq(rv_shape_text(text, rv_graph_shape(g, p)), "2x5x31x33");
    RV_ASSERT_OK(rv_graph_reshape(g, in, rv_shape_4(1, 3, 1, 1)));
    cr_assert_str_eq(rv_shape_text(text, rv_graph_shape(g, p)), "1x5x1x1");
    rv_graph_destroy(g);
}

Test(graph, reshaping_that_changes_parameters_fails_and_changes_nothing)
{
    RV_ASSERT_FAILS(rv_graph_reshape(graph, x, rv_shape_4(1, 3, 16, 6)), RV_ERR_SHAPE,
                    "'fc': with this input size its weight would be 7x120, but it is 7x60");
    has_shape(x, "1x3x8x6");
    has_shape(pool, "1x5x4x3");
    cr_assert_eq(rv_graph_param(graph, 3, 0)->shape.dim[1], 60);
    RV_ASSERT_FAILS(rv_graph_reshape(graph, x, rv_shape_4(1, 4, 8, 6)), RV_ERR_SHAPE, "'conv1_1'");
    RV_ASSERT_FAILS(rv_graph_reshape(graph, x, rv_shape_4(1, 3, 0, 6)), RV_ERR_SHAPE, "'data'");
    has_shape(conv, "1x5x8x6");
    /* A batch changes no parameter. */
    RV_ASSERT_OK(rv_graph_reshape(graph, x, rv_shape_4(4, 3, 8, 6)));
    has_shape(dense, "4x7");
}

/* Without weights of its own the node has but running statistics, [C] each. */
Test(graph, reshaping_that_changes_a_state_fails_as_well)
{
    rv_graph *g;
    rv_value in, out;
    RV_ASSERT_OK(rv_graph_create(&g));
    RV_ASSERT_OK(rv_graph_input(g, &in, "data", rv_shape_4(1, 3, 4, 4)));
    RV_ASSERT_OK(rv_graph_add(g, &out, "batch_norm", "norm", &in, 1, RV_NO_ATTRS));
    RV_ASSERT_FAILS(rv_graph_reshape(g, in, rv_shape_4(1, 4, 4, 4)), RV_ERR_SHAPE,
                    "'norm': with this input size its mean would be 4, but it is 3");
    cr_assert_eq(rv_graph_state(g, 0, 0)->shape.dim[0], 3);
    RV_ASSERT_OK(rv_graph_reshape(g, in, rv_shape_4(2, 3, 8, 4)));
    rv_graph_destroy(g);
}

Test(graph, rewinding_removes_what_was_added_since)
{
    rv_value target, loss, v;
    const rv_graph_mark mark = rv_graph_get_mark(graph);
    RV_ASSERT_OK(rv_graph_input(graph, &target, "target", rv_shape_2(1, 7)));
    const rv_value pair[] = {dense, target};
    RV_ASSERT_OK(rv_graph_add(graph, &loss, "mse_loss", "loss", pair, 2, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_alias(graph, loss, "objective"));
    rv_graph_rewind(graph, mark);
    cr_assert_eq(rv_graph_node_count(graph), 4);
    cr_assert_eq(rv_graph_find(graph, &v, "objective"), RV_ERR_NOT_FOUND);
    cr_assert_eq(rv_graph_find(graph, &v, "target"), RV_ERR_NOT_FOUND);
    RV_ASSERT_OK(rv_graph_find(graph, &v, "fc"));
    RV_ASSERT_OK(rv_graph_input(graph, &v, "target", rv_shape_2(1, 7)));
}

/* --- parameters ------------------------------------------------------------------------------ */

Test(graph, parameters_have_names_and_shapes)
{
    const rv_param *weight = rv_graph_param(graph, 0, 0), *bias = rv_graph_param(graph, 0, 1);
    char text[64];
    cr_assert_str_eq(weight->node, "conv1_1");
    cr_assert_str_eq(weight->name, "weight");
    cr_assert_str_eq(rv_shape_text(text, &weight->shape), "5x3x3x3");
    cr_assert_eq(weight->fan_in, 27);
    cr_assert_str_eq(bias->name, "bias");
    cr_assert_null(rv_graph_param(graph, 1, 0));
    cr_assert_null(rv_graph_param(graph, 0, 2));
    cr_assert_null(rv_graph_state(graph, 0, 0));
}

Test(graph, an_absent_bias_is_no_parameter)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, "conv", "bare", &relu, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 2), RV_SET_INT("bias", 0))));
    cr_assert_null(rv_graph_param(graph, 4, 1));
}

Test(graph, values_of_parameters_are_checked)
{
    rv_param *bias = rv_graph_param(graph, 0, 1);
    float values[6] = {1, 2, 3, 4, 5, 6};
    RV_ASSERT_FAILS(rv_param_set(bias, values, 6), RV_ERR_SHAPE,
                    "'conv1_1': bias has 6 values, but its shape 5 needs 5");
    RV_ASSERT_OK(rv_param_set(bias, values, 5));
    values[3] = NAN;
    RV_ASSERT_FAILS(rv_param_set(bias, values, 5), RV_ERR_FORMAT,
                    "'conv1_1': value 3 of bias is NaN");
    values[3] = -INFINITY;
    RV_ASSERT_FAILS(rv_param_set(bias, values, 5), RV_ERR_FORMAT, "is infinite");
    cr_assert_eq(bias->data[3], 4.0f, "what was there stays");
}

Test(graph, initialisation_follows_He_and_the_seed)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, "conv", "wide", &relu, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 512), RV_SET_INT("kernel", 3))));
    const float given[5] = {1, 2, 3, 4, 5};
    RV_ASSERT_OK(rv_param_set(rv_graph_param(graph, 0, 1), given, 5));
    RV_ASSERT_OK(rv_graph_initialize(graph, 7));
    const rv_param *weight = rv_graph_param(graph, 4, 0);
    const size_t n = rv_shape_count(&weight->shape);
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)weight->data[i];
        square += (double)weight->data[i] * (double)weight->data[i];
    }
    /* 23,040 draws: mean within 4 deviations of the mean, variance within 4 of the variance. */
    const double variance = 2.0 / 45;
    cr_assert_lt(fabs(sum / (double)n), 4 * sqrt(variance / (double)n));
    cr_assert_lt(fabs(square / (double)n - variance), 4 * variance * sqrt(2.0 / (double)n));
    cr_assert_eq(rv_graph_param(graph, 4, 1)->data[511], 0.0f, "biases start at zero");
    cr_assert_eq(rv_graph_param(graph, 0, 1)->data[2], 3.0f, "given values stay");
    /* more than one chunk, each value by its index alone */
    rv_value large;
    RV_ASSERT_OK(rv_graph_add(graph, &large, "conv", "large", &v, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 129), RV_SET_INT("kernel", 1))));
    RV_ASSERT_OK(rv_graph_initialize(graph, 7));
    const rv_param *many = rv_graph_param(graph, 5, 0);
    const size_t last = rv_shape_count(&many->shape) - 1;
    cr_assert_eq(last, 129 * 512 - 1);
    cr_assert_eq(many->data[last],
                 sqrtf(2.0f / 512) * rv_philox_normal(7, 5 * RV_MAX_PARAMS, (uint32_t)last));
    const float first = weight->data[0];
    RV_ASSERT_OK(rv_graph_initialize(graph, 8));
    cr_assert_eq(weight->data[0], first, "and so do those of an earlier initialisation");
}

Test(graph, the_same_seed_gives_the_same_parameters)
{
    RV_ASSERT_OK(rv_graph_initialize(graph, 7));
    const float first = rv_graph_param(graph, 3, 0)->data[11];
    float second[2];
    for (int i = 0; i < 2; i++) {
        rv_graph_destroy(graph);
        build();
        RV_ASSERT_OK(rv_graph_initialize(graph, 7 + (uint32_t)i));
        second[i] = rv_graph_param(graph, 3, 0)->data[11];
    }
    cr_assert_eq(first, second[0]);
    cr_assert_neq(first, second[1]);
}
