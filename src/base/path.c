/* Paths, and the folders that Reverie makes. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *rv_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

const char *rv_path_extension(const char *path)
{
    const char *base = rv_path_base(path);
    const char *dot = strrchr(base, '.');
    return dot != NULL && dot != base ? dot : base + strlen(base);
}

rv_status rv_path_stem(char **out, const char *path)
{
    const char *base = rv_path_base(path);
    return rv_format(out, "%.*s", (int)(rv_path_extension(path) - base), base);
}

rv_status rv_path_join(char **out, const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    const char *slash = n == 0 || folder[n - 1] == '/' ? "" : "/";
    return rv_format(out, "%s%s%s", folder, slash, name);
}

rv_status rv_path_folder(char **out, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return rv_strdup(out, ".");
    }
    return rv_format(out, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

rv_status rv_path_absolute(char **out, const char *path)
{
    *out = realpath(path, NULL);
    return *out != NULL ? RV_OK
                        : rv_fail(errno == ENOENT ? RV_ERR_NOT_FOUND : RV_ERR_IO,
                                  "cannot open %s: %s", path, strerror(errno));
}

bool rv_path_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

bool rv_path_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool rv_path_is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode);
}

bool rv_path_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static rv_status make_one(const char *path, unsigned mode)
{
    const int error = mkdir(path, (mode_t)mode) == 0 ? 0 : errno;
    if (error == 0 || rv_path_is_folder(path)) {
        return RV_OK;
    }
    return rv_fail(RV_ERR_IO, "cannot make folder %s: %s", path,
                   error == EEXIST ? "there is a file of that name" : strerror(error));
}

rv_status rv_folder_make(const char *path, unsigned mode)
{
    char *part = NULL;
    RV_TRY(rv_strdup(&part, path));
    rv_status status = RV_OK;
    for (char *p = part; *p != '\0' && status == RV_OK; p++) {
        if (*p == '/' && p != part) {
            *p = '\0';
            status = make_one(part, mode);
            *p = '/';
        }
    }
    if (status == RV_OK) {
        status = make_one(path, mode);
    }
    free(part);
    return status;
}

bool rv_cache_is_off(void)
{
    const char *wish = getenv("REVERIE_CACHE");
    return wish != NULL && strcmp(wish, "off") == 0;
}

rv_status rv_data_folder(char **out, const char *name)
{
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    *out = NULL;
    if (data != NULL && data[0] == '/') { /* the XDG specification: relative paths are ignored */
        return rv_format(out, "%s/reverie/%s", data, name);
    }
    return home != NULL && home[0] == '/'
               ? rv_format(out, "%s/.local/share/reverie/%s", home, name)
               : rv_fail(RV_ERR_NOT_FOUND, "neither XDG_DATA_HOME nor HOME is set");
}

rv_status rv_cache_folder(char **out, const char *name)
{
    *out = NULL;
    if (rv_cache_is_off()) {
        return rv_fail(RV_ERR_IO, "no cache: REVERIE_CACHE is off");
    }
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    const char *below = name != NULL ? name : "";
    const char *slash = name != NULL ? "/" : "";
    if (cache != NULL && cache[0] == '/') { /* the XDG specification: relative paths are ignored */
        RV_TRY(rv_format(&path, "%s/reverie%s%s", cache, slash, below));
    } else if (home != NULL && home[0] == '/') {
        RV_TRY(rv_format(&path, "%s/.cache/reverie%s%s", home, slash, below));
    } else {
        return rv_fail(RV_ERR_IO, "no cache: neither XDG_CACHE_HOME nor HOME is set");
    }
    rv_status status = rv_folder_make(path, 0700);
    if (status == RV_OK && access(path, W_OK | X_OK) != 0) {
        status = rv_fail(RV_ERR_IO, "cannot write into folder %s: %s", path, strerror(errno));
    }
    if (status != RV_OK) {
        free(path);
        return status;
    }
    *out = path;
    return RV_OK;
}
