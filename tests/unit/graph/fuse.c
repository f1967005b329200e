/* Rectifiers merged into the launch before them, where nobody sees the difference. */
/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "graph/internal.h"
#include "model/model.h"
#include "support/assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(fuse, .init = open_device, .fini = close_device);

/* Whether the node that makes v in the graph has a step of its own, forward. */
static bool runs(rv_value v)
{
    const rv_plan_node *p = node_of(v);
    return !p->merged && p->graph_node == rv_graph_producer(graph, v);
}

/* Between two convolutions, so that the layout is blocked: the values with c seen, which keeps it apart, and without. */
static void merges(const char *rectifier, float slope)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 7, 6)), c = conv("c", x, 19);
    const rv_value r = apply(rectifier, "r", c);
    const rv_value both[] = {c, r};
    make_plan((rv_plan_options){.outputs = both, .n_outputs = 2});
    cr_assert(runs(r), "what the caller wants is there");
    cr_assert_eq(node_of(c)->node.slope, 1.0f);
    const int steps = rv_plan_step_count(plan);
    float *apart = run_plan(x, r), *raw = run_plan(x, c);
    release_plan();
    make_plan((rv_plan_options){.outputs = &r, .n_outputs = 1});
    cr_assert(!runs(r));
    cr_assert_eq(node_of(r)->node.slope, slope);
    cr_assert_eq(rv_plan_step_count(plan), steps - 1);
    float *merged = run_plan(x, r);
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
    const rv_value x = input("x", rv_shape_4(1, 16, 5, 5));
    rv_value v = x, rectified[4];
    v = rectified[0] = apply("relu", "r0", apply("scale", "before0", v));
    v = rectified[1] = apply("relu", "r1", apply("batch_norm", "before1", v));
    v = rectified[2] = apply("relu", "r2", join("add", "before2", v, x));
    rv_value d;
    RV_ASSERT_OK(
        rv_graph_add(graph, &d, "dense", "before3", &v, 1, RV_ATTRS(RV_SET_INT("num_output", 7))));
    rectified[3] = apply("leaky_relu", "r3", d);
    make_plan((rv_plan_options){.outputs = &rectified[3], .n_outputs = 1});
    for (int i = 0; i < 4; i++) {
        cr_assert(!runs(rectified[i]), "%d", i);
    }
}

Test(fuse, a_value_that_another_node_reads_stays)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 5, 5)), c = conv("c", x, 16);
    const rv_value r = apply("relu", "r", c), s = join("add", "s", r, c);
    make_plan((rv_plan_options){.outputs = &s, .n_outputs = 1});
    cr_assert(runs(r));
}

Test(fuse, what_makes_no_rectified_output_is_left_alone)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 5, 5));
    const rv_value r = apply("relu", "r", apply("square", "s", x));
    const rv_value q = apply("square", "q", conv("c", r, 16));
    const rv_value twice = apply("leaky_relu", "twice", apply("relu", "once", conv("d", x, 16)));
    const rv_value outputs[] = {q, apply("relu", "of the input", x), twice};
    make_plan((rv_plan_options){.outputs = outputs, .n_outputs = 3});
    cr_assert(runs(r));
    cr_assert(runs(q));
    cr_assert(runs(outputs[1]));
    cr_assert(runs(twice), "the convolution has a rectifier by then");
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

/* Gradient of a loss over the maxima of rectified values, freed by the caller.
 * @param others  1: r is wanted beside the loss */
static float *pooled_gradient(rv_value x, rv_value l, rv_value r, int others)
{
    const rv_value outputs[] = {l, r};
    make_plan((rv_plan_options){
        .outputs = outputs, .n_outputs = 1 + others, .gradients = &x, .n_gradients = 1});
    free(run_plan(x, l));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    float *values = malloc(rv_shape_count(rv_graph_shape(graph, x)) * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_gradient(plan, x), values));
    return values;
}

