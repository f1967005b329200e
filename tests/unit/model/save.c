/* Converting models: 16 bits as IEEE 754 has them, parts of networks, names of classes, licence and provenance. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"
#include "model/own.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <math.h>
#include <stdlib.h>

TestSuite(save);

/* --- 16 bits --------------------------------------------------------------------------------- */

/* Values and their binary16 to the nearest, ties to even, by hand. */
static const struct {
    float value;
    uint16_t half;
} halves[] = {
    {0.0f, 0x0000},
    {-0.0f, 0x8000},
    {1.0f, 0x3c00},
    {-2.0f, 0xc000},
    {0.1f, 0x2e66},
    {-1.0f / 3.0f, 0xb555},
    {1.0f + 0x1p-11f, 0x3c00},            /* a tie: down to even */
    {1.0f + 0x3p-11f, 0x3c02},            /* a tie: up to even */
    {1.0f + 0x1p-11f + 0x1p-20f, 0x3c01}, /* just above a tie */
    {0x1.fffp0f, 0x4000},                 /* a tie that carries into the exponent */
    {65504.0f, 0x7bff},                   /* the largest */
    {65519.996f, 0x7bff},                 /* the last that is rounded to it */
    {0x1p-14f, 0x0400},                   /* the smallest normal number */
    {0x1p-14f - 0x1p-25f, 0x0400},        /* a tie between it and the one below */
    {0x1p-14f - 0x1p-24f, 0x03ff},
    {0x1p-24f, 0x0001},
    {0x1p-25f, 0x0000},             /* a tie: to zero */
    {-0x1p-25f - 0x1p-40f, 0x8001}, /* just beyond */
    {0x3p-25f, 0x0002},
    {1e-20f, 0x0000},
};
enum { N_HALVES = sizeof halves / sizeof *halves };

/* Writes n values as rows of one, which is a matrix, and as a vector. */
static rv_status write_halves(const char *path, const float *values, int n)
{
    const rv_stored_tensor tensors[] = {{"matrix", rv_shape_2(n, 1), values},
                                        {"vector", rv_shape_1(n), values}};
    return rv_safetensors_write(path, tensors, 2, NULL, 0, &(rv_store_options){.half = true});
}

Test(save, sixteen_bits_are_rounded_to_the_nearest_and_ties_to_even)
{
    float values[N_HALVES], vector[N_HALVES];
    const rv_shape shape = rv_shape_1(N_HALVES);
    const char *path = rv_test_path("halves.safetensors");
    for (int i = 0; i < N_HALVES; i++) {
        values[i] = halves[i].value;
    }
    RV_ASSERT_OK(write_halves(path, values, N_HALVES));
    rv_bytes bytes;
    RV_ASSERT_OK(rv_bytes_open(&bytes, path, 0));
    const uint8_t *p = bytes.data + bytes.size - N_HALVES * (2 + sizeof(float));
    for (int i = 0; i < N_HALVES; i++) {
        cr_assert_eq(p[2 * i] | p[2 * i + 1] << 8, halves[i].half, "%a became %02x%02x",
                     (double)values[i], p[2 * i + 1], p[2 * i]);
    }
    rv_bytes_close(&bytes);
    rv_safetensors *file;
    RV_ASSERT_OK(rv_safetensors_open(&file, path));
    RV_ASSERT_OK(rv_safetensors_read(file, vector, "vector", &shape));
    cr_assert_arr_eq(vector, values, sizeof values, "vectors keep all 32 bits");
    rv_safetensors_close(file);
}

Test(save, what_sixteen_bits_cannot_hold_is_named)
{
    const float large[] = {1.0f, 65520.0f}, undefined[] = {NAN};
    const char *path = rv_test_path("halves.safetensors");
    RV_ASSERT_FAILS(write_halves(path, large, 2), RV_ERR_UNSUPPORTED, "'matrix': value 1 is 65520");
    RV_ASSERT_FAILS(write_halves(path, undefined, 1), RV_ERR_UNSUPPORTED, "'matrix': value 0");
    cr_assert_not(rv_path_exists(path));
}

/* --- parts ----------------------------------------------------------------------------------- */

