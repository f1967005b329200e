/* Networks that people have weights of, forwards and back to the picture, against what other programs compute. */
/* SPDX-License-Identifier: MIT */
#include "support/published.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/system.h"
#include "base/text.h"
#include "graph/plan.h"
#include "model/model.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/noise.h"
#include "support/scratch.h"

#include <math.h>
#include <stdlib.h>

enum { SAMPLES = 16, LINE_BYTES = 512 };

/* Few channels and, where the structure allows it, small pictures, so that all of it takes seconds. */
static int divisor(const rv_published *p)
{
    return p->channels == 1 ? 1 : 4;
}
static int side_of(const rv_published *p)
{
    return p->count == 0 ? p->side : p->count > 19 || p->count == 18 ? 112 : 96;
}

/* Where the files stay for tools/record_published.py, or else go with the test. */
static const char *folder(void)
{
    const char *kept = getenv("REVERIE_KEEP_NETWORKS");
    return kept != NULL ? kept : rv_test_folder();
}

/* --- what is recorded ------------------------------------------------------------------------ */

/* Finds the line of a value and reads what it says: count, mean, root mean square, samples. */
static size_t expected(double number[2 + SAMPLES], const char *key)
{
    char line[LINE_BYTES];
    size_t count = 0;
    const size_t length = strlen(key);
    FILE *file = fopen("tests/data/published.txt", "r");
    cr_assert_not_null(file, "run the tests from the repository's root");
    while (count == 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ' ') {
            char *at = line + length;
            count = strtoul(at, &at, 10);
            for (int i = 0; i < 2 + SAMPLES; i++) {
                number[i] = strtod(at, &at);
            }
            cr_assert_eq(*at, '\n', "%s", line);
        }
    }
    fclose(file);
    cr_assert_neq(count, 0, "nothing is recorded for '%s'", key);
    return count;
}

/* Within 1e-3 of the root mean square, or of the value where that is larger. */
static void check(const char *key, rv_device *device, const rv_tensor *t)
{
    double want[2 + SAMPLES], sum = 0, square = 0;
    const size_t n = rv_shape_count(&t->shape);
    float *values = malloc(n * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, t, values));
    if (getenv("REVERIE_KEEP_NETWORKS") != NULL) {
        free(values);
        return;
    }
    cr_assert_eq(expected(want, key), n, "%s has %zu values", key, n);
    for (size_t i = 0; i < n; i++) {
        sum += (double)values[i];
        square += (double)values[i] * (double)values[i];
    }
    const double rms = want[1];
    cr_assert_float_eq(sum / (double)n, want[0], 1e-3 * rms, "%s: mean %g, not %g", key,
                       sum / (double)n, want[0]);
    cr_assert_float_eq(sqrt(square / (double)n), rms, 1e-3 * rms, "%s: rms %g, not %g", key,
                       sqrt(square / (double)n), rms);
    for (size_t i = 0; i < SAMPLES; i++) {
        const double v = (double)values[i * n / SAMPLES], w = want[2 + i];
        cr_assert_float_eq(v, w, 1e-3 * fmax(rms, fabs(w)), "%s: value %zu is %g, not %g", key,
                           i * n / SAMPLES, v, w);
    }
    free(values);
}

/* --- a run ----------------------------------------------------------------------------------- */

/* A picture in plain order, and what the scores are compared with; for other programs as files. */
static float *noise(const char *name, const char *what, const rv_shape *shape)
{
    char path[1024];
    const size_t n = rv_shape_count(shape);
    float *values = malloc(n * sizeof *values);
    rv_test_noise(values, n, what, 0.5, 0.5);
    if (getenv("REVERIE_KEEP_NETWORKS") != NULL) {
        size_t dim[4];
        for (int i = 0; i < shape->rank; i++) {
            dim[i] = (size_t)shape->dim[i];
        }
        snprintf(path, sizeof path, "%s/%s.%s.npy", folder(), name, what);
        RV_ASSERT_OK(rv_npy_write(path, values, shape->rank, dim, true));
    }
    return values;
}

static void write_input(rv_plan *plan, rv_device *device, rv_value value, const char *name,
                        const char *what)
{
    rv_tensor *t = rv_plan_tensor(plan, value);
    float *values = noise(name, what, &t->shape);
    RV_ASSERT_OK(rv_tensor_write(device, t, values));
    free(values);
}

