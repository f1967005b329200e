/* Masks in stylize: where they lie at any size, what stays the photo's to the bit, styles that keep to their regions. */
/* SPDX-License-Identifier: MIT */
#include <reverie/stylize.h>

#include "graph/plan.h"
#include "model/model.h"
#include "small_network.h"
#include "stages/enlarge.h"
#include "stages/mask.h"
#include "stages/stylize_mask.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 40, HEIGHT = 30 };

/* White from column `from` to column `to`, grey in column `grey` (-1: in none). */
static rv_image *bars_mask(int width, int height, int from, int to, int grey)
{
    rv_image *image;
    RV_ASSERT_OK(rv_image_create(&image, width, height, 3, 8));
    for (int i = 0; i < width * height * 3; i++) {
        const int x = i / 3 % width;
        ((uint8_t *)rv_image_pixels(image))[i] = x == grey ? 100 : x >= from && x < to ? 255 : 0;
    }
    return image;
}

/* --- at other sizes -------------------------------------------------------------------------- */

static void rows_of(float *out, const rv_image *image, int width, int height)
{
    rv_mask mask;
    RV_ASSERT_OK(rv_mask_create(&mask, image));
    for (int y = 0; y < height; y += 3) {
        const int rows = height - y < 3 ? height - y : 3;
        RV_ASSERT_OK(rv_mask_rows(out + y * width, &mask, width, height, y, rows));
    }
    rv_mask_release(&mask);
}

Test(stylize_mask, is_what_was_drawn_at_its_own_size)
{
    float rows[WIDTH * HEIGHT];
    rv_image *image = bars_mask(WIDTH, HEIGHT, 11, 23, 10);
    rows_of(rows, image, WIDTH, HEIGHT);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const int x = i % WIDTH;
        const double wanted = x == 10 ? 100.0 / 255 : x >= 11 && x < 23 ? 1 : 0;
        cr_assert_float_eq(rows[i], wanted, 1e-6, "column %d: %g", x, (double)rows[i]);
        cr_assert(x == 10 || rows[i] <= 0 || rows[i] >= 1);
    }
    rv_image_destroy(image);
}

/* Black and white stay exact, all in all as much is white as before. */
static void keeps_what_it_is(int width, int height)
{
    float *rows = malloc((size_t)(width * height) * sizeof *rows);
    rv_image *image = bars_mask(WIDTH, HEIGHT, 10, 20, -1);
    const double step = (double)WIDTH / width, reach = fmax(1, step) + 0.5;
    double sum = 0;
    rows_of(rows, image, width, height);
    for (int i = 0; i < width * height; i++) {
        const double x = (i % width + 0.5) * step;
        sum += (double)rows[i];
        cr_assert((x > 10 - reach && x < 10 + reach) || (x > 20 - reach && x < 20 + reach) ||
                      (x > 10 && x < 20 ? rows[i] >= 1 : rows[i] <= 0),
                  "%d x %d, column %d: %g", width, height, i % width, (double)rows[i]);
    }
    cr_assert_float_eq(sum / (width * height), 0.25, 0.02, "%g", sum / (width * height));
    rv_image_destroy(image);
    free(rows);
}

Test(stylize_mask, keeps_black_and_white_at_other_sizes)
{
    keeps_what_it_is(13, 10);
    keeps_what_it_is(27, 33);
    keeps_what_it_is(97, 61);
}

/* From a step to the sum of three means of 5: exact beyond, and as much white as before. */
Test(stylize_mask, has_edges_as_wide_as_they_are_wanted)
{
    enum { W = 60, H = 7 };
    const double wanted[] = {0, 1, 4, 10, 20, 35, 53, 72, 90, 105, 115, 121, 124, 125};
    float rows[W * H];
    rv_image *image = bars_mask(W, H, 30, W, -1);
    rv_mask mask;
    RV_ASSERT_OK(rv_mask_create(&mask, image));
    RV_ASSERT_OK(rv_mask_feather(&mask, 12, 3));
    RV_ASSERT_OK(rv_mask_rows(rows, &mask, W, H, 0, H));
    for (int i = 0; i < W * H; i++) {
        const int x = i % W;
        const double share = x < 23 ? 0 : x > 36 ? 1 : wanted[x - 23] / 125;
        cr_assert_float_eq(rows[i], share, 1e-4, "column %d: %g", x, (double)rows[i]);
        cr_assert((x >= 24 || rows[i] <= 0) && (x < 36 || rows[i] >= 1));
    }
    rv_mask_release(&mask);
    rv_image_destroy(image);
}

