/* TIFF: what libtiff writes comes back sample by sample, however it is stored; what is written libtiff reads. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum { WIDTH = 37, HEIGHT = 29, TILE = 16 };

typedef enum store { STRIPS, TILES, PLANES, TILED_PLANES } store;

typedef struct tiff_spec {
    int bits, samples, photometric, format;
    int extra; /* kind of the last sample, -1: it is a colour */
    int compression;
    store stored;
    const char *mode; /* NULL: "w" */
    int orientation;
    const uint8_t *icc;
    size_t icc_size;
} tiff_spec;

static uint32_t value(int x, int y, int c, int bits)
{
    const uint32_t mixed = (uint32_t)(x * 2654435 + y * 40503 + c * 7919) * 2654435761u;
    return bits == 32 ? mixed : mixed >> 8 & ((1u << bits) - 1);
}

/* Sample of a float file: -0.2 to 1.2 in steps. */
static float float_value(int x, int y, int c)
{
    return (float)(value(x, y, c, 8) % 141) / 100.0f - 0.2f;
}

/* Puts sample i of a row that has them side by side. */
static void put(uint8_t *row, int i, const tiff_spec *s, int x, int y, int c)
{
    const uint32_t v = value(x, y, c, s->bits);
    const uint16_t half = (uint16_t)v;
    const float f = float_value(x, y, c);
    if (s->bits == 32) {
        memcpy(row + 4 * i, s->format == SAMPLEFORMAT_IEEEFP ? (const void *)&f : &v, 4);
    } else if (s->bits == 16) {
        memcpy(row + 2 * i, &half, 2);
    } else {
        row[i * s->bits / 8] |= (uint8_t)(v << (8 - s->bits - i * s->bits % 8));
    }
}

/* A row, or rows of a tile, of all samples (plane -1) or one. */
static void fill(uint8_t *to, size_t row_bytes, const tiff_spec *s, int x0, int y0, int width,
                 int height, int plane)
{
    const int n = plane < 0 ? s->samples : 1;
    memset(to, 0, row_bytes * (size_t)height);
    for (int y = 0; y < height; y++) {
        for (int i = 0; i < width * n; i++) {
            put(to + (size_t)y * row_bytes, i, s, x0 + i / n, y0 + y, plane < 0 ? i % n : plane);
        }
    }
}

static void set_fields(TIFF *t, const tiff_spec *s)
{
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, WIDTH);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, HEIGHT);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, s->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, s->samples);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, s->photometric);
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, s->format != 0 ? s->format : SAMPLEFORMAT_UINT);
    TIFFSetField(t, TIFFTAG_COMPRESSION, s->compression != 0 ? s->compression : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG,
                 s->stored >= PLANES ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (s->orientation != 0) {
        TIFFSetField(t, TIFFTAG_ORIENTATION, s->orientation);
    }
    if (s->extra >= 0) {
        const uint16_t kind = (uint16_t)s->extra;
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &kind);
    }
    if (s->icc != NULL) {
        TIFFSetField(t, TIFFTAG_ICCPROFILE, (uint32_t)s->icc_size, s->icc);
    }
    if (s->photometric == PHOTOMETRIC_PALETTE) {
        static uint16_t colours[3][256];
        for (int i = 0; i < 3 << 8; i++) {
            colours[i % 3][i / 3] = (uint16_t)(257 * ((i / 3 * 7 + i % 3 * 50) % 256));
        }
        TIFFSetField(t, TIFFTAG_COLORMAP, colours[0], colours[1], colours[2]);
    }
}