/* Saves part of an architecture and opens that. */
static rv_model *save_part(rv_model *model, bool features, const char *until)
{
    rv_model_save_options options = RV_MODEL_SAVE_OPTIONS_INIT;
    rv_model *part;
    options.features = features;
    options.until = until;
    options.overwrite = true;
    const char *path = rv_test_path("part.safetensors");
    RV_ASSERT_OK(rv_model_save(model, path, &options));
    RV_ASSERT_OK(rv_model_open(&part, path, NULL));
    return part;
}

static rv_model *open_small(const char *name)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    options.width = options.height = 32;
    options.classes = 5;
    RV_ASSERT_OK(rv_model_open(&model, name, &options));
    return model;
}

/* Number of layers and name of the last. */
static void ends_in(const char *name, bool features, const char *until, int layers,
                    const char *last)
{
    rv_model *model = open_small(name), *part = save_part(model, features, until);
    cr_assert_eq(rv_model_layer_count(part), layers, "%s until %s: %d layers", name, last,
                 rv_model_layer_count(part));
    cr_assert_str_eq(rv_model_layer(part, layers - 1).name, last);
    rv_model_close(part);
    rv_model_close(model);
}

Test(save, features_end_before_the_classifier)
{
    ends_in("vgg-s", true, NULL, 1 + 9 * 3 + 4, "relu5_1");
    ends_in("squeezenet", true, NULL, 1 + 64, "relu_conv10");
    ends_in("small-cnn", true, NULL, 1 + 4 * 4, "pool4");
}

Test(save, a_part_has_all_that_its_last_layer_needs)
{
    ends_in("vgg-s", false, "norm1_2", 1 + 5, "norm1_2");
    rv_model *model = open_small("resnet-18"), *part = save_part(model, false, "block2_1/add");
    rv_model_graph a, b;
    RV_ASSERT_OK(rv_model_build(&a, model, NULL, 0));
    RV_ASSERT_OK(rv_model_build(&b, part, NULL, 0));
    cr_assert_eq(rv_model_label_count(part), 0);
    cr_assert_gt(rv_graph_node_count(b.graph), 20);
    cr_assert_str_eq(rv_graph_value_name(b.graph, b.output), "block2_1/add");
    for (int node = 0; node < rv_graph_node_count(b.graph); node++) {
        const rv_param *p = rv_graph_param(a.graph, node, 0), *q = rv_graph_param(b.graph, node, 0);
        cr_assert_str_eq(rv_graph_node(a.graph, node)->name, rv_graph_node(b.graph, node)->name);
        if (p != NULL) {
            cr_assert_arr_eq(p->data, q->data, rv_shape_count(&p->shape) * sizeof(float));
        }
    }
    rv_graph_destroy(a.graph);
    rv_graph_destroy(b.graph);
    rv_model_close(part);
    rv_model_close(model);
}

Test(save, a_part_that_is_none_is_refused)
{
    static const struct {
        rv_model_save_options options;
        rv_status status;
        const char *words;
    } rows[] = {
        {{.until = "hiden1"}, RV_ERR_NOT_FOUND, "the nearest is 'hidden1'"},
        {{.until = "data"}, RV_ERR_USAGE, "nothing would be left"},
        {{.features = true}, RV_ERR_UNSUPPORTED, "no convolutions"},
        {{.features = true, .until = "relu1"}, RV_ERR_USAGE, "'relu1'"},
        {{.until = "relu1", .labels = "x"}, RV_ERR_USAGE, "no classes"},
    };
    rv_model *model = open_small("mlp"), *patches;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RV_ASSERT_FAILS(rv_model_save(model, rv_test_path("x.safetensors"), &rows[i].options),
                        rows[i].status, rows[i].words);
    }
    cr_assert_not(rv_path_exists(rv_test_path("x.safetensors")));
    RV_ASSERT_OK(rv_model_open(&patches, "patches", NULL));
    RV_ASSERT_FAILS(rv_model_save(patches, rv_test_path("x.safetensors"), NULL), RV_ERR_USAGE,
                    "no network");
    rv_model_close(patches);
    rv_model_close(model);
}

/* --- names and origin ------------------------------------------------------------------------ */

static const char *write_text(const char *name, const char *text)
{
    const char *path = rv_test_path(name);
    rv_test_write(path, text, strlen(text));
    return path;
}

