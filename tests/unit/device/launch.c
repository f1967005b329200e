/* Launches: what is wrong is named; grids; the bound on queued work; types of arguments. */
/* SPDX-License-Identifier: MIT */
#include "base/system.h"
#include "device/internal.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rv_device *device;

static const char source[] =
    "__kernel void take(__global float *y, __global const float *x, int i, uint u, float f,\n"
    "                   int4 i4, float4 f4, __local float *scratch, int n)\n"
    "{\n"
    "    if (get_global_id(0) == 0) {\n"
    "        scratch[n - 1] = (float)i;\n"
    "        y[0] = scratch[n - 1]; y[1] = (float)(u >> 1); y[2] = f;\n"
    "        y[3] = (float)i4.w; y[4] = f4.y; y[5] = x ? 1.0f : 0.0f;\n"
    "    }\n"
    "}\n"
    "__kernel void where(__global int *y, int n)\n"
    "{\n"
    "    const int i = (int)(get_global_id(1) * get_global_size(0) + get_global_id(0));\n"
    "    if (i < n) y[i] += i;\n"
    "}\n"
    "__kernel void parts(__global int *y, int first, int along)\n"
    "{\n"
    "    const int g[2] = {(int)get_group_id(0) + (along == 0 ? first : 0),\n"
    "                      (int)get_group_id(1) + (along == 1 ? first : 0)};\n"
    "    y[(g[1] * 7 + g[0]) * 4 + (int)get_local_id(0)] += g[1] * 7 + g[0] + 1;\n"
    "}\n"
    "__kernel __attribute__((reqd_work_group_size(8, 1, 1))) void eight(__global int *y)\n"
    "{\n"
    "    y[get_global_id(0)] = 8;\n"
    "}\n";

static rv_kernel *kernel(const char *name)
{
    rv_kernel *k;
    rv_test_write(rv_test_path("launch.cl"), source, sizeof source - 1);
    setenv("REVERIE_CL_PATH", rv_test_folder(), 1);
    cr_assert_eq(rv_kernel_get(&k, device, "launch", name, NULL), RV_OK, "%s", rv_error_message());
    return k;
}

static void open_device(void)
{
    device = rv_test_device();
}

static void close_device(void)
{
    rv_device_close(device);
}

TestSuite(launch, .init = open_device, .fini = close_device);

static rv_buffer *made(size_t bytes)
{
    rv_buffer *buffer = NULL;
    cr_assert_eq(rv_buffer_create(&buffer, device, bytes), RV_OK, "%s", rv_error_message());
    return buffer;
}

static const rv_grid one = {.global = {1, 1, 1}, .local = {1, 1, 1}};

Test(launch, every_kind_of_argument_arrives)
{
    rv_buffer *y = made(24), *nothing = NULL;
    float got[6];
    const int32_t i = -3, n = 16;
    const uint32_t u = 0x80000000u;
    const rv_int4 i4 = {{1, 2, 3, 4}};
    const rv_float4 f4 = {{1.5f, 2.5f, 3.5f, 4.5f}};
    const rv_status status =
        rv_launch(device, kernel("take"), one,
                  RV_ARGS(RV_ARG(y), RV_ARG(nothing), RV_ARG(i), RV_ARG(u), RV_ARG(0.25f),
                          RV_ARG(i4), RV_ARG(f4), RV_LOCAL(64), RV_ARG(n)));
    cr_assert_eq(status, RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_read(device, y, 0, got, sizeof got), RV_OK, "%s", rv_error_message());
    const float expected[6] = {-3.0f, 1073741824.0f, 0.25f, 4.0f, 2.5f, 0.0f};
    for (int k = 0; k < 6; k++) {
        cr_assert_eq(got[k], expected[k], "%d: %g", k, (double)got[k]);
    }
    rv_buffer_destroy(y);
}

