/* Memory of plans: every step finds what it reads, memory is shared, and written in place. */
/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "graph/internal.h"
#include "play.h"
#include "support/assert.h"

#include <stdio.h>

TestSuite(memory, .init = open_device, .fini = close_device);

static uint64_t bytes_without_sharing(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->n_storages; i++) {
        sum += plan->storages[i].bytes;
    }
    return sum;
}

static int storage_of(rv_value v)
{
    return plan->values[plan->value_of[v]].storage;
}

/* --- tests ----------------------------------------------------------------------------------- */

Test(memory, a_chain_forward_takes_the_memory_of_two_tensors)
{
    rv_value v = input("x", rv_shape_4(1, 16, 32, 32));
    char name[16];
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "conv%d", i);
        v = conv(name, v, 16);
    }
    make_plan((rv_plan_options){.outputs = &v, .n_outputs = 1});
    play_plan();
    const uint64_t tensor = 16 * 32 * 32 * 4;
    /* The input stays; of the convolutions, the reordering and workspaces two are alive at a time. */
    uint64_t workspace = 0, packed = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const uint64_t w = plan->nodes[i].node.forward_workspace;
        workspace = w > workspace ? w : workspace;
        packed += plan->nodes[i].node.packed_bytes + plan->nodes[i].node.packed_back_bytes;
    }
    cr_assert_leq(rv_plan_bytes(plan) - packed, 3 * tensor + workspace + 4096);
    cr_assert_geq(bytes_without_sharing(), 10 * tensor);
}

Test(memory, a_branching_graph_with_gradients_finds_all_it_reads)
{
    const rv_value x = input("x", rv_shape_4(2, 8, 17, 19));
    const rv_value a = apply("relu", "a", conv("c1", x, 8));
    const rv_value b = apply("relu", "b", conv("c2", a, 8));
    const rv_value sum = apply("relu", "sum", join("add", "add", b, a));
    const rv_value squares = apply("square", "squares", sum);
    const rv_value wide = conv("c3", squares, 8);
    rv_value pool; /* saves where its maxima lie */
    RV_ASSERT_OK(rv_graph_add(graph, &pool, "max_pool", "pool", &wide, 1,
                              RV_ATTRS(RV_SET_INT("kernel", 2), RV_SET_INT("stride", 2))));
    const rv_value l1 = apply("range_loss", "l1", pool), l2 = apply("tv_loss", "l2", a);
    const rv_value gram = apply("gram", "gram", b);
    const rv_value l3 =
        join("mse_loss", "l3", gram, input("target", rv_shape_make(3, (int32_t[]){2, 8, 8})));
    const rv_value outputs[] = {l1, l2, l3, sum};
    make_plan((rv_plan_options){.outputs = outputs,
                                .n_outputs = 4,
                                .gradients = &x,
                                .n_gradients = 1,
                                .param_gradients = true});
    play_plan();
    cr_assert_lt(rv_plan_bytes(plan), bytes_without_sharing());
}

Test(memory, an_activation_is_written_in_place)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 9, 9));
    const rv_value c = conv("c", x, 8), r = apply("square", "r", c);
    make_plan((rv_plan_options){.outputs = &r, .n_outputs = 1});
    cr_assert_eq(storage_of(c), storage_of(r));
    play_plan();
}

Test(memory, a_wanted_value_is_not_written_over)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 9, 9));
    const rv_value c = conv("c", x, 8), r = apply("relu", "r", c);
    const rv_value outputs[] = {c, r};
    make_plan((rv_plan_options){.outputs = outputs, .n_outputs = 2});
    cr_assert_neq(storage_of(c), storage_of(r));
    play_plan();
}

Test(memory, an_input_is_not_written_over)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 9, 9)), r = apply("relu", "r", x);
    make_plan((rv_plan_options){.outputs = &r, .n_outputs = 1});
    cr_assert_neq(storage_of(x), storage_of(r));
    play_plan();
}

Test(memory, what_backward_reads_is_not_written_over)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 9, 9));
    const rv_value c = conv("c", x, 8), s = apply("square", "s", c);
    const rv_value l = apply("range_loss", "l", s);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1});
    cr_assert_neq(storage_of(c), storage_of(s), "square reads its input in backward");
    play_plan();
}

Test(memory, a_value_read_twice_by_one_node_shares_nothing_with_its_output)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 9, 9));
    const rv_value a = conv("a", x, 8), b = conv("b", x, 8);
    const rv_value in[] = {a, b, a};
    rv_value sum;
    RV_ASSERT_OK(rv_graph_add(graph, &sum, "add", "sum", in, 3, RV_NO_ATTRS));
    make_plan((rv_plan_options){.outputs = &sum, .n_outputs = 1});
    play_plan();
}

Test(memory, the_gradient_of_a_value_read_twice_shares_nothing_with_that_of_the_output)
{
    const rv_value x = input("x", rv_shape_4(1, 8, 9, 9));
    const rv_value a = conv("a", x, 8), b = conv("b", x, 8);
    const rv_value in[] = {a, a, b};
    rv_value sum;
    RV_ASSERT_OK(rv_graph_add(graph, &sum, "add", "sum", in, 3, RV_NO_ATTRS));
    const rv_value l = apply("range_loss", "l", sum);
    make_plan((rv_plan_options){.outputs = &l, .n_outputs = 1, .gradients = &x, .n_gradients = 1});
    play_plan();
}
