/* Samples of sRGB and light, against the formulas of IEC 61966-2-1 in double precision. */
/* SPDX-License-Identifier: MIT */
#include "image/colour.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static double light_of(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

static double value_of(double l)
{
    return l <= 0.0031308 ? 12.92 * l : 1.055 * pow(l, 1 / 2.4) - 0.055;
}

static rv_srgb *tables(int bits)
{
    rv_srgb *srgb = NULL;
    cr_assert_eq(rv_srgb_create(&srgb, bits), RV_OK);
    return srgb;
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

Test(colour, samples_decode_to_the_formula_and_encode_to_themselves)
{
    for (int bits = 8; bits <= 16; bits += 8) {
        rv_srgb *srgb = tables(bits);
        const int largest = (1 << bits) - 1;
        for (int i = 0; i <= largest; i++) {
            uint8_t small = (uint8_t)i;
            uint16_t large = (uint16_t)i;
            void *sample = bits == 8 ? (void *)&small : (void *)&large;
            float light = -1;
            rv_srgb_decode(srgb, &light, sample, 1);
            const double expected = light_of((double)i / largest);
            cr_assert_float_eq(light, expected, 6e-8 * expected);
            rv_srgb_encode(srgb, sample, &light, 1);
            cr_assert_eq(bits == 8 ? small : large, i);
        }
        rv_srgb_destroy(srgb);
    }
}

/* The nearest sample: within half a step, but for rounding of the light to float. */
Test(colour, light_encodes_to_the_nearest_sample)
{
    for (int bits = 8; bits <= 16; bits += 8) {
        rv_srgb *srgb = tables(bits);
        const int largest = (1 << bits) - 1;
        for (int i = 0; i <= 1000000; i++) {
            const float light = (float)i / 1000000;
            uint8_t small = 0;
            uint16_t large = 0;
            rv_srgb_encode(srgb, bits == 8 ? (void *)&small : (void *)&large, &light, 1);
            const int sample = bits == 8 ? small : large;
            const double off = fabs(value_of(light) * largest - sample);
            cr_assert(off <= 0.5 + 3e-8 * largest, "%d bits: %.9g gives %d", bits, light, sample);
        }
        rv_srgb_destroy(srgb);
    }
}

Test(colour, light_outside_the_range_is_clamped)
{
    const float light[] = {-1, -INFINITY, NAN, 0, 1, 1.5f, INFINITY, 0.99999994f, 1e-20f};
    const uint8_t expected[] = {0, 0, 0, 0, 255, 255, 255, 255, 0};
    uint8_t samples[9];
    rv_srgb *srgb = tables(8);
    rv_srgb_encode(srgb, samples, light, 9);
    cr_assert_arr_eq(samples, expected, 9);
    rv_srgb_destroy(srgb);
    rv_srgb_destroy(NULL);
}