Test(launch, a_wrong_count_names_the_kernel)
{
    rv_buffer *y = made(64);
    rv_kernel *k = kernel("where");
    cr_assert_eq(rv_launch(device, k, one, RV_ARGS(RV_ARG(y))), RV_ERR_INTERNAL);
    cr_assert_str_eq(rv_error_message(), "kernel 'where' takes 2 arguments, not 1");
    const int32_t n = 1;
    cr_assert_eq(rv_launch(device, k, one, RV_ARGS(RV_ARG(y), RV_ARG(n), RV_ARG(n))),
                 RV_ERR_INTERNAL);
    cr_assert_str_eq(rv_error_message(), "kernel 'where' takes 2 arguments, not 3");
    rv_buffer_destroy(y);
}

Test(launch, a_wrong_size_names_kernel_argument_and_error)
{
    rv_buffer *y = made(64);
    const rv_int4 four = {{1, 2, 3, 4}};
    cr_assert_eq(rv_launch(device, kernel("where"), one, RV_ARGS(RV_ARG(y), RV_ARG(four))),
                 RV_ERR_DEVICE);
    cr_assert(strstr(rv_error_message(), "'where', argument 1") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "CL_INVALID_ARG_SIZE") != NULL, "%s", rv_error_message());
    rv_buffer_destroy(y);
}

Test(launch, a_wrong_grid_is_named)
{
    rv_buffer *y = made(64 * 4);
    rv_kernel *k = kernel("eight");
    const rv_grid wrong[] = {{.global = {0, 1, 1}, .local = {1, 1, 1}},
                             {.global = {8, 1, 1}, .local = {0, 1, 1}},
                             {.global = {9, 1, 1}, .local = {8, 1, 1}}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(rv_launch(device, k, wrong[i], RV_ARGS(RV_ARG(y))), RV_ERR_INTERNAL);
        cr_assert(strstr(rv_error_message(), "'eight'") != NULL, "%s", rv_error_message());
    }
    /* Not what the kernel requires. */
    cr_assert_eq(rv_launch(device, k, rv_grid_groups(4, 1, 1, 4, 1, 1), RV_ARGS(RV_ARG(y))),
                 RV_ERR_DEVICE);
    cr_assert(strstr(rv_error_message(), "'eight'") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "CL_INVALID_WORK_GROUP_SIZE") != NULL, "%s",
              rv_error_message());
    /* More than the device can. */
    const int32_t n = 1;
    const size_t many = device->max_group * 2;
    cr_assert_eq(rv_launch(device, kernel("where"), rv_grid_groups(1, 1, 1, many, 1, 1),
                           RV_ARGS(RV_ARG(y), RV_ARG(n))),
                 RV_ERR_DEVICE);
    cr_assert(strstr(rv_error_message(), "'where'") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "work-group of") != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_launch(device, k, rv_grid_groups(2, 1, 1, 8, 1, 1), RV_ARGS(RV_ARG(y))), RV_OK);
    cr_assert_eq(rv_device_finish(device), RV_OK);
    rv_buffer_destroy(y);
}

/* Each of n items once, for sizes around all the corners. */
Test(launch, a_grid_of_items_covers_each_once)
{
    static const int32_t counts[] = {1, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 300000};
    enum { MOST = 300000 };
    rv_kernel *k = kernel("where");
    rv_buffer *y = made((MOST + 1) * sizeof(int32_t));
    int32_t *host = malloc((MOST + 1) * sizeof *host);
    cr_assert_not_null(host);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        const int32_t n = counts[c];
        cr_assert_eq(rv_buffer_fill(device, y, 0, (MOST + 1) * sizeof *host, 0.0f), RV_OK);
        cr_assert_eq(
            rv_launch(device, k, rv_grid_items(device, (size_t)n), RV_ARGS(RV_ARG(y), RV_ARG(n))),
            RV_OK, "%s", rv_error_message());
        cr_assert_eq(rv_buffer_read(device, y, 0, host, (MOST + 1) * sizeof *host), RV_OK);
        for (int32_t i = 0; i <= MOST; i++) {
            cr_assert_eq(host[i], i < n ? i : 0, "%d of %d is %d", i, n, host[i]);
        }
    }
    free(host);
    rv_buffer_destroy(y);
}

