/* Choosing a device: by name, by test, by speed; none at all; GPUs without a driver. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "device/internal.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Three devices that do not exist. */
static void pretend(rv_found all[3])
{
    static const char *const names[] = {"pthread-AMD EPYC", "AMD Radeon RX 6600", "Intel Arc A380"};
    memset(all, 0, 3 * sizeof *all);
    for (int i = 0; i < 3; i++) {
        all[i].info.index = i;
        all[i].info.type = i == 0 ? RV_DEVICE_CPU : RV_DEVICE_GPU;
        all[i].info.self_test = RV_SELF_TEST_PASSED;
        snprintf(all[i].info.name, sizeof all[i].info.name, "%s", names[i]);
        snprintf(all[i].info.platform, sizeof all[i].info.platform, "%s",
                 i == 0 ? "Portable Computing Language" : "rusticl");
    }
}

static void chooses(const rv_found *all, const char *spec, size_t expected)
{
    size_t chosen = 99;
    cr_assert_eq(rv_choose_by_spec(&chosen, all, 3, spec), RV_OK, "%s", rv_error_message());
    cr_assert_eq(chosen, expected, "'%s' chose %zu", spec, chosen);
}

Test(choose, by_index_type_and_part_of_a_name)
{
    rv_found all[3];
    pretend(all);
    chooses(all, "0", 0);
    chooses(all, "2", 2);
    chooses(all, "cpu", 0);
    chooses(all, "GPU", 1);
    chooses(all, "radeon", 1);
    chooses(all, "ARC", 2);
    chooses(all, "amd", 0);
    chooses(all, "rusticl", 1);
    /* Of several that match, one that is known to fail is not the first choice. */
    all[1].info.self_test = RV_SELF_TEST_FAILED;
    chooses(all, "gpu", 2);
    chooses(all, "radeon", 1);
    all[2].info.self_test = RV_SELF_TEST_FAILED;
    chooses(all, "gpu", 1);
}

Test(choose, what_matches_nothing_lists_what_there_is)
{
    static const char *const wrong[] = {"3", "99999999999999999999", "nvidia", "-1", "1x"};
    rv_found all[3];
    pretend(all);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t chosen;
        cr_assert_eq(rv_choose_by_spec(&chosen, all, 3, wrong[i]), RV_ERR_NOT_FOUND);
        cr_assert(strstr(rv_error_message(), wrong[i]) != NULL, "%s", rv_error_message());
        cr_assert(strstr(rv_error_message(), "1: AMD Radeon RX 6600 (GPU, rusticl)") != NULL, "%s",
                  rv_error_message());
    }
}

Test(choose, the_first_unless_another_is_much_faster)
{
    cr_assert_eq(rv_choose_by_speed((const double[]){100, 149, 120}, 3), 0);
    cr_assert_eq(rv_choose_by_speed((const double[]){100, 150, 120}, 3), 1);
    cr_assert_eq(rv_choose_by_speed((const double[]){100, 160, 500}, 3), 2);
    cr_assert_eq(rv_choose_by_speed((const double[]){0, 100, 120}, 3), 1);
    cr_assert_eq(rv_choose_by_speed((const double[]){0, 100, 200}, 3), 2);
    cr_assert_eq(rv_choose_by_speed((const double[]){0, 0, 0}, 3), 3);
}

Test(choose, the_variable_counts_where_no_option_is_given)
{
    rv_device_close(rv_test_device());
    rv_device *device = NULL;
    rv_device_options options = RV_DEVICE_OPTIONS_INIT;
    setenv("REVERIE_DEVICE", "no such device", 1);
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_NOT_FOUND);
    cr_assert_null(device);
    cr_assert(strstr(rv_error_message(), "'no such device'") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "0: ") != NULL, "%s", rv_error_message());
    options.spec = "0";
    cr_assert_eq(rv_device_open(&device, &options), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_device_get_info(device)->index, 0);
    rv_device_close(device);
    setenv("REVERIE_DEVICE", "", 1);
    cr_assert_eq(rv_device_open(&device, NULL), RV_OK, "%s", rv_error_message());
    rv_device_close(device);
}

Test(choose, no_device_at_all_says_what_to_install)
{
    rv_device *device = NULL;
    rv_device_info *infos = NULL;
    size_t n = 9;
    setenv("OCL_ICD_VENDORS", rv_test_folder(), 1);
    cr_assert_eq(rv_device_list(&infos, &n, NULL), RV_OK, "%s", rv_error_message());
    cr_assert(n == 0 && infos == NULL);
    cr_assert_eq(rv_device_open(&device, NULL), RV_ERR_NOT_FOUND);
    cr_assert(strstr(rv_error_message(), "pocl-opencl-icd") != NULL, "%s", rv_error_message());
    const rv_device_options options = {.struct_size = sizeof options, .spec = "gpu"};
    cr_assert_eq(rv_device_open(&device, &options), RV_ERR_NOT_FOUND);
    cr_assert_eq(rv_device_self_test(0), RV_ERR_NOT_FOUND);
}