static void write_samples(TIFF *t, const tiff_spec *s)
{
    static uint8_t buffer[64 * 1024];
    const int planes = s->stored >= PLANES ? s->samples : 1;
    for (int p = 0; p < planes; p++) {
        const int plane = s->stored >= PLANES ? p : -1;
        if (s->stored == TILES || s->stored == TILED_PLANES) {
            for (int y = 0; y < HEIGHT; y += TILE) {
                for (int x = 0; x < WIDTH; x += TILE) {
                    fill(buffer, (size_t)TIFFTileRowSize(t), s, x, y, TILE, TILE, plane);
                    cr_assert_geq(
                        TIFFWriteTile(t, buffer, (uint32_t)x, (uint32_t)y, 0, (uint16_t)p), 0);
                }
            }
            continue;
        }
        for (int y = 0; y < HEIGHT; y++) {
            fill(buffer, (size_t)TIFFScanlineSize(t), s, 0, y, WIDTH, 1, plane);
            cr_assert_eq(TIFFWriteScanline(t, buffer, (uint32_t)y, (uint16_t)p), 1);
        }
    }
}

static const char *make_tiff(const char *name, const tiff_spec *s)
{
    const char *path = rv_test_path(name);
    TIFF *t = TIFFOpen(path, s->mode != NULL ? s->mode : "w");
    cr_assert_not_null(t);
    set_fields(t, s);
    if (s->stored == TILES || s->stored == TILED_PLANES) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, TILE);
        TIFFSetField(t, TIFFTAG_TILELENGTH, TILE);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 5);
    }
    write_samples(t, s);
    TIFFClose(t);
    return path;
}

/* What a sample of the file comes to in a picture of `bits`. */
static int wanted(const tiff_spec *s, int x, int y, int c, int bits)
{
    const uint32_t v = value(x, y, c, s->bits);
    if (s->format == SAMPLEFORMAT_IEEEFP) {
        const float f = float_value(x, y, c);
        return (int)(65535 * (double)(f < 0 ? 0 : f > 1 ? 1 : f) + 0.5);
    }
    const int n = (int)(s->bits == 32  ? v >> 16
                        : s->bits >= 8 ? v
                                       : v * (255 / ((1u << s->bits) - 1)));
    return s->photometric == PHOTOMETRIC_MINISWHITE ? (bits == 16 ? 65535 : 255) - n : n;
}

static void check(const tiff_spec *s)
{
    const bool alpha = s->extra == EXTRASAMPLE_UNASSALPHA;
    const int colours = s->photometric == PHOTOMETRIC_RGB ? 3 : 1, bits = s->bits > 8 ? 16 : 8;
    rv_image *image = read_image(make_tiff("a.tif", s));
    cr_assert_eq(rv_image_width(image), WIDTH);
    cr_assert_eq(rv_image_height(image), HEIGHT);
    cr_assert_eq(rv_image_channels(image), alpha ? 4 : 3);
    cr_assert_eq(rv_image_bits(image), bits);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const int x = i % WIDTH, y = i / WIDTH;
        for (int c = 0; c < 3; c++) {
            cr_assert_eq(sample(image, x, y, c), wanted(s, x, y, colours == 3 ? c : 0, bits),
                         "%d bits, %d samples, stored %d: %d, %d, %d", s->bits, s->samples,
                         (int)s->stored, x, y, c);
        }
        if (alpha) {
            cr_assert_eq(sample(image, x, y, 3), wanted(s, x, y, colours, bits));
        }
    }
    rv_image_destroy(image);
}