/* The rectified values need not be kept for backward then: the maxima have their signs. */
static void pool_rectifies_backward(const char *rectifier, int kernel)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 15, 13)), c = conv("c", x, 19);
    const rv_value r = apply(rectifier, "r", c);
    rv_value p;
    RV_ASSERT_OK(rv_graph_add(graph, &p, "max_pool", "p", &r, 1,
                              RV_ATTRS(RV_SET_INT("kernel", kernel), RV_SET_INT("stride", 2))));
    const rv_value l = apply("range_loss", "l", conv("c2", p, 7));
    float *apart = pooled_gradient(x, l, r, 1);
    cr_assert(!rv_backward_reads_output(&node_of(p)->node));
    const size_t backward = plan->n_steps - plan->n_nodes;
    release_plan();
    float *merged = pooled_gradient(x, l, r, 0);
    cr_assert(rv_backward_reads_output(&node_of(p)->node));
    cr_assert_eq(plan->n_steps - plan->n_nodes, backward - 1);
    int differ = 0;
    for (size_t i = 0; i < rv_shape_count(rv_graph_shape(graph, x)); i++) {
        cr_assert_eq(merged[i], apart[i], "value %zu", i);
        differ += merged[i] != 0;
    }
    cr_assert_gt(differ, 1000);
    free(apart);
    free(merged);
}

Test(fuse, backward_of_a_pool_takes_the_rectifier_before_it_along)
{
    pool_rectifies_backward("relu", 2);
}

Test(fuse, backward_of_overlapping_windows_takes_it_along_too)
{
    pool_rectifies_backward("relu", 3);
}

Test(fuse, backward_of_a_pool_takes_a_leaky_rectifier_along)
{
    pool_rectifies_backward("leaky_relu", 2);
}

Test(fuse, backward_of_batch_norm_takes_the_rectifier_along)
{
    const rv_value x = input("x", rv_shape_4(2, 16, 6, 5)), c = conv("c", x, 16);
    const rv_value b = apply("batch_norm", "b", c), r = apply("relu", "r", b);
    const rv_value l = apply("range_loss", "l", r);
    make_plan((rv_plan_options){.mode = RV_TRAIN,
                                .outputs = &l,
                                .n_outputs = 1,
                                .gradients = &x,
                                .n_gradients = 1,
                                .param_gradients = true});
    cr_assert_eq(node_of(r)->graph_node, rv_graph_producer(graph, b));
    cr_assert_eq(node_of(r)->node.slope, 0);
    float *values = run_plan(x, x);
    free(values);
    RV_ASSERT_OK(rv_plan_backward(plan, false));
}

/* --- affine maps in inference ---------------------------------------------------------------- */

/* Statistics and factors that leave nothing as it is. */
static void set_numbers(rv_graph *g)
{
    for (int i = 0; i < rv_graph_node_count(g); i++) {
        for (int k = 0; k < RV_MAX_PARAMS + RV_MAX_STATE; k++) {
            rv_param *p = k < RV_MAX_PARAMS ? rv_graph_param(g, i, k)
                                            : rv_graph_state(g, i, k - RV_MAX_PARAMS);
            const size_t n = p != NULL ? rv_shape_count(&p->shape) : 0;
            float *values = malloc((n + 1) * sizeof *values);
            for (size_t j = 0; j < n; j++) {
                values[j] = 0.25f + (float)((j * 13 + (size_t)(7 * k)) % 29) / 40.0f;
                values[j] *= k == 0 && p->shape.rank == 4 && j % 2 == 0 ? -0.5f : 1.0f;
            }
            if (n > 0) {
                RV_ASSERT_OK(rv_param_set(p, values, n));
            }
            free(values);
        }
    }
}

/* Running statistics and factors of node i as after some training, where it has them. */
static void set_statistics(int i)
{
    for (int k = 0; k < 2; k++) {
        rv_param *factors = rv_graph_param(graph, i, k), *statistics = rv_graph_state(graph, i, k);
        for (size_t j = 0; statistics != NULL && j < rv_shape_count(&statistics->shape); j++) {
            const float spread = (float)((j * 13 + (size_t)i) % 29) / 29.0f;
            statistics->data[j] = k == 0 ? spread - 0.5f : 0.1f + 2 * spread;
            factors->data[j] = k == 0 ? 0.5f + spread : 0.4f - spread;
        }
    }
}

static rv_value batch_norm(const char *name, rv_value in, int affine)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_add(graph, &v, "batch_norm", name, &in, 1,
                              RV_ATTRS(RV_SET_INT("affine", affine))));
    return v;
}

static void close_to(const float *a, const float *b, size_t n, const char *what)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)a[i]));
    }
    for (size_t i = 0; i < n; i++) {
        cr_assert_float_eq(a[i], b[i], 1e-5 * largest, "%s, value %zu: %g and %g", what, i,
                           (double)a[i], (double)b[i]);
    }
    cr_assert_gt(largest, 1e-3);
}

