/* Values of sRGB and the light that they stand for. */
/* SPDX-License-Identifier: MIT */
#include "image/colour.h"

#include <math.h>

float rv_light_from_srgb(float value)
{
    const double v = (double)value;
    return (float)(v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
}

float rv_srgb_from_light(float light)
{
    return light <= 0.0031308f ? light * 12.92f
                               : (float)(1.055 * pow((double)light, 1 / 2.4) - 0.055);
}
