/* The photo's colours in the result: styles painted in them beforehand, or its chroma put back at the end. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_COLOUR_KEEP_H
#define RV_STAGES_COLOUR_KEEP_H

#include "stages/colour_match.h"

/** Moments of a picture in linear light. @param weights  [H,W], of each pixel; NULL: all alike */
RV_NODISCARD rv_status rv_light_measure(rv_colour_moments *out, const rv_planar *picture,
                                        const float *weights);

/** Maps a picture as rv_colour_map() does, but in linear light: its moments there become `to`, but for what is clamped
 *  to 0..1.
 *  @param weights  [H,W], of each pixel in the moments that it has; NULL: all alike */
void rv_light_match(rv_planar *picture, const float *weights, const rv_colour_moments *to);

/** Gives a colour the luminance of another: y + t * (own - its luminance) with y that of `styled`, all in sRGB values with
 *  the weights of Rec. 709, and t = 1 where that is within 0..1, else the most that is.
 *  @param[in,out] styled  0..1, [3]
 *  @param own             of the photo, 0..1, [3] */
void rv_colour_keep(float styled[3], const float own[3]);

/** The same for each pixel of a picture. @param own  of its size. */
void rv_planar_keep_colours(rv_planar *styled, const rv_planar *own);

#endif
