/* Draws the curves of a training from its tables, and those of a search for a learning rate. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/plot.h"
#include "stages/run_table.h"

#include <math.h>
#include <reverie/visualize.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 900, PANEL = 320, RATES_PANEL = 480, SCALE = 2 };

/* --- metrics.csv ----------------------------------------------------------------------------- */

enum { EPOCH, LOSS, ACCURACY, VAL_LOSS, VAL_ACCURACY, RATE, VAL_ERROR, N_COLUMNS, N_PANELS = 3 };
static const rv_run_column columns[N_COLUMNS] = {
    {"epoch", false, false},    {"loss", false, false},         {"accuracy", false, false},
    {"val_loss", false, false}, {"val_accuracy", false, false}, {"learning_rate", false, false},
    {"val_error", true, false} /* runs of before had none */};

/* Whether there is a number in the column. */
static bool has(const rv_run_table *t, int column)
{
    for (size_t i = 0; i < t->n; i++) {
        if (isfinite(t->columns[column][i])) {
            return true;
        }
    }
    return false;
}

/* Quantities have errors where classes have right answers. */
static void draw(rv_image *image, const rv_run_table *t)
{
    const double *x = t->columns[EPOCH];
    const rv_series losses[2] = {{"training", x, t->columns[LOSS], t->n, false},
                                 {"validation", x, t->columns[VAL_LOSS], t->n, false}};
    const rv_series shares[2] = {{"training", x, t->columns[ACCURACY], t->n, false},
                                 {"validation", x, t->columns[VAL_ACCURACY], t->n, false}};
    const rv_series error = {"validation", x, t->columns[VAL_ERROR], t->n, false};
    const rv_series rate = {"learning rate", x, t->columns[RATE], t->n, false};
    const rv_plot plots[N_PANELS] = {
        {.title = "loss", .series = losses, .n_series = 2},
        has(t, VAL_ERROR) ? (rv_plot){.title = "root of the mean square error",
                                      .series = &error,
                                      .n_series = 1,
                                      .from_zero = true}
                          : (rv_plot){.title = "share of right answers",
                                      .series = shares,
                                      .n_series = 2,
                                      .from_zero = true},
        {.title = "learning rate", .series = &rate, .n_series = 1, .from_zero = true}};
    for (int i = 0; i < N_PANELS; i++) {
        rv_plot plot = plots[i];
        plot.x_label = "epoch";
        rv_plot_draw(image, 0, i * PANEL, WIDTH, PANEL, SCALE, &plot);
    }
}

/* --- layers.csv ------------------------------------------------------------------------------ */

enum { L_EPOCH, L_LAYER, L_GRADIENT, L_UPDATE, L_UNITS, L_DEAD, N_LAYER_COLUMNS };
static const rv_run_column layer_columns[N_LAYER_COLUMNS] = {
    {"epoch", false, false},  {"layer", false, true},  {"gradient", false, false},
    {"update", false, false}, {"units", false, false}, {"dead", false, false}};

/* What is drawn of layers, a panel each. */
enum { GRADIENT, UPDATE, DEAD, N_LAYER_PANELS };
static const char *const titles[N_LAYER_PANELS] = {
    "norm of the gradient", "update of the weights, share of their norm", "share of dead units"};

static double value_of(const rv_run_table *t, int what, size_t row)
{
    const double units = t->columns[L_UNITS][row];
    return what == GRADIENT ? t->columns[L_GRADIENT][row]
           : what == UPDATE ? t->columns[L_UPDATE][row]
           : units > 0      ? t->columns[L_DEAD][row] / units
                            : NAN; /* nothing behind the layer can die */
}

/* A series for each layer; x and y have a number for each line of the table. */
static void draw_layers(rv_image *image, int top, const rv_run_table *t, int what,
                        rv_series *series, double *x, double *y)
{
    size_t at = 0;
    for (size_t l = 0; l < t->n_names; l++) {
        series[l] = (rv_series){.name = t->names[l], .x = x + at, .y = y + at};
        for (size_t row = 0; row < t->n; row++) {
            if (t->columns[L_LAYER][row] == (double)l) {
                x[at] = t->columns[L_EPOCH][row];
                y[at++] = value_of(t, what, row);
                series[l].n++;
            }
        }
    }
    const rv_plot plot = {.title = titles[what],
                          .x_label = "epoch",
                          .series = series,
                          .n_series = t->n_names,
                          .log_y = what != DEAD,
                          .from_zero = what == DEAD,
                          .in_order = true};
    rv_plot_draw(image, 0, top, WIDTH, PANEL, SCALE, &plot);
}

