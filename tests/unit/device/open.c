/* Opening a device: block and form, bad options, threads, events, the self-test, closing. */
/* SPDX-License-Identifier: MIT */
#include "base/system.h"
#include "device/internal.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static rv_device *opened(const rv_device_options *options)
{
    rv_device *device = NULL;
    const rv_status status = rv_device_open(&device, options);
    rv_test_skip_without_device(status);
    cr_assert_eq(status, RV_OK, "%s", rv_error_message());
    return device;
}

Test(open, what_the_device_is)
{
    rv_device *device = rv_test_device();
    const rv_device_info *info = rv_device_get_info(device);
    cr_assert_neq(info->name[0], '\0');
    cr_assert_neq(info->platform[0], '\0');
    cr_assert_geq(info->compute_units, 1);
    cr_assert_geq(rv_device_max_alloc(device), (size_t)64 << 20);
    cr_assert_geq(rv_device_alignment(device), 512);
    cr_assert_eq(rv_device_alignment(device) & (rv_device_alignment(device) - 1), 0);
    cr_assert_eq(info->self_test, RV_SELF_TEST_PASSED, "%s", info->self_test_message);
    cr_assert_null(rv_device_events(device));
    cr_assert_eq(rv_device_allocated(device), 0);
    rv_device_close(device);
    rv_device_close(NULL);
}

Test(open, form_and_block_follow_the_device_unless_the_options_say)
{
    rv_device *device = rv_test_device();
    const rv_device_info *info = rv_device_get_info(device);
    if (info->type == RV_DEVICE_CPU) {
        cl_uint width = 0;
        cr_assert_eq(clGetDeviceInfo(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof width,
                                     &width, NULL),
                     CL_SUCCESS);
        cr_assert_eq(info->form, RV_FORM_CPU);
        cr_assert_eq(info->block, width >= 16 ? 16 : 8);
        cr_assert(!rv_device_gpu_form(device));
    } else {
        cr_assert(info->form == RV_FORM_GPU && info->block == 4);
    }
    rv_device_close(device);
    static const struct {
        rv_form form;
        int block, expected;
    } cases[] = {
        {RV_FORM_GPU, 0, 4},   {RV_FORM_GPU, 4, 4}, {RV_FORM_CPU, 4, 4},
        {RV_FORM_CPU, 16, 16}, {RV_FORM_CPU, 8, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_device_options options = RV_DEVICE_OPTIONS_INIT;
        options.form = cases[i].form;
        options.block = cases[i].block;
        device = opened(&options);
        cr_assert_eq(rv_device_gpu_form(device), cases[i].form == RV_FORM_GPU);
        cr_assert_eq(rv_device_block(device), cases[i].expected);
        cr_assert_eq(rv_device_get_info(device)->form, cases[i].form);
        cr_assert_eq(rv_device_get_info(device)->block, cases[i].expected);
        rv_device_close(device);
    }
}

Test(open, the_gpu_form_has_blocks_of_four)
{
    rv_device *device = NULL;
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.form = RV_FORM_GPU;
    options.block = 16;
    const rv_status status = rv_device_open(&device, &options);
    rv_test_skip_without_device(status);
    cr_assert_eq(status, RV_ERR_USAGE);
    cr_assert_not_null(strstr(rv_error_message(), "blocks of 16 channels"), "%s",
                       rv_error_message());
    cr_assert_null(device);
}

Test(open, options_out_of_range_are_named)
{
    rv_device *device = (rv_device *)&device;
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.block = 5;
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_USAGE);
    cr_assert_null(device);
    cr_assert(strstr(rv_error_message(), "block of 5") != NULL, "%s", rv_error_message());
    options = (rv_device_options)RV_DEVICE_OPTIONS_INIT;
    options.threads = -1;
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_USAGE);
    cr_assert(strstr(rv_error_message(), "-1 threads") != NULL, "%s", rv_error_message());
    options = (rv_device_options)RV_DEVICE_OPTIONS_INIT;
    options.form = (rv_form)7;
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_USAGE);
    options = (rv_device_options){0};
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_USAGE);
    cr_assert(strstr(rv_error_message(), "struct_size") != NULL, "%s", rv_error_message());
}

Test(open, an_older_caller_knows_fewer_options)
{
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.struct_size = offsetof(rv_device_options, threads);
    options.threads = -5;
    options.block = 77;
    rv_device_close(opened(&options));
}

static int warnings;
static char warning[512];

