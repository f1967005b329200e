/* reverie extract: the values of layers, in files of arrays and tables. */
/* SPDX-License-Identifier: MIT */
#include "cli/inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    char *layers;
    char *output;
    bool overwrite;
    int pool; /* an rv_feature_pool */
    int batch;
    cli_input_settings inputs;
    cli_model_files files;
    cli_reading reading;
} settings;

/* One file for some layers: of all inputs, or a pattern for the file of each. */
typedef struct target {
    char *path;
    char *names;    /* the file with the names of the inputs; NULL: none */
    size_t *layers; /* indices */
    size_t n_layers;
    rv_feature_map *maps;    /* shapes that were written */
    rv_feature_table *table; /* open now; NULL: none is */
} target;

typedef struct extraction {
    cli *c;
    const settings *s;
    cli_inputs inputs;
    cli_list layers;
    target *targets;
    size_t n_targets;
    bool each;  /* a file for each input */
    char **own; /* then of input i and target k at i * n_targets + k */
    size_t n_own;
    bool broken; /* a file of all inputs cannot be written */
    json_t *outputs;
} extraction;

/* Replaces every `mark` in *text by `value`, in which "/" becomes "_". */
static int fill_in(char **text, const char *mark, const char *value)
{
    char *at;
    size_t from = 0;
    while ((at = strstr(*text + from, mark)) != NULL) {
        const size_t before = (size_t)(at - *text);
        char *longer = cli_format("%.*s%s%s", (int)before, *text, value, at + strlen(mark));
        if (longer == NULL) {
            return cli_out_of_memory();
        }
        for (char *p = longer + before; p < longer + before + strlen(value); p++) {
            *p = *p == '/' ? '_' : *p;
        }
        free(*text);
        *text = longer;
        from = before + strlen(value);
    }
    return CLI_DONE;
}

/* --- names of files --------------------------------------------------------------------------- */

/* Where the values of a layer go. A folder, or none, gets the usual pattern; all else is a file or a pattern itself. */
static int name_output(char **out, const settings *s, const char *layer)
{
    int code = cli_status(rv_output_name(out, s->output, "{stem}_{layer}", NULL, ".npy"));
    if (code == CLI_DONE) {
        code = fill_in(out, "{layer}", layer);
    }
    if (code != CLI_DONE) {
        free(*out);
        *out = NULL;
    }
    return code;
}

/* "x.npy" gives "x.files.csv". */
static int name_names(char **out, const char *path)
{
    *out = cli_format("%.*s.files.csv", (int)(strrchr(path, '.') - path), path);
    return *out != NULL ? CLI_DONE : cli_out_of_memory();
}

static int add_layer(extraction *x, size_t layer)
{
    char *path = NULL;
    size_t k = 0;
    const char *name = x->layers.items[layer];
    for (size_t i = 0; i < layer; i++) {
        if (strcmp(x->layers.items[i], name) == 0) {
            return cli_usage("--layers names '%s' twice", name);
        }
    }
    const int code = name_output(&path, x->s, name);
    if (path == NULL) {
        return code;
    }
    while (k < x->n_targets && strcmp(x->targets[k].path, path) != 0) {
        k++;
    }
    target *t = &x->targets[k];
    if (k < x->n_targets) {
        free(path);
    } else {
        x->n_targets++;
        t->path = path;
        t->layers = calloc(x->layers.n, sizeof *t->layers);
        t->maps = calloc(x->layers.n, sizeof *t->maps);
    }
    if (t->layers == NULL || t->maps == NULL) {
        return cli_out_of_memory();
    }
    t->layers[t->n_layers++] = layer;
    return cli_status(rv_feature_table_check_name(t->path, t->n_layers));
}

static int check_output(const extraction *x, const char *path)
{
    return cli_status(rv_output_check(path, (const char *const *)x->inputs.files.items,
                                      x->inputs.files.n, x->s->overwrite));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_distinct(const extraction *x)
{
    int code = CLI_DONE;
    char **sorted = calloc(x->n_own + 1, sizeof *sorted);
    if (sorted == NULL) {
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < x->n_own; i++) {
        sorted[i] = x->own[i];
    }
    qsort(sorted, x->n_own, sizeof *sorted, compare_names);
    for (size_t i = 1; i < x->n_own && code == CLI_DONE; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) == 0) {
            code = cli_usage("'%s' would hold more than one input, as they have the same name in "
                             "different folders; leave {stem} out for one file of all",
                             sorted[i]);
        }
    }
    free(sorted);
    return code;
}

