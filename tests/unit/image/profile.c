/* Colour profiles: known colours come out as lcms computes them in double precision; bad profiles are left out. */
/* SPDX-License-Identifier: MIT */
#include "make.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <lcms2.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 32, HEIGHT = 32 }; /* flat blocks of 8 x 8 */

static const uint8_t colours[16][3] = {
    {0, 0, 0},       {255, 255, 255}, {128, 128, 128}, {200, 30, 40},
    {40, 180, 60},   {30, 40, 200},   {250, 240, 180}, {90, 60, 40},
    {255, 0, 0},     {0, 255, 0},     {0, 0, 255},     {20, 20, 25},
    {180, 200, 220}, {255, 128, 0},   {10, 100, 100},  {220, 220, 225},
};

static const uint8_t *colour_at(int x, int y)
{
    return colours[y / 8 * 4 + x / 8];
}

typedef struct icc {
    uint8_t *bytes;
    size_t n;
    int first, step, parts, missing; /* order of the parts in the file */
} icc;

static void add_parts(j_compress_ptr c, void *data)
{
    const icc *p = data;
    const size_t most = (p->n + (size_t)p->parts - 1) / (size_t)p->parts;
    for (int i = 0; i < p->parts; i++) {
        const int part = (p->first + i * p->step) % p->parts;
        const size_t at = (size_t)part * most, n = p->n - at < most ? p->n - at : most;
        uint8_t *marker = malloc(14 + n);
        memcpy(marker, "ICC_PROFILE", 12);
        marker[12] = (uint8_t)(part + 1);
        marker[13] = (uint8_t)p->parts;
        memcpy(marker + 14, p->bytes + at, n);
        if (part != p->missing) {
            jpeg_write_marker(c, JPEG_APP0 + 2, marker, (unsigned)(14 + n));
        }
        free(marker);
    }
}

static const char *make_file(icc *profile)
{
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        memcpy(pixels + 3 * i, colour_at(i % WIDTH, i / WIDTH), 3);
    }
    const jpeg_spec spec = {.width = WIDTH,
                            .height = HEIGHT,
                            .colours = JCS_RGB,
                            .pixels = pixels,
                            .markers = add_parts,
                            .data = profile};
    return make_jpeg("a.jpg", &spec);
}

/* sRGB of a colour through a profile, 0 to 1, all in double precision. */
static void expect(double out[3], const icc *profile, const double *samples, cmsUInt32Number type)
{
    cmsHPROFILE from = cmsOpenProfileFromMem(profile->bytes, (cmsUInt32Number)profile->n);
    cmsHPROFILE to = cmsCreate_sRGBProfile();
    cmsHTRANSFORM t = cmsCreateTransform(from, type, to, TYPE_RGB_DBL, INTENT_RELATIVE_COLORIMETRIC,
                                         cmsFLAGS_NOOPTIMIZE | cmsFLAGS_BLACKPOINTCOMPENSATION);
    cr_assert_not_null(t);
    cmsDoTransform(t, samples, out, 1);
    for (int c = 0; c < 3; c++) {
        out[c] = fmin(fmax(out[c], 0), 1);
    }
    cmsDeleteTransform(t);
    cmsCloseProfile(from);
    cmsCloseProfile(to);
}

static rv_image *hear_image(const char *path, int warnings, const char *words)
{
    heard h;
    rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
    options.events = &listen(&h)->events;
    rv_image *image = NULL;
    cr_assert_eq(rv_image_read(&image, path, &options), RV_OK, "%s", rv_error_message());
    cr_assert_eq(h.warnings, warnings, "%s", h.text);
    cr_assert(warnings == 0 || strstr(h.text, words) != NULL, "%s", h.text);
    return image;
}

