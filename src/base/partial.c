/* Files that grow over several runs under a name of their own. */
/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE /* flock */
#include "base/partial.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct rv_partial {
    char *path, *part;
    int fd;
    uint64_t size;
};

static rv_status fail_write(const rv_partial *p, int error)
{
    return rv_fail(RV_ERR_IO, "cannot write %s: %s", p->part,
                   error == ENOSPC ? "disk full" : strerror(error));
}

static rv_status check_room(const rv_partial *p, uint64_t size)
{
    char *folder;
    struct statvfs info;
    RV_TRY(rv_path_folder(&folder, p->path));
    const bool known = statvfs(folder, &info) == 0;
    free(folder);
    const double room = known ? (double)info.f_bavail * (double)info.f_frsize : 0;
    const double missing = (double)(size - p->size);
    return !known || room >= missing
               ? RV_OK
               : rv_fail(RV_ERR_IO, "%s needs %.0f MB more, and its disk has room for %.0f MB",
                         p->path, missing / 1e6, room / 1e6);
}

static rv_status open_part(rv_partial *p, const char *path, uint64_t size)
{
    struct stat info;
    RV_TRY(rv_strdup(&p->path, path));
    RV_TRY(rv_format(&p->part, "%s.part", path));
    /* No link: it could lead to a file of somebody else's. */
    p->fd = open(p->part, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (p->fd < 0 || fstat(p->fd, &info) != 0) {
        return fail_write(p, errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return rv_fail(RV_ERR_IO, "cannot write %s: it is not a regular file", p->part);
    }
    /* File systems without locks do without. */
    if (flock(p->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return rv_fail(RV_ERR_IO, "%s is being written by another process", p->part);
    }
    p->size = (uint64_t)info.st_size;
    if (p->size > size) {
        RV_TRY(rv_partial_restart(p));
    }
    return check_room(p, size);
}

rv_status rv_partial_open(rv_partial **out, const char *path, uint64_t size)
{
    rv_partial *p;
    *out = NULL;
    RV_TRY(rv_alloc(&p, 1, sizeof *p, path));
    p->fd = -1;
    const rv_status status = open_part(p, path, size);
    if (status != RV_OK) {
        rv_partial_close(p);
        return status;
    }
    *out = p;
    return RV_OK;
}

uint64_t rv_partial_size(const rv_partial *p)
{
    return p->size;
}

const char *rv_partial_path(const rv_partial *p)
{
    return p->part;
}

rv_status rv_partial_write(rv_partial *p, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        const ssize_t written = write(p->fd, at, n);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return fail_write(p, written < 0 ? errno : ENOSPC);
        }
        at += written;
        n -= (size_t)written;
        p->size += (uint64_t)written;
    }
    return RV_OK;
}

rv_status rv_partial_restart(rv_partial *p)
{
    if (ftruncate(p->fd, 0) != 0) {
        return fail_write(p, errno);
    }
    p->size = 0;
    return RV_OK;
}

static void release(rv_partial *p)
{
    if (p->fd >= 0) {
        close(p->fd);
    }
    free(p->path);
    free(p->part);
    free(p);
}

rv_status rv_partial_commit(rv_partial *p)
{
    rv_status status = RV_OK;
    /* Some network file systems cannot sync; their writes have succeeded. */
    if (fsync(p->fd) != 0 && errno != EINVAL && errno != ENOTSUP) {
        status = fail_write(p, errno);
    } else if (rename(p->part, p->path) != 0) {
        status = rv_fail(RV_ERR_IO, "cannot write %s: %s", p->path, strerror(errno));
    }
    release(p);
    return status;
}

void rv_partial_close(rv_partial *p)
{
    if (p == NULL) {
        return;
    }
    if (p->fd >= 0 && p->size == 0) {
        unlink(p->part);
    }
    release(p);
}
