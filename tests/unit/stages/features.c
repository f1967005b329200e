/* Features and class scores: what independent programs computed for SqueezeNet, and a cat. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>

#include "base/npy.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rv_model *squeezenet_of(const char *file)
{
    char name[128];
    rv_model *model;
    snprintf(name, sizeof name, "models/squeezenet_v1.0/squeezenet_v1.0.%s", file);
    const char *path = rv_test_shared(name);
    cr_assert_eq(rv_model_open(&model, path, NULL), RV_OK, "%s", rv_error_message());
    return model;
}

static rv_model *squeezenet(void)
{
    return squeezenet_of("caffemodel");
}

static rv_features *create(const rv_model *model, rv_device *device, const char *const *layers,
                           size_t n)
{
    rv_features *f;
    cr_assert_eq(rv_features_create(&f, model, device, layers, n), RV_OK, "%s", rv_error_message());
    return f;
}

static void run_file(rv_features *f, const char *path)
{
    cr_assert_eq(rv_features_run_file(f, path, NULL), RV_OK, "%s", rv_error_message());
}

/* The array that tools/record_squeezenet.py makes up: rings of whole numbers. */
static const char *made_up_input(void)
{
    static const size_t dim[4] = {1, 3, 227, 227};
    const char *path = rv_test_path("input.npy");
    float *data = malloc(sizeof(float) * 3 * 227 * 227);
    for (int c = 0, i = 0; c < 3; c++) {
        for (int y = 0; y < 227; y++) {
            for (int x = 0; x < 227; x++) {
                const int square = (x - 113) * (x - 113) + (y - 113) * (y - 113);
                data[i++] = (float)(square / (64 + 8 * c) % 256 - 110);
            }
        }
    }
    cr_assert_eq(rv_npy_write(path, data, 4, dim, false), RV_OK);
    free(data);
    return path;
}

/* The same weights in a format of each kind give what they recorded. */
static void check_scores(const char *format)
{
    rv_model *model = squeezenet_of(format);
    rv_device *device = rv_test_device();
    rv_features *f = create(model, device, NULL, 0);
    float *expected;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    run_file(f, made_up_input());
    cr_assert_eq(rv_npy_read(&expected, &rank, dim, "tests/data/squeezenet_scores.npy"), RV_OK);
    const rv_feature_map map = rv_features_map(f, 0);
    cr_assert(map.dim[0] == 1 && map.dim[1] == 1000 && dim[1] == 1000);
    for (int i = 0; i < 1000; i++) {
        cr_assert_float_eq(map.data[i], expected[i], 1e-4, "%s: class %d: %g, not %g", format, i,
                           (double)map.data[i], (double)expected[i]);
    }
    free(expected);
    rv_features_destroy(f);
    rv_device_close(device);
    rv_model_close(model);
}

Test(features, squeezenet_gives_the_scores_of_independent_programs)
{
    check_scores("caffemodel");
}

Test(features, squeezenet_from_onnx_gives_the_same_scores)
{
    check_scores("onnx");
}

Test(features, squeezenet_from_safetensors_gives_the_same_scores)
{
    check_scores("safetensors");
}

/* Compares a layer with the line about it in tests/data/squeezenet_layers.txt. */
static void check_layer(const rv_feature_map *map, const char *line)
{
    char name[64];
    size_t dim[4];
    double mean, rms, sum = 0, square = 0;
    int read;
    cr_assert_eq(sscanf(line, "%63s %zu %zu %zu %zu %lf %lf %n", name, &dim[0], &dim[1], &dim[2],
                        &dim[3], &mean, &rms, &read),
                 7);
    cr_assert_str_eq(map->layer, name);
    cr_assert_arr_eq(map->dim, dim, sizeof dim, "%s", name);
    const size_t n = dim[0] * dim[1] * dim[2] * dim[3];
    for (size_t i = 0; i < n; i++) {
        sum += (double)map->data[i];
        square += (double)map->data[i] * (double)map->data[i];
    }
    cr_assert_float_eq(sum / (double)n, mean, 1e-4 * rms, "%s", name);
    cr_assert_float_eq(sqrt(square / (double)n), rms, 1e-4 * rms, "%s", name);
    line += read;
    for (size_t i = 0; i < 16; i++) {
        char *end;
        const double v = strtod(line, &end);
        cr_assert_neq(line, end);
        cr_assert_float_eq(map->data[i * n / 16], v, 1e-4 * rms, "%s at %zu", name, i * n / 16);
        line = end;
    }
}

