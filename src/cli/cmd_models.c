/* reverie models: the networks that have a name, and the layers of one. */
/* SPDX-License-Identifier: MIT */
#include "base/terminal.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    char *architecture, *output, *graphviz;
    char *until, *labels, *licence, *provenance;
    char *pins, *name;
    bool half, features, overwrite, link, hash;
    int size, channels, classes;
    cli_model_files files;
} settings;

static json_t *zoo_json(const rv_zoo_entry *e)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:b}", "name", cli_json_text(e->name), "summary",
                     cli_json_text(e->summary), "licence",
                     e->licence != NULL ? cli_json_text(e->licence) : json_null(), "file",
                     e->path != NULL ? cli_json_text(e->path) : json_null(), "bytes",
                     (json_int_t)e->bytes, "added", e->added);
}

enum { ZOO_COLUMNS = 5 };

static void fill_zoo_row(char **cells, const rv_zoo_entry *e)
{
    cells[0] = cli_format("%s", e->name);
    cells[1] = cli_format("%.1f MB", (double)e->bytes / 1e6);
    cells[2] = cli_format("%s", e->path != NULL ? "yes" : "");
    cells[3] = cli_format("%s", e->licence != NULL ? e->licence : "");
    cells[4] = cli_format("%s", e->summary);
}

/* What can be fetched, or was, or was added. */
static int list_zoo(cli *c)
{
    static const char *const heading[] = {"name", "size", "here", "licence", "what it is"};
    rv_zoo_entry *entries;
    size_t n;
    int code = cli_status(rv_zoo_list(&entries, &n));
    char **cells = code == CLI_DONE ? calloc(n * ZOO_COLUMNS, sizeof *cells) : NULL;
    if (cells == NULL) {
        code = code == CLI_DONE ? cli_out_of_memory() : code;
        goto cleanup;
    }
    json_t *models = json_array();
    for (size_t i = 0; i < n; i++) {
        fill_zoo_row(&cells[ZOO_COLUMNS * i], &entries[i]);
        json_array_append_new(models, zoo_json(&entries[i]));
    }
    cli_json_set(c, "zoo", models);
    if (!c->globals.json) {
        printf("\nTrained by others; `reverie models fetch NAME` gets what is not here:\n\n");
        code = cli_print_table("lrlll", heading, cells, n);
    }
cleanup:
    cli_free_cells(cells, ZOO_COLUMNS * n);
    rv_zoo_list_free(entries, n);
    return code;
}