/* Every block has its colour, through the profile or as it is. */
static void check(rv_image *image, const icc *profile)
{
    bool differs = false;
    for (int i = 0; i < 16; i++) {
        const uint8_t *from = colours[i];
        double to[3] = {from[0] / 255.0, from[1] / 255.0, from[2] / 255.0};
        if (profile != NULL) {
            expect(to, profile, (double[3]){to[0], to[1], to[2]}, TYPE_RGB_DBL);
        }
        for (int c = 0; c < 3; c++) {
            const int got = sample(image, i % 4 * 8 + 3, i / 4 * 8 + 3, c);
            cr_assert(fabs(got - 255 * to[c]) <= 1.5, "colour %d: %d instead of %.2f", i, got,
                      255 * to[c]);
            differs = differs || abs(got - from[c]) > 20;
        }
    }
    cr_assert_eq(differs, profile != NULL);
    rv_image_destroy(image);
}

Test(profile, colours_of_a_larger_space_become_srgb)
{
    icc p = {.parts = 1, .step = 1, .missing = -1};
    p.bytes = make_rgb_profile(&p.n);
    check(hear_image(make_file(&p), 0, NULL), &p);
    free(p.bytes);
}

Test(profile, parts_may_be_out_of_order_but_not_missing)
{
    icc p = {.parts = 5, .first = 3, .step = 3, .missing = -1};
    p.bytes = make_rgb_profile(&p.n);
    check(hear_image(make_file(&p), 0, NULL), &p);
    p.missing = 2;
    check(hear_image(make_file(&p), 1, "missing"), NULL);
    free(p.bytes);
}

Test(profile, large_ones_in_many_parts_are_read_up_to_the_limit)
{
    icc p = {.parts = 40, .step = 1, .missing = -1};
    uint8_t *small = make_rgb_profile(&p.n);
    p.bytes = calloc(9 << 20, 1);
    memcpy(p.bytes, small, p.n);
    for (int k = 0; k < 2; k++) {
        p.n = (size_t)(k == 0 ? 2 : 9) << 20;
        p.parts = k == 0 ? 40 : 150;
        for (int i = 0; i < 4; i++) {
            p.bytes[i] = (uint8_t)(p.n >> (24 - 8 * i));
        }
        if (k == 0) {
            check(hear_image(make_file(&p), 0, NULL), &p);
        } else {
            check(hear_image(make_file(&p), 1, "too large"), NULL);
        }
    }
    free(p.bytes);
    free(small);
}

/* A segment from `from` to where `to` ends, both named by the second byte of their markers. */
static const char *move_behind(const char *path, int from, int to)
{
    static uint8_t bytes[40000], moved[40000];
    FILE *file = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    size_t at[256] = {0}, size[256] = {0};
    for (size_t i = 2; i + 4 < n && bytes[i + 1] != 0xDA; i += size[bytes[i + 1]]) {
        at[bytes[i + 1]] = i;
        size[bytes[i + 1]] = 2 + ((size_t)bytes[i + 2] << 8 | bytes[i + 3]);
    }
    cr_assert(at[from] > 0 && at[to] > at[from]);
    const size_t end = at[to] + size[to], gap = size[from];
    memcpy(moved, bytes + at[from], gap);
    memmove(bytes + at[from], bytes + at[from] + gap, end - at[from] - gap);
    memcpy(bytes + end - gap, moved, gap);
    rv_test_write(rv_test_path("moved.jpg"), bytes, n);
    return rv_test_path("moved.jpg");
}

Test(profile, one_that_stands_behind_the_frame_header_is_found)
{
    icc p = {.parts = 1, .step = 1, .missing = -1};
    p.bytes = make_rgb_profile(&p.n);
    check(hear_image(move_behind(make_file(&p), 0xE2, 0xC0), 0, NULL), &p);
    free(p.bytes);
}

Test(profile, srgb_itself_changes_nothing)
{
    icc p = {.parts = 1, .step = 1, .missing = -1};
    cmsHPROFILE srgb = cmsCreate_sRGBProfile();
    cmsUInt32Number n = 0;
    cmsSaveProfileToMem(srgb, NULL, &n);
    p.bytes = malloc(n);
    cmsSaveProfileToMem(srgb, p.bytes, &n);
    p.n = n;
    cmsCloseProfile(srgb);
    rv_image *image = hear_image(make_file(&p), 0, NULL);
    rv_image *plain = hear_image(
        make_file(&(icc){.parts = 1, .step = 1, .missing = 0, .bytes = p.bytes, .n = 1}), 0, NULL);
    cr_assert_eq(memcmp(rv_image_pixels(image), rv_image_pixels(plain), WIDTH * HEIGHT * 3), 0);
    rv_image_destroy(image);
    rv_image_destroy(plain);
    free(p.bytes);
}

