/* Output that appears whole or not at all. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void holds(const char *path, const char *text)
{
    rv_bytes bytes;
    cr_assert_eq(rv_bytes_open(&bytes, path, 0), RV_OK, "%s", rv_error_message());
    cr_assert_eq(bytes.size, strlen(text));
    cr_assert_eq(memcmp(bytes.data, text, bytes.size), 0);
    rv_bytes_close(&bytes);
}

static rv_output *begin(const char *path, const char *text, bool overwrite)
{
    rv_output *output = NULL;
    cr_assert_eq(rv_output_open(&output, path, overwrite), RV_OK, "%s", rv_error_message());
    cr_assert_gt(fprintf(rv_output_stream(output), "%s", text), 0);
    return output;
}

static void refuses(const char *path, bool overwrite, rv_status expected, const char *why)
{
    rv_output *output = NULL;
    const rv_status status = rv_output_open(&output, path, overwrite);
    cr_assert_eq(status, expected, "%s: %s", path, rv_status_name(status));
    cr_assert_null(output);
    cr_assert(strstr(rv_error_message(), path) != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), why) != NULL, "%s", rv_error_message());
}

Test(output, appears_at_commit_and_leaves_nothing_else)
{
    const char *path = rv_test_path("a.txt");
    rv_output *output = begin(path, "hello", false);
    cr_assert(!rv_path_exists(path));
    cr_assert_eq(rv_output_commit(output), RV_OK);
    holds(path, "hello");
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 1);
}

Test(output, discarded_leaves_nothing)
{
    rv_output_discard(begin(rv_test_path("a.txt"), "hello", false));
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 0);
    rv_output_discard(NULL);
}

Test(output, an_existing_file_needs_leave_to_be_replaced)
{
    const char *path = rv_test_path("a.txt");
    rv_test_write(path, "old", 3);
    refuses(path, false, RV_ERR_USAGE, "exists");
    rv_output *output = begin(path, "new", true);
    holds(path, "old");
    cr_assert_eq(rv_output_commit(output), RV_OK);
    holds(path, "new");
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 1);
}

Test(output, a_file_that_appears_meanwhile_is_kept)
{
    const char *path = rv_test_path("a.txt");
    rv_output *output = begin(path, "mine", false);
    rv_test_write(path, "theirs", 6);
    cr_assert_eq(rv_output_commit(output), RV_ERR_USAGE);
    holds(path, "theirs");
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 1);
}

Test(output, two_outputs_of_one_name_do_not_mix)
{
    const char *path = rv_test_path("a.txt");
    rv_output *first = begin(path, "first", true), *second = begin(path, "second", true);
    cr_assert_eq(rv_output_commit(first), RV_OK);
    cr_assert_eq(rv_output_commit(second), RV_OK);
    holds(path, "second");
}

Test(output, places_where_nothing_can_be_written_are_named)
{
    refuses(rv_test_folder(), true, RV_ERR_IO, "folder");
    refuses(rv_test_path("missing/a.txt"), false, RV_ERR_IO, "No such file");
    refuses(rv_test_path("a/"), false, RV_ERR_IO, "names no file");
    rv_output *output = NULL;
    cr_assert_eq(rv_output_open(&output, "", false), RV_ERR_IO);
}

/* As root a rename would put a regular file in the place of the device. */
Test(output, devices_are_never_replaced)
{
    refuses("/dev/null", true, RV_ERR_IO, "not a regular file");
}

Test(output, a_read_only_folder_is_refused)
{
    cr_assert_eq(chmod(rv_test_folder(), 0555), 0);
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(65534), 0);
    }
    refuses(rv_test_path("a.txt"), false, RV_ERR_IO, "Permission denied");
    if (getuid() == 0) {
        cr_assert_eq(seteuid(0), 0);
    }
    cr_assert_eq(chmod(rv_test_folder(), 0755), 0);
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 0);
}

Test(output, permissions_follow_the_umask)
{
    struct stat info;
    umask(027);
    cr_assert_eq(rv_output_commit(begin(rv_test_path("a.txt"), "x", false)), RV_OK);
    cr_assert_eq(stat(rv_test_path("a.txt"), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0640);
    umask(0);
    cr_assert_eq(rv_output_commit(begin(rv_test_path("b.txt"), "x", false)), RV_OK);
    cr_assert_eq(stat(rv_test_path("b.txt"), &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0666);
}

static void fill_disk(size_t bytes)
{
    const char *folder = rv_test_small_disk(65536);
    char path[1200];
    snprintf(path, sizeof path, "%s/a.txt", folder);
    rv_output *output = begin(path, "x", false);
    for (size_t i = 0; i < bytes; i++) {
        putc('y', rv_output_stream(output));
    }
    cr_assert_eq(rv_output_commit(output), RV_ERR_IO);
    cr_assert(strstr(rv_error_message(), "disk full") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), path) != NULL, "%s", rv_error_message());
    cr_assert_eq(rv_test_count_files(folder), 0);
}

Test(output, a_disk_that_fills_while_writing_is_said_and_nothing_stays)
{
    fill_disk(1000000);
}

/* The stream's buffer holds the byte too many until the commit. */
Test(output, a_disk_that_fills_at_the_last_flush_is_said_and_nothing_stays)
{
    fill_disk(65536);
}

/* What a killed process leaves: bytes behind those that count. */
Test(output, a_part_stays_to_go_on_with_and_is_whole_or_not_there)
{
    const char *path = rv_test_path("a.txt");
    rv_output *output, *second;
    uint64_t size;
    cr_assert_eq(rv_output_open_part(&output, path, false, 0), RV_OK, "%s", rv_error_message());
    fputs("hello", rv_output_stream(output));
    cr_assert_eq(rv_output_sync(output, &size), RV_OK);
    cr_assert_eq(size, 5);
    cr_assert_eq(rv_output_open_part(&second, path, false, 0), RV_ERR_IO);
    cr_assert_not_null(strstr(rv_error_message(), "another process"));
    fputs(" half", rv_output_stream(output));
    rv_output_keep(output);
    cr_assert(!rv_path_exists(path));
    holds(rv_test_path("a.txt.part"), "hello half");
    cr_assert_eq(rv_output_open_part(&output, path, false, 11), RV_ERR_NOT_FOUND);
    holds(rv_test_path("a.txt.part"), "hello half");
    cr_assert_eq(rv_output_open_part(&output, path, false, 5), RV_OK);
    fputs(" world", rv_output_stream(output));
    cr_assert_eq(rv_output_commit(output), RV_OK);
    holds(path, "hello world");
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 1);
    /* A file that is in the way at the end costs nothing. */
    cr_assert_eq(rv_output_open_part(&output, rv_test_path("b.txt"), false, 0), RV_OK);
    rv_test_write(rv_test_path("b.txt"), "other", 5);
    cr_assert_eq(rv_output_commit(output), RV_ERR_USAGE);
    cr_assert(rv_path_exists(rv_test_path("b.txt.part")));
    rv_output_keep(NULL);
}
