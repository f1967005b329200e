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
    for (size_t i = 0; i < n * COLUMNS; i++) {
        free(cells[i]);
    }
    free(cells);
    return code;
}

int cli_report_evaluation(const cli *c, json_t *json, const rv_evaluation *e, int top)
{
    double mean_f1;
    char *key = cli_format("top%d", top);
    if (key == NULL) {
        return cli_out_of_memory();
    }
    json_object_set_new(json, "classes", classes_json(e, &mean_f1));
    json_object_set_new(json, "top1", cli_json_real(rv_evaluation_top(e, 1)));
    json_object_set_new(json, "top5", cli_json_real(rv_evaluation_top(e, 5)));
    json_object_set_new(json, key, cli_json_real(rv_evaluation_top(e, top)));
    free(key);
    json_object_set_new(json, "loss", cli_json_real(rv_evaluation_loss(e)));
    json_object_set_new(json, "f1", cli_json_real(mean_f1));
    json_object_set_new(json, "count", json_integer((json_int_t)rv_evaluation_count(e)));
    json_object_set_new(json, "unreadable", json_integer((json_int_t)rv_evaluation_unreadable(e)));
    if (c->globals.json) {
        return CLI_DONE;
    }
    const int code = rv_evaluation_classes(e) <= MOST_ROWS ? print_classes(e) : CLI_DONE;
    printf("%zu pictures: %.2f %% right, %.2f %% among the first %d, loss %.4f, mean F1 %.3f\n",
           rv_evaluation_count(e), 100 * rv_evaluation_top(e, 1), 100 * rv_evaluation_top(e, top),
           top, rv_evaluation_loss(e), mean_f1);
    return code;
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
