/* Pictures to planes and back: exact without resizing, else as double formulas say, alpha kept apart. */
/* SPDX-License-Identifier: MIT */
#include "stages/picture.h"
#include "base/philox.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

/* Samples that are all over the range. */
static rv_image *random_image(int width, int height, int channels, int bits)
{
    rv_image *image;
    cr_assert_eq(rv_image_create(&image, width, height, channels, bits), RV_OK);
    const uint32_t n = (uint32_t)(width * height * channels);
    for (uint32_t i = 0; i < n; i++) {
        const float u = rv_philox_uniform(7, 0, i);
        if (bits == 16) {
            ((uint16_t *)rv_image_pixels(image))[i] = (uint16_t)(u * 65536.0f);
        } else {
            ((uint8_t *)rv_image_pixels(image))[i] = (uint8_t)(u * 256.0f);
        }
    }
    return image;
}

static double sample(const rv_image *image, int x, int y, int c)
{
    const size_t i = (size_t)((y * rv_image_width(image) + x) * rv_image_channels(image) + c);
    return rv_image_bits(image) == 16
               ? ((const uint16_t *)rv_image_pixels_const(image))[i] / 65535.0
               : ((const uint8_t *)rv_image_pixels_const(image))[i] / 255.0;
}

static double to_linear(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double to_srgb(double v)
{
    return v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

static double lanczos(double x)
{
    const double t = M_PI * x;
    return fabs(x) >= 3 ? 0 : x == 0 ? 1 : 3 * sin(t) * sin(t / 3) / (t * t);
}

/* One colour of one output pixel, in linear light, weighted by alpha where `alpha`. */
static double resized(const rv_image *image, rv_part p, int width, int height, int x, int y, int c)
{
    const double sx = p.width / width, sy = p.height / height;
    const double wx = fmax(sx, 1), wy = fmax(sy, 1);
    const double cx = p.left + (x + 0.5) * sx, cy = p.top + (y + 0.5) * sy;
    double sum = 0, weights = 0;
    for (int v = 0; v < rv_image_height(image); v++) {
        for (int u = 0; u < rv_image_width(image); u++) {
            const double w = lanczos((u + 0.5 - cx) / wx) * lanczos((v + 0.5 - cy) / wy);
            const bool four = rv_image_channels(image) == 4;
            const double a = four ? sample(image, u, v, 3) : 1;
            sum += w * (c == 3 ? a : a * to_linear(sample(image, u, v, c)));
            weights += w;
        }
    }
    return sum / weights;
}

static double clamp(double v)
{
    return fmin(fmax(v, 0), 1);
}

static void check_against_formulas(const rv_image *image, const rv_part *part, int width,
                                   int height)
{
    rv_device *device = rv_test_device();
    const rv_part all = {0, 0, rv_image_width(image), rv_image_height(image)};
    const rv_part p = part != NULL ? *part : all;
    rv_planar planar;
    float *alpha;
    cr_assert_eq(rv_picture_planes(&planar, &alpha, device, image, part, width, height), RV_OK,
                 "%s", rv_error_message());
    cr_assert_eq(alpha != NULL, rv_image_channels(image) == 4);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const int i = y * width + x;
            double a = 1;
            if (alpha != NULL) {
                a = resized(image, p, width, height, x, y, 3);
                cr_assert_float_eq(alpha[i], clamp(a), 2e-6, "alpha at %d %d", x, y);
            }
            for (int c = 0; c < 3; c++) {
                const double v = to_srgb(clamp(resized(image, p, width, height, x, y, c) / a));
                /* Near black the curve is 13 times as steep as the light is exact. */
                cr_assert_float_eq(planar.data[c * width * height + i], v, 3e-5,
                                   "colour %d at %d %d: %g, not %g", c, x, y,
                                   (double)planar.data[c * width * height + i], v);
            }
        }
    }
    rv_planar_release(&planar);
    free(alpha);
    rv_device_close(device);
}

Test(picture, fits_without_ever_growing)
{
    static const int cases[][5] = {{1024, 768, 512, 512, 384}, {768, 1024, 512, 384, 512},
                                   {300, 200, 512, 300, 200},  {1, 3000, 512, 1, 512},
                                   {1, 1, 16, 1, 1},           {451, 300, 113, 113, 75}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int width = cases[i][0], height = cases[i][1];
        rv_picture_fit(&width, &height, cases[i][2]);
        cr_assert(width == cases[i][3] && height == cases[i][4], "%zu: %dx%d", i, width, height);
    }
}