static int list(cli *c)
{
    static const char *const heading[] = {"name", "source", "what it is"};
    size_t n;
    const rv_model_entry *entries = rv_model_list(&n);
    char **cells = calloc(n * 3, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    json_t *models = json_array();
    for (size_t i = 0; i < n; i++) {
        cells[3 * i] = cli_format("%s", entries[i].name);
        cells[3 * i + 1] = cli_format("%s", entries[i].source);
        cells[3 * i + 2] = cli_format("%s", entries[i].summary);
        json_array_append_new(models,
                              json_pack("{s:s, s:s, s:s}", "name", entries[i].name, "source",
                                        entries[i].source, "summary", entries[i].summary));
    }
    cli_json_set(c, "models", models);
    int code = c->globals.json ? CLI_DONE : cli_print_table("lll", heading, cells, n);
    cli_free_cells(cells, 3 * n);
    if (code == CLI_DONE) {
        code = list_zoo(c);
    }
    char *builtin = NULL;
    const bool missing = rv_model_find_builtin(&builtin) != RV_OK;
    cli_json_set(c, "builtin_file", missing ? json_null() : cli_json_text(builtin));
    free(builtin);
    if (!c->globals.json && code == CLI_DONE) {
        printf(
            "\nAny other MODEL is the path of a .caffemodel, .prototxt, .onnx or .safetensors, or "
            "of a .yaml that lists layers.\n");
    }
    if (!c->globals.json && code == CLI_DONE && missing) {
        printf("builtin: %s.\n", rv_error_message());
    }
    return cli_json_print(c, code);
}

/* "1x64x128x128" */
static char *shape_text(const rv_layer_info *layer)
{
    char text[64] = "";
    size_t n = 0;
    for (int i = 0; i < layer->rank && n < sizeof text; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", i > 0 ? "x" : "", layer->dim[i]);
    }
    return cli_format("%s", text);
}

static json_t *layer_json(const rv_layer_info *layer)
{
    json_t *shape = json_array();
    for (int i = 0; i < layer->rank; i++) {
        json_array_append_new(shape, json_integer(layer->dim[i]));
    }
    return json_pack("{s:o, s:s, s:o, s:I, s:I, s:I}", "name", cli_json_text(layer->name), "type",
                     layer->type, "shape", shape, "parameters", (json_int_t)layer->parameters,
                     "macs", (json_int_t)layer->macs, "bytes", (json_int_t)layer->bytes);
}

enum { COLUMNS = 6 };

static void fill_row(char **cells, const rv_layer_info *layer)
{
    char number[32];
    cells[0] = cli_format("%s", layer->name);
    cells[1] = cli_format("%s", layer->type);
    cells[2] = shape_text(layer);
    cells[3] = cli_format("%s", cli_thousands(number, layer->parameters));
    cells[4] = cli_format("%s", cli_thousands(number, layer->macs));
    cells[5] = cli_format("%.1f KB", (double)layer->bytes / 1024);
}

static int print_layers(cli *c, const rv_model *model)
{
    static const char *const heading[] = {"layer",      "type",          "output",
                                          "parameters", "multiply-adds", "memory"};
    const int n = rv_model_layer_count(model);
    const size_t n_cells = COLUMNS * ((size_t)n + 1);
    rv_layer_info total = {.name = "total", .type = ""};
    char **cells = calloc(n_cells, sizeof *cells);
    if (cells == NULL) {
        return cli_out_of_memory();
    }
    json_t *layers = json_array();
    for (int i = 0; i < n; i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        fill_row(&cells[COLUMNS * i], &layer);
        json_array_append_new(layers, layer_json(&layer));
        total.parameters += layer.parameters;
        total.macs += layer.macs;
        total.bytes += layer.bytes;
    }
    fill_row(&cells[COLUMNS * n], &total);
    cli_json_set(c, "layers", layers);
    cli_json_set(c, "parameters", json_integer((json_int_t)total.parameters));
    cli_json_set(c, "macs", json_integer((json_int_t)total.macs));
    cli_json_set(c, "bytes", json_integer((json_int_t)total.bytes));
    int code = CLI_DONE;
    if (!c->globals.json) {
        code = cli_print_table("lllrrr", heading, cells, (size_t)n + 1);
    }
    cli_free_cells(cells, n_cells);
    return code;
}

static void print_preprocessing(cli *c, const rv_model *model)
{
    const rv_preprocessing *p = rv_model_preprocessing(model);
    json_t *mean = json_pack("[f, f, f]", p->mean[0], p->mean[1], p->mean[2]);
    json_t *deviation = json_pack("[f, f, f]", p->deviation[0], p->deviation[1], p->deviation[2]);
    cli_json_set(c, "preprocessing",
                 json_pack("{s:s, s:f, s:o, s:o}", "order", p->bgr ? "bgr" : "rgb", "range",
                           p->range, "mean", mean, "deviation", deviation));
    if (!c->globals.json) {
        printf("Input: %s of 0 to %g, minus %g %g %g, divided by %g %g %g\n",
               p->bgr ? "B,G,R" : "R,G,B", p->range, p->mean[0], p->mean[1], p->mean[2],
               p->deviation[0], p->deviation[1], p->deviation[2]);
    }
}

static void print_text(cli *c, const char *key, const char *heading, const char *text)
{
    if (text != NULL) {
        cli_json_set(c, key, cli_json_text(text));
        if (!c->globals.json) {
            printf("%s: %s\n", heading, text);
        }
    }
}

static int print_network(cli *c, const rv_model *model)
{
    const int labels = rv_model_label_count(model);
    cli_json_set(c, "width", json_integer(rv_model_width(model)));
    cli_json_set(c, "height", json_integer(rv_model_height(model)));
    cli_json_set(c, "classes", json_integer(labels));
    cli_json_set(c, "random", json_boolean(rv_model_is_random(model)));
    if (!c->globals.json) {
        printf("%s: made for pictures of %d x %d", rv_model_name(model), rv_model_width(model),
               rv_model_height(model));
        if (labels > 0) {
            printf(", %d classes with names", labels);
        }
        printf(rv_model_is_random(model) ? "; weights drawn at random\n" : "\n");
    }
    print_preprocessing(c, model);
    print_text(c, "licence", "Licence", rv_model_licence(model));
    print_text(c, "provenance", "Made", rv_model_provenance(model));
    return print_layers(c, model);
}

static int print_model(cli *c, const rv_model *model)
{
    cli_json_set(c, "name", cli_json_text(rv_model_name(model)));
    if (rv_model_get_kind(model) == RV_MODEL_NETWORK) {
        return print_network(c, model);
    }
    if (!c->globals.json) {
        printf("%s: no layers; its filters are learned from the style picture by `reverie "
               "stylize`\n",
               rv_model_name(model));
    }
    return CLI_DONE;
}

static int print_hash(cli *c, const rv_model *model)
{
    char hash[65];
    const int code = cli_status(rv_model_hash(model, hash, &c->events));
    if (code == CLI_DONE) {
        print_text(c, "sha256", "SHA-256", hash);
    }
    return code;
}

/* What is written replaces nothing that is read. */
static int check_output(const settings *s, const char *name, const char *path)
{
    const char *const inputs[] = {name, s->files.weights, s->files.graph, s->files.preprocess,
                                  s->labels};
    const char *read[sizeof inputs / sizeof inputs[0]];
    size_t n = 0;
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        if (inputs[i] != NULL) {
            read[n++] = inputs[i];
        }
    }
    return cli_status(rv_output_check(path, read, n, true));
}