/* Edges narrower than a pixel of the mask are as they were. */
Test(stylize_mask, has_no_edges_wider_than_they_are_wanted)
{
    float rows[WIDTH * HEIGHT];
    rv_image *image = bars_mask(WIDTH, HEIGHT, 20, WIDTH, -1);
    rv_mask mask;
    RV_ASSERT_OK(rv_mask_create(&mask, image));
    RV_ASSERT_OK(rv_mask_feather(&mask, 1, 2.9));
    RV_ASSERT_OK(rv_mask_rows(rows, &mask, WIDTH, HEIGHT, 0, HEIGHT));
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        cr_assert_eq(rows[i] > 0, i % WIDTH >= 20, "column %d: %g", i % WIDTH, (double)rows[i]);
    }
    rv_mask_release(&mask);
    rv_image_destroy(image);
}

Test(stylize_mask, is_the_alpha_where_there_is_transparency_else_lightness)
{
    rv_image *image;
    rv_mask mask;
    RV_ASSERT_OK(rv_image_create(&image, 2, 1, 4, 8));
    memcpy(rv_image_pixels(image), (uint8_t[]){255, 255, 255, 255, 0, 255, 0, 255}, 8);
    RV_ASSERT_OK(rv_mask_create(&mask, image));
    cr_assert_eq(mask.values[0], 65535);
    cr_assert_float_eq(mask.values[1] / 65535.0, 0.7152, 1e-4);
    rv_mask_release(&mask);
    memcpy(rv_image_pixels(image), (uint8_t[]){0, 0, 0, 255, 255, 255, 255, 51}, 8);
    RV_ASSERT_OK(rv_mask_create(&mask, image));
    cr_assert_eq(mask.values[0], 65535);
    cr_assert_eq(mask.values[1], 13107);
    rv_mask_release(&mask);
    rv_image_destroy(image);
}

/* --- stylize --------------------------------------------------------------------------------- */

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *styles[2];
    const rv_image *style_masks[2];
    int n_styles, said;
    char text[256];
    rv_stylize_options options;
    rv_events events;
    rv_image *out;
    rv_stylize_result result;
} work;

static void on_log(void *payload, rv_log_level level, const char *text)
{
    work *w = payload;
    (void)level;
    w->said++;
    snprintf(w->text, sizeof w->text, "%s", text);
}

static void set_up(work *w, int channels, int bits)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    w->model = small_network();
    w->photo = waves(WIDTH, HEIGHT, channels, bits, 1);
    for (int i = 0; i < WIDTH * HEIGHT && channels == 4; i++) {
        ((uint8_t *)rv_image_pixels(w->photo))[4 * i + 3] = 255;
    }
    w->styles[0] = waves(30, 22, 3, 8, 2);
    w->styles[1] = waves(26, 32, 3, 8, 3);
    w->n_styles = 1;
    w->events = (rv_events){.payload = w, .log = on_log};
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.size = WIDTH;
    w->options.iterations = 4;
    w->options.content_layers = "relu3";
    w->options.style_layers = "relu1,relu2";
    w->options.events = &w->events;
}

static rv_status stylize(work *w)
{
    rv_image_destroy(w->out);
    w->said = 0;
    return rv_stylize(&w->out, &w->result, w->device, w->model, w->photo,
                      (const rv_image *const *)w->styles, NULL, w->n_styles, &w->options);
}

static void tear_down(work *w)
{
    rv_image_destroy(w->out);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->styles[0]);
    rv_image_destroy(w->styles[1]);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static size_t bytes_of(const rv_image *image)
{
    return (size_t)(rv_image_width(image) * rv_image_height(image) * rv_image_channels(image) *
                    rv_image_bits(image) / 8);
}

static bool same(const rv_image *a, const rv_image *b)
{
    return bytes_of(a) == bytes_of(b) &&
           memcmp(rv_image_pixels_const(a), rv_image_pixels_const(b), bytes_of(a)) == 0;
}

