/* Pictures as the kernels of augmentation read them. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "dataset/augmenter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPARE_BYTES = 2, WHITE = 255 };

rv_status rv_source_create(rv_source *out, int width, int height)
{
    *out = (rv_source){.width = width, .height = height};
    return rv_alloc(&out->rgb, (size_t)width * (size_t)height * 3 + SPARE_BYTES, 1, "a picture");
}

void rv_source_release(rv_source *source)
{
    free(source->rgb);
    source->rgb = NULL;
}

void rv_source_measure(rv_source *s)
{
    const size_t n = (size_t)s->width * (size_t)s->height;
    uint64_t sum[3] = {0};
    for (size_t i = 0; i < n; i++) {
        sum[0] += s->rgb[3 * i];
        sum[1] += s->rgb[3 * i + 1];
        sum[2] += s->rgb[3 * i + 2];
    }
    s->mean_grey =
        (float)((0.299 * (double)sum[0] + 0.587 * (double)sum[1] + 0.114 * (double)sum[2]) /
                (255.0 * (double)n));
}

static void copy_8(uint8_t *to, const uint8_t *from, size_t n, int channels)
{
    if (channels == 3) {
        memcpy(to, from, 3 * n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const int alpha = from[4 * i + 3];
        for (size_t c = 0; c < 3; c++) {
            to[3 * i + c] =
                (uint8_t)((from[4 * i + c] * alpha + WHITE * (255 - alpha) + 127) / 255);
        }
    }
}

static void copy_16(uint8_t *to, const uint16_t *from, size_t n, int channels)
{
    for (size_t i = 0; i < n; i++) {
        const uint16_t *pixel = from + i * (size_t)channels;
        const double alpha = channels == 4 ? pixel[3] / 65535.0 : 1;
        for (size_t c = 0; c < 3; c++) {
            to[3 * i + c] = (uint8_t)lround(pixel[c] / 257.0 * alpha + WHITE * (1 - alpha));
        }
    }
}

rv_status rv_source_from_image(rv_source *out, const rv_image *image)
{
    RV_TRY(rv_source_create(out, rv_image_width(image), rv_image_height(image)));
    const size_t n = (size_t)out->width * (size_t)out->height;
    const void *pixels = rv_image_pixels_const(image);
    if (rv_image_bits(image) == 16) {
        copy_16(out->rgb, pixels, n, rv_image_channels(image));
    } else {
        copy_8(out->rgb, pixels, n, rv_image_channels(image));
    }
    rv_source_measure(out);
    return RV_OK;
}

rv_status rv_source_halve(rv_source *out, const rv_source *in)
{
    const int width = in->width > 1 ? in->width / 2 : 1,
              height = in->height > 1 ? in->height / 2 : 1;
    const size_t row = (size_t)in->width * 3;
    const size_t right = in->width > 1 ? 3 : 0, below = in->height > 1 ? row : 0;
    RV_TRY(rv_source_create(out, width, height));
    out->mean_grey = in->mean_grey;
    for (int y = 0; y < height; y++) {
        const uint8_t *from = in->rgb + 2 * (size_t)y * row;
        uint8_t *to = out->rgb + (size_t)y * (size_t)width * 3;
        for (size_t x = 0; x < (size_t)width; x++) {
            for (size_t c = 0; c < 3; c++) {
                const uint8_t *p = from + 6 * x + c;
                to[3 * x + c] = (uint8_t)((p[0] + p[right] + p[below] + p[right + below] + 2) / 4);
            }
        }
    }
    return RV_OK;
}

int rv_augment_halvings(const rv_augment_job *job)
{
    const double det = (double)job->matrix[0] * (double)job->matrix[4] -
                       (double)job->matrix[1] * (double)job->matrix[3];
    int n = 0;
    for (double scale = sqrt(fabs(det)); scale >= 2 && n < 12; scale /= 2) {
        n++;
    }
    return n;
}

void rv_augment_set_source(rv_augment_job *job, const rv_source *source, int halvings)
{
    job->source_width = source->width;
    job->source_height = source->height;
    job->mean_grey = source->mean_grey;
    for (int i = 0; i < 6; i++) {
        job->matrix[i] *= ldexpf(1, -halvings);
    }
}
