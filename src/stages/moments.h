/* Moments of features about 0 turned into what style losses compare with. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_MOMENTS_H
#define RV_STAGES_MOMENTS_H

#include <reverie/status.h>

/** Standard deviations from mean squares, in their place: sqrt(max(q - m^2, 0) + ridge).
 *  @param[in,out] squares  [c]
 *  @param means            [c] */
void rv_moments_deviations(float *squares, const float *means, int c, double ridge);

/** A lower triangular factor L of the covariance from mean products, in their place: L L^T = M - m m^T + ridge I.
 *  @param[in,out] products  [c,c], symmetric
 *  @param means             [c]
 *  @param ridge             above 0, and above what the rounding of a float is to the products */
RV_NODISCARD rv_status rv_moments_factor(float *products, const float *means, int c, double ridge);

#endif
