/* JPEG: every kind that libjpeg writes comes back with its colours; damage is named. */
/* SPDX-License-Identifier: MIT */
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 41, HEIGHT = 31 }; /* no multiple of any block */

static uint8_t pixels[WIDTH * HEIGHT * 4];

static jpeg_spec spec_of(J_COLOR_SPACE colours)
{
    const bool four = colours == JCS_CMYK || colours == JCS_YCCK;
    const int components = four ? 4 : colours == JCS_GRAYSCALE ? 1 : 3;
    for (int i = 0; i < WIDTH * HEIGHT * components; i++) {
        const int at = i / components;
        pixels[i] = (uint8_t)smooth(at % WIDTH, at / WIDTH, i % components);
    }
    return (jpeg_spec){.width = WIDTH, .height = HEIGHT, .colours = colours, .pixels = pixels};
}

/* Largest difference from the colours that the file was made of. */
static void check_rgb(const jpeg_spec *spec, int tolerance)
{
    rv_image *image = read_image(make_jpeg("a.jpg", spec));
    cr_assert_eq(rv_image_width(image), WIDTH);
    cr_assert_eq(rv_image_height(image), HEIGHT);
    cr_assert_eq(rv_image_channels(image), 3);
    cr_assert_eq(rv_image_bits(image), 8);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            for (int c = 0; c < 3; c++) {
                const int expected = smooth(x, y, spec->colours == JCS_GRAYSCALE ? 0 : c);
                cr_assert_leq(abs(sample(image, x, y, c) - expected), tolerance,
                              "%d instead of %d at %d, %d, %d", sample(image, x, y, c), expected, x,
                              y, c);
            }
        }
    }
    rv_image_destroy(image);
}

Test(jpeg, every_subsampling_keeps_smooth_colours)
{
    static const int sampling[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2},
                                      {4, 1}, {4, 2}, {2, 4}, {1, 4}};
    for (size_t i = 0; i < sizeof sampling / sizeof *sampling; i++) {
        for (int progressive = 0; progressive < 2; progressive++) {
            jpeg_spec spec = spec_of(JCS_YCbCr);
            spec.h = sampling[i][0];
            spec.v = sampling[i][1];
            spec.progressive = progressive;
            /* Chroma of a gradient that is averaged over four pixels and interpolated without a filter is up to
             * 1.5 pixels off, times the slope of two and the factor 1.8 of blue. */
            const int pixels_off = spec.h * spec.v;
            check_rgb(&spec, pixels_off == 1 ? 2 : pixels_off <= 2 ? 3 : pixels_off <= 4 ? 8 : 12);
        }
    }
}

Test(jpeg, grey_becomes_three_equal_channels)
{
    jpeg_spec spec = spec_of(JCS_GRAYSCALE);
    check_rgb(&spec, 1);
    spec.h = spec.v = 2;
    check_rgb(&spec, 1);
}

Test(jpeg, rgb_without_transform_is_told_by_adobe)
{
    jpeg_spec spec = spec_of(JCS_RGB);
    spec.no_adobe = false;
    check_rgb(&spec, 1);
}

