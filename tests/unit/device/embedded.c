/* The kernels inside the library are the files of cl/. */
/* SPDX-License-Identifier: MIT */
#include "device/embedded.h"

#include "base/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(embedded, every_file_of_cl_is_there_byte_for_byte)
{
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(rv_folder_list(&names, &n, "cl"), RV_OK, "%s", rv_error_message());
    cr_assert_geq(n, 2);
    cr_assert_eq(rv_embedded_files_count, n);
    for (size_t i = 0; i < n; i++) {
        const rv_embedded_file *file = &rv_embedded_files[i];
        char path[256];
        rv_bytes bytes;
        cr_assert_str_eq(file->name, names[i]);
        snprintf(path, sizeof path, "cl/%s", names[i]);
        cr_assert_eq(rv_bytes_open(&bytes, path, 0), RV_OK, "%s", rv_error_message());
        cr_assert_eq(file->size, bytes.size, "%s", path);
        cr_assert_eq(memcmp(file->data, bytes.data, bytes.size), 0, "%s", path);
        cr_assert_eq(file->data[file->size], 0);
        rv_bytes_close(&bytes);
    }
    free(names);
}