/* --- GPUs without an OpenCL device ------------------------------------------------------------------------- */

static void card(const char *name, const char *vendor, const char *node)
{
    char path[256];
    snprintf(path, sizeof path, "drm/%s/device/drm/%s", name, node);
    cr_assert_eq(rv_folder_make(rv_test_path(path), 0777), RV_OK, "%s", rv_error_message());
    snprintf(path, sizeof path, "drm/%s/device/vendor", name);
    rv_test_write(rv_test_path(path), vendor, strlen(vendor));
    snprintf(path, sizeof path, "drm/%s/device/device", name);
    rv_test_write(rv_test_path(path), "0x73ff\n", 7);
}

static char **missing(size_t expected, const rv_found *all, size_t n_all)
{
    char **lines = NULL;
    size_t n = 99;
    cr_assert_eq(rv_missing_gpus(&lines, &n, rv_test_path("drm"), rv_test_path("dri"), all, n_all),
                 RV_OK, "%s", rv_error_message());
    cr_assert_eq(n, expected, "%zu, first: %s", n, n > 0 ? lines[0] : "");
    return lines;
}

Test(choose, a_gpu_without_a_driver_is_named_with_its_package)
{
    card("card0", "0x1002\n", "renderD128");
    card("card1", "0x8086\n", "renderD129");
    card("card2", "0x10de\n", "renderD130");
    card("card3", "0x1234\n", "renderD131"); /* a virtual one */
    cr_assert_eq(rv_folder_make(rv_test_path("drm/card0-DP-1/device"), 0777), RV_OK);
    rv_test_write(rv_test_path("drm/card0-DP-1/device/vendor"), "0x1002\n", 7);
    char **lines = missing(3, NULL, 0);
    cr_assert_str_eq(lines[0], "AMD GPU (1002:73ff, card0) has no OpenCL device: install the "
                               "package mesa-opencl-icd");
    cr_assert(strstr(lines[1], "Intel GPU") && strstr(lines[1], "intel-opencl-icd"));
    cr_assert(strstr(lines[2], "NVIDIA GPU") && strstr(lines[2], "nvidia-opencl-icd"));
    free(lines);
}

Test(choose, a_gpu_with_a_device_is_not_missing_but_its_twin_is)
{
    rv_found all[3];
    pretend(all);
    all[0].vendor = 0x1002; /* PoCL names the maker of the processor: it is no GPU */
    all[1].vendor = 0x1002;
    all[2].vendor = 0x8086;
    card("card0", "0x1002\n", "renderD128");
    card("card1", "0x8086\n", "renderD129");
    free(missing(0, all, 3));
    free(missing(2, all, 1));
    card("card2", "0x1002\n", "renderD130");
    char **lines = missing(1, all, 3);
    cr_assert(strstr(lines[0], "card2") != NULL, "%s", lines[0]);
    free(lines);
    /* The same card listed by two platforms is one card. */
    all[2].vendor = 0x1002;
    all[2].platform = (cl_platform_id)&all[2];
    free(missing(2, all, 3));
}

Test(choose, a_gpu_that_may_not_be_opened_names_the_group)
{
    card("card0", "0x1002\n", "renderD128");
    cr_assert_eq(rv_folder_make(rv_test_path("dri"), 0755), RV_OK);
    rv_test_write(rv_test_path("dri/renderD128"), "", 0);
    cr_assert_eq(chmod(rv_test_path("dri/renderD128"), 0), 0);
    cr_assert_eq(chmod(rv_test_folder(), 0755), 0);
    if (getuid() == 0) { /* access() asks for the real user */
        cr_assert_eq(setreuid(65534, 0), 0);
    }
    char **lines = missing(1, NULL, 0);
    cr_assert(strstr(lines[0], "dri/renderD128; join its group (sudo usermod -a -G ") != NULL, "%s",
              lines[0]);
    free(lines);
    if (geteuid() == 0) {
        cr_assert_eq(setreuid(0, 0), 0);
    }
}

Test(choose, no_graphics_is_nothing_missing)
{
    free(missing(0, NULL, 0));
    char **lines = NULL;
    size_t n = 9;
    cr_assert_eq(rv_device_missing(&lines, &n), RV_OK, "%s", rv_error_message());
    free(lines);
}