static void add_adobe(j_compress_ptr c, void *data)
{
    static const uint8_t adobe[12] = {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
    jpeg_write_marker(c, JPEG_APP0 + 14, adobe, *(const unsigned *)data);
}

Test(jpeg, rgb_without_transform_as_photoshop_writes_it)
{
    jpeg_spec spec = spec_of(JCS_RGB);
    unsigned bytes = 12;
    spec.no_adobe = true;
    spec.markers = add_adobe;
    spec.data = &bytes;
    check_rgb(&spec, 1);
}

Test(jpeg, a_cut_adobe_marker_does_not_hurt)
{
    jpeg_spec spec = spec_of(JCS_YCbCr);
    unsigned bytes = 7;
    spec.markers = add_adobe;
    spec.data = &bytes;
    check_rgb(&spec, 2);
}

Test(jpeg, arithmetic_coding_and_restarts_are_read)
{
    jpeg_spec spec = spec_of(JCS_YCbCr);
    spec.arithmetic = true;
    check_rgb(&spec, 2);
    spec.progressive = true;
    check_rgb(&spec, 2);
    spec = spec_of(JCS_YCbCr);
    spec.restart = 1;
    check_rgb(&spec, 2);
}

/* light = (1 - ink) (1 - black); with Adobe's marker the samples are 255 - ink. */
static void check_cmyk(J_COLOR_SPACE colours, bool adobe)
{
    jpeg_spec spec = spec_of(colours);
    spec.no_adobe = !adobe;
    rv_image *image = read_image(make_jpeg("a.jpg", &spec));
    cr_assert_eq(rv_image_channels(image), 3);
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const int k = smooth(x, y, 3);
            for (int c = 0; c < 3; c++) {
                const int ink = smooth(x, y, c);
                const int expected = adobe ? ink * k / 255 : (255 - ink) * (255 - k) / 255;
                cr_assert_leq(abs(sample(image, x, y, c) - expected), 3, "%d instead of %d",
                              sample(image, x, y, c), expected);
            }
        }
    }
    rv_image_destroy(image);
}

Test(jpeg, cmyk_is_inverted_where_adobe_wrote_it)
{
    check_cmyk(JCS_CMYK, true);
    check_cmyk(JCS_YCCK, true);
    check_cmyk(JCS_CMYK, false);
}

Test(jpeg, one_pixel_and_one_column_are_pictures)
{
    jpeg_spec spec = spec_of(JCS_YCbCr);
    spec.width = spec.height = 1;
    spec.h = spec.v = 2;
    rv_image *image = read_image(make_jpeg("a.jpg", &spec));
    cr_assert_eq(rv_image_width(image), 1);
    cr_assert_eq(rv_image_height(image), 1);
    cr_assert_leq(abs(sample(image, 0, 0, 0) - pixels[0]), 2);
    rv_image_destroy(image);
    spec.height = 400;
    image = read_image(make_jpeg("a.jpg", &spec));
    cr_assert_eq(rv_image_height(image), 400);
    rv_image_destroy(image);
}

Test(jpeg, a_bomb_of_scans_is_refused)
{
    jpeg_spec spec = spec_of(JCS_GRAYSCALE);
    spec.bomb = true;
    refuses_image(make_jpeg("a.jpg", &spec), RV_ERR_FORMAT, "more than 100 scans");
}

/* Bytes of a file, and the place of its frame header. */
typedef struct content {
    uint8_t bytes[20000];
    size_t n, sof;
} content;

static content *load(const char *path)
{
    static content c;
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    c.n = fread(c.bytes, 1, sizeof c.bytes, file);
    cr_assert_lt(c.n, sizeof c.bytes);
    fclose(file);
    for (c.sof = 2; (c.bytes[c.sof + 1] & 0xFC) != 0xC0;) {
        c.sof += 2 + (size_t)c.bytes[c.sof + 2] * 256 + c.bytes[c.sof + 3];
        cr_assert_lt(c.sof, c.n);
    }
    return &c;
}

static content *ordinary(void)
{
    jpeg_spec spec = spec_of(JCS_YCbCr);
    return load(make_jpeg("a.jpg", &spec));
}

static const char *rewrite(const content *c, size_t n)
{
    const char *path = rv_test_path("b.jpg");
    rv_test_write(path, c->bytes, n);
    return path;
}

Test(jpeg, huge_and_empty_headers_are_refused)
{
    content *c = ordinary();
    static const uint8_t sizes[][4] = {
        {0xEA, 0x60, 0xEA, 0x60}, {0xFF, 0xFF, 0xFF, 0xFF}, {0, 0, 0, 9}};
    static const rv_status expected[] = {RV_ERR_MEMORY, RV_ERR_MEMORY, RV_ERR_FORMAT};
    static const char *const words[] = {"60000 x 60000", "65500", "mpty"};
    for (int i = 0; i < 3; i++) {
        memcpy(c->bytes + c->sof + 5, sizes[i], 4);
        refuses_image(rewrite(c, c->n), expected[i], words[i]);
    }
}

