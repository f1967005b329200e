/* Filters that a style picture teaches: centroids of its own whitened patches. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_PATCH_BANK_H
#define RV_STAGES_PATCH_BANK_H

#include "stages/picture.h"

enum {
    RV_PATCH_SIDE = 7,
    RV_PATCH_VALUES = 3 * RV_PATCH_SIDE * RV_PATCH_SIDE,
    RV_PATCH_CENTROIDS = 48,
    RV_PATCH_FILTERS = 2 * RV_PATCH_CENTROIDS /**< each centroid and its negative */
};

/** A bank of filters: r = w * x + b has mean 0 and deviation 1 over the patches it was learned
 *  from. */
typedef struct rv_patch_bank {
    float weight[RV_PATCH_FILTERS * RV_PATCH_VALUES]; /**< [F,3,7,7] */
    float bias[RV_PATCH_FILTERS];
} rv_patch_bank;

/** Learns a bank from random patches of the pictures, drawn by their shares: whitened with all their
 *  components (Coates and Ng 2012), then clustered on the sphere without regard to sign.
 *  @param pictures  n of them, each side at least RV_PATCH_SIDE.
 *  @param seen      of each, [H,W], 0..1: patches are drawn where as much is seen as anywhere; NULL, or NULL among them:
 *                   from all of it.
 *  @param ridge     of the whitening, as a share of the largest eigenvalue.
 *  @param stream    tells the draws of one bank from another's. */
RV_NODISCARD rv_status rv_patch_bank_learn(rv_patch_bank *out, const rv_planar *pictures,
                                           const float *const *seen, const double *shares, int n,
                                           double ridge, uint32_t seed, uint32_t stream);

#endif
