/* Fuzz target: any bytes as a picture, cut ones kept, and their metadata made fit for an output. */
/* SPDX-License-Identifier: MIT */
#include "image/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_fit(rv_image *image)
{
    rv_blob exif = {0}, xmp = {0};
    if (rv_exif_for_output(&exif, &image->exif, image->width, image->height, true) == RV_OK &&
        rv_xmp_for_output(&xmp, &image->xmp) == RV_OK) {
        rv_blob_release(&exif);
        rv_blob_release(&xmp);
    }
    rv_image_destroy(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.max_pixels = 1 << 20;
    for (int cut = 0; cut < 2; cut++) {
        options.allow_truncated = cut;
        rv_image *image;
        if (rv_image_decode(&image, data, size, "fuzz", &options) == RV_OK) {
            make_fit(image);
        }
    }
    return 0;
}
