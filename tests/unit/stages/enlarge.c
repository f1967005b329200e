/* Styled pictures at the size of their photo: against a naive twin, at edges, in strips, and through rv_stylize(). */
/* SPDX-License-Identifier: MIT */
#include "stages/enlarge.h"
#include "small_network.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/stylize.h>
#include <stdlib.h>
#include <string.h>

/* --- a twin, in double, pixel by pixel --------------------------------------------------------- */

static double value(const rv_planar *p, int c, int x, int y)
{
    const int cx = x < 0 ? 0 : x < p->width ? x : p->width - 1;
    const int cy = y < 0 ? 0 : y < p->height ? y : p->height - 1;
    return (double)
        p->data[((size_t)c * (size_t)p->height + (size_t)cy) * (size_t)p->width + (size_t)cx];
}

static double light(const rv_planar *p, int x, int y)
{
    return 0.2126 * value(p, 0, x, y) + 0.7152 * value(p, 1, x, y) + 0.0722 * value(p, 2, x, y);
}

static double whole_slope(const rv_planar *styled, const rv_planar *small)
{
    const double n = (double)small->width * small->height;
    double a = 0, b = 0, top = 0, bottom = 0;
    for (int y = 0; y < small->height; y++) {
        for (int x = 0; x < small->width; x++) {
            a += light(small, x, y) / n;
            b += light(styled, x, y) / n;
        }
    }
    for (int y = 0; y < small->height; y++) {
        for (int x = 0; x < small->width; x++) {
            top += (light(small, x, y) - a) * (light(styled, x, y) - b);
            bottom += (light(small, x, y) - a) * (light(small, x, y) - a);
        }
    }
    return bottom > 0 ? fmin(fmax(top / bottom, 0), 1) : 0;
}

static const double binomial[5] = {1 / 16.0, 4 / 16.0, 6 / 16.0, 4 / 16.0, 1 / 16.0};

/* Borders of what is blurred are repeated: the window moves, what it sees does not. */
static double slope_at(const rv_planar *styled, const rv_planar *small, int c, int x, int y)
{
    double my = 0, mc = 0, covariance = 0, variance = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int dy = -2; dy <= 2; dy++) {
            for (int dx = -2; dx <= 2; dx++) {
                const double w = binomial[dx + 2] * binomial[dy + 2];
                const double l = light(small, x + dx, y + dy);
                const double v = value(styled, c, x + dx, y + dy);
                my += pass == 0 ? w * l : 0;
                mc += pass == 0 ? w * v : 0;
                covariance += pass == 1 ? w * (l - my) * (v - mc) : 0;
                variance += pass == 1 ? w * (l - my) * (l - my) : 0;
            }
        }
    }
    const double slope = (covariance + 1e-3 * whole_slope(styled, small)) / (variance + 1e-3);
    return fmin(fmax(slope, -2.0), 2.0);
}

/* Planes of the slopes, blurred. */
static void make_slopes(rv_planar *out, const rv_planar *styled, const rv_planar *small)
{
    rv_planar sharp;
    cr_assert_eq(rv_planar_create(out, small->width, small->height), RV_OK);
    cr_assert_eq(rv_planar_create(&sharp, small->width, small->height), RV_OK);
    const size_t n = (size_t)small->width * (size_t)small->height;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < (int)(3 * n); i++) {
            const int c = i / (int)n, y = i % (int)n / small->width, x = i % small->width;
            if (pass == 0) {
                sharp.data[i] = (float)slope_at(styled, small, c, x, y);
                continue;
            }
            double sum = 0;
            for (int k = 0; k < 25; k++) {
                sum += binomial[k / 5] * binomial[k % 5] *
                       value(&sharp, c, x + k % 5 - 2, y + k / 5 - 2);
            }
            out->data[i] = (float)sum;
        }
    }
    rv_planar_release(&sharp);
}

/* Mitchell and Netravali's, B = C = 1/3. */
static double cubic(double t)
{
    t = fabs(t);
    return t < 1   ? (7 * t * t * t - 12 * t * t + 16.0 / 3) / 6
           : t < 2 ? (-7.0 / 3 * t * t * t + 12 * t * t - 20 * t + 32.0 / 3) / 6
                   : 0;
}

