/* The photo's colours in the result: styles painted in them beforehand, or its chroma put back at the end. */
/* SPDX-License-Identifier: MIT */
#include "stages/colour_keep.h"
#include "base/error.h"
#include "image/colour.h"

#include <math.h>

/* Of R, G and B in luminance, Rec. 709. */
static const float luminance[3] = {0.2126f, 0.7152f, 0.0722f};

static void to_light(rv_planar *p)
{
    for (size_t i = 0; i < rv_planar_floats(p); i++) {
        p->data[i] = rv_light_from_srgb(p->data[i]);
    }
}

rv_status rv_light_measure(rv_colour_moments *out, const rv_planar *picture, const float *weights)
{
    const double whole = 1;
    rv_planar light;
    RV_TRY(rv_planar_pad(&light, picture, 0));
    to_light(&light);
    *out = weights != NULL ? rv_colour_measure_part(&light, weights)
                           : rv_colour_measure(&light, NULL, &whole, 1);
    rv_planar_release(&light);
    return RV_OK;
}

void rv_light_match(rv_planar *picture, const float *weights, const rv_colour_moments *to)
{
    const double whole = 1;
    to_light(picture);
    const rv_colour_moments from = rv_colour_measure(picture, &weights, &whole, 1);
    rv_colour_map(picture, &from, to);
    for (size_t i = 0; i < rv_planar_floats(picture); i++) {
        picture->data[i] = rv_srgb_from_light(fminf(fmaxf(picture->data[i], 0.0f), 1.0f));
    }
}

static float luminance_of(const float colour[3])
{
    return luminance[0] * colour[0] + luminance[1] * colour[1] + luminance[2] * colour[2];
}

void rv_colour_keep(float styled[3], const float own[3])
{
    const float y = luminance_of(styled), own_y = luminance_of(own);
    float most = 1.0f;
    for (int c = 0; c < 3; c++) {
        const float chroma = own[c] - own_y, room = chroma > 0 ? 1.0f - y : y;
        most = fabsf(chroma) > room ? fminf(most, room / fabsf(chroma)) : most;
    }
    for (int c = 0; c < 3; c++) {
        styled[c] = y + most * (own[c] - own_y);
    }
}

void rv_planar_keep_colours(rv_planar *styled, const rv_planar *own)
{
    const size_t n = (size_t)styled->width * (size_t)styled->height;
    for (size_t i = 0; i < n; i++) {
        float colour[3], kept[3];
        for (size_t c = 0; c < 3; c++) {
            colour[c] = styled->data[c * n + i];
            kept[c] = own->data[c * n + i];
        }
        rv_colour_keep(colour, kept);
        for (size_t c = 0; c < 3; c++) {
            styled->data[c * n + i] = colour[c];
        }
    }
}
