/* Files of features: rows in order, pooled values, shapes that differ, formats that our readers read. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>

#include "base/file.h"
#include "base/npy.h"
#include "model/safetensors.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNELS = 9, N_PICTURES = 3 };

typedef struct bench {
    rv_model *model;
    rv_device *device;
    rv_features *features;
} bench;

static const char *const layers[2] = {"conv1", "conv2"};

static bench open_bench(void)
{
    bench b = {.model = small_network(), .device = rv_test_device()};
    RV_ASSERT_OK(rv_features_create(&b.features, b.model, b.device, layers, 2));
    return b;
}

static void close_bench(bench *b)
{
    rv_features_destroy(b->features);
    rv_device_close(b->device);
    rv_model_close(b->model);
}

static void run_picture(const bench *b, uint32_t seed)
{
    rv_image *image = waves(40, 36, 3, 8, seed);
    RV_ASSERT_OK(rv_features_run_image(b->features, image));
    rv_image_destroy(image);
}

/* Adds N_PICTURES pictures and copies what the network gave for `layer`; freed with free(). */
static float *fill(rv_feature_table *table, const bench *b, size_t layer, size_t *values)
{
    float *all = NULL;
    for (uint32_t i = 0; i < N_PICTURES; i++) {
        char name[16];
        run_picture(b, i);
        const rv_feature_map map = rv_features_map(b->features, layer);
        *values = map.dim[1] * map.dim[2] * map.dim[3];
        all = all != NULL ? all : calloc(N_PICTURES * *values, sizeof *all);
        memcpy(all + i * *values, map.data, *values * sizeof *all);
        snprintf(name, sizeof name, "%u.png", i);
        RV_ASSERT_OK(rv_feature_table_add(table, b->features, 0, 1, name));
    }
    return all;
}

Test(feature_table, rows_are_those_of_the_runs_in_their_order)
{
    bench b = open_bench();
    const size_t first = 0;
    size_t values, dim[RV_NPY_MAX_RANK];
    int rank;
    float *read;
    rv_feature_table *table;
    const char *path = rv_test_path("rows.npy");
    const rv_feature_table_options options = {.names = rv_test_path("rows.files.csv")};
    RV_ASSERT_OK(rv_feature_table_create(&table, path, &first, 1, &options));
    cr_assert_eq(rv_feature_table_map(table, 0).rank, 0);
    float *all = fill(table, &b, 0, &values);
    cr_assert(!rv_path_exists(path));
    cr_assert_eq(rv_feature_table_map(table, 0).dim[0], N_PICTURES);
    RV_ASSERT_OK(rv_feature_table_finish(table));
    RV_ASSERT_OK(rv_npy_read(&read, &rank, dim, path));
    cr_assert(rank == 4 && dim[0] == N_PICTURES && dim[1] == CHANNELS);
    cr_assert_eq(dim[1] * dim[2] * dim[3], values);
    cr_assert_arr_eq(read, all, N_PICTURES * values * sizeof *all);
    rv_bytes names;
    RV_ASSERT_OK(rv_bytes_open(&names, options.names, 0));
    static const char expected[] = "row,file\n0,0.png\n1,1.png\n2,2.png\n";
    cr_assert_eq(names.size, strlen(expected));
    cr_assert_arr_eq(names.data, expected, names.size);
    rv_bytes_close(&names);
    free(read);
    free(all);
    close_bench(&b);
}

static void check_pooled(const bench *b, rv_feature_pool pool)
{
    const size_t second = 1;
    size_t values, dim[RV_NPY_MAX_RANK];
    int rank;
    float *read;
    rv_feature_table *table;
    const char *path = rv_test_path("pooled.npy");
    const rv_feature_table_options options = {.pool = pool, .overwrite = true};
    RV_ASSERT_OK(rv_feature_table_create(&table, path, &second, 1, &options));
    float *all = fill(table, b, 1, &values);
    RV_ASSERT_OK(rv_feature_table_finish(table));
    RV_ASSERT_OK(rv_npy_read(&read, &rank, dim, path));
    cr_assert(rank == 2 && dim[0] == N_PICTURES);
    const size_t area = values / dim[1];
    cr_assert_gt(area, 1);
    for (size_t i = 0; i < N_PICTURES * dim[1]; i++) {
        double sum = 0, most = -1e30;
        for (size_t k = 0; k < area; k++) {
            const double v = (double)all[i * area + k];
            sum += v;
            most = v > most ? v : most;
        }
        const double expected = pool == RV_FEATURE_POOL_MAX ? most : sum / (double)area;
        cr_assert_float_eq((double)read[i], expected,
                           1e-6 * (1 + (expected < 0 ? -expected : expected)));
    }
    free(read);
    free(all);
}

Test(feature_table, pooled_rows_are_means_and_maxima_of_channels)
{
    bench b = open_bench();
    check_pooled(&b, RV_FEATURE_POOL_AVERAGE);
    check_pooled(&b, RV_FEATURE_POOL_MAX);
    close_bench(&b);
}

