/* reverie extract: the values of layers, in files of arrays and tables. */
/* SPDX-License-Identifier: MIT */
#include "cli/extract.h"

#include "base/terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- work ------------------------------------------------------------------------------------ */

/* Says what a file holds; input NULL: rows of several. */
static void add_output(const cli_extraction *x, const cli_extract_target *t, const char *file,
                       const char *input)
{
    for (size_t k = 0; k < t->n_layers; k++) {
        const rv_feature_map *map = &t->maps[k];
        const char *layer = x->layers.items[t->layers[k]];
        json_t *shape = json_array();
        for (int i = 0; i < map->rank; i++) {
            json_array_append_new(shape, json_integer((json_int_t)map->dim[i]));
        }
        if (!x->c->globals.json) {
            printf("%s%s%s:", file, t->n_layers > 1 ? ", " : "", t->n_layers > 1 ? layer : "");
            for (int i = 0; i < map->rank; i++) {
                printf("%s%zu", i > 0 ? " x " : " ", map->dim[i]);
            }
            putchar('\n');
        }
        json_t *output = json_pack("{s:o, s:o, s:o}", "layer", cli_json_text(layer), "file",
                                   cli_json_text(file), "shape", shape);
        if (input != NULL) {
            json_object_set_new(output, "input", cli_json_text(input));
        }
        if (t->names != NULL) {
            json_object_set_new(output, "names", cli_json_text(t->names));
        }
        json_array_append_new(x->outputs, output);
    }
}

/* @param mark  where an earlier run was, NULL: from the start */
static rv_status open_table(const cli_extraction *x, cli_extract_target *t, const char *path,
                            const char *mark)
{
    const rv_feature_table_options options = {.pool = (rv_feature_pool)x->s->pool,
                                              .overwrite = x->s->overwrite || x->s->resume,
                                              .names = t->names,
                                              .resumable = x->state.path != NULL,
                                              .mark = mark};
    return rv_feature_table_create(&t->table, path, t->layers, t->n_layers, &options);
}

/* Files of all inputs. Where the end of an earlier run came while they were finished, some have their names already. */
static int open_tables(const cli_extraction *x)
{
    int code = CLI_DONE;
    for (size_t k = 0; k < x->n_targets && code == CLI_DONE; k++) {
        cli_extract_target *t = &x->targets[k];
        char *part = cli_format("%s.part", t->path);
        if (part == NULL) {
            return cli_out_of_memory();
        }
        const bool done =
            x->state.next == x->files.n && !cli_extract_exists(part) && cli_extract_exists(t->path);
        free(part);
        if (!done) {
            const char *mark = json_string_value(json_array_get(x->state.marks, k));
            code = cli_status(open_table(x, t, t->path, mark));
        }
    }
    return code;
}

static rv_status finish(const cli_extraction *x, cli_extract_target *t, const char *path,
                        const char *input)
{
    for (size_t k = 0; k < t->n_layers; k++) {
        t->maps[k] = rv_feature_table_map(t->table, k);
    }
    const rv_status status = rv_feature_table_finish(t->table);
    t->table = NULL;
    if (status == RV_OK) {
        add_output(x, t, path, input);
    }
    return status;
}

/* Writes the last run to the files of its own input. */
static rv_status write_own(const cli_extraction *x, const rv_feature_rows *rows)
{
    const size_t input = rows->file;
    const char *name = x->inputs.files.items[input];
    rv_status status = RV_OK;
    for (size_t k = 0; k < x->n_targets && status == RV_OK; k++) {
        cli_extract_target *t = &x->targets[k];
        const char *path = x->own[input * x->n_targets + k];
        status = open_table(x, t, path, NULL);
        if (status == RV_OK) {
            status = rv_feature_table_add(t->table, x->features, rows->first, rows->n, name);
        }
        if (status == RV_OK) {
            status = finish(x, t, path, name);
        }
        rv_feature_table_discard(t->table); /* where something failed */
        t->table = NULL;
    }
    return status;
}

/* Adds the last run to all files, or to none of them. */
static rv_status add_rows(cli_extraction *x, const rv_feature_rows *rows)
{
    const char *name = x->inputs.files.items[rows->file];
    rv_status status = RV_OK;
    for (size_t k = 0; k < x->n_targets && status == RV_OK; k++) {
        status = rv_feature_table_check(x->targets[k].table, x->features);
    }
    for (size_t k = 0; k < x->n_targets && status == RV_OK; k++) {
        status = rv_feature_table_add(x->targets[k].table, x->features, rows->first, rows->n, name);
        x->broken = status != RV_OK;
    }
    return status;
}

