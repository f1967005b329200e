/* Mean files of Caffe's, and where the layers that read data sets say size and mean. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"
#include "support/assert.h"
#include "support/scratch.h"
#include "support/wire.h"

#include <math.h>
#include <stdlib.h>

/* B, G, R of a picture of 2x2. */
static const float pixels[12] = {1, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400};

/* A BlobProto as Caffe's compute_image_mean writes it. */
static const char *blob(const char *name, int channels, const float *values, size_t n)
{
    rv_message m = {0};
    rv_wire_number(&m, 1, 1);
    rv_wire_number(&m, 2, (uint64_t)channels);
    rv_wire_number(&m, 3, 2);
    rv_wire_number(&m, 4, 2);
    rv_wire_bytes(&m, 5, values, n * sizeof *values);
    const char *path = rv_test_path(name);
    rv_test_write(path, m.data, m.size);
    free(m.data);
    return path;
}

static const char *array(const char *name, int rank, const size_t *dim, const float *values)
{
    const char *path = rv_test_path(name);
    RV_ASSERT_OK(rv_npy_write(path, values, rank, dim, true));
    return path;
}

static void gives(const char *path, double b, double g, double r)
{
    rv_preprocessing p;
    RV_ASSERT_OK(rv_preprocessing_find(&p, path));
    cr_assert(p.bgr);
    cr_assert_float_eq(p.range, 255, 0);
    cr_assert_float_eq(p.deviation[0], 1, 0);
    cr_assert_float_eq(p.mean[0], b, 0, "%s: %g", path, (double)p.mean[0]);
    cr_assert_float_eq(p.mean[1], g, 0, "%s: %g", path, (double)p.mean[1]);
    cr_assert_float_eq(p.mean[2], r, 0, "%s: %g", path, (double)p.mean[2]);
}

Test(mean_file, each_channel_has_the_mean_of_its_pixels)
{
    static const size_t chw[4] = {1, 3, 2, 2};
    static const float means[3] = {104, 117, 123};
    gives(blob("a.binaryproto", 3, pixels, 12), 2.5, 25, 250);
    gives(blob("grey.binaryproto", 1, pixels, 4), 2.5, 2.5, 2.5);
    gives(array("a.npy", 3, chw + 1, pixels), 2.5, 25, 250);
    gives(array("b.npy", 4, chw, pixels), 2.5, 25, 250);
    gives(array("c.npy", 1, chw + 1, means), 104, 117, 123);
}

Test(mean_file, what_is_none_is_named)
{
    static const float nan[12] = {NAN};
    static const size_t two[3] = {2, 2, 3};
    rv_preprocessing p;
    RV_ASSERT_FAILS(rv_preprocessing_find(&p, rv_test_path("none.npy")), RV_ERR_NOT_FOUND,
                    "none.npy");
    RV_ASSERT_FAILS(rv_preprocessing_find(&p, blob("few.binaryproto", 3, pixels, 11)),
                    RV_ERR_FORMAT, "few.binaryproto: 11 values where 12 should be");
    RV_ASSERT_FAILS(rv_preprocessing_find(&p, blob("nan.binaryproto", 3, nan, 12)), RV_ERR_FORMAT,
                    "the mean of channel 0 is no number");
    RV_ASSERT_FAILS(rv_preprocessing_find(&p, array("two.npy", 3, two, pixels)), RV_ERR_SHAPE,
                    "3 channels or 1, not 2");
    rv_test_write(rv_test_path("web.binaryproto"), "<html>", 6);
    RV_ASSERT_FAILS(rv_preprocessing_find(&p, rv_test_path("web.binaryproto")), RV_ERR_FORMAT,
                    "web.binaryproto");
}

