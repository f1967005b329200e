/* Runs over many files: the same values to the byte however many share a run, in order, bad ones among them. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>

#include "base/npy.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_FILES = 9, BAD = 2, ARRAY = 5, N_OF_ARRAY = 2, N_ROWS = N_FILES - 2 + N_OF_ARRAY };

static const char *const layers[2] = {"conv1", "conv2"};

typedef struct bench {
    rv_model *model;
    rv_device *device;
    rv_features *features;
    const char *files[N_FILES];
} bench;

/* Pictures of several sizes, one that is none, and a tensor of two. */
static bench open_bench(void)
{
    static char names[N_FILES][512];
    static float values[N_OF_ARRAY * 3 * 30 * 30];
    bench b = {.model = small_network(), .device = rv_test_device()};
    RV_ASSERT_OK(rv_features_create(&b.features, b.model, b.device, layers, 2));
    const size_t dim[4] = {N_OF_ARRAY, 3, (size_t)rv_model_height(b.model),
                           (size_t)rv_model_width(b.model)};
    for (uint32_t i = 0; i < N_FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u.%s", i, i == ARRAY ? "npy" : "png");
        snprintf(names[i], sizeof names[i], "%s", rv_test_path(name));
        b.files[i] = names[i];
        if (i == ARRAY) {
            cr_assert_leq(dim[2] * dim[3], 30 * 30);
            for (size_t k = 0; k < N_OF_ARRAY * 3 * dim[2] * dim[3]; k++) {
                values[k] = (float)(k % 19) - 9;
            }
            RV_ASSERT_OK(rv_npy_write(names[i], values, 4, dim, false));
        } else if (i == BAD) {
            rv_test_write(names[i], "no picture", 10);
        } else {
            rv_image *image = waves(40 + 6 * (int)(i / 4), 36, i == 7 ? 4 : 3, 8, i);
            RV_ASSERT_OK(rv_image_write(image, names[i], NULL));
            rv_image_destroy(image);
        }
    }
    return b;
}

static void close_bench(bench *b)
{
    rv_features_destroy(b->features);
    rv_device_close(b->device);
    rv_model_close(b->model);
}

static size_t row_values(const rv_feature_map *map)
{
    return map->dim[1] * map->dim[2] * map->dim[3];
}

/* Values of a layer for all pictures, one file at a time; freed with free(). */
static float *one_by_one(const bench *b, size_t layer, size_t *values)
{
    float *all = NULL;
    size_t row = 0;
    for (size_t i = 0; i < N_FILES; i++) {
        if (i == BAD) {
            continue;
        }
        RV_ASSERT_OK(rv_features_run_file(b->features, b->files[i], NULL));
        const rv_feature_map map = rv_features_map(b->features, layer);
        *values = row_values(&map);
        all = all != NULL ? all : calloc(N_ROWS * *values, sizeof *all);
        memcpy(all + row * *values, map.data, map.dim[0] * *values * sizeof *all);
        row += map.dim[0];
    }
    cr_assert_eq(row, N_ROWS);
    return all;
}

/* @param[out] pauses  files behind which a stream may begin, as bits */
static void check_stream(const bench *b, const rv_feature_stream_options *options,
                         float *const expected[2], const size_t values[2], uint32_t *pauses)
{
    rv_feature_stream *stream;
    rv_feature_rows rows;
    size_t row = options->first < 3 ? options->first : options->first - 1;
    row += options->first > ARRAY ? N_OF_ARRAY - 1 : 0;
    *pauses = 0;
    RV_ASSERT_OK(rv_feature_stream_create(&stream, b->features, b->files, N_FILES, options));
    for (size_t i = options->first; i < N_FILES; i++) {
        const rv_status status = rv_feature_stream_next(stream, &rows);
        cr_assert_eq(rows.file, i);
        *pauses |= (uint32_t)rows.pause << i;
        if (i == BAD) {
            RV_ASSERT_FAILS(status, RV_ERR_FORMAT, "2.png");
            continue;
        }
        RV_ASSERT_OK(status);
        cr_assert_eq(rows.n, i == ARRAY ? N_OF_ARRAY : 1);
        for (size_t k = 0; k < 2; k++) {
            const rv_feature_map map = rv_features_map(b->features, k);
            cr_assert_arr_eq(map.data + rows.first * values[k], expected[k] + row * values[k],
                             rows.n * values[k] * sizeof(float));
        }
        row += rows.n;
    }
    cr_assert_eq(row, N_ROWS);
    RV_ASSERT_OK(rv_feature_stream_next(stream, &rows));
    cr_assert_eq(rows.file, N_FILES);
    rv_feature_stream_destroy(stream);
}

