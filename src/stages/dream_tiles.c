/* Cuts a picture into tiles, mirrored beyond its edges, and puts the gradients of their inner parts together. */
/* SPDX-License-Identifier: MIT */
#include "stages/dream_tiles.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of more than one tile: pixels at each edge that are only seen, and by how many they can be shifted at least. */
enum { MARGIN = 16, SHIFT = 64 };

/* A picture that goes through at once may have so much more area than a tile: one that needs many is large itself. */
#define AT_ONCE 1.6

/* Tiles along one side, and their length without margin. */
static int split(int *inner, int side, int jitter, int largest)
{
    int n = 1;
    *inner = side + jitter;
    while (*inner + (n > 1 ? 2 * MARGIN : 0) > largest) {
        const int shift = jitter > SHIFT ? jitter : SHIFT;
        n++;
        *inner = (side + shift + n - 1) / n;
    }
    return n;
}

rv_tiles rv_tiles_cover(int width, int height, int jitter, int largest)
{
    rv_tiles t = {width, height, 1, 1, width + jitter, height + jitter, 0, 0, jitter, jitter};
    if ((double)t.width * t.height <= AT_ONCE * largest * largest) {
        return t;
    }
    t.columns = split(&t.width, width, jitter, largest);
    t.rows = split(&t.height, height, jitter, largest);
    t.free_x = t.columns * t.width - width;
    t.free_y = t.rows * t.height - height;
    t.margin_x = t.columns > 1 ? MARGIN : 0;
    t.margin_y = t.rows > 1 ? MARGIN : 0;
    t.width += 2 * t.margin_x;
    t.height += 2 * t.margin_y;
    return t;
}

/* Where a tile begins in the picture: both may be negative. */
static void take_tile(float *out, const rv_tiles *t, const rv_planar *picture, int left, int top)
{
    const int width = picture->width, height = picture->height;
    const int first = left < 0 ? -left : 0;
    const int last = left + t->width > width ? width - left : t->width;
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < t->height; y++) {
            const size_t row = (size_t)c * (size_t)height + (size_t)rv_mirrored(top + y, height);
            const float *from = picture->data + row * (size_t)width;
            for (int x = 0; x < first && x < t->width; x++) {
                out[x] = from[rv_mirrored(left + x, width)];
            }
            if (last > first) {
                memcpy(out + first, from + left + first, (size_t)(last - first) * sizeof *out);
            }
            for (int x = last > 0 ? last : 0; x < t->width; x++) {
                out[x] = from[rv_mirrored(left + x, width)];
            }
            out += t->width;
        }
    }
}

/* Puts the inner part of a tile where it belongs, as far as that lies in the picture. */
static void give_tile(rv_planar *gradient, const rv_tiles *t, const float *tile, int left, int top,
                      float factor)
{
    const int width = gradient->width, height = gradient->height;
    const int mx = t->margin_x, my = t->margin_y;
    const int x0 = left + mx > 0 ? left + mx : 0, y0 = top + my > 0 ? top + my : 0;
    const int x1 = left + t->width - mx < width ? left + t->width - mx : width;
    const int y1 = top + t->height - my < height ? top + t->height - my : height;
    for (int c = 0; c < 3; c++) {
        for (int y = y0; y < y1; y++) {
            const float *from =
                tile + ((size_t)c * (size_t)t->height + (size_t)(y - top)) * (size_t)t->width -
                left;
            float *to = gradient->data + ((size_t)c * (size_t)height + (size_t)y) * (size_t)width;
            for (int x = x0; x < x1; x++) {
                to[x] = factor * from[x];
            }
        }
    }
}

/* What of the picture a tile shows, less some at each edge, in shares of the picture. */
static rv_part share_of(const rv_tiles *t, int left, int top, int less_x, int less_y)
{
    const double width = t->picture_width, height = t->picture_height;
    return (rv_part){(left + less_x) / width, (top + less_y) / height,
                     (t->width - 2 * less_x) / width, (t->height - 2 * less_y) / height};
}

rv_status rv_tiles_gradient(rv_planar *gradient, double *value, const rv_tiles *t,
                            rv_maximizer *maximizer, rv_device *device, rv_plan *plan,
                            rv_value input, const rv_planar *picture, int shift_x, int shift_y)
{
    const int n = t->columns * t->rows;
    const int step_x = t->width - 2 * t->margin_x, step_y = t->height - 2 * t->margin_y;
    const float factor =
        (float)((double)t->width * t->height / ((double)picture->width * picture->height));
    float *tile;
    *value = 0;
    RV_TRY(rv_alloc(&tile, 3 * (size_t)t->width * (size_t)t->height, sizeof *tile, "tile"));
    rv_status status = RV_OK;
    for (int i = 0; i < n && status == RV_OK; i++) {
        double part = 0;
        const int left = i % t->columns * step_x - shift_x - t->margin_x;
        const int top = i / t->columns * step_y - shift_y - t->margin_y;
        const rv_part share = share_of(t, left, top, 0, 0);
        const rv_part own = share_of(t, left, top, t->margin_x, t->margin_y);
        take_tile(tile, t, picture, left, top);
        status = rv_maximizer_place(maximizer, &share, &own);
        if (status == RV_OK) {
            status = rv_tensor_write(device, rv_plan_tensor(plan, input), tile);
        }
        if (status == RV_OK) {
            status = rv_maximizer_run(maximizer);
        }
        if (status == RV_OK) {
            status = rv_maximizer_value(maximizer, 1.0 / n, &part);
        }
        if (status == RV_OK) {
            status = rv_tensor_read(device, rv_plan_gradient(plan, input), tile);
        }
        if (status == RV_OK) {
            give_tile(gradient, t, tile, left, top, factor);
            *value += part;
        }
    }
    free(tile);
    return status;
}
