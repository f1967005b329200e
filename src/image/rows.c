/* Rows of a picture as a file takes them: in the colours of its profile, and dithered where it has 8 bits only. */
/* SPDX-License-Identifier: MIT */
#include "image/rows.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

struct rv_rows {
    const rv_image *image;
    rv_colours *colours;       /* NULL: as they are */
    void *converted, *shorter; /* a row each, where needed */
};

rv_status rv_rows_create(rv_rows **out, const rv_image *image, int bits, const rv_blob *icc)
{
    *out = NULL;
    rv_rows *rows;
    RV_TRY(rv_alloc(&rows, 1, sizeof *rows, "rows"));
    rows->image = image;
    const size_t samples = (size_t)image->width * (size_t)image->channels;
    rv_status status = RV_OK;
    if (icc->data != NULL) {
        const rv_pixel_format format = {3, image->channels == 4, image->bits};
        status = rv_colours_create_back(&rows->colours, format, icc);
        if (status == RV_OK) {
            status = rv_alloc(&rows->converted, samples, (size_t)image->bits / 8, "a row");
        }
    }
    if (status == RV_OK && bits < image->bits) {
        status = rv_alloc(&rows->shorter, samples, 1, "a row");
    }
    if (status != RV_OK) {
        rv_rows_destroy(rows);
        return status;
    }
    *out = rows;
    return RV_OK;
}

void rv_rows_destroy(rv_rows *rows)
{
    if (rows != NULL) {
        rv_colours_destroy(rows->colours);
        free(rows->converted);
        free(rows->shorter);
        free(rows);
    }
}

/* A threshold of 0 to 256 for each sample, the fractions of x a + y b with 1/a and 1/a^2 for a = 1.3247...: nowhere
 * are there two alike close together, so what is rounded up and what down mixes finely and without a pattern. */
static uint32_t threshold(uint32_t x, uint32_t y, uint32_t c)
{
    const uint32_t phase = x * UINT32_C(3242174889) + y * UINT32_C(2447445414) + c * 0x55555555u;
    return (uint32_t)((uint64_t)phase * 257 >> 32);
}

/* Colours become one of the two nearest values, on average the exact one; whole values stay. Alpha is rounded. */
static void shorten(uint8_t *to, const uint16_t *from, size_t width, int channels, int y)
{
    for (size_t x = 0; x < width; x++) {
        for (int c = 0; c < channels; c++, to++, from++) {
            const uint32_t up = c < 3 ? threshold((uint32_t)x, (uint32_t)y, (uint32_t)c) : 128;
            *to = (uint8_t)((*from + up) / 257);
        }
    }
}

const void *rv_rows_get(rv_rows *rows, int y)
{
    const rv_image *image = rows->image;
    const size_t width = (size_t)image->width;
    const size_t bytes = width * (size_t)(image->channels * image->bits / 8);
    const void *row = (const uint8_t *)image->pixels + (size_t)y * bytes;
    if (rows->colours != NULL) {
        rv_colours_row(rows->colours, rows->converted, row, width);
        row = rows->converted;
    }
    if (rows->shorter != NULL) {
        shorten(rows->shorter, row, width, image->channels, y);
        row = rows->shorter;
    }
    return row;
}
