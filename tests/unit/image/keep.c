/* What a photo brings along: its colours kept for the output, 16 bits made 8, colours named by numbers, long XMP. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "image/internal.h"
#include "image/rows.h"
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/reverie.h>
#include <stdlib.h>
#include <string.h>

/* ---- Profiles ---- */

enum { STEPS = 6, SIDE = STEPS * STEPS, COLOURS = STEPS * STEPS * STEPS };

typedef struct icc {
    uint8_t *bytes;
    size_t n;
} icc;

static void add_profile(png_structp png, png_infop info, void *data)
{
    const icc *p = data;
    png_set_iCCP(png, info, "p", PNG_COMPRESSION_TYPE_BASE, p->bytes, (png_uint_32)p->n);
}

/* Every mixture of STEPS values in the colours of a profile: 16 bits, big endian. */
static rv_image *mixtures(icc *profile)
{
    static uint8_t rows[COLOURS * 6];
    for (int i = 0; i < COLOURS; i++) {
        const int at[3] = {i % STEPS, i / STEPS % STEPS, i / SIDE};
        for (int c = 0; c < 3; c++) {
            const int v = 6000 + at[c] * 10000;
            rows[6 * i + 2 * c] = (uint8_t)(v >> 8);
            rows[6 * i + 2 * c + 1] = (uint8_t)v;
        }
    }
    const png_spec spec = {.width = SIDE,
                           .height = STEPS,
                           .colour_type = PNG_COLOR_TYPE_RGB,
                           .depth = 16,
                           .rows = rows,
                           .chunks = add_profile,
                           .data = profile};
    return read_image(make_png("a.png", &spec));
}

static bool has_bytes(const char *path, const void *what, size_t n)
{
    rv_bytes file;
    cr_assert_eq(rv_bytes_open(&file, path, 0), RV_OK);
    bool found = false;
    for (size_t i = 0; i + n <= file.size && !found; i++) {
        found = memcmp(file.data + i, what, n) == 0;
    }
    rv_bytes_close(&file);
    return found;
}

static bool builds(const char *extension)
{
    return strcmp(extension, "tif") == 0    ? strstr(rv_version_features(), "TIFF") != NULL
           : strcmp(extension, "webp") == 0 ? strstr(rv_version_features(), "WebP") != NULL
                                            : true;
}

static double light_of(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

/* Written in its profile and read again the picture gives the same light: in 16 bits nearly, in 8 to within the step up
 * or down of dithering in bright colours (0.009 of white), of each of two channels that mix, and what JPEG loses. */
Test(keep, the_profile_of_the_photo_goes_through_every_format)
{
    static const struct {
        const char *extension;
        double tolerance;
    } formats[] = {{"png", 0.0003}, {"tif", 0.0003}, {"jpg", 0.06}, {"webp", 0.018}};
    icc p;
    p.bytes = make_rgb_profile(&p.n);
    rv_image *image = mixtures(&p);
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "out.%s", formats[i].extension);
        if (!builds(formats[i].extension)) {
            continue;
        }
        rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
        options.keep_icc = true;
        options.quality = 100;
        const char *path = rv_test_path(name);
        cr_assert_eq(rv_image_check_write(image, path, &options), RV_OK);
        cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
        /* PNG deflates it; in the others its description stands as it is. */
        cr_assert(i == 0 || has_bytes(path, p.bytes, 128), "%s", name);
        rv_image *back = read_image(path);
        for (int k = 0; k < COLOURS * 3; k++) {
            const int x = k / 3 % SIDE, y = k / 3 / SIDE, c = k % 3;
            const int was = sample(image, x, y, c), is = sample(back, x, y, c);
            const double largest = rv_image_bits(back) == 8 ? 255 : 65535;
            /* Colours outside sRGB were cut off when they were read. */
            cr_assert(was == 0 || was == 65535 ||
                          fabs(light_of(was / 65535.0) - light_of(is / largest)) <=
                              formats[i].tolerance,
                      "%s: %d became %d", name, was, is);
        }
        rv_image_destroy(back);
    }
    rv_image_destroy(image);
    free(p.bytes);
}

