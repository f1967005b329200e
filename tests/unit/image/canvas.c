/* Drawing: areas, lines, labels, plots. */
/* SPDX-License-Identifier: MIT */
#include "image/canvas.h"
#include "image/plot.h"
#include "support/assert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const rv_colour black = {0, 0, 0}, red = {200, 10, 20};

static rv_image *sheet(int width, int height)
{
    rv_image *image;
    RV_ASSERT_OK(rv_image_create(&image, width, height, 3, 8));
    memset(rv_image_pixels(image), 255, (size_t)width * (size_t)height * 3);
    return image;
}

static const uint8_t *at(const rv_image *image, int x, int y)
{
    return (const uint8_t *)rv_image_pixels_const(image) + 3 * (y * rv_image_width(image) + x);
}

/* Sum of what is missing to white, in whole pixels of black. */
static double ink_of(const rv_image *image)
{
    double sum = 0;
    for (int i = 0; i < rv_image_width(image) * rv_image_height(image) * 3; i++) {
        sum += 255 - at(image, 0, 0)[i];
    }
    return sum / (3 * 255);
}

Test(canvas, areas_are_cut_at_the_edges)
{
    rv_image *image = sheet(10, 8);
    rv_canvas_fill(image, -3, 6, 5, 9, black);
    cr_assert_float_eq(ink_of(image), 2 * 2, 1e-9);
    rv_canvas_fill(image, 20, 2, 5, 5, black);
    rv_canvas_fill(image, 3, 3, -1, 2, black);
    cr_assert_float_eq(ink_of(image), 2 * 2, 1e-9);
    rv_canvas_fill(image, 4, 2, 1, 1, red);
    const uint8_t expected[3] = {200, 10, 20};
    cr_assert_arr_eq(at(image, 4, 2), expected, 3);
    rv_image_destroy(image);
}

/* A line has as much ink as its length times its thickness, with half a disc at each end. */
Test(canvas, lines_have_the_ink_of_their_size_in_any_direction)
{
    static const double ends[][2] = {{30, 0}, {0, 30}, {18, 24}, {-24, 18}};
    for (int i = 0; i < 4; i++) {
        rv_image *image = sheet(100, 100);
        rv_canvas_line(image, 50, 50, 50 + ends[i][0], 50 + ends[i][1], 4, black);
        cr_assert_float_eq(ink_of(image), 30 * 4 + M_PI * 4, 4, "%g", ink_of(image));
        rv_image_destroy(image);
    }
    rv_image *image = sheet(20, 20);
    rv_canvas_line(image, -1e9, 10, 1e9, 10, 1, black);
    cr_assert_float_eq(ink_of(image), 20, 1e-9);
    rv_image_destroy(image);
}

Test(canvas, letters_stand_where_they_are_asked_for)
{
    rv_image *image = sheet(60, 30);
    rv_canvas_text(image, 3, 4, 2, black, "I!");
    /* The bar of I: third column, seven rows, dots of 2 x 2; ! leaves out its sixth row. */
    for (int y = 0; y < 14; y++) {
        cr_assert_eq(at(image, 3 + 4, 4 + y)[0], 0);
        cr_assert_eq(at(image, 3 + 12 + 4, 4 + y)[0], y / 2 == 5 ? 255 : 0);
    }
    cr_assert_float_eq(ink_of(image), (7 + 4) * 4 + 6 * 4, 1e-9);
    cr_assert_eq(rv_canvas_text_width("I!", 2), 22);
    cr_assert_eq(rv_canvas_text_width("\xc3\xa4", 1), 5); /* one letter of two bytes */
    cr_assert_eq(rv_canvas_text_width("", 3), 0);
    rv_canvas_text(image, 55, 25, 3, black, "WWW"); /* beyond the edges */
    rv_image_destroy(image);
}

Test(canvas, every_letter_has_a_shape_of_its_own)
{
    for (int i = 0; i < 94; i++) {
        cr_assert_eq(strlen(rv_font_dots[i]), RV_FONT_ROWS * RV_FONT_COLUMNS);
        cr_assert_eq(strspn(rv_font_dots[i], ".#"), RV_FONT_ROWS * RV_FONT_COLUMNS);
        for (int k = 0; k < i; k++) {
            cr_assert_str_neq(rv_font_dots[i], rv_font_dots[k], "%c and %c", '!' + i, '!' + k);
        }
    }
}

Test(canvas, pictures_are_put_on_sheets)
{
    rv_image *image = sheet(6, 6), *small = sheet(3, 2);
    memset(rv_image_pixels(small), 7, 18);
    rv_canvas_put(image, 4, -1, small);
    cr_assert_eq(at(image, 4, 0)[0], 7);
    cr_assert_eq(at(image, 5, 0)[2], 7);
    cr_assert_eq(at(image, 3, 0)[0], 255);
    cr_assert_eq(at(image, 4, 1)[0], 255);
    rv_image_destroy(small);
    rv_image_destroy(image);
}

Test(plot, marks_are_round_numbers)
{
    cr_assert_float_eq(rv_plot_step(1, 5), 0.2, 1e-12);
    cr_assert_float_eq(rv_plot_step(100, 8), 20, 1e-9);
    cr_assert_float_eq(rv_plot_step(0.037, 6), 0.01, 1e-12);
    cr_assert_float_eq(rv_plot_step(6, 6), 1, 1e-12);
}

