/* Writing: round trips, metadata, and outputs that are complete or absent. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <libexif/exif-data.h>
#include <libexif/exif-utils.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Noise, or smooth colours. */
static rv_image *picture(int width, int height, int channels, int bits, bool noise)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, width, height, channels, bits), RV_OK);
    const int n = width * height * channels;
    for (int i = 0; i < n; i++) {
        const int at = i / channels;
        const uint32_t mixed = ((uint32_t)i * 2654435761u ^ (uint32_t)(i * 31)) * 40503u;
        const int value = noise ? (int)(mixed >> 16)
                                : 257 * smooth(at % width % 40, at / width % 30, i % channels);
        if (bits == 8) {
            ((uint8_t *)rv_image_pixels(image))[i] = (uint8_t)(value >> 8);
        } else {
            ((uint16_t *)rv_image_pixels(image))[i] = (uint16_t)value;
        }
    }
    return image;
}

static const char *write_image(const rv_image *image, const char *name,
                               const rv_image_write_options *options)
{
    const char *path = rv_test_path(name);
    cr_assert_eq(rv_image_write(image, path, options), RV_OK, "%s", rv_error_message());
    return path;
}

static size_t bytes_of(const rv_image *image)
{
    return (size_t)rv_image_width(image) * (size_t)rv_image_height(image) *
           (size_t)(rv_image_channels(image) * rv_image_bits(image) / 8);
}

Test(write, png_keeps_every_sample)
{
    for (int channels = 3; channels <= 4; channels++) {
        for (int bits = 8; bits <= 16; bits += 8) {
            rv_image *image = picture(37, 23, channels, bits, true);
            rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
            options.overwrite = true;
            rv_image *back = read_image(write_image(image, "a.PNG", &options));
            cr_assert_eq(rv_image_width(back), 37);
            cr_assert_eq(rv_image_height(back), 23);
            cr_assert_eq(rv_image_channels(back), channels);
            cr_assert_eq(rv_image_bits(back), bits);
            cr_assert_eq(memcmp(rv_image_pixels(back), rv_image_pixels(image), bytes_of(image)), 0);
            rv_image_destroy(image);
            rv_image_destroy(back);
        }
    }
}

static int largest_error(const rv_image *a, const rv_image *b)
{
    const uint8_t *p = rv_image_pixels_const(a), *q = rv_image_pixels_const(b);
    int largest = 0;
    for (size_t i = 0; i < bytes_of(a); i++) {
        const int error = abs(p[i] - q[i]);
        largest = error > largest ? error : largest;
    }
    return largest;
}

/* Sampling factors of the first component, from the frame header. */
static int sampling_of(const char *path)
{
    rv_bytes bytes;
    cr_assert_eq(rv_bytes_open(&bytes, path, 0), RV_OK);
    size_t at = 2;
    while ((bytes.data[at + 1] & 0xFC) != 0xC0) {
        at += 2 + (size_t)bytes.data[at + 2] * 256 + bytes.data[at + 3];
    }
    const int sampling = bytes.data[at + 11];
    rv_bytes_close(&bytes);
    return sampling;
}

Test(write, jpeg_quality_and_sampling_do_what_they_say)
{
    rv_image *image = picture(40, 30, 3, 8, false);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    rv_image *back = read_image(write_image(image, "default.jpg", NULL));
    cr_assert_leq(largest_error(image, back), 4);
    cr_assert_eq(sampling_of(rv_test_path("default.jpg")), 0x11);
    rv_image_destroy(back);
    options.quality = 10;
    back = read_image(write_image(image, "low.jpeg", &options));
    cr_assert_gt(largest_error(image, back), 8);
    rv_image_destroy(back);
    options.quality = 95;
    options.subsample = true;
    back = read_image(write_image(image, "subsampled.jpg", &options));
    cr_assert_leq(largest_error(image, back), 10);
    cr_assert_eq(sampling_of(rv_test_path("subsampled.jpg")), 0x22);
    rv_image_destroy(back);
    rv_image_destroy(image);
}

