/* Data sets that are folders of pictures, a folder for each class, or a list of files. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dataset/internal.h"
#include "dataset/pictures.h"

#include <reverie/image.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_csv_bytes = (size_t)1 << 30;

/* What spreadsheets put before UTF-8. */
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* Adds the pictures in a folder and in the folders in it, as a class where there are any. */
static rv_status add_class(rv_dataset *d, const char *folder, const char *name, rv_subset subset,
                           const rv_dataset_options *o)
{
    rv_pictures found;
    int32_t label = 0;
    RV_TRY(rv_pictures_list(&found, folder));
    rv_status status = RV_OK;
    if (found.n > 0) {
        status = rv_dataset_find_class(d, &label, name, o);
    } else {
        rv_log(o->events, RV_LOG_WARNING, "%s has no pictures: it is no class", folder);
    }
    for (size_t i = 0; i < found.n && status == RV_OK; i++) {
        char *path = NULL;
        status = rv_path_join(&path, folder, found.paths[i]);
        if (status == RV_OK) {
            status = rv_dataset_add(d, path, NULL, label, subset);
        }
        free(path);
    }
    rv_pictures_release(&found);
    return status;
}

/* Each folder in `root` is a class, by name. */
static rv_status add_classes(rv_dataset *d, const char *root, rv_subset subset,
                             const rv_dataset_options *o)
{
    char **names;
    size_t n;
    RV_TRY(rv_folder_list(&names, &n, root));
    rv_status status = RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        char *folder = NULL;
        status = rv_path_join(&folder, root, names[i]);
        if (status == RV_OK && names[i][0] != '.' && rv_path_is_folder(folder)) {
            status = add_class(d, folder, names[i], subset, o);
        }
        free(folder);
    }
    free(names);
    return status;
}

rv_status rv_dataset_read_folders(rv_dataset *d, const rv_dataset_options *o)
{
    char *train = NULL, *val = NULL;
    rv_status status = rv_path_join(&train, d->path, "train");
    if (status == RV_OK) {
        status = rv_path_join(&val, d->path, "val");
    }
    if (status == RV_OK) {
        const bool divided = rv_path_is_folder(train);
        status = add_classes(d, divided ? train : d->path, RV_SUBSET_TRAIN, o);
        d->has_validation = divided && rv_path_is_folder(val);
    }
    if (status == RV_OK && d->has_validation) {
        status = add_classes(d, val, RV_SUBSET_VALIDATION, o);
    }
    free(train);
    free(val);
    return status;
}

/* --- lists ----------------------------------------------------------------------------------- */

/* Takes the quotes around a field away, in which two stand for one. @return what is behind it */
static char *unquote(char *field)
{
    char *to = field, *from = field + 1;
    while (*from != '\0' && (*from != '"' || from[1] == '"')) {
        from += *from == '"';
        *to++ = *from++;
    }
    from += *from == '"';
    *to = '\0';
    return from;
}

/* Cuts the next field of a line off, without the quotes or blanks around it. @return NULL at the line's end */
static char *next_field(char **at)
{
    static const char blanks[] = " \t";
    char *start = *at;
    if (start == NULL) {
        return NULL;
    }
    start += strspn(start, blanks);
    const bool quoted = *start == '"';
    char *behind = quoted ? unquote(start) : start;
    char *comma = strchr(behind, ',');
    *at = comma != NULL ? comma + 1 : NULL;
    if (!quoted) {
        char *end = comma != NULL ? comma : start + strlen(start);
        while (end > start && strchr(blanks, end[-1]) != NULL) {
            end--;
        }
        *end = '\0';
    }
    return start;
}

static rv_status fail_line(const rv_dataset *d, int line, const char *what)
{
    static const char *const cells[RV_TASKS] = {"class", "label;label", "number"};
    const char *cell = cells[d->task];
    return rv_fail(RV_ERR_FORMAT, "%s:%d: %s; lines are: picture,%s or picture,%s,train|val",
                   d->path, line, what, cell, cell);
}

