/* What a guide shows in a layer, a vector for each place: the list of a match_loss. */
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
void rv_guide_release(rv_guide *guide);

#endif
