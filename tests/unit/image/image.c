/* Pictures as such: what is refused before a decoder runs, limits, and what the API promises. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/system.h"
#include "make.h"
#include "support/scratch.h"

#include <reverie/reverie.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(image, is_created_zeroed)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, 7, 5, 4, 16), RV_OK);
    cr_assert_eq(rv_image_width(image), 7);
    cr_assert_eq(rv_image_height(image), 5);
    cr_assert_eq(rv_image_channels(image), 4);
    cr_assert_eq(rv_image_bits(image), 16);
    cr_assert_null(rv_image_settings(image));
    const uint16_t *pixels = rv_image_pixels(image);
    for (int i = 0; i < 7 * 5 * 4; i++) {
        cr_assert_eq(pixels[i], 0);
    }
    rv_image_destroy(image);
    rv_image_destroy(NULL);
}

Test(image, impossible_pictures_are_not_created)
{
    static const int bad[][4] = {
        {0, 1, 3, 8}, {1, -1, 3, 8}, {1, 1, 1, 8}, {1, 1, 3, 12}, {1, 1, 5, 8}};
    rv_image *image = NULL;
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(rv_image_create(&image, bad[i][0], bad[i][1], bad[i][2], bad[i][3]),
                     RV_ERR_USAGE);
        cr_assert_null(image);
    }
    cr_assert_eq(rv_image_create(&image, INT_MAX, INT_MAX, 4, 16), RV_ERR_MEMORY);
    cr_assert_null(image);
}

Test(image, what_is_no_file_is_refused)
{
    refuses_image(rv_test_path("missing.jpg"), RV_ERR_NOT_FOUND, "No such file");
    refuses_image(rv_test_folder(), RV_ERR_IO, "folder");
    const char *pipe = rv_test_path("pipe.jpg");
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    refuses_image(pipe, RV_ERR_IO, "not a regular file");
    refuses_image("/dev/zero", RV_ERR_IO, "not a regular file");
    const char *loop = rv_test_path("loop.jpg");
    cr_assert_eq(symlink(loop, loop), 0);
    refuses_image(loop, RV_ERR_IO, strerror(ELOOP));
}

Test(image, other_content_is_named)
{
    static const struct {
        const char *bytes;
        size_t n;
        rv_status status;
        const char *words;
    } cases[] = {
        {"", 0, RV_ERR_FORMAT, "empty"},
        {"Hello, this is text\n", 20, RV_ERR_FORMAT, "holds text"},
        {"gr\xC3\xBC\xC3\x9F", 6, RV_ERR_FORMAT, "holds text"},
        {"GIF89a\1\0\1\0", 10, RV_ERR_UNSUPPORTED, "a GIF picture"},
        {"BM\x36\0\x0C\0\0\0", 8, RV_ERR_UNSUPPORTED, "a BMP picture"},
        {"\0\0\0\x18"
         "ftypheic",
         12, RV_ERR_UNSUPPORTED, "convert it first: heif-convert "},
        {"\0\0\0\x18"
         "ftypmif1",
         12, RV_ERR_UNSUPPORTED, "a HEIC picture"},
        {"\0\0\0\x18"
         "ftypavif",
         12, RV_ERR_UNSUPPORTED, "convert it first: avifdec "},
        {"\0\0\0\x18"
         "ftypcrx ",
         12, RV_ERR_UNSUPPORTED, "convert it first: darktable-cli "},
        {"FUJIFILMCCD-RAW 0201", 20, RV_ERR_UNSUPPORTED, "the RAW picture of a camera"},
        {"IIRO\x08\0\0\0", 8, RV_ERR_UNSUPPORTED, "photo.jpg photo-converted.jpg"},
        {"IIU\0\x18\0\0\0", 8, RV_ERR_UNSUPPORTED, "the RAW picture of a camera"},
        {"\xFF\x0A\xFA\x1F", 4, RV_ERR_UNSUPPORTED, "convert it first: djxl "},
        {"P6\n1 1\n255\n", 11, RV_ERR_UNSUPPORTED, "a PNM picture"},
        {"%PDF-1.4\n", 9, RV_ERR_FORMAT, "a PDF document"},
        {"BMW is a car", 12, RV_ERR_FORMAT, "holds text"},
        {"\1\2\3\4", 4, RV_ERR_FORMAT, "begins with the bytes 01 02 03 04"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = rv_test_path("photo.jpg");
        rv_test_write(path, cases[i].bytes, cases[i].n);
        refuses_image(path, cases[i].status, cases[i].words);
    }
}

Test(image, content_decides_and_not_the_name)
{
    static const uint8_t pixels[] = {10, 20, 30};
    const jpeg_spec jpeg = {.width = 1, .height = 1, .colours = JCS_GRAYSCALE, .pixels = pixels};
    rv_image *image = read_image(make_jpeg("really-a-jpeg.png", &jpeg));
    cr_assert_eq(sample(image, 0, 0, 2), 10);
    rv_image_destroy(image);
    const png_spec png = {
        .width = 1, .height = 1, .colour_type = PNG_COLOR_TYPE_RGB, .depth = 8, .rows = pixels};
    image = read_image(make_png("really-a-png.jpg", &png));
    cr_assert_eq(sample(image, 0, 0, 2), 30);
    rv_image_destroy(image);
}

Test(image, the_limit_on_pixels_is_exact)
{
    static const uint8_t pixels[12 * 10];
    const jpeg_spec jpeg = {.width = 12, .height = 10, .colours = JCS_GRAYSCALE, .pixels = pixels};
    const png_spec png = {
        .width = 12, .height = 10, .colour_type = PNG_COLOR_TYPE_GRAY, .depth = 8, .rows = pixels};
    const char *paths[] = {make_jpeg("a.jpg", &jpeg), make_png("a.png", &png)};
    for (int i = 0; i < 2; i++) {
        rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
        rv_image *image = NULL;
        options.max_pixels = 120;
        cr_assert_eq(rv_image_read(&image, paths[i], &options), RV_OK, "%s", rv_error_message());
        rv_image_destroy(image);
        options.max_pixels = 119;
        cr_assert_eq(rv_image_read(&image, paths[i], &options), RV_ERR_MEMORY);
        cr_assert(strstr(rv_error_message(), "12 x 10") != NULL, "%s", rv_error_message());
        cr_assert(strstr(rv_error_message(), paths[i]) != NULL, "%s", rv_error_message());
    }
}

/* Header of 60000 x 60000, then a few bytes of data: 10.8 GB would be needed. */
Test(image, a_huge_header_costs_neither_time_nor_memory)
{
    static const uint8_t png[] = {0x89, 'P', 'N',  'G',  '\r', '\n', 0x1A, '\n', 0,    0,
                                  0,    13,  'I',  'H',  'D',  'R',  0,    0,    0xEA, 0x60,
                                  0,    0,   0xEA, 0x60, 8,    2,    0,    0,    0,    1,
                                  2,    3,   4,    0,    0,    0,    4,    'I',  'D'};
    static const uint8_t jpeg[] = {
        0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0xEA, 0x60, 0xEA, 0x60, 3, 1,    0x22, 0,  2, 0x11, 0, 3,
        0x11, 0,    0xFF, 0xDA, 0, 12, 3, 1,    0,    2,    0x11, 3, 0x11, 0,    63, 0, 1,    2, 3};
    const double start = rv_clock();
    const uint64_t before = rv_process_peak_bytes();
    rv_test_write(rv_test_path("a.png"), png, sizeof png);
    refuses_image(rv_test_path("a.png"), RV_ERR_MEMORY, "60000 x 60000");
    rv_test_write(rv_test_path("a.jpg"), jpeg, sizeof jpeg);
    refuses_image(rv_test_path("a.jpg"), RV_ERR_MEMORY, "60000 x 60000");
    cr_assert_lt(rv_process_peak_bytes() - before, 10 << 20);
    cr_assert_lt(rv_clock() - start, 1.0);
}

