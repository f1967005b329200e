/* NumPy's array files. */
/* SPDX-License-Identifier: MIT */
#include "base/npy.h"
#include "base/file.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of the given version, dictionary and elements. */
static const char *make(int major, const char *dictionary, const void *data, size_t bytes)
{
    static uint8_t file[4096];
    const size_t n = strlen(dictionary), start = major == 1 ? 10 : 12;
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)major;
    file[7] = 0;
    file[8] = (uint8_t)(n & 255);
    file[9] = (uint8_t)(n >> 8);
    if (major != 1) {
        file[10] = file[11] = 0;
    }
    memcpy(file + start, dictionary, n);
    memcpy(file + start + n, data, bytes);
    const char *path = rv_test_path("a.npy");
    rv_test_write(path, file, start + n + bytes);
    return path;
}

Test(npy, what_was_written_is_read)
{
    const float data[12] = {0, -1.5f, 3e38f, NAN, INFINITY, 1e-45f, 6, 7, 8, 9, 10, 11};
    const size_t shapes[][4] = {{12}, {3, 4}, {1, 3, 2, 2}, {12, 1}};
    const int ranks[] = {1, 2, 4, 2};
    for (int s = 0; s < 4; s++) {
        const char *path = rv_test_path("a.npy");
        cr_assert_eq(rv_npy_write(path, data, ranks[s], shapes[s], true), RV_OK);
        float *out = NULL;
        int rank = 0;
        size_t dim[RV_NPY_MAX_RANK];
        cr_assert_eq(rv_npy_read(&out, &rank, dim, path), RV_OK, "%s", rv_error_message());
        cr_assert_eq(rank, ranks[s]);
        cr_assert_eq(memcmp(dim, shapes[s], (size_t)rank * sizeof dim[0]), 0);
        cr_assert_eq(memcmp(out, data, sizeof data), 0);
        free(out);
    }
}

Test(npy, a_number_alone_has_rank_zero)
{
    const float one = 42;
    const char *path = rv_test_path("a.npy");
    cr_assert_eq(rv_npy_write(path, &one, 0, NULL, false), RV_OK);
    float *out = NULL;
    int rank = -1;
    size_t dim[RV_NPY_MAX_RANK];
    cr_assert_eq(rv_npy_read(&out, &rank, dim, path), RV_OK, "%s", rv_error_message());
    cr_assert(rank == 0 && out[0] == 42);
    free(out);
}

/* Byte for byte what numpy.save writes for numpy.arange(3, dtype=numpy.float32). */
Test(npy, headers_are_those_of_numpy)
{
    const float data[3] = {0, 1, 2};
    const size_t dim[1] = {3};
    const char *path = rv_test_path("a.npy");
    cr_assert_eq(rv_npy_write(path, data, 1, dim, false), RV_OK);
    rv_bytes file;
    cr_assert_eq(rv_bytes_open(&file, path, 0), RV_OK);
    cr_assert_eq(file.size, 128 + 12);
    cr_assert_eq(memcmp(file.data, "\x93NUMPY\x01\x00\x76\x00", 10), 0);
    const char *text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    cr_assert_eq(memcmp(file.data + 10, text, strlen(text)), 0);
    for (size_t i = 10 + strlen(text); i < 127; i++) {
        cr_assert_eq(file.data[i], ' ');
    }
    cr_assert_eq(file.data[127], '\n');
    rv_bytes_close(&file);
}

static void reads(const char *path, int expected_rank, float first, float last, size_t n)
{
    float *out = NULL;
    int rank = 0;
    size_t dim[RV_NPY_MAX_RANK];
    cr_assert_eq(rv_npy_read(&out, &rank, dim, path), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rank, expected_rank);
    cr_assert(out[0] == first && out[n - 1] == last);
    free(out);
}

Test(npy, other_writers_and_types)
{
    const double doubles[2] = {0.1, -2};
    const uint8_t bytes[3] = {0, 128, 255};
    const float floats[2] = {1, 2};
    reads(make(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", doubles, 16), 1,
          0.1f, -2, 2);
    reads(make(2, "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 1), }", bytes, 3), 2, 0,
          255, 3);
    reads(make(1, "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}", floats, 8), 2, 1,
          2, 2);
}

static void refuses(const char *path, rv_status expected)
{
    float *out = (float *)&expected;
    int rank = 0;
    size_t dim[RV_NPY_MAX_RANK];
    const rv_status status = rv_npy_read(&out, &rank, dim, path);
    cr_assert_eq(status, expected, "%s (%s)", rv_status_name(status), rv_error_message());
    cr_assert(strstr(rv_error_message(), path) != NULL, "%s", rv_error_message());
    cr_assert_null(out);
}

Test(npy, what_is_not_supported_says_so)
{
    const float data[2] = {1, 2};
    refuses(make(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", data, 8),
            RV_ERR_UNSUPPORTED);
    refuses(make(1, "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", data, 8),
            RV_ERR_UNSUPPORTED);
    refuses(make(1, "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2,), }", data, 8),
            RV_ERR_UNSUPPORTED);
    refuses(make(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", data, 8),
            RV_ERR_UNSUPPORTED);
    refuses(make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
                 data, 8),
            RV_ERR_UNSUPPORTED);
    refuses(make(3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", data, 8),
            RV_ERR_UNSUPPORTED);
}

Test(npy, what_is_damaged_says_so)
{
    const float data[2] = {1, 2};
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2 }",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,), }",
        "",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        refuses(make(1, headers[i], data, 8), RV_ERR_FORMAT);
    }
    const char *path = rv_test_path("short.npy");
    rv_test_write(path, "", 0);
    refuses(path, RV_ERR_FORMAT);
    rv_test_write(path, "\x93NUMPY\x01\x00\xff\xff{'descr'", 18);
    refuses(path, RV_ERR_FORMAT);
    rv_test_write(path, "a text file, not an array", 25);
    refuses(path, RV_ERR_FORMAT);
    refuses(rv_test_path("missing.npy"), RV_ERR_NOT_FOUND);
}

Test(npy, existing_files_are_kept)
{
    const float one = 1;
    const char *path = rv_test_path("a.npy");
    cr_assert_eq(rv_npy_write(path, &one, 0, NULL, false), RV_OK);
    cr_assert_eq(rv_npy_write(path, &one, 0, NULL, false), RV_ERR_USAGE);
}

Test(npy, a_full_disk_is_said)
{
    const char *folder = rv_test_small_disk(16384);
    static float zeros[100000];
    const size_t dim[1] = {100000};
    char path[1200];
    snprintf(path, sizeof path, "%s/a.npy", folder);
    cr_assert_eq(rv_npy_write(path, zeros, 1, dim, false), RV_ERR_IO);
    cr_assert(strstr(rv_error_message(), "disk full") != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_test_count_files(folder), 0);
}
