/* Plans: values and gradients against double precision, layouts, feeds, accumulation, lifetimes. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "build.h"
#include "graph/internal.h"
#include "support/assert.h"
#include "support/graph_twin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(plan, .init = open_device, .fini = close_device);

/* --- building -------------------------------------------------------------------------------- */

/* --- numbers --------------------------------------------------------------------------------- */

/* In [-1, 1], the same for every call with the same stream. */
static float number(uint32_t stream, size_t i)
{
    return 2.0f * rv_philox_uniform(5, stream, (uint32_t)i) - 1.0f;
}

static float *numbers(rv_value v)
{
    const size_t n = rv_shape_count(rv_graph_shape(graph, v));
    float *x = malloc((n + 1) * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = number((uint32_t)v, i);
    }
    return x;
}

static void give(rv_value v)
{
    float *x = numbers(v);
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, v), x));
    free(x);
}

/* Plain values of a tensor; freed by the caller. */
static float *values_of(rv_tensor *t)
{
    cr_assert(t != NULL);
    float *x = malloc((rv_shape_count(&t->shape) + 1) * sizeof *x);
    RV_ASSERT_OK(rv_tensor_read(device, t, x));
    return x;
}

static double loss_sum(void)
{
    double sum;
    RV_ASSERT_OK(rv_plan_losses(plan, NULL, &sum));
    return sum;
}

static int count_reorders(void)
{
    int n = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        n += (plan->nodes[i].node.op->traits & RV_OP_REORDER) != 0;
    }
    return n;
}

/* --- a network of style transfer, small, with branches --------------------------------------- */

enum { LOSSES = 4, INPUTS = 3 };

typedef struct network {
    rv_value x, target, gram_target;
    rv_value losses[LOSSES];
} network;

/* Picture -> two convolutions with a shortcut -> pooling; losses on values of four kinds. */
static network build_network(void)
{
    network n;
    n.x = input("x", rv_shape_4(2, 3, 14, 11));
    const rv_value c1 = conv("conv1", n.x, 9), r1 = apply("relu", "relu1", c1);
    const rv_value c2 = conv("conv2", r1, 9), sum = join("add", "sum", c2, r1);
    const rv_value r2 = apply("leaky_relu", "relu2", sum);
    rv_value pool;
    RV_ASSERT_OK(rv_graph_add(graph, &pool, "average_pool", "pool", &r2, 1,
                              RV_ATTRS(RV_SET_INT("kernel", 2), RV_SET_INT("stride", 2))));
    n.target = input("content target", *rv_graph_shape(graph, pool));
    n.losses[0] = join("mse_loss", "content", pool, n.target);
    const rv_value gram = apply("gram", "gram", r1);
    n.gram_target = input("gram target", *rv_graph_shape(graph, gram));
    n.losses[1] = join("mse_loss", "style", gram, n.gram_target);
    RV_ASSERT_OK(rv_graph_add(graph, &n.losses[2], "tv_loss", "smooth", &n.x, 1,
                              RV_ATTRS(RV_SET_ENUM("power", "squared"))));
    RV_ASSERT_OK(rv_graph_add(graph, &n.losses[3], "range_loss", "range", &r2, 1,
                              RV_ATTRS(RV_SET_FLOAT("high", 0.5))));
    return n;
}

static void plan_network(const network *n, bool param_gradients)
{
    make_plan((rv_plan_options){.outputs = n->losses,
                                .n_outputs = LOSSES,
                                .gradients = &n->x,
                                .n_gradients = 1,
                                .param_gradients = param_gradients});
    give(n->x);
    give(n->target);
    give(n->gram_target);
}

/* The objective in double, as the twins see it. */
static double twin_objective(rv_graph_twin *twin, const network *n)
{
    double sum = 0;
    rv_graph_twin_run(twin);
    for (int i = 0; i < LOSSES; i++) {
        sum += twin->value[n->losses[i]][0];
    }
    return sum;
}

static void twin_inputs(rv_graph_twin *twin, const network *n)
{
    const rv_value inputs[INPUTS] = {n->x, n->target, n->gram_target};
    for (int k = 0; k < INPUTS; k++) {
        for (size_t i = 0; i < rv_shape_count(rv_graph_shape(graph, inputs[k])); i++) {
            twin->value[inputs[k]][i] = (double)number((uint32_t)inputs[k], i);
        }
    }
}