/* Samples in the file are those of the photo, not those of sRGB. */
Test(keep, samples_are_in_the_colours_of_the_profile)
{
    icc p;
    p.bytes = make_rgb_profile(&p.n);
    rv_image *image = mixtures(&p);
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    const char *path = rv_test_path("out.png");
    options.keep_icc = true;
    cr_assert_eq(rv_image_write(image, path, &options), RV_OK, "%s", rv_error_message());
    FILE *file = fopen(path, "rb");
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_read_info(png, info);
    cr_assert_neq(png_get_valid(png, info, PNG_INFO_iCCP), 0);
    cr_assert_eq(png_get_valid(png, info, PNG_INFO_sRGB), 0);
    uint8_t row[SIDE * 6];
    int same = 0;
    for (int y = 0; y < STEPS; y++) {
        png_read_row(png, row, NULL);
        for (int i = 0; i < SIDE * 3; i++) {
            const int at[3] = {i / 3 % STEPS, i / 3 / STEPS, y};
            const int was = 6000 + at[i % 3] * 10000, is = row[2 * i] << 8 | row[2 * i + 1];
            same += abs(was - is) <= 30;
        }
    }
    cr_assert_gt(same, COLOURS * 3 / 2, "%d", same); /* the rest lies outside sRGB */
    png_destroy_read_struct(&png, &info, NULL);
    fclose(file);
    rv_image_destroy(image);
    free(p.bytes);
}

Test(keep, without_keep_the_output_is_srgb)
{
    icc p;
    p.bytes = make_rgb_profile(&p.n);
    rv_image *image = mixtures(&p);
    const char *path = rv_test_path("out.jpg");
    cr_assert_eq(rv_image_write(image, path, NULL), RV_OK, "%s", rv_error_message());
    cr_assert(!has_bytes(path, "ICC_PROFILE", 11));
    rv_image_destroy(image);
    free(p.bytes);
}

/* ---- 16 bits to 8 ---- */

static rv_image *flat(int width, int height, int value)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, width, height, 4, 16), RV_OK);
    uint16_t *pixels = rv_image_pixels(image);
    for (int i = 0; i < width * height * 4; i++) {
        pixels[i] = (uint16_t)value;
    }
    return image;
}

/* Rows of 8 bits of a picture of 16, through the step that the encoders use. */
static void shorten(uint8_t *out, const rv_image *image)
{
    static const rv_blob none = {0};
    rv_rows *rows = NULL;
    cr_assert_eq(rv_rows_create(&rows, image, 8, &none), RV_OK);
    const size_t bytes = (size_t)rv_image_width(image) * 4;
    for (int y = 0; y < rv_image_height(image); y++) {
        memcpy(out + (size_t)y * bytes, rv_rows_get(rows, y), bytes);
    }
    rv_rows_destroy(rows);
}

/* Whole values stay, others become their two neighbours in the right share, in every block of 16 x 16; alpha is
 * rounded. */
Test(keep, sixteen_bits_are_dithered_to_eight)
{
    enum { WIDE = 64 };
    static uint8_t out[WIDE * WIDE * 4];
    for (int value = 0; value <= 65535; value += 257 * 5 + 37) {
        rv_image *image = flat(WIDE, WIDE, value);
        shorten(out, image);
        const double exact = value / 257.0;
        for (int c = 0; c < 3; c++) {
            for (int block = 0; block < 16; block++) {
                double sum = 0;
                for (int i = 0; i < 256; i++) {
                    const int x = block % 4 * 16 + i % 16, y = block / 4 * 16 + i / 16;
                    const int v = out[(y * WIDE + x) * 4 + c];
                    cr_assert(v == (int)floor(exact) || v == (int)ceil(exact), "%d: %d", value, v);
                    sum += v;
                }
                cr_assert_float_eq(sum / 256, exact, 0.03, "%d: %g", value, sum / 256);
            }
        }
        cr_assert_eq(out[3], (int)(exact + 0.5));
        rv_image_destroy(image);
    }
    for (int v = 0; v < 256; v++) {
        rv_image *image = flat(16, 16, v * 257);
        shorten(out, image);
        for (int i = 0; i < 16 * 16 * 4; i++) {
            cr_assert_eq(out[i], v);
        }
        rv_image_destroy(image);
    }
}