Test(profile, damaged_and_foreign_ones_are_left_out_with_a_warning)
{
    icc p = {.parts = 1, .step = 1, .missing = -1};
    p.bytes = make_rgb_profile(&p.n);
    memset(p.bytes + 36, 'x', 4); /* signature */
    check(hear_image(make_file(&p), 1, "is damaged"), NULL);
    free(p.bytes);
    p.bytes = make_grey_profile(&p.n);
    check(hear_image(make_file(&p), 1, "another kind"), NULL);
    free(p.bytes);
    p.bytes = make_rgb_profile(&p.n);
    memset(p.bytes + 128, 0, 4); /* no tags */
    check(hear_image(make_file(&p), 1, "cannot be converted"), NULL);
    free(p.bytes);
}

Test(profile, any_changed_byte_is_survived)
{
    icc p = {.parts = 1, .step = 1, .missing = -1};
    p.bytes = make_rgb_profile(&p.n);
    for (size_t i = 0; i < p.n; i++) {
        p.bytes[i] ^= 0xFF;
        heard h;
        rv_image_read_options options = RV_IMAGE_READ_OPTIONS_INIT;
        options.events = &listen(&h)->events;
        rv_image *image = NULL;
        cr_assert_eq(rv_image_read(&image, make_file(&p), &options), RV_OK);
        rv_image_destroy(image);
        p.bytes[i] ^= 0xFF;
    }
    free(p.bytes);
}

/* ---- CMYK ---- */

/* Lightness falls with each ink, most with black; cyan takes red, magenta green, yellow blue. */
static cmsInt32Number ink_to_lab(const cmsUInt16Number in[], cmsUInt16Number out[], void *data)
{
    (void)data;
    const double c = in[0] / 65535.0, m = in[1] / 65535.0, y = in[2] / 65535.0, k = in[3] / 65535.0;
    const double paper = 1 - k;
    const cmsCIELab lab = {.L = 100 * paper * (1 - 0.4 * c) * (1 - 0.5 * m) * (1 - 0.1 * y),
                           .a = paper * (60 * m - 35 * c),
                           .b = paper * (80 * y - 40 * c)};
    cmsFloat2LabEncoded(out, &lab);
    return TRUE;
}

static uint8_t *make_cmyk_profile(size_t *out_size)
{
    cmsHPROFILE profile = cmsCreateProfilePlaceholder(NULL);
    cmsSetProfileVersion(profile, 4.3);
    cmsSetDeviceClass(profile, cmsSigOutputClass);
    cmsSetColorSpace(profile, cmsSigCmykData);
    cmsSetPCS(profile, cmsSigLabData);
    cmsPipeline *table = cmsPipelineAlloc(NULL, 4, 3);
    cmsStage *stage = cmsStageAllocCLut16bit(NULL, 9, 4, 3, NULL);
    cr_assert(cmsStageSampleCLut16bit(stage, ink_to_lab, NULL, 0));
    cmsPipelineInsertStage(table, cmsAT_BEGIN, cmsStageAllocToneCurves(NULL, 4, NULL));
    cmsPipelineInsertStage(table, cmsAT_END, stage);
    cmsPipelineInsertStage(table, cmsAT_END, cmsStageAllocToneCurves(NULL, 3, NULL));
    cr_assert(cmsWriteTag(profile, cmsSigAToB0Tag, table));
    cr_assert(cmsWriteTag(profile, cmsSigMediaWhitePointTag, cmsD50_XYZ()));
    cmsPipelineFree(table);
    cmsUInt32Number n = 0;
    cr_assert(cmsSaveProfileToMem(profile, NULL, &n));
    uint8_t *bytes = malloc(n);
    cr_assert(cmsSaveProfileToMem(profile, bytes, &n));
    cmsCloseProfile(profile);
    *out_size = n;
    return bytes;
}

