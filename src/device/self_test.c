/* Judges a device by small problems with known answers, in a child process where there is a program for it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/system.h"
#include "device/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_VALUES = 4096, GROUP = 64 };
/* 16 MiB: beyond the page tables and caches that a tiny test would stay in. */
enum { N_WORDS = 4 << 20 };

static rv_status fail_at(const char *what, size_t i, double got, double expected)
{
    return rv_fail(RV_ERR_DEVICE, "self-test '%s': value %zu is %.9g, not %.9g", what, i, got,
                   expected);
}

static rv_status test_integers(rv_device *device, rv_buffer *y, uint32_t *host)
{
    const int32_t n = N_VALUES;
    rv_kernel *kernel;
    RV_TRY(rv_kernel_get(&kernel, device, "selftest", "selftest_integers", NULL));
    RV_TRY(
        rv_launch(device, kernel, rv_grid_items(device, (size_t)n), RV_ARGS(RV_ARG(y), RV_ARG(n))));
    RV_TRY(rv_buffer_read(device, y, 0, host, (size_t)n * sizeof *host));
    for (int32_t i = 0; i < n; i++) {
        uint32_t v = (uint32_t)i * 2654435761u + 12345u;
        v ^= v >> 15;
        v = v * 2246822519u + (uint32_t)(((uint64_t)v * 3266489917u) >> 32);
        v += (uint32_t)((i - 1000) / 7) + (uint32_t)((i - 1000) % 7);
        if (host[i] != v) {
            return fail_at("integers", (size_t)i, host[i], v);
        }
    }
    return RV_OK;
}

static rv_status test_floats(rv_device *device, rv_buffer *y, rv_buffer *x, float *host)
{
    const int32_t n = N_VALUES, middle = n / 2;
    rv_kernel *kernel;
    for (int32_t i = 0; i < n; i++) {
        host[i] = (float)(i - middle) / 128.0f;
    }
    RV_TRY(rv_buffer_write(device, x, 0, host, (size_t)n * sizeof *host));
    RV_TRY(rv_kernel_get(&kernel, device, "selftest", "selftest_floats", NULL));
    const size_t items = (size_t)n / (size_t)device->info.block;
    RV_TRY(rv_launch(device, kernel, rv_grid_items(device, items),
                     RV_ARGS(RV_ARG(y), RV_ARG(x), RV_ARG(n))));
    RV_TRY(rv_buffer_read(device, y, 0, host, (size_t)n * sizeof *host));
    for (int32_t i = 0; i < n; i++) {
        const double v = (double)(i - middle) / 128.0, w = v * 3.0 + 0.5;
        const double expected = (w > 0 ? sqrt(fabs(w)) : -w) + exp(-fabs(v)) + v / (fabs(v) + 1.0);
        /* OpenCL grants exp, division and root a few units in the last place. */
        if (!(fabs((double)host[i] - expected) <= 4e-6 * (1.0 + fabs(expected)))) {
            return fail_at("floats", (size_t)i, (double)host[i], expected);
        }
    }
    return RV_OK;
}

static rv_status test_sums(rv_device *device, rv_buffer *sums, rv_buffer *x, float *host)
{
    const int32_t n = N_VALUES - 5; /* the last group is not full */
    const size_t groups = N_VALUES / GROUP;
    rv_kernel *kernel;
    for (int32_t i = 0; i < N_VALUES; i++) {
        host[i] = (float)i;
    }
    RV_TRY(rv_buffer_write(device, x, 0, host, N_VALUES * sizeof *host));
    RV_TRY(rv_kernel_get(&kernel, device, "selftest", "selftest_sum", NULL));
    RV_TRY(rv_launch(device, kernel,
                     rv_grid_groups(groups, 1, 1, rv_device_gpu_form(device) ? GROUP : 1, 1, 1),
                     RV_ARGS(RV_ARG(sums), RV_ARG(x), RV_ARG(n))));
    RV_TRY(rv_buffer_read(device, sums, 0, host, groups * sizeof *host));
    for (int32_t g = 0; g < (int32_t)groups; g++) {
        const int32_t first = g * GROUP, end = first + GROUP < n ? first + GROUP : n;
        const double expected = 0.5 * (double)(end - first) * (double)(first + end - 1);
        if ((double)host[g] != expected) {
            return fail_at("sums", (size_t)g, (double)host[g], expected);
        }
    }
    return RV_OK;
}

