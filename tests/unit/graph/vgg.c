/* Memory of the plan of style transfer on VGG-19 at 512 pixels, laid out without running it. */
/* SPDX-License-Identifier: MIT */
#include "build.h"
#include "graph/internal.h"
#include "model/model.h"
#include "play.h"
#include "support/assert.h"
#include "support/device.h"

#include <stdio.h>

static rv_model_graph model;
static rv_value losses[8];
static int n_losses;

static void add_loss(rv_value value, const char *name)
{
    char target[32];
    snprintf(target, sizeof target, "target %s", name);
    losses[n_losses++] =
        join("mse_loss", name, value, input(target, *rv_graph_shape(graph, value)));
}

/* The network of `reverie bench stylize`; its parameters are on the device. */
static void open_vgg(void)
{
    static const char *const styles[] = {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"};
    static const char *const layers[] = {"relu5_1"};
    rv_model *network;
    rv_value v;
    if (rv_test_gpu_form_only()) {
        cr_skip_test("the megabytes are those of the form for processors");
    }
    device = rv_test_device();
    RV_ASSERT_OK(rv_model_open(&network, "vgg19", NULL));
    RV_ASSERT_OK(rv_model_build(&model, network, layers, 1));
    rv_model_close(network);
    graph = model.graph;
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    RV_ASSERT_OK(rv_graph_reshape(graph, model.picture, rv_shape_4(1, 3, 512, 512)));
    for (int i = 0; i < 5; i++) {
        char name[32];
        RV_ASSERT_OK(rv_graph_find(graph, &v, styles[i]));
        snprintf(name, sizeof name, "gram %d", i);
        add_loss(apply("gram", name, v), styles[i] + 4);
    }
    RV_ASSERT_OK(rv_graph_find(graph, &v, "relu4_2"));
    add_loss(v, "content");
}

TestSuite(vgg, .init = open_vgg, .fini = close_device);

/* In megabytes: what the plan takes, which is at most 1 % above what lives at its fullest step. */
static double lay_out(uint64_t memory)
{
    uint64_t live;
    const rv_plan_options options = {.outputs = losses,
                                     .n_outputs = n_losses,
                                     .gradients = &model.picture,
                                     .n_gradients = 1,
                                     .memory = memory,
                                     .layout_only = true};
    rv_plan_destroy(plan);
    RV_ASSERT_OK(rv_plan_create(&plan, graph, params, device, &options));
    RV_ASSERT_OK(rv_plan_live_bytes(plan, &live));
    const double bytes = (double)rv_plan_bytes(plan);
    cr_assert_leq(bytes, 1.01 * (double)live, "%.1f MB for %.1f MB", 1e-6 * bytes,
                  1e-6 * (double)live);
    play_plan();
    return 1e-6 * bytes;
}

static double packed_megabytes(void)
{
    double sum = 0;
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const rv_node *n = &plan->nodes[i].node;
        sum += plan->nodes[i].pack_on_use ? 0 : (double)(n->packed_bytes + n->packed_back_bytes);
    }
    return 1e-6 * sum;
}

/* Kept for backward are the rectified maps but for relu1_1, 67 MB that cost next to nothing to compute
 * again, and the four before the pools, which have their signs: 107 MB. Fullest is a step in the backward
 * of the first two convolutions, with two gradients of 67 MB. */
Test(vgg, a_plan_takes_what_lives_at_its_fullest_step)
{
    const double bytes = lay_out(UINT64_MAX);
    cr_assert_leq(bytes - packed_megabytes(), 215);
}

Test(vgg, a_plan_gets_by_with_a_third_of_that)
{
    cr_assert_leq(lay_out(400000000), 400);
    cr_assert_leq(lay_out(185000000), 185);
}