/* Samples of ink, 255 full; without Adobe's marker they stand in the file as they are. */
static void check_inks(const icc *profile, bool adobe)
{
    static const uint8_t inks[5][4] = {
        {0, 0, 0, 0}, {0, 0, 0, 255}, {255, 0, 0, 0}, {0, 200, 40, 30}, {60, 50, 50, 80}};
    for (int i = 0; i < 5; i++) {
        uint8_t pixels[64 * 4];
        for (int j = 0; j < 64 * 4; j++) {
            pixels[j] = adobe ? (uint8_t)(255 - inks[i][j % 4]) : inks[i][j % 4];
        }
        icc p = *profile;
        const jpeg_spec spec = {.width = 8,
                                .height = 8,
                                .colours = JCS_CMYK,
                                .no_adobe = !adobe,
                                .pixels = pixels,
                                .markers = add_parts,
                                .data = &p};
        rv_image *image = hear_image(make_jpeg("a.jpg", &spec), 0, NULL);
        double to[3], ink[4];
        for (int c = 0; c < 4; c++) {
            ink[c] = inks[i][c] * 100 / 255.0; /* lcms counts ink in percent */
        }
        expect(to, profile, ink, TYPE_CMYK_DBL);
        for (int c = 0; c < 3; c++) {
            cr_assert(fabs(sample(image, 4, 4, c) - 255 * to[c]) <= 2.5,
                      "ink %d: %d instead of %.1f", i, sample(image, 4, 4, c), 255 * to[c]);
            cr_assert(i != 0 || sample(image, 4, 4, c) >= 254, "paper is white");
            cr_assert(i != 1 || sample(image, 4, 4, c) <= 1, "black ink is black");
        }
        cr_assert(i != 2 || sample(image, 4, 4, 0) + 60 < sample(image, 4, 4, 2), "cyan is no red");
        rv_image_destroy(image);
    }
}

Test(profile, inks_go_through_their_profile)
{
    icc p = {.parts = 3, .step = 1, .missing = -1};
    p.bytes = make_cmyk_profile(&p.n);
    check_inks(&p, true);
    check_inks(&p, false);
    free(p.bytes);
}

/* ---- PNG: grey, 16 bits, alpha; and colours by numbers ---- */

typedef struct numbers {
    const icc *profile;
    bool srgb;
    double gamma; /* of the file, as in gAMA; 0: none */
    bool wide;    /* cHRM of a wide space */
} numbers;

static void add_colours(png_structp png, png_infop info, void *data)
{
    const numbers *n = data;
    if (n->profile != NULL) {
        png_set_iCCP(png, info, "profile", PNG_COMPRESSION_TYPE_BASE, n->profile->bytes,
                     (png_uint_32)n->profile->n);
    }
    if (n->srgb) {
        png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    }
    if (n->gamma > 0) {
        png_set_gAMA(png, info, n->gamma);
    }
    if (n->wide) {
        png_set_cHRM(png, info, 0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06);
    }
}

/* One pixel of 16 bits: r, g, b, alpha, or grey and alpha. */
static rv_image *read_pixel(int colour_type, const int *samples, int n, numbers *of)
{
    uint8_t row[8];
    for (int i = 0; i < n; i++) {
        row[2 * i] = (uint8_t)(samples[i] >> 8);
        row[2 * i + 1] = (uint8_t)samples[i];
    }
    const png_spec spec = {.width = 1,
                           .height = 1,
                           .colour_type = colour_type,
                           .depth = 16,
                           .rows = row,
                           .chunks = add_colours,
                           .data = of};
    return hear_image(make_png("a.png", &spec), 0, NULL);
}

/* 16 bits and alpha through a profile: within four of 65535, alpha as it was. */
Test(profile, sixteen_bits_stay_exact)
{
    icc p = {0};
    p.bytes = make_rgb_profile(&p.n);
    for (int i = 0; i < 200; i++) {
        const int s[4] = {i * 7919 % 65536, i * 104729 % 65536, i * 31337 % 65536, i * 300 + 5};
        rv_image *image = read_pixel(PNG_COLOR_TYPE_RGB_ALPHA, s, 4, &(numbers){.profile = &p});
        double to[3];
        expect(to, &p, (double[3]){s[0] / 65535.0, s[1] / 65535.0, s[2] / 65535.0}, TYPE_RGB_DBL);
        for (int c = 0; c < 3; c++) {
            cr_assert(fabs(sample(image, 0, 0, c) - 65535 * to[c]) <= 4, "%d instead of %.1f",
                      sample(image, 0, 0, c), 65535 * to[c]);
        }
        cr_assert_eq(sample(image, 0, 0, 3), s[3]);
        rv_image_destroy(image);
    }
    free(p.bytes);
}