/* Launches of the kernel, by its profile. */
static int64_t count_launches(rv_kernel *k, const rv_buffer *y, rv_grid grid)
{
    rv_profile_row *rows;
    size_t n;
    cr_assert_eq(rv_profile_start(device), RV_OK, "%s", rv_error_message());
    cr_assert_eq(
        rv_launch(device, k, grid, RV_ARGS(RV_ARG(y), RV_FIRST, RV_ARG((int32_t)grid.along))),
        RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_profile_stop(device, &rows, &n), RV_OK, "%s", rv_error_message());
    cr_assert_eq(n, 1);
    const int64_t launches = rows[0].launches;
    free(rows);
    return launches;
}

/* A grid of 7 x 5 groups of 4, cut into parts of any size along either dimension: each group runs once. */
Test(launch, a_long_grid_runs_in_parts)
{
    enum { N = 7 * 5 * 4 };
    static const double flops[] = {0, 1, 100, 101, 299, 350, 700, 1e9};
    static const int64_t along_0[] = {1, 1, 1, 2, 3, 4, 7, 7}, along_1[] = {1, 1, 1, 2, 3, 3, 5, 5};
    rv_kernel *k = kernel("parts");
    rv_buffer *y = made(N * sizeof(int32_t));
    int32_t got[N];
    rv_device_cut_launches(device, 100);
    for (size_t i = 0; i < sizeof flops / sizeof flops[0]; i++) {
        for (int along = 0; along < 2; along++) {
            const rv_grid grid = rv_grid_cut(rv_grid_groups(7, 5, 1, 4, 1, 1), along, flops[i]);
            cr_assert_eq(rv_buffer_fill(device, y, 0, sizeof got, 0.0f), RV_OK);
            const int64_t launches = count_launches(k, y, grid);
            cr_assert_eq(launches, along == 0 ? along_0[i] : along_1[i],
                         "%lld launches of %g along %d", (long long)launches, flops[i], along);
            cr_assert_eq(rv_buffer_read(device, y, 0, got, sizeof got), RV_OK);
            for (int32_t n = 0; n < N; n++) {
                cr_assert_eq(got[n], n / 4 + 1, "item %d: %d", (int)n, (int)got[n]);
            }
        }
    }
    rv_buffer_destroy(y);
}

Test(launch, no_dimension_of_a_grid_passes_the_limit)
{
    static const size_t counts[] = {0, 1, 5000, 268000000, 269000000, 2147483647};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const rv_grid grid = rv_grid_items(device, counts[i]);
        cr_assert_geq(grid.global[0] * grid.global[1], counts[i]);
        cr_assert_lt(grid.global[0] * (grid.global[1] - 1), counts[i] + (counts[i] == 0));
        for (int d = 0; d < 3; d++) {
            cr_assert_leq(grid.global[d], 65535);
            cr_assert_eq(grid.global[d] % grid.local[d], 0);
            cr_assert_gt(grid.global[d], 0);
        }
    }
}

/* Work of two seconds: when all of it is enqueued, most of it is done. */
Test(launch, work_queued_ahead_is_bounded)
{
    rv_kernel *k;
    rv_buffer *y = made(64 * sizeof(float));
    const rv_grid grid = rv_grid_groups(64, 1, 1, 1, 1, 1);
    int32_t rounds = 64;
    double took = 0;
    unsetenv("REVERIE_CL_PATH");
    cr_assert_eq(rv_kernel_get(&k, device, "peak", "peak_fma", NULL), RV_OK, "%s",
                 rv_error_message());
    for (int i = 0; took < 0.02 && rounds < 1 << 24; i++) {
        rounds *= 2;
        const double start = rv_clock();
        cr_assert_eq(rv_launch(device, k, grid,
                               RV_ARGS(RV_ARG(y), RV_ARG(rounds), RV_ARG(0.5f), RV_ARG(0.5f))),
                     RV_OK);
        cr_assert_eq(rv_device_finish(device), RV_OK);
        took = i == 0 ? 0 : rv_clock() - start; /* the first compiles */
    }
    const double start = rv_clock();
    for (int i = 0; i < 60; i++) {
        cr_assert_eq(rv_launch(device, k, grid,
                               RV_ARGS(RV_ARG(y), RV_ARG(rounds), RV_ARG(0.5f), RV_ARG(0.5f))),
                     RV_OK);
    }
    const double enqueued = rv_clock() - start;
    cr_assert_eq(rv_device_finish(device), RV_OK);
    const double all = rv_clock() - start;
    cr_assert_geq(enqueued, 0.4 * all, "%g of %g s", enqueued, all);
    rv_buffer_destroy(y);
}