/* Gradient `g` of `x` (n doubles inside the twin) along eight directions against differences. */
static void agrees(rv_graph_twin *twin, const network *net, double *x, const float *g, size_t n,
                   const char *what)
{
    const double step = 1e-6;
    for (uint32_t k = 0; k < 8; k++) {
        double slope = 0, square = 0, at[2];
        for (size_t i = 0; i < n; i++) {
            const double part = (double)number(100 + k, i) * (double)g[i];
            slope += part;
            square += part * part;
        }
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++) {
                x[i] += (side == 0 ? step : -2 * step) * (double)number(100 + k, i);
            }
            at[side] = twin_objective(twin, net);
        }
        for (size_t i = 0; i < n; i++) {
            x[i] += step * (double)number(100 + k, i);
        }
        const double expected = (at[0] - at[1]) / (2 * step);
        cr_assert(fabs(slope - expected) <= 1e-3 * sqrt(square) + 1e-8,
                  "%s along direction %u: %g, in double %g", what, k, slope, expected);
    }
}

Test(plan, losses_and_all_gradients_agree_with_double_precision)
{
    const network n = build_network();
    plan_network(&n, true);
    rv_graph_twin twin;
    rv_graph_twin_create(&twin, graph);
    twin_inputs(&twin, &n);
    const double expected = twin_objective(&twin, &n);
    double losses[LOSSES];
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    RV_ASSERT_OK(rv_plan_losses(plan, losses, NULL));
    for (int i = 0; i < LOSSES; i++) {
        const double want = twin.value[n.losses[i]][0];
        cr_assert(fabs(losses[i] - want) <= 1e-5 * want, "loss %d: %g, in double %g", i, losses[i],
                  want);
    }
    cr_assert_float_eq(loss_sum(), expected, 1e-5 * expected);
    float *g = values_of(rv_plan_gradient(plan, n.x));
    agrees(&twin, &n, twin.value[n.x], g, rv_shape_count(rv_graph_shape(graph, n.x)), "picture");
    free(g);
    size_t n_segments;
    const rv_segment *s = rv_params_segments(params, &n_segments);
    cr_assert_eq(n_segments, 4, "two weights and two biases");
    for (size_t i = 0; i < n_segments; i++) {
        g = values_of(rv_params_gradient(params, s[i].node, s[i].index));
        agrees(&twin, &n, twin.param[s[i].node][s[i].index], g, s[i].count, "parameter");
        free(g);
    }
    rv_graph_twin_release(&twin);
}

Test(plan, two_runs_give_the_same_bytes)
{
    const network n = build_network();
    plan_network(&n, false);
    const size_t bytes = rv_shape_count(rv_graph_shape(graph, n.x)) * sizeof(float);
    float *first = NULL;
    double losses[2][LOSSES];
    for (int run = 0; run < 2; run++) {
        RV_ASSERT_OK(rv_plan_forward(plan));
        RV_ASSERT_OK(rv_plan_backward(plan, false));
        RV_ASSERT_OK(rv_plan_losses(plan, losses[run], NULL));
        float *g = values_of(rv_plan_gradient(plan, n.x));
        if (run == 0) {
            first = g;
        } else {
            cr_assert_arr_eq(g, first, bytes);
            free(g);
        }
    }
    cr_assert_arr_eq(losses[0], losses[1], sizeof losses[0]);
    free(first);
}

