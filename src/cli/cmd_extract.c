/* reverie extract: the values of layers, as .npy files. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    char *layers;
    char *output;
    bool overwrite;
    cli_model_files files;
    cli_reading reading;
} settings;

typedef struct extraction {
    cli *c;
    const settings *s;
    cli_list layers;
    const cli_list *words; /* the model, unless it goes without saying, then the inputs */
    size_t first;          /* index of the first input */
    char **outputs;        /* of input i and layer k at i * layers.n + k */
    size_t n_outputs;
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

/* A folder, or none, gets the usual pattern; all else is a file or a pattern itself. */
static int name_output(char **out, const settings *s, const char *input, const char *layer)
{
    char *stem = NULL;
    int code = cli_status(rv_output_name(out, s->output, "{stem}_{layer}", NULL, ".npy"));
    if (code == CLI_DONE) {
        code = cli_status(rv_output_name(&stem, NULL, input, NULL, ""));
    }
    if (code == CLI_DONE) {
        code = fill_in(out, "{layer}", layer);
    }
    if (code == CLI_DONE) {
        code = fill_in(out, "{stem}", stem);
    }
    free(stem);
    return code;
}

static int check_output(const extraction *x, size_t index)
{
    const char *path = x->outputs[index];
    const size_t n = strlen(path);
    if (n < 4 || strcmp(path + n - 4, ".npy") != 0) {
        return cli_usage("'%s': values are written as .npy", path);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(x->outputs[i], path) == 0) {
            return cli_usage("'%s' would hold more than one layer or input; name a folder, or use "
                             "{stem} and {layer} in the name",
                             path);
        }
    }
    return cli_status(
        rv_output_check(path, (const char *const *)x->words->items, x->words->n, x->s->overwrite));
}

static int plan(extraction *x)
{
    const size_t n_inputs = x->words->n - x->first;
    int code = cli_list_split(&x->layers, x->s->layers);
    if (code == CLI_DONE && x->layers.n == 0) {
        code = cli_usage("--layers names no layer");
    }
    if (code != CLI_DONE) {
        return code;
    }
    x->n_outputs = n_inputs * x->layers.n;
    x->outputs = calloc(x->n_outputs + 1, sizeof *x->outputs); /* NULL at the end */
    if (x->outputs == NULL) {
        x->n_outputs = 0;
        return cli_out_of_memory();
    }
    for (size_t i = 0; i < x->n_outputs && code == CLI_DONE; i++) {
        code = name_output(&x->outputs[i], x->s, x->words->items[x->first + i / x->layers.n],
                           x->layers.items[i % x->layers.n]);
        if (code == CLI_DONE) {
            code = check_output(x, i);
        }
    }
    return code;
}

static void add_output(const extraction *x, const char *file, const char *input,
                       const rv_feature_map *map, json_t *outputs)
{
    json_t *shape = json_array();
    for (int i = 0; i < map->rank; i++) {
        json_array_append_new(shape, json_integer((json_int_t)map->dim[i]));
    }
    if (!x->c->globals.json) {
        printf("%s:", file);
        for (int i = 0; i < map->rank; i++) {
            printf("%s%zu", i > 0 ? " x " : " ", map->dim[i]);
        }
        putchar('\n');
    }
    json_array_append_new(outputs, json_pack("{s:o, s:o, s:o, s:o}", "layer",
                                             cli_json_text(map->layer), "file", cli_json_text(file),
                                             "input", cli_json_text(input), "shape", shape));
}

static rv_status extract(const extraction *x, rv_features *features, size_t input, json_t *outputs)
{
    const rv_image_read_options read = cli_read_options(x->c, &x->s->reading);
    const char *path = x->words->items[x->first + input];
    rv_status status = rv_features_run_file(features, path, &read);
    for (size_t k = 0; k < x->layers.n && status == RV_OK; k++) {
        const char *file = x->outputs[input * x->layers.n + k];
        const rv_feature_map map = rv_features_map(features, k);
        status = rv_extract(features, k, file, x->s->overwrite);
        if (status == RV_OK) {
            add_output(x, file, path, &map, outputs);
        }
    }
    return status;
}

static int extract_all(const extraction *x, rv_features *features)
{
    json_t *outputs = json_array();
    cli_files files = {.n = x->words->n - x->first, .failed = json_array()};
    for (size_t i = 0; i < files.n && files.code != CLI_INTERRUPTED; i++) {
        const rv_status status =
            rv_signal_caught() ? RV_ERR_CANCELLED : extract(x, features, i, outputs);
        cli_files_count(&files, x->words->items[x->first + i], status);
    }
    cli_json_set(x->c, "outputs", outputs);
    return cli_files_end(x->c, &files);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    extraction x = {.c = c, .s = s, .words = words};
    rv_model *model = NULL;
    rv_features *features = NULL;
    if (s->layers == NULL) {
        return cli_usage("extract needs --layers L,...; `reverie models info MODEL` lists them");
    }
    const char *name = cli_model_of(words, &x.first);
    int code = x.first < words->n ? plan(&x) : CLI_USAGE;
    if (code == CLI_DONE) {
        code = cli_open_model(c, &model, name, &s->files, RV_POOLING_AS_MADE);
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
    for (size_t i = 0; i < x.n_outputs; i++) {
        free(x.outputs[i]);
    }
    free(x.outputs);
    cli_list_release(&x.layers);
    return code;
}

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
     .help = "a .npy file, a folder, or a name with {stem} and {layer} in it"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "replace results that exist; an input never is"},
    CLI_MODEL_OPTIONS(settings, files),
    CLI_READ_OPTIONS(settings, reading),
};

const cli_command cli_extract = {
    .name = "extract",
    .summary = "write the values of a network's layers",
    .arguments = "[MODEL] IN... --layers L,... [-o OUT.npy]",
    .description =
        "Runs a network over the middle of each picture and writes the values of the named "
        "layers as .npy files: float32, batch x channels x height x width. A .npy file as input "
        "is taken as the network's own input, as it is. In names of files the / of a layer "
        "becomes _. MODEL is a file or a name that `reverie models list` shows; where the first "
        "word "
        "is named like a picture, the network that comes with Reverie is used.",
    .example = "reverie extract cat.jpg --layers pool5 -o vector.npy\n"
               "reverie extract squeezenet.caffemodel cat.jpg --layers pool10 -o scores.npy\n"
               "reverie extract vgg19.caffemodel *.jpg --layers relu4_2,relu5_2 -o values/",
    .min_words = 1,
    .max_words = SIZE_MAX,
    .missing = "pictures",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
