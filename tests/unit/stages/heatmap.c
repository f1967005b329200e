/* Heat maps: what other programs computed for a small network, and what every map has to be. */
/* SPDX-License-Identifier: MIT */
#include "stages/heatmap.h"

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

enum { SIDE = 24, CAM_SIDE = 12, N_WANTED = 2 };
static const int wanted[N_WANTED] = {3, 1};

static rv_device *device;
static rv_model *model;
static rv_heatmaps *maps;

/* tests/data/heatmap_network: its pictures are of 24 x 24 pixels, of which it takes (v - 0.5) / 0.25. */
static void open_network(void)
{
    const rv_preprocessing preprocessing = {false, 1, {0.5f, 0.5f, 0.5f}, {0.25f, 0.25f, 0.25f}};
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.weights = "tests/data/heatmap_network.safetensors";
    options.preprocessing = &preprocessing;
    cr_assert_eq(rv_model_open(&model, "tests/data/heatmap_network.prototxt", &options), RV_OK,
                 "%s", rv_error_message());
    device = rv_test_device();
}

static void close_network(void)
{
    rv_heatmaps_destroy(maps);
    maps = NULL;
    rv_device_close(device);
    rv_model_close(model);
}

TestSuite(heatmap, .init = open_network, .fini = close_network);

static void create(const rv_heatmaps_options *options)
{
    RV_ASSERT_OK(rv_heatmaps_create(&maps, model, device, options));
}

/* The rings that tools/record_heatmaps.py makes up. */
static void see_rings(void)
{
    rv_planar seen;
    RV_ASSERT_OK(rv_planar_create(&seen, SIDE, SIDE));
    for (int c = 0, i = 0; c < 3; c++) {
        for (int y = 0; y < SIDE; y++) {
            for (int x = 0; x < SIDE; x++) {
                const int square = (x - 9) * (x - 9) + (y - 14) * (y - 14);
                seen.data[i++] = (float)(square * (3 + c) % 256) / 255.0f;
            }
        }
    }
    RV_ASSERT_OK(rv_heatmaps_see(maps, &seen));
}

/* As the recorded maps were made. */
static rv_heatmaps_options recorded(void)
{
    rv_heatmaps_options options = RV_HEATMAPS_OPTIONS_INIT;
    options.samples = 8;
    options.noise = 0.2;
    options.seed = 7;
    options.steps = 64;
    options.window = 6;
    options.stride = 3;
    return options;
}

/* Row `row` of what was recorded in `file` are the maps of `method`, [N_WANTED,side,side]. */
static void check_recorded(rv_heat_method method, const char *file, size_t row, int side)
{
    const rv_heatmaps_options options = recorded();
    const size_t pixels = (size_t)side * (size_t)side;
    float *expected;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    RV_ASSERT_OK(rv_npy_read(&expected, &rank, dim, file));
    cr_assert(rank == 4 && row < dim[0] && dim[1] == N_WANTED && dim[2] * dim[3] == pixels);
    create(&options);
    see_rings();
    RV_ASSERT_OK(rv_heatmaps_compute(maps, method, wanted, N_WANTED));
    cr_assert_eq(rv_heatmaps_count(maps), N_WANTED);
    for (size_t k = 0; k < N_WANTED; k++) {
        const rv_heat_map map = rv_heatmaps_map(maps, k);
        const float *of = expected + (row * N_WANTED + k) * pixels;
        float largest = 0;
        cr_assert(map.width == side && map.height == side && map.prediction.index == wanted[k]);
        for (size_t i = 0; i < pixels; i++) {
            largest = fmaxf(largest, fabsf(of[i]));
        }
        cr_assert_gt(largest, 0);
        for (size_t i = 0; i < pixels; i++) {
            /* Single precision on both sides: sums of about a thousand products. */
            cr_assert_float_eq(map.data[i], of[i], 1e-4f * largest,
                               "class %d, value %zu: %g, not %g", wanted[k], i, (double)map.data[i],
                               (double)of[i]);
        }
    }
    free(expected);
}

#define CAMS   "tests/data/heatmap_cams.npy"
#define PIXELS "tests/data/heatmap_pixels.npy"

