/* Data sets of names of files alone: what folder one is in is its class. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "dataset/internal.h"

#include <stdlib.h>
#include <string.h>

/* The last folder of path[0..*end), without slashes at its end; *end becomes where it begins. @return its length */
static size_t last_folder(const char *path, size_t *end)
{
    size_t stop = *end;
    while (stop > 0 && path[stop - 1] == '/') {
        stop--;
    }
    size_t start = stop;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    *end = start;
    return stop - start;
}

static bool is_called(const char *text, size_t n, const char *name)
{
    return n == strlen(name) && strncmp(text, name, n) == 0;
}

static rv_status add_named(rv_dataset *d, const char *path, const rv_dataset_options *o)
{
    size_t at = strlen(path);
    (void)last_folder(path, &at);
    const size_t length = last_folder(path, &at), start = at;
    const size_t use = last_folder(path, &at);
    const bool validation = is_called(path + at, use, "val");
    char *name;
    int32_t label;
    if (length == 0 || is_called(path + start, length, ".") ||
        is_called(path + start, length, "..")) {
        return rv_fail(RV_ERR_USAGE,
                       "%s: '%s' is in no folder that could be its class; give extract a folder of "
                       "class folders",
                       d->path, path);
    }
    RV_TRY(rv_format(&name, "%.*s", (int)length, path + start));
    const rv_status status = rv_dataset_find_class(d, &label, name, o);
    free(name);
    RV_TRY(status);
    d->has_validation = d->has_validation || validation;
    return rv_dataset_add(d, path, NULL, label,
                          validation ? RV_SUBSET_VALIDATION : RV_SUBSET_TRAIN);
}

rv_status rv_dataset_read_names(rv_dataset *d, const char *const *names, size_t n,
                                const rv_dataset_options *options)
{
    for (size_t i = 0; i < n; i++) {
        RV_TRY(add_named(d, names[i], options));
    }
    return options->n_classes == 0 ? rv_dataset_sort_classes(d) : RV_OK;
}