Test(feature_table, a_tensor_of_each_layer_is_in_one_file)
{
    bench b = open_bench();
    const size_t both[2] = {0, 1};
    size_t values[2];
    const char *path = rv_test_path("both.safetensors");
    for (int k = 0; k < 2; k++) {
        rv_feature_table *table;
        rv_safetensors *file;
        rv_shape shape;
        const rv_feature_table_options options = {.overwrite = true};
        RV_ASSERT_OK(rv_feature_table_create(&table, path, both, 2, &options));
        float *all = fill(table, &b, (size_t)k, &values[k]);
        RV_ASSERT_OK(rv_feature_table_finish(table));
        RV_ASSERT_OK(rv_safetensors_open(&file, path));
        cr_assert_eq(rv_safetensors_count(file), 2);
        cr_assert(rv_safetensors_shape(file, layers[k], &shape));
        cr_assert(shape.rank == 4 && shape.dim[0] == N_PICTURES);
        float *read = calloc(N_PICTURES * values[k], sizeof *read);
        RV_ASSERT_OK(rv_safetensors_read(file, read, layers[k], &shape));
        cr_assert_arr_eq(read, all, N_PICTURES * values[k] * sizeof *read);
        rv_safetensors_close(file);
        free(read);
        free(all);
    }
    close_bench(&b);
}

Test(feature_table, names_are_not_left_for_values_that_do_not_fit)
{
    char path[512];
    static char zeros[512];
    const size_t first = 0;
    rv_feature_table *table;
    snprintf(path, sizeof path, "%s/x.csv", rv_test_small_disk(64 << 10));
    const rv_feature_table_options options = {.pool = RV_FEATURE_POOL_AVERAGE,
                                              .names = rv_test_path("x.files.csv")};
    bench b = open_bench();
    RV_ASSERT_OK(rv_feature_table_create(&table, path, &first, 1, &options));
    run_picture(&b, 0);
    RV_ASSERT_OK(rv_feature_table_add(table, b.features, 0, 1, "0.png"));
    FILE *other = fopen(rv_test_path("disk/other"), "wb");
    cr_assert_not_null(other);
    setvbuf(other, NULL, _IONBF, 0);
    while (fwrite(zeros, 1, sizeof zeros, other) == sizeof zeros) {
    }
    fclose(other);
    RV_ASSERT_FAILS(rv_feature_table_finish(table), RV_ERR_IO, "x.csv: disk full");
    cr_assert(!rv_path_exists(options.names));
    close_bench(&b);
}

Test(feature_table, refuses_other_shapes_and_what_it_cannot_write)
{
    static const size_t dim[4] = {2, 3, 30, 30};
    static const float zeros[2 * 3 * 30 * 30];
    bench b = open_bench();
    const size_t both[2] = {0, 1};
    rv_feature_table *table;
    const char *path = rv_test_path("x.npy"), *input = rv_test_path("input.npy");
    RV_ASSERT_OK(rv_npy_write(input, zeros, 4, dim, false));
    cr_assert_eq(rv_feature_table_create(&table, path, both, 2, NULL), RV_ERR_USAGE);
    cr_assert_eq(rv_feature_table_create(&table, path, both, 0, NULL), RV_ERR_USAGE);
    cr_assert_eq(rv_feature_table_check_name("x.txt", 1), RV_ERR_USAGE);
    RV_ASSERT_OK(rv_feature_table_create(&table, path, both, 1, NULL));
    cr_assert_eq(rv_feature_table_check(table, b.features), RV_ERR_USAGE);
    run_picture(&b, 0);
    RV_ASSERT_OK(rv_feature_table_add(table, b.features, 0, 1, "0.png"));
    RV_ASSERT_OK(rv_features_run_file(b.features, input, NULL));
    cr_assert_eq(rv_feature_table_check(table, b.features), RV_ERR_SHAPE);
    cr_assert_eq(rv_feature_table_add(table, b.features, 0, 2, input), RV_ERR_SHAPE);
    cr_assert_eq(rv_feature_table_map(table, 0).dim[0], 1);
    rv_feature_table_discard(table);
    cr_assert(!rv_path_exists(path));
    /* Pooled, both fit; and a file without a row is none. */
    const rv_feature_table_options pooled = {.pool = RV_FEATURE_POOL_AVERAGE};
    RV_ASSERT_OK(rv_feature_table_create(&table, path, both, 1, &pooled));
    RV_ASSERT_OK(rv_feature_table_add(table, b.features, 0, 2, input));
    run_picture(&b, 0);
    RV_ASSERT_OK(rv_feature_table_add(table, b.features, 0, 1, "0.png"));
    cr_assert_eq(rv_feature_table_map(table, 0).dim[0], 3);
    rv_feature_table_discard(table);
    RV_ASSERT_OK(rv_feature_table_create(&table, path, both, 1, NULL));
    cr_assert_eq(rv_feature_table_finish(table), RV_ERR_USAGE);
    cr_assert(!rv_path_exists(path));
    close_bench(&b);
}