Test(features, squeezenet_has_the_values_of_independent_programs_in_between)
{
    static const char *const layers[] = {
        "conv1",        "pool1", "fire3/concat", "fire5/squeeze1x1",
        "fire5/concat", "pool8", "conv10",       "pool10"};
    rv_model *model = squeezenet();
    rv_device *device = rv_test_device();
    rv_features *f = create(model, device, layers, 8);
    char line[1024];
    FILE *file = fopen("tests/data/squeezenet_layers.txt", "r");
    cr_assert_not_null(file);
    run_file(f, made_up_input());
    cr_assert_eq(rv_features_count(f), 8);
    for (size_t i = 0; i < 8; i++) {
        const rv_feature_map map = rv_features_map(f, i);
        cr_assert_not_null(fgets(line, sizeof line, file));
        check_layer(&map, line);
    }
    fclose(file);
    rv_features_destroy(f);
    rv_device_close(device);
    rv_model_close(model);
}

Test(features, chelsea_is_a_cat)
{
    static const char *const cats[] = {"tabby", "tiger cat", "Egyptian cat", "Persian cat"};
    rv_model *model = squeezenet();
    rv_device *device = rv_test_device();
    rv_features *f = create(model, device, NULL, 0);
    rv_prediction best[5];
    size_t n;
    run_file(f, rv_test_shared("images/chelsea.png"));
    cr_assert_eq(rv_classify(best, &n, f, 0, 5), RV_OK, "%s", rv_error_message());
    cr_assert_eq(n, 5);
    bool cat = false;
    for (size_t i = 0; i < 4; i++) {
        cat = cat || strstr(best[0].label, cats[i]) != NULL;
        cr_assert_geq(best[i].probability, best[i + 1].probability);
    }
    cr_assert(cat, "%s", best[0].label);
    rv_features_destroy(f);
    rv_device_close(device);
    rv_model_close(model);
}

Test(features, takes_arrays_of_any_batch_and_size)
{
    static const char *const layers[] = {"relu3", "data"};
    static const size_t dim[4] = {2, 3, 9, 14};
    rv_model *model = small_network();
    rv_device *device = rv_test_device();
    rv_features *f = create(model, device, layers, 2);
    float data[2 * 3 * 9 * 14];
    for (int i = 0; i < 2 * 3 * 9 * 14; i++) {
        data[i] = (float)(i % 29) - 14;
    }
    const char *path = rv_test_path("two.npy");
    cr_assert_eq(rv_npy_write(path, data, 4, dim, false), RV_OK);
    run_file(f, path);
    const rv_feature_map map = rv_features_map(f, 0), input = rv_features_map(f, 1);
    cr_assert(map.rank == 4 && map.dim[0] == 2 && map.dim[1] == 11 && map.dim[2] == 5 &&
              map.dim[3] == 7);
    cr_assert_arr_eq(input.data, data, sizeof data);
    rv_image *image = waves(50, 40, 3, 8, 1);
    cr_assert_eq(rv_features_run_image(f, image), RV_OK);
    const rv_feature_map now = rv_features_map(f, 0);
    cr_assert(now.dim[0] == 1 && now.dim[2] == 10 && now.dim[3] == 12);
    rv_image_destroy(image);
    rv_features_destroy(f);
    rv_device_close(device);
    rv_model_close(model);
}

