/* Colours of pictures as a cloud of points: moments, mapping one cloud to another, whitening. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_COLOUR_MATCH_H
#define RV_STAGES_COLOUR_MATCH_H

#include "stages/picture.h"

/** Mean and covariance of R,G,B. */
typedef struct rv_colour_moments {
    double mean[3];
    double covariance[9]; /**< [3,3] row major */
} rv_colour_moments;

/** Moments of n pictures mixed by `shares`, which sum to 1.
 *  @param weights  of each picture, [H,W], of each pixel; NULL, or NULL among them, or 0 all over: all alike */
rv_colour_moments rv_colour_measure(const rv_planar *pictures, const float *const *weights,
                                    const double *shares, int n);

/** Moments of a part of a picture. @param weights  [H,W], of each pixel; 0 all over: those of black. */
rv_colour_moments rv_colour_measure_part(const rv_planar *picture, const float *weights);

/** Moments between two: those of `b` at share 1. */
rv_colour_moments rv_colour_mix(const rv_colour_moments *a, const rv_colour_moments *b,
                                double share);

/** Maps the colours of a picture linearly so that its moments `from` become `to`: of all such maps
 *  the one that moves colours least (Monge and Kantorovich; Pitie and Kokaram 2007). Values may
 *  leave 0..1. */
void rv_colour_map(rv_planar *picture, const rv_colour_moments *from, const rv_colour_moments *to);

/** The same for a part: colours of pixel p move by the share part[p] of their way.
 *  @param own  the picture as it was, which the map begins with; of the size of `picture` */
RV_NODISCARD rv_status rv_colour_map_part(rv_planar *picture, const rv_planar *own,
                                          const float *part, const rv_colour_moments *from,
                                          const rv_colour_moments *to);

/** out = (covariance + ridge * its largest eigenvalue)^(-1/2), [3,3]. */
void rv_colour_whitening(double out[9], const rv_colour_moments *moments, double ridge);

#endif
