/* reverie classify: the likeliest classes of pictures. */
/* SPDX-License-Identifier: MIT */
#include "cli/inputs.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct settings {
    int top;
    bool csv;
    int batch;
    cli_input_settings inputs;
    cli_model_files files;
    cli_reading reading;
} settings;

/* One call of the command. */
typedef struct job {
    cli *c;
    const settings *s;
    rv_features *features;
    bool values; /* the model gives quantities */
    rv_prediction *best;
    json_t *images;
} job;

static void print(const job *j, const rv_prediction *p)
{
    const char *label = p->label != NULL ? p->label : "";
    if (j->values) {
        printf("  %10.6g  %4d  %s\n", p->probability, p->index, label);
    } else {
        printf("  %.4f  %4d  %s\n", p->probability, p->index, label);
    }
}

/* A cell of the table of --csv, in quotes, in which a quote is written twice. */
static void print_cell(const char *text)
{
    putchar('"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"') {
            putchar('"');
        }
        putchar(*p);
    }
    putchar('"');
}

static void print_line(const char *path, size_t picture, size_t rank, const rv_prediction *p)
{
    print_cell(path);
    printf(",%zu,%zu,%d,", picture, rank, p->index);
    print_cell(p->label != NULL ? p->label : "");
    printf(",%.9g\n", (double)p->probability);
}

/* One picture of the last run. @param number  among those of its file */
static rv_status add_picture(const job *j, const char *path, size_t picture, size_t number,
                             json_t *entry)
{
    size_t n;
    const rv_status status = rv_classify(j->best, &n, j->features, picture, (size_t)j->s->top);
    json_t *predictions = json_array();
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        const rv_prediction *p = &j->best[i];
        json_t *label = p->label != NULL ? cli_json_text(p->label) : json_null();
        json_array_append_new(predictions, json_pack("{s:i, s:o, s:o}", "index", p->index, "label",
                                                     label, j->values ? "value" : "probability",
                                                     cli_json_real(p->probability)));
        if (j->s->csv) {
            print_line(path, number, i + 1, p);
        } else if (!j->c->globals.json) {
            print(j, p);
        }
    }
    json_object_set_new(entry, "predictions", predictions);
    return status;
}

/* The pictures of a file. A tensor may hold several; a file of one has no number. */
static rv_status classify(const job *j, const char *path, const rv_feature_rows *rows)
{
    rv_status status = RV_OK;
    for (size_t i = 0; i < rows->n && status == RV_OK; i++) {
        json_t *entry = json_pack("{s:o}", "file", cli_json_text(path));
        if (rows->n > 1) {
            json_object_set_new(entry, "picture", json_integer((json_int_t)i));
        }
        if (!j->c->globals.json && !j->s->csv) {
            rows->n > 1 ? printf("%s, picture %zu\n", path, i) : printf("%s\n", path);
        }
        status = add_picture(j, path, rows->first + i, i, entry);
        if (j->c->globals.json) {
            json_array_append_new(j->images, entry);
        } else {
            json_decref(entry);
        }
    }
    return status;
}

static void work(const job *j, rv_feature_stream *stream, const cli_list *paths, cli_files *files)
{
    rv_feature_rows rows;
    rv_status status = rv_feature_stream_next(stream, &rows);
    while (rows.file < files->n) {
        const char *path = paths->items[rows.file];
        cli_files_count(files, path, status == RV_OK ? classify(j, path, &rows) : status);
        if (files->code == CLI_INTERRUPTED) {
            break;
        }
        status = rv_feature_stream_next(stream, &rows);
    }
}

static int classify_all(job *j, const cli_list *paths)
{
    rv_feature_stream *stream;
    j->best = calloc((size_t)j->s->top, sizeof *j->best);
    if (j->best == NULL) {
        return cli_out_of_memory();
    }
    const cli_stream_settings how = {&j->s->reading, j->s->batch, 0};
    const int code = cli_stream_open(&stream, j->c, j->features, paths, &how);
    if (code != CLI_DONE) {
        free(j->best);
        return code;
    }
    if (j->s->csv) {
        printf("file,picture,rank,index,label,%s\n", j->values ? "value" : "probability");
    }
    j->images = json_array();
    cli_files files = {.n = paths->n, .failed = json_array()};
    work(j, stream, paths, &files);
    rv_feature_stream_destroy(stream);
    free(j->best);
    cli_json_set(j->c, "images", j->images);
    return cli_files_end(j->c, &files);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    job j = {.c = c, .s = given};
    cli_inputs inputs = {0};
    rv_model *model = NULL;
    if (j.s->csv && c->globals.json) {
        return cli_usage("--csv and --json both say how results are printed; take one");
    }
    int code = cli_inputs_find(&inputs, "classify", &j.s->inputs, words);
    if (code == CLI_DONE) {
        code = cli_open_model(c, &model, inputs.model, &j.s->files, RV_POOLING_AS_MADE);
    }
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_features_create(&j.features, model, c->device, NULL, 0));
    }
    if (code == CLI_DONE) {
        j.values = rv_model_task(model) == RV_TASK_VALUES;
        code = classify_all(&j, &inputs.files);
    }
    rv_features_destroy(j.features);
    rv_model_close(model);
    cli_inputs_release(&inputs);
    return code;
}

static const cli_option options[] = {
    CLI_TOP_OPTION(settings, top, "how many classes to print"),
    {.name = "csv",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, csv),
     .help = "print a table: a line per class, with the file and its rank"},
    CLI_BATCH_OPTION(settings, batch),
    CLI_INPUT_OPTIONS(settings, inputs),
    CLI_MODEL_OPTIONS(settings, files),
    CLI_READ_OPTIONS(settings, reading),
};

const cli_command cli_classify = {
    .name = "classify",
    .summary = "print the likeliest classes of pictures",
    .arguments = "[MODEL] IN...",
    .description =
        "Runs a network over the middle of each picture and prints probability, number and name "
        "of the likeliest classes. A .npy file (float32, batch x channels x height x width) is "
        "taken as the network's own input, as it is. Class names come from labels.txt or "
        "synset_words.txt beside the model. MODEL is a file or a name that `reverie models list` "
        "shows; without one, that is where the first word is a folder or named like a picture, the "
        "network that comes with Reverie is used: 200 classes, pictures of 64 pixels.",
    .example = "reverie classify cat.jpg\n"
               "reverie classify photos/ --top 1 --csv\n"
               "reverie classify squeezenet.caffemodel cat.jpg\n"
               "reverie classify squeezenet.caffemodel *.jpg --top 1 --json",
    .max_words = SIZE_MAX,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
