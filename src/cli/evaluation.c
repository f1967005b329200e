/* Prints how well a network does, in all and by class. */
/* SPDX-License-Identifier: MIT */
#include "cli/evaluation.h"

#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 5, MOST_ROWS = 40 };

static json_t *classes_json(const rv_evaluation *e, double *mean_f1)
{
    json_t *classes = json_array();
    int present = 0;
    *mean_f1 = 0;
    for (int i = 0; i < rv_evaluation_classes(e); i++) {
        const rv_class_score s = rv_evaluation_score(e, i);
        *mean_f1 += s.count > 0 ? s.f1 : 0;
        present += s.count > 0;
        json_array_append_new(classes, json_pack("{s:o, s:I, s:f, s:f, s:f}", "name",
                                                 cli_json_text(rv_evaluation_class(e, i)), "count",
                                                 (json_int_t)s.count, "precision", s.precision,
                                                 "recall", s.recall, "f1", s.f1));
    }
    *mean_f1 /= present > 0 ? present : 1;
    return classes;
}

static int print_classes(const rv_evaluation *e)
{
    static const char *const heading[COLUMNS] = {"class", "pictures", "precision", "recall", "F1"};
    const size_t n = (size_t)rv_evaluation_classes(e);
    char **cells = calloc(n * COLUMNS, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < n; i++) {
        const rv_class_score s = rv_evaluation_score(e, (int)i);
        cells[i * COLUMNS] = cli_format("%s", rv_evaluation_class(e, (int)i));
        cells[i * COLUMNS + 1] = cli_format("%ju", (uintmax_t)s.count);
        cells[i * COLUMNS + 2] = cli_format("%.3f", s.precision);
        cells[i * COLUMNS + 3] = cli_format("%.3f", s.recall);
        cells[i * COLUMNS + 4] = cli_format("%.3f", s.f1);
    }
    const int code = cli_print_table("lrrrr", heading, cells, n);
    cli_free_cells(cells, n * COLUMNS);
    return code;
}

static void set_number(json_t *json, const char *key, double value)
{
    json_object_set_new(json, key, cli_json_real(value));
}

/* Of classes, or of labels. */
static int report_names(const cli *c, json_t *json, const rv_evaluation *e, int top)
{
    const bool labels = rv_evaluation_task(e) == RV_TASK_LABELS;
    double mean_f1;
    char *key = cli_format("top%d", top);
    if (key == NULL) {
        return cli_out_of_memory();
    }
    json_object_set_new(json, labels ? "labels" : "classes", classes_json(e, &mean_f1));
    set_number(json, "f1", mean_f1);
    if (labels) {
        set_number(json, "exact", rv_evaluation_exact(e));
    } else {
        set_number(json, "top1", rv_evaluation_top(e, 1));
        set_number(json, "top5", rv_evaluation_top(e, 5));
        set_number(json, key, rv_evaluation_top(e, top));
    }
    free(key);
    if (c->globals.json) {
        return CLI_DONE;
    }
    const int code = rv_evaluation_classes(e) <= MOST_ROWS ? print_classes(e) : CLI_DONE;
    if (labels) {
        printf("%zu pictures: all labels right of %.2f %%, loss %.4f, mean F1 %.3f\n",
               rv_evaluation_count(e), 100 * rv_evaluation_exact(e), rv_evaluation_loss(e),
               mean_f1);
    } else {
        printf("%zu pictures: %.2f %% right, %.2f %% among the first %d, loss %.4f, mean F1 %.3f\n",
               rv_evaluation_count(e), 100 * rv_evaluation_top(e, 1),
               100 * rv_evaluation_top(e, top), top, rv_evaluation_loss(e), mean_f1);
    }
    return code;
}

enum { VALUE_COLUMNS = 4 };

static int report_values(const cli *c, json_t *json, const rv_evaluation *e)
{
    static const char *const heading[VALUE_COLUMNS] = {"quantity", "RMSE", "MAE", "R2"};
    const int n = rv_evaluation_classes(e);
    json_t *values = json_array();
    char **cells = calloc((size_t)n * VALUE_COLUMNS, sizeof *cells);
    for (int i = 0; i < n && cells != NULL; i++) {
        const rv_value_score s = rv_evaluation_value(e, i);
        char **row = &cells[i * VALUE_COLUMNS];
        row[0] = cli_format("%s", rv_evaluation_class(e, i));
        row[1] = cli_format("%.5g", s.rmse);
        row[2] = cli_format("%.5g", s.mae);
        row[3] = cli_format("%.4f", s.r2);
        json_array_append_new(values, json_pack("{s:o, s:o, s:o, s:o}", "name",
                                                cli_json_text(rv_evaluation_class(e, i)), "rmse",
                                                cli_json_real(s.rmse), "mae", cli_json_real(s.mae),
                                                "r2", cli_json_real(s.r2)));
    }
    json_object_set_new(json, "values", values);
    int code = cells != NULL ? CLI_DONE : cli_out_of_memory();
    if (code == CLI_DONE && !c->globals.json) {
        code = cli_print_table("lrrr", heading, cells, (size_t)n);
        printf("%zu pictures, loss %.4f\n", rv_evaluation_count(e), rv_evaluation_loss(e));
    }
    cli_free_cells(cells, (size_t)n * VALUE_COLUMNS);
    return code;
}

int cli_report_evaluation(const cli *c, json_t *json, const rv_evaluation *e, int top)
{
    set_number(json, "loss", rv_evaluation_loss(e));
    json_object_set_new(json, "count", json_integer((json_int_t)rv_evaluation_count(e)));
    json_object_set_new(json, "unreadable", json_integer((json_int_t)rv_evaluation_unreadable(e)));
    return rv_evaluation_task(e) == RV_TASK_VALUES ? report_values(c, json, e)
                                                   : report_names(c, json, e, top);
}

int cli_write_confusion(const rv_evaluation *e, const char *path, bool overwrite)
{
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    rv_image *image;
    if (!rv_image_has_name(path)) {
        return cli_status(rv_evaluation_write_confusion(e, path, overwrite));
    }
    write.overwrite = overwrite;
    int code = cli_status(rv_evaluation_draw_confusion(&image, e));
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(image, path, &write));
        rv_image_destroy(image);
    }
    return code;
}
