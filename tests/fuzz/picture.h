/* What the fuzz targets of picture formats share: decode, keep what is cut, and write what came out. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_FUZZ_PICTURE_H
#define RV_FUZZ_PICTURE_H

#include "image/internal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void make_fit(rv_image *image)
{
    rv_blob exif = {0}, xmp = {0};
    if (rv_exif_for_output(&exif, &image->exif, image->width, image->height, true) == RV_OK &&
        rv_xmp_for_output(&xmp, &image->xmp) == RV_OK) {
        rv_blob_release(&xmp);
    }
    rv_blob_release(&exif);
    rv_image_destroy(image);
}

/** @param format  NULL: any content */
static inline int fuzz_picture(const char *format, const uint8_t *data, size_t size)
{
    const rv_image_source source = {.data = data, .size = size, .name = "fuzz"};
    const rv_image_format *found = rv_format_of_content(&source);
    if (format != NULL && (found == NULL || strcmp(found->name, format) != 0)) {
        return 0; /* the target of another format */
    }
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.max_pixels = 1 << 18;
    for (int cut = 0; cut < 2; cut++) {
        options.allow_truncated = cut;
        rv_image *image;
        if (rv_image_decode(&image, data, size, "fuzz", &options) == RV_OK) {
            make_fit(image);
        }
    }
    return 0;
}

#endif
