/* Reads what `extract` wrote: a row of values for each file, and the names of the files. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_FEATURE_ROWS_H
#define RV_STAGES_FEATURE_ROWS_H

#include <reverie/status.h>
#include <stddef.h>

/** A file of one layer or several. */
typedef struct rv_feature_rows_file rv_feature_rows_file;

/** Opens a .npy, .npz or .safetensors file, with FILE.files.csv beside it, or a .csv file.
 *  @return RV_ERR_NOT_FOUND: no such file, or none with the names; RV_ERR_FORMAT: damaged, with the line where there is
 *          one; RV_ERR_UNSUPPORTED: of another kind */
RV_NODISCARD rv_status rv_feature_rows_open(rv_feature_rows_file **out, const char *path);
void rv_feature_rows_close(rv_feature_rows_file *file);

size_t rv_feature_rows_count(const rv_feature_rows_file *file);
/** Of the files that rows come from, as `extract` was given them; borrowed. */
const char *const *rv_feature_rows_names(const rv_feature_rows_file *file);
/** Layers; of .npy and .csv files one, whose name is not known: "". */
size_t rv_feature_rows_layers(const rv_feature_rows_file *file);
const char *rv_feature_rows_layer(const rv_feature_rows_file *file, size_t layer); /**< borrowed */
/** Reads the rows of a layer. @param[out] out     [rows,values], freed with free() @param[out] values  of a row */
RV_NODISCARD rv_status rv_feature_rows_read(const rv_feature_rows_file *file, size_t layer,
                                            float **out, size_t *values);

#endif
