/* Values of sRGB and light, against the formulas of IEC 61966-2-1 in double precision. */
/* SPDX-License-Identifier: MIT */
#include "image/colour.h"

#include <criterion/criterion.h>
#include <math.h>

static double light_of(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double value_of(double l)
{
    return l <= 0.0031308 ? 12.92 * l : 1.055 * pow(l, 1 / 2.4) - 0.055;
}

Test(colour, floats_follow_the_formula)
{
    for (int i = -200; i <= 3000; i++) {
        const double v = i / 2000.0;
        cr_assert_float_eq(rv_light_from_srgb((float)v), light_of((float)v), 2e-7);
        cr_assert_float_eq(rv_srgb_from_light((float)v), value_of((float)v), 2e-7);
    }
    cr_assert_float_eq(rv_light_from_srgb(0.5f), 0.21404114, 1e-7);
    cr_assert_float_eq(rv_srgb_from_light(0.18f), 0.46135613, 1e-7);
    cr_assert_eq(rv_light_from_srgb(1.0f), 1.0f);
    cr_assert_eq(rv_srgb_from_light(0.0f), 0.0f);
}
