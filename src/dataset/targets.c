/* What a list says of each picture where it is no class: several labels, or quantities. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "dataset/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORD = 256, MAX_VALUES = 1024 };

rv_status rv_dataset_add_cell(rv_dataset *d, const char *text)
{
    RV_TRY(rv_grow(&d->cells, &d->cells_capacity, d->n_items, sizeof *d->cells, "pictures"));
    return rv_strdup(&d->cells[d->n_items - 1], text);
}

void rv_dataset_release_cells(rv_dataset *d)
{
    for (size_t i = 0; i < d->cells_capacity; i++) {
        free(d->cells[i]);
    }
    free(d->cells);
    d->cells = NULL;
    d->cells_capacity = 0;
}

/* Copies the next part of "a;b;c" without spaces around it. @return false behind the last */
static bool next_word(char out[MAX_WORD], const char **text)
{
    const char *start = *text;
    if (start == NULL) {
        return false;
    }
    size_t n = strcspn(start, ";");
    *text = start[n] == ';' ? start + n + 1 : NULL;
    while (n > 0 && start[0] == ' ') {
        start++;
        n--;
    }
    while (n > 0 && start[n - 1] == ' ') {
        n--;
    }
    n = n < MAX_WORD ? n : MAX_WORD - 1;
    memcpy(out, start, n);
    out[n] = '\0';
    return true;
}

static rv_status fail_item(const rv_dataset *d, size_t item, const char *what)
{
    return rv_fail(RV_ERR_FORMAT, "%s: %s: %s", d->path, d->items[item].path, what);
}

static rv_status allocate(rv_dataset *d)
{
    return rv_alloc(&d->targets, d->n_items * d->n_classes + 1, sizeof *d->targets, "targets");
}

/* --- labels ---------------------------------------------------------------------------------- */

static rv_status read_labels(rv_dataset *d, const rv_dataset_options *o)
{
    char word[MAX_WORD];
    int32_t label;
    for (size_t i = 0; i < d->n_items; i++) {
        for (const char *at = d->cells[i]; next_word(word, &at);) {
            RV_TRY(word[0] != '\0' ? rv_dataset_find_class(d, &label, word, o) : RV_OK);
        }
    }
    RV_TRY(o->n_classes == 0 ? rv_dataset_sort_classes(d) : RV_OK);
    RV_TRY(allocate(d));
    for (size_t i = 0; i < d->n_items; i++) {
        for (const char *at = d->cells[i]; next_word(word, &at);) {
            if (word[0] != '\0') {
                RV_TRY(rv_dataset_find_class(d, &label, word, o));
                d->targets[i * d->n_classes + (size_t)label] = 1;
            }
        }
    }
    return RV_OK;
}

/* --- quantities ------------------------------------------------------------------------------ */

static size_t count_words(const char *text)
{
    char word[MAX_WORD];
    size_t n = 0;
    while (next_word(word, &text)) {
        n++;
    }
    return n;
}

/* From the heading where it has as many, else "value", or "value 1" and so on. */
static rv_status name_values(rv_dataset *d, size_t n, const char *heading,
                             const rv_dataset_options *o)
{
    char word[MAX_WORD];
    int32_t label;
    if (o->n_classes > 0 && o->n_classes != n) {
        return rv_fail(RV_ERR_USAGE, "%s has %zu numbers for each picture, the model gives %zu",
                       d->path, n, o->n_classes);
    }
    const char *at = heading != NULL && count_words(heading) == n ? heading : NULL;
    for (size_t i = 0; i < n && o->n_classes == 0; i++) {
        if (at != NULL) {
            next_word(word, &at);
        } else if (n == 1) {
            snprintf(word, sizeof word, "value");
        } else {
            snprintf(word, sizeof word, "value %zu", i + 1);
        }
        RV_TRY(rv_dataset_find_class(d, &label, word, o));
    }
    return d->n_classes == n
               ? RV_OK
               : rv_fail(RV_ERR_FORMAT, "%s: two quantities are called '%s'", d->path, word);
}

static rv_status read_values(rv_dataset *d, const char *heading, const rv_dataset_options *o)
{
    char word[MAX_WORD];
    const size_t n = d->n_items > 0 ? count_words(d->cells[0]) : 1;
    if (n > MAX_VALUES) {
        return fail_item(d, 0, "more than 1024 numbers");
    }
    RV_TRY(name_values(d, n, heading, o));
    RV_TRY(allocate(d));
    for (size_t i = 0; i < d->n_items; i++) {
        size_t k = 0;
        for (const char *at = d->cells[i]; next_word(word, &at); k++) {
            double value;
            if (k >= n || rv_parse_double(&value, word, -1e30, 1e30, "a number") != RV_OK) {
                return fail_item(d, i,
                                 k >= n ? "it has more numbers than the first picture"
                                        : rv_error_message());
            }
            d->targets[i * n + k] = (float)value;
        }
        RV_TRY(k == n ? RV_OK : fail_item(d, i, "it has fewer numbers than the first picture"));
    }
    return RV_OK;
}

rv_status rv_dataset_read_cells(rv_dataset *d, const char *heading, const rv_dataset_options *o)
{
    const rv_status status =
        d->task == RV_TASK_LABELS ? read_labels(d, o) : read_values(d, heading, o);
    rv_dataset_release_cells(d);
    return status;
}