/* Channel c, or for c = 3 the luminance, at a pixel of a picture of that size. */
static double enlarged(const rv_planar *p, int c, int x, int y, int width, int height)
{
    const double sx = (x + 0.5) * p->width / width - 0.5, sy = (y + 0.5) * p->height / height - 0.5;
    double sum = 0;
    for (int iy = (int)floor(sy) - 1; iy <= (int)floor(sy) + 2; iy++) {
        for (int ix = (int)floor(sx) - 1; ix <= (int)floor(sx) + 2; ix++) {
            const double v = c < 3 ? value(p, c, ix, iy) : light(p, ix, iy);
            sum += cubic(sx - ix) * cubic(sy - iy) * v;
        }
    }
    return sum;
}

static double sample(const rv_image *image, size_t i)
{
    return rv_image_bits(image) == 16
               ? ((const uint16_t *)rv_image_pixels_const(image))[i] / 65535.0
               : ((const uint8_t *)rv_image_pixels_const(image))[i] / 255.0;
}

/* Fills planes with waves of their own. */
static void make_planes(rv_planar *out, int width, int height, uint32_t seed)
{
    rv_image *image = waves(width, height, 3, 16, seed);
    cr_assert_eq(rv_planar_create(out, width, height), RV_OK);
    const size_t n = (size_t)width * (size_t)height;
    for (size_t i = 0; i < 3 * n; i++) {
        out->data[i] = (float)sample(image, i % n * 3 + i / n);
    }
    rv_image_destroy(image);
}

/* The luminance of a colour with as much of the chroma of another as 0 to 1 has room for. */
static double kept(const double styled[3], const double own[3], int channel)
{
    const double y = 0.2126 * styled[0] + 0.7152 * styled[1] + 0.0722 * styled[2];
    const double l = 0.2126 * own[0] + 0.7152 * own[1] + 0.0722 * own[2];
    double most = 1;
    for (int c = 0; c < 3; c++) {
        most = own[c] > l ? fmin(most, (1 - y) / (own[c] - l)) : most;
        most = own[c] < l ? fmin(most, y / (l - own[c])) : most;
    }
    return y + most * (own[channel] - l);
}

Test(enlarge, is_what_the_formula_says)
{
    static const struct {
        int small[2], large[2], channels, bits;
        double detail;
        bool own_colours;
    } cases[] = {
        {{7, 5}, {31, 22}, 3, 16, 1, false},    {{8, 8}, {64, 70}, 3, 8, 1, false},
        {{16, 9}, {33, 19}, 4, 16, 0.5, false}, {{13, 1}, {65, 4}, 3, 16, 1, false},
        {{1, 1}, {9, 33}, 4, 8, 1, false},      {{2, 3}, {2, 40}, 3, 16, 1, false},
        {{40, 30}, {63, 31}, 3, 16, 0, false},  {{20, 20}, {20, 20}, 3, 16, 1, false},
        {{7, 5}, {31, 22}, 3, 16, 1, true},     {{16, 9}, {33, 19}, 4, 8, 0.5, true},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int w = cases[k].large[0], h = cases[k].large[1], channels = cases[k].channels;
        rv_planar styled, small, slopes;
        make_planes(&styled, cases[k].small[0], cases[k].small[1], 5);
        make_planes(&small, cases[k].small[0], cases[k].small[1], 6);
        make_slopes(&slopes, &styled, &small);
        rv_image *photo = waves(w, h, channels, cases[k].bits, 7);
        rv_image *out = waves(w, h, channels, cases[k].bits, 7);
        cr_assert_eq(rv_enlarge(out, &styled, &small, cases[k].detail, cases[k].own_colours),
                     RV_OK);
        /* Half a place of rounding, and that of 25 floats, which the room that a channel has in 0..1 hands on to the chroma of
         * another one several times as large. */
        const double slack =
            (cases[k].bits == 16 ? 0.5 / 65535 : 0.5 / 255) + (cases[k].own_colours ? 1e-4 : 2e-5);
        for (int i = 0; i < w * h * channels; i++) {
            const int c = i % channels, x = i / channels % w, y = i / channels / w;
            const size_t pixel = (size_t)(i - c);
            double want = sample(photo, (size_t)i), all[3], own[3];
            for (int i3 = 0; i3 < 3; i3++) {
                own[i3] = sample(photo, pixel + (size_t)i3);
            }
            const double l = 0.2126 * own[0] + 0.7152 * own[1] + 0.0722 * own[2];
            for (int i3 = 0; i3 < 3; i3++) {
                const double v = enlarged(&styled, i3, x, y, w, h) +
                                 cases[k].detail * enlarged(&slopes, i3, x, y, w, h) *
                                     (l - enlarged(&small, 3, x, y, w, h));
                all[i3] = fmin(fmax(v, 0), 1);
            }
            if (c < 3) {
                want = cases[k].own_colours ? kept(all, own, c) : all[c];
            }
            cr_assert_float_eq(sample(out, (size_t)i), want, slack,
                               "case %zu, channel %d at %d, %d: %g instead of %g", k, c, x, y,
                               sample(out, (size_t)i), want);
        }
        rv_image_destroy(photo);
        rv_image_destroy(out);
        rv_planar_release(&styled);
        rv_planar_release(&small);
        rv_planar_release(&slopes);
    }
}

