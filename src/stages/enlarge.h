/* Brings a styled picture to the size of its photo: enlarged, the photo's fine detail put back. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_ENLARGE_H
#define RV_STAGES_ENLARGE_H

#include "stages/picture.h"
#include <stdbool.h>

/** Samples of a picture at another size, in linear light, strip by strip, without what else it carries.
 *  At its own size it is a copy. */
RV_NODISCARD rv_status rv_picture_resized(rv_image **out, rv_device *device, const rv_image *image,
                                          int width, int height);

/** Some rows of that, from `first` on. */
RV_NODISCARD rv_status rv_picture_strip(rv_image **out, rv_device *device, const rv_image *image,
                                        int width, int height, int first, int rows);

/** Replaces the colours of `picture` by those of `styled`, enlarged, plus detail that a small picture cannot hold:
 *
 *    out_c = up(styled_c) + detail * up(a_c) * (Y - up(y))
 *
 *  Y is the luminance of `picture`, y that of `small`, and a_c how styled_c changes with y around a pixel: the slope of
 *  the guided filter (He, Sun and Tang 2013), found at the small size (He and Sun 2015) and drawn to the slope of the
 *  whole picture where y hardly changes; at most 2 either way. Where styled_c follows an edge of y, out_c has that edge
 *  as sharp as Y and as high as in styled_c, so that there are no halos. Rows are independent of each other: no seams.
 *  Alpha stays. With own_colours, out then has but the luminance of that, and the chroma of the photo: rv_colour_keep().
 *  @param[in,out] picture  the photo, larger than the others or as large.
 *  @param styled, small    of one size: what was styled, and the photo as it was then.
 *  @param detail           0: none, 1: as much as there was. */
RV_NODISCARD rv_status rv_enlarge(rv_image *picture, const rv_planar *styled,
                                  const rv_planar *small, double detail, bool own_colours);

#endif