/* The network of a layer that reads a data set, in a file beside what the test wrote. */
static rv_network *network_of(const char *data)
{
    char text[512];
    rv_network *network;
    const int n = snprintf(text, sizeof text,
                           "%s layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }", data);
    rv_test_write(rv_test_path("net.prototxt"), text, (size_t)n);
    RV_ASSERT_OK(rv_caffe_network(&network, rv_test_path("net.prototxt")));
    return network;
}

static void prepares(const char *data, int channels, int height, double range, double b, double r)
{
    rv_network *n = network_of(data);
    const rv_preprocessing *p = &n->preprocessing;
    cr_assert(n->channels == channels && n->height == height && n->width == height, "%s", data);
    cr_assert_float_eq(p->range, range, 1e-4, "%s: range %g", data, (double)p->range);
    cr_assert_float_eq(p->mean[0], b, 1e-4, "%s: mean %g", data, (double)p->mean[0]);
    cr_assert_float_eq(p->mean[2], r, 1e-4, "%s: mean %g", data, (double)p->mean[2]);
    rv_network_destroy(n);
}

Test(mean_file, a_layer_that_reads_a_data_set_says_size_and_mean)
{
    blob("mean.binaryproto", 3, pixels, 12);
    prepares("layer { name: 'data' type: 'Data' top: 'data' top: 'label' transform_param { "
             "crop_size: 8 mean_file: '/home/somebody/data/mean.binaryproto' scale: 0.5 } }",
             3, 8, 127.5, 1.25, 125);
    /* As the first files had it. */
    prepares("layers { name: 'data' type: DATA top: 'data' data_param { source: 'x' crop_size: 8 "
             "mean_file: 'mean.binaryproto' } }",
             3, 8, 255, 2.5, 250);
    /* It is not here: that of ImageNet. */
    prepares("layer { name: 'data' type: 'ImageData' top: 'data' transform_param { crop_size: 8 "
             "mean_file: 'other.binaryproto' } }",
             3, 8, 255, 104, 123);
    prepares("layer { name: 'data' type: 'Data' top: 'data' transform_param { crop_size: 8 "
             "mean_value: 7 } }",
             3, 8, 255, 7, 7);
    prepares("layer { name: 'data' type: 'Data' top: 'data' transform_param { crop_size: 8 } }", 3,
             8, 255, 0, 0);
    prepares("layer { name: 'data' type: 'Data' top: 'data' transform_param { crop_size: 8 "
             "force_gray: true scale: 0.00390625 } }",
             1, 8, 255.0 / 256, 0, 0);
    prepares("layer { name: 'data' type: 'MemoryData' top: 'data' memory_data_param { batch_size: "
             "1 channels: 1 height: 8 width: 8 } }",
             1, 8, 255, 0, 0);
}

typedef struct said {
    int means;
    char text[512];
} said;

static void on_log(void *payload, rv_log_level level, const char *text)
{
    said *s = payload;
    if (level == RV_LOG_WARNING && strstr(text, "mean") != NULL) {
        s->means++;
        snprintf(s->text, sizeof s->text, "%s", text);
    }
}

static int warns(said *s, const char *preprocess)
{
    const rv_events events = {.payload = s, .log = on_log};
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    s->means = 0;
    options.events = &events;
    options.preprocess = preprocess;
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("net.prototxt"), &options));
    rv_model_close(model);
    return s->means;
}

/* Colours are off where nothing is said. */
Test(mean_file, that_is_not_there_is_said)
{
    said s;
    rv_network_destroy(network_of("layer { name: 'data' type: 'Data' top: 'data' transform_param { "
                                  "crop_size: 8 mean_file: 'data/lost.binaryproto' } }"));
    cr_assert_eq(warns(&s, NULL), 1);
    cr_assert_not_null(strstr(s.text, "/lost.binaryproto: it is taken to be 104, 117, 123"), "%s",
                       s.text);
    cr_assert_eq(warns(&s, "vgg"), 0);
    blob("lost.binaryproto", 3, pixels, 12);
    cr_assert_eq(warns(&s, NULL), 0);
}
