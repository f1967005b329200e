/* EXIF orientation: the same upright picture from each of eight files, and blocks that are not worth reading. */
/* SPDX-License-Identifier: MIT */
#include "image/internal.h"
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <string.h>

enum { WIDTH = 48, HEIGHT = 32, BLOCK = 8 }; /* upright */

/* Upright picture of flat blocks, which JPEG keeps alike wherever they lie. */
static int upright(int x, int y, int c)
{
    return (x / BLOCK * 40 + y / BLOCK * 23 + c * 71) % 256;
}

/* Where EXIF 2.3 says that a stored pixel (x, y) of a w x h file belongs. */
static void place(int *out_x, int *out_y, int orientation, int x, int y, int w, int h)
{
    switch (orientation) {
    case 1:
        *out_x = x, *out_y = y;
        break;
    case 2:
        *out_x = w - 1 - x, *out_y = y;
        break; /* row 0 top, column 0 right */
    case 3:
        *out_x = w - 1 - x, *out_y = h - 1 - y;
        break; /* bottom, right */
    case 4:
        *out_x = x, *out_y = h - 1 - y;
        break; /* bottom, left */
    case 5:
        *out_x = y, *out_y = x;
        break; /* row 0 left, column 0 top */
    case 6:
        *out_x = h - 1 - y, *out_y = x;
        break; /* row 0 right, column 0 top */
    case 7:
        *out_x = h - 1 - y, *out_y = w - 1 - x;
        break; /* right, bottom */
    default:
        *out_x = y, *out_y = w - 1 - x; /* 8: left, bottom */
    }
}

typedef struct block {
    uint8_t bytes[2 * EXIF_BYTES];
    size_t n;
} block;

static void add_exif(j_compress_ptr c, void *data)
{
    const block *b = data;
    jpeg_write_marker(c, JPEG_APP0 + 1, b->bytes, (unsigned)b->n);
}

static void add_two(j_compress_ptr c, void *data)
{
    block other;
    add_exif(c, data);
    other.n = make_exif(other.bytes, true, 5, false);
    add_exif(c, &other);
}

static void add_chunk(png_structp png, png_infop info, void *data)
{
    block *b = data;
    png_set_eXIf_1(png, info, (png_uint_32)(b->n - 6), b->bytes + 6);
}

static const char *make_file(bool png, int orientation, block *exif)
{
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    const int w = orientation >= 5 ? HEIGHT : WIDTH, h = orientation >= 5 ? WIDTH : HEIGHT;
    for (int i = 0; i < w * h; i++) {
        int x, y;
        place(&x, &y, orientation, i % w, i / w, w, h);
        for (int c = 0; c < 3; c++) {
            pixels[3 * i + c] = (uint8_t)upright(x, y, c);
        }
    }
    if (png) {
        const png_spec spec = {.width = w,
                               .height = h,
                               .colour_type = PNG_COLOR_TYPE_RGB,
                               .depth = 8,
                               .rows = pixels,
                               .chunks = add_chunk,
                               .data = exif};
        return make_png("a.png", &spec);
    }
    const jpeg_spec spec = {.width = w,
                            .height = h,
                            .colours = JCS_YCbCr,
                            .pixels = pixels,
                            .markers = add_exif,
                            .data = exif};
    return make_jpeg("a.jpg", &spec);
}

Test(orientation, eight_files_give_the_same_upright_pixels)
{
    uint8_t first[WIDTH * HEIGHT * 3];
    for (int png = 0; png < 2; png++) {
        for (int orientation = 1; orientation <= 8; orientation++) {
            for (int big_endian = 0; big_endian < 2; big_endian++) {
                block b;
                b.n = make_exif(b.bytes, big_endian, orientation, false);
                rv_image *image = read_image(make_file(png, orientation, &b));
                cr_assert_eq(rv_image_width(image), WIDTH);
                cr_assert_eq(rv_image_height(image), HEIGHT);
                for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
                    const int c = i % 3, x = i / 3 % WIDTH, y = i / 3 / WIDTH;
                    const int off = sample(image, x, y, c) - upright(x, y, c);
                    cr_assert(off * off <= (png ? 0 : 4), "%d: %d, %d: %d", orientation, x, y, off);
                }
                if (orientation == 1) {
                    memcpy(first, rv_image_pixels(image), sizeof first);
                }
                cr_assert_eq(memcmp(first, rv_image_pixels(image), sizeof first), 0);
                rv_image_destroy(image);
            }
        }
    }
}

