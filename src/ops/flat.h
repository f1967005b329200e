/* A tensor of either layout as an array of floats, for kernels that use flat.clh. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_FLAT_H
#define RV_OPS_FLAT_H

#include "tensor/tensor.h"

typedef struct rv_flat {
    int32_t n;       /**< floats, pad lanes included */
    int32_t vectors; /**< of B floats, the last one perhaps in part */
    int32_t pixels;  /**< H * W of a blocked tensor, else 1 */
    int32_t c;       /**< channels of a blocked tensor, 0 for a plain one: nothing to mask */
} rv_flat;

static inline rv_flat rv_flat_of(const rv_tensor *t, const rv_device *device)
{
    const int32_t n = (int32_t)rv_tensor_floats(t), b = rv_device_block(device);
    const bool blocked = t->layout == RV_BLOCKED;
    const int32_t *d = t->shape.dim;
    return (rv_flat){n, rv_divide_up(n, b), blocked ? d[2] * d[3] : 1, blocked ? d[1] : 0};
}

#endif
