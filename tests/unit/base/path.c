/* Paths and folders. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *path, *base, *extension, *stem, *folder;
} parts[] = {
    {"a/b.c.jpg", "b.c.jpg", ".jpg", "b.c", "a"},
    {"photo.png", "photo.png", ".png", "photo", "."},
    {"/photo", "photo", "", "photo", "/"},
    {"/a.b/photo", "photo", "", "photo", "/a.b"},
    {"dir/.hidden", ".hidden", "", ".hidden", "dir"},
    {"a/b/", "", "", "", "a/b"},
    {"", "", "", "", "."},
    {"x.", "x.", ".", "x", "."},
};

Test(path, parts)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *path = parts[i].path;
        char *stem = NULL, *folder = NULL;
        cr_assert_str_eq(rv_path_base(path), parts[i].base, "%s", path);
        cr_assert_str_eq(rv_path_extension(path), parts[i].extension, "%s", path);
        cr_assert_eq(rv_path_stem(&stem, path), RV_OK);
        cr_assert_str_eq(stem, parts[i].stem, "%s", path);
        cr_assert_eq(rv_path_folder(&folder, path), RV_OK);
        cr_assert_str_eq(folder, parts[i].folder, "%s", path);
        free(stem);
        free(folder);
    }
}

static void joins(const char *folder, const char *name, const char *expected)
{
    char *path = NULL;
    cr_assert_eq(rv_path_join(&path, folder, name), RV_OK);
    cr_assert_str_eq(path, expected);
    free(path);
}

Test(path, join)
{
    joins("a", "b", "a/b");
    joins("a/", "b", "a/b");
    joins("/", "b", "/b");
    joins("", "b", "b");
}

Test(path, what_exists)
{
    const char *file = rv_test_path("file"), *link_to = rv_test_path("link");
    const char *dangling = rv_test_path("dangling"), *other = rv_test_path("other");
    rv_test_write(file, "x", 1);
    rv_test_write(other, "x", 1);
    cr_assert_eq(symlink(file, link_to), 0);
    cr_assert_eq(symlink("/no/such/place", dangling), 0);
    cr_assert(rv_path_exists(file) && rv_path_exists(dangling) && !rv_path_exists("/no/such"));
    cr_assert(rv_path_is_folder(rv_test_folder()) && !rv_path_is_folder(file));
    cr_assert(rv_path_same_file(file, link_to) && !rv_path_same_file(file, other));
    cr_assert(!rv_path_same_file(dangling, dangling));
}

Test(path, folders_are_made_with_their_parents)
{
    const char *path = rv_test_path("a/b//c/");
    struct stat info;
    umask(0);
    cr_assert_eq(rv_folder_make(path, 0750), RV_OK, "%s", rv_error_message());
    cr_assert_eq(stat(path, &info), 0);
    cr_assert(S_ISDIR(info.st_mode) && (info.st_mode & 0777) == 0750);
    cr_assert_eq(rv_folder_make(path, 0750), RV_OK);
}

Test(path, a_file_in_the_way_of_a_folder_is_named)
{
    rv_test_write(rv_test_path("file"), "x", 1);
    cr_assert_eq(rv_folder_make(rv_test_path("file"), 0777), RV_ERR_IO);
    cr_assert_eq(rv_folder_make(rv_test_path("file/below"), 0777), RV_ERR_IO);
    cr_assert(strstr(rv_error_message(), rv_test_path("file")) != NULL, "%s", rv_error_message());
    /* The reason is that of making, not of looking at what is in the way. */
    cr_assert_eq(symlink("/no/such/place", rv_test_path("dangling")), 0);
    cr_assert_eq(rv_folder_make(rv_test_path("dangling"), 0777), RV_ERR_IO);
    cr_assert(strstr(rv_error_message(), "there is a file of that name") != NULL, "%s",
              rv_error_message());
}

Test(path, caches_lie_where_the_environment_says)
{
    char *folder = NULL;
    struct stat info;
    setenv("XDG_CACHE_HOME", rv_test_path("xdg"), 1);
    setenv("HOME", rv_test_path("home"), 1);
    cr_assert_eq(rv_cache_folder(&folder, NULL), RV_OK);
    cr_assert_str_eq(folder, rv_test_path("xdg/reverie"));
    cr_assert_eq(stat(folder, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0700);
    free(folder);
    cr_assert_eq(rv_cache_folder(&folder, "kernels"), RV_OK);
    cr_assert_str_eq(folder, rv_test_path("xdg/reverie/kernels"));
    cr_assert(rv_path_is_folder(folder));
    free(folder);
    /* A relative path is to be ignored. */
    setenv("XDG_CACHE_HOME", "relative", 1);
    cr_assert_eq(rv_cache_folder(&folder, "kernels"), RV_OK);
    cr_assert_str_eq(folder, rv_test_path("home/.cache/reverie/kernels"));
    free(folder);
}

Test(path, no_cache_is_an_error_that_callers_survive)
{
    char *folder = (char *)"untouched";
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    cr_assert_eq(rv_cache_folder(&folder, NULL), RV_ERR_IO);
    cr_assert_null(folder);
    rv_test_write(rv_test_path("file"), "x", 1);
    setenv("XDG_CACHE_HOME", rv_test_path("file"), 1);
    cr_assert_eq(rv_cache_folder(&folder, NULL), RV_ERR_IO);
    cr_assert_null(folder);
}

Test(path, a_cache_can_be_switched_off)
{
    char *folder = NULL;
    setenv("XDG_CACHE_HOME", rv_test_path("xdg"), 1);
    setenv("REVERIE_CACHE", "on", 1);
    cr_assert_eq(rv_cache_folder(&folder, NULL), RV_OK);
    free(folder);
    setenv("REVERIE_CACHE", "off", 1);
    cr_assert_eq(rv_cache_folder(&folder, "kernels"), RV_ERR_IO);
    cr_assert_null(folder);
    cr_assert(strstr(rv_error_message(), "REVERIE_CACHE") != NULL);
    cr_assert(!rv_path_exists(rv_test_path("xdg/reverie/kernels")));
}

Test(path, a_cache_that_cannot_be_written_is_an_error)
{
    char *folder = NULL;
    setenv("XDG_CACHE_HOME", rv_test_folder(), 1);
    cr_assert_eq(rv_cache_folder(&folder, NULL), RV_OK);
    cr_assert_eq(chmod(folder, 0555), 0);
    free(folder);
    cr_assert_eq(chmod(rv_test_folder(), 0755), 0);
    /* access() asks for the real user. */
    if (getuid() == 0) {
        cr_assert_eq(setreuid(65534, 0), 0);
    }
    cr_assert_eq(rv_cache_folder(&folder, NULL), RV_ERR_IO);
    if (geteuid() == 0) {
        cr_assert_eq(setreuid(0, 0), 0);
    }
}

Test(path, folders_are_listed_in_order)
{
    rv_test_write(rv_test_path("b"), "x", 1);
    rv_test_write(rv_test_path("a"), "x", 1);
    rv_test_write(rv_test_path(".c"), "x", 1);
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(rv_folder_list(&names, &n, rv_test_folder()), RV_OK);
    cr_assert_eq(n, 3);
    cr_assert_str_eq(names[0], ".c");
    cr_assert_str_eq(names[1], "a");
    cr_assert_str_eq(names[2], "b");
    free(names);
    cr_assert_eq(rv_folder_list(&names, &n, rv_test_path("missing")), RV_ERR_NOT_FOUND);
    cr_assert_eq(rv_folder_list(&names, &n, rv_test_path("a")), RV_ERR_IO);
    cr_assert(names == NULL && n == 0);
}