/* Blue noise is weak where the eye is strong: of the error of a flat field, a mean of 4 x 4 pixels keeps little. */
Test(keep, the_error_of_dithering_is_fine_grained)
{
    enum { WIDE = 64 };
    static uint8_t out[WIDE * WIDE * 4];
    rv_image *image = flat(WIDE, WIDE, 100 * 257 + 90);
    shorten(out, image);
    rv_image_destroy(image);
    const double exact = 100 + 90 / 257.0;
    double pixel = 0, mean = 0;
    for (int y = 0; y < WIDE; y += 4) {
        for (int x = 0; x < WIDE; x += 4) {
            double sum = 0;
            for (int i = 0; i < 16; i++) {
                const double off = out[((y + i / 4) * WIDE + x + i % 4) * 4] - exact;
                pixel += off * off / (WIDE * WIDE);
                sum += off / 16;
            }
            mean += sum * sum / (WIDE * WIDE / 16);
        }
    }
    /* Of white noise a sixteenth would remain. */
    cr_assert_lt(mean, pixel / 64, "%g of %g", mean, pixel);
}

Test(keep, a_deep_picture_is_a_jpeg_on_request)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_create(&image, 16, 16, 3, 16), RV_OK);
    for (int i = 0; i < 16 * 16 * 3; i++) {
        ((uint16_t *)rv_image_pixels(image))[i] = 40000;
    }
    const char *a = rv_test_path("a.jpg"), *b = rv_test_path("b.jpg");
    cr_assert_eq(rv_image_write(image, a, NULL), RV_OK, "%s", rv_error_message());
    cr_assert_eq(rv_image_write(image, b, NULL), RV_OK);
    rv_image *back = read_image(a);
    cr_assert_eq(rv_image_bits(back), 8);
    cr_assert_leq(abs(sample(back, 7, 7, 1) - 40000 / 257), 2);
    rv_image_destroy(back);
    rv_test_same_files(a, b);
    rv_image_destroy(image);
}

/* ---- Colours by numbers ---- */

typedef struct points {
    uint8_t bytes[4];
    bool also_srgb;
} points;

static void add_points(png_structp png, png_infop info, void *data)
{
    const points *p = data;
    png_unknown_chunk chunk = {.size = 4, .location = PNG_HAVE_IHDR};
    memcpy(chunk.name, "cICP", 5);
    chunk.data = (png_bytep)p->bytes;
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_ALWAYS, NULL, 0);
    png_set_unknown_chunks(png, info, &chunk, 1);
    if (p->also_srgb) {
        png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    }
}

static rv_image *read_points(points *p, const int rgb[3], int warnings)
{
    uint8_t row[6];
    for (int c = 0; c < 3; c++) {
        row[2 * c] = (uint8_t)(rgb[c] >> 8);
        row[2 * c + 1] = (uint8_t)rgb[c];
    }
    const png_spec spec = {.width = 1,
                           .height = 1,
                           .colour_type = PNG_COLOR_TYPE_RGB,
                           .depth = 16,
                           .rows = row,
                           .chunks = add_points,
                           .data = p};
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, make_png("a.png", &spec), &options), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(h.warnings, warnings, "%s", h.text);
    return image;
}