Test(picture, keeps_every_sample_that_is_not_resized)
{
    rv_device *device = rv_test_device();
    for (int bits = 8; bits <= 16; bits += 8) {
        rv_image *image, *back;
        cr_assert_eq(rv_image_create(&image, 256, 256, 3, bits), RV_OK);
        for (int i = 0; i < 256 * 256 * 3; i++) {
            if (bits == 16) {
                ((uint16_t *)rv_image_pixels(image))[i] = (uint16_t)(i / 3);
            } else {
                ((uint8_t *)rv_image_pixels(image))[i] = (uint8_t)(i / 3);
            }
        }
        rv_planar planar;
        cr_assert_eq(rv_picture_planes(&planar, NULL, device, image, NULL, 256, 256), RV_OK);
        for (int i = 0; i < 256 * 256; i++) {
            cr_assert_float_eq(planar.data[i], sample(image, i % 256, i / 256, 0), 1e-6, "%d", i);
        }
        cr_assert_eq(rv_picture_image(&back, &planar, NULL, bits), RV_OK);
        cr_assert_arr_eq(rv_image_pixels(back), rv_image_pixels(image),
                         (size_t)256 * 256 * 3 * (size_t)bits / 8);
        rv_planar_release(&planar);
        rv_image_destroy(image);
        rv_image_destroy(back);
    }
    rv_device_close(device);
}

Test(picture, resizes_in_linear_light_as_formulas_say)
{
    rv_image *image = random_image(37, 23, 3, 8), *wide = random_image(12, 31, 3, 16);
    check_against_formulas(image, NULL, 16, 10);
    check_against_formulas(image, NULL, 50, 23);
    check_against_formulas(image, &(rv_part){2.5, 1.25, 20, 20}, 9, 9);
    check_against_formulas(wide, NULL, 5, 13);
    rv_image_destroy(image);
    rv_image_destroy(wide);
}

Test(picture, takes_the_middle_in_the_ratio_that_is_wanted)
{
    rv_image *image = random_image(40, 20, 3, 8);
    rv_part p = rv_picture_middle(image, 5, 5);
    cr_assert(p.left == 10 && p.top == 0 && p.width == 20 && p.height == 20);
    p = rv_picture_middle(image, 40, 10);
    cr_assert(p.left == 0 && p.top == 5 && p.width == 40 && p.height == 10);
    rv_image_destroy(image);
}

Test(picture, weighs_colours_by_alpha)
{
    rv_image *image = random_image(19, 14, 4, 8);
    uint8_t *pixels = rv_image_pixels(image);
    for (int i = 0; i < 19 * 14; i++) {
        pixels[4 * i + 3] = (uint8_t)(40 + pixels[4 * i + 3] % 200);
    }
    check_against_formulas(image, NULL, 8, 6);
    check_against_formulas(image, NULL, 19, 14);
    rv_image_destroy(image);
}

Test(picture, shows_nothing_of_what_is_transparent)
{
    rv_device *device = rv_test_device();
    rv_image *image;
    cr_assert_eq(rv_image_create(&image, 40, 8, 4, 16), RV_OK);
    uint16_t *pixels = rv_image_pixels(image);
    for (int i = 0; i < 40 * 8; i++) {
        const bool visible = i % 40 < 20;
        pixels[4 * i] = visible ? 50000 : 0;
        pixels[4 * i + 1] = visible ? 0 : 65535;
        pixels[4 * i + 3] = visible ? 65535 : 0;
    }
    for (int width = 20; width <= 40; width += 20) {
        rv_planar planar;
        float *alpha;
        cr_assert_eq(rv_picture_planes(&planar, &alpha, device, image, NULL, width, width / 5),
                     RV_OK);
        const int n = width * width / 5;
        cr_assert_float_eq(alpha[0], 1, 1e-6);
        cr_assert_float_eq(alpha[width - 1], 0, 1e-6);
        for (int i = 0; i < n; i++) {
            cr_assert_float_eq(planar.data[i], 50000 / 65535.0, 1e-4, "red at %d: %g", i,
                               (double)planar.data[i]);
            cr_assert_float_eq(planar.data[n + i], 0, 1e-4, "green at %d: %g", i,
                               (double)planar.data[n + i]);
        }
        rv_planar_release(&planar);
        free(alpha);
    }
    rv_image_destroy(image);
    rv_device_close(device);
}

