/* Brings a styled picture to the size of its photo: enlarged, the photo's fine detail put back. */
/* SPDX-License-Identifier: MIT */
#include "stages/enlarge.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "stages/colour_keep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Floats of the result that are made at a time where a photo is resized: 16 MiB. */
#define STRIP_FLOATS ((size_t)1 << 22)

/* Rows of the result that a thread makes at a time. */
enum { ROWS = 32 };

/* Of the luminance of sRGB, whose values are taken as they are. */
static const float luminance[3] = {0.2126f, 0.7152f, 0.0722f};

/* Variance of y above which the slope found around a pixel counts more than that of the whole picture: edges of 1 in 30
 * of the range. */
#define FLAT 1e-3f

/* The steepest slope: a stroke that only happens to lie where y changes a little must not carry it further. */
#define STEEPEST 2.0f

/* --- slopes ---------------------------------------------------------------------------------- */

/* What is known of a pixel of the small size, side by side for one pass of interpolation. */
enum { STYLED, SLOPE = STYLED + 3, SMALL = SLOPE + 3, VALUES = 8 };

/* Means around a pixel of y, y y, styled_c, and y styled_c. */
enum { MEAN_Y, MEAN_YY, MEAN_C, MEAN_YC = MEAN_C + 3, MEANS = MEAN_YC + 3 };

static int clamped(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* Weights 1 4 6 4 1 along rows (step 1) or columns, borders repeated. Each line has `n` pixels. */
static void blur_line(float *out, const float *in, int n, size_t step)
{
    for (int i = 0; i < n; i++) {
        const float *a = in + (size_t)clamped(i - 2, n) * step;
        const float *b = in + (size_t)clamped(i - 1, n) * step;
        const float *c = in + (size_t)i * step;
        const float *d = in + (size_t)clamped(i + 1, n) * step;
        const float *e = in + (size_t)clamped(i + 2, n) * step;
        out[(size_t)i * step] = (*a + *e + 4.0f * (*b + *d) + 6.0f * *c) / 16.0f;
    }
}

/* Blurs a plane [height, width] by way of a scratch of its size. */
static void blur(float *plane, float *scratch, int width, int height)
{
    for (int y = 0; y < height; y++) {
        const size_t row = (size_t)y * (size_t)width;
        blur_line(scratch + row, plane + row, width, 1);
    }
    for (int x = 0; x < width; x++) {
        blur_line(plane + x, scratch + x, height, (size_t)width);
    }
}

static float luminance_at(const rv_planar *p, size_t i)
{
    const size_t n = (size_t)p->width * (size_t)p->height;
    return luminance[0] * p->data[i] + luminance[1] * p->data[n + i] +
           luminance[2] * p->data[2 * n + i];
}

/* Slope of the styled luminance over all of the picture, 0 to 1. */
static float whole_slope(const rv_planar *styled, const rv_planar *small)
{
    const size_t n = (size_t)small->width * (size_t)small->height;
    double y = 0, s = 0, yy = 0, ys = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = (double)luminance_at(small, i), b = (double)luminance_at(styled, i);
        y += a / (double)n;
        s += b / (double)n;
        yy += a * a / (double)n;
        ys += a * b / (double)n;
    }
    const double variance = yy - y * y;
    return variance > 1e-9 ? (float)fmin(fmax((ys - y * s) / variance, 0), 1) : 0.0f;
}

/* Planes [MEANS, height, width] to slopes in the place of MEAN_C. */
static void find_slopes(float *means, size_t n, float whole)
{
    for (size_t i = 0; i < n; i++) {
        const float y = means[MEAN_Y * n + i];
        const float variance = means[MEAN_YY * n + i] - y * y;
        for (size_t c = 0; c < 3; c++) {
            float *at = &means[(MEAN_C + c) * n + i];
            const float covariance = means[(MEAN_YC + c) * n + i] - y * *at;
            const float slope = (covariance + FLAT * whole) / (fmaxf(variance, 0.0f) + FLAT);
            *at = fminf(fmaxf(slope, -STEEPEST), STEEPEST);
        }
    }
}