/* Mean square of scores minus noise, and its gradient to the picture. */
static void run(const rv_published *p, const char *format, rv_model_graph *g, rv_device *device)
{
    char key[96];
    rv_value target, loss, outputs[4];
    rv_params *params;
    rv_plan *plan;
    const char *const names[] = {p->middle, p->logits, "prob"};
    RV_ASSERT_OK(rv_graph_input(g->graph, &target, "target", *rv_graph_shape(g->graph, g->output)));
    const rv_value pair[2] = {g->output, target};
    RV_ASSERT_OK(rv_graph_add(g->graph, &loss, "mse_loss", "loss", pair, 2, NULL, 0));
    for (int i = 0; i < 3; i++) {
        RV_ASSERT_OK(rv_graph_find(g->graph, &outputs[i], names[i]));
    }
    outputs[3] = loss;
    RV_ASSERT_OK(rv_params_create(&params, device, g->graph, false));
    const rv_plan_options options = {
        .outputs = outputs, .n_outputs = 4, .gradients = &g->picture, .n_gradients = 1};
    RV_ASSERT_OK(rv_plan_create(&plan, g->graph, params, device, &options));
    write_input(plan, device, g->picture, p->name, "picture");
    write_input(plan, device, target, p->name, "target");
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s %s %s", p->name, format, names[i]);
        check(key, device, rv_plan_tensor(plan, outputs[i]));
    }
    snprintf(key, sizeof key, "%s %s gradient", p->name, format);
    check(key, device, rv_plan_gradient(plan, g->picture));
    rv_plan_destroy(plan);
    rv_params_destroy(params);
}

/* @param graph_file  NULL: beside the weights, or in the same file */
static void check_file(const rv_published *p, const char *format, const char *graph_file,
                       rv_device *device)
{
    char path[1024];
    rv_model *model;
    rv_model_graph graph;
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    const bool onnx = strcmp(format, "onnx") == 0;
    options.preprocess = p->channels == 1 ? "unit" : "caffe";
    options.graph = graph_file;
    snprintf(path, sizeof path, "%s/%s.%s", folder(), p->name, onnx ? "onnx" : "caffemodel");
    RV_ASSERT_OK(rv_model_open(&model, path, &options));
    cr_assert_not(rv_model_is_random(model));
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    run(p, format, &graph, device);
    rv_graph_destroy(graph.graph);
    rv_model_close(model);
}

static void check_format(const rv_published *p, const char *format, rv_device *device)
{
    rv_published_write(p, folder(), strcmp(format, "onnx") == 0, divisor(p), side_of(p));
    check_file(p, format, NULL, device);
}

/* Sanitizers look at host code, of which these two run all that the others do. */
static bool is_left_out(const char *name)
{
    return getenv("REVERIE_TEST_SMALL") != NULL && strcmp(name, "caffenet") != 0 &&
           strcmp(name, "resnet18") != 0;
}

static void check_both(const char *name)
{
    if (is_left_out(name)) {
        cr_skip_test("REVERIE_TEST_SMALL is set");
    }
    const rv_published *p = rv_published_find(name);
    rv_device *device = rv_test_device();
    check_format(p, "caffe", device);
    check_format(p, "onnx", device);
    rv_device_close(device);
}

