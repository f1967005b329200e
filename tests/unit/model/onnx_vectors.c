/* ONNX's own vectors for its operations: models of one node or few, inputs, and what has to come out. They are in Debian's
 * package libonnx-testdata; without it these tests are skipped. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "model/onnx.h"
#include "onnx_run.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA "/usr/share/libonnx-testdata/data/"

enum { MAX_FILES = 32, PATH_BYTES = 512 };

/* A vector, with all files that it needs open. */
typedef struct vector {
    rv_onnx *onnx;
    rv_bytes file[MAX_FILES];
    int n_files;
    const rv_onnx_tensor *input, *output;
} vector;

static rv_status open_file(vector *v, const char *folder, const char *name, int i)
{
    char path[PATH_BYTES + 64];
    if (i < 0) {
        snprintf(path, sizeof path, "%s/%s", folder, name);
    } else {
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%d.pb", folder, name, i);
    }
    cr_assert_lt(v->n_files, MAX_FILES, "%s", folder);
    const rv_status status = rv_bytes_open(&v->file[v->n_files], path, 0);
    v->n_files += status == RV_OK;
    return status;
}

/* A tensor that is no part of the model. */
static rv_status read_tensor(const rv_onnx_tensor **out, vector *v, const char *folder,
                             const char *name)
{
    rv_onnx_tensor *t;
    RV_TRY(open_file(v, folder, name, 0));
    const rv_bytes *b = &v->file[v->n_files - 1];
    const rv_proto m = rv_proto_file(b->data, b->size);
    RV_TRY(rv_onnx_tensor_read(&t, v->onnx, &m));
    t->name[0] = '\0';
    *out = t;
    return RV_OK;
}

/* Inputs from `first` on become constants. */
static rv_status open_vector(vector *v, const char *folder, size_t first)
{
    *v = (vector){0};
    RV_TRY(open_file(v, folder, "model.onnx", -1));
    RV_TRY(rv_onnx_parse(&v->onnx, v->file[0].data, v->file[0].size, "model.onnx"));
    for (size_t i = first; i < v->onnx->n_inputs; i++) {
        RV_TRY(open_file(v, folder, "input", (int)i));
        const rv_bytes *b = &v->file[v->n_files - 1];
        RV_TRY(rv_onnx_give(v->onnx, v->onnx->inputs[i].name, b->data, b->size));
    }
    if (first > 0) {
        RV_TRY(read_tensor(&v->input, v, folder, "input"));
    }
    return read_tensor(&v->output, v, folder, "output");
}

static void close_vector(vector *v)
{
    rv_onnx_close(v->onnx);
    for (int i = 0; i < v->n_files; i++) {
        rv_bytes_close(&v->file[i]);
    }
}

/* All values of a tensor; freed with free(). */
static double *values_of(const rv_onnx_tensor *t)
{
    double *values = malloc((t->count + 1) * sizeof *values);
    RV_ASSERT_OK(rv_onnx_tensor_values(t, 0, t->count, values));
    return values;
}

/* Sums in another order differ by a few units in the last place of the largest value. */
static void compare(const char *name, const rv_onnx_tensor *output, const double *got, size_t n)
{
    double *want = values_of(output), largest = 1;
    cr_assert_eq(n, output->count, "%s: %zu values, not %zu", name, n, output->count);
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(want[i])); /* passes over NaN */
    }
    for (size_t i = 0; i < n; i++) {
        cr_assert(fabs(got[i] - want[i]) <= 1e-5 * largest || (isnan(got[i]) && isnan(want[i])),
                  "%s: value %zu is %.9g, not %.9g", name, i, got[i], want[i]);
    }
    free(want);
}

/* With the first input as what layers read. */
static rv_status compute(vector *v, const char *name, rv_device *device)
{
    rv_model_graph graph;
    rv_shape shape;
    size_t n;
    double probe;
    RV_TRY(rv_onnx_tensor_values(v->input, 0, v->input->count > 0, &probe));
    RV_TRY(rv_onnx_tensor_values(v->output, 0, v->output->count > 0, &probe));
    RV_TRY(onnx_graph(&graph, v->onnx, &shape));
    double *wide = values_of(v->input);
    float *input = malloc((v->input->count + 1) * sizeof *input);
    for (size_t i = 0; i < v->input->count; i++) {
        input[i] = (float)wide[i];
    }
    float *output = onnx_run(&graph, device, input, &n);
    wide = realloc(wide, (n + 1) * sizeof *wide);
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)output[i];
    }
    compare(name, v->output, wide, n);
    free(wide);
    free(input);
    free(output);
    rv_graph_destroy(graph.graph);
    return RV_OK;
}

