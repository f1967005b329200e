/* Values beyond the range come back with what they show, and frames of a film keep the photo's light and contrast. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "small_network.h"
#include "stages/dream_job.h"
#include "support/assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, PIXELS = SIDE * SIDE, FLOATS = 3 * PIXELS };

/* A slope from `low` to `high` in each plane. */
static rv_planar slope(float low, float high)
{
    rv_planar p;
    RV_ASSERT_OK(rv_planar_create(&p, SIDE, SIDE));
    for (int i = 0; i < FLOATS; i++) {
        p.data[i] = low + (high - low) * (float)(i % PIXELS) / (PIXELS - 1);
    }
    return p;
}

Test(dream_tone, what_is_in_range_stays_to_the_bit)
{
    rv_planar p = slope(0, 1);
    RV_ASSERT_OK(rv_dream_bring_back(&p, NULL, 0.1));
    for (int i = 0; i < FLOATS; i++) {
        cr_assert_eq(p.data[i], (float)(i % PIXELS) / (PIXELS - 1));
    }
    rv_planar_release(&p);
}

/* Lights up to 1.2 and shadows down to -0.1: (0.2 + 0.25) / 0.25 units and (0.1 + 0.25) / 0.25 units of room become 1. */
Test(dream_tone, lights_and_shadows_make_room_and_the_middle_stays)
{
    rv_planar p = slope(-0.1f, 1.2f);
    const rv_planar was = slope(-0.1f, 1.2f);
    RV_ASSERT_OK(rv_dream_bring_back(&p, NULL, 1e-6));
    for (int i = 0; i < PIXELS; i++) {
        const double v = (double)was.data[i], most = v > 0.5 ? 1.8 : 1.4;
        const double unit = v > 0.5 ? (v - 0.75) / 0.25 : (0.25 - v) / 0.25;
        const double bent = 0.25 * unit / (1 + (1 - 1 / most) * unit);
        const double want = unit <= 0 ? v : v > 0.5 ? 0.75 + bent : 0.25 - bent;
        cr_assert_float_eq((double)p.data[i], want, 1e-4, "%g to %g", v, (double)p.data[i]);
        cr_assert(i == 0 || p.data[i] > p.data[i - 1], "%d", i);
    }
    rv_planar_release(&p);
    rv_planar_release((rv_planar *)&was);
}

/* Far beyond, all of it shrinks about the middle first. */
Test(dream_tone, however_far_values_went_their_order_stays)
{
    rv_planar p = slope(-3, 5);
    RV_ASSERT_OK(rv_dream_bring_back(&p, NULL, 1e-6));
    for (int i = 1; i < PIXELS; i++) {
        cr_assert_gt(p.data[i], p.data[i - 1]);
    }
    cr_assert_float_eq(p.data[PIXELS - 1], 1, 1e-3);
    rv_planar_release(&p);
}

Test(dream_tone, a_share_of_the_values_is_cut_off_and_pixels_outside_the_mask_stay)
{
    rv_planar p = slope(0, 2);
    static float share[PIXELS];
    int white = 0;
    for (int i = 0; i < PIXELS; i++) {
        share[i] = i % 2 == 0 ? 1 : 0;
    }
    RV_ASSERT_OK(rv_dream_bring_back(&p, share, 10));
    for (int i = 0; i < PIXELS; i++) {
        const float was = 2 * (float)i / (PIXELS - 1);
        white += i % 2 == 0 && p.data[i] >= 1;
        cr_assert(i % 2 == 0 || p.data[i] == fminf(was, 1), "%d", i);
    }
    cr_assert_float_eq(white, PIXELS / 20.0, 3); /* a tenth of half of them */
    rv_planar_release(&p);
}

static void measure(const rv_image *image, int c, double *mean, double *deviation)
{
    const int channels = rv_image_channels(image), wide = rv_image_bits(image) == 16;
    const int n = rv_image_width(image) * rv_image_height(image);
    double sum = 0, squares = 0, all = 0;
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(i * channels + c), alpha = (size_t)(i * channels + 3);
        const uint16_t *w = rv_image_pixels_const(image);
        const uint8_t *b = rv_image_pixels_const(image);
        const double v = wide ? w[at] / 257.0 : b[at];
        const double weight = channels < 4 ? 1 : wide ? w[alpha] / 65535.0 : b[alpha] / 255.0;
        sum += weight * v;
        squares += weight * v * v;
        all += weight;
    }
    *mean = sum / all;
    *deviation = sqrt(squares / all - *mean * *mean);
}

Test(dream_tone, a_frame_gets_the_light_of_the_photo_and_no_more_contrast)
{
    for (int bits = 8; bits <= 16; bits += 8) {
        rv_image *photo = waves(40, 30, 4, bits, 1), *frame = waves(50, 20, 4, bits, 2), *same;
        double mean, deviation, want_mean, want_deviation;
        /* Halve the contrast of the photo's red about a lower mean: what the frame has more of is to go. */
        for (int i = 0; i < 1200; i++) {
            uint16_t *w = rv_image_pixels(photo);
            uint8_t *b = rv_image_pixels(photo);
            if (bits == 16) {
                w[4 * i] = (uint16_t)(5000 + w[4 * i] / 2);
            } else {
                b[4 * i] = (uint8_t)(20 + b[4 * i] / 2);
            }
        }
        measure(photo, 0, &want_mean, &want_deviation);
        rv_dream_level(frame, photo);
        measure(frame, 0, &mean, &deviation);
        cr_assert_float_eq(mean, want_mean, 0.5, "%g, not %g", mean, want_mean);
        cr_assert_float_eq(deviation, want_deviation, 0.5, "%g, not %g", deviation, want_deviation);
        /* A frame of less contrast keeps what it has. */
        RV_ASSERT_OK(rv_dream_zoom(&same, photo, 1, 0));
        rv_dream_level(same, frame);
        measure(same, 0, &mean, &deviation);
        cr_assert_float_eq(deviation, want_deviation, 0.5);
        rv_image_destroy(photo);
        rv_image_destroy(frame);
        rv_image_destroy(same);
    }
}