Test(heatmap, grad_cam_is_what_another_program_computes)
{
    check_recorded(RV_HEAT_GRAD_CAM, CAMS, 0, CAM_SIDE);
}

Test(heatmap, grad_cam_plus_is_what_another_program_computes)
{
    check_recorded(RV_HEAT_GRAD_CAM_PLUS, CAMS, 1, CAM_SIDE);
}

Test(heatmap, saliency_is_what_another_program_computes)
{
    check_recorded(RV_HEAT_SALIENCY, PIXELS, 0, SIDE);
}

Test(heatmap, smoothgrad_is_what_another_program_computes)
{
    check_recorded(RV_HEAT_SMOOTHGRAD, PIXELS, 1, SIDE);
}

Test(heatmap, integrated_gradients_are_what_another_program_computes)
{
    check_recorded(RV_HEAT_INTEGRATED, PIXELS, 2, SIDE);
}

Test(heatmap, guided_backpropagation_is_what_another_program_computes)
{
    check_recorded(RV_HEAT_GUIDED, PIXELS, 3, SIDE);
}

Test(heatmap, occlusion_is_what_another_program_computes)
{
    check_recorded(RV_HEAT_OCCLUSION, PIXELS, 4, SIDE);
}

/* What most devices run: the kernels of the tests' own form were asked above. */
Test(heatmap, both_forms_of_kernels_compute_what_another_program_does)
{
    rv_device_close(device);
    RV_ASSERT_OK(rv_test_device_open(&device, RV_FORM_GPU, 0));
    static const rv_heat_method pixels[] = {RV_HEAT_SALIENCY, RV_HEAT_SMOOTHGRAD,
                                            RV_HEAT_INTEGRATED, RV_HEAT_GUIDED, RV_HEAT_OCCLUSION};
    for (size_t i = 0; i < 7; i++) {
        const bool cam = i < 2;
        check_recorded(cam ? (rv_heat_method)i : pixels[i - 2], cam ? CAMS : PIXELS,
                       cam ? i : i - 2, cam ? CAM_SIDE : SIDE);
        rv_heatmaps_destroy(maps);
        maps = NULL;
    }
}

/* The gradient by differences of scores, to which single pixels add what the network says. */
Test(heatmap, saliency_is_the_slope_of_the_score)
{
    create(NULL);
    see_rings();
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_SALIENCY, wanted, 1));
    const float *saliency = rv_heatmaps_map(maps, 0).data;
    const size_t pixels = (size_t)SIDE * SIDE, values = rv_heatmaps_values(maps);
    float *picture = malloc(values * sizeof *picture), scores[2][5];
    int checked = 0;
    cr_assert_not_null(picture);
    for (size_t at = 5; at < pixels; at += 61) {
        double largest = 0;
        for (size_t c = 0; c < 3; c++) {
            for (int side = 0; side < 2; side++) {
                memcpy(picture, maps->seen.data, values * sizeof *picture);
                picture[c * pixels + at] += side == 0 ? -2e-3f : 2e-3f;
                RV_ASSERT_OK(rv_heatmaps_score(maps, picture, scores[side]));
            }
            const double slope = ((double)scores[1][3] - (double)scores[0][3]) / 4e-3;
            largest = fmax(largest, fabs(slope));
        }
        checked += fabs(largest - (double)saliency[at]) < 1e-3 + 0.02 * largest;
    }
    free(picture);
    /* A kink may lie between the two points of one or the other. */
    cr_assert_geq(checked, 8, "%d of 10", checked);
}

Test(heatmap, integrated_gradients_are_complete)
{
    create(NULL);
    see_rings();
    const int classes[5] = {0, 1, 2, 3, 4};
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_INTEGRATED, classes, 5));
    for (size_t k = 0; k < 5; k++) {
        const rv_heat_map map = rv_heatmaps_map(maps, k);
        double sum = 0;
        for (int i = 0; i < SIDE * SIDE; i++) {
            sum += (double)map.data[i];
        }
        cr_assert_float_eq(sum, map.difference, 0.01 * fabs(map.difference), "class %zu", k);
    }
}

