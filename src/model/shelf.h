/* The folder where models lie that were fetched or added: a folder of the name of each, with a model.json. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_SHELF_H
#define RV_MODEL_SHELF_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>

/** What model.json says; owned; NULL: it does not say. */
typedef struct rv_shelf_item {
    char *file; /**< whole path; within the folder of the model, model.json has its name only */
    char *summary, *licence;
    char *sha256;     /**< of the file as it came */
    char *preprocess; /**< a name that rv_preprocessing_find() knows */
    bool converted;   /**< `file` was made from what came */
} rv_shelf_item;

/** How many characters of `text`, from the first on, are letters, digits and . _ + -. */
size_t rv_shelf_plain(const char *text);
/** Whether a model can have that name: letters, digits and . _ + - behind one of the first two; nothing that has a
 *  meaning of its own, or ends like a file. */
bool rv_shelf_is_name(const char *name);
/** Folder of a model, or with NULL of all; freed with free(). */
RV_NODISCARD rv_status rv_shelf_folder(char **out, const char *name);
/** @return RV_ERR_NOT_FOUND: there is no such model; RV_ERR_FORMAT: its model.json is damaged. */
RV_NODISCARD rv_status rv_shelf_read(rv_shelf_item *out, const char *name);
/** Makes model.json, which makes the model be there. The file that it had before goes, where that is in its folder. */
RV_NODISCARD rv_status rv_shelf_write(const char *name, const rv_shelf_item *item);
/** Removes graph and names of classes beside a model's file: another model takes its place. */
void rv_shelf_clear(const char *name);
void rv_shelf_release(rv_shelf_item *item);

#endif
