/* Curves of a training: what metrics.csv says is where it should be on the picture. */
/* SPDX-License-Identifier: MIT */
#include "support/assert.h"
#include "support/scratch.h"

#include <math.h>
#include <reverie/visualize.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char heading[] = "epoch,steps,loss,accuracy,val_loss,val_accuracy,learning_rate,x\n";

static rv_status draw(rv_image **out, const char *rows)
{
    char text[1024];
    const int n = snprintf(text, sizeof text, "%s%s", heading, rows);
    rv_test_write(rv_test_path("metrics.csv"), text, (size_t)n);
    return rv_visualize_training(out, rv_test_folder());
}

/* Pixels of the first curve (blue) and of the second (orange) in a rectangle. */
static int count(const rv_image *image, int x0, int y0, int x1, int y1, bool second)
{
    const uint8_t *p = rv_image_pixels_const(image);
    int n = 0;
    for (int y = y0; y < y1; y++) {
        for (int x = x0; x < x1; x++) {
            const uint8_t *q = p + 3 * (y * rv_image_width(image) + x);
            n += second ? q[0] > q[2] + 90 : q[2] > q[0] + 90;
        }
    }
    return n;
}

Test(curves, falling_losses_fall_and_missing_validation_is_not_drawn)
{
    rv_image *image;
    RV_ASSERT_OK(draw(&image, "1,5,3,0.1,,,0.1,9\n2,10,1,0.9,,,0.05,9\n"));
    cr_assert(rv_image_width(image) == 900 && rv_image_height(image) == 960);
    /* The first panel: its axes span (96, 36) to (876, 240). The loss falls from the left above to the right below. */
    cr_assert_gt(count(image, 100, 36, 280, 120, false), 50);
    cr_assert_eq(count(image, 100, 160, 280, 236, false), 0);
    cr_assert_gt(count(image, 700, 160, 870, 236, false), 50);
    cr_assert_eq(count(image, 700, 36, 870, 120, false), 0);
    cr_assert_eq(count(image, 100, 36, 870, 236, true), 0);
    /* The accuracy rises. */
    cr_assert_gt(count(image, 700, 320 + 36, 870, 320 + 120, false), 50);
    rv_image_destroy(image);
    RV_ASSERT_OK(draw(&image, "1,5,3,0.1,2,0.5,0.1,9\n2,10,1,0.9,1,0.6,0.05,9\n"));
    cr_assert_gt(count(image, 100, 36, 870, 236, true), 50);
    rv_image_destroy(image);
}

/* The first row in a column of a panel's axes that a curve passes, from the panel's top; -1: none does. */
static int highest(const rv_image *image, int panel, int column)
{
    const uint8_t *p = rv_image_pixels_const(image);
    for (int y = 36; y < 240; y++) {
        const uint8_t *q = p + 3 * ((panel * 320 + y) * rv_image_width(image) + column);
        if (q[0] < 190 || q[2] < 190) { /* the grid is lighter */
            return y;
        }
    }
    return -1;
}

/* Gradients of the second layer are a hundred times as large and grow; it has no units that can die. */
Test(curves, layers_have_panels_of_their_own)
{
    static const char rows[] = "1,5,3,0.1,,,0.1,9\n2,10,1,0.9,,,0.05,9\n";
    static const char layers[] = "epoch,layer,gradient,weight,update,units,dead\n"
                                 "1,\"a,\"\"1\"\"\",0.01,1,0.001,10,0\n1,b,1,1,0.001,0,0\n"
                                 "2,\"a,\"\"1\"\"\",0.01,1,0.001,10,8\n2,b,100,1,0.001,0,0\n";
    rv_image *image;
    rv_test_write(rv_test_path("layers.csv"), layers, sizeof layers - 1);
    RV_ASSERT_OK(draw(&image, rows));
    cr_assert_eq(rv_image_height(image), 6 * 320);
    /* Four decades, and 0.04 of that more at each end; ten pixels beside the ends of the epochs. */
    cr_assert_float_eq(highest(image, 3, 130), 36 + 204 * 0.5, 8);
    cr_assert_float_eq(highest(image, 3, 840), 36 + 204 * 0.06, 8);
    cr_assert(highest(image, 4, 480) > 0);
    cr_assert_float_eq(highest(image, 5, 130), 36 + 204 * 0.96, 10);
    cr_assert_float_eq(highest(image, 5, 840), 36 + 204 * 0.06, 10);
    rv_image_destroy(image);
    rv_test_write(rv_test_path("layers.csv"), layers, 46); /* the heading alone */
    RV_ASSERT_OK(draw(&image, rows));
    cr_assert_eq(rv_image_height(image), 3 * 320);
    rv_image_destroy(image);
    rv_test_write(rv_test_path("layers.csv"), "epoch,layer\n", 12);
    cr_assert_eq(draw(&image, rows), RV_ERR_FORMAT);
    cr_assert(strstr(rv_error_message(), "layers.csv:1: there is no column 'gradient'") != NULL,
              "%s", rv_error_message());
    unlink(rv_test_path("layers.csv"));
}

Test(curves, damaged_lines_are_named)
{
    rv_image *image;
    cr_assert_eq(draw(&image, "1,5,3,0.1,,,0.1,9\n2,10,one,0.9,,,0.05,9\n"), RV_ERR_FORMAT);
    cr_assert(strstr(rv_error_message(), "metrics.csv:3: 'one' is no number") != NULL, "%s",
              rv_error_message());
    cr_assert_null(image);
    cr_assert_eq(draw(&image, ""), RV_ERR_USAGE);
}

/* The loss of a step is noisy, the mean falls, then both rise out of the picture; the place is a third colour. */
Test(curves, losses_by_rate_are_drawn_with_the_place_that_is_suggested)
{
    rv_rate_point points[60];
    rv_image *image;
    for (int i = 0; i < 60; i++) {
        const double mean = i < 20 ? 2 : i < 45 ? 2 - 0.06 * (i - 20) : 0.5 + 3 * (i - 45);
        points[i] = (rv_rate_point){1e-6 * pow(1e7, i / 59.0), mean + 0.05 * (i % 3), mean};
    }
    RV_ASSERT_OK(rv_visualize_rates(&image, points, 60, points[30].rate));
    cr_assert(rv_image_width(image) == 900 && rv_image_height(image) == 480);
    cr_assert_gt(count(image, 100, 36, 870, 400, false), 50);
    cr_assert_gt(count(image, 100, 36, 870, 400, true), 50);
    /* The mean is high on the left and low on the right, where the picture ends: what is beyond is left out. */
    cr_assert_gt(count(image, 100, 36, 250, 160, true), 20);
    cr_assert_eq(count(image, 100, 300, 250, 400, true), 0);
    cr_assert_gt(count(image, 780, 300, 876, 400, true), 20);
    const uint8_t *p = rv_image_pixels_const(image);
    int green = 0;
    for (int i = 0; i < 900 * 400; i++) {
        green += p[3 * i + 1] > p[3 * i] + 90 && p[3 * i + 1] > p[3 * i + 2] + 20;
    }
    cr_assert(green > 5 && green < 400, "%d", green);
    rv_image_destroy(image);
    RV_ASSERT_OK(rv_visualize_rates(&image, points, 60, NAN));
    rv_image_destroy(image);
    RV_ASSERT_OK(rv_visualize_rates(&image, points, 0, NAN));
    rv_image_destroy(image);
}
