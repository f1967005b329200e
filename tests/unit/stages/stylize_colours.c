/* Colours of the photo and the scale of strokes, through the whole of stylize. */
/* SPDX-License-Identifier: MIT */
#include "small_network.h"
#include "stages/picture.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/stylize.h>
#include <stdio.h>
#include <string.h>

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *style, *out;
    rv_stylize_options options;
    rv_events events;
    char warning[256];
} work;

static void on_log(void *payload, rv_log_level level, const char *text)
{
    work *w = payload;
    if (level == RV_LOG_WARNING) {
        snprintf(w->warning, sizeof w->warning, "%s", text);
    }
}

static void set_up(work *w, int photo_width, int photo_height, int style_size, int bits)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    w->model = small_network();
    w->photo = waves(photo_width, photo_height, 3, bits, 1);
    w->style = waves(style_size, style_size, 3, 16, 2);
    uint16_t *pixels = rv_image_pixels(w->style);
    for (int i = 0; i < style_size * style_size; i++) { /* dark red */
        pixels[3 * i + 1] /= 4;
        pixels[3 * i + 2] /= 5;
    }
    w->events = (rv_events){w, on_log, NULL, NULL};
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.content_layers = "relu2";
    w->options.style_layers = "relu1,relu2";
    w->options.iterations = 12;
    w->options.scales = 1;
    w->options.events = &w->events;
}

static void tear_down(work *w)
{
    rv_image_destroy(w->out);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->style);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static void stylize(work *w)
{
    const rv_image *const styles[1] = {w->style};
    rv_image_destroy(w->out);
    RV_ASSERT_OK(
        rv_stylize(&w->out, NULL, w->device, w->model, w->photo, styles, NULL, 1, &w->options));
}

static double sample(const rv_image *image, int i)
{
    return rv_image_bits(image) == 16
               ? ((const uint16_t *)rv_image_pixels_const(image))[i] / 65535.0
               : ((const uint8_t *)rv_image_pixels_const(image))[i] / 255.0;
}

static double luminance(const double v[3])
{
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2];
}

/* What is beside the luminance of each pixel is that of the photo, whole or as far as 0..1 has room, up to rounding. */
static void has_chroma_of_photo(const work *w, double rounding, double *changed)
{
    const int n = rv_image_width(w->out) * rv_image_height(w->out);
    cr_assert_eq(n, rv_image_width(w->photo) * rv_image_height(w->photo));
    *changed = 0;
    for (int i = 0; i < n; i++) {
        double out[3], own[3], share = 0, square = 0;
        bool at_end = false;
        for (int c = 0; c < 3; c++) {
            out[c] = sample(w->out, 3 * i + c);
            own[c] = sample(w->photo, 3 * i + c);
            at_end = at_end || out[c] <= rounding || out[c] >= 1 - rounding;
        }
        const double y = luminance(out), own_y = luminance(own);
        *changed += fabs(y - own_y) / n;
        for (int c = 0; c < 3; c++) {
            share += (out[c] - y) * (own[c] - own_y);
            square += (own[c] - own_y) * (own[c] - own_y);
        }
        share = square > 0 ? share / square : 1;
        for (int c = 0; c < 3; c++) {
            const double part = at_end ? share : 1;
            cr_assert_float_eq(out[c] - y, part * (own[c] - own_y), 2 * rounding,
                               "pixel %d, channel %d: %g, %g, %g", i, c, out[c] - y, own[c] - own_y,
                               share);
        }
    }
}

Test(stylize_colours, luminance_leaves_each_pixel_its_chroma)
{
    double changed;
    work w;
    set_up(&w, 48, 40, 40, 16);
    w.options.preserve_color = RV_PRESERVE_LUMINANCE;
    stylize(&w);
    cr_assert_eq(rv_image_bits(w.out), 16);
    has_chroma_of_photo(&w, 1.0 / 65535, &changed);
    cr_assert_gt(changed, 0.005);
    tear_down(&w);
}

/* Those of the full size, which the network never saw. */
Test(stylize_colours, luminance_has_the_colours_of_a_large_photo)
{
    static const int bits[2] = {16, 8};
    for (int i = 0; i < 2; i++) {
        double changed;
        work w;
        set_up(&w, 120, 90, 40, bits[i]);
        w.options.size = 32;
        w.options.output_size = RV_OUTPUT_PHOTO;
        w.options.preserve_color = RV_PRESERVE_LUMINANCE;
        stylize(&w);
        has_chroma_of_photo(&w, bits[i] == 16 ? 1.0 / 65535 : 1.0 / 255, &changed);
        cr_assert_gt(changed, 0.003);
        tear_down(&w);
    }
}

