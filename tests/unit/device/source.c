/* Kernel files and their includes, from the library and from a folder; compiler messages; kernels. */
/* SPDX-License-Identifier: MIT */
#include "device/internal.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void write_text(const char *name, const char *text)
{
    rv_test_write(rv_test_path(name), text, strlen(text));
}

/* The folder of the test takes the place of cl/. */
static void use_folder(void)
{
    setenv("REVERIE_CL_PATH", rv_test_folder(), 1);
}

static void resolves_to(const char *file, const char *expected)
{
    rv_text text = {0};
    cr_assert_eq(rv_source_resolve(&text, file), RV_OK, "%s", rv_error_message());
    cr_assert_str_eq(text.data, expected);
    rv_text_release(&text);
}

Test(source, lines_keep_their_files_and_numbers_and_each_file_comes_once)
{
    use_folder();
    write_text("a.clh", "int a;\n#include \"c.clh\"\n");
    write_text("b.clh", "#include \"c.clh\"\nint b;");       /* no newline at the end */
    write_text("c.clh", "  #  include \"a.clh\"\nint c;\n"); /* and a circle */
    write_text("k.cl", "one\n#include \"a.clh\"\n#include \"b.clh\"\nfour\n#include <x>\n");
    resolves_to("k.cl", "#line 1 \"cl/k.cl\"\none\n"
                        "#line 1 \"cl/a.clh\"\nint a;\n"
                        "#line 1 \"cl/c.clh\"\n\nint c;\n"
                        "#line 3 \"cl/a.clh\"\n"
                        "#line 3 \"cl/k.cl\"\n"
                        "#line 1 \"cl/b.clh\"\n\nint b;\n"
                        "#line 4 \"cl/k.cl\"\nfour\n#include <x>\n");
    write_text("empty.cl", "");
    resolves_to("empty.cl", "#line 1 \"cl/empty.cl\"\n");
}

Test(source, the_library_and_the_folder_give_the_same_text)
{
    rv_text shipped = {0}, folder = {0};
    unsetenv("REVERIE_CL_PATH");
    cr_assert_eq(rv_source_resolve(&shipped, "vector.cl"), RV_OK, "%s", rv_error_message());
    setenv("REVERIE_CL_PATH", "cl", 1);
    cr_assert_eq(rv_source_resolve(&folder, "vector.cl"), RV_OK, "%s", rv_error_message());
    cr_assert_str_eq(shipped.data, folder.data);
    cr_assert(strstr(shipped.data, "#line 1 \"cl/common.clh\"\n") != NULL);
    cr_assert_null(strstr(shipped.data, "#include"));
    rv_text_release(&shipped);
    rv_text_release(&folder);
}

Test(source, a_file_that_is_missing_is_named_with_who_wants_it)
{
    rv_text text = {0};
    use_folder();
    write_text("k.cl", "\n#include \"gone.clh\"\n");
    cr_assert_eq(rv_source_resolve(&text, "k.cl"), RV_ERR_INTERNAL);
    cr_assert(strstr(rv_error_message(), "cl/k.cl:2: ") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "gone.clh") != NULL, "%s", rv_error_message());
    rv_text_release(&text);
    unsetenv("REVERIE_CL_PATH");
    cr_assert_eq(rv_source_resolve(&text, "gone.cl"), RV_ERR_INTERNAL);
    cr_assert(strstr(rv_error_message(), "cl/gone.cl") != NULL, "%s", rv_error_message());
    rv_text_release(&text);
}

static void first_error_is(const char *log, const char *expected)
{
    char line[512];
    rv_program_first_error(line, sizeof line, log);
    cr_assert_str_eq(line, expected);
}

Test(source, the_first_error_of_a_compilers_log)
{
    first_error_is("warning: x\ncl/a.cl:3:7: error: unknown y\n  code\ncl/a.cl:9:1: error: z\n",
                   "cl/a.cl:3:7: error: unknown y");
    first_error_is("In file <kernel>:\n/tmp/abc/cl/a.cl:3:7: error: y  \r\n",
                   "cl/a.cl:3:7: error: y");
    first_error_is("\n  \nptxas fatal : Unresolved\n", "ptxas fatal : Unresolved");
    first_error_is("1:2:3: ERROR", "1:2:3: ERROR");
    first_error_is("", "the compiler says nothing");
    first_error_is(" \n\n", "the compiler says nothing");
}