Test(image, the_photos_are_read)
{
    static const struct {
        const char *name;
        int width, height;
    } photos[] = {
        {"images/astronaut.png", 512, 512},    {"images/chelsea.png", 451, 300},
        {"images/coffee.png", 600, 400},       {"images/golden_gate.jpg", 979, 734},
        {"images/rocket.jpg", 640, 427},       {"images/shipwreck.jpg", 960, 662},
        {"images/sky1024px.jpg", 1024, 575},   {"images/starry_night.jpg", 1024, 640},
        {"images/the_scream.jpg", 1200, 1528}, {"images/tubingen.jpg", 1024, 768},
    };
    for (size_t i = 0; i < sizeof photos / sizeof *photos; i++) {
        heard h;
        rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
        options.events = &listen(&h)->events;
        rv_image *image = NULL;
        cr_assert_eq(rv_image_read(&image, rv_test_shared(photos[i].name), &options), RV_OK, "%s",
                     rv_error_message());
        cr_assert_eq(h.warnings, 0, "%s", h.text);
        cr_assert_eq(rv_image_width(image), photos[i].width);
        cr_assert_eq(rv_image_height(image), photos[i].height);
        cr_assert_eq(rv_image_channels(image), 3);
        rv_image_destroy(image);
    }
    refuses_image(rv_test_shared("images/truncated.jpg"), RV_ERR_FORMAT,
                  "400 bytes end within the header");
}

/* Of a caller whose struct is shorter, the rest has its defaults; of a longer one, the rest is not read. */
Test(image, options_of_another_version_are_taken)
{
    static const uint8_t pixels[12];
    const png_spec png = {
        .width = 2, .height = 2, .colour_type = PNG_COLOR_TYPE_RGB, .depth = 8, .rows = pixels};
    const char *path = make_png("a.png", &png);
    struct {
        rv_image_read_options options;
        int more;
    } longer = {RV_IMAGE_READ_OPTIONS_INIT, 1};
    longer.options.struct_size = sizeof longer;
    longer.options.max_pixels = 3;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, path, &longer.options), RV_ERR_MEMORY);
    rv_image_read_options shorter = RV_IMAGE_READ_OPTIONS_INIT;
    shorter.struct_size = offsetof(rv_image_read_options, max_pixels);
    shorter.max_pixels = 3;
    cr_assert_eq(rv_image_read(&image, path, &shorter), RV_OK);
    rv_image_destroy(image);
}