Test(plan, parameter_gradients_add_up_where_that_is_asked_for)
{
    const network n = build_network();
    plan_network(&n, true);
    const size_t count = rv_params_floats(params);
    float *once = malloc(count * sizeof *once), *thrice = malloc(count * sizeof *once);
    RV_ASSERT_OK(rv_buffer_fill(device, rv_params_gradients(params), 0, count * 4, 9.0f));
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    RV_ASSERT_OK(rv_buffer_read(device, rv_params_gradients(params), 0, once, count * 4));
    float *picture = values_of(rv_plan_gradient(plan, n.x));
    for (int i = 0; i < 2; i++) {
        RV_ASSERT_OK(rv_plan_forward(plan));
        RV_ASSERT_OK(rv_plan_backward(plan, true));
    }
    RV_ASSERT_OK(rv_buffer_read(device, rv_params_gradients(params), 0, thrice, count * 4));
    size_t n_segments;
    const rv_segment *s = rv_params_segments(params, &n_segments);
    for (size_t k = 0; k < n_segments; k++) {
        double largest = 0;
        for (size_t i = s[k].offset; i < s[k].offset + s[k].count; i++) {
            largest = fmax(largest, fabs((double)once[i]));
            cr_assert_float_eq(thrice[i], 3 * once[i], 1e-5 * fabs((double)once[i]) + 1e-7,
                               "float %zu: %g instead of three times %g", i, (double)thrice[i],
                               (double)once[i]);
        }
        cr_assert(largest > 1e-4 && largest < 8, "overwritten at first, and not by nothing");
    }
    float *again = values_of(rv_plan_gradient(plan, n.x));
    cr_assert_arr_eq(again, picture, rv_shape_count(rv_graph_shape(graph, n.x)) * 4,
                     "the gradient of the picture is overwritten all the same");
    free(once);
    free(thrice);
    free(picture);
    free(again);
}

static bool stop_when_negative(void *payload)
{
    return --*(int *)payload < 0;
}

/* Asked before each step: a run ends at the first yes, and the next one is as if nothing had been. */
Test(plan, a_run_ends_when_its_caller_says_so)
{
    int left = 1000;
    const rv_events events = {.payload = &left, .cancelled = stop_when_negative};
    const rv_value x = input("x", rv_shape_4(1, 3, 9, 8));
    const rv_value y = apply("relu", "r", conv("b", apply("relu", "q", conv("a", x, 8)), 8));
    make_plan((rv_plan_options){.outputs = &y, .n_outputs = 1, .events = &events});
    give(x);
    RV_ASSERT_OK(rv_plan_forward(plan));
    float *want = values_of(rv_plan_tensor(plan, y));
    const int steps = (int)plan->n_steps;
    for (int i = 0; i <= steps; i++) {
        left = i;
        const rv_status status = rv_plan_forward(plan);
        cr_assert_eq(status, i < steps ? RV_ERR_CANCELLED : RV_OK, "%d of %d steps", i, steps);
    }
    float *got = values_of(rv_plan_tensor(plan, y));
    cr_assert_arr_eq(got, want, rv_shape_count(rv_graph_shape(graph, y)) * sizeof *got);
    free(got);
    free(want);
}

Test(plan, changed_parameters_reach_the_next_run)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 5, 5));
    const rv_value c = conv("c", x, 8), l = apply("range_loss", "l", c);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1});
    give(x);
    RV_ASSERT_OK(rv_plan_forward(plan));
    cr_assert_gt(loss_sum(), 1e-3);
    const size_t bytes = rv_params_floats(params) * sizeof(float);
    RV_ASSERT_OK(rv_buffer_fill(device, rv_params_values(params), 0, bytes, 0.0f));
    rv_params_changed(params);
    RV_ASSERT_OK(rv_plan_forward(plan));
    cr_assert_eq(loss_sum(), 0.0);
}

/* --- what is computed ------------------------------------------------------------------------ */

Test(plan, only_what_the_outputs_need_is_run)
{
    const network n = build_network();
    make_plan((rv_plan_options){.outputs = &n.losses[2], .n_outputs = 1});
    cr_assert_eq(rv_plan_step_count(plan), 1);
    cr_assert_not_null(rv_plan_tensor(plan, n.x));
    cr_assert_null(rv_plan_tensor(plan, n.target));
    cr_assert_null(rv_plan_gradient(plan, n.x));
    cr_assert_eq(rv_plan_flops(plan, RV_PASS_FORWARD), 0);
}

