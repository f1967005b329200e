/* What --strength means: how much of the style is asked for, and how much of the photo. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STRENGTH_H
#define RV_STAGES_STRENGTH_H

/** Part of the styles in what the picture is to be made of, 0 to 1: the photo's own texture and colours are the rest.
 *  @param strength  0 to 1. */
double rv_strength_share(double strength);
/** What the weight of the content is multiplied by, above 0. */
double rv_strength_content(double strength);

#endif
