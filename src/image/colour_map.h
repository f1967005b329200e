/* Colours for numbers, which people who see red and green alike can read as well. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_COLOUR_MAP_H
#define RV_IMAGE_COLOUR_MAP_H

#include "image/canvas.h"

/** From 0 to 1: viridis, from dark violet over green to yellow, ever lighter, so that it reads in grey too. Beyond, and
 *  for NaN, the colour of the end, and of 0. */
rv_colour rv_colour_of_share(double t);
/** From -1 to 1: blue, white at 0, vermilion, the darker the further from 0. */
rv_colour rv_colour_of_signed(double t);

#endif