Test(write, the_same_picture_is_the_same_file)
{
    rv_image *image = picture(40, 30, 3, 8, true);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.settings = "size=512";
    rv_test_same_files(write_image(image, "a.jpg", &options),
                       write_image(image, "b.jpg", &options));
    rv_test_same_files(write_image(image, "a.png", &options),
                       write_image(image, "b.png", &options));
    rv_image_destroy(image);
}

static void refuses(const rv_image *image, const char *path, const rv_image_write_options *options,
                    rv_status expected, const char *words)
{
    const rv_status status = rv_image_write(image, path, options);
    cr_assert_eq(status, expected, "%s: %s", rv_status_name(status), rv_error_message());
    cr_assert(strstr(rv_error_message(), words) != NULL, "%s", rv_error_message());
}

Test(write, what_does_not_fit_is_wrong_usage)
{
    rv_image *image = picture(4, 3, 3, 8, true), *alpha = picture(4, 3, 4, 8, true);
    rv_image *wide = picture(65501, 1, 3, 8, true);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    refuses(alpha, rv_test_path("a.jpg"), NULL, RV_ERR_USAGE, "transparency");
    refuses(wide, rv_test_path("a.jpg"), NULL, RV_ERR_USAGE, "65500");
    refuses(image, rv_test_path("a.gif"), NULL, RV_ERR_USAGE, "one of .jpg, .jpeg, .png");
    refuses(image, rv_test_path("jpg"), NULL, RV_ERR_USAGE, "one of .jpg, .jpeg, .png");
    for (int quality = 0; quality <= 101; quality += 101) {
        options.quality = quality;
        refuses(image, rv_test_path("a.jpg"), &options, RV_ERR_USAGE, "quality");
    }
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 0);
    rv_image_destroy(read_image(write_image(wide, "wide.png", NULL)));
    rv_image_destroy(image);
    rv_image_destroy(alpha);
    rv_image_destroy(wide);
}

Test(write, an_existing_file_needs_leave_to_be_replaced)
{
    rv_image *image = picture(4, 3, 3, 8, true);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    const char *path = rv_test_path("a.png");
    rv_test_write(path, "old", 3);
    refuses(image, path, NULL, RV_ERR_USAGE, "exists");
    refuses_image(path, RV_ERR_FORMAT, "text");
    options.overwrite = true;
    rv_image_destroy(read_image(write_image(image, "a.png", &options)));
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 1);
    rv_image_destroy(image);
}

Test(write, missing_and_read_only_folders_are_refused)
{
    rv_image *image = picture(4, 3, 3, 8, true);
    refuses(image, rv_test_path("missing/a.png"), NULL, RV_ERR_IO, "No such file");
    cr_assert_eq(chmod(rv_test_folder(), 0555), 0);
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(65534), 0);
    }
    refuses(image, rv_test_path("a.jpg"), NULL, RV_ERR_IO, "Permission denied");
    if (getuid() == 0) {
        cr_assert_eq(seteuid(0), 0);
    }
    cr_assert_eq(chmod(rv_test_folder(), 0755), 0);
    cr_assert_eq(rv_test_count_files(rv_test_folder()), 0);
    rv_image_destroy(image);
}

Test(write, a_full_disk_leaves_nothing)
{
    rv_image *image = picture(400, 400, 3, 8, true);
    const char *disk = rv_test_small_disk(64 << 10);
    static const char *const names[] = {"a.jpg", "a.png"};
    for (int i = 0; i < 2; i++) {
        char path[2048];
        snprintf(path, sizeof path, "%s/%s", disk, names[i]);
        refuses(image, path, NULL, RV_ERR_IO, "disk full");
        cr_assert(strstr(rv_error_message(), path) != NULL, "%s", rv_error_message());
        cr_assert_eq(rv_test_count_files(disk), 0);
    }
    rv_image_destroy(image);
}

