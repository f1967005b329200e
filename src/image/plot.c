/* Draws curves: axes, marks at round numbers, a legend. */
/* SPDX-License-Identifier: MIT */
#include "image/plot.h"
#include "image/colour_map.h"

#include <math.h>
#include <stdio.h>

static const rv_colour paper = {255, 255, 255}, ink = {40, 40, 40}, grid = {225, 225, 225};
/* Okabe and Ito's colours that stand out on white. */
static const rv_colour colours[] = {{0, 114, 178},   {213, 94, 0},  {0, 158, 115},
                                    {204, 121, 167}, {230, 159, 0}, {86, 180, 233}};
/* Of a map of colours, what can still be told from paper. */
#define LIGHTEST 0.85
/* Lengths of logarithmic axes: of more decades than these whole ones are marked; of less than a few digits any. */
#define FEW_DECADES 2.2
#define FEW_DIGITS  0.7
enum { N_COLOURS = sizeof colours / sizeof colours[0], X_MARKS = 8, Y_MARKS = 6 };

/* An axis: values low to high along pixels first to last. */
typedef struct axis {
    double low, high;
    double first, last;
    bool log;
    bool whole; /* there are only whole numbers along it */
} axis;

double rv_plot_step(double length, int most)
{
    const double rough = length / most, power = pow(10, floor(log10(rough)));
    const double share = rough / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static double scaled(const axis *a, double v)
{
    return a->log ? log10(v) : v;
}

static bool shown(const axis *a, double v)
{
    return isfinite(v) && (!a->log || v > 0);
}

static double place(const axis *a, double v)
{
    return a->first + (a->last - a->first) * (scaled(a, v) - a->low) / (a->high - a->low);
}

static void widen(axis *a, double v)
{
    if (shown(a, v)) {
        a->whole = a->whole && v == floor(v);
        a->low = fmin(a->low, scaled(a, v));
        a->high = fmax(a->high, scaled(a, v));
    }
}

/* An axis without length gets one. */
static void settle(axis *a)
{
    if (!(a->low <= a->high)) {
        a->low = 0;
        a->high = 1;
    } else if (a->high - a->low < 1e-12 * fmax(fabs(a->high), 1e-300)) {
        const double room = a->high != 0 ? fabs(a->high) * 0.1 : 1;
        a->low -= room;
        a->high += room;
    }
}

typedef struct frame {
    rv_image *image;
    const rv_plot *plot;
    axis x, y;
    int left, top, width, height, scale;
} frame;

static void measure(frame *f)
{
    const rv_plot *p = f->plot;
    f->x = (axis){.low = INFINITY, .high = -INFINITY, .log = p->log_x, .whole = true};
    f->y = (axis){.low = INFINITY, .high = -INFINITY, .log = p->log_y, .whole = true};
    for (size_t s = 0; s < p->n_series; s++) {
        for (size_t i = 0; i < p->series[s].n; i++) {
            if (shown(&f->x, p->series[s].x[i]) && shown(&f->y, p->series[s].y[i])) {
                widen(&f->x, p->series[s].x[i]);
                widen(&f->y, p->series[s].y[i]);
            }
        }
    }
    if (p->from_zero && !p->log_y) {
        widen(&f->y, 0);
    }
    settle(&f->x);
    settle(&f->y);
    const double room = 0.04 * (f->y.high - f->y.low);
    f->y.high += room;
    f->y.low -= p->from_zero && !p->log_y ? 0 : room;
}

/* A mark with its line of the grid; v as the axis scales it. */
static void draw_mark(const frame *f, const axis *a, bool vertical, double v)
{
    const int s = f->scale;
    const int at = (int)lround(a->first + (a->last - a->first) * (v - a->low) / (a->high - a->low));
    char text[32];
    snprintf(text, sizeof text, "%.4g", a->log ? pow(10, v) : fabs(v) < 1e-12 ? 0 : v);
    const int width = rv_canvas_text_width(text, s);
    if (vertical) {
        rv_canvas_fill(f->image, (int)f->x.first, at, (int)(f->x.last - f->x.first), 1, grid);
        rv_canvas_text(f->image, (int)f->x.first - width - 3 * s, at - RV_FONT_ROWS * s / 2, s, ink,
                       text);
    } else {
        rv_canvas_fill(f->image, at, (int)f->y.last, 1, (int)(f->y.first - f->y.last), grid);
        rv_canvas_text(f->image, at - width / 2, (int)f->y.first + 3 * s, s, ink, text);
    }
}

/* 1, 2 and 5 times powers of ten. */
static void draw_few_decades(const frame *f, const axis *a, bool vertical)
{
    static const double digits[3] = {1, 2, 5};
    for (int decade = (int)floor(a->low); decade <= (int)floor(a->high); decade++) {
        for (int i = 0; i < 3; i++) {
            const double v = decade + log10(digits[i]);
            if (v >= a->low && v <= a->high) {
                draw_mark(f, a, vertical, v);
            }
        }
    }
}

/* Marks and a grid, at round numbers; of several decades at whole powers of ten. */
static void draw_marks(const frame *f, const axis *a, bool vertical)
{
    const double length = a->high - a->low;
    double step = rv_plot_step(length, vertical ? Y_MARKS : X_MARKS);
    if (a->log && length > FEW_DIGITS && length <= FEW_DECADES) {
        draw_few_decades(f, a, vertical);
        return;
    }
    if (step < 1 && (a->log ? length > FEW_DECADES : a->whole)) {
        step = 1;
    }
    const double first = ceil(a->low / step);
    const int marks = (int)floor(a->high / step - first + 1e-9) + 1;
    for (int i = 0; i < marks; i++) {
        draw_mark(f, a, vertical, (first + i) * step);
    }
}

static void draw_series(const frame *f, const rv_series *s, rv_colour colour)
{
    const double thick = 1.5 * f->scale;
    bool before = false;
    double last_x = 0, last_y = 0;
    for (size_t i = 0; i < s->n; i++) {
        const bool here = shown(&f->x, s->x[i]) && shown(&f->y, s->y[i]);
        const double x = here ? place(&f->x, s->x[i]) : 0, y = here ? place(&f->y, s->y[i]) : 0;
        if (here && before) {
            rv_canvas_line(f->image, last_x, last_y, x, y, thick, colour);
        }
        if (here && (s->marked || s->n == 1)) {
            rv_canvas_line(f->image, x, y, x, y, 2.5 * thick, colour);
        }
        before = here;
        last_x = x;
        last_y = y;
    }
}

static rv_colour colour_of(const rv_plot *p, size_t i)
{
    return p->in_order ? rv_colour_of_share(LIGHTEST * (double)i / fmax((double)p->n_series - 1, 1))
                       : colours[i % N_COLOURS];
}

/* Series k of those n whose names are written, which are evenly apart. */
static size_t named(const rv_plot *p, size_t k, size_t n)
{
    return n > 1 ? k * (p->n_series - 1) / (n - 1) : 0;
}

static int name_width(const frame *f, size_t i)
{
    return 27 * f->scale + rv_canvas_text_width(f->plot->series[i].name, f->scale);
}

/* How many names find room. */
static size_t count_names(const frame *f)
{
    for (size_t n = f->plot->n_series; n > 2; n--) {
        int width = 0;
        for (size_t k = 0; k < n; k++) {
            width += name_width(f, named(f->plot, k, n));
        }
        if (width <= (int)(f->x.last - f->x.first)) {
            return n;
        }
    }
    return f->plot->n_series < 2 ? f->plot->n_series : 2;
}

static void draw_legend(const frame *f)
{
    const int s = f->scale;
    const int y = f->top + f->height - (RV_FONT_LINE + 2) * s;
    const size_t n = count_names(f);
    int x = (int)f->x.first;
    for (size_t k = 0; k < n; k++) {
        const size_t i = named(f->plot, k, n);
        rv_canvas_fill(f->image, x, y + 2 * s, 12 * s, 3 * s, colour_of(f->plot, i));
        rv_canvas_text(f->image, x + 15 * s, y, s, ink, f->plot->series[i].name);
        x += name_width(f, i);
    }
}

void rv_plot_draw(rv_image *image, int left, int top, int width, int height, int scale,
                  const rv_plot *plot)
{
    frame f = {.image = image,
               .plot = plot,
               .left = left,
               .top = top,
               .width = width,
               .height = height,
               .scale = scale};
    measure(&f);
    f.x.first = left + 48 * scale;
    f.x.last = left + width - 12 * scale;
    f.y.first = top + height - 40 * scale;
    f.y.last = top + 18 * scale;
    rv_canvas_fill(image, left, top, width, height, paper);
    draw_marks(&f, &f.x, false);
    draw_marks(&f, &f.y, true);
    rv_canvas_line(image, f.x.first, f.y.first, f.x.last, f.y.first, scale, ink);
    rv_canvas_line(image, f.x.first, f.y.first, f.x.first, f.y.last, scale, ink);
    rv_canvas_text(image, (int)f.x.first, top + 5 * scale, scale, ink, plot->title);
    rv_canvas_text(image, (int)f.x.last - rv_canvas_text_width(plot->x_label, scale),
                   (int)f.y.first + (RV_FONT_LINE + 6) * scale, scale, ink, plot->x_label);
    for (size_t i = 0; i < plot->n_series; i++) {
        draw_series(&f, &plot->series[i], colour_of(plot, i));
    }
    draw_legend(&f);
}
