/* What --strength means: how much of the style is asked for, and how much of the photo. */
/* SPDX-License-Identifier: MIT */
#include "stages/strength.h"

#include <math.h>

/* Where the weights are as they are. */
#define MIDDLE 0.5

/* Found by looking at pictures: with a fifth of the content faces dissolve, with less towns do. */
#define STRONGEST_CONTENT 0.2

double rv_strength_share(double strength)
{
    return strength < MIDDLE ? strength / MIDDLE : 1.0;
}

double rv_strength_content(double strength)
{
    return strength > MIDDLE ? pow(STRONGEST_CONTENT, (strength - MIDDLE) / (1 - MIDDLE)) : 1.0;
}
