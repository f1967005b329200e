/* Pictures on the host: the struct, reading and writing by format, limits. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_MAX_PIXELS UINT64_C(200000000)

rv_status rv_blob_set(rv_blob *blob, const void *data, size_t size, const char *what)
{
    uint8_t *copy;
    size_t bytes;
    if (!rv_size_add(&bytes, size, 1)) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory for %s", what);
    }
    RV_TRY(rv_alloc(&copy, bytes, 1, what));
    if (size > 0) {
        memcpy(copy, data, size);
    }
    free(blob->data);
    *blob = (rv_blob){.data = copy, .size = size};
    return RV_OK;
}

void rv_blob_release(rv_blob *blob)
{
    free(blob->data);
    *blob = (rv_blob){0};
}

rv_status rv_image_create(rv_image **out, int width, int height, int channels, int bits)
{
    *out = NULL;
    if (width < 1 || height < 1 || (channels != 3 && channels != 4) || (bits != 8 && bits != 16)) {
        return rv_fail(RV_ERR_USAGE,
                       "a picture of %d x %d pixels, %d channels and %d bits is not possible",
                       width, height, channels, bits);
    }
    size_t pixels, bytes;
    if (!rv_size_mul(&pixels, (size_t)width, (size_t)height) ||
        !rv_size_mul(&bytes, pixels, (size_t)(channels * bits / 8))) {
        return rv_fail(RV_ERR_MEMORY, "a picture of %d x %d pixels is too large", width, height);
    }
    rv_image *image;
    RV_TRY(rv_alloc(&image, 1, sizeof *image, "a picture"));
    *image = (rv_image){.width = width, .height = height, .channels = channels, .bits = bits};
    const rv_status status = rv_alloc(&image->pixels, bytes, 1, "the pixels of a picture");
    if (status != RV_OK) {
        rv_image_destroy(image);
        return status;
    }
    *out = image;
    return RV_OK;
}

void rv_image_destroy(rv_image *image)
{
    if (image != NULL) {
        free(image->pixels);
        rv_blob_release(&image->exif);
        rv_blob_release(&image->xmp);
        free(image->settings);
        free(image);
    }
}

int rv_image_width(const rv_image *image)
{
    return image->width;
}

int rv_image_height(const rv_image *image)
{
    return image->height;
}

int rv_image_channels(const rv_image *image)
{
    return image->channels;
}

int rv_image_bits(const rv_image *image)
{
    return image->bits;
}

void *rv_image_pixels(rv_image *image)
{
    return image->pixels;
}

const void *rv_image_pixels_const(const rv_image *image)
{
    return image->pixels;
}

const char *rv_image_settings(const rv_image *image)
{
    return image->settings;
}

static rv_status copy_blob(rv_blob *out, const rv_blob *blob, const char *what)
{
    return blob->data != NULL ? rv_blob_set(out, blob->data, blob->size, what) : RV_OK;
}

rv_status rv_image_copy_metadata(rv_image *to, const rv_image *from)
{
    rv_blob exif = {0}, xmp = {0};
    rv_status status = copy_blob(&exif, &from->exif, "EXIF");
    if (status == RV_OK) {
        status = copy_blob(&xmp, &from->xmp, "XMP");
    }
    if (status != RV_OK) {
        rv_blob_release(&exif);
        return status;
    }
    rv_blob_release(&to->exif);
    rv_blob_release(&to->xmp);
    to->exif = exif;
    to->xmp = xmp;
    return RV_OK;
}

rv_status rv_image_check_size(const rv_image_source *source, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0) {
        return rv_fail(RV_ERR_FORMAT, "%s: the picture is empty: %" PRIu64 " x %" PRIu64 " pixels",
                       source->name, width, height);
    }
    if (width > INT32_MAX || height > INT32_MAX || height > source->max_pixels / width) {
        return rv_fail(RV_ERR_MEMORY,
                       "%s: a picture of %" PRIu64 " x %" PRIu64
                       " pixels is beyond the limit of %" PRIu64
                       " pixels; raise --max-pixels to read it",
                       source->name, width, height, source->max_pixels);
    }
    return RV_OK;
}

rv_status rv_image_decode(rv_image **out, const uint8_t *data, size_t size, const char *name,
                          const rv_image_read_options *options)
{
    *out = NULL;
    /* Of an older or newer caller's struct, the part that both know. */
    rv_image_read_options o = RV_IMAGE_READ_OPTIONS_INIT;
    if (options != NULL) {
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    const rv_image_source source = {
        .data = data,
        .size = size,
        .name = name,
        .max_pixels = o.max_pixels != 0 ? o.max_pixels : DEFAULT_MAX_PIXELS,
        .allow_truncated = o.allow_truncated,
        .no_autorotate = o.no_autorotate,
        .events = o.events,
    };
    rv_image *image = NULL;
    if (rv_jpeg_recognise(&source)) {
        RV_TRY(rv_jpeg_decode(&image, &source));
    } else if (rv_png_recognise(&source)) {
        RV_TRY(rv_png_decode(&image, &source));
    } else {
        return rv_image_refuse(&source);
    }
    const int orientation = rv_exif_orientation(&image->exif, &source);
    const rv_status status = o.no_autorotate ? RV_OK : rv_image_orient(image, orientation);
    if (status != RV_OK) {
        rv_image_destroy(image);
        return status;
    }
    *out = image;
    return RV_OK;
}