static void report(const cli_extraction *x, size_t done)
{
    const double share = (double)(done - x->state.begun) / (double)(x->files.n - x->state.begun);
    const double spent = cli_extract_clock() - x->clock;
    const rv_progress progress = {.task = "files",
                                  .done = (int64_t)done,
                                  .total = (int64_t)x->files.n,
                                  .fraction = (double)done / (double)x->files.n,
                                  .loss = NAN,
                                  .seconds_left = spent / share - spent};
    x->c->events.progress(x->c->events.payload, &progress);
}

/* Runs over all files, and writes what came of them. */
static int work(cli_extraction *x)
{
    cli_files *files = &x->files;
    rv_feature_stream *stream;
    rv_feature_rows rows;
    const cli_stream_settings how = {&x->s->reading, x->s->batch, x->state.next};
    int code = cli_stream_open(&stream, x->c, x->features, &x->inputs.files, &how);
    if (code != CLI_DONE) {
        return code;
    }
    rv_status status = rv_feature_stream_next(stream, &rows);
    while (rows.file < files->n) {
        if (status == RV_OK) {
            status = x->each ? write_own(x, &rows) : add_rows(x, &rows);
        }
        cli_files_count(files, x->inputs.files.items[rows.file], status);
        if (files->code == CLI_INTERRUPTED || x->broken) {
            break;
        }
        if (rows.pause) {
            code = cli_extract_save_state(x, rows.file + 1, false);
            if (code != CLI_DONE) {
                break;
            }
            if (!x->each) {
                report(x, rows.file + 1);
            }
        }
        status = rv_feature_stream_next(stream, &rows);
    }
    rv_terminal_finish(stderr);
    rv_feature_stream_destroy(stream);
    return code;
}

/* Completes the files of all inputs, once there is a row; else nothing is left. */
static int finish_all(cli_extraction *x)
{
    const char *only = x->inputs.many ? NULL : x->inputs.files.items[0];
    int code = CLI_DONE;
    for (size_t k = 0; k < x->n_targets && code == CLI_DONE; k++) {
        cli_extract_target *t = &x->targets[k];
        if (t->table != NULL && rv_feature_table_map(t->table, 0).dim[0] > 0) {
            code = k == 0 ? cli_extract_save_state(x, x->files.n, true) : code;
            code = code == CLI_DONE ? cli_status(finish(x, t, t->path, only)) : code;
        }
    }
    return code;
}

/* What was done of all inputs is there to go on from, if it was kept. */
static void keep_all(cli_extraction *x)
{
    for (size_t k = 0; k < x->n_targets && x->state.written; k++) {
        rv_feature_table_keep(x->targets[k].table);
        x->targets[k].table = NULL;
    }
    if (x->state.written) {
        cli_note(x->c, "%zu of %zu files are done: the same command with --resume goes on there",
                 x->state.next, x->files.n);
    }
}

static int extract_all(cli_extraction *x)
{
    x->outputs = json_array();
    cli_json_set(x->c, "outputs", x->outputs);
    x->files.failed = json_array();
    int code = cli_extract_read_state(x);
    if (code == CLI_DONE && !x->each) {
        code = open_tables(x);
    }
    if (code == CLI_DONE) {
        code = work(x);
    }
    const bool whole = code == CLI_DONE && x->files.code != CLI_INTERRUPTED && !x->broken;
    if (whole && !x->each) {
        code = finish_all(x);
    }
    if (whole && code == CLI_DONE) {
        cli_extract_drop_state(x);
    } else {
        keep_all(x);
    }
    x->files.code = code != CLI_DONE ? code : x->files.code;
    return cli_files_end(x->c, &x->files);
}