Test(heatmap, classes_are_those_of_classify_and_their_probabilities_add_up_to_1)
{
    rv_prediction best[8];
    size_t n;
    double sum = 0;
    create(NULL);
    see_rings();
    cr_assert_str_eq(rv_heatmaps_layer(maps), "relu3");
    RV_ASSERT_OK(rv_heatmaps_best(best, &n, maps, 8));
    cr_assert_eq(n, 5);
    for (size_t i = 0; i < n; i++) {
        sum += (double)best[i].probability;
        cr_assert(i == 0 || best[i].probability <= best[i - 1].probability);
    }
    cr_assert_float_eq(sum, 1, 1e-5);
    const int likeliest = best[0].index;
    RV_ASSERT_OK(rv_heatmaps_best(best, &n, maps, 2));
    cr_assert(n == 2 && best[0].index == likeliest);
}

/* In a batch each class has its own gradient, and the rest of the last batch none. */
Test(heatmap, maps_of_several_classes_are_those_of_each)
{
    static const rv_heat_method methods[] = {RV_HEAT_GRAD_CAM, RV_HEAT_SMOOTHGRAD};
    rv_heatmaps_options options = recorded();
    options.samples = 19;
    create(&options);
    see_rings();
    for (size_t m = 0; m < 2; m++) {
        const size_t first = rv_heatmaps_count(maps);
        RV_ASSERT_OK(rv_heatmaps_compute(maps, methods[m], wanted, N_WANTED));
        for (size_t k = 0; k < N_WANTED; k++) {
            RV_ASSERT_OK(rv_heatmaps_compute(maps, methods[m], &wanted[k], 1));
        }
        for (size_t k = 0; k < N_WANTED; k++) {
            const rv_heat_map a = rv_heatmaps_map(maps, first + k);
            const rv_heat_map b = rv_heatmaps_map(maps, first + N_WANTED + k);
            for (int i = 0; i < a.width * a.height; i++) {
                cr_assert_float_eq(a.data[i], b.data[i], 1e-6 + 1e-5 * fabs((double)b.data[i]));
            }
        }
    }
}

/* Windows that do not divide the side: every pixel is under one. */
Test(heatmap, occlusion_covers_the_last_row_and_column)
{
    rv_heatmaps_options options = recorded();
    options.window = 7;
    options.stride = 5;
    create(&options);
    see_rings();
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_OCCLUSION, wanted, 1));
    const rv_heat_map map = rv_heatmaps_map(maps, 0);
    for (int i = 0; i < SIDE * SIDE; i++) {
        cr_assert(isfinite(map.data[i]), "value %d", i);
    }
    cr_assert_neq(map.data[SIDE * SIDE - 1], 0);
}

Test(heatmap, overlays_and_the_sheet_are_of_the_size_that_was_asked_for)
{
    rv_heatmaps_options options = recorded();
    rv_image *photo = waves(120, 90, 3, 8, 1), *drawn;
    options.size = 64;
    create(&options);
    RV_ASSERT_OK(rv_heatmaps_look(maps, photo));
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_GRAD_CAM, wanted, N_WANTED));
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_SALIENCY, wanted, N_WANTED));
    RV_ASSERT_OK(rv_heatmaps_overlay(&drawn, maps, 3));
    cr_assert(rv_image_width(drawn) == 64 && rv_image_height(drawn) == 48);
    /* What the network did not look at is grey. */
    const uint8_t *corner = rv_image_pixels_const(drawn);
    cr_assert(corner[0] == corner[1] && corner[1] == corner[2]);
    int coloured = 0;
    for (int i = 0; i < 64 * 48; i++) {
        coloured += corner[3 * i] != corner[3 * i + 1];
    }
    cr_assert_gt(coloured, 200);
    rv_image_destroy(drawn);
    RV_ASSERT_OK(rv_heatmaps_overlay_on(&drawn, maps, 3, photo));
    cr_assert(rv_image_width(drawn) == 120 && rv_image_height(drawn) == 90);
    const uint8_t *pixels = rv_image_pixels_const(drawn);
    int large = 0;
    for (int i = 0; i < 120 * 90; i++) {
        large += pixels[3 * i] != pixels[3 * i + 1];
    }
    const double ratio = 120.0 * 90 / (64 * 48);
    cr_assert_float_eq(large, coloured * ratio, 0.1 * coloured * ratio, "%d of %d", large,
                       coloured);
    rv_image_destroy(drawn);
    RV_ASSERT_FAILS(rv_heatmaps_overlay_on(&drawn, maps, 2 * N_WANTED, photo), RV_ERR_USAGE,
                    "there is no heat map");
    RV_ASSERT_OK(rv_heatmaps_sheet(&drawn, maps));
    cr_assert_gt(rv_image_width(drawn), 3 * 64);
    cr_assert_gt(rv_image_height(drawn), 2 * 48);
    rv_image_destroy(drawn);
    rv_image_destroy(photo);
}

