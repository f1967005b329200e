/* New heads: what is taken off, what is put on, and what cannot be. */
/* SPDX-License-Identifier: MIT */
#include "model/model.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdio.h>

static rv_status open_with(rv_model **out, const char *name, const char *head, int classes)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.head = head;
    options.classes = classes;
    return rv_model_open(out, name, &options);
}

/* Names of the last layers. */
static void expect_end(const char *name, const char *head, const char *const *names, int n)
{
    rv_model *model;
    rv_model_graph graph;
    const rv_shape out = rv_shape_2(1, 5);
    RV_ASSERT_OK(open_with(&model, name, head, 5));
    const int all = rv_model_layer_count(model);
    for (int i = 0; i < n; i++) {
        cr_assert_str_eq(rv_model_layer(model, all - n + i).name, names[i], "%s", name);
    }
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    cr_assert(rv_shape_equal(rv_graph_shape(graph.graph, graph.output), &out));
    rv_graph_destroy(graph.graph);
    rv_model_close(model);
}

Test(head, the_classifier_goes_and_maps_are_averaged)
{
    static const char *const fire[] = {"fire9/concat", "head/average", "head/norm", "head/outputs",
                                       "prob"};
    expect_end("squeezenet", "linear", fire, 5);
    static const char *const small[] = {"pool5",     "head/average", "head/norm",    "head/dense1",
                                        "head/elu1", "head/drop1",   "head/outputs", "prob"};
    expect_end("vgg-s", "dense 256 elu, dropout 0.5", small, 8);
    static const char *const flat[] = {"relu1",      "head/norm",    "head/dense1", "head/dense2",
                                       "head/tanh2", "head/outputs", "prob"};
    expect_end("lenet", "dense 9,dense 7 tanh", flat, 7);
    static const char *const vgg[] = {"relu7", "head/norm", "head/outputs", "prob"};
    expect_end("vgg16", "linear", vgg, 4);
}

/* A head that was put on before goes as a whole: none of its layers stay, nor are their weights drawn anew. */
Test(head, a_head_replaces_a_head)
{
    char path[256];
    rv_model *model;
    RV_ASSERT_OK(open_with(&model, "vgg-s", "dense 256 elu, dropout 0.5", 5));
    snprintf(path, sizeof path, "%s", rv_test_path("model.safetensors"));
    RV_ASSERT_OK(rv_model_save(model, path, NULL));
    rv_model_close(model);
    static const char *const linear[] = {"pool5", "head/average", "head/norm", "head/outputs",
                                         "prob"};
    expect_end(path, "linear", linear, 5);
    static const char *const other[] = {"pool5",       "head/average", "head/norm",
                                        "head/dense1", "head/outputs", "prob"};
    expect_end(path, "dense 9", other, 6);
    RV_ASSERT_OK(open_with(&model, "lenet", "dense 9", 5));
    snprintf(path, sizeof path, "%s", rv_test_path("flat.safetensors"));
    RV_ASSERT_OK(rv_model_save(model, path, NULL));
    rv_model_close(model);
    static const char *const flat[] = {"relu1", "head/norm", "head/outputs", "prob"};
    expect_end(path, "linear", flat, 4);
}

Test(head, what_is_no_head_is_named)
{
    static const char *const heads[] = {"dense",   "dense x",          "dense 0", "dense 5 elv",
                                        "dropout", "dropout 0.5 relu", "conv 3",  ""};
    rv_model *model;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0] - 1; i++) {
        RV_ASSERT_FAILS(open_with(&model, "vgg-s", heads[i], 5), RV_ERR_USAGE, heads[i]);
    }
    RV_ASSERT_FAILS(open_with(&model, "vgg-s", "dropout 2", 5), RV_ERR_USAGE, "dropout");
    RV_ASSERT_FAILS(open_with(&model, "vgg-s", "linear", 0), RV_ERR_USAGE, "number of classes");
}
