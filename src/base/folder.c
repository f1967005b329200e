/* Lists folders. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names, each with its NUL, into `names`. */
static rv_status read_names(rv_text *names, size_t *n, DIR *dir, const char *path)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return errno == 0 ? rv_text_status(names)
                              : rv_fail(RV_ERR_IO, "cannot list %s: %s", path, strerror(errno));
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            rv_text_append_bytes(names, entry->d_name, strlen(entry->d_name) + 1);
            ++*n;
        }
    }
}

/* Pointers first, the names they point to behind them. */
static rv_status pack(char ***out, const rv_text *names, size_t n)
{
    size_t table, bytes;
    if (!rv_size_mul(&table, n + 1, sizeof(char *)) || !rv_size_add(&bytes, table, names->length)) {
        return rv_fail(RV_ERR_MEMORY, "too many files in a folder");
    }
    RV_TRY(rv_alloc(out, 1, bytes, "names in a folder"));
    char *at = (char *)*out + table;
    for (size_t i = 0, offset = 0; i < n; i++) {
        const size_t size = strlen(names->data + offset) + 1;
        memcpy(at + offset, names->data + offset, size);
        (*out)[i] = at + offset;
        offset += size;
    }
    qsort(*out, n, sizeof **out, compare);
    return RV_OK;
}

rv_status rv_folder_list(char ***out, size_t *n, const char *path)
{
    rv_text names = {0};
    *out = NULL;
    *n = 0;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return rv_fail(errno == ENOENT ? RV_ERR_NOT_FOUND : RV_ERR_IO, "cannot open folder %s: %s",
                       path, strerror(errno));
    }
    rv_status status = read_names(&names, n, dir, path);
    if (status == RV_OK) {
        status = pack(out, &names, *n);
    }
    closedir(dir);
    rv_text_release(&names);
    return status;
}