/* Names of the files of each input. */
static int name_own(extraction *x)
{
    int code = CLI_DONE;
    const size_t n = x->inputs.files.n * x->n_targets;
    x->own = calloc(n + 1, sizeof *x->own);
    if (x->own == NULL) {
        return cli_out_of_memory();
    }
    x->n_own = n;
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        char *stem = NULL;
        const char *input = x->inputs.files.items[i / x->n_targets];
        x->own[i] = cli_format("%s", x->targets[i % x->n_targets].path);
        if (x->own[i] == NULL) {
            return cli_out_of_memory();
        }
        code = cli_status(rv_output_name(&stem, NULL, input, NULL, ""));
        if (code == CLI_DONE) {
            code = fill_in(&x->own[i], "{stem}", stem);
        }
        free(stem);
        if (code == CLI_DONE) {
            code = check_output(x, x->own[i]);
        }
    }
    return code == CLI_DONE ? check_distinct(x) : code;
}

static int check_targets(extraction *x)
{
    int code = CLI_DONE;
    for (size_t k = 0; k < x->n_targets && code == CLI_DONE; k++) {
        target *t = &x->targets[k];
        code = check_output(x, t->path);
        if (code == CLI_DONE && x->inputs.many && strcmp(strrchr(t->path, '.'), ".csv") != 0) {
            code = name_names(&t->names, t->path);
        }
        if (code == CLI_DONE && t->names != NULL) {
            code = check_output(x, t->names);
        }
    }
    return code;
}

static int plan(extraction *x)
{
    int code = cli_list_split(&x->layers, x->s->layers);
    if (code != CLI_DONE) {
        return code;
    }
    if (x->layers.n == 0) {
        return cli_usage("--layers names no layer");
    }
    x->n_targets = 0;
    x->targets = calloc(x->layers.n, sizeof *x->targets);
    if (x->targets == NULL) {
        return cli_out_of_memory();
    }
    for (size_t k = 0; k < x->layers.n && code == CLI_DONE; k++) {
        code = add_layer(x, k);
    }
    if (code != CLI_DONE) {
        return code;
    }
    x->each = strstr(x->targets[0].path, "{stem}") != NULL;
    return x->each ? name_own(x) : check_targets(x);
}

/* --- work ------------------------------------------------------------------------------------ */

/* Says what a file holds; input NULL: rows of several. */
static void add_output(const extraction *x, const target *t, const char *file, const char *input)
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

static rv_status open_table(const extraction *x, target *t, const char *path)
{
    const rv_feature_table_options options = {
        .pool = (rv_feature_pool)x->s->pool, .overwrite = x->s->overwrite, .names = t->names};
    return rv_feature_table_create(&t->table, path, t->layers, t->n_layers, &options);
}

