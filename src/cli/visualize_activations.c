/* reverie visualize activations: what the channels of layers make of pictures. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"
#include "cli/visualize.h"

#include <stdlib.h>
#include <string.h>

typedef struct job {
    cli *c;
    const cli_visualize_settings *s;
    cli_list layers;
    cli_list inputs; /* borrowed */
    rv_features *features;
    json_t *outputs;
} job;

/* The layers that were asked for, else all that have maps; what does nothing outside training only repeats one. */
static int list_layers(job *j, const rv_model *model)
{
    if (j->s->layers != NULL) {
        return cli_list_split(&j->layers, j->s->layers);
    }
    int code = CLI_DONE;
    for (int i = 0; i < rv_model_layer_count(model) && code == CLI_DONE; i++) {
        const rv_layer_info l = rv_model_layer(model, i);
        if (l.rank == 4 && l.dim[2] * l.dim[3] > 1 && strcmp(l.type, "dropout") != 0) {
            code = cli_list_add(&j->layers, l.name, strlen(l.name));
        }
    }
    return code;
}

/* Layers `first` to `first` + n - 1 on a sheet of their own. */
static int draw(const job *j, const char *input, const char *what, size_t first, size_t n)
{
    rv_activations_options options = RV_ACTIVATIONS_OPTIONS_INIT;
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    rv_image *sheet = NULL;
    char *path = NULL;
    options.channels = j->s->strongest;
    options.tile = j->s->tile;
    options.one_scale = j->s->one_scale;
    write.overwrite = j->s->overwrite;
    int code = cli_visualize_output(&path, j->s, input, what, ".png", &j->inputs);
    if (code == CLI_DONE) {
        code = cli_status(rv_visualize_activations(&sheet, j->features, first, n, &options));
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(sheet, path, &write));
    }
    if (code == CLI_DONE) {
        json_t *layers = json_array();
        for (size_t i = first; i < first + n; i++) {
            json_array_append_new(layers, cli_json_text(j->layers.items[i]));
        }
        json_array_append_new(j->outputs,
                              json_pack("{s:o, s:o, s:o}", "file", cli_json_text(path), "input",
                                        cli_json_text(input), "layers", layers));
        cli_note(j->c, "%s: %zu layer%s", path, n, n == 1 ? "" : "s");
    }
    rv_image_destroy(sheet);
    free(path);
    return code;
}

/* The values themselves, beside the sheets. */
static int write_values(const job *j, const char *input, size_t index)
{
    char *path = NULL;
    int code = cli_visualize_beside(&path, j->s, input, j->layers.items[index], ".npy", &j->inputs);
    if (code == CLI_DONE) {
        code = cli_status(rv_extract(j->features, index, path, j->s->overwrite));
    }
    if (code == CLI_DONE) {
        json_array_append_new(j->outputs, json_pack("{s:o, s:o, s:o}", "file", cli_json_text(path),
                                                    "input", cli_json_text(input), "layer",
                                                    cli_json_text(j->layers.items[index])));
    }
    free(path);
    return code;
}

/* One sheet, or in a folder one for each layer. */
static int visualize(const job *j, const char *input)
{
    const rv_image_read_options read = cli_read_options(j->c, &j->s->reading);
    int code = cli_status(rv_features_run_file(j->features, input, &read));
    const bool apart = cli_visualize_to_folder(j->s);
    for (size_t i = 0; apart && i < j->layers.n && code == CLI_DONE; i++) {
        code = rv_signal_caught() ? cli_status(RV_ERR_CANCELLED)
                                  : draw(j, input, j->layers.items[i], i, 1);
    }
    if (!apart && code == CLI_DONE) {
        code =
            draw(j, input, j->layers.n == 1 ? j->layers.items[0] : "activations", 0, j->layers.n);
    }
    for (size_t i = 0; j->s->npy && i < j->layers.n && code == CLI_DONE; i++) {
        code = write_values(j, input, i);
    }
    return code;
}

/* Fails before the work where the sheet of an input could not be written. */
static int check_outputs(const job *j)
{
    if (j->layers.items == NULL) {
        return cli_usage(j->s->layers != NULL
                             ? "--layers names no layer"
                             : "no layer of this model has maps; name some with --layers");
    }
    const bool one = cli_visualize_to_folder(j->s) || j->layers.n == 1;
    return cli_visualize_check(j->s, one ? j->layers.items[0] : "activations", &j->inputs);
}

int cli_visualize_activations(cli *c, const cli_visualize_settings *s, const cli_list *words)
{
    job j = {.c = c, .s = s, .outputs = json_array()};
    rv_model *model = NULL;
    size_t first;
    const char *name = cli_model_of(words, &first);
    int code = first < words->n ? cli_open_model(c, &model, name, &s->files, RV_POOLING_AS_MADE)
                                : CLI_USAGE;
    j.inputs = (cli_list){words->items + first, words->n - first};
    if (code == CLI_DONE) {
        code = list_layers(&j, model);
    }
    if (code == CLI_DONE) {
        code = check_outputs(&j);
    }
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = cli_status(rv_features_create(&j.features, model, c->device,
                                             (const char *const *)j.layers.items, j.layers.n));
    }
    for (size_t i = 0; i < j.inputs.n && code == CLI_DONE; i++) {
        code = visualize(&j, j.inputs.items[i]);
    }
    cli_json_set(c, "outputs", j.outputs);
    rv_features_destroy(j.features);
    rv_model_close(model);
    cli_list_release(&j.layers);
    return code;
}