rv_status rv_image_read(rv_image **out, const char *path, const rv_image_read_options *options)
{
    *out = NULL;
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, path, 0));
    const rv_status status = rv_image_decode(out, bytes.data, bytes.size, path, options);
    rv_bytes_close(&bytes);
    return status;
}

static bool ends_with(const char *path, const char *extension)
{
    return strcasecmp(rv_path_extension(path), extension) == 0;
}

static rv_status check_output(const rv_image *image, const char *path, bool *out_jpeg,
                              const rv_image_write_options *options)
{
    *out_jpeg = ends_with(path, ".jpg") || ends_with(path, ".jpeg");
    if (!*out_jpeg && !ends_with(path, ".png")) {
        return rv_fail(RV_ERR_USAGE, "cannot write %s: the name must end in .jpg, .jpeg or .png",
                       path);
    }
    if (*out_jpeg && (image->bits != 8 || image->channels != 3)) {
        return rv_fail(RV_ERR_USAGE, "cannot write %s: JPEG holds no %s; write a .png instead",
                       path, image->bits != 8 ? "16 bits" : "transparency");
    }
    if (options->quality < 1 || options->quality > 100) {
        return rv_fail(RV_ERR_USAGE, "a JPEG quality of %d is outside 1 to 100", options->quality);
    }
    return RV_OK;
}

static rv_status gather(rv_image_metadata *out, const rv_image *image,
                        const rv_image_write_options *options)
{
    if (options->strip) {
        return RV_OK;
    }
    out->settings = options->settings;
    RV_TRY(rv_exif_for_output(&out->exif, &image->exif, image->width, image->height));
    return rv_xmp_for_output(&out->xmp, &image->xmp);
}

rv_status rv_image_write(const rv_image *image, const char *path,
                         const rv_image_write_options *options)
{
    rv_image_write_options o = RV_IMAGE_WRITE_OPTIONS_INIT;
    if (options != NULL) {
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    bool jpeg;
    RV_TRY(check_output(image, path, &jpeg, &o));
    rv_image_metadata metadata = {0};
    rv_output *output = NULL;
    rv_status status = gather(&metadata, image, &o);
    if (status == RV_OK) {
        status = rv_output_open(&output, path, o.overwrite);
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    if (o.unsynced) {
        rv_output_leave_unsynced(output);
    }
    FILE *file = rv_output_stream(output);
    status = jpeg ? rv_jpeg_encode(file, path, image, &metadata, &o)
                  : rv_png_encode(file, path, image, &metadata);
    /* Of a stream that failed, commit knows the reason, and removes the file. */
    if (status == RV_OK || ferror(file)) {
        status = rv_output_commit(output);
        output = NULL;
    }
cleanup:
    rv_output_discard(output);
    rv_blob_release(&metadata.exif);
    rv_blob_release(&metadata.xmp);
    return status;
}
