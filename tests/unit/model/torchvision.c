/* safetensors of torchvision's networks: recognised by names and shapes, built as torchvision does, names as in Caffe's
 * files; and those that a prototxt describes. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 128 };

/* Tensors to be written, each filled with its number. */
typedef struct tensors {
    rv_stored_tensor list[MAX_TENSORS];
    char name[MAX_TENSORS][64];
    size_t n;
} tensors;

static void add(tensors *t, rv_shape shape, const char *format, int module)
{
    const size_t count = rv_shape_count(&shape);
    float *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)t->n + 1;
    }
    snprintf(t->name[t->n], sizeof t->name[0], format, module);
    t->list[t->n] = (rv_stored_tensor){t->name[t->n], shape, values};
    t->n++;
}

static const char *write_file(tensors *t, const char *name)
{
    const char *path = rv_test_path(name);
    RV_ASSERT_OK(rv_safetensors_write(path, t->list, t->n, NULL, 0, &(rv_store_options){0}));
    for (size_t i = 0; i < t->n; i++) {
        free((void *)t->list[i].data);
    }
    return path;
}

/* vgg11, or with normalisation, of few channels. */
static void add_features(tensors *t, bool norm)
{
    static const char layers[] = "cpcpccpccpccp";
    static const int channels[] = {2, 3, 4, 4, 5, 5, 6, 6};
    int module = 0, before = 3, conv = 0;
    for (const char *l = layers; *l != '\0'; l++) {
        if (*l == 'p') {
            module++;
            continue;
        }
        const int c = channels[conv++];
        add(t, rv_shape_4(c, before, 3, 3), "features.%d.weight", module);
        add(t, rv_shape_1(c), "features.%d.bias", module++);
        if (norm) {
            add(t, rv_shape_1(c), "features.%d.weight", module);
            add(t, rv_shape_1(c), "features.%d.bias", module);
            add(t, rv_shape_1(c), "features.%d.running_mean", module);
            add(t, rv_shape_1(c), "features.%d.running_var", module++);
        }
        module++; /* ReLU */
        before = c;
    }
}

static void add_vgg(tensors *t, bool norm)
{
    add_features(t, norm);
    add(t, rv_shape_2(8, 6 * 7 * 7), "classifier.%d.weight", 0);
    add(t, rv_shape_1(8), "classifier.%d.bias", 0);
    add(t, rv_shape_2(7, 8), "classifier.%d.weight", 3);
    add(t, rv_shape_1(7), "classifier.%d.bias", 3);
    add(t, rv_shape_2(10, 7), "classifier.%d.weight", 6);
    add(t, rv_shape_1(10), "classifier.%d.bias", 6);
}

/* First value of a parameter of the layer of that name. */
static float first_value(const rv_model_graph *g, const char *layer, int param)
{
    rv_value v;
    RV_ASSERT_OK(rv_graph_find(g->graph, &v, layer));
    const rv_param *p = rv_graph_param(g->graph, rv_graph_producer(g->graph, v), param);
    cr_assert_not_null(p, "%s", layer);
    return p->data[0];
}

Test(torchvision, vgg_networks_are_recognised_with_the_names_of_caffes_files)
{
    static tensors t;
    rv_model *model;
    rv_model_graph g;
    add_vgg(&t, false);
    RV_ASSERT_OK(rv_model_open(&model, write_file(&t, "v.safetensors"), NULL));
    cr_assert_str_eq(rv_model_name(model), "vgg11");
    cr_assert_eq(rv_model_width(model), 224);
    const rv_preprocessing *p = rv_model_preprocessing(model);
    cr_assert(!p->bgr && p->range == 1 && p->mean[0] == 0.485f && p->deviation[2] == 0.225f);
    RV_ASSERT_OK(rv_model_build(&g, model, NULL, 0));
    cr_assert_eq(first_value(&g, "conv1_1", 0), 1);
    cr_assert_eq(first_value(&g, "conv3_2", 0), 7);
    cr_assert_eq(first_value(&g, "features.8", 0), 7, "by torchvision's name as well");
    cr_assert_eq(first_value(&g, "fc8", 1), 22);
    rv_graph_destroy(g.graph);
    rv_model_close(model);
}

