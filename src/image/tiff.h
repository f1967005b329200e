/* What reading and writing TIFF share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_TIFF_H
#define RV_IMAGE_TIFF_H

#include "image/internal.h"

/** What the software field begins with where the rest is our settings. */
#define RV_TIFF_SETTINGS "reverie: "

RV_NODISCARD rv_status rv_tiff_encode(const rv_image_output *to);

#endif