Test(heatmap, maps_are_written_by_method)
{
    float *values;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    const char *path = rv_test_path("maps.npy");
    create(NULL);
    see_rings();
    cr_assert_eq(rv_heatmaps_write(maps, RV_HEAT_GRAD_CAM, path, false), RV_ERR_USAGE);
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_SALIENCY, wanted, 1));
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_GRAD_CAM, wanted, N_WANTED));
    RV_ASSERT_OK(rv_heatmaps_write(maps, RV_HEAT_GRAD_CAM, path, false));
    RV_ASSERT_OK(rv_npy_read(&values, &rank, dim, path));
    cr_assert(rank == 3 && dim[0] == N_WANTED && dim[1] == CAM_SIDE && dim[2] == CAM_SIDE);
    cr_assert_arr_eq(values, rv_heatmaps_map(maps, 1).data, sizeof(float) * CAM_SIDE * CAM_SIDE);
    free(values);
    cr_assert_eq(rv_heatmaps_write(maps, RV_HEAT_GRAD_CAM, path, false), RV_ERR_USAGE);
}

static void refuses(rv_status got, rv_status status, const char *part)
{
    cr_assert_eq(got, status, "%s", rv_error_message());
    cr_assert_not_null(strstr(rv_error_message(), part), "%s", rv_error_message());
}

Test(heatmap, what_cannot_be_done_is_said)
{
    const int none = 9;
    size_t n;
    rv_prediction best;
    rv_heatmaps_options o = RV_HEATMAPS_OPTIONS_INIT;
    rv_heat_method method;
    rv_heatmaps *other;
    refuses(rv_heat_method_find(&method, "cam"), RV_ERR_USAGE, "no method 'cam'");
    o.layer = "fc";
    refuses(rv_heatmaps_create(&other, model, device, &o), RV_ERR_USAGE, "'fc' has no maps");
    o.layer = "relu9";
    refuses(rv_heatmaps_create(&other, model, device, &o), RV_ERR_NOT_FOUND, "relu9");
    o = (rv_heatmaps_options)RV_HEATMAPS_OPTIONS_INIT;
    o.noise = 0;
    refuses(rv_heatmaps_create(&other, model, device, &o), RV_ERR_USAGE, "noise of 0");
    o = recorded();
    o.window = 25;
    create(&o);
    refuses(rv_heatmaps_best(&best, &n, maps, 1), RV_ERR_USAGE, "looked at no picture");
    refuses(rv_heatmaps_compute(maps, RV_HEAT_SALIENCY, wanted, 1), RV_ERR_USAGE, "no picture");
    see_rings();
    refuses(rv_heatmaps_compute(maps, RV_HEAT_SALIENCY, &none, 1), RV_ERR_USAGE, "but no 9");
    refuses(rv_heatmaps_compute(maps, RV_HEAT_OCCLUSION, wanted, 1), RV_ERR_USAGE,
            "a window of 25 pixels is larger than the 24 x 24");
    refuses(rv_heatmaps_compute(maps, RV_HEAT_SALIENCY, wanted, 0), RV_ERR_USAGE, "0 classes");
    cr_assert_eq(rv_heatmaps_count(maps), 0);
}

static void note_warning(void *payload, rv_log_level level, const char *text)
{
    if (level == RV_LOG_WARNING) {
        snprintf(payload, 256, "%s", text);
    }
}

Test(heatmap, a_network_without_class_scores_is_refused)
{
    rv_model *features = small_network();
    refuses(rv_heatmaps_create(&maps, features, device, NULL), RV_ERR_UNSUPPORTED,
            "small gives no class scores: its last layer, 'relu3', has the shape 1x11x10x12");
    rv_model_close(features);
}

