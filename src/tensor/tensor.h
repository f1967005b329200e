/* Shapes, the two layouts, and tensors on a device.
 *
 * Letters, here and everywhere: N pictures, C channels, H rows, W columns; K output channels,
 * R x S kernel rows and columns; B channels side by side in the blocked layout. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TENSOR_TENSOR_H
#define RV_TENSOR_TENSOR_H

#include "device/device.h"

enum { RV_MAX_RANK = 4 };

/** Sizes of a tensor, outermost first; rank 4 is N,C,H,W. A scalar is rank 1 of size 1. */
typedef struct rv_shape {
    int32_t rank;
    int32_t dim[RV_MAX_RANK]; /**< beyond rank: 1 */
} rv_shape;

typedef enum rv_layout {
    RV_PLAIN,  /**< row major, any rank, no padding */
    RV_BLOCKED /**< rank 4 only: N, ceil(C/B), H, W, B; lanes of channels >= C are zero */
} rv_layout;

/** float32 values on a device. Does not own its buffer unless made by rv_tensor_create(). */
typedef struct rv_tensor {
    rv_shape shape;
    rv_layout layout;
    int32_t block;     /**< B when blocked, 1 when plain */
    rv_buffer *buffer; /**< NULL until memory is placed */
    int32_t apart; /**< of channels that lie in those of a larger tensor: how many blocks it is from
                            one picture to the next; 0: as many as there are. Only what says so
                            takes such a tensor (rv_op.places) */
} rv_tensor;

rv_shape rv_shape_make(int rank, const int32_t *dim);
rv_shape rv_shape_1(int32_t a);
rv_shape rv_shape_2(int32_t a, int32_t b);
rv_shape rv_shape_4(int32_t n, int32_t c, int32_t h, int32_t w);
bool rv_shape_equal(const rv_shape *a, const rv_shape *b);
/** Number of values without padding; sizes were checked when the shape was inferred. */
size_t rv_shape_count(const rv_shape *shape);
/** RV_ERR_SHAPE where a size is below 1 or the count padded to B = 16 passes 2^31 - 1 values,
 *  naming `what`. */
RV_NODISCARD rv_status rv_shape_check(const rv_shape *shape, const char *what);
/** "1x64x32x32" into `out`, which is returned. */
const char *rv_shape_text(char out[64], const rv_shape *shape);

/** ceil(a / b) for a >= 0 and b > 0. */
static inline int32_t rv_divide_up(int32_t a, int32_t b)
{
    return a / b + (a % b != 0);
}

/** Floats in memory, pad lanes included. */
size_t rv_tensor_floats(const rv_tensor *tensor);
size_t rv_tensor_bytes(const rv_tensor *tensor);
/** ceil(C/B) of a blocked tensor. */
int32_t rv_tensor_blocks(const rv_tensor *tensor);

/** Blocks from one picture to the next. */
static inline int32_t rv_tensor_apart(const rv_tensor *tensor)
{
    return tensor->apart > 0 ? tensor->apart : rv_tensor_blocks(tensor);
}

/** Makes a tensor with memory of its own; rv_tensor_release() frees that. Blocked takes the
 *  device's B. */
RV_NODISCARD rv_status rv_tensor_create(rv_tensor *out, rv_device *device, rv_shape shape,
                                        rv_layout layout);
void rv_tensor_release(rv_tensor *tensor);

/** Host values in plain order to a tensor of either layout, and back; blocking. Pad lanes become
 *  zero. */
RV_NODISCARD rv_status rv_tensor_write(rv_device *device, rv_tensor *tensor, const float *plain);
RV_NODISCARD rv_status rv_tensor_read(rv_device *device, const rv_tensor *tensor, float *plain);

#endif
