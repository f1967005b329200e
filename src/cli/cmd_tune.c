/* reverie tune: finds the fastest algorithm for each layer of a model on this device. */
/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    char *model, *architecture;
    cli_model_files files;
    int purpose, size, batch;
} settings;

static const char *const purposes[] = {"stylize", "infer", "train", NULL};

enum { COLUMNS = 7 };

static void fill_row(char **cells, const rv_tune_row *row)
{
    cells[0] = cli_format("%s", row->name);
    cells[1] = cli_format("%s", row->pass);
    cells[2] = cli_format("%d", row->layers);
    cells[3] = cli_format("%s", row->before);
    cells[4] = cli_format("%.3f", row->ms_before);
    cells[5] = cli_format("%s", row->best);
    cells[6] = cli_format("%.3f", row->ms);
}

static json_t *row_json(const rv_tune_row *row)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:s, s:o, s:s, s:o}", "case", row->name, "pass",
                     row->pass, "layers", row->layers, "candidates", row->candidates, "before",
                     row->before, "ms_before", cli_json_real(row->ms_before), "best", row->best,
                     "ms", cli_json_real(row->ms));
}

static int print_table(const rv_tune_row *rows, size_t n)
{
    static const char *const heading[COLUMNS] = {"case", "pass", "layers", "by shape",
                                                 "ms",   "best", "ms"};
    char **cells = calloc(n * COLUMNS + 1, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < n; i++) {
        fill_row(&cells[i * COLUMNS], &rows[i]);
    }
    const int code = cli_print_table("llrlrlr", heading, cells, n);
    cli_free_cells(cells, n * COLUMNS);
    return code;
}

static int print_rows(cli *c, const rv_tune_row *rows, size_t n)
{
    double before = 0, after = 0;
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        before += rows[i].ms_before * rows[i].layers;
        after += rows[i].ms * rows[i].layers;
        json_array_append_new(list, row_json(&rows[i]));
    }
    cli_json_set(c, "rows", list);
    cli_json_set(c, "ms_before", cli_json_real(before));
    cli_json_set(c, "ms", cli_json_real(after));
    if (c->globals.json) {
        return CLI_DONE;
    }
    if (n == 0) {
        printf("no layer of it can be run in more than one way\n");
        return CLI_DONE;
    }
    const int code = print_table(rows, n);
    printf("all of these: %.3f ms by shape alone, %.3f ms as tuned: %.1f %% less\n", before, after,
           100 * (1 - after / before));
    return code;
}

static int tune(cli *c, const settings *s, const rv_model *model)
{
    rv_tune_options options = RV_TUNE_OPTIONS_INIT;
    rv_tune_row *rows = NULL;
    size_t n = 0;
    options.purpose = (rv_tune_purpose)s->purpose;
    options.size = s->size;
    options.batch = s->batch > 0 ? s->batch : options.purpose == RV_TUNE_TRAIN ? 64 : 1;
    options.events = &c->events;
    int code = cli_status(rv_tune(c->device, model, &rows, &n, &options));
    if (code == CLI_DONE) {
        code = print_rows(c, rows, n);
    }
    free(rows);
    return code;
}

static int run(cli *c, const void *given, const cli_list *words)
{
    static const char *const usual[] = {"vgg19", "squeezenet", "vgg-s"};
    const settings *s = given;
    (void)words;
    rv_model *model = NULL;
    const char *name = s->model != NULL ? s->model : s->architecture;
    if (s->model != NULL && s->architecture != NULL) {
        return cli_usage("--arch and --model exclude each other");
    }
    rv_model_options open = cli_model_options(c, &s->files, RV_POOLING_AS_MADE);
    open.untrained = s->model == NULL;
    int code = cli_status(rv_model_open(&model, name != NULL ? name : usual[s->purpose], &open));
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = tune(c, s, model);
    }
    if (code == CLI_DONE) {
        cli_json_set(c, "model", cli_json_text(rv_model_name(model)));
        code = cli_json_print(c, code);
    }
    rv_model_close(model);
    return code;
}

static const cli_option options[] = {
    {.name = "model",
     .kind = CLI_FILE,
     .offset = offsetof(settings, model),
     .argument = "MODEL",
     .help = "model whose layers to tune"},
    {.name = "arch",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, architecture),
     .argument = "NAME|FILE",
     .otherwise = "vgg19 for stylize, squeezenet for infer, vgg-s for train",
     .help =
         "architecture whose layers to tune, by name or a YAML file, with weights drawn at random"},
    CLI_MODEL_OPTIONS(settings, files),
    {.name = "for",
     .kind = CLI_CHOICE,
     .offset = offsetof(settings, purpose),
     .argument = "stylize|infer|train",
     .initial = "stylize",
     .choices = purposes,
     .help = "passes to tune: forward and back to a picture, forward alone, forward and back to "
             "the weights"},
    {.name = "size",
     .kind = CLI_INT,
     .offset = offsetof(settings, size),
     .argument = "PIXELS",
     .initial = "512",
     .min = 16,
     .max = 65535,
     .help = "side of the picture, for stylize; pictures of about as many pixels gain as well"},
    {.name = "batch",
     .kind = CLI_INT,
     .offset = offsetof(settings, batch),
     .argument = "N",
     .otherwise = "1 for infer, 64 for train",
     .min = 1,
     .max = 65536,
     .help = "pictures at a time, for infer and train"},
};

const cli_command cli_tune = {
    .name = "tune",
    .summary = "find the fastest algorithm for each layer on this device",
    .arguments = "",
    .description =
        "Runs each layer of the model by every algorithm that can, at the size that is given, and "
        "notes the fastest in a table for this device, which all commands go by from then on. "
        "Without "
        "it, device and shapes decide. The same command gives the same bytes before and after, but "
        "tuned results may differ from those before in the last digits. The table is a text file "
        "below $XDG_CACHE_HOME/reverie/tuning; without it, all is as before.",
    .example = "reverie tune\nreverie tune --model squeezenet.caffemodel --for infer",
    .max_words = 0,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
