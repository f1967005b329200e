/* Models by short names: fetched with a pinned hash, or added from files that the user has. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_ZOO_H
#define REVERIE_ZOO_H

#include <reverie/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each model lies in a folder of its name in XDG_DATA_HOME/reverie/models, else ~/.local/share/reverie/models, with a
 * model.json that says where its file is, how pictures are prepared for it, and its licence. rv_model_open() takes the
 * name. */

/** A model that can be fetched, or lies there. */
typedef struct rv_zoo_entry {
    char *name;
    char *summary;  /**< one line: what it is */
    char *licence;  /**< of its weights; NULL: unknown */
    char *path;     /**< its file; NULL: it is not there */
    uint64_t bytes; /**< of that file, else of the one that would be fetched */
    bool added;     /**< by the user: it cannot be fetched */
} rv_zoo_entry;

/** All models that can be fetched, then those that the user added, by name; freed with rv_zoo_list_free(). A folder
 *  that cannot be read counts as empty. */
RV_API RV_NODISCARD rv_status rv_zoo_list(rv_zoo_entry **out, size_t *n);
RV_API void rv_zoo_list_free(rv_zoo_entry *entries, size_t n);

/** Path of the file of a model that was fetched or added; freed with free().
 *  @return RV_ERR_NOT_FOUND: it is not there. */
RV_API RV_NODISCARD rv_status rv_zoo_find(char **out, const char *name);

typedef struct rv_fetch_options {
    size_t struct_size;
    /** file that lists more models, a line for each: name, SHA-256 in hexadecimal, bytes, and URLs that are tried
     *  in turn, with tabs between; lines that begin with # say nothing. NULL: none */
    const char *pins;
    /** writes the model as Reverie's own format in place of the file that was fetched; NULL: keep that */
    const rv_model_save_options *convert;
    bool overwrite; /**< fetch it again where it is there already; default false: done */
    const rv_events *events;
} rv_fetch_options;
#define RV_FETCH_OPTIONS_INIT                             \
    {                                                     \
        sizeof(rv_fetch_options), NULL, NULL, false, NULL \
    }

/** Downloads a model, goes on where an earlier call was cut off or cancelled, and holds it to its size and SHA-256
 *  before it gets its name. With `features`, VGG networks end behind relu5_1, the last layer that style transfer looks
 *  at, unless `until` says otherwise.
 *  @param[out] out  path of the model's file; freed with free(); NULL: not wanted.
 *  @param options  NULL for defaults.
 *  @return RV_ERR_NOT_FOUND: no such name, or no server has the file; RV_ERR_IO: no network, cut off, disk full;
 *          RV_ERR_FORMAT: another hash, nothing is kept, or a line of `pins` that is none; RV_ERR_USAGE: a model of
 *          that name was added; RV_ERR_UNSUPPORTED: built without libcurl; RV_ERR_CANCELLED. */
RV_API RV_NODISCARD rv_status rv_zoo_fetch(char **out, const char *name,
                                           const rv_fetch_options *options);

typedef struct rv_add_options {
    size_t struct_size;
    /** NULL: that of the model whose pinned hash the file has, else the file's own */
    const char *name;
    const char *graph;                    /**< as in rv_model_options */
    const char *preprocess;               /**< likewise */
    const rv_model_save_options *convert; /**< as in rv_fetch_options */
    bool link;      /**< note where the file is instead of copying it; default false */
    bool overwrite; /**< replace a model of that name; default false */
    const rv_events *events;
} rv_add_options;
#define RV_ADD_OPTIONS_INIT                                                \
    {                                                                      \
        sizeof(rv_add_options), NULL, NULL, NULL, NULL, false, false, NULL \
    }

/** Gives a file that is there already a short name: opens it, which checks all its weights, and copies it, with the
 *  prototxt and the names of classes that belong to it. What it is shows in its content, whatever its name.
 *  @param[out] out  the name that it got; freed with free(); NULL: not wanted.
 *  @param options  NULL for defaults.
 *  @return RV_ERR_USAGE: the name is taken, or none; RV_ERR_UNSUPPORTED: no model; RV_ERR_FORMAT: named as a model that
 *          can be fetched, but with another hash; else as rv_model_open(). */
RV_API RV_NODISCARD rv_status rv_zoo_add(char **out, const char *path,
                                         const rv_add_options *options);

#ifdef __cplusplus
}
#endif
#endif
