/* Curves with axes, drawn on a picture. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_PLOT_H
#define RV_IMAGE_PLOT_H

#include "image/canvas.h"

/** A curve; points that are not finite leave gaps. */
typedef struct rv_series {
    const char *name;
    const double *x, *y; /**< n each; borrowed */
    size_t n;
    bool marked; /**< a dot at each point */
} rv_series;

typedef struct rv_plot {
    const char *title, *x_label;
    const rv_series *series;
    size_t n_series;
    bool log_x, log_y; /**< powers of ten are evenly apart; what is not above 0 is left out */
    bool from_zero;    /**< the vertical axis begins at 0 */
    bool
        in_order; /**< colours tell the first series from the last, dark to light, however many there are */
} rv_plot;

/** Draws into the rectangle, which it fills. Colours can be told apart by people who see red and green alike (Okabe
 *  and Ito). Letters have dots of `scale` pixels. Names are left out where they find no room, but for the first and the
 *  last. */
void rv_plot_draw(rv_image *image, int left, int top, int width, int height, int scale,
                  const rv_plot *plot);

/** The distance of marks on an axis of this length that gives at most `most` of them: 1, 2 or 5 times a power of
 *  ten. */
double rv_plot_step(double length, int most);

#endif
