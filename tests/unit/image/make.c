/* Picture files made by libjpeg and libpng directly, EXIF and profiles for them, and checks of what was read. */
/* SPDX-License-Identifier: MIT */
#include "make.h"
#include "image/internal.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <lcms2.h>
#include <stdlib.h>
#include <string.h>

int smooth(int x, int y, int c)
{
    static const int slope[4][2] = {{1, 2}, {-1, 1}, {2, -1}, {1, 0}};
    return 128 + slope[c][0] * (x - 20) + slope[c][1] * (y - 15);
}

/* Each of 50 coefficients in three steps of precision: 151 scans. */
static void set_bomb(j_compress_ptr c)
{
    static jpeg_scan_info scans[151];
    int n = 0;
    scans[n++] = (jpeg_scan_info){1, {0}, 0, 0, 0, 0};
    for (int k = 1; k <= 50; k++) {
        scans[n++] = (jpeg_scan_info){1, {0}, k, k, 0, 2};
        scans[n++] = (jpeg_scan_info){1, {0}, k, k, 2, 1};
        scans[n++] = (jpeg_scan_info){1, {0}, k, k, 1, 0};
    }
    c->scan_info = scans;
    c->num_scans = n;
}

static void set_colours(j_compress_ptr c, const jpeg_spec *spec)
{
    jpeg_set_defaults(c);
    jpeg_set_colorspace(c, spec->colours);
    if (spec->colours == JCS_RGB) { /* numbers as in YCbCr: only APP14 tells */
        for (int i = 0; i < 3; i++) {
            c->comp_info[i].component_id = i + 1;
        }
    }
    if (spec->no_adobe) {
        c->write_Adobe_marker = FALSE;
    }
}

const char *make_jpeg(const char *name, const jpeg_spec *spec)
{
    const char *path = rv_test_path(name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    struct jpeg_compress_struct c = {0};
    struct jpeg_error_mgr errors;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, file);
    c.image_width = (JDIMENSION)spec->width;
    c.image_height = (JDIMENSION)spec->height;
    const bool four = spec->colours == JCS_CMYK || spec->colours == JCS_YCCK;
    c.input_components = four ? 4 : spec->colours == JCS_GRAYSCALE ? 1 : 3;
    c.in_color_space = four ? JCS_CMYK : spec->colours == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    set_colours(&c, spec);
    jpeg_set_quality(&c, spec->quality != 0 ? spec->quality : 100, TRUE);
    c.comp_info[0].h_samp_factor = spec->h != 0 ? spec->h : 1;
    c.comp_info[0].v_samp_factor = spec->v != 0 ? spec->v : 1;
    c.arith_code = spec->arithmetic;
    c.restart_in_rows = spec->restart;
    if (spec->progressive) {
        jpeg_simple_progression(&c);
    }
    if (spec->bomb) {
        set_bomb(&c);
    }
    jpeg_start_compress(&c, TRUE);
    if (spec->markers != NULL) {
        spec->markers(&c, spec->data);
    }
    uint8_t *row = malloc((size_t)spec->width * 4);
    for (int y = 0; y < spec->height; y++) {
        memcpy(row, spec->pixels + (size_t)(y * spec->width * c.input_components),
               (size_t)(spec->width * c.input_components));
        jpeg_write_scanlines(&c, &row, 1);
    }
    free(row);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    cr_assert_eq(fclose(file), 0);
    return path;
}

const char *make_png(const char *name, const png_spec *spec)
{
    const char *path = rv_test_path(name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)spec->width, (png_uint_32)spec->height, spec->depth,
                 spec->colour_type, spec->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (spec->chunks != NULL) {
        spec->chunks(png, info, spec->data);
    }
    png_write_info(png, info);
    const size_t bytes = png_get_rowbytes(png, info);
    const int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < (size_t)spec->height; y++) {
            png_write_row(png, spec->rows + y * bytes);
        }
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    cr_assert_eq(fclose(file), 0);
    return path;
}

/* ---- EXIF, by hand ---- */

typedef struct tiff {
    uint8_t *bytes; /* from the byte order mark on */
    size_t n;
    bool big_endian;
} tiff;

static void put(tiff *t, unsigned value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        t->bytes[t->n++] = (uint8_t)(value >> 8 * (t->big_endian ? bytes - 1 - i : i));
    }
}

static void entry(tiff *t, unsigned tag, unsigned type, unsigned count, unsigned value)
{
    put(t, tag, 2);
    put(t, type, 2);
    put(t, count, 4);
    if (type == 3) {
        put(t, value, 2);
        put(t, 0, 2);
    } else {
        put(t, value, 4);
    }
}

enum { SHORT = 3, LONG = 4, ASCII = 2, THUMBNAIL_BYTES = 40 };