/* Field [height, width, VALUES] of the small size. */
static rv_status make_field(float **out, const rv_planar *styled, const rv_planar *small,
                            float detail)
{
    const int width = small->width, height = small->height;
    const size_t n = (size_t)width * (size_t)height;
    float *means = NULL, *scratch = NULL;
    rv_status status = rv_alloc(&means, MEANS * n, sizeof *means, "slopes");
    if (status == RV_OK) {
        status = rv_alloc(&scratch, n, sizeof *scratch, "slopes");
    }
    if (status == RV_OK) {
        status = rv_alloc(out, VALUES * n, sizeof(float), "slopes");
    }
    if (status != RV_OK) {
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++) {
        const float y = luminance_at(small, i);
        means[MEAN_Y * n + i] = y;
        means[MEAN_YY * n + i] = y * y;
        (*out)[i * VALUES + SMALL] = y;
        for (size_t c = 0; c < 3; c++) {
            const float v = styled->data[c * n + i];
            means[(MEAN_C + c) * n + i] = v;
            means[(MEAN_YC + c) * n + i] = y * v;
            (*out)[i * VALUES + STYLED + c] = v;
        }
    }
    for (size_t m = 0; m < MEANS; m++) {
        blur(means + m * n, scratch, width, height);
    }
    find_slopes(means, n, whole_slope(styled, small));
    for (size_t c = 0; c < 3; c++) {
        blur(means + (MEAN_C + c) * n, scratch, width, height);
        for (size_t i = 0; i < n; i++) {
            (*out)[i * VALUES + SLOPE + c] = detail * means[(MEAN_C + c) * n + i];
        }
    }
cleanup:
    free(means);
    free(scratch);
    return status;
}

/* --- rows ------------------------------------------------------------------------------------ */

/* Where a pixel of the result lies among the small ones: weights of four from `first` on. */
typedef struct taps {
    int first;
    float weight[4];
} taps;

/* Cubic of Mitchell and Netravali (1988) at a distance of 0 to 2: one that keeps every value, such as that of Catmull and
 * Rom, makes beads of slanting strokes. */
static float cubic(double d)
{
    return (float)(d < 1 ? (7 * d - 12) * d * d / 6 + 8.0 / 9
                         : ((-7.0 / 3 * d + 12) * d - 20) * d / 6 + 16.0 / 9);
}

static taps taps_at(int i, int to, int from)
{
    const double at = (i + 0.5) * from / to - 0.5;
    const double whole = floor(at), t = at - whole;
    return (taps){(int)whole - 1, {cubic(1 + t), cubic(t), cubic(1 - t), cubic(2 - t)}};
}

typedef struct enlargement {
    rv_image *picture;
    const float *field; /* [height, width, VALUES] */
    int width, height;  /* of the field */
    const taps *columns;
    bool own_colours;
} enlargement;

/* Pixels that a row is repeated by at either end, so that no tap lies outside. */
enum { BORDER = 2 };

/* The field between its rows: [BORDER + width + BORDER, VALUES]. */
static void mix_rows(float *out, const enlargement *e, const taps *row)
{
    const size_t n = (size_t)e->width * VALUES;
    float *inner = out + BORDER * VALUES;
    for (size_t i = 0; i < n; i++) {
        inner[i] = 0;
    }
    for (int k = 0; k < 4; k++) {
        const float *from = e->field + (size_t)clamped(row->first + k, e->height) * n;
        for (size_t i = 0; i < n; i++) {
            inner[i] += row->weight[k] * from[i];
        }
    }
    for (int k = 0; k < BORDER; k++) {
        memcpy(out + k * VALUES, inner, VALUES * sizeof *out);
        memcpy(inner + n + k * VALUES, inner + n - VALUES, VALUES * sizeof *out);
    }
}

/* Colours 0..1 of a pixel, from its own and from a mixed row. */
static void mix_pixel(float colour[3], const float *mixed, const taps *column)
{
    const float *from = mixed + (size_t)(column->first + BORDER) * VALUES;
    float v[VALUES] = {0};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < VALUES; i++) {
            v[i] += column->weight[k] * from[k * VALUES + i];
        }
    }
    const float y = luminance[0] * colour[0] + luminance[1] * colour[1] + luminance[2] * colour[2];
    for (int c = 0; c < 3; c++) {
        colour[c] = fminf(fmaxf(v[STYLED + c] + v[SLOPE + c] * (y - v[SMALL]), 0.0f), 1.0f);
    }
}

