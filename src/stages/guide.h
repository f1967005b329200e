/* What a guide shows in a layer, and which of it suits each place of a picture best. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_GUIDE_H
#define RV_STAGES_GUIDE_H

#include "tensor/tensor.h"

/** Vectors of a layer, one for each place of the guide. Starts from {0}. */
typedef struct rv_guide {
    float *vectors; /**< [n_places,n_channels] */
    int n_places, n_channels;
} rv_guide;

/** Takes them from values [1,C,H,W] of the layer. */
RV_NODISCARD rv_status rv_guide_learn(rv_guide *guide, rv_device *device, const rv_tensor *values);
/** Writes to `target`, at each place, the vector of the guide whose product with `values` is largest there (the first
 *  of equals), divided by the number of places H * W. */
RV_NODISCARD rv_status rv_guide_match(const rv_guide *guide, rv_device *device, rv_tensor *target,
                                      const rv_tensor *values);
void rv_guide_release(rv_guide *guide);

#endif
