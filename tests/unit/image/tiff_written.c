/* TIFF that is written: libtiff reads the same samples, and what the photo told goes along. */
/* SPDX-License-Identifier: MIT */
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <libexif/exif-data.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum { WIDTH = 37, HEIGHT = 29 };

static rv_image *picture(int channels, int bits)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, WIDTH, HEIGHT, channels, bits), RV_OK);
    for (int i = 0; i < WIDTH * HEIGHT * channels; i++) {
        const uint32_t v = 40503u * (uint32_t)i; /* all sorts of values */
        if (bits == 8) {
            ((uint8_t *)rv_image_pixels(image))[i] = (uint8_t)v;
        } else {
            ((uint16_t *)rv_image_pixels(image))[i] = (uint16_t)v;
        }
    }
    return image;
}

/* Every sample as libtiff reads it; it must have nothing to complain of. */
static void check_by_libtiff(const char *path, const rv_image *image)
{
    const size_t row = (size_t)(WIDTH * rv_image_channels(image) * rv_image_bits(image) / 8);
    uint8_t line[WIDTH * 8];
    uint32_t width = 0, height = 0;
    uint16_t samples = 0, bits = 0;
    TIFF *t = TIFFOpen(path, "r");
    cr_assert_not_null(t);
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetField(t, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetField(t, TIFFTAG_BITSPERSAMPLE, &bits);
    cr_assert_eq(width, WIDTH);
    cr_assert_eq(height, HEIGHT);
    cr_assert_eq(samples, rv_image_channels(image));
    cr_assert_eq(bits, rv_image_bits(image));
    for (uint32_t y = 0; y < HEIGHT; y++) {
        cr_assert_eq(TIFFReadScanline(t, line, y, 0), 1);
        cr_assert_eq(memcmp(line, (const uint8_t *)rv_image_pixels_const(image) + y * row, row), 0);
    }
    TIFFClose(t);
}

Test(tiff, what_is_written_libtiff_reads)
{
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    options.overwrite = true;
    for (int channels = 3; channels <= 4; channels++) {
        for (int bits = 8; bits <= 16; bits += 8) {
            rv_image *image = picture(channels, bits);
            const char *path = rv_test_path("out.tiff");
            cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
            check_by_libtiff(path, image);
            rv_image *back = read_image(path);
            cr_assert_eq(memcmp(rv_image_pixels(back), rv_image_pixels(image),
                                (size_t)(WIDTH * HEIGHT * channels * bits / 8)),
                         0);
            rv_image_destroy(back);
            rv_image_destroy(image);
        }
    }
}

typedef struct block {
    uint8_t bytes[EXIF_BYTES];
    size_t n;
} block;

static void add_exif(j_compress_ptr c, void *data)
{
    const block *b = data;
    jpeg_write_marker(c, JPEG_APP0 + 1, b->bytes, (unsigned)b->n);
}

/* EXIF of either byte order becomes fields of the TIFF, which libtiff finds, and EXIF again. */
Test(tiff, exif_is_part_of_the_file)
{
    static const uint8_t grey[7 * 9];
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        block b;
        b.n = make_exif(b.bytes, big_endian, 1, false);
        const jpeg_spec spec = {.width = 7,
                                .height = 9,
                                .colours = JCS_GRAYSCALE,
                                .pixels = grey,
                                .markers = add_exif,
                                .data = &b};
        rv_image *from = read_image(make_jpeg("a.jpg", &spec)), *image = picture(3, 16);
        cr_assert_eq(rv_image_copy_metadata(image, from), RV_OK);
        rv_image_destroy(from);
        rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
        options.overwrite = true;
        options.settings = "size=512";
        const char *path = rv_test_path("out.tif");
        cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
        check_by_libtiff(path, image);
        TIFF *t = TIFFOpen(path, "r");
        char *make = NULL, *software = NULL;
        uint64_t exif = 0;
        uint32_t width = 0;
        cr_assert_eq(TIFFGetField(t, TIFFTAG_MAKE, &make), 1);
        cr_assert_str_eq(make, "Reverie");
        cr_assert_eq(TIFFGetField(t, TIFFTAG_SOFTWARE, &software), 1);
        cr_assert_str_eq(software, "reverie: size=512");
        cr_assert_eq(TIFFGetField(t, TIFFTAG_EXIFIFD, &exif), 1);
        cr_assert_eq(TIFFReadEXIFDirectory(t, exif), 1);
        cr_assert_eq(TIFFGetField(t, EXIFTAG_PIXELXDIMENSION, &width), 1);
        cr_assert_eq(width, WIDTH);
        TIFFClose(t);
        rv_image *back = read_image(path);
        cr_assert_str_eq(rv_image_settings(back), "size=512");
        const char *next = rv_test_path("next.jpg");
        rv_image *small = NULL; /* the EXIF of the TIFF in a JPEG, as libexif finds it */
        cr_assert_eq(rv_image_create(&small, 6, 4, 3, 8), RV_OK);
        cr_assert_eq(rv_image_copy_metadata(small, back), RV_OK);
        cr_assert_eq(rv_image_write(small, next, &options), RV_OK, "%s", rv_error_message());
        ExifData *data = exif_data_new_from_file(next);
        const ExifEntry *e = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_MAKE);
        cr_assert_not_null(e);
        cr_assert_str_eq((const char *)e->data, "Reverie");
        cr_assert_not_null(
            exif_content_get_entry(data->ifd[EXIF_IFD_EXIF], EXIF_TAG_PIXEL_X_DIMENSION));
        exif_data_unref(data);
        rv_image_destroy(small);
        rv_image_destroy(back);
        rv_image_destroy(image);
    }
}