Test(torchvision, normalised_vgg_networks_have_their_statistics)
{
    static tensors t;
    rv_model *model;
    rv_model_graph g;
    rv_value v;
    add_vgg(&t, true);
    RV_ASSERT_OK(rv_model_open(&model, write_file(&t, "v.safetensors"), NULL));
    cr_assert_str_eq(rv_model_name(model), "vgg11");
    RV_ASSERT_OK(rv_model_build(&g, model, NULL, 0));
    RV_ASSERT_OK(rv_graph_find(g.graph, &v, "norm1_1"));
    const int node = rv_graph_producer(g.graph, v);
    cr_assert_eq(rv_graph_param(g.graph, node, 0)->data[0], 3);
    cr_assert_eq(rv_graph_state(g.graph, node, 0)->data[1], 5);
    cr_assert_eq(rv_graph_state(g.graph, node, 1)->data[1], 6);
    RV_ASSERT_OK(rv_graph_find(g.graph, &v, "relu5_2"));
    rv_graph_destroy(g.graph);
    rv_model_close(model);
}

/* torchvision rounds the size of pooled maps down, Caffe up. */
Test(torchvision, a_file_of_features_alone_is_a_network_for_any_size)
{
    static tensors t;
    rv_model *model;
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.width = options.height = 63;
    add_features(&t, false);
    RV_ASSERT_OK(rv_model_open(&model, write_file(&t, "v.safetensors"), &options));
    const rv_layer_info last = rv_model_layer(model, rv_model_layer_count(model) - 1);
    cr_assert_str_eq(last.name, "pool5");
    cr_assert(last.dim[1] == 6 && last.dim[2] == 1 && last.dim[3] == 1);
    rv_model_close(model);
}

static void add_squeezenet(tensors *t, bool newer)
{
    static const int modules[2][8] = {{3, 4, 5, 7, 8, 9, 10, 12}, {3, 4, 6, 7, 9, 10, 11, 12}};
    const int kernel = newer ? 3 : 7;
    int before = 4;
    add(t, rv_shape_4(4, 3, kernel, kernel), "features.%d.weight", 0);
    add(t, rv_shape_1(4), "features.%d.bias", 0);
    for (int i = 0; i < 8; i++) {
        const int m = modules[newer][i];
        add(t, rv_shape_4(2, before, 1, 1), "features.%d.squeeze.weight", m);
        add(t, rv_shape_1(2), "features.%d.squeeze.bias", m);
        add(t, rv_shape_4(3, 2, 1, 1), "features.%d.expand1x1.weight", m);
        add(t, rv_shape_1(3), "features.%d.expand1x1.bias", m);
        add(t, rv_shape_4(3, 2, 3, 3), "features.%d.expand3x3.weight", m);
        add(t, rv_shape_1(3), "features.%d.expand3x3.bias", m);
        before = 6;
    }
    add(t, rv_shape_4(10, 6, 1, 1), "classifier.%d.weight", 1);
    add(t, rv_shape_1(10), "classifier.%d.bias", 1);
}

