/* Values of sRGB and the light that they stand for (IEC 61966-2-1). */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_COLOUR_H
#define RV_IMAGE_COLOUR_H

/** Light of an sRGB value, 0 to 1 each, and back. Values outside 0 to 1 go on along the same curves. */
float rv_light_from_srgb(float value);
float rv_srgb_from_light(float light);

#endif