Test(source, a_compile_error_points_into_cl)
{
    rv_device *device = rv_test_device();
    rv_kernel *kernel = NULL;
    use_folder();
    write_text("inc.clh", "\n\nint wrong(int x) { return nowhere; }\n");
    write_text("bad.cl",
               "#include \"inc.clh\"\n__kernel void bad(__global int *y) { y[0] = 1; }\n");
    cr_assert_eq(rv_kernel_get(&kernel, device, "bad", "bad", NULL), RV_ERR_DEVICE);
    cr_assert_null(kernel);
    cr_assert(strstr(rv_error_message(), "cl/inc.clh:3:") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "cannot compile cl/bad.cl") != NULL, "%s",
              rv_error_message());
    cr_assert(strstr(rv_error_message(), "nowhere") != NULL, "%s", rv_error_message());
    write_text("bad.cl",
               "#include \"inc.clh\"\n\n__kernel void bad(__global int *y) { y[0] = z; }\n");
    write_text("inc.clh", "int right(int x) { return x; }\n");
    cr_assert_eq(rv_kernel_get(&kernel, device, "bad", "bad", NULL), RV_ERR_DEVICE);
    cr_assert(strstr(rv_error_message(), "cl/bad.cl:3:") != NULL, "%s", rv_error_message());
    /* What failed is not remembered: the mended file compiles. */
    write_text("bad.cl",
               "#include \"inc.clh\"\n__kernel void bad(__global int *y) { y[0] = 1; }\n");
    cr_assert_eq(rv_kernel_get(&kernel, device, "bad", "bad", NULL), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_kernel_get(&kernel, device, "bad", "worse", NULL), RV_ERR_INTERNAL);
    cr_assert_str_eq(rv_error_message(), "cl/bad.cl has no kernel 'worse'");
    cr_assert_eq(rv_kernel_get(&kernel, device, "gone", "gone", NULL), RV_ERR_INTERNAL);
    cr_assert(strstr(rv_error_message(), "cl/gone.cl") != NULL, "%s", rv_error_message());
    rv_device_close(device);
}

Test(source, programs_are_built_once_for_each_file_and_defines)
{
    rv_device *device = rv_test_device();
    rv_kernel *a, *b, *c, *again;
    rv_buffer *y;
    int32_t value = 0;
    use_folder();
    write_text("v.cl", "__kernel void v(__global int *y) { y[0] = V * 100 + B; }\n"
                       "__kernel void w(__global int *y) { y[0] = -V; }\n");
    cr_assert_eq(rv_kernel_get(&a, device, "v", "v", "-DV=1"), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_kernel_get(&b, device, "v", "w", "-DV=1"), RV_OK, "%s", rv_error_message());
    cr_assert_eq(device->compiled + device->loaded, 1);
    cr_assert_eq(rv_kernel_get(&c, device, "v", "v", "-DV=2"), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_kernel_get(&again, device, "v", "v", "-DV=1"), RV_OK);
    cr_assert_eq(device->compiled + device->loaded, 2);
    cr_assert(again == a && b != a && c != a);
    cr_assert_eq(rv_buffer_create(&y, device, 4), RV_OK);
    const rv_grid one = rv_grid_groups(1, 1, 1, 1, 1, 1);
    cr_assert_eq(rv_launch(device, c, one, RV_ARGS(RV_ARG(y))), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_buffer_read(device, y, 0, &value, 4), RV_OK);
    cr_assert_eq(value, 200 + rv_device_block(device));
    cr_assert_eq(rv_launch(device, b, one, RV_ARGS(RV_ARG(y))), RV_OK);
    cr_assert_eq(rv_buffer_read(device, y, 0, &value, 4), RV_OK);
    cr_assert_eq(value, -1);
    rv_buffer_destroy(y);
    rv_device_close(device);
}

/* PoCL takes as long for each program that it has in its cache: operations without defines share one there. */
Test(source, operations_without_defines_share_a_program_on_pocl)
{
    rv_device *device = rv_test_device();
    rv_kernel *kernel;
    if (device->keeps_binaries || device->info.form == RV_FORM_GPU) {
        rv_device_close(device);
        cr_skip_test("each file is a program of its own here");
    }
    static const char *const names[][2] = {
        {"vector", "vector_axpby"}, {"reduce", "reduce_finish"},       {"gram", "gram_sum"},
        {"pool", "pool_max"},       {"gram_cpu", "gram_cpu_backward"}, {"resize", "resize_planes"}};
    const int before = device->compiled + device->loaded;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_assert_eq(rv_kernel_get(&kernel, device, names[i][0], names[i][1], NULL), RV_OK, "%s",
                     rv_error_message());
    }
    cr_assert_eq(device->compiled + device->loaded, before + 1);
    cr_assert_eq(rv_kernel_get(&kernel, device, "pool", "pool_max", "-DPLAIN=1"), RV_OK);
    cr_assert_eq(device->compiled + device->loaded, before + 2);
    rv_device_close(device);
}