static int info(cli *c, const settings *s, const char *name)
{
    rv_model *model;
    rv_model_options options = cli_model_options(c, &s->files, RV_POOLING_AS_MADE);
    options.width = options.height = s->size;
    options.channels = s->channels;
    options.classes = s->classes;
    options.untrained = s->architecture != NULL;
    int code = cli_status(rv_model_open(&model, name, &options));
    if (code != CLI_DONE) {
        return code;
    }
    if (s->graphviz != NULL) { /* before anything is printed */
        code = check_output(s, name, s->graphviz);
        if (code == CLI_DONE) {
            code = cli_status(rv_model_draw(model, s->graphviz, s->overwrite));
        }
        cli_json_set(c, "graphviz", cli_json_text(s->graphviz));
    }
    if (code == CLI_DONE && s->hash) {
        code = print_hash(c, model);
    }
    if (code == CLI_DONE) {
        code = print_model(c, model);
    }
    rv_model_close(model);
    return cli_json_print(c, code);
}

static rv_model_save_options save_options(const settings *s)
{
    rv_model_save_options options = RV_MODEL_SAVE_OPTIONS_INIT;
    options.half = s->half;
    options.features = s->features;
    options.until = s->until;
    options.labels = s->labels;
    options.licence = s->licence;
    options.provenance = s->provenance;
    options.overwrite = s->overwrite;
    return options;
}

static int convert(cli *c, const settings *s, const char *name)
{
    rv_model *model;
    const char *extension = strrchr(s->output, '.');
    if (extension == NULL || strcmp(extension, ".safetensors") != 0) {
        return cli_usage("'%s' would hold a .safetensors: let its name end so", s->output);
    }
    int code = check_output(s, name, s->output);
    if (code == CLI_DONE) {
        code = cli_open_model(c, &model, name, &s->files, RV_POOLING_AS_MADE);
    }
    if (code == CLI_DONE) {
        const rv_model_save_options options = save_options(s);
        code = cli_status(rv_model_save(model, s->output, &options));
        rv_model_close(model);
    }
    if (code == CLI_DONE) {
        cli_json_set(c, "file", cli_json_text(s->output));
    }
    return cli_json_print(c, code);
}

/* What fetch and add do to a file: features are for style transfer, which 16 bits serve as well. */
static bool converts(const settings *s, rv_model_save_options *out)
{
    *out = save_options(s);
    out->half = s->half || s->features;
    return s->half || s->features || s->until != NULL || s->labels != NULL;
}

static rv_status fetch_one(const cli *c, const settings *s, const char *name, char **path)
{
    rv_model_save_options save;
    rv_fetch_options options = RV_FETCH_OPTIONS_INIT;
    options.pins = s->pins;
    options.convert = converts(s, &save) ? &save : NULL;
    options.overwrite = s->overwrite;
    options.events = &c->events;
    return rv_zoo_fetch(path, name, &options);
}