static void make_row(const enlargement *e, const float *mixed, int y)
{
    const size_t width = (size_t)rv_image_width(e->picture);
    const size_t channels = (size_t)rv_image_channels(e->picture);
    uint8_t *small = rv_image_pixels(e->picture);
    uint16_t *large = rv_image_pixels(e->picture);
    const bool wide = rv_image_bits(e->picture) == 16;
    const float range = wide ? 65535.0f : 255.0f;
    for (size_t x = 0; x < width; x++) {
        const size_t at = ((size_t)y * width + x) * channels;
        float colour[3], own[3];
        for (size_t c = 0; c < 3; c++) {
            own[c] = colour[c] = (float)(wide ? large[at + c] : small[at + c]) / range;
        }
        mix_pixel(colour, mixed, &e->columns[x]);
        if (e->own_colours) {
            rv_colour_keep(colour, own);
        }
        for (size_t c = 0; c < 3; c++) {
            const float sample = colour[c] * range + 0.5f;
            if (wide) {
                large[at + c] = (uint16_t)sample;
            } else {
                small[at + c] = (uint8_t)sample;
            }
        }
    }
}

static rv_status make_rows(void *payload, size_t index)
{
    const enlargement *e = payload;
    const int height = rv_image_height(e->picture), first = (int)index * ROWS;
    float *mixed;
    RV_TRY(rv_alloc(&mixed, ((size_t)e->width + 2 * BORDER) * VALUES, sizeof *mixed, "a row"));
    for (int y = first; y < height && y < first + ROWS; y++) {
        const taps row = taps_at(y, height, e->height);
        mix_rows(mixed, e, &row);
        make_row(e, mixed, y);
    }
    free(mixed);
    return RV_OK;
}

rv_status rv_enlarge(rv_image *picture, const rv_planar *styled, const rv_planar *small,
                     double detail, bool own_colours)
{
    const int width = rv_image_width(picture), height = rv_image_height(picture);
    float *field = NULL;
    taps *columns = NULL;
    rv_status status = make_field(&field, styled, small, (float)detail);
    if (status == RV_OK) {
        status = rv_alloc(&columns, (size_t)width, sizeof *columns, "columns");
    }
    if (status == RV_OK) {
        for (int x = 0; x < width; x++) {
            columns[x] = taps_at(x, width, small->width);
        }
        enlargement e = {picture, field, small->width, small->height, columns, own_colours};
        status = rv_parallel_for((size_t)(height - 1) / ROWS + 1, 0, make_rows, &e);
    }
    free(columns);
    free(field);
    return status;
}

/* --- the photo at that size ------------------------------------------------------------------ */

rv_status rv_picture_strip(rv_image **out, rv_device *device, const rv_image *image, int width,
                           int height, int first, int rows)
{
    const double step = (double)rv_image_height(image) / height;
    const rv_part part = {0, first * step, rv_image_width(image), rows * step};
    rv_planar planes = {0};
    float *alpha = NULL;
    *out = NULL;
    rv_status status = rv_picture_planes(&planes, &alpha, device, image, &part, width, rows);
    if (status == RV_OK) {
        status = rv_picture_image(out, &planes, alpha, rv_image_bits(image));
    }
    rv_planar_release(&planes);
    free(alpha);
    return status;
}

/* Rows of `to` from `first` on, of which there are at most `rows`. */
static rv_status resize_strip(rv_image *to, rv_device *device, const rv_image *image, int first,
                              int rows)
{
    const int width = rv_image_width(to), height = rv_image_height(to);
    const int n = rows < height - first ? rows : height - first;
    const size_t row_bytes =
        (size_t)width * (size_t)(rv_image_channels(to) * rv_image_bits(to) / 8);
    rv_image *strip;
    RV_TRY(rv_picture_strip(&strip, device, image, width, height, first, n));
    memcpy((char *)rv_image_pixels(to) + (size_t)first * row_bytes, rv_image_pixels(strip),
           (size_t)n * row_bytes);
    rv_image_destroy(strip);
    return RV_OK;
}

rv_status rv_picture_resized(rv_image **out, rv_device *device, const rv_image *image, int width,
                             int height)
{
    const int channels = rv_image_channels(image), bits = rv_image_bits(image);
    const size_t row_floats = (size_t)width * (size_t)channels;
    const int rows = row_floats < STRIP_FLOATS ? (int)(STRIP_FLOATS / row_floats) : 1;
    rv_image *to;
    *out = NULL;
    RV_TRY(rv_image_create(&to, width, height, channels, bits));
    rv_status status = RV_OK;
    if (width == rv_image_width(image) && height == rv_image_height(image)) {
        memcpy(rv_image_pixels(to), rv_image_pixels_const(image),
               (size_t)height * row_floats * (size_t)(bits / 8));
    } else {
        for (int y = 0; y < height && status == RV_OK; y += rows) {
            status = resize_strip(to, device, image, y, rows);
        }
    }
    if (status != RV_OK) {
        rv_image_destroy(to);
        return status;
    }
    *out = to;
    return RV_OK;
}
