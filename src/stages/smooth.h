/* Makes gradients of pictures smooth, their scales equally strong, their colours those of photos. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_SMOOTH_H
#define RV_STAGES_SMOOTH_H

#include "stages/picture.h"

/** Gaussian of `sigma` pixels over each plane, mirrored at the edges; 0: nothing. */
RV_NODISCARD rv_status rv_smooth_blur(rv_planar *planes, double sigma);

/** The planes in bands of a Laplacian pyramid of up to `levels` levels, each band divided by its root mean square over
 *  all planes, summed: p becomes (1 - share) * p / rms(p) + share * that sum. */
RV_NODISCARD rv_status rv_smooth_equalize(rv_planar *planes, int levels, double share);

/** Mixes R, G and B as they vary together in photos: p becomes (1 - share) * p + share * C p, C the covariance of the
 *  colours of photos (Olah et al. 2017), scaled to keep grey as it is. */
void rv_smooth_colours(rv_planar *planes, double share);

#endif
