/* Rectifiers merged into the launch before them, where nobody sees the difference. */
/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "graph/internal.h"
#include "support/assert.h"

#include <stdlib.h>

TestSuite(fuse, .init = open_device, .fini = close_device);

static void make_plan(rv_plan_options options)
{
    RV_ASSERT_OK(rv_graph_initialize(graph, 1));
    RV_ASSERT_OK(rv_params_create(&params, device, graph, options.param_gradients));
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
}

static const rv_plan_node *node_of(rv_value v)
{
    return &plan->nodes[plan->values[plan->value_of[v]].producer];
}

/* Runs on numbers of both signs; freed by the caller. */
static float *run(rv_value x, rv_value out)
{
    const size_t n = rv_shape_count(rv_graph_shape(graph, x));
    float *in = malloc(n * sizeof *in);
    for (size_t i = 0; i < n; i++) {
        in[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    }
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, x), in));
    free(in);
    RV_ASSERT_OK(rv_plan_forward(plan));
    float *values = malloc(rv_shape_count(rv_graph_shape(graph, out)) * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_tensor(plan, out), values));
    return values;
}

/* Between two convolutions, so that the layout is blocked: the values with c seen, which keeps it apart, and without. */
static void merges(const char *rectifier, float slope)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 7, 6)), c = conv("c", x, 19);
    const rv_value r = apply(rectifier, "r", c);
    const rv_value both[] = {c, r};
    make_plan((rv_plan_options){.outputs = both, .n_outputs = 2});
    cr_assert(!node_of(r)->merged, "what the caller wants is there");
    cr_assert_eq(node_of(c)->node.slope, 1.0f);
    const int steps = rv_plan_step_count(plan);
    float *apart = run(x, r), *raw = run(x, c);
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    make_plan((rv_plan_options){.outputs = &r, .n_outputs = 1});
    cr_assert(node_of(r)->merged);
    cr_assert_eq(node_of(c)->node.slope, slope);
    cr_assert_eq(rv_plan_step_count(plan), steps - 1);
    float *merged = run(x, r);
    int below = 0;
    for (size_t i = 0; i < rv_shape_count(rv_graph_shape(graph, r)); i++) {
        below += raw[i] < 0;
        cr_assert_eq(merged[i], apart[i], "value %zu: %g and %g", i, (double)merged[i],
                     (double)apart[i]);
    }
    cr_assert_gt(below, 100);
    free(apart);
    free(raw);
    free(merged);
}

Test(fuse, a_relu_goes_into_the_convolution_before_it)
{
    merges("relu", 0);
}

Test(fuse, a_leaky_relu_takes_its_slope_along)
{
    merges("leaky_relu", 0.01f);
}

Test(fuse, every_operation_that_rectifies_does)
{
    static const char *const before[] = {"scale", "batch_norm"};
    const rv_value x = input("x", rv_shape_4(1, 16, 5, 5));
    rv_value v = x, rectified[4];
    v = rectified[0] = apply("relu", "r0", apply(before[0], "before0", v));
    v = rectified[1] = apply("relu", "r1", apply(before[1], "before1", v));
    v = rectified[2] = apply("relu", "r2", join("add", "before2", v, x));
    rv_value d;
    RV_ASSERT_OK(
        rv_graph_add(graph, &d, "dense", "before3", &v, 1, RV_ATTRS(RV_SET_INT("num_output", 7))));
    rectified[3] = apply("leaky_relu", "r3", d);
    make_plan((rv_plan_options){.outputs = &rectified[3], .n_outputs = 1});
    for (int i = 0; i < 4; i++) {
        cr_assert(node_of(rectified[i])->merged, "%d", i);
    }
}

Test(fuse, a_value_that_another_node_reads_stays)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 5, 5)), c = conv("c", x, 16);
    const rv_value r = apply("relu", "r", c), s = join("add", "s", r, c);
    make_plan((rv_plan_options){.outputs = &s, .n_outputs = 1});
    cr_assert(!node_of(r)->merged);
}

Test(fuse, what_makes_no_rectified_output_is_left_alone)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 5, 5));
    const rv_value r = apply("relu", "r", apply("square", "s", x));
    const rv_value q = apply("square", "q", conv("c", r, 16));
    const rv_value outputs[] = {q, apply("relu", "of the input", x)};
    make_plan((rv_plan_options){.outputs = outputs, .n_outputs = 2});
    cr_assert(!node_of(r)->merged);
    cr_assert(!node_of(q)->merged);
    cr_assert(!node_of(outputs[1])->merged);
}

Test(fuse, backward_of_a_merged_rectifier_is_a_step_of_its_own)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 6, 5)), c = conv("c", x, 16);
    const rv_value r = apply("relu", "r", c), l = apply("range_loss", "l", r);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1});
    cr_assert(node_of(r)->merged);
    cr_assert_neq(node_of(r)->node.wanted, 0);
    cr_assert_eq(plan->values[plan->value_of[c]].storage, plan->values[plan->value_of[r]].storage);
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
}
