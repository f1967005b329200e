/* Enlarges and turns a picture about its middle, by cubic interpolation between its samples. */
/* SPDX-License-Identifier: MIT */
#include <reverie/dream.h>

#include "base/error.h"
#include "base/pool.h"
#include "stages/picture.h"

#include <math.h>

#define PI 3.14159265358979323846

/* A picture that is turned. */
typedef struct turn {
    const rv_image *from;
    rv_image *to;
    double cosine, sine; /* divided by the zoom */
} turn;

/* Weights of Catmull and Rom for four samples, t beyond the second. */
static void weigh(float out[4], float t)
{
    out[0] = t * (-0.5f + t * (1.0f - 0.5f * t));
    out[1] = 1.0f + t * t * (-2.5f + 1.5f * t);
    out[2] = t * (0.5f + t * (2.0f - 1.5f * t));
    out[3] = t * t * (-0.5f + 0.5f * t);
}

static float sample(const rv_image *image, int x, int y, int c)
{
    const int channels = rv_image_channels(image);
    const size_t at =
        ((size_t)rv_mirrored(y, rv_image_height(image)) * (size_t)rv_image_width(image) +
         (size_t)rv_mirrored(x, rv_image_width(image))) *
            (size_t)channels +
        (size_t)c;
    return rv_image_bits(image) == 16 ? (float)((const uint16_t *)rv_image_pixels_const(image))[at]
                                      : (float)((const uint8_t *)rv_image_pixels_const(image))[at];
}

static float look(const rv_image *image, double x, double y, int c)
{
    const int left = (int)floor(x), top = (int)floor(y);
    float across[4], down[4], sum = 0;
    weigh(across, (float)(x - left));
    weigh(down, (float)(y - top));
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 4; i++) {
            sum += down[k] * across[i] * sample(image, left + i - 1, top + k - 1, c);
        }
    }
    return sum;
}

static rv_status turn_row(void *payload, size_t row)
{
    const turn *t = payload;
    const int width = rv_image_width(t->to), height = rv_image_height(t->to);
    const int channels = rv_image_channels(t->to), wide = rv_image_bits(t->to) == 16;
    const float most = wide ? 65535.0f : 255.0f;
    const double middle_x = 0.5 * (width - 1), middle_y = 0.5 * (height - 1);
    const double dy = (double)row - middle_y;
    size_t at = row * (size_t)width * (size_t)channels;
    for (int x = 0; x < width; x++) {
        const double dx = x - middle_x;
        const double from_x = middle_x + t->cosine * dx - t->sine * dy;
        const double from_y = middle_y + t->sine * dx + t->cosine * dy;
        for (int c = 0; c < channels; c++, at++) {
            const float v = fminf(fmaxf(look(t->from, from_x, from_y, c), 0.0f), most) + 0.5f;
            if (wide) {
                ((uint16_t *)rv_image_pixels(t->to))[at] = (uint16_t)v;
            } else {
                ((uint8_t *)rv_image_pixels(t->to))[at] = (uint8_t)v;
            }
        }
    }
    return RV_OK;
}

rv_status rv_dream_zoom(rv_image **out, const rv_image *picture, double zoom, double degrees)
{
    *out = NULL;
    if (!(zoom >= 0.001 && zoom <= 1000) || !isfinite(degrees)) {
        return rv_fail(RV_ERR_USAGE,
                       "zoom is %g, must be from 0.001 to 1000, and degrees %g a number", zoom,
                       degrees);
    }
    const double angle = degrees * PI / 180;
    turn t = {.from = picture, .cosine = cos(angle) / zoom, .sine = sin(angle) / zoom};
    RV_TRY(rv_image_create(&t.to, rv_image_width(picture), rv_image_height(picture),
                           rv_image_channels(picture), rv_image_bits(picture)));
    const rv_status status = rv_parallel_for((size_t)rv_image_height(picture), 0, turn_row, &t);
    if (status != RV_OK) {
        rv_image_destroy(t.to);
        return status;
    }
    *out = t.to;
    return RV_OK;
}