Test(plan, a_feed_replaces_what_makes_it)
{
    const network n = build_network();
    rv_value r1;
    RV_ASSERT_OK(rv_graph_find(graph, &r1, "relu1"));
    /* All of it first, for the values of relu1 and the style loss. */
    const rv_value outputs[] = {r1, n.losses[1]};
    make_plan((rv_plan_options){.outputs = outputs, .n_outputs = 2});
    give(n.x);
    give(n.gram_target);
    RV_ASSERT_OK(rv_plan_forward(plan));
    const double expected = loss_sum();
    float *kept = values_of(rv_plan_tensor(plan, r1));
    const double flops = rv_plan_flops(plan, RV_PASS_FORWARD);
    rv_plan_destroy(plan);
    make_plan((rv_plan_options){.outputs = &n.losses[1],
                                .n_outputs = 1,
                                .feeds = &r1,
                                .n_feeds = 1,
                                .gradients = &r1,
                                .n_gradients = 1});
    cr_assert_null(rv_plan_tensor(plan, n.x));
    cr_assert_lt(rv_plan_flops(plan, RV_PASS_FORWARD), flops, "no convolution runs");
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, r1), kept));
    give(n.gram_target);
    RV_ASSERT_OK(rv_plan_forward(plan));
    cr_assert_float_eq(loss_sum(), expected, 1e-6 * expected);
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    float *g = values_of(rv_plan_gradient(plan, r1));
    double largest = 0;
    for (size_t i = 0; i < rv_shape_count(rv_graph_shape(graph, r1)); i++) {
        largest = fmax(largest, fabs((double)g[i]));
    }
    cr_assert(largest > 1e-6 && isfinite(largest));
    free(g);
    free(kept);
}

Test(plan, one_reordering_serves_all_who_need_it)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 7, 7));
    const rv_value a = conv("a", x, 16), b = conv("b", x, 16), c = conv("c", a, 16);
    const rv_value sum = join("add", "sum", b, c);
    make_plan((rv_plan_options){.outputs = &sum, .n_outputs = 1});
    cr_assert_eq(count_reorders(), 1, "of x, for a and b");
}

Test(plan, a_picture_is_never_padded)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 7, 7));
    const rv_value c = conv("c", x, 16), l = apply("range_loss", "l", c);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1});
    cr_assert_eq(count_reorders(), 0);
    cr_assert_eq(rv_plan_gradient(plan, x)->layout, RV_PLAIN);
}

Test(plan, one_value_may_be_several_inputs)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 7, 5));
    const rv_value c = apply("square", "c", x);
    const rv_value in[] = {c, c, x};
    rv_value sum;
    RV_ASSERT_OK(rv_graph_add(graph, &sum, "add", "sum", in, 3, RV_NO_ATTRS));
    rv_value l;
    RV_ASSERT_OK(
        rv_graph_add(graph, &l, "range_loss", "l", &sum, 1, RV_ATTRS(RV_SET_FLOAT("high", 0))));
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1});
    give(x);
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    float *g = values_of(rv_plan_gradient(plan, x));
    /* l = mean(s^2), s = 2 x^2 + x: dl/dx = 2 s (4 x + 1) / n */
    for (size_t i = 0; i < 105; i++) {
        const double v = (double)number((uint32_t)x, i), s = 2 * v * v + v;
        cr_assert_float_eq(g[i], 2 * s * (4 * v + 1) / 105, 1e-6, "%zu", i);
    }
    free(g);
}

Test(plan, a_wanted_loss_and_value_come_out_of_one_run)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 4, 4));
    const rv_value s = apply("square", "s", x), l = apply("range_loss", "l", s);
    const rv_value outputs[] = {s, l};
    make_plan((rv_plan_options){.outputs = outputs, .n_outputs = 2});
    give(x);
    RV_ASSERT_OK(rv_plan_forward(plan));
    float *v = values_of(rv_plan_tensor(plan, s));
    for (size_t i = 0; i < 48; i++) {
        const float a = number((uint32_t)x, i);
        cr_assert_float_eq(v[i], a * a, 1e-7);
    }
    cr_assert_eq(loss_sum(), 0.0, "squares lie in [0, 1]");
    free(v);
}

/* --- mistakes -------------------------------------------------------------------------------- */

Test(plan, an_operation_without_gradient_is_named_before_anything_runs)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 4, 4));
    const rv_value s = apply("square", "s", x), l = apply("range_loss", "l", s);
    /* No operation of ours lacks one, so take it away from this node. */
    rv_op without = *rv_graph_node(graph, 0)->op;
    without.backward = NULL;
    ((rv_node *)(uintptr_t)rv_graph_node(graph, 0))->op = &without;
    const rv_plan_options forward = {.outputs = &l, .n_outputs = 1};
    RV_ASSERT_OK(rv_plan_create(&plan, graph, NULL, device, &forward));
    rv_plan_destroy(plan);
    const rv_plan_options backward = {
        .outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1};
    RV_ASSERT_FAILS(rv_plan_create(&plan, graph, NULL, device, &backward), RV_ERR_UNSUPPORTED,
                    "'s': there is no gradient through square");
    cr_assert_null(plan);
}

