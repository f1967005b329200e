/* Draws the curves of a training from its metrics.csv, and those of a search for a learning rate. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/plot.h"

#include <math.h>
#include <reverie/visualize.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 900, PANEL = 320, RATES_PANEL = 480, SCALE = 2, LARGEST_FILE = 1 << 26 };

/* Columns that are drawn, as metrics.csv names them. */
enum { EPOCH, LOSS, ACCURACY, VAL_LOSS, VAL_ACCURACY, RATE, VAL_ERROR, N_COLUMNS };
static const char *const names[N_COLUMNS] = {
    "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "val_error"};

typedef struct table {
    const char *path;
    int place[N_COLUMNS]; /* of each column in a line */
    double *columns[N_COLUMNS];
    size_t n, capacity[N_COLUMNS];
} table;

/* The cell that begins at `from`; *next is where the one behind it does, NULL at the end of the line. */
static size_t cell_at(const char *from, const char **next)
{
    const size_t n = strcspn(from, ",\n");
    *next = from[n] == ',' ? from + n + 1 : NULL;
    return n;
}

static rv_status read_heading(table *t, const char *line)
{
    for (int k = 0; k < N_COLUMNS; k++) {
        const char *at = line, *next = NULL;
        t->place[k] = -1;
        for (int i = 0; at != NULL && t->place[k] < 0; i++, at = next) {
            const size_t n = cell_at(at, &next);
            t->place[k] = n == strlen(names[k]) && memcmp(at, names[k], n) == 0 ? i : -1;
        }
        if (t->place[k] < 0 && k != VAL_ERROR) { /* runs of before had none */
            return rv_fail(RV_ERR_FORMAT, "%s:1: there is no column '%s'", t->path, names[k]);
        }
    }
    return RV_OK;
}

/* An empty cell, as of a training without validation, is not a number. */
static rv_status read_row(table *t, const char *line, size_t number)
{
    for (int k = 0; k < N_COLUMNS; k++) {
        const char *at = line, *next = NULL;
        size_t n = cell_at(at, &next);
        for (int i = 0; i < t->place[k] && next != NULL; i++) {
            at = next;
            n = cell_at(at, &next);
        }
        n = t->place[k] >= 0 ? n : 0;
        char *end;
        const double value = n > 0 ? rv_strtod(at, &end) : NAN;
        if (n > 0 && end != at + n) {
            return rv_fail(RV_ERR_FORMAT, "%s:%zu: '%.*s' is no number", t->path, number, (int)n,
                           at);
        }
        RV_TRY(rv_grow(&t->columns[k], &t->capacity[k], t->n + 1, sizeof(double), "curves"));
        t->columns[k][t->n] = value;
    }
    t->n++;
    return RV_OK;
}

static rv_status read_lines(table *t, const char *text)
{
    RV_TRY(read_heading(t, text));
    size_t number = 1;
    for (const char *line = strchr(text, '\n'); line != NULL && line[1] != '\0';
         line = strchr(line + 1, '\n')) {
        RV_TRY(read_row(t, line + 1, ++number));
    }
    return t->n > 0
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s has no line yet: the first epoch is not over", t->path);
}

static rv_status read_table(table *t)
{
    rv_bytes bytes;
    char *text;
    RV_TRY(rv_bytes_open(&bytes, t->path, LARGEST_FILE));
    rv_status status = rv_alloc(&text, bytes.size + 1, 1, "curves");
    if (status == RV_OK) {
        if (bytes.size > 0) {
            memcpy(text, bytes.data, bytes.size);
        }
        status = read_lines(t, text);
        free(text);
    }
    rv_bytes_close(&bytes);
    return status;
}

/* Whether there is a number in the column. */
static bool has(const table *t, int column)
{
    for (size_t i = 0; i < t->n; i++) {
        if (isfinite(t->columns[column][i])) {
            return true;
        }
    }
    return false;
}

/* Quantities have errors where classes have right answers. */
static void draw(rv_image *image, const table *t)
{
    const double *x = t->columns[EPOCH];
    const rv_series losses[2] = {{"training", x, t->columns[LOSS], t->n, false},
                                 {"validation", x, t->columns[VAL_LOSS], t->n, false}};
    const rv_series shares[2] = {{"training", x, t->columns[ACCURACY], t->n, false},
                                 {"validation", x, t->columns[VAL_ACCURACY], t->n, false}};
    const rv_series error = {"validation", x, t->columns[VAL_ERROR], t->n, false};
    const rv_series rate = {"learning rate", x, t->columns[RATE], t->n, false};
    const rv_plot plots[3] = {
        {"loss", "epoch", losses, 2, false, false, false},
        has(t, VAL_ERROR)
            ? (rv_plot){"root of the mean square error", "epoch", &error, 1, false, false, true}
            : (rv_plot){"share of right answers", "epoch", shares, 2, false, false, true},
        {"learning rate", "epoch", &rate, 1, false, false, true}};
    for (int i = 0; i < 3; i++) {
        rv_plot_draw(image, 0, i * PANEL, WIDTH, PANEL, SCALE, &plots[i]);
    }
}

rv_status rv_visualize_training(rv_image **out, const char *run)
{
    table t = {0};
    char *path;
    *out = NULL;
    RV_TRY(rv_path_join(&path, run, "metrics.csv"));
    t.path = path;
    rv_status status = read_table(&t);
    if (status == RV_OK) {
        status = rv_image_create(out, WIDTH, 3 * PANEL, 3, 8);
    }
    if (status == RV_OK) {
        draw(*out, &t);
    }
    for (int k = 0; k < N_COLUMNS; k++) {
        free(t.columns[k]);
    }
    free(path);
    return status;
}

/* --- rates ----------------------------------------------------------------------------------- */

/* Losses that grew beyond what the curve is about leave it: it would be flat below them. */
static void fill_rates(double *columns, const rv_rate_point *points, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, i == 0 || points[i].mean < 1.5 * points[0].mean ? points[i].mean : 0);
    }
    for (size_t i = 0; i < n; i++) {
        columns[i] = points[i].rate;
        columns[n + i] = points[i].loss <= 1.3 * most ? points[i].loss : NAN;
        columns[2 * n + i] = points[i].mean <= 1.3 * most ? points[i].mean : NAN;
    }
}

rv_status rv_visualize_rates(rv_image **out, const rv_rate_point *points, size_t n,
                             double suggestion)
{
    double *columns;
    double at = NAN;
    char name[64];
    *out = NULL;
    RV_TRY(rv_alloc(&columns, 3 * n + 1, sizeof *columns, "curves"));
    fill_rates(columns, points, n);
    for (size_t i = 0; i < n; i++) {
        at = points[i].rate == suggestion ? points[i].mean : at;
    }
    snprintf(name, sizeof name, "falls most at %.2g", suggestion);
    const rv_series series[3] = {{"loss of a step", columns, columns + n, n, false},
                                 {"mean", columns, columns + 2 * n, n, false},
                                 {name, &suggestion, &at, isfinite(at), true}};
    const rv_plot plot = {
        "loss by learning rate", "learning rate", series, isfinite(at) ? 3 : 2, true, false, false};
    rv_status status = rv_image_create(out, WIDTH, RATES_PANEL, 3, 8);
    if (status == RV_OK) {
        rv_plot_draw(*out, 0, 0, WIDTH, RATES_PANEL, SCALE, &plot);
    }
    free(columns);
    return status;
}