/* With all inputs as constants, beside a picture that nothing reads. */
static rv_status fold(vector *v, const char *name)
{
    rv_network *network;
    rv_shape shape;
    RV_TRY(rv_grow(&v->onnx->inputs, &v->onnx->inputs_capacity, v->onnx->n_inputs + 1,
                   sizeof *v->onnx->inputs, "inputs"));
    rv_onnx_input *in = &v->onnx->inputs[v->onnx->n_inputs++];
    *in = (rv_onnx_input){.type = RV_ONNX_FLOAT, .shape = {4, {1, 3, 8, 8}}};
    RV_TRY(rv_strdup(&in->name, "picture of no vector"));
    const rv_status status = rv_onnx_network(&network, v->onnx, &shape);
    cr_assert_neq(status, RV_OK, "%s", name);
    if (strstr(rv_error_message(), "the same for every picture") == NULL) {
        return status;
    }
    const rv_onnx_tensor *t = rv_onnx_find_tensor(v->onnx, v->onnx->outputs.list[0]);
    double *got = values_of(t);
    compare(name, v->output, got, t->count);
    free(got);
    return RV_OK;
}

typedef struct tally {
    int computed, folded, refused;
} tally;

/* What cannot be run has to be refused by a line, and nothing may come out wrong. */
static void run_vector(tally *t, const char *folder, const char *name, rv_device *device)
{
    vector v;
    rv_status status = open_vector(&v, folder, 1);
    if (status == RV_OK) {
        status = compute(&v, name, device);
    }
    close_vector(&v);
    t->computed += status == RV_OK;
    if (status != RV_OK) {
        status = open_vector(&v, folder, 0);
        if (status == RV_OK) {
            status = fold(&v, name);
        }
        close_vector(&v);
        t->folded += status == RV_OK;
        t->refused += status != RV_OK;
    }
}

static tally run_set(const char *set)
{
    tally t = {0};
    char **names;
    size_t n;
    if (!rv_path_is_folder(DATA)) {
        cr_skip_test("libonnx-testdata is not installed");
    }
    rv_device *device = rv_test_device();
    RV_ASSERT_OK(rv_folder_list(&names, &n, set));
    for (size_t i = 0; i < n; i++) {
        char folder[PATH_BYTES];
        snprintf(folder, sizeof folder, "%s/%s", set, names[i]);
        /* The package has the bits of these numbers as whole numbers. */
        if (strstr(names[i], "BFLOAT16") == NULL) {
            run_vector(&t, folder, names[i], device);
        }
    }
    free(names);
    rv_device_close(device);
    return t;
}

/* Of version 1.12 of the package: of 922 vectors, those that layers compute, and those that are folded to constants. */
Test(onnx_vectors, nodes_give_what_onnx_says, .timeout = 600)
{
    const tally t = run_set(DATA "node");
    cr_assert(t.computed == 117 && t.folded == 114, "%d computed, %d folded", t.computed, t.folded);
}

Test(onnx_vectors, networks_of_pytorch_give_what_onnx_says, .timeout = 600)
{
    tally t = run_set(DATA "pytorch-operator");
    const tally converted = run_set(DATA "pytorch-converted"), other = run_set(DATA "simple");
    t.computed += converted.computed + other.computed;
    t.folded += converted.folded + other.folded;
    cr_assert_eq(t.computed, 23);
    cr_assert_eq(t.folded, 10);
}

/* Vectors of operations that Reverie has, whose attributes or shapes it has not. */
Test(onnx_vectors, what_is_not_run_is_refused_with_the_reason)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"averagepool_1d_default", "an input of 1x3x32"},
        {"averagepool_3d_default", "more than 4 dimensions"},
        {"batchnorm_example_training_mode", "in training"},
        {"cast_FLOAT_to_FLOAT16", "to type 10"},
        {"constant_pad", "padding with 1.2"},
        {"conv_with_autopad_same", NULL},
        {"convtranspose", "'Y' (ConvTranspose)"},
        {"dropout_default_mask", "its output 1"},
        {"gemm_all_attributes", "transA"},
        {"gemm_default_matrix_bias", "a bias of its own for each picture"},
        {"gridsample", "'Y' (GridSample)"},
        {"matmul_3d", "a product with 2x3x4"},
        {"maxpool_2d_dilations", "windows with gaps"},
        {"maxpool_with_argmax_2d_precomputed_pads", "its output 1"},
        {"prelu_broadcast", "3x4x5 with a constant of 5"},
        {"reduce_mean_keepdims_random", "an input of 3x2x2"},
        {"softmax_axis_0", "over axis 0 of 3"},
        {"training_dropout", "in training"},
        {"transpose_all_permutations_1", "axes in another order"},
    };
    if (!rv_path_is_folder(DATA)) {
        cr_skip_test("libonnx-testdata is not installed");
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char folder[PATH_BYTES];
        vector v;
        rv_model_graph graph;
        rv_shape shape;
        snprintf(folder, sizeof folder, DATA "node/test_%s", rows[i].name);
        RV_ASSERT_OK(open_vector(&v, folder, 1));
        if (rows[i].words != NULL) {
            RV_ASSERT_FAILS(onnx_graph(&graph, v.onnx, &shape), RV_ERR_UNSUPPORTED, rows[i].words);
        } else {
            RV_ASSERT_OK(onnx_graph(&graph, v.onnx, &shape));
            rv_graph_destroy(graph.graph);
        }
        close_vector(&v);
    }
}