Test(jpeg, kinds_that_cannot_be_read_are_named)
{
    content *c = ordinary();
    c->bytes[c->sof + 4] = 12;
    refuses_image(rewrite(c, c->n), RV_ERR_UNSUPPORTED, "more than 8 bits");
    c->bytes[c->sof + 4] = 8;
    c->bytes[c->sof + 1] = 0xC3;
    refuses_image(rewrite(c, c->n), RV_ERR_UNSUPPORTED, "lossless");
}

/* A picture that is cut anywhere is refused in words that say so; on request what there is is kept, and nothing
 * behind the cut is made up. */
static void cut_everywhere(const content *c)
{
    for (size_t n = 0; n < c->n; n++) {
        refuses_bytes(c->bytes, n, RV_ERR_FORMAT,
                      n == 0   ? "empty"
                      : n == 1 ? "no picture of a known kind"
                               : "cut off");
        heard h;
        rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
        options.allow_truncated = true;
        options.events = &listen(&h)->events;
        rv_image *image = NULL;
        const rv_status status = decode_copy(&image, c->bytes, n, &options);
        if (status == RV_OK) {
            cr_assert_eq(rv_image_height(image), HEIGHT);
            cr_assert_eq(h.warnings, 1);
            cr_assert(strstr(h.text, "cut off") != NULL, "%s", h.text);
        } else {
            cr_assert_eq(status, RV_ERR_FORMAT);
        }
        rv_image_destroy(image);
    }
}

Test(jpeg, cut_at_every_byte)
{
    jpeg_spec spec = spec_of(JCS_YCbCr);
    spec.quality = 90;
    cut_everywhere(load(make_jpeg("a.jpg", &spec)));
    spec.progressive = true;
    cut_everywhere(load(make_jpeg("a.jpg", &spec)));
}

Test(jpeg, rows_behind_the_cut_are_grey)
{
    const content *c = ordinary();
    size_t data = c->n - 2; /* the entropy-coded bytes start behind the last marker but the end */
    while (!(c->bytes[data] == 0xFF && c->bytes[data + 1] == 0xDA)) {
        data--;
    }
    const char *path = rewrite(c, data + 14 + (c->n - data) / 2);
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.allow_truncated = true;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, path, &options), RV_OK, "%s", rv_error_message());
    for (int ch = 0; ch < 3; ch++) {
        cr_assert_leq(abs(sample(image, 3, 3, ch) - smooth(3, 3, ch)), 2);
        cr_assert_eq(sample(image, WIDTH - 1, HEIGHT - 1, ch), 128);
    }
    rv_image_destroy(image);
    refuses_image(path, RV_ERR_FORMAT, "after 16 of 31 rows");
}

Test(jpeg, any_changed_byte_is_survived)
{
    content *c = ordinary();
    for (size_t i = 0; i < c->n; i++) {
        for (int k = 0; k < 2; k++) {
            const uint8_t old = c->bytes[i];
            c->bytes[i] = (uint8_t)(k == 0 ? ~old : old + 1);
            rv_image *image = NULL;
            heard h;
            rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
            options.events = &listen(&h)->events;
            if (decode_copy(&image, c->bytes, c->n, &options) == RV_OK) {
                cr_assert_geq(rv_image_width(image), 1);
            }
            rv_image_destroy(image);
            c->bytes[i] = old;
        }
    }
}

Test(jpeg, damage_within_is_a_warning)
{
    content *c = ordinary();
    memset(c->bytes + c->n - 200, 0x55, 100);
    rv_image *image = NULL;
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    cr_assert_eq(rv_image_read(&image, rewrite(c, c->n), &options), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(h.warnings, 1);
    cr_assert(strstr(h.text, "damaged") != NULL && strstr(h.text, "b.jpg") != NULL, "%s", h.text);
    rv_image_destroy(image);
}

Test(jpeg, bytes_behind_the_end_are_ignored)
{
    content *c = ordinary();
    memset(c->bytes + c->n, 0x37, 1000);
    rv_image_destroy(read_image(rewrite(c, c->n + 1000)));
}