/* ---- Metadata ---- */

static const char xmp[] = "<x:xmpmeta><rdf:Description tiff:Orientation=\"6\" dc:title='t'/>"
                          "<tiff:Orientation>8</tiff:Orientation></x:xmpmeta>";
static const char xmp_upright[] =
    "<x:xmpmeta><rdf:Description tiff:Orientation=\"1\" dc:title='t'/>"
    "<tiff:Orientation>1</tiff:Orientation></x:xmpmeta>";

typedef struct blocks {
    uint8_t exif[EXIF_BYTES];
    size_t exif_size;
} blocks;

static void add_markers(j_compress_ptr c, void *data)
{
    static const char tag[] = "http://ns.adobe.com/xap/1.0/";
    const blocks *b = data;
    uint8_t marker[512];
    memcpy(marker, tag, sizeof tag);
    memcpy(marker + sizeof tag, xmp, sizeof xmp - 1);
    jpeg_write_marker(c, JPEG_COM, (const JOCTET *)"from elsewhere", 14);
    jpeg_write_marker(c, JPEG_APP0 + 1, b->exif, (unsigned)b->exif_size);
    jpeg_write_marker(c, JPEG_APP0 + 1, marker, (unsigned)(sizeof tag + sizeof xmp - 1));
}

static rv_image *tagged(int orientation)
{
    static const uint8_t pixels[6 * 4];
    static blocks b;
    b.exif_size = make_exif(b.exif, false, orientation, false);
    const jpeg_spec spec = {.width = 6,
                            .height = 4,
                            .colours = JCS_GRAYSCALE,
                            .pixels = pixels,
                            .markers = add_markers,
                            .data = &b};
    return read_image(make_jpeg("tagged.jpg", &spec));
}

/* Place of bytes in a file, or NULL. */
static const uint8_t *find(const rv_bytes *bytes, const void *what, size_t n)
{
    for (size_t i = 0; i + n <= bytes->size; i++) {
        if (memcmp(bytes->data + i, what, n) == 0) {
            return bytes->data + i;
        }
    }
    return NULL;
}

static int number(const ExifData *data, ExifIfd ifd, ExifTag tag)
{
    ExifEntry *entry = exif_content_get_entry(data->ifd[ifd], tag);
    cr_assert_not_null(entry);
    const ExifByteOrder order = exif_data_get_byte_order((ExifData *)data);
    return entry->format == EXIF_FORMAT_LONG ? (int)exif_get_long(entry->data, order)
                                             : exif_get_short(entry->data, order);
}

/* What an output of 6 x 4 pixels carries: orientation 1, sRGB, its own size, no thumbnail. */
static void check_metadata(const char *path)
{
    static const uint8_t thumbnail[8] = {0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE};
    rv_bytes bytes;
    cr_assert_eq(rv_bytes_open(&bytes, path, 0), RV_OK);
    const uint8_t *tiff = find(&bytes, "II*\0", 4);
    cr_assert_not_null(tiff);
    uint8_t block[1024] = "Exif\0";
    const size_t n = (size_t)(bytes.data + bytes.size - tiff);
    memcpy(block + 6, tiff, n < 1000 ? n : 1000);
    ExifData *data = exif_data_new_from_data(block, sizeof block);
    cr_assert_eq(number(data, EXIF_IFD_0, EXIF_TAG_ORIENTATION), 1);
    cr_assert_eq(number(data, EXIF_IFD_EXIF, EXIF_TAG_COLOR_SPACE), 1);
    cr_assert_eq(number(data, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_X_DIMENSION), 6);
    cr_assert_eq(number(data, EXIF_IFD_EXIF, EXIF_TAG_PIXEL_Y_DIMENSION), 4);
    const ExifEntry *make = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_MAKE);
    cr_assert_str_eq((const char *)make->data, "Reverie");
    cr_assert_eq(data->size, 0);
    exif_data_unref(data);
    cr_assert_null(find(&bytes, thumbnail, sizeof thumbnail));
    cr_assert_not_null(find(&bytes, xmp_upright, sizeof xmp_upright - 1));
    rv_bytes_close(&bytes);
}