static void release(cli_extraction *x)
{
    for (size_t k = 0; k < x->n_targets; k++) {
        rv_feature_table_discard(x->targets[k].table);
        free(x->targets[k].path);
        free(x->targets[k].names);
        free(x->targets[k].layers);
        free(x->targets[k].maps);
    }
    free(x->targets);
    for (size_t i = 0; i < x->n_own; i++) {
        free(x->own[i]);
    }
    free(x->own);
    free(x->state.path);
    json_decref(x->state.marks);
    rv_features_destroy(x->features);
    cli_list_release(&x->layers);
    cli_inputs_release(&x->inputs);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const cli_extract_settings *s = given;
    cli_extraction x = {.c = c, .s = s};
    rv_model *model = NULL;
    if (s->layers == NULL) {
        return cli_usage("extract needs --layers L,...; `reverie models info MODEL` lists them");
    }
    int code = cli_inputs_find(&x.inputs, "extract", &s->inputs, words);
    if (code == CLI_DONE) {
        code = cli_extract_plan(&x);
    }
    if (code == CLI_DONE && (x.state.complete || x.inputs.files.n == 0)) {
        cli_note(c, "all of it is there already");
        cli_json_set(c, "outputs", json_array());
        release(&x);
        return cli_json_print(c, code);
    }
    x.files.n = x.inputs.files.n;
    if (code == CLI_DONE) {
        code = cli_open_model(c, &model, x.inputs.model, &s->files, RV_POOLING_AS_MADE);
    }
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_features_create(&x.features, model, c->device,
                                             (const char *const *)x.layers.items, x.layers.n));
    }
    if (code == CLI_DONE) {
        code = extract_all(&x);
    }
    release(&x);
    rv_model_close(model);
    return code;
}

static const char *const pools[] = {"none", "avg", "max", NULL};

static const cli_option options[] = {
    {.name = "layers",
     .kind = CLI_TEXT,
     .offset = offsetof(cli_extract_settings, layers),
     .argument = "L,...",
     .help = "layers to write, by node or output names"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = offsetof(cli_extract_settings, output),
     .argument = "OUT",
     .otherwise = "{stem}_{layer}.npy in the current folder",
     .help = "a .npy, .npz, .csv or .safetensors file for a row of each picture; with {stem} in "
             "its name, "
             "or a folder, a file of each"},
    {.name = "pool",
     .kind = CLI_CHOICE,
     .offset = offsetof(cli_extract_settings, pool),
     .argument = "none|avg|max",
     .initial = "none",
     .choices = pools,
     .help = "write all values of a layer, or the mean or the largest of each channel"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(cli_extract_settings, overwrite),
     .help = "replace results that exist; an input never is"},
    {.name = "resume",
     .kind = CLI_FLAG,
     .offset = offsetof(cli_extract_settings, resume),
     .help = "go on where the same command was interrupted, to the same files as without; results "
             "that are there stay"},
    CLI_BATCH_OPTION(cli_extract_settings, batch),
    CLI_INPUT_OPTIONS(cli_extract_settings, inputs),
    CLI_MODEL_OPTIONS(cli_extract_settings, files),
    CLI_READ_OPTIONS(cli_extract_settings, reading),
};

const cli_command cli_extract = {
    .name = "extract",
    .summary = "write the values of a network's layers",
    .arguments = "[MODEL] IN... --layers L,... [-o OUT]",
    .description =
        "Runs a network over the middle of each picture and writes the values of the named layers: "
        "float32, batch x channels x height x width, or with --pool batch x channels. One OUT "
        "takes a row of each picture, in their order, on the disk as they come; a picture that "
        "cannot be "
        "read is named and has no row. OUT.files.csv says which file is in which row; a .csv file "
        "says so itself. A .npz or .safetensors file takes several layers. While it runs, rows are "
        "in OUT.part, and OUT.state says how far it is: interrupted or killed, it goes on from "
        "there with --resume. A .npy file as input is taken "
        "as the network's own input, as it is. In names of files the / of a layer becomes _. MODEL "
        "is a file or a name that `reverie models list` shows; where the first word is a folder or "
        "named like a picture, the network that comes with Reverie is used.",
    .example = "reverie extract cat.jpg --layers pool5 -o vector.npy\n"
               "reverie extract photos/ --layers relu5_1 --pool avg -o vectors.csv\n"
               "reverie extract squeezenet.caffemodel cat.jpg --layers pool10 -o scores.npy\n"
               "reverie extract vgg19.caffemodel *.jpg --layers relu4_2,relu5_2 -o values/",
    .max_words = SIZE_MAX,
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(cli_extract_settings),
    .run = run,
};
