/* Names: of results, of files with weights, and the nearest of several. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_NAMES_H
#define REVERIE_NAMES_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Name of a result: `wanted` as it is; where that is NULL or a folder, "STEM_SUFFIX.EXTENSION" in
 *  the current folder or in that one, STEM being `input` without folder and extension.
 *  @param[out] out   freed with free().
 *  @param suffix     a name or a path, of which the stem is taken; NULL: none.
 *  @param extension  with its dot. */
RV_API RV_NODISCARD rv_status rv_output_name(char **out, const char *wanted, const char *input,
                                             const char *suffix, const char *extension);

/** Fails now where writing `path` would fail later.
 *  @param inputs  files that must not be overwritten, whatever `overwrite` says.
 *  @return RV_ERR_USAGE: it exists and `overwrite` is false, or it is one of the inputs;
 *          RV_ERR_IO: its folder is missing or cannot be written, or it is a folder itself. */
RV_API RV_NODISCARD rv_status rv_output_check(const char *path, const char *const *inputs,
                                              size_t n_inputs, bool overwrite);

/** Splits "FILE:WEIGHT", but only where no file has the full name. Without a weight it is 1.
 *  @param[out] out_path  freed with free().
 *  @return RV_ERR_USAGE where the weight is no number above 0. */
RV_API RV_NODISCARD rv_status rv_path_weight(char **out_path, double *out_weight, const char *text);

/** Index of the name with the smallest edit distance to `wanted`, -1 for n = 0. */
RV_API int rv_nearest(const char *wanted, const char *const *names, size_t n);

#ifdef __cplusplus
}
#endif
#endif
