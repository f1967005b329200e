/* Keeps the folder of a cache below a size: what was used longest ago goes. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "device/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* A file or folder, which goes as a whole. */
typedef struct entry {
    char *path;
    uint64_t bytes;
    struct timespec used;
} entry;

typedef struct entries {
    entry *all;
    size_t n, capacity;
    int depth; /* of those to come */
    uint64_t bytes;
} entries;

/* A file that PoCL touches whenever it takes a program from the folder that it lies in. */
static const char touched[] = "last_accessed";

static void for_each(const char *folder, void (*visit)(const char *path, void *payload),
                     void *payload)
{
    char **names = NULL;
    size_t n = 0;
    if (rv_folder_list(&names, &n, folder) != RV_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char *path = NULL;
        if (rv_path_join(&path, folder, names[i]) == RV_OK) {
            visit(path, payload);
        }
        free(path);
    }
    free(names);
}

static void weigh(const char *path, void *payload)
{
    entry *e = payload;
    struct stat info;
    if (lstat(path, &info) != 0) {
        return;
    }
    e->bytes += (uint64_t)info.st_size;
    if (strcmp(rv_path_base(path), touched) == 0) {
        e->used = info.st_mtim;
    }
    if (S_ISDIR(info.st_mode)) {
        for_each(path, weigh, e);
    }
}

static void clear(const char *path, void *payload)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        for_each(path, clear, payload);
    }
    (void)remove(path);
}

static void gather(const char *path, void *payload)
{
    entries *found = payload;
    entry e = {0};
    struct stat info;
    if (lstat(path, &info) != 0) {
        return;
    }
    if (found->depth > 0 && S_ISDIR(info.st_mode)) {
        found->depth--;
        for_each(path, gather, found);
        found->depth++;
    } else if (rv_grow(&found->all, &found->capacity, found->n + 1, sizeof e, "cache") == RV_OK &&
               rv_strdup(&e.path, path) == RV_OK) {
        e.used = info.st_mtim;
        weigh(path, &e);
        found->bytes += e.bytes;
        found->all[found->n++] = e;
    }
}

static int oldest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const entry *)a)->used, *y = &((const entry *)b)->used;
    if (x->tv_sec != y->tv_sec) {
        return x->tv_sec < y->tv_sec ? -1 : 1;
    }
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

void rv_cache_limit(const char *folder, int depth, uint64_t limit, int spared)
{
    entries found = {.depth = depth};
    const time_t now = time(NULL);
    for_each(folder, gather, &found);
    if (found.n > 0) {
        qsort(found.all, found.n, sizeof *found.all, oldest_first);
    }
    for (size_t i = 0; i < found.n; i++) {
        entry *e = &found.all[i];
        if (found.bytes > limit && (spared == 0 || now - e->used.tv_sec > spared)) {
            clear(e->path, NULL);
            found.bytes -= rv_path_exists(e->path) ? 0 : e->bytes;
        }
        free(e->path);
    }
    free(found.all);
}
