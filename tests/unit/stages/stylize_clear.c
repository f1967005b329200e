/* Transparent pixels of a style picture: they are not counted. */
/* SPDX-License-Identifier: MIT */
#include <reverie/stylize.h>

#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 40, HEIGHT = 30 };

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *out;
    rv_stylize_options options;
} work;

static void set_up(work *w, const char *model)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    w->photo = waves(WIDTH, HEIGHT, 3, 8, 1);
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.size = WIDTH;
    w->options.scales = 1;
    w->options.iterations = 4;
    if (model != NULL) {
        RV_ASSERT_OK(rv_model_open(&w->model, model, NULL));
    } else {
        w->model = small_network();
        w->options.content_layers = "relu3";
        w->options.style_layers = "relu1,relu2";
    }
}

static rv_status stylize(work *w, const rv_image *style)
{
    rv_image_destroy(w->out);
    return rv_stylize(&w->out, NULL, w->device, w->model, w->photo, &style, NULL, 1, &w->options);
}

static void tear_down(work *w)
{
    rv_image_destroy(w->out);
    rv_image_destroy(w->photo);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

/* Mean of red less blue, and the deviation of green. */
static void colours_of(double out[2], const rv_image *image)
{
    const uint8_t *p = rv_image_pixels_const(image);
    const int n = rv_image_width(image) * rv_image_height(image);
    double mean = 0, square = 0;
    out[0] = 0;
    for (int i = 0; i < n; i++) {
        out[0] += (p[3 * i] - p[3 * i + 2]) / (double)n;
        mean += p[3 * i + 1] / (double)n;
        square += p[3 * i + 1] * p[3 * i + 1] / (double)n;
    }
    out[1] = sqrt(square - mean * mean);
}

enum { ACROSS = 30, DOWN = 22 };

/* A style, and the same with as much again beside it that is transparent, and red. */
static void make_styles(rv_image **alone, rv_image **beside)
{
    *alone = waves(ACROSS, DOWN, 3, 8, 2);
    RV_ASSERT_OK(rv_image_create(beside, 2 * ACROSS, DOWN, 4, 8));
    for (int i = 0; i < 2 * ACROSS * DOWN; i++) {
        const int x = i % (2 * ACROSS), y = i / (2 * ACROSS);
        uint8_t *to = (uint8_t *)rv_image_pixels(*beside) + (size_t)(4 * i);
        to[0] = 255;
        if (x < ACROSS) {
            memcpy(to, (uint8_t *)rv_image_pixels(*alone) + (size_t)(3 * (y * ACROSS + x)), 3);
            to[3] = 255;
        }
    }
}

static void counts_what_is_seen(const char *model, rv_preserve_color preserve)
{
    double want[2], got[2];
    rv_image *alone, *beside;
    work w;
    set_up(&w, model);
    w.options.preserve_color = preserve;
    w.options.style_scale = 0.75; /* of the same size in both */
    make_styles(&alone, &beside);
    RV_ASSERT_OK(stylize(&w, alone));
    colours_of(want, w.out);
    w.options.style_scale = 1.5;
    RV_ASSERT_OK(stylize(&w, beside));
    colours_of(got, w.out);
    cr_assert_float_eq(got[0], want[0], 5, "%g, not %g", got[0], want[0]);
    cr_assert_float_eq(got[1], want[1], 0.1 * want[1], "%g, not %g", got[1], want[1]);
    rv_image_destroy(alone);
    rv_image_destroy(beside);
    tear_down(&w);
}

Test(stylize_clear, pixels_of_a_style_are_not_counted)
{
    counts_what_is_seen(NULL, RV_PRESERVE_NONE);
    counts_what_is_seen("patches", RV_PRESERVE_NONE);
    counts_what_is_seen("patches", RV_PRESERVE_MATCH);
}

/* An alpha that hides nothing changes no bit. */
Test(stylize_clear, channels_that_hide_nothing_are_as_none)
{
    rv_image *alone, *beside, *opaque, *first;
    work w;
    set_up(&w, NULL);
    make_styles(&alone, &beside);
    RV_ASSERT_OK(rv_image_create(&opaque, ACROSS, DOWN, 4, 8));
    for (size_t i = 0; i < ACROSS * DOWN; i++) {
        uint8_t *to = (uint8_t *)rv_image_pixels(opaque) + 4 * i;
        memcpy(to, (uint8_t *)rv_image_pixels(alone) + 3 * i, 3);
        to[3] = 255;
    }
    RV_ASSERT_OK(stylize(&w, alone));
    first = w.out;
    w.out = NULL;
    RV_ASSERT_OK(stylize(&w, opaque));
    cr_assert_eq(memcmp(rv_image_pixels(w.out), rv_image_pixels(first), 3 * WIDTH * HEIGHT), 0);
    rv_image_destroy(first);
    rv_image_destroy(alone);
    rv_image_destroy(beside);
    rv_image_destroy(opaque);
    tear_down(&w);
}

Test(stylize_clear, styles_have_something_to_show)
{
    rv_image *nothing;
    work w;
    set_up(&w, NULL);
    RV_ASSERT_OK(rv_image_create(&nothing, 24, 20, 4, 16));
    RV_ASSERT_FAILS(stylize(&w, nothing), RV_ERR_FORMAT,
                    "style picture 1 is transparent all over: there is no style in it");
    rv_image_destroy(nothing);
    tear_down(&w);
}
