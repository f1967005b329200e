/* Every architecture that is there to be trained: takes a step that moves all weights, and comes back from its file. */
/* SPDX-License-Identifier: MIT */
#include <reverie/train.h>

#include "base/file.h"
#include "model/model.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>

enum { N = 30, SIDE = 16, SEED = 5 };

static rv_device *device;

/* Noise, in three classes, as IDX files. */
static void build(void)
{
    static uint8_t pictures[16 + N * SIDE * SIDE] = {0, 0, 8, 3,    0, 0, 0, N,
                                                     0, 0, 0, SIDE, 0, 0, 0, SIDE};
    static uint8_t labels[8 + N] = {0, 0, 8, 1, 0, 0, 0, N};
    uint32_t noise = 1;
    for (int i = 0; i < N * SIDE * SIDE; i++) {
        noise = noise * 1664525u + 1013904223u;
        pictures[16 + i] = (uint8_t)(noise >> 24);
        labels[8 + i / (SIDE * SIDE)] = (uint8_t)(i / (SIDE * SIDE) % 3);
    }
    device = rv_test_device();
    RV_ASSERT_OK(rv_folder_make(rv_test_path("set"), 0755));
    rv_test_write(rv_test_path("set/train-images-idx3-ubyte"), pictures, sizeof pictures);
    rv_test_write(rv_test_path("set/train-labels-idx1-ubyte"), labels, sizeof labels);
}

static void destroy(void)
{
    rv_device_close(device);
}

TestSuite(architectures, .init = build, .fini = destroy);

static rv_model *open_at(const char *name, bool fresh)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    if (fresh) {
        options.channels = 1;
        options.width = options.height = SIDE;
        options.classes = 3;
        options.seed = SEED;
    }
    RV_ASSERT_OK(rv_model_open(&model, name, &options));
    return model;
}

static bool same(const rv_param *a, const rv_param *b)
{
    return memcmp(a->data, b->data, rv_shape_count(&a->shape) * sizeof(float)) == 0;
}

/* Whether one came from the other by a small step. */
static bool near(const rv_param *a, const rv_param *b)
{
    float most = 0;
    for (size_t i = 0; i < rv_shape_count(&a->shape); i++) {
        most = fmaxf(most, fabsf(a->data[i] - b->data[i]));
    }
    return most < 0.02f;
}

/* Values of all parameters and statistics. @param equal  they must be the same, else every weight must have moved a little */
static void compare_values(const char *name, const rv_model *a, const rv_model *b, bool equal)
{
    rv_model_graph first, second;
    RV_ASSERT_OK(rv_model_build(&first, a, NULL, 0));
    RV_ASSERT_OK(rv_model_build(&second, b, NULL, 0));
    for (int node = 0; node < rv_graph_node_count(first.graph); node++) {
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            const rv_param *p = rv_graph_param(first.graph, node, i);
            const rv_param *q = rv_graph_param(second.graph, node, i);
            cr_assert_eq(p != NULL, q != NULL);
            if (p != NULL && (equal || i == 0)) {
                cr_assert_eq(same(p, q), equal, "%s: %s.%s", name, p->node, p->name);
                cr_assert(near(p, q), "%s: %s.%s", name, p->node, p->name);
            }
        }
        for (int i = 0; i < RV_MAX_STATE; i++) {
            const rv_param *p = rv_graph_state(first.graph, node, i);
            if (p != NULL) {
                cr_assert_eq(same(p, rv_graph_state(second.graph, node, i)), equal, "%s: %s.%s",
                             name, p->node, p->name);
            }
        }
    }
    rv_graph_destroy(first.graph);
    rv_graph_destroy(second.graph);
}

static void compare_layers(const char *name, const rv_model *a, const rv_model *b)
{
    cr_assert_eq(rv_model_layer_count(a), rv_model_layer_count(b), "%s", name);
    for (int i = 0; i < rv_model_layer_count(a); i++) {
        const rv_layer_info p = rv_model_layer(a, i), q = rv_model_layer(b, i);
        cr_assert(strcmp(p.name, q.name) == 0 && strcmp(p.type, q.type) == 0, "%s: %s", name,
                  p.name);
        cr_assert(p.rank == q.rank && memcmp(p.dim, q.dim, sizeof p.dim) == 0, "%s: %s", name,
                  p.name);
        cr_assert(p.parameters == q.parameters && p.macs == q.macs, "%s: %s", name, p.name);
    }
}

/* "input: ...; layers: dense, UNIT, dense" as a file. */
static void write_layers(const char *unit)
{
    char text[256];
    const int n = snprintf(text, sizeof text,
                           "input: {channels: 1, size: 16}\nlayers:\n  - dense: {num_output: 5}\n"
                           "  - %s: {name: unit}\n  - dense: {num_output: classes}\n",
                           unit);
    rv_test_write(rv_test_path("net.yaml"), text, (size_t)n);
}

Test(architectures, a_file_of_layers_that_changed_is_not_gone_on_with)
{
    rv_train_options o = rv_train_defaults();
    rv_train_result result;
    char path[512];
    snprintf(path, sizeof path, "%s", rv_test_path("net.yaml"));
    o.architecture = path;
    o.batch = 8;
    o.max_steps = 1;
    write_layers("relu");
    RV_ASSERT_OK(rv_train(&result, device, rv_test_path("set"), rv_test_path("run"), &o));
    o.resume = true;
    o.max_steps = 2;
    write_layers("tanh");
    RV_ASSERT_FAILS(rv_train(&result, device, rv_test_path("set"), rv_test_path("run"), &o),
                    RV_ERR_USAGE, "was trained with another layer than 'unit' is now");
    write_layers("relu");
    RV_ASSERT_OK(rv_train(&result, device, rv_test_path("set"), rv_test_path("run"), &o));
}

Test(architectures, each_takes_a_step_and_comes_back_from_its_file)
{
    static const char *const names[] = {"mlp",
                                        "lenet",
                                        "small-cnn",
                                        "vgg-s",
                                        "resnet-18",
                                        "samples/networks/residual.yaml",
                                        "samples/networks/inception.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rv_train_options o = rv_train_defaults();
        rv_train_result result;
        o.architecture = names[i];
        o.size = SIDE;
        o.batch = 8;
        o.learning_rate = 0.001;
        o.init = "he"; /* as rv_model_build() draws them */
        o.max_steps = 1;
        o.seed = SEED;
        o.overwrite = true;
        RV_ASSERT_OK(rv_train(&result, device, rv_test_path("set"), rv_test_path("run"), &o));
        rv_model *fresh = open_at(names[i], true);
        rv_model *trained = open_at(rv_test_path("run/last.safetensors"), false);
        compare_layers(names[i], fresh, trained);
        if (strstr(names[i], "inception") ==
            NULL) { /* whose file says other first weights than He's */
            compare_values(names[i], fresh, trained, false);
        }
        rv_model_save_options save = RV_MODEL_SAVE_OPTIONS_INIT;
        save.overwrite = true;
        RV_ASSERT_OK(rv_model_save(trained, rv_test_path("copy.safetensors"), &save));
        rv_model *copy = open_at(rv_test_path("copy.safetensors"), false);
        compare_layers(names[i], trained, copy);
        compare_values(names[i], trained, copy, true);
        rv_model_close(copy);
        rv_model_close(trained);
        rv_model_close(fresh);
    }
}