Test(plan, labels_have_no_gradient)
{
    const rv_value x = input("x", rv_shape_2(4, 10)), labels = input("labels", rv_shape_1(4));
    const rv_value s = apply("square", "s", labels), l = join("cross_entropy", "l", x, s);
    const rv_value both[] = {x, labels};
    rv_plan_options options = {.outputs = &l, .n_outputs = 1, .gradients = both, .n_gradients = 2};
    RV_ASSERT_FAILS(rv_plan_create(&plan, graph, NULL, device, &options), RV_ERR_UNSUPPORTED,
                    "'l': there is no gradient through input 1 of cross_entropy");
    cr_assert_null(plan);
    options.n_gradients = 1;
    RV_ASSERT_OK(rv_plan_create(&plan, graph, NULL, device, &options));
    cr_assert_null(rv_plan_gradient(plan, labels));
    cr_assert_not_null(rv_plan_gradient(plan, x));
}

Test(plan, a_gradient_that_no_loss_reaches_is_refused)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 4, 4)), y = input("y", rv_shape_1(5));
    const rv_value l = apply("range_loss", "l", x), s = apply("square", "s", y);
    const rv_value outputs[] = {l, s};
    const rv_plan_options options = {
        .outputs = outputs, .n_outputs = 2, .gradients = &y, .n_gradients = 1};
    RV_ASSERT_FAILS(rv_plan_create(&plan, graph, NULL, device, &options), RV_ERR_INTERNAL,
                    "no loss depends on 'y'");
}

Test(plan, a_loss_of_a_loss_is_refused)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 4, 4));
    const rv_value l = apply("range_loss", "l", x), m = apply("range_loss", "m", l);
    const rv_value outputs[] = {l, m};
    const rv_plan_options options = {
        .outputs = outputs, .n_outputs = 2, .gradients = &x, .n_gradients = 1};
    RV_ASSERT_FAILS(rv_plan_create(&plan, graph, NULL, device, &options), RV_ERR_UNSUPPORTED,
                    "'m'");
}

Test(plan, parameters_must_be_on_the_device)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 4, 4)), c = conv("c", x, 4);
    const rv_plan_options options = {.outputs = &c, .n_outputs = 1};
    RV_ASSERT_FAILS(rv_plan_create(&plan, graph, NULL, device, &options), RV_ERR_INTERNAL,
                    "'c': its weight is not on the device");
    RV_ASSERT_FAILS(rv_params_create(&params, device, graph, false), RV_ERR_INTERNAL,
                    "'c': weight has neither values nor an initialisation");
}

/* --- later changes of the graph -------------------------------------------------------------- */

Test(plan, a_plan_does_not_need_its_graph)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 9, 9));
    rv_value c;
    RV_ASSERT_OK(rv_graph_add(graph, &c, "conv", "bare", &x, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 8), RV_SET_INT("bias", 0))));
    const rv_value r = apply("leaky_relu", "r", c);
    const rv_value l = apply("range_loss", "l", r);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1});
    give(x);
    RV_ASSERT_OK(rv_plan_forward(plan));
    const double before = loss_sum();
    rv_graph_destroy(graph);
    graph = NULL;
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    cr_assert_eq(loss_sum(), before);
}

Test(plan, a_plan_keeps_its_shapes_when_the_graph_is_reshaped)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 9, 9));
    const rv_value c = conv("c", x, 8), l = apply("range_loss", "l", c);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1});
    give(x);
    RV_ASSERT_OK(rv_plan_forward(plan));
    const double before = loss_sum();
    RV_ASSERT_OK(rv_graph_reshape(graph, x, rv_shape_4(1, 3, 33, 31)));
    RV_ASSERT_OK(rv_plan_forward(plan));
    cr_assert_eq(loss_sum(), before);
}

