/* Values that are computed in their place of what joins them, and gradients that go back through rectifiers there. */
/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "graph/internal.h"
#include "support/assert.h"

#include <stdio.h>
#include <stdlib.h>

TestSuite(join, .init = open_device, .fini = close_device);

/* Three convolutions of 32, 16 and 9 channels into one, of which the last does not fill its block; `seen` is one of
 * them that the caller wants too, which is copied then. */
Test(join, what_is_joined_is_computed_in_its_place)
{
    const rv_value x = input("x", rv_shape_4(1, 9, 8, 8));
    const rv_value in[] = {apply("relu", "r", conv("a", x, 32)), conv("b", x, 16), conv("c", x, 9)};
    rv_value j;
    RV_ASSERT_OK(rv_graph_add(graph, &j, "concat", "j", in, 3, RV_NO_ATTRS));
    const rv_value s = apply("square", "s", j), seen[] = {s, in[0], in[1], in[2]};
    make_plan((rv_plan_options){.outputs = seen, .n_outputs = 4});
    cr_assert_eq(node_of(j)->node.placed, 0);
    float *expected = run_plan(x, s);
    release_plan();
    make_plan((rv_plan_options){.outputs = seen, .n_outputs = 2});
    cr_assert_eq(node_of(j)->node.placed, 6);
    float *two = run_plan(x, s);
    release_plan();
    make_plan((rv_plan_options){.outputs = &s, .n_outputs = 1});
    cr_assert_eq(node_of(j)->node.placed, 7);
    float *three = run_plan(x, s);
    for (size_t i = 0; i < rv_shape_count(rv_graph_shape(graph, s)); i++) {
        cr_assert_eq(two[i], expected[i], "%zu", i);
        cr_assert_eq(three[i], expected[i], "%zu", i);
    }
    free(expected);
    free(two);
    free(three);
}

/* What comes behind channels that do not fill their block, what another node reads, or of several pictures what only
 * makes them one behind the other. */
Test(join, what_cannot_lie_in_its_place_is_copied)
{
    const rv_value x = input("x", rv_shape_4(1, 9, 8, 8)), y = input("y", rv_shape_4(2, 9, 8, 8));
    const rv_value a = conv("a", x, 9), b = conv("b", x, 16), c = conv("c", x, 16);
    const rv_value shifted = join("concat", "shifted", a, b);
    const rv_value shared = join("concat", "shared", c, conv("d", c, 16));
    const rv_value pair =
        join("concat", "pair", apply("square", "s", conv("e", y, 16)), conv("f", y, 16));
    const rv_value outputs[] = {shifted, shared, pair};
    make_plan((rv_plan_options){.outputs = outputs, .n_outputs = 3});
    cr_assert_eq(node_of(shifted)->node.placed, 1);
    cr_assert_eq(node_of(shared)->node.placed, 2);
    cr_assert_eq(node_of(pair)->node.placed, 2);
}

/* --- gates ----------------------------------------------------------------------------------- */

typedef struct branches {
    rv_value x, loss, joint, norm;
    rv_value before[4]; /* the rectifiers; wanted, they keep these apart */
} branches;

/* A convolution, normalisation, and three convolutions side by side, all rectified but one of them if so said; then two
 * of what these are joined to, or a loss of that itself. */
static branches build_branches(int pictures, const char *rectifier, bool all, bool above)
{
    static const int channels[] = {32, 16, 9};
    branches b = {.x = input("x", rv_shape_4(pictures, 9, 12, 11))};
    rv_value in[3];
    b.before[3] = conv("c", b.x, 192); /* larger than the joint: gates take no memory then */
    b.norm = apply("lrn", "n", apply(rectifier, "r", b.before[3]));
    for (int i = 0; i < 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "c%d", i);
        b.before[i] = conv(name, b.norm, channels[i]);
        snprintf(name, sizeof name, "r%d", i);
        in[i] = i > 0 || all ? apply(rectifier, name, b.before[i]) : b.before[i];
    }
    RV_ASSERT_OK(rv_graph_add(graph, &b.joint, "concat", "j", in, 3, RV_NO_ATTRS));
    const rv_value top = above ? join("add", "a", conv("d", b.joint, 16), conv("e", b.joint, 16))
                               : apply("square", "s", b.joint);
    b.loss = apply("range_loss", "l", top);
    return b;
}

/* The gradient of the picture, freed by the caller. */
static float *gradient_of(const branches *b, bool apart)
{
    const rv_value outputs[] = {b->loss, b->before[0], b->before[1], b->before[2], b->before[3]};
    make_plan((rv_plan_options){
        .outputs = outputs, .n_outputs = apart ? 5 : 1, .gradients = &b->x, .n_gradients = 1});
    free(run_plan(b->x, b->loss));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    float *values = malloc(rv_shape_count(rv_graph_shape(graph, b->x)) * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_gradient(plan, b->x), values));
    return values;
}

/* The same bytes as with each rectifier in a step of its own, which there are `fewer` of. */
static void same_without_steps(const branches *b, size_t fewer)
{
    float *apart = gradient_of(b, true);
    const size_t steps = plan->n_steps - plan->n_nodes;
    int differ = 0;
    cr_assert_eq(node_of(b->norm)->node.gated, 0);
    release_plan();
    float *merged = gradient_of(b, false);
    cr_assert_eq(plan->n_steps - plan->n_nodes, steps - fewer);
    cr_assert_eq(node_of(b->norm)->node.gated, 1);
    for (size_t i = 0; i < rv_shape_count(rv_graph_shape(graph, b->x)); i++) {
        cr_assert_eq(merged[i], apart[i], "value %zu: %g and %g", i, (double)merged[i],
                     (double)apart[i]);
        differ += merged[i] != 0;
    }
    cr_assert_gt(differ, 1000);
    free(apart);
    free(merged);
}

Test(join, whoever_writes_a_gradient_last_takes_it_back_through_the_rectifier)
{
    const branches b = build_branches(1, "relu", true, true);
    same_without_steps(&b, 4);
    cr_assert_eq(node_of(b.joint)->node.gated, 0, "handed on");
    cr_assert_eq(node_of(b.joint)->node.placed, 7);
    cr_assert_eq(node_of(b.joint)->node.gradients_placed, 7);
}

Test(join, parts_of_several_pictures_lie_in_their_places_too)
{
    const branches b = build_branches(2, "leaky_relu", true, true);
    same_without_steps(&b, 4);
    cr_assert_eq(node_of(b.joint)->node.placed, 7);
    cr_assert_eq(node_of(b.joint)->node.gradients_placed, 7);
}

Test(join, a_joint_takes_gradients_back_where_no_other_can)
{
    const branches b = build_branches(2, "relu", true, false);
    same_without_steps(&b, 4);
    cr_assert_eq(node_of(b.joint)->node.gated, 7);
    cr_assert_eq(node_of(b.joint)->node.gradients_placed, 0);
}

Test(join, a_joint_keeps_the_gates_of_a_part_of_its_inputs)
{
    const branches b = build_branches(1, "relu", false, true);
    same_without_steps(&b, 3);
    cr_assert_eq(node_of(b.joint)->node.gated, 6);
    cr_assert_eq(node_of(b.joint)->node.gradients_placed, 1);
}
