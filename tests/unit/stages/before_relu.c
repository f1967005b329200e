/* Names of layers before their activation and behind it mean that in networks from every format. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>

#include "base/philox.h"
#include "model/safetensors.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values of a layer, asked for alone or as the first of two; freed by the caller. */
static float *values_of(rv_device *device, const rv_model *model, const char *const *layers,
                        size_t n_layers, size_t *n)
{
    rv_features *f;
    rv_image *image = waves(64, 48, 3, 8, 5);
    RV_ASSERT_OK(rv_features_create(&f, model, device, layers, n_layers));
    RV_ASSERT_OK(rv_features_run_image(f, image));
    const rv_feature_map map = rv_features_map(f, 0);
    *n = 1;
    for (int i = 0; i < map.rank; i++) {
        *n *= (size_t)map.dim[i];
    }
    float *copy = malloc(*n * sizeof *copy);
    memcpy(copy, map.data, *n * sizeof *copy);
    rv_features_destroy(f);
    rv_image_destroy(image);
    return copy;
}

/* `before` has values below 0, `behind` is it without them, whichever of them is asked for. */
static void check(const rv_model *model, const char *before, const char *behind)
{
    rv_device *device = rv_test_device();
    const char *const both[2] = {before, behind}, *const turned[2] = {behind, before};
    size_t n, m;
    float *a = values_of(device, model, both, 1, &n), *b = values_of(device, model, turned, 1, &m);
    cr_assert_eq(n, m, "%s and %s", before, behind);
    float *c = values_of(device, model, both, 2, &m), *d = values_of(device, model, turned, 2, &m);
    double below = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        below += a[i] < 0;
        largest = fmax(largest, fabs((double)a[i]));
    }
    cr_assert_gt(below, 0.01 * (double)n, "%s has no values below 0", before);
    for (size_t i = 0; i < n; i++) {
        const double tolerance = 1e-5 * largest;
        cr_assert_float_eq(b[i], fmaxf(a[i], 0), tolerance, "%s, %s: %g, %g", before, behind,
                           (double)a[i], (double)b[i]);
        cr_assert_float_eq(a[i], c[i], tolerance, "%s beside %s", before, behind);
        cr_assert_float_eq(b[i], d[i], tolerance, "%s beside %s", behind, before);
    }
    free(a);
    free(b);
    free(c);
    free(d);
    rv_device_close(device);
}

static void check_file(const char *path, const char *before, const char *behind)
{
    rv_model *model;
    RV_ASSERT_OK(rv_model_open(&model, path, NULL));
    check(model, before, behind);
    rv_model_close(model);
}

/* Its activations work in place: both have the name of the convolution as their top. */
Test(before_relu, in_caffes_files)
{
    rv_model *model = small_network();
    check(model, "conv1", "relu1");
    check(model, "conv3", "relu3");
    rv_model_close(model);
}

Test(before_relu, in_each_file_of_squeezenet)
{
    static const char *const formats[] = {"caffemodel", "onnx", "safetensors"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        char name[128];
        snprintf(name, sizeof name, "models/squeezenet_v1.0/squeezenet_v1.0.%s", formats[i]);
        check_file(rv_test_shared(name), "fire2/squeeze1x1", "relu_fire2_squeeze1x1");
    }
}

/* There a normalisation lies between convolution and activation. */
Test(before_relu, in_the_builtin_network)
{
    check_file("builtin", "norm4_2", "relu4_2");
}

/* vgg11 of few channels, whose activations have no names of their own in the file. */
Test(before_relu, in_torchvisions_files)
{
    static const int modules[] = {0, 3, 6, 8, 11, 13, 16, 18};
    static const int channels[] = {2, 3, 4, 4, 5, 5, 6, 6};
    rv_stored_tensor list[16];
    char names[16][32];
    int before = 3, n = 0;
    for (int i = 0; i < 8; i++) {
        for (int bias = 0; bias < 2; bias++, n++) {
            const int c = channels[i];
            const rv_shape shape = bias ? rv_shape_1(c) : rv_shape_4(c, before, 3, 3);
            float *values = calloc(rv_shape_count(&shape), sizeof *values);
            for (size_t k = 0; k < rv_shape_count(&shape); k++) {
                values[k] = 0.5f * rv_philox_normal(7, (uint32_t)n, (uint32_t)k);
            }
            snprintf(names[n], sizeof names[n], "features.%d.%s", modules[i],
                     bias ? "bias" : "weight");
            list[n] = (rv_stored_tensor){names[n], shape, values};
        }
        before = channels[i];
    }
    const char *path = rv_test_path("vgg11.safetensors");
    RV_ASSERT_OK(rv_safetensors_write(path, list, 16, NULL, 0, &(rv_store_options){0}));
    for (int i = 0; i < 16; i++) {
        free((void *)list[i].data);
    }
    check_file(path, "conv1_1", "relu1_1");
    check_file(path, "conv4_2", "relu4_2");
}
