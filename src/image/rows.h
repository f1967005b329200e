/* Rows of a picture as a file takes them: in the colours of its profile, and dithered where it has 8 bits only. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_ROWS_H
#define RV_IMAGE_ROWS_H

#include "image/internal.h"

/** @param bits  8 or 16, at most those of the picture
 *  @param icc   profile that the samples shall be in; empty: sRGB, as they are
 *  @return RV_ERR_UNSUPPORTED where no colours can be turned into those of the profile */
RV_NODISCARD rv_status rv_rows_create(rv_rows **out, const rv_image *image, int bits,
                                      const rv_blob *icc);
void rv_rows_destroy(rv_rows *rows);
/** Row y, channels of the picture; borrowed until the next call. */
const void *rv_rows_get(rv_rows *rows, int y);

#endif
