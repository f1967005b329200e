/* Files as memory. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(bytes, a_file_is_what_was_written)
{
    const char *path = rv_test_path("a.bin");
    rv_test_write(path, "abc\0def", 7);
    rv_bytes bytes;
    cr_assert_eq(rv_bytes_open(&bytes, path, 7), RV_OK);
    cr_assert_eq(bytes.size, 7);
    cr_assert_eq(memcmp(bytes.data, "abc\0def", 7), 0);
    rv_bytes_close(&bytes);
    cr_assert_null(bytes.data);
}

Test(bytes, an_empty_file_has_no_data)
{
    const char *path = rv_test_path("empty");
    rv_test_write(path, "", 0);
    rv_bytes bytes;
    cr_assert_eq(rv_bytes_open(&bytes, path, 0), RV_OK);
    cr_assert(bytes.data == NULL && bytes.size == 0);
    rv_bytes_close(&bytes);
}

static void refuses(const char *path, size_t limit, rv_status expected)
{
    rv_bytes bytes;
    const rv_status status = rv_bytes_open(&bytes, path, limit);
    cr_assert_eq(status, expected, "%s: %s (%s)", path, rv_status_name(status), rv_error_message());
    cr_assert(strstr(rv_error_message(), path) != NULL, "%s", rv_error_message());
    cr_assert_null(bytes.data);
}

Test(bytes, what_is_no_file_is_refused_by_name)
{
    refuses(rv_test_path("missing"), 0, RV_ERR_NOT_FOUND);
    refuses(rv_test_folder(), 0, RV_ERR_IO);
    cr_assert(strstr(rv_error_message(), "folder") != NULL);
    refuses("/dev/zero", 0, RV_ERR_IO);
    const char *file = rv_test_path("file");
    rv_test_write(file, "x", 1);
    refuses(rv_test_path("file/below"), 0, RV_ERR_NOT_FOUND);
    const char *pipe = rv_test_path("pipe");
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    refuses(pipe, 0, RV_ERR_IO);
}

Test(bytes, a_file_beyond_the_limit_is_refused)
{
    const char *path = rv_test_path("big");
    rv_test_write(path, "12345678", 8);
    refuses(path, 7, RV_ERR_MEMORY);
}

Test(bytes, a_file_without_permission_is_refused)
{
    const char *path = rv_test_path("secret");
    rv_test_write(path, "x", 1);
    cr_assert_eq(chmod(path, 0), 0);
    cr_assert_eq(chmod(rv_test_folder(), 0755), 0);
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(65534), 0);
    }
    refuses(path, 0, RV_ERR_IO);
    if (getuid() == 0) {
        cr_assert_eq(seteuid(0), 0);
    }
}