/* Nothing is computed backwards below the last layer that learns, and a frozen layer above it hands gradients on. */
Test(plan, frozen_layers_learn_nothing_and_what_lies_below_stands_still)
{
    const rv_value x = input("x", rv_shape_4(1, 3, 6, 6)), t = input("t", rv_shape_4(1, 5, 6, 6));
    const rv_value a = apply("relu", "ra", conv("a", x, 4));
    const rv_value b = apply("relu", "rb", conv("b", a, 6));
    const rv_value loss = join("mse_loss", "loss", conv("c", b, 5), t);
    static const char *const names[] = {"a", "ra", "b", "rb", "c"};
    bool frozen[6] = {false};
    const uint32_t both = RV_WANT_PARAM(0) | RV_WANT_PARAM(1), data = RV_WANT_INPUT(0);
    const uint32_t wanted[2][5] = {{0, 0, both, data, both | data}, {0, 0, both, data, data}};
    for (int round = 0; round < 2; round++) {
        frozen[0] = true;
        frozen[4] = round == 1; /* c */
        make_plan((rv_plan_options){.mode = RV_TRAIN,
                                    .outputs = &loss,
                                    .n_outputs = 1,
                                    .param_gradients = true,
                                    .frozen = frozen});
        for (size_t i = 0; i < plan->n_nodes; i++) {
            for (int k = 0; k < 5; k++) {
                if (strcmp(plan->nodes[i].node.name, names[k]) == 0) {
                    cr_assert_eq(plan->nodes[i].node.wanted, wanted[round][k], "%s in round %d",
                                 names[k], round);
                }
            }
        }
        rv_plan_destroy(plan);
        plan = NULL;
    }
}

/* A norm without weights over what is given: it learns nothing and hands nothing down, so no gradient is made for it,
 * which would lie where others still read. */
Test(plan, a_norm_without_weights_at_the_bottom_wants_no_gradient)
{
    enum { ROWS = 6, WIDE = 40, CLASSES = 5 };
    rv_value x = input("x", rv_shape_2(ROWS, WIDE)), labels = input("labels", rv_shape_1(ROWS));
    rv_value norm = apply("batch_norm", "norm", x), logits, loss;
    RV_ASSERT_OK(rv_graph_add(graph, &logits, "dense", "dense", &norm, 1,
                              RV_ATTRS(RV_SET_INT("num_output", CLASSES))));
    loss = join("cross_entropy", "loss", logits, labels);
    const rv_value outputs[2] = {loss, logits};
    make_plan((rv_plan_options){
        .mode = RV_TRAIN, .outputs = outputs, .n_outputs = 2, .param_gradients = true});
    give(x);
    static const float classes[ROWS] = {0, 1, 2, 3, 4, 0};
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, labels), classes));
    RV_ASSERT_OK(rv_plan_forward(plan));
    float *before = values_of(rv_plan_tensor(plan, logits));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    float *after = values_of(rv_plan_tensor(plan, logits));
    cr_assert_arr_eq(before, after, ROWS * CLASSES * sizeof *before);
    /* The gradient of the weights: what comes in times softmax less the label. */
    float *given = numbers(x), *gradient = values_of(rv_params_gradient(params, 1, 0));
    for (int k = 0; k < CLASSES; k++) {
        for (int c = 0; c < WIDE; c++) {
            double mean = 0, square = 0, expected = 0;
            for (int i = 0; i < ROWS; i++) {
                mean += (double)given[i * WIDE + c] / ROWS;
                square += (double)given[i * WIDE + c] * (double)given[i * WIDE + c] / ROWS;
            }
            for (int i = 0; i < ROWS; i++) {
                double sum = 0;
                for (int j = 0; j < CLASSES; j++) {
                    sum += exp((double)before[i * CLASSES + j]);
                }
                const double p = exp((double)before[i * CLASSES + k]) / sum;
                const double in =
                    ((double)given[i * WIDE + c] - mean) / sqrt(square - mean * mean + 1e-5);
                expected += in * (p - (classes[i] == (float)k)) / ROWS;
            }
            cr_assert_float_eq(gradient[k * WIDE + c], expected, 1e-5, "%g, not %g",
                               (double)gradient[k * WIDE + c], expected);
        }
    }
    free(before);
    free(after);
    free(given);
    free(gradient);
}
