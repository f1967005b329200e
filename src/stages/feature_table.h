/* A table of features: what its rows, its files and its marks share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_FEATURE_TABLE_H
#define RV_STAGES_FEATURE_TABLE_H

#include "base/file.h"
#include "base/text.h"

#include <reverie/features.h>

typedef enum rv_feature_format {
    RV_FEATURE_NPY,
    RV_FEATURE_NPZ,
    RV_FEATURE_CSV,
    RV_FEATURE_SAFETENSORS,
    RV_FEATURE_FORMATS
} rv_feature_format;

/** The values of one layer. */
typedef struct rv_feature_part {
    size_t layer;
    char *name;
    int rank;      /**< 0 before the first row */
    size_t dim[4]; /**< dim[0]: rows so far */
    size_t values; /**< of a row */
    uint32_t crc;  /**< of all rows, where the format has it */
    rv_output *
        held; /**< where they wait until those of the layers before are complete; NULL for the first */
} rv_feature_part;

struct rv_feature_table {
    char *path;
    rv_feature_format format;
    rv_feature_pool pool;
    bool overwrite, resumable;
    rv_feature_part *parts;
    size_t n_parts;
    rv_output *output, *names; /**< NULL: none */
    bool names_done;           /**< the file of names has its name already: no row can be added */
    size_t reserved; /**< bytes before the first value, which are written again at the end */
    float *pooled;   /**< a row */
};

/** feature_file.c: writes what stands before the first value: of the length that it has at the end, for as many rows as
 *  there may ever be, or that again for the rows that there are. */
RV_NODISCARD rv_status rv_feature_write_header(rv_feature_table *t, bool last);
/** feature_file.c: the length of what the first of these writes. */
RV_NODISCARD rv_status rv_feature_reserve(rv_feature_table *t);
/** feature_file.c: puts what waits in its place, and what ends the file behind it. */
RV_NODISCARD rv_status rv_feature_complete(rv_feature_table *t);
/** Says that a file of the table cannot be written. @return RV_ERR_IO */
rv_status rv_feature_fail_write(const rv_feature_table *t);

/** feature_mark.c: opens the files of a table, new or as a mark tells. */
RV_NODISCARD rv_status rv_feature_open_files(rv_feature_table *t, const char *names,
                                             const char *mark);
/** What a row of each part needs, its shape being known. */
RV_NODISCARD rv_status rv_feature_set_values(rv_feature_table *t);

#endif
