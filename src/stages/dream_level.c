/* Keeps light and contrast of a film what they are in the photo: each frame would add to them. */
/* SPDX-License-Identifier: MIT */
#include <reverie/dream.h>

#include <math.h>
#include <stdint.h>

/* Mean and standard deviation of a channel, of 0..1. */
typedef struct level {
    double mean, deviation;
} level;

static double sample(const rv_image *image, size_t at)
{
    const void *samples = rv_image_pixels_const(image);
    return rv_image_bits(image) == 16 ? ((const uint16_t *)samples)[at] / 65535.0
                                      : ((const uint8_t *)samples)[at] / 255.0;
}

static size_t pixels_of(const rv_image *image)
{
    return (size_t)rv_image_width(image) * (size_t)rv_image_height(image);
}

/* Of what can be seen. */
static level measure(const rv_image *image, size_t c)
{
    const size_t channels = (size_t)rv_image_channels(image), n = pixels_of(image) * channels;
    double weights = 0, sum = 0, squares = 0;
    for (size_t at = 0; at < n; at += channels) {
        const double weight = channels == 4 ? sample(image, at + 3) : 1;
        const double v = sample(image, at + c);
        weights += weight;
        sum += weight * v;
        squares += weight * v * v;
    }
    const double mean = weights > 0 ? sum / weights : 0;
    const double variance = weights > 0 ? squares / weights - mean * mean : 0;
    return (level){mean, sqrt(fmax(variance, 0))};
}

void rv_dream_level(rv_image *picture, const rv_image *photo)
{
    const size_t channels = (size_t)rv_image_channels(picture);
    const size_t n = pixels_of(picture) * channels;
    const double most = rv_image_bits(picture) == 16 ? 65535 : 255;
    for (size_t c = 0; c < 3; c++) {
        const level is = measure(picture, c), was = measure(photo, c);
        const double shrink = is.deviation > was.deviation ? was.deviation / is.deviation : 1;
        for (size_t at = c; at < n; at += channels) {
            const double v = was.mean + shrink * (sample(picture, at) - is.mean);
            const double out = floor(fmin(fmax(v, 0), 1) * most + 0.5);
            if (most > 255) {
                ((uint16_t *)rv_image_pixels(picture))[at] = (uint16_t)out;
            } else {
                ((uint8_t *)rv_image_pixels(picture))[at] = (uint8_t)out;
            }
        }
    }
}
