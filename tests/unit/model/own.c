/* Reverie's own model files: what was written comes back, and what is damaged is refused by name. */
/* SPDX-License-Identifier: MIT */
#include "model/own.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static rv_model *open_resnet(void)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    options.width = options.height = 16;
    options.classes = 3;
    options.seed = 4;
    RV_ASSERT_OK(rv_model_open(&model, "resnet-18", &options));
    return model;
}

/* All parameters and states of a graph as tensors for writing. */
static size_t list_tensors(rv_stored_tensor *out, rv_graph *graph)
{
    size_t n = 0;
    for (int node = 0; node < rv_graph_node_count(graph); node++) {
        for (int i = 0; i < RV_MAX_PARAMS + RV_MAX_STATE; i++) {
            rv_param *p = i < RV_MAX_PARAMS ? rv_graph_param(graph, node, i)
                                            : rv_graph_state(graph, node, i - RV_MAX_PARAMS);
            if (p != NULL) {
                char *name;
                RV_ASSERT_OK(rv_own_tensor_name(&name, "", p));
                out[n++] = (rv_stored_tensor){name, p->shape, p->data};
            }
        }
    }
    return n;
}

static const char *write_model(void)
{
    static const char *const classes[] = {"ape", "b\"e,e", "cow"};
    static rv_stored_tensor tensors[256];
    rv_model *model = open_resnet();
    rv_model_graph graph;
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    const size_t n = list_tensors(tensors, graph.graph);
    const char *path = rv_test_path("model.safetensors");
    RV_ASSERT_OK(rv_own_write(path, model, classes, 3, tensors, n, true, "{\"step\": 7}"));
    for (size_t i = 0; i < n; i++) {
        free((char *)tensors[i].name);
    }
    rv_graph_destroy(graph.graph);
    rv_model_close(model);
    return path;
}

Test(own, a_model_comes_back_with_layers_weights_classes_and_preprocessing)
{
    const char *path = write_model();
    rv_model *first = open_resnet(), *second;
    rv_model_graph a, b;
    RV_ASSERT_OK(rv_model_open(&second, path, NULL));
    cr_assert_not(rv_model_is_random(second));
    cr_assert_str_eq(rv_model_name(second), "resnet-18");
    cr_assert_eq(rv_model_label_count(second), 3);
    cr_assert_eq(rv_model_share(second), 1.0, "what was trained looks at whole pictures");
    cr_assert_str_eq(rv_model_label(second, 1), "b\"e,e");
    cr_assert_eq(rv_model_width(second), 16);
    cr_assert_not(rv_model_preprocessing(second)->bgr);
    cr_assert_eq(rv_model_preprocessing(second)->deviation[2], 0.25f);
    RV_ASSERT_OK(rv_model_build(&a, first, NULL, 0));
    RV_ASSERT_OK(rv_model_build(&b, second, NULL, 0));
    cr_assert_eq(rv_graph_node_count(a.graph), rv_graph_node_count(b.graph));
    for (int node = 0; node < rv_graph_node_count(a.graph); node++) {
        const rv_node *m = rv_graph_node(a.graph, node), *n = rv_graph_node(b.graph, node);
        cr_assert(m->op == n->op && strcmp(m->name, n->name) == 0);
        cr_assert_arr_eq(m->attrs, n->attrs, m->op->attr_size, "%s", m->name);
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            const rv_param *p = rv_graph_param(a.graph, node, i);
            const rv_param *q = rv_graph_param(b.graph, node, i);
            cr_assert_eq(p == NULL, q == NULL);
            if (p != NULL) {
                cr_assert_arr_eq(p->data, q->data, rv_shape_count(&p->shape) * sizeof(float));
            }
        }
    }
    rv_graph_destroy(a.graph);
    rv_graph_destroy(b.graph);
    rv_model_close(first);
    rv_model_close(second);
}

/* Writes the file with `from` replaced by `to`, of the same length, and opens it. */
static rv_status open_changed(const char *from, const char *to)
{
    const char *path = write_model();
    static char bytes[1 << 25];
    FILE *file = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file), length = strlen(from);
    rv_model *model = NULL;
    fclose(file);
    char *at = NULL;
    for (size_t i = 0; i + length <= n && at == NULL; i++) {
        at = memcmp(bytes + i, from, length) == 0 ? bytes + i : NULL;
    }
    cr_assert(at != NULL && strlen(to) == length, "'%s'", from);
    memcpy(at, to, length);
    path = rv_test_path("changed.safetensors");
    rv_test_write(path, bytes, n);
    const rv_status status = rv_model_open(&model, path, NULL);
    rv_model_close(model);
    return status;
}

