/* Sheets of pictures: a grid of tiles with labels, under a title. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_SHEET_H
#define RV_IMAGE_SHEET_H

#include "image/canvas.h"

/** A picture of a sheet and what stands below it. */
typedef struct rv_tile {
    const rv_image
        *picture; /**< 3 channels, 8 bits, of any size; borrowed; NULL: its place stays empty */
    const char
        *label; /**< lines with '\n' between them, each cut with ".." where it is wider than the
                            tiles; borrowed; NULL: none */
} rv_tile;

/** Tiles in rows from the upper left, in cells of the size of the largest. */
typedef struct rv_sheet {
    const char *title; /**< lines with '\n' between them, the first in larger letters; NULL: none */
    const rv_tile *tiles;
    size_t n;    /**< at least 1 */
    int columns; /**< 0: as many as make the sheet about four to three */
    int scale;   /**< pixels of a dot of the labels' letters; 0: by the size of the tiles */
} rv_sheet;

/** Draws a sheet on white. Freed by the caller with rv_image_destroy().
 *  @return RV_ERR_MEMORY where it would be larger than pictures can be. */
RV_NODISCARD rv_status rv_sheet_draw(rv_image **out, const rv_sheet *sheet);
/** Sheets one below the other, n of them, at least one. */
RV_NODISCARD rv_status rv_sheet_stack(rv_image **out, rv_image *const *sheets, size_t n);

#endif
