/* Files as read-only memory. */
/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* madvise */
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static rv_status check(const struct stat *info, const char *path, size_t limit)
{
    if (S_ISDIR(info->st_mode)) {
        return rv_fail(RV_ERR_IO, "cannot read %s: it is a folder", path);
    }
    if (!S_ISREG(info->st_mode)) {
        return rv_fail(RV_ERR_IO, "cannot read %s: it is not a regular file", path);
    }
    if ((uintmax_t)info->st_size > SIZE_MAX || (limit != 0 && (size_t)info->st_size > limit)) {
        return rv_fail(RV_ERR_MEMORY, "%s has %jd bytes, more than the limit of %zu", path,
                       (intmax_t)info->st_size, limit != 0 ? limit : SIZE_MAX);
    }
    return RV_OK;
}

/* Below this, pages cost more than copying. */
enum { SMALLEST_MAP = 1 << 18 };

/* For small files, and file systems that cannot map. */
static rv_status read_all(rv_bytes *out, int fd, size_t size, const char *path)
{
    uint8_t *data = malloc(size);
    if (data == NULL) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to read %s (%zu bytes)", path, size);
    }
    for (size_t have = 0; have < size;) {
        const ssize_t n = read(fd, data + have, size - have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            free(data);
            return rv_fail(RV_ERR_IO, "cannot read %s: %s", path,
                           n < 0 ? strerror(errno) : "it became shorter meanwhile");
        }
        have += (size_t)n;
    }
    *out = (rv_bytes){.data = data, .size = size, .mapped = false};
    return RV_OK;
}

static rv_status fail_open(const char *path)
{
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return rv_fail(missing ? RV_ERR_NOT_FOUND : RV_ERR_IO, "cannot open %s: %s", path,
                   strerror(errno));
}

/* Takes the file over that is open as `fd`, which is closed. */
static rv_status take_file(rv_bytes *out, int fd, const char *path, size_t limit)
{
    struct stat info;
    rv_status status = fstat(fd, &info) == 0
                           ? check(&info, path, limit)
                           : rv_fail(RV_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    if (status == RV_OK && info.st_size > 0) {
        const size_t size = (size_t)info.st_size;
        void *data =
            size < SMALLEST_MAP ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) {
            *out = (rv_bytes){.data = data, .size = size, .mapped = true};
        } else {
            status = read_all(out, fd, size, path);
        }
    }
    close(fd);
    return status;
}

rv_status rv_bytes_open(rv_bytes *out, const char *path, size_t limit)
{
    *out = (rv_bytes){0};
    /* Not to wait for the other end of a pipe. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? fail_open(path) : take_file(out, fd, path, limit);
}

static rv_status fail_outside(const char *name)
{
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "'%.200s' is not taken: files beside a model have to lie in its folder, and be "
                   "no links",
                   name);
}

/* Opens what the next part of a path names in folder `at`, which is closed; -1 with errno where that fails. */
static int enter(int at, const char *part, size_t length, bool last)
{
    char name[256];
    int fd = -1;
    if (length < sizeof name) {
        memcpy(name, part, length);
        name[length] = '\0';
        fd = openat(at, name,
                    O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
    } else {
        errno = ENAMETOOLONG;
    }
    const int error = errno;
    close(at);
    errno = error;
    return fd;
}

static bool is_dots(const char *part, size_t length)
{
    return length == 0 || (part[0] == '.' && (length == 1 || (length == 2 && part[1] == '.')));
}

rv_status rv_bytes_open_beneath(rv_bytes *out, const char *folder, const char *name)
{
    struct stat info;
    *out = (rv_bytes){0};
    int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) {
        return fail_open(folder);
    }
    for (const char *part = name; fd >= 0;) {
        const size_t length = strcspn(part, "/");
        const bool last = part[length] == '\0';
        if (is_dots(part, length)) {
            close(fd);
            return fail_outside(name);
        }
        fd = enter(fd, part, length, last);
        if (last) {
            break;
        }
        part += length + 1;
    }
    if (fd < 0) {
        return errno == ELOOP || errno == ENOTDIR || errno == EMLINK ? fail_outside(name)
                                                                     : fail_open(name);
    }
    /* A second name of the file may lie anywhere. */
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink > 1) {
        close(fd);
        return fail_outside(name);
    }
    return take_file(out, fd, name, 0);
}

/* Without const, which the calls below take it without. */
static void *address(const rv_bytes *bytes)
{
    void *data;
    memcpy(&data, &bytes->data, sizeof data);
    return data;
}

void rv_bytes_forget(const rv_bytes *bytes)
{
    if (bytes->mapped) {
        (void)madvise(address(bytes), bytes->size, MADV_DONTNEED);
    }
}

void rv_bytes_forget_part(const uint8_t *data, size_t size)
{
    /* Whole pages; those that it shares with its neighbours stay for them. */
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)data;
    const uintptr_t first = (start + page - 1) / page * page, end = (start + size) / page * page;
    if (end > first) {
        const rv_bytes part = {.data = data + (first - start), .size = end - first, .mapped = true};
        rv_bytes_forget(&part);
    }
}

void rv_bytes_close(rv_bytes *bytes)
{
    void *data = address(bytes);
    if (bytes->mapped) {
        munmap(data, bytes->size);
    } else {
        free(data);
    }
    *bytes = (rv_bytes){0};
}