Test(features, writes_values_that_can_be_read_again)
{
    static const char *const layer = "relu2";
    rv_model *model = small_network();
    rv_device *device = rv_test_device();
    rv_features *f = create(model, device, &layer, 1);
    const char *path = rv_test_path("out.npy");
    cr_assert_eq(rv_extract(f, 0, path, false), RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(), "small was not run over anything yet");
    rv_image *image = waves(50, 40, 3, 8, 1);
    cr_assert_eq(rv_features_run_image(f, image), RV_OK);
    cr_assert_eq(rv_extract(f, 0, path, false), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_extract(f, 0, path, false), RV_ERR_USAGE);
    cr_assert_eq(rv_extract(f, 1, path, true), RV_ERR_USAGE);
    float *data;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    cr_assert_eq(rv_npy_read(&data, &rank, dim, path), RV_OK);
    const rv_feature_map map = rv_features_map(f, 0);
    cr_assert(rank == 4 && dim[1] == 13 && dim[2] == 10 && dim[3] == 12);
    cr_assert_arr_eq(data, map.data, sizeof(float) * 13 * 10 * 12);
    free(data);
    rv_image_destroy(image);
    rv_features_destroy(f);
    rv_device_close(device);
    rv_model_close(model);
}

Test(features, refuses_what_gives_no_scores)
{
    static const char *const layer = "relu2", *const unknown = "relu4";
    rv_model *model = small_network();
    rv_device *device = rv_test_device();
    rv_prediction best;
    rv_features *f;
    size_t n;
    cr_assert_eq(rv_features_create(&f, model, device, &unknown, 1), RV_ERR_NOT_FOUND);
    cr_assert_null(f);
    cr_assert_not_null(strstr(rv_error_message(), "'relu4' in small; the nearest is 'relu"), "%s",
                       rv_error_message());
    f = create(model, device, &layer, 1);
    cr_assert_eq(rv_classify(&best, &n, f, 0, 1), RV_ERR_USAGE);
    rv_image *image = waves(50, 40, 3, 8, 1);
    cr_assert_eq(rv_features_run_image(f, image), RV_OK);
    cr_assert_eq(rv_classify(&best, &n, f, 0, 1), RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(), "'relu2' gives no class scores: its shape is 1x13x10x12");
    static const size_t dim[4] = {1, 2, 9, 9};
    const float zeros[2 * 9 * 9] = {0};
    const char *path = rv_test_path("two_channels.npy");
    cr_assert_eq(rv_npy_write(path, zeros, 4, dim, false), RV_OK);
    cr_assert_eq(rv_features_run_file(f, path, NULL), RV_ERR_SHAPE);
    cr_assert_not_null(strstr(rv_error_message(), "an array for small has the shape [N,3,H,W]"));
    rv_image_destroy(image);
    rv_features_destroy(f);
    rv_device_close(device);
    rv_model_close(model);
}

/* One colour, so that neither crop nor resizing matters: the same as an array of its grey. */
Test(features, a_network_for_grey_pictures_takes_grey_of_colour)
{
    static const uint8_t colour[3] = {200, 30, 90};
    rv_device *device = rv_test_device();
    rv_model *model;
    rv_features *features;
    rv_image *image;
    float grey[28 * 28], scores[10];
    const size_t dim[4] = {1, 1, 28, 28};
    RV_ASSERT_OK(rv_model_open(&model, "lenet", NULL));
    RV_ASSERT_OK(rv_features_create(&features, model, device, NULL, 0));
    RV_ASSERT_OK(rv_image_create(&image, 40, 31, 3, 8));
    for (size_t i = 0; i < 40 * 31 * 3; i++) {
        ((uint8_t *)rv_image_pixels(image))[i] = colour[i % 3];
    }
    for (size_t i = 0; i < 28 * 28; i++) {
        grey[i] = (0.299f * 200 + 0.587f * 30 + 0.114f * 90) / 255;
    }
    RV_ASSERT_OK(rv_npy_write(rv_test_path("grey.npy"), grey, 4, dim, false));
    RV_ASSERT_OK(rv_features_run_file(features, rv_test_path("grey.npy"), NULL));
    memcpy(scores, rv_features_map(features, 0).data, sizeof scores);
    RV_ASSERT_OK(rv_features_run_image(features, image));
    for (int i = 0; i < 10; i++) {
        cr_assert_float_eq(rv_features_map(features, 0).data[i], scores[i], 1e-4);
    }
    rv_image_destroy(image);
    rv_features_destroy(features);
    rv_model_close(model);
    rv_device_close(device);
}