static double srgb_of(double light)
{
    return light <= 0.0031308 ? 12.92 * light : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

/* Display P3 to sRGB by the published matrix (CSS Color 4), before the sRGB chunk that also stands there. */
Test(keep, cicp_of_display_p3_is_heeded)
{
    static const double matrix[3][3] = {{1.2249401762, -0.2249404140, 0},
                                        {-0.0420569547, 1.0420571148, 0},
                                        {-0.0196375546, -0.0786360455, 1.0982735760}};
    static const int rgb[3] = {30000, 36000, 33000};
    points p = {{12, 13, 0, 1}, true};
    rv_image *image = read_points(&p, rgb, 0);
    for (int r = 0; r < 3; r++) {
        double light = 0;
        for (int c = 0; c < 3; c++) {
            light += matrix[r][c] * light_of(rgb[c] / 65535.0);
        }
        cr_assert_float_eq(sample(image, 0, 0, r), 65535 * srgb_of(light), 60, "%d, not %g",
                           sample(image, 0, 0, r), 65535 * srgb_of(light));
    }
    rv_image_destroy(image);
}

Test(keep, cicp_of_linear_light_and_of_film_is_heeded)
{
    static const int rgb[3] = {3000, 20000, 50000};
    points linear = {{1, 8, 0, 1}, false}, film = {{1, 1, 0, 1}, false};
    rv_image *image = read_points(&linear, rgb, 0);
    for (int c = 0; c < 3; c++) {
        cr_assert_float_eq(sample(image, 0, 0, c), 65535 * srgb_of(rgb[c] / 65535.0), 40);
    }
    rv_image_destroy(image);
    image = read_points(&film, rgb, 0);
    for (int c = 0; c < 3; c++) { /* BT.709 */
        const double v = rgb[c] / 65535.0;
        const double light = v < 0.081 ? v / 4.5 : pow((v + 0.099) / 1.099, 1 / 0.45);
        cr_assert_float_eq(sample(image, 0, 0, c), 65535 * srgb_of(light), 40);
    }
    rv_image_destroy(image);
}

Test(keep, cicp_of_hdr_is_ignored_with_a_warning)
{
    static const int rgb[3] = {30000, 36000, 33000};
    points p = {{9, 16, 0, 1}, false};
    rv_image *image = read_points(&p, rgb, 1);
    for (int c = 0; c < 3; c++) {
        cr_assert_eq(sample(image, 0, 0, c), rgb[c]);
    }
    rv_image_destroy(image);
}

/* ---- Adobe RGB by EXIF alone ---- */

/* IFD 0 with a pointer to EXIF: ColorSpace 65535, pointer to the rules for files: their index. */
static const uint8_t rules[] = {
    'E', 'x', 'i',  'f',  0,  0, 'I', 'I',  42, 0, 8, 0, 0,   0,   1,   0,    0x69, 0x87, 4, 0,
    1,   0,   0,    0,    26, 0, 0,   0,    0,  0, 0, 0, 2,   0,   1,   0xA0, 3,    0,    1, 0,
    0,   0,   0xFF, 0xFF, 0,  0, 5,   0xA0, 4,  0, 1, 0, 0,   0,   56,  0,    0,    0,    0, 0,
    0,   0,   1,    0,    1,  0, 2,   0,    4,  0, 0, 0, 'R', '0', '3', 0,    0,    0,    0, 0};

static void add_rules(j_compress_ptr c, void *data)
{
    uint8_t bytes[sizeof rules];
    memcpy(bytes, rules, sizeof rules);
    bytes[sizeof rules - 6] = *(const char *)data;
    jpeg_write_marker(c, JPEG_APP0 + 1, bytes, sizeof bytes);
}

static rv_image *with_rules(char digit)
{
    static uint8_t pixels[8 * 8 * 3];
    for (int i = 0; i < 8 * 8; i++) {
        memcpy(pixels + 3 * i, (const uint8_t[3]){150, 120, 90}, 3);
    }
    const jpeg_spec spec = {.width = 8,
                            .height = 8,
                            .colours = JCS_RGB,
                            .pixels = pixels,
                            .markers = add_rules,
                            .data = &digit};
    return read_image(make_jpeg("a.jpg", &spec));
}

/* Adobe RGB (1998) to sRGB by its published matrix to XYZ and that of IEC 61966-2-1 back. */
Test(keep, adobe_rgb_that_only_exif_names_is_believed)
{
    static const double to_xyz[3][3] = {
        {0.57667, 0.18556, 0.18823}, {0.29734, 0.62736, 0.07529}, {0.02703, 0.07069, 0.99134}};
    static const double to_srgb[3][3] = {
        {3.2406, -1.5372, -0.4986}, {-0.9689, 1.8758, 0.0415}, {0.0557, -0.2040, 1.0570}};
    static const double rgb[3] = {150, 120, 90};
    double xyz[3] = {0};
    for (int i = 0; i < 9; i++) {
        xyz[i / 3] += to_xyz[i / 3][i % 3] * pow(rgb[i % 3] / 255, 563.0 / 256);
    }
    rv_image *image = with_rules('3'), *plain = with_rules('9');
    for (int r = 0; r < 3; r++) {
        const double light =
            to_srgb[r][0] * xyz[0] + to_srgb[r][1] * xyz[1] + to_srgb[r][2] * xyz[2];
        cr_assert_float_eq(sample(image, 3, 3, r), 255 * srgb_of(light), 1.6);
        cr_assert_float_eq(sample(plain, 3, 3, r), rgb[r], 1);
    }
    cr_assert_gt(sample(image, 3, 3, 0), 155); /* 150 as it is */
    /* In sRGB now, which the rules have to say; with its profile kept, nothing changes. */
    rv_image_write_options options = RV_IMAGE_WRITE_OPTIONS_INIT;
    const char *srgb = rv_test_path("srgb.jpg"), *kept = rv_test_path("kept.jpg");
    cr_assert_eq(rv_image_write(image, srgb, &options), RV_OK);
    cr_assert(has_bytes(srgb, "R98", 4));
    options.keep_icc = true;
    cr_assert_eq(rv_image_write(image, kept, &options), RV_OK, "%s", rv_error_message());
    cr_assert(has_bytes(kept, "ICC_PROFILE", 12));
    rv_image *back = read_image(kept);
    for (int c = 0; c < 3; c++) {
        cr_assert_leq(abs(sample(back, 3, 3, c) - sample(image, 3, 3, c)), 3);
    }
    rv_image_destroy(back);
    rv_image_destroy(image);
    rv_image_destroy(plain);
}

/* ---- XMP beyond a segment ---- */

#define GUID "0123456789ABCDEF0123456789ABCDEF"

typedef struct parts {
    int order[3]; /* of the three parts, -1: missing */
    const char *guid;
} parts;

enum { PART = 60000, ALL = 2 * PART + 500 };

static void add_long_xmp(j_compress_ptr c, void *data)
{
    static const char tag[] =
        "http://ns.adobe.com/xap/1.0/\0<x xmpNote:HasExtendedXMP=\"" GUID "\"/>";
    static const char more[] = "http://ns.adobe.com/xmp/extension/";
    static uint8_t block[65000];
    const parts *p = data;
    jpeg_write_marker(c, JPEG_APP0 + 1, (const JOCTET *)tag, sizeof tag - 1);
    for (int i = 0; i < 3; i++) {
        if (p->order[i] < 0) {
            continue;
        }
        const unsigned at = (unsigned)p->order[i] * PART, n = ALL - at < PART ? ALL - at : PART;
        const unsigned numbers[2] = {ALL, at};
        memcpy(block, more, sizeof more);
        memcpy(block + sizeof more, p->guid, 32);
        for (int k = 0; k < 8; k++) {
            block[sizeof more + 32 + (size_t)k] = (uint8_t)(numbers[k / 4] >> (24 - 8 * (k % 4)));
        }
        for (unsigned k = 0; k < n; k++) {
            block[sizeof more + 40 + k] = (uint8_t)('a' + (at + k) * 7 % 26);
        }
        jpeg_write_marker(c, JPEG_APP0 + 1, block, (unsigned)sizeof more + 40 + n);
    }
}

static rv_image *with_long_xmp(parts *p)
{
    static const uint8_t pixels[8 * 8];
    const jpeg_spec spec = {.width = 8,
                            .height = 8,
                            .colours = JCS_GRAYSCALE,
                            .pixels = pixels,
                            .markers = add_long_xmp,
                            .data = p};
    return read_image(make_jpeg("a.jpg", &spec));
}

static void check_rest(const rv_image *image)
{
    cr_assert_eq(image->xmp_more.size, 32 + ALL);
    cr_assert_eq(memcmp(image->xmp_more.data, GUID, 32), 0);
    for (int k = 0; k < ALL; k++) {
        cr_assert_eq(image->xmp_more.data[32 + k], 'a' + k * 7 % 26);
    }
}

Test(keep, long_xmp_goes_from_jpeg_to_jpeg)
{
    parts p = {{2, 0, 1}, GUID};
    rv_image *image = with_long_xmp(&p), *to = NULL;
    check_rest(image);
    cr_assert_eq(rv_image_create(&to, 8, 8, 3, 8), RV_OK);
    cr_assert_eq(rv_image_copy_metadata(to, image), RV_OK);
    rv_image_destroy(image);
    const char *path = rv_test_path("out.jpg");
    cr_assert_eq(rv_image_write(to, path, NULL), RV_OK, "%s", rv_error_message());
    image = read_image(path);
    check_rest(image);
    rv_image_destroy(image);
    rv_image_destroy(to);
}

Test(keep, long_xmp_with_parts_missing_or_of_another_is_left_out)
{
    parts bad[] = {
        {{0, 1, -1}, GUID}, {{0, 0, 1}, GUID}, {{0, 1, 2}, "FEDCBA9876543210FEDCBA9876543210"}};
    for (int i = 0; i < 3; i++) {
        rv_image *image = with_long_xmp(&bad[i]);
        cr_assert_eq(image->xmp_more.size, 0, "%d", i);
        cr_assert_not_null(image->xmp.data);
        rv_image_destroy(image);
    }
}