static const char plain_prototxt[] =
    "name: 'plain' input: 'data' input_shape { dim: 1 dim: 3 dim: 6 dim: 6 }\n"
    "layer { name: 'fc' type: 'InnerProduct' bottom: 'data' top: 'fc'\n"
    "  inner_product_param { num_output: 4 } }\n";

/* What a caller of an older library does not know of is as usual. */
Test(heatmap, an_older_caller_knows_fewer_options)
{
    rv_heatmaps_options options = RV_HEATMAPS_OPTIONS_INIT;
    options.struct_size = offsetof(rv_heatmaps_options, samples);
    options.layer = "conv2";
    options.samples = -1;
    create(&options);
    cr_assert_str_eq(rv_heatmaps_layer(maps), "conv2");
    cr_assert_eq(maps->options.samples, 32);
}

Test(heatmap, a_black_picture_has_nothing_to_integrate)
{
    char warning[256] = "";
    const rv_events events = {.payload = warning, .log = note_warning};
    rv_heatmaps_options options = RV_HEATMAPS_OPTIONS_INIT;
    rv_planar black;
    options.events = &events;
    create(&options);
    RV_ASSERT_OK(rv_planar_create(&black, SIDE, SIDE));
    for (size_t i = 0; i < rv_planar_floats(&black); i++) {
        black.data[i] = 0;
    }
    RV_ASSERT_OK(rv_heatmaps_see(maps, &black));
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_INTEGRATED, wanted, 1));
    cr_assert_str_eq(warning, "");
}

/* Neither maps nor rectifiers, and random weights, which a warning says. */
Test(heatmap, a_linear_network_has_gradients_only)
{
    const char *path = rv_test_path("plain.prototxt");
    char warning[256] = "";
    const rv_events events = {.payload = warning, .log = note_warning};
    rv_heatmaps_options options = RV_HEATMAPS_OPTIONS_INIT;
    rv_image *photo = waves(30, 30, 3, 8, 2);
    rv_model *plain;
    rv_test_write(path, plain_prototxt, strlen(plain_prototxt));
    options.events = &events;
    RV_ASSERT_OK(rv_model_open(&plain, path, NULL));
    RV_ASSERT_OK(rv_heatmaps_create(&maps, plain, device, &options));
    cr_assert_not_null(strstr(warning, "plain has random weights"), "%s", warning);
    RV_ASSERT_OK(rv_heatmaps_look(maps, photo));
    cr_assert_null(rv_heatmaps_layer(maps));
    refuses(rv_heatmaps_compute(maps, RV_HEAT_GRAD_CAM, wanted, 1), RV_ERR_USAGE,
            "no layer with maps");
    refuses(rv_heatmaps_compute(maps, RV_HEAT_GUIDED, wanted, 1), RV_ERR_USAGE, "no rectifiers");
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_INTEGRATED, wanted, 1));
    rv_heatmaps_destroy(maps);
    maps = NULL;
    rv_model_close(plain);
    rv_image_destroy(photo);
}

/* A cat sits in the middle of this photo: its face is hot, the corner behind it is not. */
Test(heatmap, squeezenet_sees_the_cat_where_it_is)
{
    rv_model *squeezenet;
    rv_image *photo;
    const char *path = rv_test_shared("models/squeezenet_v1.0/squeezenet_v1.0.caffemodel");
    int cat;
    RV_ASSERT_OK(rv_model_open(&squeezenet, path, NULL));
    RV_ASSERT_OK(rv_image_read(&photo, rv_test_shared("images/chelsea.png"), NULL));
    RV_ASSERT_OK(rv_heatmaps_create(&maps, squeezenet, device, NULL));
    RV_ASSERT_OK(rv_heatmaps_look(maps, photo));
    refuses(rv_heatmaps_find(&cat, maps, "cat"), RV_ERR_USAGE, "'cat' may be any of");
    RV_ASSERT_OK(rv_heatmaps_find(&cat, maps, "Egyptian cat"));
    cr_assert_eq(cat, 285);
    RV_ASSERT_OK(rv_heatmaps_compute(maps, RV_HEAT_GRAD_CAM, &cat, 1));
    const rv_heat_map map = rv_heatmaps_map(maps, 0);
    double face = 0, corner = 0;
    cr_assert(map.width == 15 && map.height == 15);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++) {
            face += (double)map.data[(5 + i) * 15 + 7 + k];
            corner += (double)map.data[i * 15 + k];
        }
    }
    cr_assert_gt(face, 2 * corner, "%g and %g", face, corner);
    rv_heatmaps_destroy(maps);
    maps = NULL;
    rv_image_destroy(photo);
    rv_model_close(squeezenet);
}

