/* Opens what the tests of plans share, and builds graphs. */
/* SPDX-License-Identifier: MIT */
#include "build.h"

#include "support/assert.h"
#include "support/device.h"

rv_device *device;
rv_graph *graph;
rv_params *params;
rv_plan *plan;

void open_device(void)
{
    device = rv_test_device();
    RV_ASSERT_OK(rv_graph_create(&graph));
}

void close_device(void)
{
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_graph_destroy(graph);
    rv_device_close(device);
}

rv_value input(const char *name, rv_shape shape)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_input(graph, &v, name, shape));
    return v;
}

rv_value apply(const char *op, const char *name, rv_value in)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, op, name, &in, 1, RV_NO_ATTRS));
    return v;
}

rv_value join(const char *op, const char *name, rv_value a, rv_value b)
{
    const rv_value in[] = {a, b};
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, op, name, in, 2, RV_NO_ATTRS));
    return v;
}

rv_value conv(const char *name, rv_value in, int k)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, "conv", name, &in, 1, CONV(k)));
    return v;
}

void make_params(bool gradients)
{
    RV_ASSERT_OK(rv_graph_initialize(graph, 1));
    RV_ASSERT_OK(rv_params_create(&params, device, graph, gradients));
}

void make_plan(rv_plan_options options)
{
    if (params == NULL) {
        make_params(options.param_gradients);
    }
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
}

const rv_plan_node *node_of(rv_value v)
{
    return &plan->nodes[plan->values[plan->value_of[v]].producer];
}

void release_plan(void)
{
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    plan = NULL;
    params = NULL;
}

float *read_value(rv_value v)
{
    float *values = malloc(rv_shape_count(rv_graph_shape(graph, v)) * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_tensor(plan, v), values));
    return values;
}

float *run_plan(rv_value x, rv_value out)
{
    const size_t n = rv_shape_count(rv_graph_shape(graph, x));
    float *in = malloc(n * sizeof *in);
    for (size_t i = 0; i < n; i++) {
        in[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    }
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, x), in));
    free(in);
    RV_ASSERT_OK(rv_plan_forward(plan));
    return read_value(out);
}