size_t make_exif(uint8_t *out, bool big_endian, int orientation, bool wrong_type)
{
    memcpy(out, "Exif\0", 6);
    tiff t = {out + 6, 0, big_endian};
    t.bytes[0] = t.bytes[1] = big_endian ? 'M' : 'I';
    t.n = 2;
    put(&t, 42, 2);
    put(&t, 8, 4);
    /* IFD 0 at 8: 3 entries; "Reverie\0" at 50; EXIF at 58: 3 entries; IFD 1 at 100: 3 entries; data at 142 */
    put(&t, 3, 2);
    entry(&t, 0x010F, ASCII, 8, 50);
    entry(&t, 0x0112, wrong_type ? LONG : SHORT, 1, (unsigned)orientation);
    entry(&t, 0x8769, LONG, 1, 58);
    put(&t, 100, 4);
    memcpy(t.bytes + t.n, "Reverie", 8);
    t.n += 8;
    put(&t, 3, 2);
    entry(&t, 0xA001, SHORT, 1, 65535);
    entry(&t, 0xA002, LONG, 1, 7);
    entry(&t, 0xA003, SHORT, 1, 9);
    put(&t, 0, 4);
    put(&t, 3, 2);
    entry(&t, 0x0103, SHORT, 1, 6);
    entry(&t, 0x0201, LONG, 1, 142);
    entry(&t, 0x0202, LONG, 1, THUMBNAIL_BYTES);
    put(&t, 0, 4);
    cr_assert_eq(t.n, 142);
    memset(t.bytes + t.n, 0xEE, THUMBNAIL_BYTES);
    return 6 + t.n + THUMBNAIL_BYTES;
}

/* ---- Profiles ---- */

static uint8_t *save(cmsHPROFILE profile, size_t *out_size)
{
    cmsUInt32Number n = 0;
    cr_assert(cmsSaveProfileToMem(profile, NULL, &n));
    uint8_t *bytes = malloc(n);
    cr_assert(cmsSaveProfileToMem(profile, bytes, &n));
    cmsCloseProfile(profile);
    *out_size = n;
    return bytes;
}

uint8_t *make_rgb_profile(size_t *out_size)
{
    const cmsCIExyY white = {0.3127, 0.3290, 1};
    const cmsCIExyYTRIPLE corners = {{0.64, 0.33, 1}, {0.21, 0.71, 1}, {0.15, 0.06, 1}};
    cmsToneCurve *curve = cmsBuildGamma(NULL, 563.0 / 256);
    cmsToneCurve *curves[3] = {curve, curve, curve};
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &corners, curves);
    cmsFreeToneCurve(curve);
    return save(profile, out_size);
}

uint8_t *make_grey_profile(size_t *out_size)
{
    cmsToneCurve *curve = cmsBuildGamma(NULL, 1.8);
    cmsHPROFILE profile = cmsCreateGrayProfile(cmsD50_xyY(), curve);
    cmsFreeToneCurve(curve);
    return save(profile, out_size);
}

/* ---- Checks ---- */

rv_image *read_image(const char *path)
{
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, path, NULL), RV_OK, "%s", rv_error_message());
    return image;
}

int sample(const rv_image *image, int x, int y, int c)
{
    const size_t at =
        ((size_t)y * (size_t)rv_image_width(image) + (size_t)x) * (size_t)rv_image_channels(image) +
        (size_t)c;
    const void *pixels = rv_image_pixels_const(image);
    return rv_image_bits(image) == 8 ? ((const uint8_t *)pixels)[at]
                                     : ((const uint16_t *)pixels)[at];
}

static void check_refusal(rv_status status, const rv_image *image, const char *name,
                          rv_status expected, const char *words)
{
    const char *message = rv_error_message();
    cr_assert_eq(status, expected, "%s: %s, %s", name, rv_status_name(status), message);
    cr_assert_null(image);
    cr_assert(strstr(message, name) != NULL, "%s", message);
    cr_assert(strchr(message, '\n') == NULL, "%s", message);
    cr_assert(words == NULL || strstr(message, words) != NULL, "%s", message);
}

void refuses_image(const char *path, rv_status expected, const char *words)
{
    rv_image *image = (rv_image *)&image;
    const rv_status status = rv_image_read(&image, path, NULL);
    check_refusal(status, image, path, expected, words);
}

rv_status decode_copy(rv_image **out, const uint8_t *bytes, size_t n,
                      const rv_image_read_options *options)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    memcpy(copy, bytes, n);
    const rv_status status = rv_image_decode(out, copy, n, "copy.jpg", options);
    free(copy);
    return status;
}

void refuses_bytes(const uint8_t *bytes, size_t n, rv_status expected, const char *words)
{
    rv_image *image = (rv_image *)&image;
    const rv_status status = decode_copy(&image, bytes, n, NULL);
    check_refusal(status, image, "copy.jpg", expected, words);
}

static void hear(void *payload, rv_log_level level, const char *text)
{
    heard *h = payload;
    cr_assert_eq(level, RV_LOG_WARNING);
    h->warnings++;
    snprintf(h->text, sizeof h->text, "%s", text);
}

heard *listen(heard *out)
{
    *out = (heard){.events = {.payload = out, .log = hear}};
    return out;
}
