/* Draws areas, lines and labels on pictures. */
/* SPDX-License-Identifier: MIT */
#include "image/canvas.h"

#include <math.h>
#include <string.h>

static uint8_t *at(rv_image *image, int x, int y)
{
    return (uint8_t *)rv_image_pixels(image) +
           3 * ((size_t)y * (size_t)rv_image_width(image) + (size_t)x);
}

static int clip(int v, int end)
{
    return v < 0 ? 0 : v > end ? end : v;
}

void rv_canvas_fill(rv_image *image, int left, int top, int width, int height, rv_colour colour)
{
    const int w = rv_image_width(image), h = rv_image_height(image);
    const int x0 = clip(left, w), x1 = clip(left + width, w);
    for (int y = clip(top, h); y < clip(top + height, h); y++) {
        for (int x = x0; x < x1; x++) {
            memcpy(at(image, x, y), &colour, 3);
        }
    }
}

static void blend(rv_image *image, int x, int y, double share, rv_colour colour)
{
    const uint8_t to[3] = {colour.r, colour.g, colour.b};
    uint8_t *p = at(image, x, y);
    for (int c = 0; c < 3; c++) {
        p[c] = (uint8_t)lround(p[c] + share * (to[c] - p[c]));
    }
}

/* Distance of a point from a stretch of a line. */
static double distance(double px, double py, double x0, double y0, double x1, double y1)
{
    const double dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    const double t = length > 0 ? fmin(fmax(((px - x0) * dx + (py - y0) * dy) / length, 0), 1) : 0;
    return hypot(px - x0 - t * dx, py - y0 - t * dy);
}

void rv_canvas_line(rv_image *image, double x0, double y0, double x1, double y1, double thick,
                    rv_colour colour)
{
    const int w = rv_image_width(image), h = rv_image_height(image);
    const double reach = 0.5 * thick + 1;
    const double limit = 1e6; /* keeps what lies far outside within int */
    const double left = fmax(fmin(x0, x1) - reach, -limit),
                 top = fmax(fmin(y0, y1) - reach, -limit);
    const double right = fmin(fmax(x0, x1) + reach, limit),
                 bottom = fmin(fmax(y0, y1) + reach, limit);
    for (int y = clip((int)floor(top), h); y < clip((int)ceil(bottom) + 1, h); y++) {
        for (int x = clip((int)floor(left), w); x < clip((int)ceil(right) + 1, w); x++) {
            const double share = 0.5 * thick + 0.5 - distance(x, y, x0, y0, x1, y1);
            if (share > 0) {
                blend(image, x, y, fmin(share, 1), colour);
            }
        }
    }
}

void rv_canvas_put(rv_image *image, int left, int top, const rv_image *picture)
{
    const int w = rv_image_width(image), h = rv_image_height(image);
    const int pw = rv_image_width(picture), ph = rv_image_height(picture);
    const int x0 = clip(left, w), x1 = clip(left + pw, w);
    const uint8_t *from = rv_image_pixels_const(picture);
    for (int y = clip(top, h); y < clip(top + ph, h) && x1 > x0; y++) {
        memcpy(at(image, x0, y), from + 3 * ((size_t)(y - top) * (size_t)pw + (size_t)(x0 - left)),
               3 * (size_t)(x1 - x0));
    }
}

/* --- labels ------------------------------------------------------------------------------------------------ */

/* The rest of a letter of several bytes is no letter of its own. */
static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

int rv_canvas_text_width(const char *text, int scale)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        n += !continues(*text);
    }
    return n > 0 ? (n * RV_FONT_STEP - (RV_FONT_STEP - RV_FONT_COLUMNS)) * scale : 0;
}

void rv_canvas_text(rv_image *image, int x, int y, int scale, rv_colour colour, const char *text)
{
    for (; *text != '\0'; text++) {
        if (continues(*text)) {
            continue;
        }
        const char c = *text > ' ' && *text <= '~' ? *text : *text == ' ' ? ' ' : '?';
        const char *dots = c == ' ' ? "" : rv_font_dots[c - '!'];
        for (int i = 0; dots[0] != '\0' && i < RV_FONT_ROWS * RV_FONT_COLUMNS; i++) {
            if (dots[i] == '#') {
                rv_canvas_fill(image, x + i % RV_FONT_COLUMNS * scale,
                               y + i / RV_FONT_COLUMNS * scale, scale, scale, colour);
            }
        }
        x += RV_FONT_STEP * scale;
    }
}