static rv_status add_one(const cli *c, const settings *s, const char *file, char **name)
{
    rv_model_save_options save;
    rv_add_options options = RV_ADD_OPTIONS_INIT;
    options.name = s->name;
    options.graph = s->files.graph;
    options.preprocess = s->files.preprocess;
    options.convert = converts(s, &save) ? &save : NULL;
    options.link = s->link;
    options.overwrite = s->overwrite;
    options.events = &c->events;
    return rv_zoo_add(name, file, &options);
}

/* "vgg19: /home/me/.local/share/reverie/models/vgg19/vgg19-7.onnx" */
static void print_stored(cli *c, json_t *models, const char *name, const char *path)
{
    json_array_append_new(
        models, json_pack("{s:o, s:o}", "name", cli_json_text(name), "file", cli_json_text(path)));
    if (!c->globals.json) {
        rv_terminal_finish(stderr);
        printf("%s: %s\n", name, path);
    }
}

/* fetch NAME..., add FILE...: one that fails keeps none of the others back. */
static int store_all(cli *c, const settings *s, const cli_list *words)
{
    const bool is_add = strcmp(words->items[0], "add") == 0;
    cli_files files = {.n = words->n - 1, .failed = json_array()};
    json_t *models = json_array();
    for (size_t i = 1; i < words->n && files.code != CLI_INTERRUPTED; i++) {
        char *name = NULL, *path = NULL;
        rv_status status = is_add ? add_one(c, s, words->items[i], &name)
                                  : fetch_one(c, s, words->items[i], &path);
        if (status == RV_OK && is_add) {
            status = rv_zoo_find(&path, name);
        }
        cli_files_count(&files, words->items[i], status);
        if (status == RV_OK) {
            print_stored(c, models, is_add ? name : words->items[i], path);
        }
        free(name);
        free(path);
    }
    cli_json_set(c, "models", models);
    return cli_files_end(c, &files);
}

static int run(cli *c, const void *given, const cli_list *words)
{
    const settings *s = given;
    const bool is_list = strcmp(words->items[0], "list") == 0;
    const bool is_add = strcmp(words->items[0], "add") == 0;
    if (is_add || strcmp(words->items[0], "fetch") == 0) {
        if (words->n < 2) {
            return is_add ? cli_usage("models add needs a file: reverie models add FILE...")
                          : cli_usage("models fetch needs a name: reverie models fetch NAME... "
                                      "(reverie models list prints all)");
        }
        if (s->name != NULL && (!is_add || words->n > 2)) {
            return cli_usage("--name is for one file that is added");
        }
        return store_all(c, s, words);
    }
    if (words->n > 2) {
        return cli_usage("models %s has no use for '%s'", words->items[0], words->items[2]);
    }
    if (strcmp(words->items[0], "convert") == 0) {
        return words->n == 2 && s->output != NULL
                   ? convert(c, s, words->items[1])
                   : cli_usage("models convert needs a model and a file: reverie models convert "
                               "MODEL -o FILE.safetensors");
    }
    if (is_list && words->n > 1) {
        return cli_usage("models list takes no model; for its layers: reverie models info %s",
                         words->items[1]);
    }
    if (!is_list && (words->n < 2) == (s->architecture == NULL)) {
        return cli_usage("models info needs a model, or an architecture: reverie models info MODEL "
                         "| --arch NAME");
    }
    return is_list ? list(c)
                   : info(c, s, s->architecture != NULL ? s->architecture : words->items[1]);
}