static void note(void *payload, rv_log_level level, const char *text)
{
    cr_assert_eq(payload, &warnings);
    if (level == RV_LOG_WARNING) {
        warnings++;
        snprintf(warning, sizeof warning, "%s", text);
    }
}

static double cpu_seconds(void)
{
    struct rusage use;
    cr_assert_eq(getrusage(RUSAGE_SELF, &use), 0);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

Test(open, one_thread_uses_one_core_or_says_that_it_cannot)
{
    const rv_events events = {.payload = &warnings, .log = note};
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.threads = 1;
    options.events = &events;
    rv_device *device = opened(&options);
    cr_assert_eq(rv_device_events(device)->log, note);
    if (warnings > 0) {
        cr_assert_eq(warnings, 1);
        cr_assert(strstr(warning, "1 threads") != NULL, "%s", warning);
        rv_device_close(device);
        cr_skip_test("this device cannot be partitioned");
    }
    cr_assert_eq(rv_device_get_info(device)->compute_units, 1);
    double gflops;
    cr_assert_eq(rv_device_measure_fma(device, 1, 0.01, NULL, &gflops), RV_OK, "%s",
                 rv_error_message());
    const double cpu = cpu_seconds(), wall = rv_clock();
    cr_assert_eq(rv_device_measure_fma(device, 1, 0.2, NULL, &gflops), RV_OK, "%s",
                 rv_error_message());
    const double share = (cpu_seconds() - cpu) / (rv_clock() - wall);
    /* Two cores would be two; between them lies what a driver's waiting thread spins before it sleeps. */
    cr_assert_leq(share, 1.5, "%g cores were busy", share);
    rv_device_close(device);
}

Test(open, as_many_threads_as_there_are_cores_is_the_whole_device)
{
    const rv_events events = {.payload = &warnings, .log = note};
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    options.threads = 100000;
    options.events = &events;
    rv_device *device = opened(&options);
    cr_assert_eq(warnings, 0);
    cr_assert_null(device->part);
    rv_device_close(device);
}

/* A device that cannot be partitioned, whatever this one can. */
Test(open, a_device_that_cannot_be_limited_says_so_once)
{
    const rv_events events = {.payload = &warnings, .log = note};
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    rv_found *all;
    size_t n;
    rv_device *device;
    rv_device_close(rv_test_device()); /* skips where there is none */
    cr_assert_eq(rv_found_list(&all, &n), RV_OK);
    cr_assert_gt(n, 0);
    all[0].info.type = RV_DEVICE_GPU;
    all[0].info.compute_units = 4;
    options.threads = 3;
    options.events = &events;
    cr_assert_eq(rv_device_open_found(&device, &all[0], &options), RV_OK);
    cr_assert_eq(warnings, 1);
    cr_assert(strstr(warning, all[0].info.name) != NULL && strstr(warning, "3 threads") != NULL,
              "%s", warning);
    rv_device_close(device);
    free(all);
}

Test(open, the_self_test_passes_in_both_forms)
{
    for (int form = RV_FORM_CPU; form <= RV_FORM_GPU; form++) {
        rv_device_options options = RV_DEVICE_OPTIONS_INIT;
        options.form = (rv_form)form;
        rv_device *device = opened(&options);
        cr_assert_eq(rv_self_test_open(device), RV_OK, "%s", rv_error_message());
        cr_assert_eq(rv_device_allocated(device), 0);
        cr_assert_geq(rv_device_allocated_peak(device), (size_t)16 << 20);
        rv_device_close(device);
    }
    cr_assert_eq(rv_device_self_test(0), RV_OK, "%s", rv_error_message());
}

Test(open, a_self_test_of_no_device_says_how_many_there_are)
{
    cr_assert_eq(rv_device_self_test(99), RV_ERR_NOT_FOUND);
    cr_assert(strstr(rv_error_message(), "99") != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_device_self_test(-1), RV_ERR_NOT_FOUND);
}

Test(open, closing_releases_a_device_in_the_middle_of_work)
{
    rv_device *device = rv_test_device();
    rv_kernel *kernel;
    rv_buffer *y;
    const int32_t n = 1000;
    cr_assert_eq(rv_profile_start(device), RV_OK);
    cr_assert_eq(rv_kernel_get(&kernel, device, "selftest", "selftest_integers", NULL), RV_OK);
    cr_assert_eq(rv_buffer_create(&y, device, 4000), RV_OK);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(
            rv_launch(device, kernel, rv_grid_items(device, 1000), RV_ARGS(RV_ARG(y), RV_ARG(n))),
            RV_OK);
    }
    rv_buffer_destroy(y);
    rv_device_close(device);
}
