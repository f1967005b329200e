/* Plans in less memory than they would take: the same results to the byte, down to where none fits. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "build.h"
#include "graph/internal.h"
#include "play.h"
#include "support/assert.h"
#include "support/device.h"

#include <stdlib.h>
#include <string.h>

TestSuite(shrink, .init = open_device, .fini = close_device);

/* --- a run to compare ------------------------------------------------------------------------ */

static rv_value pool(const char *op, const char *name, rv_value in)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, op, name, &in, 1,
                              RV_ATTRS(RV_SET_INT("kernel", 2), RV_SET_INT("stride", 2))));
    return v;
}

static void give(rv_value v)
{
    const size_t n = rv_shape_count(rv_graph_shape(graph, v));
    const bool labels = rv_graph_shape(graph, v)->rank == 1;
    float *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = labels ? (float)(i % 3) : 2.0f * rv_philox_uniform(5, (uint32_t)v, (uint32_t)i) - 1;
    }
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, v), x));
    free(x);
}

static void take(float **at, const rv_buffer *buffer, size_t n)
{
    if (buffer != NULL) {
        RV_ASSERT_OK(rv_buffer_read(device, buffer, 0, *at, n * sizeof(float)));
        *at += n;
    }
}

/* Makes parameters and plan anew and runs two iterations, the second adding to the gradients of
 * parameters. All that comes out: losses, gradient of the input, parameters with state, their
 * gradients; freed by the caller. NULL: too little memory. */
static float *results(rv_plan_options options, size_t *n)
{
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    plan = NULL;
    RV_ASSERT_OK(rv_params_create(&params, device, graph, options.param_gradients));
    const rv_status status = rv_plan_create(&plan, graph, params, device, &options);
    if (status != RV_OK) {
        RV_ASSERT_FAILS(status, RV_ERR_DEVICE_MEMORY, "MB more memory are needed");
        return NULL;
    }
    for (rv_value v = 0; v < rv_graph_value_count(graph); v++) {
        if (rv_graph_producer(graph, v) < 0) {
            give(v);
        }
    }
    double losses[8] = {0};
    for (int i = 0; i < 2; i++) {
        RV_ASSERT_OK(rv_plan_forward(plan));
        RV_ASSERT_OK(rv_plan_backward(plan, i > 0));
    }
    RV_ASSERT_OK(rv_plan_losses(plan, losses, NULL));
    const size_t floats = rv_params_floats(params);
    const rv_tensor *gradient = rv_plan_gradient(plan, options.gradients[0]);
    const size_t pixels = rv_tensor_floats(gradient);
    float *all = calloc(8 + pixels + 2 * floats, sizeof *all), *at = all;
    for (int i = 0; i < options.n_outputs; i++) {
        *at++ = (float)losses[i];
    }
    take(&at, gradient->buffer, pixels);
    take(&at, rv_params_values(params), floats);
    take(&at, rv_params_gradients(params), floats);
    *n = (size_t)(at - all);
    return all;
}

static int count_steps(rv_step_kind kind)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        n += plan->steps[i].kind == kind;
    }
    return n;
}

static int count_packed_on_use(void)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        n += plan->nodes[i].pack_on_use;
    }
    return n;
}

/* Lowers the limit step by step till no plan fits; in between the results stay and the limit holds.
 * @param share  of the memory of a plan that keeps all, with which the plan has to get by */
static void shrinks(rv_plan_options options, double share)
{
    size_t n, n_again;
    if (rv_test_gpu_form_only()) {
        cr_skip_test("what is left out and packed again is the same on any driver, and takes "
                     "minutes on a slow one");
    }
    RV_ASSERT_OK(rv_graph_initialize(graph, 1));
    float *expected = results(options, &n);
    cr_assert(expected != NULL);
    cr_assert_eq(count_steps(RV_STEP_AGAIN) + count_packed_on_use(), 0);
    const double full = (double)rv_plan_bytes(plan);
    double least = full;
    int most_again = 0, most_packed = 0;
    for (double part = 0.96; part > 0; part -= 0.04) {
        options.memory = (uint64_t)(part * full);
        float *again = results(options, &n_again);
        if (again == NULL) {
            break;
        }
        cr_assert_leq(rv_plan_bytes(plan), options.memory);
        cr_assert_eq(n_again, n);
        cr_assert_eq(memcmp(again, expected, n * sizeof *again), 0, "at %.2f of the memory", part);
        play_plan();
        least = (double)rv_plan_bytes(plan);
        most_again =
            count_steps(RV_STEP_AGAIN) > most_again ? count_steps(RV_STEP_AGAIN) : most_again;
        most_packed = count_packed_on_use() > most_packed ? count_packed_on_use() : most_packed;
        free(again);
    }
    free(expected);
    cr_assert_gt(most_again, 0);
    cr_assert_gt(most_packed, 0);
    cr_assert_leq(least, share * full, "%.0f of %.0f bytes are the least", least, full);
}

