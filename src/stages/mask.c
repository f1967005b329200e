/* Masks: pictures that say where a style goes, at any size. */
/* SPDX-License-Identifier: MIT */
#include "stages/mask.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

enum { WHITE = 65535 };

/* Lightness of a pixel in 65536ths, whose sum makes white white. */
static const uint32_t lightness[3] = {13933, 46871, 4732};

static bool is_transparent(const rv_image *image, size_t pixels)
{
    for (size_t i = 0; rv_image_channels(image) == 4 && i < pixels; i++) {
        if (rv_sample_of(image, 4 * i + 3) < WHITE) {
            return true;
        }
    }
    return false;
}

static rv_status create(rv_mask *out, const rv_image *image, bool alpha)
{
    const int width = rv_image_width(image), height = rv_image_height(image);
    const size_t pixels = (size_t)width * (size_t)height;
    const size_t channels = (size_t)rv_image_channels(image);
    *out = (rv_mask){.width = width, .height = height};
    RV_TRY(rv_alloc(&out->values, pixels, sizeof *out->values, "mask"));
    for (size_t i = 0; i < pixels; i++) {
        uint64_t sum = 0;
        for (size_t c = 0; c < 3 && !alpha; c++) {
            sum += (uint64_t)lightness[c] * rv_sample_of(image, channels * i + c);
        }
        out->values[i] = (uint16_t)(alpha ? rv_sample_of(image, 4 * i + 3) : sum >> 16);
    }
    return RV_OK;
}

rv_status rv_mask_create(rv_mask *out, const rv_image *image)
{
    const size_t pixels = (size_t)rv_image_width(image) * (size_t)rv_image_height(image);
    return create(out, image, is_transparent(image, pixels));
}

rv_status rv_mask_create_alpha(rv_mask *out, const rv_image *image)
{
    return create(out, image, true);
}

void rv_mask_release(rv_mask *mask)
{
    free(mask->values);
    *mask = (rv_mask){0};
}

static bool is_all(const rv_mask *mask, uint16_t value)
{
    const size_t pixels = (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; mask->values != NULL && i < pixels; i++) {
        if (mask->values[i] != value) {
            return false;
        }
    }
    return true;
}

bool rv_mask_is_black(const rv_mask *mask)
{
    return mask->values != NULL && is_all(mask, 0);
}

bool rv_mask_is_white(const rv_mask *mask)
{
    return is_all(mask, WHITE);
}

/* --- feathering ------------------------------------------------------------------------------ */

/* Three means in a row are nearly a Gaussian, and reach as far as three of their radii. */
enum { MEANS = 3 };

/* Means of 2 radius + 1 values along a line of n values `step` apart, the ends repeated; `line` has room for them. */
static void blur_line(uint16_t *values, uint16_t *line, int n, size_t step, int radius)
{
    const uint64_t wide = 2 * (uint64_t)radius + 1;
    uint64_t sum = (uint64_t)(radius + 1) * values[0];
    for (int i = 0; i < n; i++) {
        line[i] = values[(size_t)i * step];
    }
    for (int i = 1; i <= radius; i++) {
        sum += line[i < n ? i : n - 1];
    }
    for (int i = 0; i < n; i++) {
        values[(size_t)i * step] = (uint16_t)((sum + wide / 2) / wide);
        const int64_t in = (int64_t)i + radius + 1, out = (int64_t)i - radius;
        sum += line[in < n ? in : n - 1];
        sum -= line[out > 0 ? out : 0];
    }
}

/* Radius for edges as wide as that: both sides of three means. */
static int radius_of(double width)
{
    return (int)round(width / (2 * MEANS));
}

rv_status rv_mask_feather(rv_mask *mask, double across, double down)
{
    const int longest = mask->width > mask->height ? mask->width : mask->height;
    uint16_t *line;
    RV_TRY(rv_alloc(&line, (size_t)longest, sizeof *line, "mask"));
    for (int k = 0; k < MEANS; k++) {
        for (int y = 0; y < mask->height; y++) {
            blur_line(mask->values + (size_t)y * (size_t)mask->width, line, mask->width, 1,
                      radius_of(across));
        }
        for (int x = 0; x < mask->width; x++) {
            blur_line(mask->values + x, line, mask->height, (size_t)mask->width, radius_of(down));
        }
    }
    free(line);
    return RV_OK;
}

/* --- other sizes ----------------------------------------------------------------------------- */

/* Weights that sum to 1, of neighbours from `first` on: a triangle as wide as a step, but no narrower than a pixel. */
typedef struct taps {
    int first, n;
    double offset, reach; /* of the middle from `first`, and of the triangle to either side */
} taps;

static taps taps_at(int i, int to, int from)
{
    const double middle = (i + 0.5) * from / to - 0.5;
    const double reach = fmax(1.0, (double)from / to);
    const int first = (int)fmax(0, ceil(middle - reach));
    const int last = (int)fmin(from - 1, floor(middle + reach));
    return (taps){first, last - first + 1, middle - first, reach};
}

static double tap(const taps *t, int k)
{
    return fmax(0.0, t->reach - fabs(k - t->offset));
}

/* One row of the mask between its own: whole numbers stay whole, so that black and white stay what they are. */
static void mix_rows(double *out, const rv_mask *mask, const taps *rows)
{
    double sum = 0;
    for (int x = 0; x < mask->width; x++) {
        out[x] = 0;
    }
    for (int k = 0; k < rows->n; k++) {
        const uint16_t *from = mask->values + (size_t)(rows->first + k) * (size_t)mask->width;
        const double weight = tap(rows, k);
        for (int x = 0; x < mask->width; x++) {
            out[x] += weight * from[x];
        }
        sum += weight;
    }
    for (int x = 0; x < mask->width; x++) {
        out[x] /= sum;
    }
}

/* Closer to white than half a step of 16 bits is white. */
static float to_share(double value)
{
    return value > WHITE - 0.5 ? 1.0f : (float)(value / WHITE);
}

static void mix_columns(float *out, const double *row, int width, int from)
{
    for (int x = 0; x < width; x++) {
        const taps t = taps_at(x, width, from);
        double value = 0, sum = 0;
        for (int k = 0; k < t.n; k++) {
            const double weight = tap(&t, k);
            value += weight * row[t.first + k];
            sum += weight;
        }
        out[x] = to_share(value / sum);
    }
}

rv_status rv_mask_rows(float *out, const rv_mask *mask, int width, int height, int first, int rows)
{
    double *row;
    if (mask->values == NULL) {
        for (size_t i = 0; i < (size_t)width * (size_t)rows; i++) {
            out[i] = 1.0f;
        }
        return RV_OK;
    }
    RV_TRY(rv_alloc(&row, (size_t)mask->width, sizeof *row, "a row of a mask"));
    for (int y = 0; y < rows; y++) {
        const taps t = taps_at(first + y, height, mask->height);
        mix_rows(row, mask, &t);
        mix_columns(out + (size_t)y * (size_t)width, row, width, mask->width);
    }
    free(row);
    return RV_OK;
}