Test(torchvision, both_squeezenets_are_recognised)
{
    static tensors t;
    for (int newer = 0; newer < 2; newer++) {
        rv_model *model;
        rv_model_graph g;
        rv_value v;
        t.n = 0;
        add_squeezenet(&t, newer == 1);
        RV_ASSERT_OK(rv_model_open(&model, write_file(&t, "s.safetensors"), NULL));
        cr_assert_str_eq(rv_model_name(model), "squeezenet");
        RV_ASSERT_OK(rv_model_build(&g, model, NULL, 0));
        cr_assert_eq(first_value(&g, "fire2/squeeze1x1", 0), 3);
        cr_assert_eq(first_value(&g, "fire9/expand3x3", 1), 50);
        cr_assert_eq(first_value(&g, "conv10", 0), 51);
        /* 1.0: 224 109 54 27 13; 1.1: 224 111 55 27 13. torchvision adds no pixels around conv10. */
        RV_ASSERT_OK(rv_graph_find(g.graph, &v, "conv10"));
        cr_assert_eq(rv_graph_shape(g.graph, v)->dim[2], 13);
        RV_ASSERT_OK(rv_graph_find(g.graph, &v, newer ? "pool1" : "pool4"));
        cr_assert_eq(rv_graph_shape(g.graph, v)->dim[2], newer ? 55 : 27);
        rv_graph_destroy(g.graph);
        rv_model_close(model);
    }
}

Test(torchvision, weights_may_be_named_for_an_architecture)
{
    static tensors t;
    rv_model *model;
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    add_squeezenet(&t, false);
    options.weights = write_file(&t, "s.safetensors");
    RV_ASSERT_OK(rv_model_open(&model, "squeezenet", &options));
    cr_assert_not(rv_model_is_random(model));
    cr_assert_not(rv_model_preprocessing(model)->bgr);
    rv_model_close(model);
    RV_ASSERT_FAILS(rv_model_open(&model, "vgg16", &options), RV_ERR_SHAPE,
                    "holds weights of another network than vgg16");
}

Test(torchvision, what_is_missing_is_named)
{
    static tensors t;
    rv_model *model;
    add_squeezenet(&t, false);
    t.name[5][0] = 'F'; /* features.3.expand1x1.bias */
    RV_ASSERT_FAILS(rv_model_open(&model, write_file(&t, "s.safetensors"), NULL), RV_ERR_NOT_FOUND,
                    "'fire2/expand1x1.bias'");
    t.n = 0;
    add_vgg(&t, false);
    t.name[18][0] = 'C'; /* classifier.3.weight */
    RV_ASSERT_FAILS(rv_model_open(&model, write_file(&t, "v.safetensors"), NULL), RV_ERR_FORMAT,
                    "'classifier.3.weight'");
}

Test(torchvision, other_tensors_take_the_layers_of_a_prototxt)
{
    static const char text[] = "input: 'data' input_dim: [1, 3, 4, 4] layer { name: 'c' type: "
                               "'Convolution' bottom: 'data' top: 'c' convolution_param { "
                               "num_output: 2 kernel_size: 1 } }";
    static tensors t;
    rv_model *model;
    rv_model_graph g;
    add(&t, rv_shape_4(2, 3, 1, 1), "c.weight", 0);
    add(&t, rv_shape_1(2), "c.bias", 0);
    write_file(&t, "c.safetensors");
    RV_ASSERT_FAILS(rv_model_open(&model, rv_test_path("c.safetensors"), NULL), RV_ERR_NOT_FOUND,
                    "--graph");
    rv_test_write(rv_test_path("c.prototxt"), text, strlen(text));
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("c.safetensors"), NULL));
    RV_ASSERT_OK(rv_model_build(&g, model, NULL, 0));
    cr_assert_eq(first_value(&g, "c", 1), 2);
    rv_graph_destroy(g.graph);
    rv_model_close(model);
}

Test(torchvision, pickles_are_refused_with_what_converts_them)
{
    rv_model *model;
    RV_ASSERT_FAILS(rv_model_open(&model, "a/vgg19.pth", NULL), RV_ERR_UNSUPPORTED,
                    "save_file(torch.load('vgg19.pth', weights_only=True), 'vgg19.safetensors')");
    RV_ASSERT_FAILS(rv_model_open(&model, "x.pt", NULL), RV_ERR_UNSUPPORTED,
                    "import torch, safetensors.torch");
}
