/* Colours for numbers. */
/* SPDX-License-Identifier: MIT */
#include "image/colour_map.h"

#include <math.h>

/* Every sixteenth of viridis, by Stefan van der Walt and Nathaniel Smith for Matplotlib, who gave it away (CC0); straight
 * lines between them are nowhere off by more than 6 of 255. */
static const rv_colour viridis[] = {
    {68, 1, 84},    {72, 24, 106},  {71, 45, 123},  {66, 64, 134},  {59, 82, 139},  {51, 99, 141},
    {44, 114, 142}, {38, 129, 142}, {33, 144, 140}, {31, 159, 136}, {40, 174, 128}, {62, 188, 116},
    {93, 201, 99},  {130, 211, 76}, {171, 220, 50}, {213, 226, 26}, {253, 231, 37}};
/* Blue and vermilion of Okabe and Ito's colours for everybody. */
static const rv_colour two_sided[] = {{0, 114, 178}, {255, 255, 255}, {213, 94, 0}};

static uint8_t between(uint8_t a, uint8_t b, double share)
{
    return (uint8_t)lround(a + share * (b - a));
}

/* n colours, evenly from 0 to 1. */
static rv_colour look_up(const rv_colour *colours, int n, double t)
{
    const double at = t > 0 ? fmin(t, 1) * (n - 1) : 0;
    const int i = at < n - 1 ? (int)at : n - 2;
    const rv_colour a = colours[i], b = colours[i + 1];
    return (rv_colour){between(a.r, b.r, at - i), between(a.g, b.g, at - i),
                       between(a.b, b.b, at - i)};
}

rv_colour rv_colour_of_share(double t)
{
    return look_up(viridis, sizeof viridis / sizeof viridis[0], t);
}

rv_colour rv_colour_of_signed(double t)
{
    return look_up(two_sided, sizeof two_sided / sizeof two_sided[0], isnan(t) ? 0.5 : (t + 1) / 2);
}
