/* Files of features: rows in order, pooled values, shapes that differ, formats that readers read, killed processes. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>

#include "base/file.h"
#include "base/npy.h"
#include "base/zip.h"
#include "model/safetensors.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void check_entry(const rv_bytes *file, size_t *at, const char *name, const float *values,
                        size_t n)
{
    const uint8_t *p = file->data + *at;
    uint32_t crc;
    uint64_t size;
    cr_assert_eq(memcmp(p, "PK\3\4", 4), 0);
    cr_assert_eq(memcmp(p + 30, name, strlen(name)), 0);
    memcpy(&crc, p + 14, 4);
    p += 30 + strlen(name);
    memcpy(&size, p + 4, 8);
    p += 20;
    cr_assert_eq(rv_zip_crc(0, p, size), crc);
    cr_assert_eq(memcmp(p, "\x93NUMPY", 6), 0);
    cr_assert_eq(memcmp(p + size - n * sizeof *values, values, n * sizeof *values), 0);
    *at += 30 + strlen(name) + 20 + size;
}

Test(feature_table, an_npz_file_has_an_array_of_each_layer)
{
    bench b = open_bench();
    const size_t both[2] = {0, 1};
    size_t values[2], at = 0;
    float *all[2];
    rv_bytes file;
    const char *path = rv_test_path("both.npz");
    for (size_t k = 0; k < 2; k++) {
        rv_feature_table *table;
        const rv_feature_table_options options = {.overwrite = true};
        RV_ASSERT_OK(rv_feature_table_create(&table, path, both, 2, &options));
        all[k] = fill(table, &b, k, &values[k]);
        RV_ASSERT_OK(rv_feature_table_finish(table));
    }
    RV_ASSERT_OK(rv_bytes_open(&file, path, 0));
    check_entry(&file, &at, "conv1.npy", all[0], N_PICTURES * values[0]);
    check_entry(&file, &at, "conv2.npy", all[1], N_PICTURES * values[1]);
    cr_assert_eq(memcmp(file.data + at, "PK\1\2", 4), 0);
    cr_assert_eq(memcmp(file.data + file.size - 22, "PK\5\6", 4), 0);
    rv_bytes_close(&file);
    free(all[0]);
    free(all[1]);
    close_bench(&b);
}

/* A process adds `before` rows, marks, adds more that do not count, and is killed. Another goes on. */
static void kill_and_go_on(const bench *b, const char *path, const char *names, uint32_t before,
                           size_t n_layers)
{
    const size_t both[2] = {0, 1};
    rv_feature_table *table;
    char mark[1024];
    int pipes[2];
    rv_feature_table_options options = {
        .pool = RV_FEATURE_POOL_MAX, .names = names, .resumable = true};
    cr_assert_eq(pipe(pipes), 0);
    RV_ASSERT_OK(rv_feature_table_create(&table, path, both, n_layers, &options));
    const pid_t child = fork();
    for (uint32_t i = 0; i < N_PICTURES && child == 0; i++) {
        char *text = NULL;
        if (i == before && rv_feature_table_mark(table, &text) == RV_OK) {
            (void)!write(pipes[1], text, strlen(text) + 1);
        }
        /* The last picture counts for all that comes behind: a device is of no use in a child. */
        if (rv_feature_table_add(table, b->features, 0, 1, "0.png") != RV_OK || i == before) {
            kill(getpid(), SIGKILL);
        }
    }
    rv_feature_table_keep(table);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_gt(read(pipes[0], mark, sizeof mark), 0);
    close(pipes[0]);
    close(pipes[1]);
    cr_assert(!rv_path_exists(path) && !rv_path_exists(names));
    options.mark = mark;
    RV_ASSERT_OK(rv_feature_table_create(&table, path, both, n_layers, &options));
    for (uint32_t i = before; i < N_PICTURES; i++) {
        RV_ASSERT_OK(rv_feature_table_add(table, b->features, 0, 1, "0.png"));
    }
    RV_ASSERT_OK(rv_feature_table_finish(table));
}

Test(feature_table, goes_on_behind_a_mark_to_the_same_bytes)
{
    static const char *const endings[] = {"npy", "npz", "csv", "safetensors"};
    bench b = open_bench();
    run_picture(&b, 1);
    for (size_t i = 0; i < 4; i++) {
        const size_t both[2] = {0, 1}, n_layers = i % 2 == 1 ? 2 : 1;
        char whole[512], path[512];
        rv_feature_table *table;
        const rv_feature_table_options options = {.pool = RV_FEATURE_POOL_MAX};
        snprintf(path, sizeof path, "whole.%s", endings[i]);
        snprintf(whole, sizeof whole, "%s", rv_test_path(path));
        RV_ASSERT_OK(rv_feature_table_create(&table, whole, both, n_layers, &options));
        for (uint32_t k = 0; k < N_PICTURES; k++) {
            RV_ASSERT_OK(rv_feature_table_add(table, b.features, 0, 1, "0.png"));
        }
        RV_ASSERT_OK(rv_feature_table_finish(table));
        for (uint32_t before = 0; before < N_PICTURES; before++) {
            const size_t files = rv_test_count_files(rv_test_folder());
            snprintf(path, sizeof path, "%s/%u.%s", rv_test_folder(), before, endings[i]);
            const char *names = rv_test_path("x.files.csv");
            remove(names);
            kill_and_go_on(&b, path, names, before, n_layers);
            rv_test_same_files(path, whole);
            cr_assert_leq(rv_test_count_files(rv_test_folder()), files + 2, "a .part file is left");
        }
    }
    close_bench(&b);
}

/* The end came between the names and the values, of which all are there; and marks that fit nothing. */
Test(feature_table, a_mark_whose_names_are_complete_takes_no_more_rows)
{
    bench b = open_bench();
    const size_t first = 0;
    char *mark;
    rv_feature_table *table;
    char path[512], names[512], part[520];
    snprintf(path, sizeof path, "%s", rv_test_path("x.npy"));
    snprintf(names, sizeof names, "%s", rv_test_path("x.files.csv"));
    snprintf(part, sizeof part, "%s.part", names);
    rv_feature_table_options options = {.names = names, .resumable = true, .overwrite = true};
    run_picture(&b, 0);
    RV_ASSERT_OK(rv_feature_table_create(&table, path, &first, 1, &options));
    RV_ASSERT_OK(rv_feature_table_add(table, b.features, 0, 1, "0.png"));
    RV_ASSERT_OK(rv_feature_table_mark(table, &mark));
    rv_feature_table_keep(table);
    cr_assert_eq(rename(part, names), 0);
    options.mark = "{\"names\":9}";
    RV_ASSERT_FAILS(rv_feature_table_create(&table, path, &first, 1, &options), RV_ERR_FORMAT,
                    "x.npy is damaged");
    options.mark = mark;
    RV_ASSERT_OK(rv_feature_table_create(&table, path, &first, 1, &options));
    RV_ASSERT_FAILS(rv_feature_table_add(table, b.features, 0, 1, "1.png"), RV_ERR_USAGE,
                    "no more rows");
    RV_ASSERT_OK(rv_feature_table_finish(table));
    cr_assert(rv_path_exists(path));
    RV_ASSERT_FAILS(rv_feature_table_create(&table, path, &first, 1, &options), RV_ERR_NOT_FOUND,
                    "shorter than it was");
    free(mark);
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