static bool same_pixel(const rv_image *a, const rv_image *b, int i)
{
    const size_t n = (size_t)(rv_image_channels(a) * rv_image_bits(a) / 8);
    return memcmp((const char *)rv_image_pixels_const(a) + (size_t)i * n,
                  (const char *)rv_image_pixels_const(b) + (size_t)i * n, n) == 0;
}

/* Left of `from` the picture is the other one to the bit, from `to` on it is not in most pixels. */
static void is_restored(const rv_image *picture, const rv_image *photo, int from, int to)
{
    const int width = rv_image_width(picture), pixels = width * rv_image_height(picture);
    int others = 0, inner = 0;
    cr_assert_eq(bytes_of(picture), bytes_of(photo));
    for (int i = 0; i < pixels; i++) {
        const bool equal = same_pixel(picture, photo, i);
        cr_assert(equal || i % width >= from, "pixel %d, %d", i % width, i / width);
        others += !equal && i % width >= to;
        inner += i % width >= to;
    }
    cr_assert(others > 0.9 * inner, "%d of %d", others, inner);
}

static void keeps_the_photo_outside(int bits, rv_stylize_init init, int output)
{
    work w;
    set_up(&w, 3, bits);
    rv_image *mask = bars_mask(WIDTH, HEIGHT, 20, WIDTH, -1), *photo = NULL;
    w.options.mask = mask;
    w.options.init = init;
    w.options.output_size = output;
    RV_ASSERT_OK(stylize(&w));
    RV_ASSERT_OK(rv_picture_resized(&photo, w.device, w.photo, rv_image_width(w.out),
                                    rv_image_height(w.out)));
    const int scale = rv_image_width(w.out) / WIDTH;
    is_restored(w.out, photo, 20 * scale - scale / 2, 20 * scale + scale);
    cr_assert_eq(w.said, 0, "%s", w.text);
    cr_assert_not_null(strstr(w.result.settings, " masked=1"));
    rv_image_destroy(photo);
    rv_image_destroy(mask);
    tear_down(&w);
}

Test(stylize_mask, keeps_the_photo_outside)
{
    keeps_the_photo_outside(8, RV_INIT_FROM_CONTENT, 0);
    keeps_the_photo_outside(16, RV_INIT_FROM_NOISE, 0);
    keeps_the_photo_outside(8, RV_INIT_FROM_CONTENT, 2 * WIDTH);
}

static void on_preview(void *payload, const rv_image *picture)
{
    const rv_image *const *photo = payload;
    is_restored(picture, *photo, 9, 12);
}

/* Of a photo that is larger, and that has the size of the last scale. */
Test(stylize_mask, keeps_the_photo_outside_in_previews)
{
    for (int size = WIDTH / 2; size <= WIDTH; size += WIDTH / 2) {
        work w;
        set_up(&w, 3, 8);
        rv_image *mask = bars_mask(WIDTH, HEIGHT, size == WIDTH ? 9 : 20, WIDTH, -1), *photo;
        RV_ASSERT_OK(
            rv_picture_resized(&photo, w.device, w.photo, size, size == WIDTH ? HEIGHT : 15));
        w.options.mask = mask;
        w.options.size = size;
        w.options.preview = on_preview;
        w.options.preview_payload = &photo;
        w.options.preview_seconds = 0;
        RV_ASSERT_OK(stylize(&w));
        rv_image_destroy(photo);
        rv_image_destroy(mask);
        tear_down(&w);
    }
}

Test(stylize_mask, may_be_feathered)
{
    work w;
    set_up(&w, 3, 8);
    rv_image *mask = bars_mask(WIDTH / 2, HEIGHT, 10, WIDTH, -1);
    w.options.mask = mask;
    w.options.feather = 12; /* columns 14 to 26 */
    RV_ASSERT_OK(stylize(&w));
    is_restored(w.out, w.photo, 14, 20);
    cr_assert_not_null(strstr(w.result.settings, " feather=12"));
    w.options.feather = -1;
    cr_assert_eq(stylize(&w), RV_ERR_USAGE);
    cr_assert_str_eq(rv_error_message(), "feather is -1, must be from 0 to 10000");
    rv_image_destroy(mask);
    tear_down(&w);
}

