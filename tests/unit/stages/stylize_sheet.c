/* Sheets of strengths and styles: what is in their cells, what they say, what is left when they are cancelled. */
/* SPDX-License-Identifier: MIT */
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/stylize.h>
#include <string.h>

enum { W = 40, H = 30, GAP = 4 };

static const double strengths[3] = {0, 0.5, 1};
static const char *const names[2] = {"first.jpg", "second.jpg"};

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *styles[2], *sheet;
    rv_stylize_options options;
    rv_stylize_result result;
    rv_events events;
    int steps, cancel_after;
    bool backwards;
    double fraction;
} work;

static void on_progress(void *payload, const rv_progress *progress)
{
    work *w = payload;
    w->backwards = w->backwards || progress->fraction < w->fraction;
    w->fraction = progress->fraction;
    w->steps++;
}

static bool on_cancelled(void *payload)
{
    const work *w = payload;
    return w->cancel_after > 0 && w->steps >= w->cancel_after;
}

static void set_up(work *w)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    w->model = small_network();
    w->photo = waves(W, H, 3, 8, 1);
    w->styles[0] = waves(30, 34, 3, 8, 2);
    w->styles[1] = waves(50, 34, 3, 8, 5);
    w->events = (rv_events){w, NULL, on_progress, on_cancelled};
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.content_layers = "relu2";
    w->options.style_layers = "relu1,relu2";
    w->options.iterations = 3;
    w->options.scales = 1;
    w->options.events = &w->events;
}

static void tear_down(work *w)
{
    rv_image_destroy(w->sheet);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->styles[0]);
    rv_image_destroy(w->styles[1]);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static rv_status make(work *w)
{
    return rv_stylize_sheet(&w->sheet, &w->result, w->device, w->model, w->photo,
                            (const rv_image *const *)w->styles, names, 2, strengths, 3,
                            &w->options);
}

/* Whether a cell holds a picture, row by row. */
static bool holds(const work *w, int row, int column, const rv_image *picture)
{
    const int width = rv_image_width(w->sheet);
    const int height = rv_image_height(w->sheet);
    const int cell_width = (width - GAP) / 3, cell_height = (height - GAP) / 2;
    const uint8_t *sheet = rv_image_pixels_const(w->sheet);
    const uint8_t *pixels = rv_image_pixels_const(picture);
    for (int y = 0; y < H; y++) {
        const size_t at = (size_t)(GAP + row * cell_height + y) * (size_t)width +
                          (size_t)(GAP + column * cell_width);
        if (memcmp(sheet + 3 * at, pixels + (size_t)3 * W * (size_t)y, (size_t)3 * W) != 0) {
            return false;
        }
    }
    return true;
}

Test(stylize_sheet, has_in_each_cell_what_a_run_gives)
{
    work w;
    set_up(&w);
    RV_ASSERT_OK(make(&w));
    cr_assert(fabs(w.fraction - 1) < 1e-9 && !w.backwards, "%g", w.fraction);
    cr_assert_eq(w.result.iterations, 4 * 3);
    cr_assert_not_null(strstr(w.result.settings, " sheet=0,0.5,1"), "%s", w.result.settings);
    cr_assert_null(strstr(w.result.settings, "strength="), "%s", w.result.settings);
    for (int row = 0; row < 2; row++) {
        for (int column = 0; column < 3; column++) {
            rv_image *alone;
            const rv_image *const style[1] = {w.styles[row]};
            rv_stylize_options options = w.options;
            options.strength = strengths[column];
            RV_ASSERT_OK(
                rv_stylize(&alone, NULL, w.device, w.model, w.photo, style, NULL, 1, &options));
            cr_assert(holds(&w, row, column, alone), "row %d, column %d", row, column);
            rv_image_destroy(alone);
        }
    }
    tear_down(&w);
}

Test(stylize_sheet, has_four_strengths_where_none_are_named)
{
    work w;
    rv_stylize_estimate e, all;
    set_up(&w);
    w.options.events = NULL;
    RV_ASSERT_OK(rv_stylize_sheet(&w.sheet, NULL, w.device, w.model, w.photo,
                                  (const rv_image *const *)w.styles, names, 1, NULL, 0,
                                  &w.options));
    RV_ASSERT_OK(rv_stylize_foresee_sheet(
        &e, w.device, w.model, w.photo, (const rv_image *const *)w.styles, 1, NULL, 0, &w.options));
    cr_assert_eq(e.width, rv_image_width(w.sheet));
    cr_assert_eq(e.height, rv_image_height(w.sheet));
    cr_assert_eq(e.width, GAP + 4 * (W + GAP));
    RV_ASSERT_OK(rv_stylize_foresee(&all, w.device, w.model, w.photo,
                                    (const rv_image *const *)w.styles, NULL, 1, &w.options));
    cr_assert_eq(e.device_bytes, all.device_bytes);
    cr_assert(e.seconds > 0 && isfinite(e.seconds));
    tear_down(&w);
}

Test(stylize_sheet, leaves_what_is_done_when_cancelled)
{
    work w;
    set_up(&w);
    w.cancel_after = 4; /* the first iteration of the third cell: the first takes none */
    cr_assert_eq(make(&w), RV_ERR_CANCELLED);
    cr_assert_not_null(w.sheet);
    cr_assert(holds(&w, 0, 0, w.photo));
    cr_assert_not(holds(&w, 1, 0, w.photo));
    cr_assert_eq(w.result.iterations, 3);
    tear_down(&w);
    set_up(&w);
    w.steps = w.cancel_after = 1;
    cr_assert_eq(make(&w), RV_ERR_CANCELLED);
    tear_down(&w);
}

Test(stylize_sheet, is_of_8_bits_on_white)
{
    work w;
    set_up(&w);
    rv_image_destroy(w.photo);
    w.photo = waves(W, H, 4, 16, 3);
    uint16_t *pixels = rv_image_pixels(w.photo);
    for (int i = 0; i < W * H; i++) {
        pixels[4 * i] = pixels[4 * i + 1] = pixels[4 * i + 2] = 0x8080;
        pixels[4 * i + 3] = i % 2 == 0 ? 0 : 65535;
    }
    RV_ASSERT_OK(make(&w));
    cr_assert(rv_image_channels(w.sheet) == 3 && rv_image_bits(w.sheet) == 8);
    const uint8_t *row = (const uint8_t *)rv_image_pixels_const(w.sheet) +
                         (size_t)3 * ((size_t)GAP * (size_t)rv_image_width(w.sheet) + GAP);
    cr_assert(row[0] == 255 && row[3] == 0x80 && row[6] == 255, "%d %d %d", row[0], row[3], row[6]);
    tear_down(&w);
}

Test(stylize_sheet, refuses_what_stylize_refuses)
{
    work w;
    set_up(&w);
    w.options.size = 3;
    RV_ASSERT_FAILS(make(&w), RV_ERR_USAGE, "size is 3");
    cr_assert_null(w.sheet);
    RV_ASSERT_FAILS(
        rv_stylize_sheet(&w.sheet, NULL, w.device, w.model, w.photo, NULL, NULL, 0, NULL, 0, NULL),
        RV_ERR_USAGE, "there is no style picture");
    tear_down(&w);
}