static rv_status test_addresses(rv_device *device, rv_buffer *large, uint32_t *host)
{
    const int32_t n = N_WORDS;
    const size_t half = (size_t)n / 2 * sizeof *host;
    rv_kernel *kernel;
    RV_TRY(rv_kernel_get(&kernel, device, "selftest", "selftest_addresses", NULL));
    RV_TRY(rv_launch(device, kernel, rv_grid_items(device, (size_t)n),
                     RV_ARGS(RV_ARG(large), RV_ARG(n))));
    /* A copy and a fill on the way: they are another engine on some devices. */
    RV_TRY(rv_buffer_copy(device, large, 0, large, half, half));
    RV_TRY(rv_buffer_fill(device, large, 0, 4096, 1.0f));
    RV_TRY(rv_buffer_read(device, large, 0, host, (size_t)n * sizeof *host));
    for (int32_t i = 0; i < n; i++) {
        const int32_t from = i < n / 2 ? i + n / 2 : i;
        const uint32_t expected = i < 1024 ? 0x3f800000u : (uint32_t)from ^ 0x5bd1e995u;
        if (host[i] != expected) {
            return fail_at("addresses", (size_t)i, host[i], expected);
        }
    }
    return RV_OK;
}

rv_status rv_self_test_open(rv_device *device)
{
    rv_buffer *x = NULL, *y = NULL, *large = NULL;
    void *host = NULL;
    rv_status status = rv_alloc(&host, N_WORDS, sizeof(uint32_t), "self-test");
    if (status != RV_OK || (status = rv_buffer_create(&x, device, N_VALUES * 4)) != RV_OK ||
        (status = rv_buffer_create(&y, device, N_VALUES * 4)) != RV_OK ||
        (status = rv_buffer_create(&large, device, (size_t)N_WORDS * 4)) != RV_OK) {
        goto cleanup;
    }
    status = test_integers(device, y, host);
    if (status == RV_OK) {
        status = test_floats(device, y, x, host);
    }
    if (status == RV_OK) {
        status = test_sums(device, y, x, host);
    }
    if (status == RV_OK) {
        status = test_addresses(device, large, host);
    }
cleanup:
    rv_buffer_destroy(large);
    rv_buffer_destroy(y);
    rv_buffer_destroy(x);
    free(host);
    return status;
}

/* In this process. */
static rv_status run_here(const rv_found *found)
{
    rv_device *device;
    const rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    RV_TRY(rv_device_open_found(&device, found, &options));
    const rv_status status = rv_self_test_open(device);
    rv_device_close(device);
    return status;
}

/* A driver that crashes or hangs takes the child with it. */
static rv_status run_child(char *message, size_t bytes, int index, const char *program,
                           double seconds)
{
    char number[16];
    int code;
    snprintf(number, sizeof number, "%d", index);
    const char *const argv[] = {program, "--self-test", number, NULL};
    RV_TRY(rv_process_run(&code, argv, seconds));
    if (code == 0) {
        message[0] = '\0';
    } else if (code < 0) {
        snprintf(message, bytes, "not done after %g seconds", seconds);
    } else if (code > 128) {
        snprintf(message, bytes, "its driver crashes (signal %d)", code - 128);
    } else {
        snprintf(message, bytes, "wrong results or errors; 'reverie --self-test %d' says which",
                 index);
    }
    return RV_OK;
}

rv_status rv_self_test_found(rv_found *found, const char *program, double seconds)
{
    rv_device_info *info = &found->info;
    info->self_test_message[0] = '\0';
    if (program != NULL) {
        RV_TRY(run_child(info->self_test_message, sizeof info->self_test_message, info->index,
                         program, seconds));
    } else if (run_here(found) != RV_OK) {
        snprintf(info->self_test_message, sizeof info->self_test_message, "%.*s",
                 (int)sizeof info->self_test_message - 1, rv_error_message());
    }
    info->self_test =
        info->self_test_message[0] == '\0' ? RV_SELF_TEST_PASSED : RV_SELF_TEST_FAILED;
    rv_verdict_save(found);
    return RV_OK;
}

rv_status rv_device_self_test(int index)
{
    rv_found *all;
    size_t n;
    RV_TRY(rv_found_list(&all, &n));
    rv_status status;
    if (index < 0 || (size_t)index >= n) {
        status = rv_fail(RV_ERR_NOT_FOUND, "there is no device %d; there are %zu, counted from 0",
                         index, n);
    } else {
        status = run_here(&all[index]);
    }
    free(all);
    return status;
}
