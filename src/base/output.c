/* Output files that appear whole or not at all. */
/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* renameat2, flock */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct rv_output {
    char *path;
    char *temporary; /* in the folder of `path`, so that renaming moves no bytes */
    FILE *stream;
    bool overwrite, unsynced;
    bool part; /* `temporary` is PATH.part, which is never taken away unasked */
};

#define TEMPORARY_START ".reverie-"
#define TEMPORARY_END   ".tmp"

bool rv_output_is_temporary(const char *name)
{
    const size_t n = strlen(name), start = strlen(TEMPORARY_START), end = strlen(TEMPORARY_END);
    return n == start + 16 + end && strncmp(name, TEMPORARY_START, start) == 0 &&
           strcmp(name + n - end, TEMPORARY_END) == 0;
}

static const char *reason(int error)
{
    return error == ENOSPC ? "disk full" : strerror(error);
}

static rv_status fail_exists(const char *path)
{
    return rv_fail(RV_ERR_USAGE, "%s exists already; choose another name, or overwrite it", path);
}

/* What stands at `path` must be nothing, or a file that may be replaced: never a folder or device. */
static rv_status check_place(const char *path, bool overwrite)
{
    struct stat info;
    if (path[0] == '\0' || rv_path_base(path)[0] == '\0') {
        return rv_fail(RV_ERR_IO, "cannot write '%s': it names no file", path);
    }
    if (stat(path, &info) != 0) {
        /* A dangling link is in the way as well. */
        return lstat(path, &info) == 0 && !overwrite ? fail_exists(path) : RV_OK;
    }
    if (S_ISDIR(info.st_mode)) {
        return rv_fail(RV_ERR_IO, "cannot write %s: it is a folder", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return rv_fail(RV_ERR_IO, "cannot write %s: it is not a regular file", path);
    }
    return overwrite ? RV_OK : fail_exists(path);
}

/* Not mkstemp, whose files nobody else may read: open() applies the caller's umask. */
static rv_status open_temporary(rv_output *output)
{
    char *folder = NULL;
    RV_TRY(rv_path_folder(&folder, output->path));
    int fd = -1, error = EEXIST;
    rv_status status = RV_OK;
    for (int attempt = 0; attempt < 100 && error == EEXIST; attempt++) {
        const double now = rv_clock();
        const long pid = (long)getpid();
        uint64_t hash = rv_hash(RV_HASH_START, &now, sizeof now);
        hash = rv_hash(rv_hash(hash, &pid, sizeof pid), &output, sizeof output);
        free(output->temporary);
        status = rv_format(&output->temporary, "%s/" TEMPORARY_START "%016llx" TEMPORARY_END,
                           folder, (unsigned long long)hash);
        if (status != RV_OK) {
            goto cleanup;
        }
        fd = open(output->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        error = fd < 0 ? errno : 0;
    }
    if (fd >= 0) {
        output->stream = fdopen(fd, "w+b");
        error = errno;
    }
    if (output->stream == NULL) {
        status = rv_fail(RV_ERR_IO, "cannot write %s: %s", output->path, reason(error));
        if (fd >= 0) {
            close(fd);
            unlink(output->temporary);
        }
    }
cleanup:
    free(folder);
    return status;
}

/* What is there is kept but for what lies behind `kept` bytes. */
static rv_status open_part(rv_output *output, uint64_t kept)
{
    struct stat info;
    RV_TRY(rv_format(&output->temporary, "%s.part", output->path));
    /* No link: it could lead to a file of somebody else's. */
    const int fd =
        open(output->temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    rv_status status = RV_OK;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        status = rv_fail(RV_ERR_IO, "cannot write %s: %s", output->temporary,
                         fd < 0 ? reason(errno) : "it is not a regular file");
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        /* File systems without locks do without. */
        status = rv_fail(RV_ERR_IO, "%s is being written by another process", output->temporary);
    } else if ((uint64_t)info.st_size < kept) {
        status =
            rv_fail(RV_ERR_NOT_FOUND, "%s is shorter than it was: start anew", output->temporary);
    } else if (ftruncate(fd, (off_t)kept) != 0 || lseek(fd, 0, SEEK_END) < 0 ||
               (output->stream = fdopen(fd, "r+b")) == NULL) {
        status = rv_fail(RV_ERR_IO, "cannot write %s: %s", output->temporary, reason(errno));
    }
    if (status != RV_OK && fd >= 0) {
        close(fd);
    }
    return status;
}

static void release(rv_output *output)
{
    free(output->path);
    free(output->temporary);
    free(output);
}

/* @param kept  of a part; NULL: a name of its own */
static rv_status open_output(rv_output **out, const char *path, bool overwrite,
                             const uint64_t *kept)
{
    *out = NULL;
    RV_TRY(check_place(path, overwrite));
    rv_output *output;
    RV_TRY(rv_alloc(&output, 1, sizeof *output, "an output file"));
    output->overwrite = overwrite;
    output->part = kept != NULL;
    rv_status status = rv_strdup(&output->path, path);
    if (status == RV_OK) {
        status = kept != NULL ? open_part(output, *kept) : open_temporary(output);
    }
    if (status != RV_OK) {
        release(output);
        return status;
    }
    *out = output;
    return RV_OK;
}

rv_status rv_output_open(rv_output **out, const char *path, bool overwrite)
{
    return open_output(out, path, overwrite, NULL);
}

rv_status rv_output_open_part(rv_output **out, const char *path, bool overwrite, uint64_t kept)
{
    return open_output(out, path, overwrite, &kept);
}

FILE *rv_output_stream(rv_output *output)
{
    return output->stream;
}

/* What keeps an earlier write from succeeding: the stream remembers only that it failed, so another is tried. */
static int ask_again(FILE *stream)
{
    static const char block[4096];
    for (int attempt = 0; attempt < 2;
         attempt++) { /* the first may be cut short without an error */
        if (write(fileno(stream), block, sizeof block) < 0) {
            return errno;
        }
    }
    return EIO;
}

void rv_output_leave_unsynced(rv_output *output)
{
    output->unsynced = true;
}

/* @return 0 or errno of what went wrong, also when that was at an earlier write */
static int flush(const rv_output *output)
{
    FILE *stream = output->stream;
    if (ferror(stream)) {
        return ask_again(stream);
    }
    if (fflush(stream) != 0) {
        return errno;
    }
    if (output->unsynced) {
        return 0;
    }
    /* Some network file systems cannot sync; their writes have succeeded. */
    return fsync(fileno(stream)) != 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
}

rv_status rv_output_sync(rv_output *output, uint64_t *size)
{
    struct stat info;
    const int error = flush(output);
    if (error != 0 || fstat(fileno(output->stream), &info) != 0) {
        return rv_fail(RV_ERR_IO, "cannot write %s: %s", output->path,
                       reason(error != 0 ? error : errno));
    }
    *size = (uint64_t)info.st_size;
    return RV_OK;
}

void rv_output_keep(rv_output *output)
{
    if (output != NULL) {
        fclose(output->stream);
        release(output);
    }
}

/* To a name that nobody has taken meanwhile: by renaming where the system can do that, else by a hard link.
 * @return 0 or errno, EEXIST among them */
static int move_new(const rv_output *output)
{
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, output->temporary, AT_FDCWD, output->path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno == EEXIST) {
        return errno;
    }
#endif
    if (link(output->temporary, output->path) != 0) {
        return errno;
    }
    unlink(output->temporary);
    return 0;
}

/* Moves the complete file to its place. File systems that can neither rename carefully nor link get a small race
 * instead. */
static rv_status move(const rv_output *output)
{
    if (!output->overwrite) {
        const int error = move_new(output);
        if (error == 0 || error == EEXIST) {
            return error == 0 ? RV_OK : fail_exists(output->path);
        }
    }
    RV_TRY(check_place(output->path, output->overwrite));
    if (rename(output->temporary, output->path) != 0) {
        return rv_fail(RV_ERR_IO, "cannot write %s: %s", output->path, reason(errno));
    }
    return RV_OK;
}

rv_status rv_output_finish(rv_output *output)
{
    const int error = flush(output);
    return error == 0 ? RV_OK
                      : rv_fail(RV_ERR_IO, "cannot write %s: %s", output->path, reason(error));
}

rv_status rv_output_commit(rv_output *output)
{
    int error = flush(output);
    if (fclose(output->stream) != 0 && error == 0) {
        error = errno;
    }
    output->stream = NULL;
    rv_status status;
    if (error != 0) {
        status = rv_fail(RV_ERR_IO, "cannot write %s: %s", output->path, reason(error));
    } else {
        status = move(output);
    }
    if (status != RV_OK && !output->part) {
        unlink(output->temporary);
    }
    release(output);
    return status;
}

void rv_output_discard(rv_output *output)
{
    if (output != NULL) {
        fclose(output->stream);
        unlink(output->temporary);
        release(output);
    }
}
