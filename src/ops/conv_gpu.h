/* The kernel of cl/conv_gpu.cl, which convolution, Winograd's products and the gradient of Gram share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_CONV_GPU_H
#define RV_OPS_CONV_GPU_H

#include "ops/gpu_tile.h"

/** Sizes of one gathering pass, as conv.clh takes them. */
typedef struct rv_conv_geometry {
    rv_int4 source, target; /**< N, channels, rows, columns */
    rv_int4 window;         /**< R, S, groups, pad mode */
    rv_int4 step;           /**< stride of rows and columns, dilation of rows and columns */
    rv_int4 place;          /**< pad above, pad left, 1: gradient, 1: add to the target */
    int32_t source_lanes, target_lanes; /**< channels side by side: B blocked, 1 plain */
} rv_conv_geometry;

/** A prepared product: blocked source times packed weights. */
typedef struct rv_conv_product {
    const rv_gpu_tile *tile;
    rv_kernel *run, *sum; /**< sum NULL: in one part */
    rv_grid grid;
    rv_int4 work;          /**< parts, chunks, channels packed, 0 */
    size_t packed_floats;  /**< [group][tap][chunks * terms][channels packed] */
    size_t partial_floats; /**< all parts of the target; 0: in one part */
    int32_t rows;          /**< source channels packed for a tap of a group: chunks * terms */
} rv_conv_product;

/** Where the operands start in their buffers. */
typedef struct rv_conv_offsets {
    size_t target, source, weights, partial; /**< floats, multiples of 4 */
} rv_conv_offsets;

/** @param tile  NULL: by device and shape. */
RV_NODISCARD rv_status rv_conv_product_prepare(rv_conv_product *p, const rv_conv_geometry *g,
                                               rv_device *device, const rv_gpu_tile *tile);
/** @param partial  memory for partial_floats, may be NULL if these are 0.
 *  @param place    that of the geometry, with whether to add to the target. */
RV_NODISCARD rv_status rv_conv_product_run(const rv_conv_product *p, const rv_conv_geometry *g,
                                           rv_device *device, const rv_buffer *target,
                                           const rv_buffer *source, const rv_buffer *weights,
                                           const rv_buffer *bias, const rv_buffer *partial,
                                           rv_int4 place, float slope, rv_conv_offsets from);

#endif