Test(stylize_mask, that_is_white_is_as_none)
{
    work w;
    set_up(&w, 3, 8);
    RV_ASSERT_OK(stylize(&w));
    rv_image *without = w.out, *white = bars_mask(WIDTH / 2, HEIGHT, 0, WIDTH, -1);
    w.out = NULL;
    w.options.mask = white;
    w.style_masks[0] = white;
    w.options.style_masks = w.style_masks;
    RV_ASSERT_OK(stylize(&w));
    cr_assert(same(w.out, without));
    cr_assert_eq(w.said, 1);
    cr_assert_str_eq(w.text, "a mask of 20 x 30 pixels is stretched over a photo of 40 x 30");
    rv_image_destroy(white);
    rv_image_destroy(without);
    tear_down(&w);
}

/* A style's mask alone is a mask. */
Test(stylize_mask, of_the_only_style_leaves_the_rest_as_it_is)
{
    work w;
    set_up(&w, 3, 8);
    rv_image *mask = bars_mask(WIDTH, HEIGHT, 20, WIDTH, -1);
    w.style_masks[0] = mask;
    w.options.style_masks = w.style_masks;
    RV_ASSERT_OK(stylize(&w));
    is_restored(w.out, w.photo, 20, 20);
    rv_image *by_style = w.out;
    w.out = NULL;
    w.options.style_masks = NULL;
    w.options.mask = mask;
    RV_ASSERT_OK(stylize(&w));
    cr_assert(same(w.out, by_style));
    rv_image_destroy(by_style);
    rv_image_destroy(mask);
    tear_down(&w);
}

/* --- transparency ---------------------------------------------------------------------------- */

/* Clear left of column 13, half clear in it, with other colours below what is clear. */
static void make_clear(rv_image *photo, int colour)
{
    uint8_t *p = rv_image_pixels(photo);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const int x = i % WIDTH;
        p[4 * i + 3] = x < 13 ? 0 : x == 13 ? 128 : 255;
        if (x < 13) {
            memset(&p[4 * i], colour + i % 7, 3);
        }
    }
}

Test(stylize_mask, is_the_transparency_of_a_photo)
{
    work w;
    set_up(&w, 4, 8);
    make_clear(w.photo, 10);
    RV_ASSERT_OK(stylize(&w));
    is_restored(w.out, w.photo, 13, 14);
    rv_image *first = w.out;
    w.out = NULL;
    make_clear(w.photo, 200);
    RV_ASSERT_OK(stylize(&w));
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        cr_assert(i % WIDTH < 13 || same_pixel(w.out, first, i), "what is clear counts in %d", i);
    }
    rv_image_destroy(first);
    tear_down(&w);
}

/* --- regions --------------------------------------------------------------------------------- */

/* Gram matrix of relu1, [9,9], of columns `from` to `to` of a picture. */
static void gram_of(double out[81], const work *w, const rv_image *image, int from, int to)
{
    const char *layer = "relu1";
    const rv_part part = {from, 0, to - from, rv_image_height(image)};
    rv_model_graph g;
    rv_value value, gram;
    rv_params *params;
    rv_plan *plan;
    rv_planar planes;
    float values[81];
    RV_ASSERT_OK(rv_picture_planes(&planes, NULL, w->device, image, &part, to - from,
                                   rv_image_height(image)));
    RV_ASSERT_OK(rv_model_build(&g, w->model, &layer, 1));
    RV_ASSERT_OK(
        rv_graph_reshape(g.graph, g.picture, rv_shape_4(1, 3, planes.height, planes.width)));
    RV_ASSERT_OK(rv_graph_find(g.graph, &value, layer));
    RV_ASSERT_OK(rv_graph_add(g.graph, &gram, "gram", "gram", &value, 1,
                              RV_ATTRS(RV_SET_ENUM("normalize", "hw"))));
    RV_ASSERT_OK(rv_params_create(&params, w->device, g.graph, false));
    const rv_plan_options options = {.mode = RV_INFER, .outputs = &gram, .n_outputs = 1};
    RV_ASSERT_OK(rv_plan_create(&plan, g.graph, params, w->device, &options));
    RV_ASSERT_OK(rv_tensor_write(w->device, rv_plan_tensor(plan, g.picture), planes.data));
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_tensor_read(w->device, rv_plan_tensor(plan, gram), values));
    for (int i = 0; i < 81; i++) {
        out[i] = (double)values[i];
    }
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_graph_destroy(g.graph);
    rv_planar_release(&planes);
}

