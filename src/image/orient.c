/* EXIF orientations: pixels moved so that the picture stands upright. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "image/internal.h"

#include <stdlib.h>
#include <string.h>

/* Where the first upright pixel lies in the file, and how one goes on from there. */
typedef struct turn {
    bool transposed;              /* rows of the file are columns */
    bool from_right, from_bottom; /* in the file */
} turn;

static const turn turns[9] = {
    [1] = {false, false, false}, [2] = {false, true, false}, [3] = {false, true, true},
    [4] = {false, false, true},  [5] = {true, false, false}, [6] = {true, false, true},
    [7] = {true, true, true},    [8] = {true, true, false},
};

/* Copies one upright row from pixels that lie `step` bytes apart. */
static void copy_row(uint8_t *to, const uint8_t *from, ptrdiff_t step, size_t width, size_t bytes)
{
    for (size_t x = 0; x < width; x++) {
        memcpy(to, from, bytes);
        to += bytes;
        from += step;
    }
}

rv_status rv_image_orient(rv_image *image, int orientation)
{
    if (orientation == 1) {
        return RV_OK;
    }
    const turn t = turns[orientation];
    const size_t w = (size_t)image->width, h = (size_t)image->height;
    const size_t bytes = (size_t)(image->channels * image->bits / 8);
    uint8_t *pixels;
    RV_TRY(rv_alloc(&pixels, w * h, bytes, "turning a picture upright"));
    const ptrdiff_t file_x = (ptrdiff_t)bytes * (t.from_right ? -1 : 1);
    const ptrdiff_t file_y = (ptrdiff_t)(w * bytes) * (t.from_bottom ? -1 : 1);
    const uint8_t *from = (const uint8_t *)image->pixels + (t.from_right ? (w - 1) * bytes : 0) +
                          (t.from_bottom ? (h - 1) * w * bytes : 0);
    const size_t width = t.transposed ? h : w, height = t.transposed ? w : h;
    for (size_t y = 0; y < height; y++) {
        copy_row(pixels + y * width * bytes, from + (ptrdiff_t)y * (t.transposed ? file_x : file_y),
                 t.transposed ? file_y : file_x, width, bytes);
    }
    free(image->pixels);
    image->pixels = pixels;
    image->width = (int)width;
    image->height = (int)height;
    return RV_OK;
}