static const cli_option options[] = {
    CLI_MODEL_OPTIONS(settings, files),
    {.name = "output",
     .letter = 'o',
     .kind = CLI_FILE,
     .offset = offsetof(settings, output),
     .argument = "FILE",
     .help = "where convert writes a .safetensors with graph, weights and classes"},
    {.name = "half",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, half),
     .help = "convert to weights of 16 bits: half the size; also what fetch and add store"},
    {.name = "features",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, features),
     .help = "convert without what comes after the convolutions: all that style transfer needs; "
             "for fetch and add also --half, and of VGG networks only up to relu5_1"},
    {.name = "until",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, until),
     .argument = "LAYER",
     .help = "convert only what this layer needs; likewise for fetch and add"},
    {.name = "labels",
     .kind = CLI_FILE,
     .offset = offsetof(settings, labels),
     .argument = "TSV",
     .otherwise = "as MODEL has them",
     .help = "names of the classes for people: lines of class, tab, name"},
    {.name = "licence",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, licence),
     .argument = "TEXT",
     .otherwise = "as MODEL says",
     .help = "noted in what convert writes"},
    {.name = "provenance",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, provenance),
     .argument = "TEXT",
     .otherwise = "as MODEL says",
     .help = "likewise: what the weights were made from, and how"},
    {.name = "hash",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, hash),
     .help = "let info also print the SHA-256 of the file with the weights, which takes a second "
             "for 100 MB"},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, overwrite),
     .help = "let convert and --graphviz replace FILE, fetch and add a model of that name"},
    {.name = "name",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, name),
     .argument = "NAME",
     .otherwise = "that of the file",
     .help = "short name of what add takes"},
    {.name = "link",
     .kind = CLI_FLAG,
     .offset = offsetof(settings, link),
     .help = "let add note where FILE is instead of copying it"},
    {.name = "pins",
     .kind = CLI_FILE,
     .offset = offsetof(settings, pins),
     .argument = "TSV",
     .help = "models of your own for fetch: lines of name, SHA-256, bytes and URLs, with tabs "
             "between"},
    {.name = "graphviz",
     .kind = CLI_FILE,
     .offset = offsetof(settings, graphviz),
     .argument = "FILE",
     .help = "let info also draw the layers, as text for Graphviz: dot -Tsvg FILE"},
    {.name = "arch",
     .kind = CLI_TEXT,
     .offset = offsetof(settings, architecture),
     .argument = "NAME|FILE",
     .help = "architecture instead of MODEL, by name or a YAML file of layers"},
    {.name = "size",
     .kind = CLI_INT,
     .offset = offsetof(settings, size),
     .argument = "PIXELS",
     .otherwise = "what it was published for",
     .min = 1,
     .max = 65535,
     .help = "side of the pictures that an architecture is made for"},
    {.name = "channels",
     .kind = CLI_INT,
     .offset = offsetof(settings, channels),
     .argument = "N",
     .otherwise = "what it was published for",
     .min = 1,
     .max = 3,
     .help = "of these pictures: 1 for grey, or 3"},
    {.name = "classes",
     .kind = CLI_INT,
     .offset = offsetof(settings, classes),
     .argument = "N",
     .otherwise = "what it was published for",
     .min = 1,
     .max = 1e6,
     .help = "that an architecture ends in"},
};

static const char *const actions[] = {"list", "info", "fetch", "add", "convert", NULL};

const cli_command cli_models = {
    .name = "models",
    .summary = "list, fetch, add and convert networks, or show the layers of one",
    .arguments = "list|info|fetch|add|convert [MODEL|NAME...|FILE...]",
    .description =
        "`list` prints every model that has a name. `info` prints the layers of one: the name "
        "that layer options take, operation, shape of the output (batch, channels, height, "
        "width), number of parameters, multiply-adds of a forward pass, and memory of the output "
        "of one "
        "picture. "
        "`fetch` downloads models that others trained, goes on where an earlier attempt ended, and "
        "holds each to its SHA-256. `add` takes a file that you have: both make the short name a "
        "MODEL of every command. They lie in XDG_DATA_HOME/reverie/models, else in "
        "~/.local/share/reverie/models. "
        "`convert` writes a network with its weights and classes as Reverie's own .safetensors, "
        "which "
        "any reader of that format opens.\n\n"
        "MODEL is a name from the lists, or the path of a .caffemodel, .prototxt, .onnx or "
        ".safetensors, "
        "or "
        "of a .yaml that lists layers.",
    .example = "reverie models list\nreverie models info vgg19\n"
               "reverie models info --arch vgg-s --size 32 --classes 10\n"
               "reverie models fetch vgg19 --features\n"
               "reverie models add VGG.caffemodel --graph deploy.prototxt --name vgg19\n"
               "reverie models info samples/networks/residual.yaml\n"
               "reverie models info squeezenet.caffemodel --graph deploy.prototxt\n"
               "reverie models convert vgg19 -o small.safetensors --until relu5_1 --half",
    .actions = actions,
    .min_words = 1,
    .max_words = SIZE_MAX,
    .missing = "'list', 'info', 'fetch', 'add' or 'convert'",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_size = sizeof(settings),
    .run = run,
};