Test(tiff, every_depth_and_way_of_storing)
{
    static const tiff_spec kinds[] = {
        {1, 1, PHOTOMETRIC_MINISBLACK, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {2, 1, PHOTOMETRIC_MINISBLACK, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {4, 1, PHOTOMETRIC_MINISWHITE, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {8, 1, PHOTOMETRIC_MINISWHITE, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {16, 1, PHOTOMETRIC_MINISBLACK, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {8, 2, PHOTOMETRIC_MINISBLACK, 0, EXTRASAMPLE_UNASSALPHA, 0, STRIPS, NULL, 0, NULL, 0},
        {8, 3, PHOTOMETRIC_RGB, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {16, 3, PHOTOMETRIC_RGB, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {32, 3, PHOTOMETRIC_RGB, 0, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {32, 3, PHOTOMETRIC_RGB, SAMPLEFORMAT_IEEEFP, -1, 0, STRIPS, NULL, 0, NULL, 0},
        {8, 4, PHOTOMETRIC_RGB, 0, EXTRASAMPLE_UNASSALPHA, 0, STRIPS, NULL, 0, NULL, 0},
        {16, 4, PHOTOMETRIC_RGB, 0, EXTRASAMPLE_UNASSALPHA, 0, STRIPS, NULL, 0, NULL, 0},
        {8, 4, PHOTOMETRIC_RGB, 0, EXTRASAMPLE_UNSPECIFIED, 0, STRIPS, NULL, 0, NULL, 0},
    };
    static const char *const modes[] = {"wl", "wb", "w8"}; /* either byte order; BigTIFF */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int k = 0; k < 4; k++) {
            tiff_spec s = kinds[i];
            s.stored = (store)k;
            s.mode = modes[(i + (size_t)k) % 3];
            s.compression = k == 1 ? COMPRESSION_LZW : k == 2 ? COMPRESSION_ADOBE_DEFLATE : 0;
            check(&s);
        }
    }
}

Test(tiff, palettes_give_their_colours)
{
    for (int bits = 4; bits <= 8; bits += 4) {
        for (int k = 0; k < 2; k++) {
            const tiff_spec s = {.bits = bits,
                                 .samples = 1,
                                 .photometric = PHOTOMETRIC_PALETTE,
                                 .extra = -1,
                                 .stored = (store)k};
            rv_image *image = read_image(make_tiff("a.tif", &s));
            cr_assert_eq(rv_image_bits(image), 8);
            for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
                const int x = i / 3 % WIDTH, y = i / 3 / WIDTH;
                cr_assert_eq(sample(image, x, y, i % 3),
                             ((int)value(x, y, 0, bits) * 7 + i % 3 * 50) % 256);
            }
            rv_image_destroy(image);
        }
    }
}

Test(tiff, colours_that_alpha_was_multiplied_into_are_divided_again)
{
    const tiff_spec s = {
        .bits = 16, .samples = 4, .photometric = PHOTOMETRIC_RGB, .extra = EXTRASAMPLE_ASSOCALPHA};
    rv_image *image = read_image(make_tiff("a.tif", &s));
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const int x = i % WIDTH, y = i / WIDTH;
        const double alpha = value(x, y, 3, 16);
        cr_assert_eq(sample(image, x, y, 3), (int)alpha);
        for (int c = 0; c < 3 && alpha > 0; c++) {
            const double v = 65535.0 * value(x, y, c, 16) / alpha;
            cr_assert(abs(sample(image, x, y, c) - (int)(v > 65535 ? 65535 : v + 0.5)) <= 1);
        }
    }
    rv_image_destroy(image);
}

Test(tiff, ink_is_light_that_is_missing)
{
    for (int bits = 8; bits <= 16; bits += 8) {
        const tiff_spec s = {
            .bits = bits, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED, .extra = -1};
        const double full = bits == 8 ? 255 : 65535;
        rv_image *image = read_image(make_tiff("a.tif", &s));
        cr_assert_eq(rv_image_channels(image), 3);
        for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
            const int x = i / 3 % WIDTH, y = i / 3 / WIDTH, c = i % 3;
            const double light =
                (full - value(x, y, c, bits)) * (full - value(x, y, 3, bits)) / full;
            cr_assert_leq(abs(sample(image, x, y, c) - (int)(light + 0.5)), 1);
        }
        rv_image_destroy(image);
    }
}

Test(tiff, jpeg_within_is_read_as_rgb)
{
    uint8_t row[WIDTH * 3];
    const char *path = rv_test_path("a.tif");
    TIFF *t = TIFFOpen(path, "w");
    set_fields(t, &(tiff_spec){.bits = 8,
                               .samples = 3,
                               .photometric = PHOTOMETRIC_YCBCR,
                               .extra = -1,
                               .compression = COMPRESSION_JPEG});
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 16);
    TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    TIFFSetField(t, TIFFTAG_JPEGQUALITY, 98);
    for (int y = 0; y < HEIGHT; y++) {
        for (int i = 0; i < WIDTH * 3; i++) {
            row[i] = (uint8_t)smooth(i / 3, y, i % 3);
        }
        cr_assert_eq(TIFFWriteScanline(t, row, (uint32_t)y, 0), 1);
    }
    TIFFClose(t);
    rv_image *image = read_image(path);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
        const int x = i / 3 % WIDTH, y = i / 3 / WIDTH;
        cr_assert_leq(abs(sample(image, x, y, i % 3) - smooth(x, y, i % 3)), 8);
    }
    rv_image_destroy(image);
}

Test(tiff, its_orientation_is_applied)
{
    for (int orientation = 1; orientation <= 8; orientation++) {
        const tiff_spec s = {.bits = 8,
                             .samples = 3,
                             .photometric = PHOTOMETRIC_RGB,
                             .extra = -1,
                             .orientation = orientation};
        rv_image *image = read_image(make_tiff("a.tif", &s));
        cr_assert_eq(rv_image_width(image), orientation >= 5 ? HEIGHT : WIDTH);
        /* Where the first stored pixel stands (TIFF 6.0, page 36). */
        const bool right =
            orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
        const bool bottom =
            orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
        for (int c = 0; c < 3; c++) {
            cr_assert_eq(sample(image, right ? rv_image_width(image) - 1 : 0,
                                bottom ? rv_image_height(image) - 1 : 0, c),
                         (int)value(0, 0, c, 8), "%d", orientation);
        }
        rv_image_destroy(image);
    }
}

Test(tiff, its_profile_becomes_srgb)
{
    size_t n;
    uint8_t *icc = make_rgb_profile(&n);
    tiff_spec s = {.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_RGB, .extra = -1};
    s.icc = icc;
    s.icc_size = n;
    rv_image *image = read_image(make_tiff("a.tif", &s));
    s.icc = NULL;
    rv_image *plain = read_image(make_tiff("b.tif", &s));
    const uint8_t *a = rv_image_pixels(image), *b = rv_image_pixels(plain);
    int largest = 0;
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
        largest = abs(a[i] - b[i]) > largest ? abs(a[i] - b[i]) : largest;
    }
    cr_assert_gt(largest, 30);
    rv_image_destroy(image);
    rv_image_destroy(plain);
    free(icc);
}

