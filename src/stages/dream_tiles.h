/* The gradient of a picture of any size, through a network that sees tiles of it, which lie elsewhere at each step. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_DREAM_TILES_H
#define RV_STAGES_DREAM_TILES_H

#include "stages/maximize.h"

/** How tiles lie over a picture: columns times rows of width x height, of which margins at each edge are only seen,
 *  where there is more than one; what lies outside the picture is its mirror. */
typedef struct rv_tiles {
    int picture_width, picture_height;
    int columns, rows;
    int width, height, margin_x, margin_y;
    int free_x, free_y; /**< pixels by which all of them may be shifted to the left and up */
} rv_tiles;

/** A single tile where the picture with its jitter has at most 1.6 times the area of `largest` x `largest`; else more, of
 *  at most `largest` a side, that can be shifted by 64 pixels or more. */
rv_tiles rv_tiles_cover(int width, int height, int jitter, int largest);

/** The gradient of minus the goals, as if the network had seen all of the picture at once: means are over the picture.
 *  @param shift_x, shift_y  from 0 to free_x and free_y.
 *  @param[out] gradient     of the size of the picture; made by the caller.
 *  @param[out] value        of the goals; means are those over the tiles. */
RV_NODISCARD rv_status rv_tiles_gradient(rv_planar *gradient, double *value, const rv_tiles *tiles,
                                         rv_maximizer *maximizer, rv_device *device, rv_plan *plan,
                                         rv_value input, const rv_planar *picture, int shift_x,
                                         int shift_y);

#endif
