/* Files that grow over several runs. */
/* SPDX-License-Identifier: MIT */
#include "base/partial.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(partial);

static void check_content(const char *path, const char *text)
{
    rv_bytes bytes;
    RV_ASSERT_OK(rv_bytes_open(&bytes, path, 0));
    cr_assert_eq(bytes.size, strlen(text));
    cr_assert_eq(memcmp(bytes.data, text, bytes.size), 0);
    rv_bytes_close(&bytes);
}

Test(partial, what_was_written_stays_until_the_file_is_whole)
{
    const char *path = rv_test_path("file"), *part = rv_test_path("file.part");
    rv_partial *p;
    RV_ASSERT_OK(rv_partial_open(&p, path, 6));
    RV_ASSERT_OK(rv_partial_write(p, "abc", 3));
    rv_partial_close(p);
    check_content(part, "abc");
    cr_assert(!rv_path_exists(path));
    RV_ASSERT_OK(rv_partial_open(&p, path, 6));
    cr_assert_eq(rv_partial_size(p), 3);
    RV_ASSERT_OK(rv_partial_write(p, "def", 3));
    cr_assert_eq(rv_partial_size(p), 6);
    RV_ASSERT_OK(rv_partial_commit(p));
    check_content(path, "abcdef");
    cr_assert(!rv_path_exists(part));
}

Test(partial, nothing_stays_of_an_empty_one_and_too_long_ones_begin_anew)
{
    const char *path = rv_test_path("file"), *part = rv_test_path("file.part");
    rv_partial *p;
    RV_ASSERT_OK(rv_partial_open(&p, path, 6));
    rv_partial_close(p);
    cr_assert(!rv_path_exists(part));
    rv_test_write(part, "longer than six", 15);
    RV_ASSERT_OK(rv_partial_open(&p, path, 6));
    cr_assert_eq(rv_partial_size(p), 0);
    rv_partial_close(p);
}

Test(partial, two_at_a_time_and_links_are_refused)
{
    const char *path = rv_test_path("file"), *part = rv_test_path("file.part");
    rv_partial *p, *other;
    RV_ASSERT_OK(rv_partial_open(&p, path, 6));
    RV_ASSERT_FAILS(rv_partial_open(&other, path, 6), RV_ERR_IO, "another process");
    cr_assert_null(other);
    rv_partial_close(p);
    rv_test_write(rv_test_path("precious"), "kept", 4);
    cr_assert_eq(symlink(rv_test_path("precious"), part), 0);
    RV_ASSERT_FAILS(rv_partial_open(&p, path, 6), RV_ERR_IO, part);
    check_content(rv_test_path("precious"), "kept");
    RV_ASSERT_FAILS(rv_partial_open(&p, rv_test_path("none/file"), 6), RV_ERR_IO, "none/file.part");
}

Test(partial, a_disk_without_room_is_found_out_before)
{
    char path[512];
    rv_partial *p;
    snprintf(path, sizeof path, "%s/file", rv_test_small_disk(1 << 20));
    RV_ASSERT_FAILS(rv_partial_open(&p, path, 5000000), RV_ERR_IO,
                    "needs 5 MB more, and its disk has room for 1 MB");
    RV_ASSERT_OK(rv_partial_open(&p, path, 1000));
    static const char block[1 << 16];
    rv_status status = RV_OK;
    for (int i = 0; i < 20 && status == RV_OK; i++) {
        status = rv_partial_write(p, block, sizeof block);
    }
    RV_ASSERT_FAILS(status, RV_ERR_IO, "file.part: disk full");
    rv_partial_close(p);
}