static void mean_colour(double mean[3], const rv_image *image)
{
    const int n = rv_image_width(image) * rv_image_height(image);
    for (int c = 0; c < 3; c++) {
        mean[c] = 0;
        for (int i = 0; i < n; i++) {
            mean[c] += sample(image, 3 * i + c) / n;
        }
    }
}

static double distance(const double a[3], const double b[3])
{
    return sqrt(pow(a[0] - b[0], 2) + pow(a[1] - b[1], 2) + pow(a[2] - b[2], 2));
}

/* By default the picture is as red as the style; in the photo's colours it is not. */
Test(stylize_colours, match_keeps_the_palette_of_the_photo)
{
    double photo[3], style[3], out[3];
    work w;
    set_up(&w, 48, 40, 40, 8);
    mean_colour(photo, w.photo);
    mean_colour(style, w.style);
    stylize(&w);
    mean_colour(out, w.out);
    cr_assert_lt(distance(out, style), 0.1 * distance(photo, style));
    w.options.preserve_color = RV_PRESERVE_MATCH;
    stylize(&w);
    mean_colour(out, w.out);
    cr_assert_lt(distance(out, photo), 0.1 * distance(photo, style));
    w.options.preset = RV_PRESET_GATYS;
    stylize(&w);
    mean_colour(out, w.out);
    cr_assert_lt(distance(out, photo), 0.1 * distance(photo, style));
    tear_down(&w);
}

/* What a stylizer knows of the styles in the colours of one photo is nothing for the next. */
Test(stylize_colours, match_gives_each_photo_what_it_gives_alone)
{
    rv_stylizer *stylizer;
    rv_image *second;
    work w;
    set_up(&w, 32, 24, 40, 8);
    rv_image *other = waves(32, 24, 3, 8, 7);
    memset(rv_image_pixels(other), 90, 32 * 24); /* a part of one colour */
    const rv_image *const styles[1] = {w.style};
    w.options.preserve_color = RV_PRESERVE_MATCH;
    RV_ASSERT_OK(rv_stylizer_create(&stylizer, w.device, w.model, styles, NULL, 1, &w.options));
    RV_ASSERT_OK(rv_stylizer_run(&second, NULL, stylizer, other, NULL));
    rv_image_destroy(second);
    RV_ASSERT_OK(rv_stylizer_run(&second, NULL, stylizer, w.photo, NULL));
    stylize(&w);
    cr_assert_arr_eq(rv_image_pixels(second), rv_image_pixels(w.out), 32 * 24 * 3);
    rv_image_destroy(second);
    rv_image_destroy(other);
    rv_stylizer_destroy(stylizer);
    tear_down(&w);
}

/* A style at half its size is the same as one that has but that. */
Test(stylize_colours, the_scale_of_the_style_is_its_size_beside_the_picture)
{
    work w;
    rv_image *half, *first;
    double largest = 0;
    set_up(&w, 40, 40, 80, 8);
    w.options.iterations = 3;
    w.options.preset =
        RV_PRESET_GATYS; /* patches learn other filters from values that are rounded */
    w.options.style_scale = 0.5;
    stylize(&w);
    first = w.out;
    w.out = NULL;
    rv_planar small;
    RV_ASSERT_OK(rv_picture_planes(&small, NULL, w.device, w.style, NULL, 20, 20));
    RV_ASSERT_OK(rv_picture_image(&half, &small, NULL, 16));
    rv_image_destroy(w.style);
    w.style = half;
    w.options.style_scale = 1;
    stylize(&w);
    for (int i = 0; i < 40 * 40 * 3; i++) {
        largest = fmax(largest, fabs(sample(first, i) - sample(w.out, i)));
    }
    cr_assert_lt(largest, 2.1 / 255);
    cr_assert_str_eq(w.warning, "");
    rv_planar_release(&small);
    rv_image_destroy(first);
    tear_down(&w);
}

Test(stylize_colours, strokes_are_not_enlarged_beyond_the_style_without_a_word)
{
    work w;
    set_up(&w, 40, 30, 60, 8);
    w.options.iterations = 1;
    w.options.style_scale = 1.5;
    stylize(&w);
    cr_assert_str_eq(w.warning, "");
    rv_image *before = w.out;
    w.out = NULL;
    w.options.style_scale = 4;
    stylize(&w);
    cr_assert_str_eq(w.warning,
                     "style 1 has 60 pixels on its longest side, not the 160 that a style_scale "
                     "of 4 takes: the finest strokes are as with 1.5");
    cr_assert_arr_eq(rv_image_pixels(before), rv_image_pixels(w.out), 40 * 30 * 3);
    rv_image_destroy(before);
    tear_down(&w);
}