Test(feature_stream, gives_the_same_to_the_byte_however_many_share_a_run)
{
    bench b = open_bench();
    size_t values[2];
    uint32_t pauses;
    float *expected[2] = {one_by_one(&b, 0, &values[0]), one_by_one(&b, 1, &values[1])};
    rv_feature_stream_options options = RV_FEATURE_STREAM_OPTIONS_INIT;
    static const int batches[] = {1, 2, 4, 0};
    for (int i = 0; i < 4; i++) {
        options.batch = batches[i];
        options.threads = i;
        check_stream(&b, &options, expected, values, &pauses);
    }
    /* Nine files share two runs of five at most; the array, of index 5, has a run of its own. */
    cr_assert_eq(pauses, 1U << 4 | 1U << 5 | 1U << 8);
    options.first = 6;
    check_stream(&b, &options, expected, values, &pauses);
    options.first = N_FILES;
    check_stream(&b, &options, expected, values, &pauses);
    options.first++;
    rv_feature_stream *stream;
    RV_ASSERT_FAILS(rv_feature_stream_create(&stream, b.features, b.files, N_FILES, &options),
                    RV_ERR_USAGE, "no file 10 among 9");
    free(expected[0]);
    free(expected[1]);
    close_bench(&b);
}

static bool yes(void *payload)
{
    (void)payload;
    return true;
}

static void count_line(void *payload, rv_log_level level, const char *text)
{
    cr_assert(level == RV_LOG_WARNING && strstr(text, "cut.jpg") != NULL, "%s", text);
    ++*(int *)payload;
}

Test(feature_stream, logs_in_the_caller_and_stops_where_it_is_asked_to)
{
    bench b = open_bench();
    rv_feature_rows rows;
    rv_feature_stream *stream;
    const char *cut = rv_test_path("cut.jpg");
    rv_image *image = waves(64, 64, 3, 8, 1);
    RV_ASSERT_OK(rv_image_write(image, rv_test_path("whole.jpg"), NULL));
    rv_image_destroy(image);
    FILE *file = fopen(rv_test_path("whole.jpg"), "rb");
    static char bytes[1 << 16];
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    rv_test_write(cut, bytes, n * 2 / 3);
    int lines = 0;
    rv_events events = {.payload = &lines, .log = count_line};
    rv_image_read_options read = RV_IMAGE_READ_OPTIONS_INIT;
    read.allow_truncated = true;
    rv_feature_stream_options options = RV_FEATURE_STREAM_OPTIONS_INIT;
    options.read = &read;
    options.events = &events;
    RV_ASSERT_OK(rv_feature_stream_create(&stream, b.features, &cut, 1, &options));
    RV_ASSERT_OK(rv_feature_stream_next(stream, &rows));
    rv_feature_stream_destroy(stream);
    cr_assert_geq(lines, 1);
    events.cancelled = yes;
    RV_ASSERT_OK(rv_feature_stream_create(&stream, b.features, &cut, 1, &options));
    cr_assert_eq(rv_feature_stream_next(stream, &rows), RV_ERR_CANCELLED);
    rv_feature_stream_destroy(stream);
    rv_feature_stream_destroy(NULL);
    close_bench(&b);
}