/* Most files have no word on the photo, which is no damage. */
Test(tiff, without_words_on_the_photo_has_no_exif)
{
    const tiff_spec spec = {.bits = 16, .samples = 3, .photometric = PHOTOMETRIC_RGB, .extra = -1};
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    rv_image *image;
    heard h;
    options.events = &listen(&h)->events;
    cr_assert_eq(rv_image_read(&image, make_tiff("bare.tif", &spec), &options), RV_OK);
    cr_assert_eq(h.warnings, 0, "%s", h.text);
    rv_image_destroy(image);
}

/* ---- Damage ---- */

static uint8_t bytes[60000];

static size_t load(const tiff_spec *s)
{
    FILE *file = fopen(make_tiff("a.tif", s), "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    cr_assert(n > 0 && n < sizeof bytes);
    fclose(file);
    return n;
}

static void survives(size_t n)
{
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    options.max_pixels = 1 << 20;
    rv_image *image = NULL;
    if (decode_copy(&image, bytes, n, &options) != RV_OK) {
        cr_assert_null(image);
        cr_assert(strstr(rv_error_message(), "copy.jpg") != NULL, "%s", rv_error_message());
    }
    rv_image_destroy(image);
}

Test(tiff, cut_at_every_byte)
{
    const tiff_spec s = {.bits = 8,
                         .samples = 3,
                         .photometric = PHOTOMETRIC_RGB,
                         .extra = -1,
                         .compression = COMPRESSION_ADOBE_DEFLATE};
    const size_t n = load(&s); /* its directory stands at the end */
    for (size_t i = 8; i < n - 200; i++) {
        refuses_bytes(bytes, i, RV_ERR_FORMAT, "TIFF");
    }
    for (size_t i = n - 200; i < n; i++) {
        survives(i);
    }
}

Test(tiff, any_changed_byte_is_survived)
{
    static const store ways[] = {STRIPS, TILES, TILED_PLANES};
    for (int k = 0; k < 3; k++) {
        const tiff_spec s = {.bits = 8,
                             .samples = 4,
                             .photometric = PHOTOMETRIC_RGB,
                             .extra = EXTRASAMPLE_ASSOCALPHA,
                             .compression = COMPRESSION_LZW,
                             .stored = ways[k]};
        const size_t n = load(&s);
        for (size_t i = 0; i<n; i += i> 8 && i < n - 400 ? 17 : 1) {
            bytes[i] ^= 0xFF;
            survives(n);
            bytes[i] = (uint8_t)((bytes[i] ^ 0xFF) + 1);
            survives(n);
            bytes[i]--;
        }
    }
}

/* Value of a LONG or SHORT field in a little-endian file of few fields. */
static void change(size_t n, int tag, uint32_t v)
{
    uint32_t at;
    memcpy(&at, bytes + 4, 4);
    for (size_t i = at + 2u; i + 12 <= n; i += 12) {
        if (bytes[i] == (tag & 255) && bytes[i + 1] == tag >> 8) {
            bytes[i + 2] = 4;
            memcpy(bytes + i + 8, &v, 4);
            return;
        }
    }
    cr_assert_fail("no field %d", tag);
}

Test(tiff, huge_headers_are_refused_before_memory_is_taken)
{
    tiff_spec s = {
        .bits = 8, .samples = 3, .photometric = PHOTOMETRIC_RGB, .extra = -1, .mode = "wl"};
    size_t n = load(&s);
    change(n, TIFFTAG_IMAGEWIDTH, 60000);
    change(n, TIFFTAG_IMAGELENGTH, 60000);
    refuses_bytes(bytes, n, RV_ERR_MEMORY, "60000 x 60000");
    change(n, TIFFTAG_IMAGELENGTH, 0);
    refuses_bytes(bytes, n, RV_ERR_FORMAT, NULL);
    s.stored = TILES;
    n = load(&s);
    change(n, TIFFTAG_TILEWIDTH, 1 << 20);
    change(n, TIFFTAG_TILELENGTH, 1 << 20);
    rv_image *image = NULL;
    cr_assert_neq(decode_copy(&image, bytes, n, NULL), RV_OK);
    cr_assert_null(image);
}

Test(tiff, pictures_of_a_sensor_are_refused_with_the_command_that_develops_them)
{
    tiff_spec s = {.bits = 16, .samples = 1, .photometric = 32803, .extra = -1};
    refuses_image(make_tiff("photo.nef", &s), RV_ERR_UNSUPPORTED, "darktable-cli");
    s.photometric = PHOTOMETRIC_MINISBLACK;
    rv_image_destroy(read_image(make_tiff("plain.tif", &s)));
    /* Canon's mark behind the header of a TIFF. */
    refuses_bytes((const uint8_t *)"II*\0\x10\0\0\0CR\2\0\0\0\0\0\0\0\0\0", 20, RV_ERR_UNSUPPORTED,
                  "RAW");
}

Test(tiff, kinds_that_cannot_be_read_are_named)
{
    tiff_spec s = {.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_CIELAB, .extra = -1};
    refuses_image(make_tiff("a.tif", &s), RV_ERR_UNSUPPORTED, "kind of colours");
    s = (tiff_spec){.bits = 16,
                    .samples = 3,
                    .photometric = PHOTOMETRIC_RGB,
                    .extra = -1,
                    .format = SAMPLEFORMAT_INT};
    refuses_image(make_tiff("a.tif", &s), RV_ERR_UNSUPPORTED, "kind of samples");
}

Test(tiff, of_several_pictures_the_first_is_read)
{
    tiff_spec s = {.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_RGB, .extra = -1};
    make_tiff("a.tif", &s);
    s.photometric = PHOTOMETRIC_MINISBLACK;
    s.samples = 1;
    s.mode = "a";
    rv_image *image = read_image(make_tiff("a.tif", &s));
    cr_assert_eq(sample(image, 5, 7, 2), (int)value(5, 7, 2, 8));
    rv_image_destroy(image);
}
