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
