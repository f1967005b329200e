/* Draws a confusion matrix. */
/* SPDX-License-Identifier: MIT */
#include <reverie/train.h>

#include "base/error.h"
#include "image/canvas.h"

#include <math.h>
#include <stdio.h>

/* Pixels: of the matrix as near as whole cells come, of a cell, and from where on it has letters and numbers. */
enum { SIDE = 720, MOST = 64, LETTERS = 11, NUMBERS = 26, LARGE = 44, ROOM = 6 };
/* Bytes: of the name of a class that are drawn, and of what stands before a line. */
enum { NAME_LETTERS = 24, NAME_BYTES = NAME_LETTERS + 16 };

static const rv_colour paper = {255, 255, 255}, ink = {40, 40, 40}, grid = {225, 225, 225};
/* Right answers and wrong ones in colours that everybody can tell apart (Okabe and Ito). */
static const rv_colour right = {0, 114, 178}, wrong = {213, 94, 0};

typedef struct frame {
    rv_image *image;
    const rv_evaluation *e;
    int n, cell, scale;
    int left, top; /* of the matrix */
} frame;

static uint8_t between(uint8_t a, uint8_t b, double share)
{
    return (uint8_t)lround(a + (b - a) * share);
}

/* Square roots, so that rare mistakes show. */
static rv_colour shade(double share, bool is_right)
{
    const rv_colour full = is_right ? right : wrong;
    share = sqrt(share);
    return (rv_colour){between(paper.r, full.r, share), between(paper.g, full.g, share),
                       between(paper.b, full.b, share)};
}

static void text_middle(const frame *f, int x, int y, rv_colour colour, const char *text)
{
    rv_canvas_text(f->image, x - rv_canvas_text_width(text, f->scale) / 2,
                   y - RV_FONT_ROWS * f->scale / 2, f->scale, colour, text);
}

static void draw_row(const frame *f, int actual)
{
    const double count = (double)rv_evaluation_score(f->e, actual).count;
    for (int k = 0; k < f->n; k++) {
        const uint64_t times = rv_evaluation_confusion(f->e, actual, k);
        const int x = f->left + k * f->cell, y = f->top + actual * f->cell;
        const double share = count > 0 ? (double)times / count : 0;
        char text[24];
        const int line = f->cell >= LETTERS ? 1 : 0;
        rv_canvas_fill(f->image, x, y, f->cell - line, f->cell - line, shade(share, actual == k));
        snprintf(text, sizeof text, "%ju", (uintmax_t)times);
        if (f->cell >= NUMBERS && times > 0 && rv_canvas_text_width(text, f->scale) < f->cell - 2) {
            text_middle(f, x + f->cell / 2, y + f->cell / 2, share > 0.3 ? paper : ink, text);
        }
    }
}

/* What stands before a line. */
static void line_name(char text[NAME_BYTES], const rv_evaluation *e, int class)
{
    snprintf(text, NAME_BYTES, "%.*s %d", NAME_LETTERS, rv_evaluation_class(e, class), class);
}

/* Lines by number and name, columns by number: there is no room for names above them. */
static void draw_names(const frame *f)
{
    for (int i = 0; i < f->n && f->cell >= LETTERS; i++) {
        char text[NAME_BYTES];
        const int middle = i * f->cell + f->cell / 2;
        snprintf(text, sizeof text, "%d", i);
        text_middle(f, f->left + middle, f->top - ROOM * f->scale, ink, text);
        line_name(text, f->e, i);
        rv_canvas_text(f->image,
                       f->left - rv_canvas_text_width(text, f->scale) - ROOM * f->scale / 2,
                       f->top + middle - RV_FONT_ROWS * f->scale / 2, f->scale, ink, text);
    }
}

static int longest_name(const rv_evaluation *e, int n, int scale)
{
    int most = 0;
    for (int i = 0; i < n; i++) {
        char text[NAME_BYTES];
        line_name(text, e, i);
        const int width = rv_canvas_text_width(text, scale);
        most = width > most ? width : most;
    }
    return most;
}

rv_status rv_evaluation_draw_confusion(rv_image **out, const rv_evaluation *e)
{
    static const char *const title = "line: what it is, column: what it was taken for";
    frame f = {.e = e, .n = rv_evaluation_classes(e)};
    *out = NULL;
    if (rv_evaluation_task(e) != RV_TASK_CLASSES) {
        return rv_fail(RV_ERR_USAGE, "a confusion matrix is of a network for classes");
    }
    f.cell = SIDE / f.n < 1 ? 1 : SIDE / f.n > MOST ? MOST : SIDE / f.n;
    f.scale = f.cell >= LARGE ? 2 : 1;
    f.left = 2 * ROOM * f.scale + (f.cell >= LETTERS ? longest_name(e, f.n, f.scale) : 0);
    f.top = (2 * RV_FONT_LINE + 2 * ROOM) * f.scale;
    const int matrix = f.n * f.cell, words = rv_canvas_text_width(title, f.scale);
    const int width = f.left + (matrix > words ? matrix : words) + 2 * ROOM * f.scale;
    const int height = f.top + matrix + 2 * ROOM * f.scale;
    RV_TRY(rv_image_create(&f.image, width, height, 3, 8));
    rv_canvas_fill(f.image, 0, 0, width, height, paper);
    rv_canvas_fill(f.image, f.left - 1, f.top - 1, matrix + 1, matrix + 1, grid);
    rv_canvas_text(f.image, f.left, ROOM * f.scale, f.scale, ink, title);
    for (int i = 0; i < f.n; i++) {
        draw_row(&f, i);
    }
    draw_names(&f);
    *out = f.image;
    return RV_OK;
}
