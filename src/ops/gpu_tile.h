/* Tiles of products of matrices on GPUs: which there are, which suits a device and a shape. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_GPU_TILE_H
#define RV_OPS_GPU_TILE_H

#include "device/device.h"

/** Numbers of cl/tile_gpu.clh. */
typedef struct rv_gpu_tile {
    int32_t items_along_rows, items_along_columns;   /**< SM, SN */
    int32_t blocks_along_rows, blocks_along_columns; /**< MB, NB: 4 x 4 sums each */
    int32_t terms;                                   /**< TK */
    int32_t sums;    /**< that a device must have registers for, see rv_device_sums() */
    int32_t percent; /**< of the full speed, where no part of the tile is idle: guides the choice */
} rv_gpu_tile;

/** All of them, for whatever device; rows x columns, and sums of a work-item where not 4x4 or 8x8. */
enum {
    RV_GPU_TILE_128X128,
    RV_GPU_TILE_128X64,
    RV_GPU_TILE_64X64_8X4,
    RV_GPU_TILE_64X64,
    RV_GPU_TILE_64X32,
    RV_GPU_TILE_32X32,
    RV_GPU_TILE_64X16,
    RV_GPU_TILES
};
extern const rv_gpu_tile rv_gpu_tiles[RV_GPU_TILES];

enum { RV_GPU_TILE_DEFINES = 96 };

/** Rows and columns of a tile, and its work-items. */
int32_t rv_gpu_tile_rows(const rv_gpu_tile *t);
int32_t rv_gpu_tile_columns(const rv_gpu_tile *t);
int32_t rv_gpu_tile_items(const rv_gpu_tile *t);
void rv_gpu_tile_defines(char out[RV_GPU_TILE_DEFINES], const rv_gpu_tile *t);

bool rv_gpu_tile_fits(const rv_gpu_tile *t, const rv_device *device);
/** Whether one is worth trying on such a product, though it is not what rv_gpu_tile_choose() gives. */
bool rv_gpu_tile_worth(const rv_gpu_tile *t, const rv_device *device, int32_t rows,
                       int32_t columns);
/** The one that wastes least of a product of rows x columns sums, of those that fit the device.
 *  @param items  that a work-group has at least: with fewer, each loads more. */
const rv_gpu_tile *rv_gpu_tile_choose(const rv_device *device, int32_t rows, int32_t columns,
                                      int32_t items);
/** The same among square ones. */
const rv_gpu_tile *rv_gpu_tile_choose_square(const rv_device *device, int32_t side);

/** Into how many parts a sum is cut where a product has too few tiles to fill a device; from shapes only.
 *  @param tiles  of the product in one part.
 *  @param terms  of the sum.
 *  @param sums   that each part writes. */
int32_t rv_gpu_tile_parts(double tiles, double terms, double sums);

#endif