static rv_status finish(const extraction *x, target *t, const char *path, const char *input)
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
static rv_status write_own(const extraction *x, const rv_features *features,
                           const rv_feature_rows *rows)
{
    const size_t input = rows->file;
    const char *name = x->inputs.files.items[input];
    rv_status status = RV_OK;
    for (size_t k = 0; k < x->n_targets && status == RV_OK; k++) {
        target *t = &x->targets[k];
        const char *path = x->own[input * x->n_targets + k];
        status = open_table(x, t, path);
        if (status == RV_OK) {
            status = rv_feature_table_add(t->table, features, rows->first, rows->n, name);
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
static rv_status add_rows(extraction *x, const rv_features *features, const rv_feature_rows *rows)
{
    const char *name = x->inputs.files.items[rows->file];
    rv_status status = RV_OK;
    for (size_t k = 0; k < x->n_targets && status == RV_OK; k++) {
        status = rv_feature_table_check(x->targets[k].table, features);
    }
    for (size_t k = 0; k < x->n_targets && status == RV_OK; k++) {
        status = rv_feature_table_add(x->targets[k].table, features, rows->first, rows->n, name);
        x->broken = status != RV_OK;
    }
    return status;
}

/* Of all inputs, once there is a row; else nothing is left. */
static int finish_all(extraction *x, int code)
{
    for (size_t k = 0; k < x->n_targets && !x->each; k++) {
        target *t = &x->targets[k];
        const bool usable =
            code != CLI_INTERRUPTED && !x->broken && rv_feature_table_map(t->table, 0).dim[0] > 0;
        if (usable) {
            const char *only = x->inputs.many ? NULL : x->inputs.files.items[0];
            const int own = cli_status(finish(x, t, t->path, only));
            code = own != CLI_DONE ? own : code;
        }
    }
    return code;
}

/* Runs over all files, and writes what came of them. */
static int work(extraction *x, rv_features *features, cli_files *files)
{
    rv_feature_stream *stream;
    rv_feature_rows rows;
    const int code =
        cli_stream_open(&stream, x->c, features, &x->inputs.files, &x->s->reading, x->s->batch);
    if (code != CLI_DONE) {
        return code;
    }
    rv_status status = rv_feature_stream_next(stream, &rows);
    while (rows.file < files->n) {
        if (status == RV_OK) {
            status = x->each ? write_own(x, features, &rows) : add_rows(x, features, &rows);
        }
        cli_files_count(files, x->inputs.files.items[rows.file], status);
        if (files->code == CLI_INTERRUPTED || x->broken) {
            break;
        }
        status = rv_feature_stream_next(stream, &rows);
    }
    rv_feature_stream_destroy(stream);
    return CLI_DONE;
}

static int extract_all(extraction *x, rv_features *features)
{
    x->outputs = json_array();
    cli_json_set(x->c, "outputs", x->outputs);
    int code = CLI_DONE;
    for (size_t k = 0; k < x->n_targets && !x->each && code == CLI_DONE; k++) {
        code = cli_status(open_table(x, &x->targets[k], x->targets[k].path));
    }
    if (code != CLI_DONE) {
        return code;
    }
    cli_files files = {.n = x->inputs.files.n, .failed = json_array()};
    code = work(x, features, &files);
    if (code != CLI_DONE) {
        json_decref(files.failed);
        return code;
    }
    files.code = finish_all(x, files.code);
    return cli_files_end(x->c, &files);
}

static void release(extraction *x)
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
    cli_list_release(&x->layers);
    cli_inputs_release(&x->inputs);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    extraction x = {.c = c, .s = s};
    rv_model *model = NULL;
    rv_features *features = NULL;
    if (s->layers == NULL) {
        return cli_usage("extract needs --layers L,...; `reverie models info MODEL` lists them");
    }
    int code = cli_inputs_find(&x.inputs, "extract", &s->inputs, words);
    if (code == CLI_DONE) {
        code = plan(&x);
    }
    if (code == CLI_DONE) {
        code = cli_open_model(c, &model, x.inputs.model, &s->files, RV_POOLING_AS_MADE);
    }
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_features_create(&features, model, c->device,
                                             (const char *const *)x.layers.items, x.layers.n));
    }
    if (code == CLI_DONE) {
        code = extract_all(&x, features);
    }
    rv_features_destroy(features);
    rv_model_close(model);
    release(&x);
    return code;
}

static const char *const pools[] = {"none", "avg", "max", NULL};

static const cli_option options[] = {
    {.name = "layers",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, layers),
     .argument = "L,...",
     .help = "layers to write, by node or output names"},
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = offsetof(settings, output),
     .argument = "OUT",
     .otherwise = "{stem}_{layer}.npy in the current folder",
     .help =
         "a .npy, .csv or .safetensors file for a row of each picture; with {stem} in its name, "
         "or a folder, a file of each"},
    {.name = "pool",
     .kind = CLI_CHOICE,
     .offset = offsetof(settings, pool),
     .argument = "none|avg|max",
     .initial = "none",
     .choices = pools,
     .help = "write all values of a layer, or the mean or the largest of each channel"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "replace results that exist; an input never is"},
    CLI_BATCH_OPTION(settings, batch),
    CLI_INPUT_OPTIONS(settings, inputs),
    CLI_MODEL_OPTIONS(settings, files),
    CLI_READ_OPTIONS(settings, reading),
};

const cli_command cli_extract = {
    .name = "extract",
    .summary = "write the values of a network's layers",
    .arguments = "[MODEL] IN... --layers L,... [-o OUT]",
    .description =
        "Runs a network over the middle of each picture and writes the values of the named layers: "
        "float32, batch x channels x height x width, or with --pool batch x channels. One OUT "
        "takes "
        "a row of each picture, in their order, on the disk as they come; a picture that cannot be "
        "read is named and has no row. OUT.files.csv says which file is in which row; a .csv file "
        "says so itself. A .safetensors file takes several layers. A .npy file as input is taken "
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
    .settings_size = sizeof(settings),
    .run = run,
};