Test(own, damage_is_named)
{
    static const struct {
        const char *from, *to;
        rv_status status;
        const char *words;
    } rows[] = {
        {"\"reverie.format_version\":\"1\"", "\"reverie.format_version\":\"2\"", RV_ERR_UNSUPPORTED,
         "version 2"},
        {"reverie.graph", "reverie.gruph", RV_ERR_NOT_FOUND, "holds weights only"},
        {"conv1.weight", "conv1.weighs", RV_ERR_NOT_FOUND, "'conv1.weight'"},
        {"\"shape\":[32,3,3,3]", "\"shape\":[3,32,3,3]", RV_ERR_SHAPE, "32x3x3x3"},
        {"\"data_offsets\":[0,", "\"data_offsets\":[4,", RV_ERR_FORMAT, "does not lie"},
        {"\\\"op\\\":\\\"conv\\\"", "\\\"op\\\":\\\"cony\\\"", RV_ERR_UNSUPPORTED, "'conv'"},
        {"\\\"stride\\\"", "\\\"strids\\\"", RV_ERR_FORMAT, "strids"},
        {"\\\"channels\\\":3", "\\\"channels\\\":7", RV_ERR_FORMAT, "input"},
        {"\"dtype\":\"F32\"", "\"dtype\":\"I32\"", RV_ERR_UNSUPPORTED, "I32"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RV_ASSERT_FAILS(open_changed(rows[i].from, rows[i].to), rows[i].status, rows[i].words);
    }
}

Test(own, a_file_cut_short_or_of_another_kind_is_refused)
{
    const char *path = write_model();
    static char bytes[1 << 16];
    rv_model *model;
    FILE *file = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t length = 0; length < n; length += 4001) {
        rv_test_write(rv_test_path("cut.safetensors"), bytes, length);
        RV_ASSERT_FAILS(rv_model_open(&model, rv_test_path("cut.safetensors"), NULL), RV_ERR_FORMAT,
                        "cut.safetensors");
    }
    path = rv_test_path("model.safetensors");
    RV_ASSERT_FAILS(
        rv_model_open(&model, path, &(rv_model_options){sizeof(rv_model_options), .classes = 5}),
        RV_ERR_USAGE, "takes neither");
}

/* What was trained on small pictures goes on with larger ones. */
Test(own, another_size_is_taken_where_the_layers_allow_it)
{
    rv_model *model;
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.width = 24;
    options.height = 20;
    RV_ASSERT_OK(rv_model_open(&model, write_model(), &options));
    cr_assert(rv_model_width(model) == 24 && rv_model_height(model) == 20);
    rv_model_close(model);
    options.height = -1;
    RV_ASSERT_FAILS(rv_model_open(&model, rv_test_path("model.safetensors"), &options),
                    RV_ERR_USAGE, "the height is -1");
    options.height = options.width = 20;
    RV_ASSERT_OK(rv_model_open(&model, "mlp", NULL));
    RV_ASSERT_OK(rv_model_save(model, rv_test_path("mlp.safetensors"), NULL));
    rv_model_close(model);
    RV_ASSERT_FAILS(rv_model_open(&model, rv_test_path("mlp.safetensors"), &options), RV_ERR_SHAPE,
                    "hidden1.weight");
}

/* 1, -2, 0.5, the smallest number of half precision, and infinity, as another program may write them. */
Test(own, half_precision_is_read)
{
    static const char header[] =
        "{\"x\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]}}";
    uint8_t bytes[8 + sizeof header - 1 + 10] = {sizeof header - 1};
    static const uint8_t halves[10] = {0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x01, 0x00, 0x00, 0x7c};
    rv_safetensors *file;
    float out[5];
    const rv_shape shape = rv_shape_1(5);
    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + 8 + sizeof header - 1, halves, sizeof halves);
    RV_ASSERT_OK(rv_safetensors_parse(&file, bytes, sizeof bytes, "halves"));
    cr_assert_eq(rv_safetensors_count(file), 1);
    RV_ASSERT_OK(rv_safetensors_read(file, out, "x", &shape));
    cr_assert(out[0] == 1.0f && out[1] == -2.0f && out[2] == 0.5f && out[3] == 0x1p-24f &&
              isinf(out[4]));
    rv_safetensors_close(file);
}

/* vgg-s as the program is to ship it: at most 4 MB, each weight to 11 digits or the spacing of the smallest. */
Test(own, half_precision_is_written_to_the_nearest)
{
    rv_model *model, *half;
    rv_model_graph a, b;
    rv_bytes bytes;
    rv_model_save_options options = RV_MODEL_SAVE_OPTIONS_INIT;
    options.half = true;
    RV_ASSERT_OK(rv_model_open(&model, "vgg-s", NULL));
    const char *path = rv_test_path("half.safetensors");
    RV_ASSERT_OK(rv_model_save(model, path, &options));
    RV_ASSERT_FAILS(rv_model_save(model, path, &options), RV_ERR_USAGE, "half.safetensors");
    RV_ASSERT_OK(rv_bytes_open(&bytes, path, 0));
    cr_assert_lt(bytes.size, 4000000);
    rv_bytes_close(&bytes);
    RV_ASSERT_OK(rv_model_open(&half, path, NULL));
    cr_assert_eq(rv_model_share(half), 227.0 / 256.0, "converting changes nothing");
    RV_ASSERT_OK(rv_model_build(&a, model, NULL, 0));
    RV_ASSERT_OK(rv_model_build(&b, half, NULL, 0));
    for (int node = 0; node < rv_graph_node_count(a.graph); node++) {
        const rv_param *p = rv_graph_param(a.graph, node, 0);
        const rv_param *q = rv_graph_param(b.graph, node, 0);
        for (size_t i = 0; p != NULL && i < rv_shape_count(&p->shape); i++) {
            const double x = (double)p->data[i], y = (double)q->data[i];
            cr_assert(fabs(x - y) <= fmax(fabs(x) * 0x1p-11, 0x1p-25), "%s: %g became %g", p->node,
                      x, y);
        }
    }
    rv_graph_destroy(a.graph);
    rv_graph_destroy(b.graph);
    rv_model_close(model);
    rv_model_close(half);
}
