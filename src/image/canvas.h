/* Drawing on pictures: areas, lines, labels; for sheets and plots. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_CANVAS_H
#define RV_IMAGE_CANVAS_H

#include <reverie/image.h>
#include <stdint.h>

typedef struct rv_colour {
    uint8_t r, g, b;
} rv_colour;

/* All take pictures of 3 channels and 8 bits, positions in pixels from the upper left corner, and leave out what lies
 * outside. */

void rv_canvas_fill(rv_image *image, int left, int top, int width, int height, rv_colour colour);
/** A smooth line from the middle of one pixel to that of another, `thick` pixels wide. */
void rv_canvas_line(rv_image *image, double x0, double y0, double x1, double y1, double thick,
                    rv_colour colour);
/** Copies a picture of 3 channels and 8 bits. */
void rv_canvas_put(rv_image *image, int left, int top, const rv_image *picture);

enum { RV_FONT_ROWS = 7, RV_FONT_COLUMNS = 5, RV_FONT_STEP = 6, RV_FONT_LINE = 9 };
/** '#' where there is a dot. */
extern const char rv_font_dots[][RV_FONT_ROWS * RV_FONT_COLUMNS + 1];

/** Text in letters of 5 x 7 dots of `scale` pixels, one every 6 dots; what is not ASCII becomes '?'.
 *  @param x, y  of its upper left corner. */
void rv_canvas_text(rv_image *image, int x, int y, int scale, rv_colour colour, const char *text);
/** Pixels from the first to behind the last letter. */
int rv_canvas_text_width(const char *text, int scale);

#endif
