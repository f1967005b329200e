/* What the readers of data sets fill in. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_INTERNAL_H
#define RV_DATASET_INTERNAL_H

#include "dataset/dataset.h"

/** A picture: a file, or one of those in an array. */
typedef struct rv_item {
    char *path;          /**< NULL: in the array */
    const uint8_t *data; /**< in the array */
    int32_t label;       /**< 0 where the task is another than classes */
    rv_subset subset;
} rv_item;

struct rv_dataset {
    char *path;
    char **classes;
    size_t n_classes, classes_capacity;
    rv_item *items;
    size_t n_items, items_capacity;
    rv_task task;
    char **cells; /**< [n_items] while a list is read: what stands behind the pictures */
    size_t cells_capacity;
    float *targets;            /**< [n_items,n_classes], NULL where the task is classes */
    size_t *order[RV_SUBSETS]; /**< items of each subset */
    size_t n[RV_SUBSETS];
    bool has_validation; /**< the set itself says what is for validation */
    bool in_order;       /**< what is held back are the last ones, not drawn */
    int channels, width, height;
    uint8_t *arrays[4]; /**< what items point into */
    int n_arrays;
};

/** Each reads a kind of data set; they add classes and items. *taken: the path is of that kind. */
RV_NODISCARD rv_status rv_dataset_read_folders(rv_dataset *d, const rv_dataset_options *options);
RV_NODISCARD rv_status rv_dataset_read_csv(rv_dataset *d, const rv_dataset_options *options);
RV_NODISCARD rv_status rv_dataset_read_idx(rv_dataset *d, bool *taken);

/** folders.c: classes by the folders of names. */
RV_NODISCARD rv_status rv_dataset_read_names(rv_dataset *d, const char *const *names, size_t n,
                                             const rv_dataset_options *options);

/** targets.c: keeps what stands behind the picture that was added last. */
RV_NODISCARD rv_status rv_dataset_add_cell(rv_dataset *d, const char *text);
void rv_dataset_release_cells(rv_dataset *d);
/** targets.c: names of labels or quantities, and the targets of all pictures, from their cells, which it releases.
 *  @param heading  of the column of cells, NULL: there is none */
RV_NODISCARD rv_status rv_dataset_read_cells(rv_dataset *d, const char *heading,
                                             const rv_dataset_options *options);
/** Sorts names, as classes and labels go. */
RV_NODISCARD rv_status rv_dataset_sort_classes(rv_dataset *d);

/** Number of a class by name, added where it is new and `options` names none. RV_ERR_USAGE where they lack it. */
RV_NODISCARD rv_status rv_dataset_find_class(rv_dataset *d, int32_t *out, const char *name,
                                             const rv_dataset_options *options);
/** @param path  copied; NULL for one in an array. */
RV_NODISCARD rv_status rv_dataset_add(rv_dataset *d, const char *path, const uint8_t *data,
                                      int32_t label, rv_subset subset);

#endif
