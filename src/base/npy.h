/* NumPy .npy files, format 1.0 and 2.0: float32 little endian, C order. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_NPY_H
#define RV_BASE_NPY_H

#include "base/text.h"

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RV_NPY_MAX_RANK = 8 };

/** Reads float32, float64 (rounded) and uint8 arrays; Fortran order, big endian and object arrays are
 *  RV_ERR_UNSUPPORTED. *out is freed with free(). */
RV_NODISCARD rv_status rv_npy_read(float **out, int *out_rank, size_t out_dim[RV_NPY_MAX_RANK],
                                   const char *path);
/** The same of a file that lies in memory; `path` is for messages. */
RV_NODISCARD rv_status rv_npy_parse(float **out, int *out_rank, size_t out_dim[RV_NPY_MAX_RANK],
                                    const uint8_t *bytes, size_t n, const char *path);
RV_NODISCARD rv_status rv_npy_write(const char *path, const float *data, int rank,
                                    const size_t *dim, bool overwrite);
/** Appends what stands before the elements, padded to `length` bytes where it is shorter: room for a count that grows.
 *  A multiple of 64 bytes is kept so. */
void rv_npy_header(rv_text *text, int rank, const size_t *dim, size_t length);

#endif