Test(orientation, turns_deep_and_transparent_pixels)
{
    static uint8_t rows[3 * 2 * 8];
    for (size_t i = 0; i < sizeof rows; i++) {
        rows[i] = (uint8_t)(i * 5);
    }
    block b;
    b.n = make_exif(b.bytes, false, 6, false);
    const png_spec spec = {.width = 3,
                           .height = 2,
                           .colour_type = PNG_COLOR_TYPE_RGB_ALPHA,
                           .depth = 16,
                           .rows = rows,
                           .chunks = add_chunk,
                           .data = &b};
    rv_image *image = read_image(make_png("a.png", &spec));
    cr_assert_eq(rv_image_width(image), 2);
    cr_assert_eq(rv_image_height(image), 3);
    for (int y = 0; y < 3; y++) {
        for (int x = 0; x < 2; x++) {
            for (int c = 0; c < 4; c++) { /* stored at column y, row 1 - x */
                const uint8_t *s = rows + (((1 - x) * 3 + y) * 4 + c) * 2;
                cr_assert_eq(sample(image, x, y, c), s[0] << 8 | s[1]);
            }
        }
    }
    rv_image_destroy(image);
}

Test(orientation, is_left_alone_on_request)
{
    block b;
    b.n = make_exif(b.bytes, false, 6, false);
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.no_autorotate = true;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, make_file(true, 6, &b), &options), RV_OK);
    cr_assert_eq(rv_image_width(image), HEIGHT);
    rv_image_destroy(image);
}

/* Reads a file that is stored upright and must stay so. */
static void stays(const char *path, int warnings, const char *words)
{
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, path, &options), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_image_width(image), WIDTH);
    cr_assert_eq(h.warnings, warnings, "%s", h.text);
    if (warnings > 0) {
        cr_assert(strstr(h.text, words) != NULL && strstr(h.text, path) != NULL, "%s", h.text);
    }
    cr_assert_eq(
        rv_image_write(image, rv_test_path("out.jpg"),
                       &(rv_image_write_options){.struct_size = sizeof(rv_image_write_options),
                                                 .quality = 95,
                                                 .overwrite = true}),
        RV_OK, "%s", rv_error_message());
    rv_image_destroy(image);
}

Test(orientation, values_outside_1_to_8_are_ignored_with_a_warning)
{
    static const int bad[] = {0, 9, 65535};
    block b;
    for (int i = 0; i < 3; i++) {
        b.n = make_exif(b.bytes, false, bad[i], false);
        stays(make_file(false, 1, &b), 1, "orientation");
    }
    b.n = make_exif(b.bytes, false, 6, true);
    stays(make_file(false, 1, &b), 1, "orientation");
}

Test(orientation, damaged_blocks_are_ignored)
{
    block b;
    b.n = make_exif(b.bytes, false, 6, false);
    b.n = 9; /* cut within the TIFF header */
    stays(make_file(false, 1, &b), 1, "EXIF");
    b.n = make_exif(b.bytes, false, 6, false);
    memset(b.bytes + 10, 0x7F, 4); /* the first directory lies outside */
    stays(make_file(false, 1, &b), 1, "EXIF");
    b.n = make_exif(b.bytes, false, 1, false);
    b.bytes[6 + 46] = 8; /* the second directory is the first */
    stays(make_file(false, 1, &b), 0, NULL);
}

Test(orientation, any_changed_byte_of_exif_is_survived)
{
    block b;
    b.n = make_exif(b.bytes, false, 1, false);
    for (size_t i = 6; i < b.n - 40; i++) {
        b.bytes[i] ^= 0xFF;
        rv_image *image = read_image(make_file(true, 1, &b));
        rv_blob out = {0};
        cr_assert_eq(rv_exif_for_output(&out, &image->exif, WIDTH, HEIGHT, true), RV_OK);
        rv_blob_release(&out);
        rv_image_destroy(image);
        b.bytes[i] ^= 0xFF;
    }
}

Test(orientation, the_first_of_two_blocks_counts)
{
    static uint8_t pixels[WIDTH * HEIGHT];
    block b;
    b.n = make_exif(b.bytes, false, 1, false);
    const jpeg_spec spec = {.width = WIDTH,
                            .height = HEIGHT,
                            .colours = JCS_GRAYSCALE,
                            .pixels = pixels,
                            .markers = add_two,
                            .data = &b};
    stays(make_jpeg("a.jpg", &spec), 0, NULL);
}