/* The command can be pasted: names are quoted where a shell would take them apart. */
Test(image, the_command_that_converts_quotes_names)
{
    const char *path = rv_test_path("it's a photo.heic");
    rv_test_write(path,
                  "\0\0\0\x18"
                  "ftypheic",
                  12);
    refuses_image(path, RV_ERR_UNSUPPORTED, "it'\\''s a photo.heic' 'it'\\''s a photo.jpg'");
}

/* Offsets of the first directory of a camera file: DNGVersion, a sensor in a sub-directory, a loop. */
Test(image, raw_files_that_look_like_tiff_are_told_apart)
{
    static const uint8_t dng[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0xC6, 1,
                                  0,   4,   0,  0, 0, 1, 4, 0, 0, 0, 0,    0,    0};
    static const uint8_t sensor[] = {'M', 'M', 0, 42, 0, 0, 0,    8,    0, 1, 1, 0x4A, 0, 4, 0,
                                     0,   0,   1, 0,  0, 0, 26,   0,    0, 0, 8, 0,    1, 1, 6,
                                     0,   3,   0, 0,  0, 1, 0x80, 0x23, 0, 0, 0, 0,    0, 8};
    refuses_bytes(dng, sizeof dng, RV_ERR_UNSUPPORTED, "the RAW picture of a camera");
    refuses_bytes(sensor, sizeof sensor, RV_ERR_UNSUPPORTED, "the RAW picture of a camera");
}

Test(image, the_formats_of_the_build_are_named)
{
    static const char *const optional[] = {"TIFF", "WebP"};
    char expected[64] = "JPEG, PNG";
    for (int i = 0; i < 2; i++) {
        if (strstr(rv_version_features(), optional[i]) != NULL) {
            strcat(strcat(expected, ", "), optional[i]);
        }
    }
    cr_assert_str_eq(rv_image_formats(), expected);
}

/* A file of each kind, and how many there are. */
static int looks_as_it_reads(const char *folder)
{
    char **names, path[256];
    size_t n;
    snprintf(path, sizeof path, "tests/fuzz/seeds/%s", folder);
    cr_assert_eq(rv_image_list(&names, &n, path), RV_OK, "%s", rv_error_message());
    for (size_t i = 0; i < n; i++) {
        rv_image *image;
        int channels = 0, bits = 0;
        snprintf(path, sizeof path, "tests/fuzz/seeds/%s/%s", folder, names[i]);
        cr_assert_eq(rv_image_read(&image, path, NULL), RV_OK, "%s", rv_error_message());
        cr_assert_eq(rv_image_look(&channels, &bits, path, NULL), RV_OK, "%s", rv_error_message());
        cr_assert_eq(channels, rv_image_channels(image), "%s: %d", path, channels);
        cr_assert_eq(bits, rv_image_bits(image), "%s: %d", path, bits);
        rv_image_destroy(image);
    }
    free(names);
    return (int)n;
}

Test(image, a_look_finds_what_reading_would)
{
    cr_assert_geq(looks_as_it_reads("jpeg") + looks_as_it_reads("png"), 7);
    looks_as_it_reads("tiff");
    looks_as_it_reads("webp");
}

/* Headers say it all: what is behind them may be missing. */
Test(image, a_look_needs_no_samples)
{
    static const struct {
        const char *path;
        size_t bytes;
        int channels, bits;
    } files[] = {{"tests/fuzz/seeds/jpeg/rgb_restarts.jpg", 740, 3, 8},
                 {"tests/fuzz/seeds/png/deep_alpha.png", 800, 4, 16}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        rv_bytes whole;
        rv_image *image;
        int channels = 0, bits = 0;
        const char *cut = rv_test_path("cut");
        cr_assert_eq(rv_bytes_open(&whole, files[i].path, 0), RV_OK);
        rv_test_write(cut, whole.data, files[i].bytes);
        rv_bytes_close(&whole);
        cr_assert_eq(rv_image_read(&image, cut, NULL), RV_ERR_FORMAT);
        cr_assert_eq(rv_image_look(&channels, &bits, cut, NULL), RV_OK, "%s", rv_error_message());
        cr_assert(channels == files[i].channels && bits == files[i].bits, "%d, %d", channels, bits);
    }
    int channels, bits;
    rv_test_write(rv_test_path("cut"), "no picture", 10);
    cr_assert_eq(rv_image_look(&channels, &bits, rv_test_path("cut"), NULL), RV_ERR_FORMAT);
    cr_assert_eq(rv_image_look(&channels, &bits, rv_test_path("none"), NULL), RV_ERR_NOT_FOUND);
}