Test(write, exif_and_xmp_are_copied_upright)
{
    rv_image *from = tagged(3), *to = picture(6, 4, 3, 8, true);
    cr_assert_null(rv_image_settings(from), "a comment from elsewhere is not ours");
    cr_assert_eq(rv_image_copy_metadata(to, from), RV_OK);
    rv_image_destroy(from);
    check_metadata(write_image(to, "a.jpg", NULL));
    check_metadata(write_image(to, "a.png", NULL));
    /* And once more from each of those. */
    rv_image *again = read_image(rv_test_path("a.png"));
    check_metadata(write_image(again, "b.jpg", NULL));
    rv_image_destroy(again);
    again = read_image(rv_test_path("a.jpg"));
    check_metadata(write_image(again, "b.png", NULL));
    rv_image_destroy(again);
    rv_image_destroy(to);
}

Test(write, settings_come_back)
{
    static const char text[] = "reverie 0.1.0\nstyle=Sternennächte.jpg size=512";
    static const char *const names[] = {"a.jpg", "a.png"};
    rv_image *image = tagged(1);
    for (int i = 0; i < 2; i++) {
        rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
        options.settings = text;
        rv_image *back = read_image(write_image(image, names[i], &options));
        cr_assert_str_eq(rv_image_settings(back), text);
        /* They are told anew for each output. */
        options.settings = NULL;
        options.overwrite = true;
        rv_image *next = read_image(write_image(back, names[i], &options));
        cr_assert_null(rv_image_settings(next));
        rv_image_destroy(next);
        rv_image_destroy(back);
    }
    rv_image_destroy(image);
}

/* Before the samples or behind them, in files of megabytes. */
Test(write, settings_are_found_without_decoding)
{
    static const char *const names[] = {"a.jpg", "a.png", "a.tif", "a.webp"};
    enum { WIDE = 1600, HIGH = 1000 };
    rv_image *image;
    uint32_t state = 1;
    int looked = 0;
    cr_assert_eq(rv_image_create(&image, WIDE, HIGH, 3, 8), RV_OK);
    uint8_t *pixels = rv_image_pixels(image);
    for (int i = 0; i < 3 * WIDE * HIGH; i++) {
        state = 1664525 * state + 1013904223;
        pixels[i] = (uint8_t)(state >> 24);
    }
    for (int i = 0; i < 4; i++) {
        rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
        const char *path = rv_test_path(names[i]);
        if (!rv_image_has_name(path)) {
            continue; /* built without it */
        }
        options.quality = 100;
        cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
        cr_assert(!rv_image_has_settings(path, "reverie=0"), "%s", path);
        options.settings = "reverie=0.1 size=512";
        options.overwrite = true;
        cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
        cr_assert(rv_image_has_settings(path, "reverie=0"), "%s", path);
        cr_assert(!rv_image_has_settings(path, "reverie=1"), "%s", path);
        looked++;
    }
    cr_assert_geq(looked, 2);
    cr_assert(!rv_image_has_settings(rv_test_path("none.png"), "reverie="));
    rv_image_destroy(image);
}

Test(write, strip_leaves_all_out)
{
    rv_image *image = tagged(1), *bare = picture(6, 4, 3, 8, true);
    memset(rv_image_pixels(bare), 0, bytes_of(bare));
    cr_assert_eq(memcmp(rv_image_pixels(bare), rv_image_pixels(image), bytes_of(bare)), 0);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.strip = true;
    options.settings = "secret";
    rv_test_same_files(write_image(image, "a.jpg", &options), write_image(bare, "b.jpg", NULL));
    rv_test_same_files(write_image(image, "a.png", &options), write_image(bare, "b.png", NULL));
    rv_image_destroy(image);
    rv_image_destroy(bare);
}