/* Writes a model as training does, with the classes of its data set. */
static void write_trained(const rv_model *model, const char *const *classes, const char *path)
{
    static rv_stored_tensor tensors[8];
    rv_model_graph graph;
    size_t n = 0;
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    for (int node = 0; node < rv_graph_node_count(graph.graph); node++) {
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            rv_param *p = rv_graph_param(graph.graph, node, i);
            char *name;
            if (p != NULL) {
                RV_ASSERT_OK(rv_own_tensor_name(&name, "", p));
                tensors[n++] = (rv_stored_tensor){name, p->shape, p->data};
            }
        }
    }
    RV_ASSERT_OK(rv_own_write(path, model, classes, 5, tensors, n, true, NULL));
    while (n > 0) {
        free((char *)tensors[--n].name);
    }
    rv_graph_destroy(graph.graph);
}

Test(save, classes_keep_their_names_and_get_others_for_people)
{
    static const char *const classes[] = {"n02", "n01", "n03", "n04", "n05"};
    rv_model *model = open_small("mlp"), *trained, *named;
    rv_model_save_options options = RV_MODEL_SAVE_OPTIONS_INIT;
    write_trained(model, classes, rv_test_path("trained.safetensors"));
    RV_ASSERT_OK(rv_model_open(&trained, rv_test_path("trained.safetensors"), NULL));
    cr_assert_str_eq(rv_model_label(trained, 1), "n01");
    cr_assert_null(rv_model_licence(trained));
    options.labels = write_text("words.tsv", "n00\tentity\nn01\tgold fish, carp\r\nn02\tcat\n"
                                             "n03\tdog\nn04\tcow\nn05\tape\n");
    options.licence = "none \"at all\"";
    options.provenance = "drawn by lot";
    options.half = true;
    RV_ASSERT_OK(rv_model_save(trained, rv_test_path("named.safetensors"), &options));
    RV_ASSERT_OK(rv_model_open(&named, rv_test_path("named.safetensors"), NULL));
    cr_assert_eq(rv_model_label_count(named), 5);
    cr_assert_str_eq(rv_model_class(named, 1), "n01");
    cr_assert_str_eq(rv_model_label(named, 1), "gold fish, carp");
    cr_assert_str_eq(rv_model_label(named, 4), "ape");
    cr_assert_null(rv_model_label(named, 5));
    cr_assert_null(rv_model_class(named, -1));
    cr_assert_str_eq(rv_model_licence(named), "none \"at all\"");
    cr_assert_str_eq(rv_model_provenance(named), "drawn by lot");
    rv_model_close(trained);
    /* All of it goes along with what is made of that file. */
    RV_ASSERT_OK(rv_model_save(named, rv_test_path("again.safetensors"), NULL));
    rv_model_close(named);
    RV_ASSERT_OK(rv_model_open(&named, rv_test_path("again.safetensors"), NULL));
    cr_assert_str_eq(rv_model_label(named, 4), "ape");
    cr_assert_str_eq(rv_model_class(named, 4), "n05");
    cr_assert_str_eq(rv_model_provenance(named), "drawn by lot");
    options.labels = write_text("few.tsv", "n01\tone\nn02\ttwo\n");
    RV_ASSERT_FAILS(rv_model_save(named, rv_test_path("x.safetensors"), &options), RV_ERR_NOT_FOUND,
                    "no line begins with the class 'n03'");
    rv_model_close(named);
    rv_model_close(model);
}

Test(save, classes_without_names_are_named_in_order)
{
    rv_model *model = open_small("mlp"), *named;
    rv_model_save_options options = RV_MODEL_SAVE_OPTIONS_INIT;
    options.labels = write_text("names.txt", "ape\nbee\ncow\ndog\nn01440764 tench, Tinca tinca");
    RV_ASSERT_OK(rv_model_save(model, rv_test_path("named.safetensors"), &options));
    RV_ASSERT_OK(rv_model_open(&named, rv_test_path("named.safetensors"), NULL));
    cr_assert_str_eq(rv_model_class(named, 0), "ape");
    cr_assert_str_eq(rv_model_label(named, 0), "ape");
    cr_assert_str_eq(rv_model_class(named, 4), "n01440764");
    cr_assert_str_eq(rv_model_label(named, 4), "tench, Tinca tinca");
    rv_model_close(named);
    options.labels = write_text("few.txt", "ape\nbee\n");
    RV_ASSERT_FAILS(rv_model_save(model, rv_test_path("x.safetensors"), &options), RV_ERR_FORMAT,
                    "names 2 classes, but mlp has 5");
    rv_model_close(model);
}
