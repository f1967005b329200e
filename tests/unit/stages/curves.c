/* Curves of a training: what metrics.csv says is where it should be on the picture. */
/* SPDX-License-Identifier: MIT */
#include "support/assert.h"
#include "support/scratch.h"

#include <reverie/visualize.h>
#include <stdio.h>
#include <string.h>

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

Test(curves, damaged_lines_are_named)
{
    rv_image *image;
    cr_assert_eq(draw(&image, "1,5,3,0.1,,,0.1,9\n2,10,one,0.9,,,0.05,9\n"), RV_ERR_FORMAT);
    cr_assert(strstr(rv_error_message(), "metrics.csv:3: 'one' is no number") != NULL, "%s",
              rv_error_message());
    cr_assert_null(image);
    cr_assert_eq(draw(&image, ""), RV_ERR_USAGE);
}