/* What RV_ARG does not admit does not compile. */
static int compiles(const char *type)
{
    char text[512];
    int code = -1;
    snprintf(text, sizeof text,
             "#include \"device/device.h\"\n"
             "int f(rv_device *d, rv_kernel *k, rv_grid g, %s x);\n"
             "int f(rv_device *d, rv_kernel *k, rv_grid g, %s x)\n"
             "{ return rv_launch(d, k, g, RV_ARGS(RV_ARG(x))) != RV_OK; }\n",
             type, type);
    rv_test_write(rv_test_path("arg.c"), text, strlen(text));
    const char *const argv[] = {"cc",        "-std=c11", "-fsyntax-only",       "-Werror",
                                "-Iinclude", "-Isrc",    rv_test_path("arg.c"), NULL};
    if (rv_process_run(&code, argv, 60) != RV_OK) {
        cr_skip_test("there is no cc");
    }
    return code == 0;
}

Test(launch_types, only_types_that_kernels_know_compile)
{
    static const char *const good[] = {"rv_buffer *", "const rv_buffer *", "int32_t",  "uint32_t",
                                       "float",       "rv_int4",           "rv_float4"};
    static const char *const bad[] = {"size_t", "double", "int64_t", "void *", "float *", "short"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(compiles(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!compiles(bad[i]), "%s", bad[i]);
    }
}

static int64_t launches_of(const rv_profile_row *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            cr_assert_gt(rows[i].seconds, 0);
            return rows[i].launches;
        }
    }
    return 0;
}

Test(launch, a_profile_has_a_row_for_each_kernel)
{
    rv_profile_row *rows = NULL;
    size_t n = 99;
    const int32_t items = 1000;
    rv_buffer *y = made(4000);
    rv_kernel *where = kernel("where"), *eight = kernel("eight");
    cr_assert_eq(rv_profile_stop(device, &rows, &n), RV_ERR_USAGE);
    cr_assert_eq(rv_profile_start(device), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_profile_start(device), RV_ERR_USAGE);
    for (int i = 0; i < 700; i++) { /* more than are pending at a time */
        cr_assert_eq(rv_launch(device, where, rv_grid_items(device, 1000),
                               RV_ARGS(RV_ARG(y), RV_ARG(items))),
                     RV_OK, "%s", rv_error_message());
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(rv_launch(device, eight, rv_grid_groups(1, 1, 1, 8, 1, 1), RV_ARGS(RV_ARG(y))),
                     RV_OK);
    }
    cr_assert_eq(rv_profile_stop(device, &rows, &n), RV_OK, "%s", rv_error_message());
    cr_assert_eq(n, 2);
    cr_assert_eq(launches_of(rows, n, "where"), 700);
    cr_assert_eq(launches_of(rows, n, "eight"), 3);
    cr_assert_geq(rows[0].seconds, rows[1].seconds);
    free(rows);
    /* The next profile starts from nothing, and launches between two are in none. */
    cr_assert_eq(rv_launch(device, eight, rv_grid_groups(1, 1, 1, 8, 1, 1), RV_ARGS(RV_ARG(y))),
                 RV_OK);
    cr_assert_eq(rv_profile_start(device), RV_OK);
    cr_assert_eq(rv_profile_stop(device, &rows, &n), RV_OK);
    cr_assert_eq(n, 0);
    free(rows);
    rv_buffer_destroy(y);
}