/* Grey on one side of a column, another grey on the other. */
static rv_image *edge(int width, int height, int column, double left, double right)
{
    rv_image *image;
    cr_assert_eq(rv_image_create(&image, width, height, 3, 16), RV_OK);
    uint16_t *pixels = rv_image_pixels(image);
    for (int i = 0; i < 3 * width * height; i++) {
        pixels[i] = (uint16_t)lround(65535 * (i / 3 % width < column ? left : right));
    }
    return image;
}

/* An edge that the styled picture has as well, upright, turned over or softer, comes out as sharp as in the photo, and
 * nothing beside it is lighter or darker than what was styled: no halo. */
Test(enlarge, gives_edges_without_halos)
{
    static const double levels[][2] = {{0.2, 0.8}, {0.9, 0.3}, {0.45, 0.6}, {0.1, 0.85}};
    enum { WIDTH = 192, HEIGHT = 48, ZOOM = 8, COLUMN = 101 };
    rv_device *device = rv_test_device();
    for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
        const double left = levels[k][0], right = levels[k][1], height = fabs(right - left);
        rv_image *photo = edge(WIDTH, HEIGHT, COLUMN, 0.3, 0.7);
        rv_planar small, styled;
        cr_assert_eq(
            rv_picture_planes(&small, NULL, device, photo, NULL, WIDTH / ZOOM, HEIGHT / ZOOM),
            RV_OK);
        cr_assert_eq(rv_planar_create(&styled, small.width, small.height), RV_OK);
        for (size_t i = 0; i < rv_planar_floats(&styled); i++) {
            const double share = ((double)small.data[i] - 0.3) / 0.4;
            styled.data[i] = (float)(left + share * (right - left));
        }
        cr_assert_eq(rv_enlarge(photo, &styled, &small, 1, false), RV_OK);
        for (int x = 0; x < WIDTH; x++) {
            const double v = sample(photo, 3 * ((size_t)20 * WIDTH + (size_t)x));
            const double want = x < COLUMN ? left : right;
            cr_assert_float_eq(v, want, 0.06 * height, "levels %zu, column %d: %g, not %g", k, x, v,
                               want);
        }
        rv_planar_release(&small);
        rv_planar_release(&styled);
        rv_image_destroy(photo);
    }
    rv_device_close(device);
}

/* A photo that was not styled at all comes back. */
Test(enlarge, puts_all_of_a_grey_photo_back)
{
    rv_device *device = rv_test_device();
    rv_image *photo = waves(150, 110, 3, 16, 3), *out;
    uint16_t *pixels = rv_image_pixels(photo);
    for (int i = 0; i < 150 * 110; i++) {
        pixels[3 * i] = pixels[3 * i + 2] = pixels[3 * i + 1];
    }
    rv_planar small;
    cr_assert_eq(rv_picture_planes(&small, NULL, device, photo, NULL, 15, 11), RV_OK);
    cr_assert_eq(rv_picture_resized(&out, device, photo, 150, 110), RV_OK);
    cr_assert_arr_eq(rv_image_pixels(out), pixels, (size_t)150 * 110 * 6);
    cr_assert_eq(rv_enlarge(out, &small, &small, 1, false), RV_OK);
    for (size_t i = 0; i < (size_t)150 * 110 * 3; i++) {
        cr_assert_float_eq(sample(out, i), sample(photo, i), 1e-4);
    }
    rv_planar_release(&small);
    rv_image_destroy(photo);
    rv_image_destroy(out);
    rv_device_close(device);
}

