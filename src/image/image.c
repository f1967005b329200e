/* Pictures on the host: the struct, reading and writing by format, limits. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
        rv_blob_release(&image->xmp_more);
        rv_blob_release(&image->icc);
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

rv_status rv_image_copy_metadata(rv_image *to, const rv_image *from)
{
    enum { BLOBS = 4 };
    const rv_blob *const of[BLOBS] = {&from->exif, &from->xmp, &from->xmp_more, &from->icc};
    rv_blob *const into[BLOBS] = {&to->exif, &to->xmp, &to->xmp_more, &to->icc};
    rv_blob copies[BLOBS] = {{0}};
    rv_status status = RV_OK;
    for (int i = 0; i < BLOBS && status == RV_OK; i++) {
        if (of[i]->data != NULL) {
            status = rv_blob_set(&copies[i], of[i]->data, of[i]->size, "metadata");
        }
    }
    for (int i = 0; i < BLOBS; i++) {
        if (status == RV_OK) {
            rv_blob_release(into[i]);
            *into[i] = copies[i];
        } else {
            rv_blob_release(&copies[i]);
        }
    }
    return status;
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

static rv_status decode(rv_image **out, const uint8_t *data, size_t size, const char *name,
                        const rv_image_read_options *options, bool look)
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
        .look = look,
        .events = look ? NULL : o.events,
    };
    rv_image *image = NULL;
    const rv_image_format *format = rv_format_of_content(&source);
    if (format == NULL) {
        return rv_image_refuse(&source);
    }
    RV_TRY(format->decode(&image, &source));
    const int orientation = rv_exif_orientation(&image->exif, &source);
    const rv_status status = o.no_autorotate ? RV_OK : rv_image_orient(image, orientation);
    if (status != RV_OK) {
        rv_image_destroy(image);
        return status;
    }
    *out = image;
    return RV_OK;
}

rv_status rv_image_decode(rv_image **out, const uint8_t *data, size_t size, const char *name,
                          const rv_image_read_options *options)
{
    return decode(out, data, size, name, options, false);
}

static rv_status read_file(rv_image **out, const char *path, const rv_image_read_options *options,
                           bool look)
{
    *out = NULL;
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, path, 0));
    const rv_status status = decode(out, bytes.data, bytes.size, path, options, look);
    rv_bytes_close(&bytes);
    return status;
}

rv_status rv_image_read(rv_image **out, const char *path, const rv_image_read_options *options)
{
    return read_file(out, path, options, false);
}

rv_status rv_image_look(int *channels, int *bits, const char *path,
                        const rv_image_read_options *options)
{
    rv_image *image;
    const rv_status status = read_file(&image, path, options, true);
    if (image != NULL) {
        *channels = image->channels;
        *bits = image->bits;
    }
    rv_image_destroy(image);
    return status;
}

/* Whether the output has the colours of the photo's profile. */
static bool keeps_colours(const rv_image *image, const rv_image_write_options *options)
{
    return options->keep_icc && image->icc.data != NULL;
}

static rv_status make_rows(rv_rows **out, const rv_image *image, const rv_image_format *format,
                           const rv_image_write_options *options)
{
    static const rv_blob none = {0};
    const int bits = image->bits < format->bits ? image->bits : format->bits;
    return rv_rows_create(out, image, bits, keeps_colours(image, options) ? &image->icc : &none);
}

static rv_image_write_options known_options(const rv_image_write_options *options)
{
    rv_image_write_options o = RV_IMAGE_WRITE_OPTIONS_INIT;
    if (options != NULL) {
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    return o;
}

/* All that can be wrong before anything is written. */
static rv_status prepare(const rv_image_format **format, rv_rows **rows, const rv_image *image,
                         const char *path, const rv_image_write_options *options)
{
    RV_TRY(rv_format_of_name(format, path));
    RV_TRY(rv_format_check(*format, image, path));
    if (options->quality < 1 || options->quality > 100) {
        return rv_fail(RV_ERR_USAGE, "a quality of %d is outside 1 to 100", options->quality);
    }
    const rv_status status = make_rows(rows, image, *format, options);
    return status == RV_OK ? RV_OK : rv_fail_context(status, "cannot write %s", path);
}

rv_status rv_image_check_write(const rv_image *image, const char *path,
                               const rv_image_write_options *options)
{
    const rv_image_write_options o = known_options(options);
    const rv_image_format *format;
    rv_rows *rows = NULL;
    const rv_status status = prepare(&format, &rows, image, path, &o);
    rv_rows_destroy(rows);
    return status;
}

static rv_status gather(rv_image_metadata *out, const rv_image *image,
                        const rv_image_write_options *options)
{
    const bool srgb = !keeps_colours(image, options);
    if (!srgb) {
        out->icc =
            image->icc; /* without which the samples would mean other colours: never stripped */
    }
    if (options->strip) {
        return RV_OK;
    }
    out->settings = options->settings;
    out->xmp_more = image->xmp_more;
    RV_TRY(rv_exif_for_output(&out->exif, &image->exif, image->width, image->height, srgb));
    return rv_xmp_for_output(&out->xmp, &image->xmp);
}

static rv_status write_file(const rv_image_format *format, rv_image_output *to, bool unsynced)
{
    rv_output *output;
    RV_TRY(rv_output_open(&output, to->path, to->options->overwrite));
    if (unsynced) {
        rv_output_leave_unsynced(output);
    }
    to->file = rv_output_stream(output);
    const rv_status status = format->encode(to);
    /* Of a stream that failed, commit knows the reason, and removes the file. */
    if (status == RV_OK || ferror(to->file)) {
        return rv_output_commit(output);
    }
    rv_output_discard(output);
    return status;
}

rv_status rv_image_write(const rv_image *image, const char *path,
                         const rv_image_write_options *options)
{
    const rv_image_write_options o = known_options(options);
    const rv_image_format *format;
    rv_image_metadata metadata = {0};
    rv_rows *rows = NULL;
    rv_status status = prepare(&format, &rows, image, path, &o);
    if (status == RV_OK) {
        status = gather(&metadata, image, &o);
    }
    if (status == RV_OK) {
        rv_image_output to = {.path = path,
                              .image = image,
                              .bits = image->bits < format->bits ? image->bits : format->bits,
                              .rows = rows,
                              .metadata = &metadata,
                              .options = &o};
        status = write_file(format, &to, o.unsynced);
    }
    rv_rows_destroy(rows);
    rv_blob_release(&metadata.exif);
    rv_blob_release(&metadata.xmp);
    return status;
}