/* Share of a style's Gram matrix that a part of the picture misses. */
static double missed(const work *w, const rv_image *style, int from, int to)
{
    double own[81], target[81], sum = 0, all = 0;
    gram_of(own, w, w->out, from, to);
    gram_of(target, w, style, 0, rv_image_width(style));
    for (int i = 0; i < 81; i++) {
        sum += pow(own[i] - target[i], 2);
        all += target[i] * target[i];
    }
    return sum / all;
}

/* A dark red style and a light blue one. */
static void tint(rv_image *image, int channel, double factor)
{
    uint8_t *p = rv_image_pixels(image);
    for (size_t i = 0; i < bytes_of(image); i++) {
        p[i] = (uint8_t)(p[i] * ((int)(i % 3) == channel ? 1 : factor));
    }
}

/* Shares of a pixel where masks lie over each other. */
static void shares_are(const rv_stylize_masks *masks, int x, double first, double second)
{
    rv_stylize_regions r;
    RV_ASSERT_OK(rv_stylize_regions_find(&r, masks, WIDTH, HEIGHT, 0));
    const int i = 3 * WIDTH + x;
    cr_assert_float_eq(r.planes[0][i], first, 1e-6, "column %d: %g", x, (double)r.planes[0][i]);
    cr_assert_float_eq(r.planes[1][i], second, 1e-6, "column %d: %g", x, (double)r.planes[1][i]);
    cr_assert(masks->n < 3 || fabs((double)r.planes[2][i] - fmax(1 - first - second, 0)) < 1e-6);
    rv_stylize_regions_release(&r);
}

static void shares_places(int n_styles)
{
    const double shares[3] = {0.4, 0.3, 0.3};
    rv_image *photo = bars_mask(WIDTH, HEIGHT, 0, WIDTH, -1);
    rv_image *left = bars_mask(WIDTH, HEIGHT, 0, 24, -1);
    rv_image *right = bars_mask(WIDTH, HEIGHT, 16, 36, 15);
    const rv_image *const style_masks[3] = {left, right, NULL};
    rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
    rv_stylize_masks masks;
    options.style_masks = style_masks;
    RV_ASSERT_OK(rv_stylize_masks_create(&masks, &options, photo, shares, n_styles));
    shares_are(&masks, 10, 1, 0);
    shares_are(&masks, 15, 255.0 / 355, 100.0 / 355);
    shares_are(&masks, 20, 0.5, 0.5);
    shares_are(&masks, 30, 0, 1);
    shares_are(&masks, 38, 0, 0);
    rv_stylize_masks_release(&masks);
    rv_image_destroy(photo);
    rv_image_destroy(left);
    rv_image_destroy(right);
}

Test(stylize_mask, shares_a_place_that_several_have)
{
    shares_places(2);
    shares_places(3);
}

static void takes_its_own_style(bool second_has_mask)
{
    work w;
    set_up(&w, 3, 8);
    rv_image *left = bars_mask(WIDTH, HEIGHT, 0, 20, -1);
    rv_image *right = bars_mask(WIDTH, HEIGHT, 20, WIDTH, -1);
    tint(w.styles[0], 0, 0.3);
    tint(w.styles[1], 2, 0.6);
    w.n_styles = 2;
    w.style_masks[0] = left;
    w.style_masks[1] = second_has_mask ? right : NULL;
    w.options.style_masks = w.style_masks;
    w.options.iterations = 10;
    RV_ASSERT_OK(stylize(&w));
    const double left_own = missed(&w, w.styles[0], 0, 18);
    const double left_other = missed(&w, w.styles[1], 0, 18);
    const double right_own = missed(&w, w.styles[1], 22, WIDTH);
    const double right_other = missed(&w, w.styles[0], 22, WIDTH);
    cr_assert(left_own < 0.3 * left_other, "%g and %g", left_own, left_other);
    cr_assert(right_own < 0.3 * right_other, "%g and %g", right_own, right_other);
    rv_image_destroy(left);
    rv_image_destroy(right);
    tear_down(&w);
}