/* conv -> batch norm -> scale -> relu: with the convolution's output wanted too, nothing folds. */
Test(fuse, batch_norm_and_scale_go_into_the_convolution)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 7, 6));
    rv_value c;
    RV_ASSERT_OK(rv_graph_add(
        graph, &c, "conv", "c", &x, 1,
        RV_ATTRS(RV_SET_INT("num_output", 19), RV_SET_INT("kernel", 3), RV_SET_INT("bias", 0))));
    const rv_value s = apply("scale", "s", batch_norm("b", c, 0)), r = apply("relu", "r", s);
    const rv_value l = apply("range_loss", "l", r);
    const rv_value apart[] = {l, r, c}, all[] = {l, r};
    float *out[2], *gradient[2];
    set_numbers(graph);
    for (int i = 0; i < 2; i++) {
        make_plan((rv_plan_options){.outputs = i == 0 ? apart : all,
                                    .n_outputs = i == 0 ? 3 : 2,
                                    .gradients = &x,
                                    .n_gradients = 1});
        cr_assert_eq(plan->n_folds, i == 0 ? 0 : 2);
        cr_assert_eq(runs(s), i == 0);
        out[i] = run_plan(x, r);
        RV_ASSERT_OK(rv_plan_backward(plan, false));
        rv_tensor *g = rv_plan_gradient(plan, x);
        gradient[i] = malloc(rv_shape_count(&g->shape) * sizeof(float));
        RV_ASSERT_OK(rv_tensor_read(device, g, gradient[i]));
        release_plan();
    }
    close_to(out[0], out[1], rv_shape_count(rv_graph_shape(graph, r)), "output");
    close_to(gradient[0], gradient[1], rv_shape_count(rv_graph_shape(graph, x)), "gradient");
    for (int i = 0; i < 2; i++) {
        free(out[i]);
        free(gradient[i]);
    }
}

Test(fuse, a_dense_layer_takes_batch_norm_with_its_own_bias)
{
    const rv_value x = input("x", rv_shape_2(3, 20));
    rv_value d;
    RV_ASSERT_OK(
        rv_graph_add(graph, &d, "dense", "d", &x, 1, RV_ATTRS(RV_SET_INT("num_output", 21))));
    const rv_value b = batch_norm("b", d, 1);
    const rv_value both[] = {b, d};
    set_numbers(graph);
    make_plan((rv_plan_options){.outputs = both, .n_outputs = 2});
    float *apart = run_plan(x, b);
    release_plan();
    make_plan((rv_plan_options){.outputs = &b, .n_outputs = 1});
    cr_assert_eq(plan->n_folds, 1);
    float *folded = run_plan(x, b);
    close_to(apart, folded, 3 * 21, "output");
    /* And again where parameters change. */
    RV_ASSERT_OK(rv_buffer_fill(device, rv_params_values(params), 0,
                                rv_params_floats(params) * sizeof(float), 0.0f));
    rv_params_changed(params);
    free(folded);
    folded = run_plan(x, b);
    for (int i = 0; i < 3 * 21; i++) {
        cr_assert_eq(folded[i], 0.0f);
    }
    free(apart);
    free(folded);
}

Test(fuse, nothing_folds_in_training_or_for_gradients_of_parameters)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 7, 6));
    const rv_value b = batch_norm("b", conv("c", x, 19), 1), l = apply("range_loss", "l", b);
    make_plan((rv_plan_options){.mode = RV_TRAIN, .outputs = &l, .n_outputs = 1});
    cr_assert_eq(plan->n_folds, 0);
    release_plan();
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .param_gradients = true});
    cr_assert_eq(plan->n_folds, 0);
    release_plan();
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1});
    cr_assert_eq(plan->n_folds, 1);
}

Test(fuse, branches_fold_each_into_its_own)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 7, 6));
    const rv_value c1 = conv("c1", x, 19), c2 = conv("c2", x, 19);
    const rv_value b1 = batch_norm("b1", c1, 0), b2 = batch_norm("b2", c2, 0);
    const rv_value s1 = apply("scale", "s1", b1), s2 = apply("scale", "s2", b2);
    const rv_value sum = join("add", "sum", s1, s2);
    const rv_value apart[] = {sum, c1, c2};
    set_numbers(graph);
    make_plan((rv_plan_options){.outputs = apart, .n_outputs = 3});
    float *expected = run_plan(x, sum);
    release_plan();
    make_plan((rv_plan_options){.outputs = &sum, .n_outputs = 1});
    cr_assert_eq(plan->n_folds, 4);
    float *got = run_plan(x, sum);
    close_to(expected, got, rv_shape_count(rv_graph_shape(graph, sum)), "sum");
    free(expected);
    free(got);
}