static double srgb_of(double light)
{
    return light <= 0.0031308 ? 12.92 * light : 1.055 * pow(light, 1 / 2.4) - 0.055;
}

Test(profile, grey_of_another_gamma_becomes_srgb)
{
    icc p = {0};
    p.bytes = make_grey_profile(&p.n);
    for (int v = 0; v <= 65535; v += 4369) {
        const int s[2] = {v, 1234};
        rv_image *image = read_pixel(PNG_COLOR_TYPE_GRAY_ALPHA, s, 2, &(numbers){.profile = &p});
        const double expected = 65535 * srgb_of(pow(v / 65535.0, 1.8));
        for (int c = 0; c < 3; c++) {
            cr_assert(fabs(sample(image, 0, 0, c) - expected) <= 30, "%d instead of %.1f",
                      sample(image, 0, 0, c), expected);
        }
        cr_assert_eq(sample(image, 0, 0, 3), 1234);
        rv_image_destroy(image);
    }
    free(p.bytes);
}

/* Linear light by gAMA; primaries by cHRM. */
Test(profile, gamma_and_corners_of_png_are_heeded)
{
    const int s[3] = {13107, 32768, 52429};
    rv_image *image = read_pixel(PNG_COLOR_TYPE_RGB, s, 3, &(numbers){.gamma = 1.0});
    for (int c = 0; c < 3; c++) {
        const double expected = 65535 * srgb_of(s[c] / 65535.0);
        cr_assert(fabs(sample(image, 0, 0, c) - expected) <= 30, "%d instead of %.1f",
                  sample(image, 0, 0, c), expected);
    }
    rv_image_destroy(image);
    icc p = {0};
    p.bytes = make_rgb_profile(&p.n);
    double to[3];
    expect(to, &p, (double[3]){s[0] / 65535.0, s[1] / 65535.0, s[2] / 65535.0}, TYPE_RGB_DBL);
    image = read_pixel(PNG_COLOR_TYPE_RGB, s, 3,
                       &(numbers){.gamma = 256.0 / 563 + 0.006, .wide = true});
    for (int c = 0; c < 3; c++) { /* of nearly that gamma */
        cr_assert(fabs(sample(image, 0, 0, c) - 65535 * to[c]) <= 900);
        cr_assert(c == 2 || abs(sample(image, 0, 0, c) - s[c]) > 1000 || c == 1);
    }
    rv_image_destroy(image);
    free(p.bytes);
}

/* iCCP before sRGB before gAMA and cHRM; 1/2.2 alone means sRGB. */
Test(profile, precedence_in_png)
{
    const int s[3] = {13107, 32768, 52429};
    numbers plain[] = {{.srgb = true}, {.gamma = 0.45455}, {.srgb = true, .gamma = 0.45455}};
    for (int i = 0; i < 3; i++) {
        rv_image *image = read_pixel(PNG_COLOR_TYPE_RGB, s, 3, &plain[i]);
        for (int c = 0; c < 3; c++) {
            cr_assert_eq(sample(image, 0, 0, c), s[c]);
        }
        rv_image_destroy(image);
    }
    icc p = {0};
    p.bytes = make_rgb_profile(&p.n);
    rv_image *image = read_pixel(PNG_COLOR_TYPE_RGB, s, 3, &(numbers){.profile = &p, .gamma = 1.0});
    double to[3];
    expect(to, &p, (double[3]){s[0] / 65535.0, s[1] / 65535.0, s[2] / 65535.0}, TYPE_RGB_DBL);
    cr_assert(fabs(sample(image, 0, 0, 0) - 65535 * to[0]) <= 4);
    rv_image_destroy(image);
    free(p.bytes);
}