/* Pixels that are more blue than red: of the first curve. */
static int blue(const rv_image *image, int x0, int x1)
{
    int n = 0;
    for (int y = 18; y < rv_image_height(image) - 42; y++) {
        for (int x = x0; x < x1; x++) {
            n += at(image, x, y)[2] > at(image, x, y)[0] + 60;
        }
    }
    return n;
}

Test(plot, curves_go_where_their_values_are_and_leave_gaps)
{
    const double x[5] = {0, 1, 2, 3, 4}, y[5] = {0, 1, NAN, 1, 0};
    const rv_series series = {"s", x, y, 5, false};
    const rv_plot plot = {
        .title = "t", .x_label = "x", .series = &series, .n_series = 1, .from_zero = true};
    rv_image *image = sheet(460, 200);
    rv_plot_draw(image, 0, 0, 460, 200, 1, &plot);
    /* The axis goes from 48 to 448: a quarter is 100 pixels. */
    cr_assert_gt(blue(image, 50, 146), 90);
    cr_assert_eq(blue(image, 152, 344), 0);
    cr_assert_gt(blue(image, 350, 446), 90);
    rv_image_destroy(image);
}

Test(plot, nothing_and_a_single_point_are_no_trouble)
{
    const double x[1] = {3}, y[1] = {-2}, none[1] = {NAN};
    const rv_series point = {"p", x, y, 1, false}, nothing = {"n", x, none, 1, false};
    rv_image *image = sheet(300, 160);
    rv_plot_draw(
        image, 0, 0, 300, 160, 1,
        &(rv_plot){.title = "t", .x_label = "x", .series = &nothing, .n_series = 1, .log_y = true});
    cr_assert_eq(blue(image, 50, 288), 0);
    rv_plot_draw(image, 0, 0, 300, 160, 1,
                 &(rv_plot){.title = "t", .x_label = "x", .series = &point, .n_series = 1});
    cr_assert_gt(blue(image, 50, 288), 4);
    rv_image_destroy(image);
}

/* Columns of the grid's colour in a row where no curve is. */
static int grid_lines(const rv_image *image, int row)
{
    int n = 0;
    for (int x = 48; x < 449; x++) {
        n += at(image, x, row)[0] == 225;
    }
    return n;
}

Test(plot, marks_stand_at_whole_numbers_and_at_round_ones_of_a_logarithm)
{
    const double x[3] = {1, 2, 3}, y[3] = {0, 1, 0}, rates[2] = {0.0011, 0.03};
    const rv_series epochs = {"e", x, y, 3, false}, few = {"r", rates, y, 2, false};
    rv_image *image = sheet(460, 400);
    rv_plot_draw(image, 0, 0, 460, 400, 1,
                 &(rv_plot){.title = "t", .x_label = "x", .series = &epochs, .n_series = 1});
    cr_assert_eq(grid_lines(image, 350), 2, "%d",
                 grid_lines(image, 350)); /* the first is the axis */
    rv_plot_draw(
        image, 0, 0, 460, 400, 1,
        &(rv_plot){.title = "t", .x_label = "x", .series = &few, .n_series = 1, .log_x = true});
    cr_assert_eq(grid_lines(image, 30), 4, "%d",
                 grid_lines(image, 30)); /* 0.002, 0.005, 0.01, 0.02 */
    rv_image_destroy(image);
}

/* Twenty curves, one above the other, whose names would need twice the room. */
Test(plot, many_curves_in_order_go_from_dark_to_light_and_are_named_where_there_is_room)
{
    enum { N = 20 };
    const double x[2] = {0, 1};
    double y[N][2];
    rv_series series[N];
    for (int i = 0; i < N; i++) {
        y[i][0] = y[i][1] = i;
        series[i] = (rv_series){"layer", x, y[i], 2, false};
    }
    const rv_plot plot = {
        .title = "t", .x_label = "x", .series = series, .n_series = N, .in_order = true};
    rv_image *image = sheet(460, 400);
    rv_plot_draw(image, 0, 0, 460, 400, 1, &plot);
    int curves = 0;
    bool before = false;
    for (int row = 358; row > 20; row--) {
        const uint8_t *p = at(image, 250, row);
        const bool here = p[0] < 190 || p[2] < 190; /* the grid is lighter */
        curves += here && !before;
        before = here;
    }
    cr_assert_eq(curves, N, "%d", curves);
    /* The first name has the darkest colour, the last, near the right end, a light one; nothing is beyond that. */
    int dark = 0, light = 0;
    for (int row = 380; row < 400; row++) {
        for (int column = 48; column < 460; column++) {
            const uint8_t *p = at(image, column, row);
            dark += column < 62 && p[0] < 90 && p[1] < 30 && p[2] > 60;
            light += column > 380 && p[1] > p[2] + 60;
            cr_assert(column < 449 || p[1] > 200, "(%d, %d)", column, row);
        }
    }
    cr_assert(dark > 10 && light > 10, "%d %d", dark, light);
    rv_image_destroy(image);
}