static bool has_units(const rv_run_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->columns[L_UNITS][i] > 0) {
            return true;
        }
    }
    return false;
}

/* --- the picture ----------------------------------------------------------------------------- */

static rv_status draw_all(rv_image **out, const rv_run_table *metrics, const rv_run_table *layers)
{
    const int more = layers->n == 0 ? 0 : has_units(layers) ? N_LAYER_PANELS : N_LAYER_PANELS - 1;
    rv_series *series = NULL;
    double *values = NULL;
    rv_status status = rv_alloc(&series, layers->n_names + 1, sizeof *series, "curves");
    if (status == RV_OK) {
        status = rv_alloc(&values, 2 * layers->n + 1, sizeof *values, "curves");
    }
    if (status == RV_OK) {
        status = rv_image_create(out, WIDTH, (N_PANELS + more) * PANEL, 3, 8);
    }
    if (status == RV_OK) {
        draw(*out, metrics);
        for (int i = 0; i < more; i++) {
            draw_layers(*out, (N_PANELS + i) * PANEL, layers, i, series, values,
                        values + layers->n);
        }
    }
    free(series);
    free(values);
    return status;
}

/* Only a run that is watched has the second table. */
static rv_status read_tables(rv_run_table *metrics, rv_run_table *layers, const char *run)
{
    char *path;
    RV_TRY(rv_path_join(&path, run, "metrics.csv"));
    rv_status status = rv_run_table_read(metrics, path, columns, N_COLUMNS);
    if (status == RV_OK && metrics->n == 0) {
        status = rv_fail(RV_ERR_USAGE, "%s has no line yet: the first epoch is not over", path);
    }
    free(path);
    RV_TRY(status);
    RV_TRY(rv_path_join(&path, run, "layers.csv"));
    if (rv_path_exists(path)) {
        status = rv_run_table_read(layers, path, layer_columns, N_LAYER_COLUMNS);
    }
    free(path);
    return status;
}

rv_status rv_visualize_training(rv_image **out, const char *run)
{
    rv_run_table metrics = {0}, layers = {0};
    *out = NULL;
    rv_status status = read_tables(&metrics, &layers, run);
    if (status == RV_OK) {
        status = draw_all(out, &metrics, &layers);
    }
    rv_run_table_release(&metrics);
    rv_run_table_release(&layers);
    return status;
}

/* --- rates ----------------------------------------------------------------------------------- */

/* Losses that grew beyond what the curve is about leave it: it would be flat below them. */
static void fill_rates(double *curves, const rv_rate_point *points, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, i == 0 || points[i].mean < 1.5 * points[0].mean ? points[i].mean : 0);
    }
    for (size_t i = 0; i < n; i++) {
        curves[i] = points[i].rate;
        curves[n + i] = points[i].loss <= 1.3 * most ? points[i].loss : NAN;
        curves[2 * n + i] = points[i].mean <= 1.3 * most ? points[i].mean : NAN;
    }
}

rv_status rv_visualize_rates(rv_image **out, const rv_rate_point *points, size_t n,
                             double suggestion)
{
    double *curves;
    double at = NAN;
    char name[64];
    *out = NULL;
    RV_TRY(rv_alloc(&curves, 3 * n + 1, sizeof *curves, "curves"));
    fill_rates(curves, points, n);
    for (size_t i = 0; i < n; i++) {
        at = points[i].rate == suggestion ? points[i].mean : at;
    }
    snprintf(name, sizeof name, "falls most at %.2g", suggestion);
    const rv_series series[3] = {{"loss of a step", curves, curves + n, n, false},
                                 {"mean", curves, curves + 2 * n, n, false},
                                 {name, &suggestion, &at, isfinite(at), true}};
    const rv_plot plot = {.title = "loss by learning rate",
                          .x_label = "learning rate",
                          .series = series,
                          .n_series = isfinite(at) ? 3 : 2,
                          .log_x = true};
    rv_status status = rv_image_create(out, WIDTH, RATES_PANEL, 3, 8);
    if (status == RV_OK) {
        rv_plot_draw(*out, 0, 0, WIDTH, RATES_PANEL, SCALE, &plot);
    }
    free(curves);
    return status;
}
