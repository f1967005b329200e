/* Built-in architectures: their sizes as published or as asked for, and what is refused. */
/* SPDX-License-Identifier: MIT */
#include "model/model.h"
#include "support/assert.h"

#include <reverie/model.h>

static rv_model *open_as(const char *name, int channels, int size, int classes)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    options.channels = channels;
    options.width = options.height = size;
    options.classes = classes;
    RV_ASSERT_OK(rv_model_open(&model, name, &options));
    return model;
}

static uint64_t count(const rv_model *model, uint64_t *macs)
{
    uint64_t parameters = 0;
    *macs = 0;
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        parameters += layer.parameters;
        *macs += layer.macs;
    }
    return parameters;
}

/* Counted by hand, layer by layer. */
Test(arch, parameters_and_multiply_adds_are_those_of_the_design)
{
    static const struct {
        const char *name;
        uint64_t parameters, macs;
    } rows[] = {
        {"mlp", 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10,
         784 * 300 + 300 * 100 + 100 * 10},
        {"mlp:20,10", 784 * 20 + 20 + 20 * 10 + 10 + 10 * 10 + 10, 784 * 20 + 20 * 10 + 10 * 10},
        {"lenet", 431080, 2293000},
        {"vgg-s", 1814952, 220645376},
        {"small-cnn", 241442, 202899712},
        {"resnet-18", 2846440, 139347968},
        {"squeezenet", 1248424, 861339936},
        {"vgg16", 138357544, 15470264320},
        {"vgg19", 143667240, 19632062464},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_model *model = open_as(rows[i].name, 0, 0, 0);
        uint64_t macs;
        const uint64_t parameters = count(model, &macs);
        cr_assert_eq(parameters, rows[i].parameters, "%s has %ju parameters", rows[i].name,
                     (uintmax_t)parameters);
        cr_assert_eq(macs, rows[i].macs, "%s: %ju", rows[i].name, (uintmax_t)macs);
        cr_assert(rv_model_is_random(model));
        rv_model_close(model);
    }
}

Test(arch, every_listed_architecture_opens)
{
    size_t n, opened = 0;
    const rv_model_entry *entries = rv_model_list(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(entries[i].source, "architecture") == 0) {
            rv_model *model = open_as(entries[i].name, 0, 0, 0);
            cr_assert_str_eq(rv_model_name(model), entries[i].name);
            rv_model_close(model);
            opened++;
        }
    }
    cr_assert_eq(opened, 8);
}

Test(arch, pictures_and_classes_are_those_asked_for)
{
    static const char *const names[] = {"mlp", "lenet", "vgg-s", "small-cnn", "resnet-18", "vgg16"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rv_model *model = open_as(names[i], 1, 32, 7);
        rv_model_graph graph;
        cr_assert_eq(rv_model_channels(model), 1);
        cr_assert_eq(rv_model_width(model), 32);
        RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
        const rv_shape in = rv_shape_4(1, 1, 32, 32), out = rv_shape_2(1, 7);
        cr_assert(rv_shape_equal(rv_graph_shape(graph.graph, graph.picture), &in));
        cr_assert(rv_shape_equal(rv_graph_shape(graph.graph, graph.output), &out), "%s", names[i]);
        rv_graph_destroy(graph.graph);
        rv_model_close(model);
    }
}

Test(arch, pooling_of_vgg_s_can_be_chosen)
{
    static const struct {
        rv_pooling pooling;
        const char *type;
        int layers; /* the mean of whole maps among those of average_pool */
    } rows[] = {{RV_POOLING_AS_MADE, "max_pool", 4},
                {RV_POOLING_AVERAGE, "average_pool", 5},
                {RV_POOLING_BINOMIAL, "binomial_pool", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_model_options options = RV_MODEL_OPTIONS_INIT;
        rv_model *model;
        int found = 0;
        options.pooling = rows[i].pooling;
        RV_ASSERT_OK(rv_model_open(&model, "vgg-s", &options));
        for (int k = 0; k < rv_model_layer_count(model); k++) {
            found += strcmp(rv_model_layer(model, k).type, rows[i].type) == 0;
        }
        cr_assert_eq(found, rows[i].layers, "%s", rows[i].type);
        rv_model_close(model);
    }
}

Test(arch, wrong_wishes_are_refused_by_name)
{
    static const struct {
        const char *name;
        int channels, size, classes;
        const char *words;
    } rows[] = {
        {"mlp:x", 0, 0, 0, "mlp:x"},
        {"mlp:300,", 0, 0, -1, "classes is -1"},
        {"mlp:300,0", 0, 0, 0, "mlp:300"},
        {"vgg-s:7", 0, 0, 0, "takes no ':7'"},
        {"vgg-s", 2, 0, 0, "1 or 3"},
        {"vgg-s", 0, 70000, 0, "width is 70000"},
        {"patches", 0, 0, 3, "no architecture"},
        {"mlpp:30", 1, 8, 2, "no architecture 'mlpp'; the nearest is 'mlp'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_model_options options = RV_MODEL_OPTIONS_INIT;
        rv_model *model;
        options.channels = rows[i].channels;
        options.width = options.height = rows[i].size;
        options.classes = rows[i].classes;
        RV_ASSERT_FAILS(rv_model_open(&model, rows[i].name, &options), RV_ERR_USAGE, rows[i].words);
    }
}
