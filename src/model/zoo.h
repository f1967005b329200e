/* What fetching and adding models share: storing a file that is there under a short name. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_ZOO_H
#define RV_MODEL_ZOO_H

#include "base/sha256.h"
#include "model/shelf.h"
#include <reverie/zoo.h>

/** SHA-256 of a file, with progress named `task`. RV_ERR_CANCELLED. */
RV_NODISCARD rv_status rv_zoo_hash(char out[RV_SHA256_TEXT], const char *path, const char *task,
                                   const rv_events *events);

/** A file that is to become a model. */
typedef struct rv_stored {
    const char *name;
    rv_shelf_item *item; /**< its `file` is there; that changes where it is converted */
    const rv_preprocessing *preprocessing; /**< NULL: its own, or item->preprocess */
    const char *graph;                     /**< as in rv_model_options */
    const char *until;      /**< last layer of its features; NULL: the last before the classifier */
    const char *provenance; /**< for the file that converting makes */
} rv_stored;

/** Notes the model, so that it is there; then converts it where that is asked for. */
RV_NODISCARD rv_status rv_zoo_store(const rv_stored *stored, const rv_model_save_options *convert,
                                    const rv_events *events);

#endif