/* vgg-s as it is shipped, 32 pixels: convolutions wanted beside the scores keep what follows apart, and stay what they
 * are by name; with all but one folded that one is the same. */
Test(fuse, a_whole_network_gives_the_same_folded_and_its_names_stay)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model_graph model;
    rv_model *network;
    rv_value all[11], norm;
    char name[32];
    int n = 0;
    options.width = options.height = 32;
    RV_ASSERT_OK(rv_model_open(&network, "vgg-s", &options));
    RV_ASSERT_OK(rv_model_build(&model, network, NULL, 0));
    rv_model_close(network);
    rv_graph_destroy(graph);
    graph = model.graph;
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        set_statistics(i);
    }
    all[n++] = model.output;
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "conv%d_%d", 1 + i / 2, 1 + i % 2);
        RV_ASSERT_OK(rv_graph_find(graph, &all[n++], name));
    }
    make_plan((rv_plan_options){.outputs = all, .n_outputs = n});
    cr_assert_eq(plan->n_folds, 0);
    float *scores = run_plan(model.picture, all[0]), *apart = read_value(all[4]);
    release_plan();
    make_plan((rv_plan_options){.outputs = all, .n_outputs = 1});
    cr_assert_eq(plan->n_folds, 9);
    float *folded = run_plan(model.picture, all[0]);
    close_to(scores, folded, 200, "scores");
    free(folded);
    release_plan();
    RV_ASSERT_OK(rv_graph_find(graph, &norm, "norm4_2"));
    const rv_value some[] = {all[0], all[4], norm};
    make_plan((rv_plan_options){.outputs = some, .n_outputs = 3});
    cr_assert_eq(plan->n_folds, 8, "norm4_2 is wanted, but comes of the convolution all the same");
    folded = run_plan(model.picture, all[0]);
    float *beside = read_value(all[4]);
    close_to(scores, folded, 200, "scores");
    close_to(apart, beside, rv_shape_count(rv_graph_shape(graph, all[4])), "conv2_2");
    free(scores);
    free(apart);
    free(folded);
    free(beside);
}

/* --- guided rectifiers -------------------------------------------------------------------------- */

/* Gradient of a sum of products with numbers of both signs through one rectifier of x itself. */
static void guided_through(const char *rectifier, float slope)
{
    const rv_value x = input("x", rv_shape_4(2, 9, 5, 7)), t = input("t", rv_shape_4(2, 9, 5, 7));
    const rv_value l = join("dot_loss", "l", apply(rectifier, "r", x), t);
    const size_t n = 2 * 9 * 5 * 7;
    float *target = malloc(n * sizeof *target), *got = malloc(n * sizeof *got);
    make_plan((rv_plan_options){
        .outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1, .guided = true});
    for (size_t i = 0; i < n; i++) {
        target[i] = (float)(i * 29 % 83) - 41.0f;
    }
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, t), target));
    free(run_plan(x, l));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_gradient(plan, x), got));
    for (size_t i = 0; i < n; i++) {
        const bool above = (float)(i * 37 % 101) / 50.0f - 1.0f > 0;
        cr_assert_float_eq(got[i], (above ? 1 : slope) * fmaxf(target[i], 0), 1e-6, "value %zu", i);
    }
    free(target);
    free(got);
}

Test(fuse, guided_rectifiers_hand_down_what_is_above_0)
{
    guided_through("relu", 0);
}

Test(fuse, guided_leaky_rectifiers_keep_their_slope)
{
    guided_through("leaky_relu", 0.01f);
}

Test(fuse, a_guided_rectifier_is_not_merged_where_it_runs_backward)
{
    const rv_value x = input("x", rv_shape_4(1, 16, 6, 5)), c = conv("c", x, 16);
    const rv_value r = apply("relu", "r", c), l = apply("range_loss", "l", r);
    make_plan((rv_plan_options){
        .outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1, .guided = true});
    cr_assert(runs(r));
    release_plan();
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .guided = true});
    cr_assert(!runs(r));
}
