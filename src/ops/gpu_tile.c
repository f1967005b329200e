/* Tiles of products of matrices on GPUs: which there are, which suits a device and a shape. */
/* SPDX-License-Identifier: MIT */
#include "ops/gpu_tile.h"

#include "tensor/tensor.h"

#include <stdio.h>

enum {
    FULL = 256,              /* tiles that keep a device busy */
    PART_TERMS = 256,        /* that a part of a sum should have */
    PARTIAL_FLOATS = 8 << 20 /* that all parts may take */
};

/* Times the area of what is chosen. */
static const double most_waste = 1.5;

/* The larger a work-item's share, the fewer reads of local memory for each multiply-add. Registers and local memory of
 * each are checked by tests/kernels/registers.sh. */
const rv_gpu_tile rv_gpu_tiles[RV_GPU_TILES] = {
    [RV_GPU_TILE_128X128] = {16, 16, 2, 2, 8, 64, 100},
    [RV_GPU_TILE_128X64] = {16, 16, 2, 1, 16, 64, 90},
    [RV_GPU_TILE_64X64_8X4] = {8, 16, 2, 1, 8, 32, 85},
    [RV_GPU_TILE_64X64] = {16, 16, 1, 1, 16, 16, 75},
    [RV_GPU_TILE_64X32] = {16, 8, 1, 1, 16, 16, 70},
    [RV_GPU_TILE_32X32] = {8, 8, 1, 1, 16, 16, 55},
    [RV_GPU_TILE_64X16] = {16, 4, 1, 1, 16, 16, 50},
};

int32_t rv_gpu_tile_rows(const rv_gpu_tile *t)
{
    return 4 * t->items_along_rows * t->blocks_along_rows;
}

int32_t rv_gpu_tile_columns(const rv_gpu_tile *t)
{
    return 4 * t->items_along_columns * t->blocks_along_columns;
}

int32_t rv_gpu_tile_items(const rv_gpu_tile *t)
{
    return t->items_along_rows * t->items_along_columns;
}

void rv_gpu_tile_defines(char out[RV_GPU_TILE_DEFINES], const rv_gpu_tile *t)
{
    snprintf(out, RV_GPU_TILE_DEFINES, "-DSM=%d -DSN=%d -DMB=%d -DNB=%d -DTK=%d",
             (int)t->items_along_rows, (int)t->items_along_columns, (int)t->blocks_along_rows,
             (int)t->blocks_along_columns, (int)t->terms);
}

bool rv_gpu_tile_fits(const rv_gpu_tile *t, const rv_device *device)
{
    return t->sums <= rv_device_sums(device);
}

/* Sums that all tiles together have room for. */
static double area_of(const rv_gpu_tile *t, int32_t rows, int32_t columns)
{
    const int32_t height = rv_gpu_tile_rows(t), width = rv_gpu_tile_columns(t);
    return (double)rv_divide_up(rows, height) * height *
           ((double)rv_divide_up(columns, width) * width);
}

static const rv_gpu_tile *choose(const rv_device *device, int32_t rows, int32_t columns,
                                 int32_t items, bool square)
{
    const rv_gpu_tile *best = NULL;
    double least = 0;
    for (size_t i = 0; i < RV_GPU_TILES; i++) {
        const rv_gpu_tile *t = &rv_gpu_tiles[i];
        const int32_t height = rv_gpu_tile_rows(t), width = rv_gpu_tile_columns(t);
        if (!rv_gpu_tile_fits(t, device) || rv_gpu_tile_items(t) < items ||
            (square && height != width)) {
            continue;
        }
        const double area = area_of(t, rows, columns) / t->percent;
        if (best == NULL || area < least) {
            best = t;
            least = area;
        }
    }
    return best;
}

const rv_gpu_tile *rv_gpu_tile_choose(const rv_device *device, int32_t rows, int32_t columns,
                                      int32_t items)
{
    return choose(device, rows, columns, items, false);
}

const rv_gpu_tile *rv_gpu_tile_choose_square(const rv_device *device, int32_t side)
{
    return choose(device, side, side, 0, true);
}

bool rv_gpu_tile_worth(const rv_gpu_tile *t, const rv_device *device, int32_t rows, int32_t columns)
{
    const rv_gpu_tile *chosen = rv_gpu_tile_choose(device, rows, columns, 0);
    return rv_gpu_tile_fits(t, device) && t != chosen &&
           area_of(t, rows, columns) <= most_waste * area_of(chosen, rows, columns);
}

int32_t rv_gpu_tile_parts(double n_tiles, double terms, double sums)
{
    double parts = FULL / n_tiles;
    parts = parts < terms / PART_TERMS ? parts : terms / PART_TERMS;
    parts = parts < PARTIAL_FLOATS / sums ? parts : PARTIAL_FLOATS / sums;
    return parts < 2 ? 1 : (int32_t)parts;
}