/* So large that it is made in several strips: no row shows where one ends. */
Test(enlarge, resizes_in_strips_without_seams)
{
    static const int sizes[][4] = {{50, 40, 1500, 1200}, {1800, 1300, 1300, 1100}};
    rv_device *device = rv_test_device();
    for (int k = 0; k < 2; k++) {
        const int *s = sizes[k];
        rv_image *photo = waves(s[0], s[1], 4, 8, 3), *out, *want;
        rv_planar planes;
        float *alpha;
        cr_assert_eq(rv_picture_resized(&out, device, photo, s[2], s[3]), RV_OK);
        cr_assert_eq(rv_picture_planes(&planes, &alpha, device, photo, NULL, s[2], s[3]), RV_OK);
        cr_assert_eq(rv_picture_image(&want, &planes, alpha, 8), RV_OK);
        const uint8_t *a = rv_image_pixels(out), *b = rv_image_pixels(want);
        for (size_t i = 0; i < (size_t)s[2] * (size_t)s[3] * 4; i++) {
            cr_assert(abs(a[i] - b[i]) <= 1, "sample %zu: %d, not %d", i, a[i], b[i]);
        }
        free(alpha);
        rv_planar_release(&planes);
        rv_image_destroy(photo);
        rv_image_destroy(out);
        rv_image_destroy(want);
    }
    rv_device_close(device);
}

/* --- through rv_stylize() ---------------------------------------------------------------------- */

static rv_status stylize(rv_image **out, rv_stylize_result *result, int channels, int size,
                         int output_size)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_image *photo = waves(90, 60, channels, 8, 1), *style = waves(30, 22, 3, 8, 2);
    rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
    options.size = size;
    options.iterations = 2;
    options.content_layers = "relu3";
    options.output_size = output_size;
    const rv_status status = rv_stylize(out, result, device, model, photo,
                                        (const rv_image *const[]){style}, NULL, 1, &options);
    if (status == RV_OK && channels == 4 && rv_image_width(*out) == 90) {
        const uint8_t *a = rv_image_pixels(photo), *b = rv_image_pixels(*out);
        for (size_t i = 3; i < (size_t)90 * 60 * 4; i += 4) {
            cr_assert_eq(a[i], b[i], "alpha of pixel %zu", i / 4);
        }
    }
    rv_image_destroy(photo);
    rv_image_destroy(style);
    rv_model_close(model);
    rv_device_close(device);
    return status;
}

Test(enlarge, gives_the_size_that_was_asked_for)
{
    static const struct {
        int channels, size, output, width, height, styled;
        const char *settings;
    } cases[] = {
        {3, 32, RV_OUTPUT_PHOTO, 90, 60, 32, " size=32 "},
        {4, 32, RV_OUTPUT_PHOTO, 90, 60, 32, " output_size=90 detail=1"},
        {3, 32, 45, 45, 30, 32, " output_size=45 "},
        {3, 32, 200, 200, 133, 32, " output_size=200 "}, /* more than the photo has */
        {3, 32, 24, 24, 16, 24, " size=24 "},
        {3, 90, RV_OUTPUT_PHOTO, 90, 60, 90, " seed=0"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        rv_image *out;
        rv_stylize_result result;
        cr_assert_eq(stylize(&out, &result, cases[k].channels, cases[k].size, cases[k].output),
                     RV_OK, "%s", rv_error_message());
        cr_assert_eq(rv_image_width(out), cases[k].width, "case %zu", k);
        cr_assert_eq(rv_image_height(out), cases[k].height, "case %zu", k);
        cr_assert_eq(rv_image_channels(out), cases[k].channels, "case %zu", k);
        cr_assert_eq(result.styled_width, cases[k].styled, "case %zu", k);
        cr_assert_not_null(strstr(result.settings, cases[k].settings), "case %zu: %s", k,
                           result.settings);
        cr_assert_eq(strstr(result.settings, "output_size") != NULL,
                     cases[k].width > cases[k].styled, "case %zu", k);
        rv_image_destroy(out);
    }
}

Test(enlarge, refuses_sizes_out_of_range)
{
    static const struct {
        int output;
        const char *message;
    } cases[] = {
        {15, "output_size is 15, must be from 16 to 100000"},
        {-2, "output_size is -2, must be from 16 to 100000"},
        {90000,
         "an output_size of 90000 makes a picture of 90000 x 60000, more than 200 million pixels"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        rv_image *out;
        cr_assert_eq(stylize(&out, NULL, 3, 32, cases[k].output), RV_ERR_USAGE);
        cr_assert_str_eq(rv_error_message(), cases[k].message);
        cr_assert_null(out);
    }
}