Test(picture, is_the_same_in_strips_and_in_one_piece)
{
    static const int sizes[][2] = {{60, 40}, {57, 31}, {7, 5}, {200, 300}};
    rv_device *device = rv_test_device();
    rv_image *image = random_image(150, 211, 4, 8);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int width = sizes[i][0], height = sizes[i][1];
        rv_planar strips, piece;
        float *alpha_strips, *alpha_piece;
        cr_assert_eq(rv_picture_planes_within(&strips, &alpha_strips, device, image, NULL, width,
                                              height, 150 * 4 * 48),
                     RV_OK);
        cr_assert_eq(rv_picture_planes(&piece, &alpha_piece, device, image, NULL, width, height),
                     RV_OK);
        for (int k = 0; k < width * height; k++) {
            cr_assert_float_eq(alpha_strips[k], alpha_piece[k], 2e-6, "alpha %d", k);
            for (int c = 0; c < 3; c++) {
                const int at = c * width * height + k;
                /* Little alpha makes errors of the light large. */
                const double allowed = 2e-5 / fmax(0.02, (double)alpha_piece[k]);
                cr_assert_float_eq(strips.data[at], piece.data[at], allowed,
                                   "%dx%d at %d: %g and %g", width, height, at,
                                   (double)strips.data[at], (double)piece.data[at]);
            }
        }
        rv_planar_release(&strips);
        rv_planar_release(&piece);
        free(alpha_strips);
        free(alpha_piece);
    }
    rv_image_destroy(image);
    rv_device_close(device);
}

Test(picture, rounds_to_the_nearest_sample_and_clamps)
{
    float data[3] = {0.4999f / 255.0f, 1.7f, -0.2f}, alpha = 0.5001f / 255.0f;
    const rv_planar planar = {1, 1, data};
    rv_image *image;
    cr_assert_eq(rv_picture_image(&image, &planar, &alpha, 8), RV_OK);
    const uint8_t *small = rv_image_pixels(image);
    cr_assert(small[0] == 0 && small[1] == 255 && small[2] == 0 && small[3] == 1);
    rv_image_destroy(image);
    data[0] = 1234.4f / 65535.0f;
    data[2] = NAN;
    cr_assert_eq(rv_picture_image(&image, &planar, NULL, 16), RV_OK);
    const uint16_t *large = rv_image_pixels(image);
    cr_assert(large[0] == 1234 && large[1] == 65535 && large[2] == 0);
    cr_assert_eq(rv_image_channels(image), 3);
    rv_image_destroy(image);
}

Test(picture, mirrors_a_margin_as_often_as_it_takes)
{
    float data[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const float row[11] = {1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3};
    const rv_planar planar = {3, 1, data};
    rv_planar padded, back;
    cr_assert_eq(rv_planar_pad(&padded, &planar, 4), RV_OK);
    cr_assert(padded.width == 11 && padded.height == 9);
    for (int i = 0; i < 3 * 9 * 11; i++) {
        cr_assert_eq(padded.data[i], row[i % 11] + 3 * (float)(i / 99), "%d", i);
    }
    cr_assert_eq(rv_planar_crop(&back, &padded, 4), RV_OK);
    cr_assert(back.width == 3 && back.height == 1);
    cr_assert_arr_eq(back.data, data, sizeof data);
    rv_planar_release(&padded);
    rv_planar_release(&back);
}

Test(picture, resizes_what_is_one_pixel_wide)
{
    rv_image *dot = random_image(1, 1, 3, 8), *line = random_image(1, 300, 3, 8);
    check_against_formulas(dot, NULL, 1, 1);
    check_against_formulas(dot, NULL, 4, 3);
    check_against_formulas(line, NULL, 1, 51);
    rv_image_destroy(dot);
    rv_image_destroy(line);
}

Test(picture, grows_planes_without_leaving_their_range)
{
    rv_device *device = rv_test_device();
    float data[12];
    for (int i = 0; i < 12; i++) {
        data[i] = (float)(i % 2);
    }
    const rv_planar planar = {2, 2, data};
    rv_planar out;
    cr_assert_eq(rv_planar_resize(&out, device, &planar, 5, 7), RV_OK);
    for (int i = 0; i < 3 * 5 * 7; i++) {
        cr_assert(out.data[i] >= 0.0f && out.data[i] <= 1.0f);
        cr_assert_float_eq(out.data[i] + out.data[i - i % 5 + 4 - i % 5], 1, 1e-6, "mirror of %d",
                           i);
    }
    rv_planar_release(&out);
    rv_device_close(device);
}
