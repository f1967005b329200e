/* Draws sheets of labelled pictures. */
/* SPDX-License-Identifier: MIT */
#include "image/sheet.h"
#include "base/error.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const rv_colour paper = {255, 255, 255}, ink = {40, 40, 40};

enum {
    WIDE_TILE = 200,  /* pixels from which on labels are twice as large */
    MOST_SIDE = 65000 /* of a sheet, in pixels */
};

/* Where things stand, in pixels. */
typedef struct layout {
    int scale, gap;
    int tile_width, tile_height; /* of the largest */
    int cell_width, cell_height; /* with label and gap */
    int columns, rows;
    int top; /* of the first row */
    int width, height;
} layout;

static int count_lines(const char *text)
{
    int lines = text != NULL && text[0] != '\0';
    for (; lines > 0 && *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

/* Copies the line that `text` starts with, cut to what `width` pixels hold; 0: whole.
 * Returns where the next line starts, NULL behind the last. */
static const char *take_line(char *out, size_t bytes, const char *text, int width, int scale)
{
    const size_t length = strcspn(text, "\n");
    snprintf(out, bytes, "%.*s", (int)length, text);
    size_t n = strlen(out);
    while (width > 0 && n > 0 && rv_canvas_text_width(out, scale) > width) {
        n--;
        /* A letter of several bytes goes as a whole. */
        while (n > 0 && ((unsigned char)out[n] & 0xc0) == 0x80) {
            n--;
        }
        snprintf(out + n, bytes - n, "%s", n + 2 < bytes ? ".." : "");
    }
    return text[length] == '\n' ? text + length + 1 : NULL;
}

static void draw_lines(rv_image *image, int x, int y, const char *text, int width, int scale,
                       int first_scale)
{
    char line[256];
    for (int s = first_scale; text != NULL && *text != '\0'; s = scale) {
        text = take_line(line, sizeof line, text, width, s);
        rv_canvas_text(image, x, y, s, ink, line);
        y += RV_FONT_LINE * s;
    }
}

static int title_width(const char *title, int scale, int first_scale)
{
    char line[256];
    int widest = 0;
    for (int s = first_scale; title != NULL && *title != '\0'; s = scale) {
        title = take_line(line, sizeof line, title, 0, s);
        const int width = rv_canvas_text_width(line, s);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void measure_tiles(layout *l, const rv_sheet *sheet, int *lines)
{
    *lines = 0;
    l->tile_width = l->tile_height = 1;
    for (size_t i = 0; i < sheet->n; i++) {
        const rv_tile *t = &sheet->tiles[i];
        const int own = count_lines(t->label);
        *lines = own > *lines ? own : *lines;
        if (t->picture != NULL) {
            const int w = rv_image_width(t->picture), h = rv_image_height(t->picture);
            l->tile_width = w > l->tile_width ? w : l->tile_width;
            l->tile_height = h > l->tile_height ? h : l->tile_height;
        }
    }
}

static int choose_columns(const layout *l, size_t n)
{
    const double columns = round(sqrt((double)n * 4 / 3 * l->cell_height / l->cell_width));
    return columns < 1 ? 1 : columns > (double)n ? (int)n : (int)columns;
}

static rv_status check_size(size_t n, const char *what, double width, double height)
{
    return width <= MOST_SIDE && height <= MOST_SIDE
               ? RV_OK
               : rv_fail(RV_ERR_MEMORY, "a sheet of %zu %s would have %.0f x %.0f pixels", n, what,
                         width, height);
}

static rv_status lay_out(layout *l, const rv_sheet *sheet)
{
    int lines;
    measure_tiles(l, sheet, &lines);
    l->scale = sheet->scale > 0 ? sheet->scale : l->tile_width >= WIDE_TILE ? 2 : 1;
    l->gap = 4 * l->scale;
    l->cell_width = l->tile_width + l->gap;
    l->cell_height =
        l->tile_height + l->gap + (lines > 0 ? lines * RV_FONT_LINE * l->scale + 2 : 0);
    l->columns = sheet->columns > 0 ? sheet->columns : choose_columns(l, sheet->n);
    const double rows = ceil((double)sheet->n / l->columns);
    const int titles = count_lines(sheet->title);
    l->top = l->gap + (titles > 0 ? (titles + 1) * RV_FONT_LINE * l->scale + l->gap : 0);
    const double widest = title_width(sheet->title, l->scale, 2 * l->scale) + 2.0 * l->gap;
    const double width = fmax((double)l->columns * l->cell_width + l->gap, widest);
    const double height = l->top + rows * l->cell_height;
    RV_TRY(check_size(sheet->n, "tiles", width, height));
    l->rows = (int)rows;
    l->width = (int)width;
    l->height = (int)height;
    return RV_OK;
}

rv_status rv_sheet_draw(rv_image **out, const rv_sheet *sheet)
{
    layout l;
    *out = NULL;
    RV_TRY(lay_out(&l, sheet));
    RV_TRY(rv_image_create(out, l.width, l.height, 3, 8));
    rv_canvas_fill(*out, 0, 0, l.width, l.height, paper);
    draw_lines(*out, l.gap, l.gap, sheet->title, 0, l.scale, 2 * l.scale);
    for (size_t i = 0; i < sheet->n; i++) {
        const rv_tile *t = &sheet->tiles[i];
        const int x = l.gap + (int)(i % (size_t)l.columns) * l.cell_width;
        const int y = l.top + (int)(i / (size_t)l.columns) * l.cell_height;
        if (t->picture != NULL) {
            rv_canvas_put(*out, x, y, t->picture);
        }
        draw_lines(*out, x, y + l.tile_height + 2, t->label, l.tile_width, l.scale, l.scale);
    }
    return RV_OK;
}

rv_status rv_sheet_stack(rv_image **out, rv_image *const *sheets, size_t n)
{
    double width = 0, height = 0;
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        width = fmax(width, rv_image_width(sheets[i]));
        height += rv_image_height(sheets[i]);
    }
    RV_TRY(check_size(n, "layers", width, height));
    RV_TRY(rv_image_create(out, (int)width, (int)height, 3, 8));
    rv_canvas_fill(*out, 0, 0, (int)width, (int)height, paper);
    for (int i = 0, y = 0; i < (int)n; i++) {
        rv_canvas_put(*out, 0, y, sheets[i]);
        y += rv_image_height(sheets[i]);
    }
    return RV_OK;
}