/* Adds the picture of a line, by what stands behind it. */
static rv_status add_listed(rv_dataset *d, const char *path, const char *cell, rv_subset subset,
                            const rv_dataset_options *o)
{
    int32_t label = 0;
    if (d->task == RV_TASK_CLASSES) {
        RV_TRY(rv_dataset_find_class(d, &label, cell, o));
        return rv_dataset_add(d, path, NULL, label, subset);
    }
    RV_TRY(rv_dataset_add(d, path, NULL, label, subset));
    return rv_dataset_add_cell(d, cell);
}

/* @param[out] heading  of the second column, where the line is one */
static rv_status add_line(rv_dataset *d, char *text, int line, const char *folder,
                          const rv_dataset_options *o, const char **heading)
{
    const char *path = next_field(&text), *name = next_field(&text), *use = next_field(&text);
    rv_subset subset = RV_SUBSET_TRAIN;
    char *full = NULL;
    /* A picture may have no label at all. */
    if (name == NULL || path[0] == '\0' || (name[0] == '\0' && d->task != RV_TASK_LABELS)) {
        return fail_line(d, line,
                         d->task == RV_TASK_VALUES ? "there is no picture or no number"
                                                   : "there is no picture or no class");
    }
    if (line == 1 && !rv_image_has_name(path)) {
        *heading = name;
        return RV_OK;
    }
    if (use != NULL && strcmp(use, "val") == 0) {
        subset = RV_SUBSET_VALIDATION;
        d->has_validation = true;
    } else if (use != NULL && strcmp(use, "train") != 0) {
        return fail_line(d, line, "the third word is neither train nor val");
    }
    if (path[0] == '/') {
        return add_listed(d, path, name, subset, o);
    }
    RV_TRY(rv_path_join(&full, folder, path));
    const rv_status status = add_listed(d, full, name, subset, o);
    free(full);
    return status;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Numbers of classes go by name, not by the order of lines. */
rv_status rv_dataset_sort_classes(rv_dataset *d)
{
    char **sorted;
    if (d->n_classes == 0) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&sorted, d->n_classes + 1, sizeof *sorted, "classes"));
    memcpy(sorted, d->classes, d->n_classes * sizeof *sorted);
    qsort(sorted, d->n_classes, sizeof *sorted, compare);
    for (size_t i = 0; i < d->n_items && d->task == RV_TASK_CLASSES; i++) {
        char *const *found =
            bsearch(&d->classes[d->items[i].label], sorted, d->n_classes, sizeof *sorted, compare);
        d->items[i].label = (int32_t)(found - sorted);
    }
    free(d->classes);
    d->classes = sorted;
    return RV_OK;
}

static rv_status add_lines(rv_dataset *d, char *text, const char *folder,
                           const rv_dataset_options *o)
{
    const char *heading = NULL;
    int line = 1;
    while (text != NULL) {
        char *end = strchr(text, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        const size_t n = strlen(text);
        if (n > 0 && text[n - 1] == '\r') {
            text[n - 1] = '\0';
        }
        if (text[0] != '\0') {
            RV_TRY(add_line(d, text, line, folder, o, &heading));
        }
        text = end != NULL ? end + 1 : NULL;
        line++;
    }
    if (d->task != RV_TASK_CLASSES) {
        return rv_dataset_read_cells(d, heading, o);
    }
    return o->n_classes == 0 ? rv_dataset_sort_classes(d) : RV_OK;
}

rv_status rv_dataset_read_csv(rv_dataset *d, const rv_dataset_options *o)
{
    rv_bytes bytes;
    char *folder = NULL, *text = NULL;
    RV_TRY(rv_bytes_open(&bytes, d->path, max_csv_bytes));
    rv_status status = rv_path_folder(&folder, d->path);
    if (status == RV_OK) {
        status = rv_alloc(&text, bytes.size + 1, 1, d->path);
    }
    if (status == RV_OK) {
        if (bytes.size > 0) { /* an empty file has no data */
            memcpy(text, bytes.data, bytes.size);
        }
        const bool marked = strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0;
        status = add_lines(d, marked ? text + strlen(BYTE_ORDER_MARK) : text, folder, o);
    }
    rv_bytes_close(&bytes);
    free(folder);
    free(text);
    return status;
}