/* A process each. */
#define PUBLISHED(test, name)                      \
    Test(published, test##_gives_what_others_give) \
    {                                              \
        check_both(name);                          \
    }

PUBLISHED(lenet, "lenet")
PUBLISHED(alexnet, "alexnet")
PUBLISHED(caffenet, "caffenet")
PUBLISHED(zfnet512, "zfnet512")
PUBLISHED(nin, "nin")
PUBLISHED(googlenet, "googlenet")
PUBLISHED(vgg16, "vgg16")
PUBLISHED(vgg19, "vgg19")
PUBLISHED(vgg16_bn, "vgg16-bn")
PUBLISHED(vgg19_bn, "vgg19-bn")
PUBLISHED(resnet18, "resnet18")
PUBLISHED(resnet34, "resnet34")
PUBLISHED(resnet50, "resnet50")

/* Replaces what stands between two texts, and puts all of it into a file. */
static const char *rewrite(const char *from, const char *to, const char *head, const char *first,
                           const char *last, const char *tail)
{
    rv_bytes bytes;
    RV_ASSERT_OK(rv_bytes_open(&bytes, from, 0));
    char *text = calloc(1, bytes.size + 1), *result = NULL;
    memcpy(text, bytes.data, bytes.size);
    rv_bytes_close(&bytes);
    char *begin = strstr(text, first), *end = strstr(text, last);
    cr_assert(begin != NULL && end != NULL);
    RV_ASSERT_OK(rv_format(&result, "%s%.*s%s", head, (int)(end - begin), begin, tail));
    rv_test_write(to, result, strlen(result));
    free(result);
    free(text);
    return to;
}

/* What training was described by, with data sets for input and a loss at the end, is the same network. */
Test(published, a_file_for_training_is_the_same_network)
{
    const rv_published *p = rv_published_find("caffenet");
    rv_device *device = rv_test_device();
    check_format(p, "caffe", device);
    const char *graph = rewrite(
        rv_test_path("caffenet.prototxt"), rv_test_path("train_val.prototxt"),
        "name: 'CaffeNet'\n"
        "layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN }\n"
        "  transform_param { mirror: true crop_size: 227 mean_file: 'data/mean.binaryproto' }\n"
        "  data_param { source: 'train_lmdb' batch_size: 256 backend: LMDB } }\n"
        "layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TEST }\n"
        "  transform_param { crop_size: 227 mean_file: 'data/mean.binaryproto' }\n"
        "  data_param { source: 'val_lmdb' batch_size: 50 backend: LMDB } }\n",
        "layer { name: \"conv1\"", "layer { name: \"prob\"",
        "layer { name: 'accuracy' type: 'Accuracy' bottom: 'fc8' bottom: 'label' top: 'accuracy' "
        "include { phase: TEST } }\n"
        "layer { name: 'prob' type: 'SoftmaxWithLoss' bottom: 'fc8' bottom: 'label' top: 'prob' "
        "}\n");
    check_file(p, "caffe", graph, device);
    rv_device_close(device);
}

/* Without pictures: that they are the networks that they are called. */
Test(published, parameters_are_as_many_as_published)
{
    static const struct {
        const char *name;
        uint64_t parameters;
    } rows[] = {{"lenet", 431080},
                {"alexnet", 60965224},
                {"caffenet", 60965224},
                {"nin", 7595176},
                {"googlenet", 6998552},
                {"vgg16", 138357544},
                {"vgg19", 143667240},
                {"vgg16-bn", 138365992},
                {"vgg19-bn", 143678248},
                {"resnet18", 11689512},
                {"resnet34", 21797672},
                {"resnet50", 25557032 + 64}}; /* Caffe's has a bias before its first norm */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[1024];
        rv_model *model;
        uint64_t parameters = 0;
        const rv_published *p = rv_published_find(rows[i].name);
        rv_published_write_graph(p, rv_test_folder());
        snprintf(path, sizeof path, "%s/%s.prototxt", rv_test_folder(), p->name);
        RV_ASSERT_OK(rv_model_open(&model, path, NULL));
        for (int k = 0; k < rv_model_layer_count(model); k++) {
            parameters += rv_model_layer(model, k).parameters;
        }
        cr_assert_eq(parameters, rows[i].parameters, "%s has %llu", rows[i].name,
                     (unsigned long long)parameters);
        rv_model_close(model);
    }
}

/* Megabytes that the process had in memory at most; since `reset`, where that is so. */
static double peak(bool reset)
{
    char line[128];
    double kilobytes = 0;
    FILE *file = fopen(reset ? "/proc/self/clear_refs" : "/proc/self/status", reset ? "w" : "r");
    cr_assert_not_null(file);
    if (reset) {
        fputs("5", file);
    }
    while (!reset && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kilobytes = strtod(line + 6, NULL);
        }
    }
    fclose(file);
    return kilobytes / 1e3;
}

/* VGG-19 as published, 575 MB: with --full only. */
Test(published, weights_are_loaded_in_time_and_without_a_second_copy)
{
    rv_model *model;
    rv_model_graph graph;
    rv_params *params;
    if (getenv("REVERIE_TEST_SPEED") == NULL) {
        cr_skip_test("REVERIE_TEST_SPEED is not set");
    }
    rv_device *device = rv_test_device();
    rv_published_write(rv_published_find("vgg19"), rv_test_folder(), false, 1, 224);
    (void)peak(true);
    const double before = peak(false), start = rv_clock();
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("vgg19.caffemodel"), NULL));
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    RV_ASSERT_OK(rv_params_create(&params, device, graph.graph, false));
    const double seconds = rv_clock() - start, grown = peak(false) - before;
    cr_log_info("%.2f s, %.0f MB more at most\n", seconds, grown);
    cr_assert_leq(seconds, 2.0);
    cr_assert_leq(grown, 1.1 * 575, "%g MB for 575", grown);
    rv_params_destroy(params);
    rv_graph_destroy(graph.graph);
    rv_model_close(model);
    rv_device_close(device);
}