static const char bypass_prototxt[] =
    "name: 'bypass' input: 'data' input_shape { dim: 1 dim: 3 dim: 12 dim: 10 }\n"
    "layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'\n"
    "  convolution_param { num_output: 9 kernel_size: 3 pad: 1 } }\n"
    "layer { name: 'conv2' type: 'Convolution' bottom: 'conv1' top: 'conv2'\n"
    "  convolution_param { num_output: 9 kernel_size: 3 pad: 1 } }\n"
    "layer { name: 'sum' type: 'Eltwise' bottom: 'conv1' bottom: 'conv2' top: 'sum' }\n"
    "layer { name: 'relu' type: 'ReLU' bottom: 'sum' top: 'relu' }\n"
    "layer { name: 'mean' type: 'Pooling' bottom: 'relu' top: 'mean'\n"
    "  pooling_param { pool: AVE global_pooling: true } }\n"
    "layer { name: 'fc' type: 'InnerProduct' bottom: 'mean' top: 'fc'\n"
    "  inner_product_param { num_output: 4 } }\n";

enum { BYPASS_VALUES = 9 * 12 * 10 };

static void copy_features(void *context, size_t i, float *values)
{
    (void)context, (void)i;
    memcpy(values, maps->features, BYPASS_VALUES * sizeof *values);
}

static void keep_gradient(void *context, size_t i, const float *gradient)
{
    memcpy((float *)context + i * BYPASS_VALUES, gradient, BYPASS_VALUES * sizeof *gradient);
}

/* Gradients of scores 3 and 1 with respect to a layer, [2,9,12,10]. */
static void gradients_of(float *out, const rv_model *bypass, const char *layer)
{
    rv_heatmaps_options options = RV_HEATMAPS_OPTIONS_INIT;
    rv_image *photo = waves(40, 48, 3, 8, 3);
    options.layer = layer;
    RV_ASSERT_OK(rv_heatmaps_create(&maps, bypass, device, &options));
    RV_ASSERT_OK(rv_heatmaps_look(maps, photo));
    const rv_heat_job job = {.task = "test",
                             .context = out,
                             .n = N_WANTED,
                             .fill = copy_features,
                             .take = keep_gradient,
                             .classes = wanted,
                             .share = 1,
                             .of_layer = true,
                             .to = 1};
    RV_ASSERT_OK(rv_heatmaps_run(maps, &job));
    rv_heatmaps_destroy(maps);
    maps = NULL;
    rv_image_destroy(photo);
}

/* What goes past the layer comes from the picture, for each of the batch. */
Test(heatmap, a_layer_may_be_passed_by)
{
    const char *path = rv_test_path("bypass.prototxt");
    float *inner = malloc(2 * N_WANTED * BYPASS_VALUES * sizeof *inner);
    float *sum = inner + N_WANTED * BYPASS_VALUES;
    rv_model *bypass;
    int zero = 0, apart = 0;
    cr_assert_not_null(inner);
    rv_test_write(path, bypass_prototxt, strlen(bypass_prototxt));
    RV_ASSERT_OK(rv_model_open(&bypass, path, NULL));
    gradients_of(inner, bypass, "conv2");
    gradients_of(sum, bypass, "sum");
    for (int i = 0; i < N_WANTED * BYPASS_VALUES; i++) {
        cr_assert_float_eq(inner[i], sum[i], 1e-7, "value %d", i);
        zero += sum[i] == 0;
        apart += i < BYPASS_VALUES && sum[i] != sum[i + BYPASS_VALUES];
    }
    cr_assert_gt(zero, 100, "the rectifier hands down what the picture lets through");
    cr_assert_gt(apart, 100, "each class of the batch has its own");
    free(inner);
    rv_model_close(bypass);
}