Test(stylize_mask, of_each_region_takes_its_own_style)
{
    takes_its_own_style(true);
    takes_its_own_style(false);
}

/* --- mistakes -------------------------------------------------------------------------------- */

static void refuses(work *w, const char *message)
{
    cr_assert_eq(stylize(w), RV_ERR_FORMAT);
    cr_assert_null(w->out);
    cr_assert_str_eq(rv_error_message(), message);
}

Test(stylize_mask, has_to_leave_something_to_style)
{
    work w;
    set_up(&w, 4, 8);
    rv_image *black = bars_mask(WIDTH, HEIGHT, 0, 0, -1);
    rv_image *left = bars_mask(WIDTH, HEIGHT, 0, 10, -1);
    rv_image *right = bars_mask(WIDTH, HEIGHT, 10, WIDTH, -1);
    w.options.mask = black;
    refuses(&w, "the mask is black all over: a style goes where it is white");
    w.options.mask = left;
    w.style_masks[0] = black;
    w.options.style_masks = w.style_masks;
    refuses(&w, "the mask of style picture 1 is black all over: a style goes where it is white");
    w.style_masks[0] = right;
    refuses(&w, "the masks, and what is transparent, leave nothing to style");
    w.options.style_masks = NULL;
    make_clear(w.photo, 10);
    refuses(&w, "the masks, and what is transparent, leave nothing to style");
    w.options.mask = NULL;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        ((uint8_t *)rv_image_pixels(w.photo))[4 * i + 3] = 0;
    }
    refuses(&w, "the photo is transparent all over: there is nothing to style");
    rv_image_destroy(black);
    rv_image_destroy(left);
    rv_image_destroy(right);
    tear_down(&w);
}

Test(stylize_mask, says_which_style_has_no_place)
{
    work w;
    set_up(&w, 3, 8);
    rv_image *left = bars_mask(WIDTH, HEIGHT, 0, 10, -1);
    rv_image *right = bars_mask(WIDTH, HEIGHT, 10, WIDTH, -1);
    w.n_styles = 2;
    w.options.mask = left;
    w.style_masks[1] = right;
    w.options.style_masks = w.style_masks;
    RV_ASSERT_OK(stylize(&w));
    cr_assert_eq(w.said, 1);
    cr_assert_str_eq(w.text, "masks leave no place in the photo for style picture 2");
    rv_image_destroy(left);
    rv_image_destroy(right);
    tear_down(&w);
}

/* What a run left is not gone on with by another mask, nor by a mask in another place. */
Test(stylize_mask, belongs_to_the_state_of_a_run)
{
    work w;
    rv_stylizer *stylizer;
    const char *state = rv_test_path("masks.state");
    set_up(&w, 3, 8);
    rv_image *left = bars_mask(WIDTH, HEIGHT, 0, 10, -1);
    rv_image *right = bars_mask(WIDTH, HEIGHT, 10, WIDTH, -1);
    w.options.mask = left;
    w.options.save_every = 2;
    w.options.resume = true;
    RV_ASSERT_OK(rv_stylizer_create(&stylizer, w.device, w.model, (const rv_image *const *)w.styles,
                                    NULL, 1, &w.options));
    RV_ASSERT_OK(rv_stylizer_run(&w.out, NULL, stylizer, w.photo, state));
    rv_image *first = w.out;
    RV_ASSERT_OK(rv_stylizer_run(&w.out, NULL, stylizer, w.photo, state));
    cr_assert(same(first, w.out));
    rv_image_destroy(w.out);
    w.options.mask = right;
    cr_assert_eq(rv_stylizer_run(&w.out, NULL, stylizer, w.photo, state), RV_ERR_USAGE);
    w.options.mask = NULL;
    w.style_masks[0] = left;
    w.options.style_masks = w.style_masks;
    cr_assert_eq(rv_stylizer_run(&w.out, NULL, stylizer, w.photo, state), RV_ERR_USAGE);
    rv_image_destroy(first);
    rv_image_destroy(left);
    rv_image_destroy(right);
    rv_stylizer_destroy(stylizer);
    tear_down(&w);
}
