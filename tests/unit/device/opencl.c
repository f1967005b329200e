/* Names of OpenCL errors, their wording, and the environment of the drivers. */
/* SPDX-License-Identifier: MIT */
#include "device/internal.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(opencl, codes_have_names)
{
    cr_assert_str_eq(rv_opencl_name(0), "CL_SUCCESS");
    cr_assert_str_eq(rv_opencl_name(-5), "CL_OUT_OF_RESOURCES");
    cr_assert_str_eq(rv_opencl_name(-54), "CL_INVALID_WORK_GROUP_SIZE");
    cr_assert_str_eq(rv_opencl_name(-68), "CL_INVALID_DEVICE_PARTITION_COUNT");
    cr_assert_str_eq(rv_opencl_name(-1001), "CL_PLATFORM_NOT_FOUND_KHR");
    cr_assert_str_eq(rv_opencl_name(-4711), "unknown OpenCL error");
    /* Every code of OpenCL 1.2, without a hole. */
    for (int code = 0; code >= -19; code--) {
        cr_assert(strncmp(rv_opencl_name(code), "CL_", 3) == 0, "%d", code);
    }
    for (int code = -30; code >= -68; code--) {
        cr_assert(strncmp(rv_opencl_name(code), "CL_", 3) == 0, "%d", code);
    }
}

Test(opencl, a_failure_names_the_call_and_what_to_do)
{
    cr_assert_eq(rv_opencl_fail(CL_OUT_OF_RESOURCES, "launch of '%s'", "conv_forward"),
                 RV_ERR_DEVICE);
    cr_assert_str_eq(rv_error_message(), "launch of 'conv_forward': CL_OUT_OF_RESOURCES (-5); "
                                         "lower --size, or try another --device");
    cr_assert_eq(rv_opencl_fail(CL_MEM_OBJECT_ALLOCATION_FAILURE, "buffer of 7 MiB"),
                 RV_ERR_DEVICE_MEMORY);
    cr_assert(strstr(rv_error_message(), "7 MiB: CL_MEM_OBJECT_ALLOCATION_FAILURE") != NULL);
    cr_assert(strstr(rv_error_message(), "lower --size") != NULL);
}

Test(opencl, what_the_user_set_is_kept)
{
    setenv("POCL_CACHE_DIR", "/some/where", 1);
    setenv("RUSTICL_ENABLE", "llvmpipe", 1);
    rv_opencl_environment();
    cr_assert_str_eq(getenv("POCL_CACHE_DIR"), "/some/where");
    cr_assert_str_eq(getenv("RUSTICL_ENABLE"), "llvmpipe");
}

Test(opencl, pocl_caches_below_our_folder)
{
    setenv("XDG_CACHE_HOME", rv_test_folder(), 1);
    unsetenv("POCL_CACHE_DIR");
    unsetenv("RUSTICL_ENABLE");
    rv_opencl_environment();
    cr_assert_str_eq(getenv("POCL_CACHE_DIR"), rv_test_path("reverie/pocl"));
    cr_assert(strstr(getenv("RUSTICL_ENABLE"), "radeonsi") != NULL);
}

/* No home to write to: a folder of this user alone, whose like made by another is not taken. */
Test(opencl, without_a_home_pocl_caches_in_a_temporary_folder)
{
    char name[64];
    struct stat info;
    rv_test_write(rv_test_path("file"), "x", 1);
    setenv("XDG_CACHE_HOME", rv_test_path("file"), 1);
    setenv("TMPDIR", rv_test_folder(), 1);
    snprintf(name, sizeof name, "reverie-%lu", (unsigned long)getuid());
    unsetenv("POCL_CACHE_DIR");
    rv_opencl_environment();
    cr_assert_str_eq(getenv("POCL_CACHE_DIR"), rv_test_path(name));
    cr_assert_eq(stat(rv_test_path(name), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0700);
    cr_assert_eq(chmod(rv_test_path(name), 0777), 0);
    unsetenv("POCL_CACHE_DIR");
    rv_opencl_environment();
    cr_assert_null(getenv("POCL_CACHE_DIR"));
}