/* --- networks -------------------------------------------------------------------------------- */

Test(shrink, a_chain_with_losses_on_the_way)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 61, 47));
    const rv_value r1 = apply("relu", "r1", conv("c1", x, 20));
    const rv_value r2 = apply("relu", "r2", conv("c2", r1, 20));
    const rv_value p1 = pool("max_pool", "p1", r2);
    const rv_value r3 = apply("relu", "r3", conv("c3", p1, 40));
    const rv_value r4 = apply("relu", "r4", conv("c4", r3, 40));
    const rv_value p2 = pool("average_pool", "p2", r4), c5 = conv("c5", p2, 64);
    const rv_value g1 = apply("gram", "g1", r1), g3 = apply("gram", "g3", r3);
    const rv_value losses[] = {join("mse_loss", "l1", g1, input("t1", *rv_graph_shape(graph, g1))),
                               join("mse_loss", "l3", g3, input("t3", *rv_graph_shape(graph, g3))),
                               join("mse_loss", "l5", c5, input("t5", *rv_graph_shape(graph, c5))),
                               apply("tv_loss", "smooth", x)};
    shrinks((rv_plan_options){.outputs = losses, .n_outputs = 4, .gradients = &x, .n_gradients = 1},
            0.62);
}

Test(shrink, branches_that_share_values)
{
    const rv_value x = input("x", rv_shape_4(2, 5, 23, 29));
    const rv_value a = apply("relu", "a", conv("ca", x, 24));
    const rv_value b = apply("square", "b", conv("cb", a, 24));
    const rv_value c = apply("leaky_relu", "c", conv("cc", a, 16));
    const rv_value wide = join("concat", "wide", b, c);
    const rv_value d = apply("lrn", "d", conv("cd", wide, 24));
    const rv_value sum = apply("relu", "sum", join("add", "add", d, b));
    const rv_value e = apply("sqrt", "e", apply("square", "e2", conv("ce", sum, 24)));
    const rv_value losses[] = {apply("range_loss", "l1", e), apply("tv_loss", "l2", sum),
                               apply("range_loss", "l3", wide)};
    shrinks((rv_plan_options){.outputs = losses, .n_outputs = 3, .gradients = &x, .n_gradients = 1},
            0.64); /* lrn keeps nothing for backward that could be computed again */
}

/* State is updated once an iteration, numbers are drawn once; weights have gradients. */
Test(shrink, a_training_step_with_state_and_random_numbers)
{
    const rv_value x = input("x", rv_shape_4(4, 3, 24, 24));
    rv_value v = x;
    v = apply("relu", "r1", apply("batch_norm", "b1", conv("c1", v, 16)));
    v = apply("dropout", "drop", v);
    v = apply("relu", "r2", apply("batch_norm", "b2", conv("c2", v, 32)));
    v = pool("max_pool", "p", v);
    const rv_value kept = v;
    v = apply("relu", "r3", apply("scale", "s3", conv("c3", v, 32)));
    v = apply("relu", "r4", join("add", "add", conv("c4", v, 32), kept));
    rv_value d;
    RV_ASSERT_OK(
        rv_graph_add(graph, &d, "dense", "fc", &v, 1, RV_ATTRS(RV_SET_INT("num_output", 3))));
    const rv_value loss = join("cross_entropy", "loss", d, input("labels", rv_shape_1(4)));
    shrinks((rv_plan_options){.mode = RV_TRAIN,
                              .outputs = &loss,
                              .n_outputs = 1,
                              .gradients = &x,
                              .n_gradients = 1,
                              .param_gradients = true,
                              .seed = 3},
            0.75);
}

Test(shrink, a_plan_that_is_laid_out_only_takes_no_memory)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 40, 40));
    const rv_value l = apply("range_loss", "l", apply("relu", "r", conv("c", x, 16)));
    rv_plan_options options = {.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1};
    RV_ASSERT_OK(rv_graph_initialize(graph, 1));
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    const uint64_t before = rv_device_allocated(device);
    options.layout_only = true;
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
    cr_assert_eq(rv_device_allocated(device), before);
    const uint64_t bytes = rv_plan_bytes(plan);
    rv_plan_destroy(plan);
    options.layout_only = false;
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
    cr_assert_eq(rv_plan_bytes(plan), bytes);
    cr_assert_geq(rv_device_allocated(device) - before, bytes);
}
