/* Folders for tests to write in, small disks, and data that is not in the repository. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* unshare */
#include "support/scratch.h"
#include "base/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, PATHS = 8 };

static char folder[PATH_BYTES];
static pid_t owner;
static char paths[PATHS][PATH_BYTES];
static int next_path;

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    if (getpid() == owner) { /* children that the test forked leave it alone */
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
}

const char *rv_test_folder(void)
{
    if (folder[0] == '\0') {
        const char *temporary = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/reverie-test-XXXXXX",
                 temporary != NULL ? temporary : "/tmp");
        cr_assert_not_null(mkdtemp(folder), "cannot make a folder for the test");
        owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

static const char *join(const char *a, const char *b)
{
    char *path = paths[next_path++ % PATHS];
    cr_assert(snprintf(path, PATH_BYTES, "%s/%s", a, b) < PATH_BYTES);
    return path;
}

const char *rv_test_path(const char *name)
{
    return join(rv_test_folder(), name);
}

const char *rv_test_small_disk(size_t bytes)
{
    const char *place = rv_test_path("disk");
    char options[64];
    snprintf(options, sizeof options, "size=%zu", bytes);
    /* In a mount namespace of this process: nobody else sees it, and it goes when the test does. */
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mkdir(place, 0777) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", place, "tmpfs", 0, options) != 0) {
        cr_skip_test("a small disk cannot be mounted here");
    }
    return place;
}

size_t rv_test_count_files(const char *path)
{
    DIR *dir = opendir(path);
    cr_assert_not_null(dir, "cannot list %s", path);
    size_t n = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return n;
}

void rv_test_write(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "cannot write %s", path);
    cr_assert_eq(fwrite(bytes, 1, n, file), n);
    cr_assert_eq(fclose(file), 0);
}

void rv_test_same_files(const char *a, const char *b)
{
    rv_bytes first, second;
    cr_assert_eq(rv_bytes_open(&first, a, 0), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_bytes_open(&second, b, 0), RV_OK, "%s", rv_error_message());
    cr_assert(first.size == second.size && memcmp(first.data, second.data, first.size) == 0,
              "%s is not %s", a, b);
    rv_bytes_close(&first);
    rv_bytes_close(&second);
}

const char *rv_test_shared(const char *name)
{
    const char *shared = getenv("REVERIE_SHARED");
    if (shared == NULL || shared[0] == '\0') {
        cr_skip_test("REVERIE_SHARED is not set");
    }
    return join(shared, name);
}
