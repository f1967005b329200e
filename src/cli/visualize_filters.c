/* reverie visualize filters: what the channels of a network look for. */
/* SPDX-License-Identifier: MIT */
#include "cli/visualize.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_CHANNELS = 64, MOST_CHANNELS = 100000 };

typedef struct job {
    cli *c;
    const cli_visualize_settings *s;
    const char *name; /* of the model, as it was given */
    rv_model *model;
    cli_list layers;
    int *channels; /* NULL: the first n_channels */
    size_t n_channels;
    rv_filters_options options;
    json_t *outputs;
} job;

static int bad_channels(const char *text)
{
    return cli_usage("--channels takes numbers and ranges such as 0-63,70, or all, not '%s'", text);
}

/* Reads a number; NULL where there is none. */
static const char *read_channel(const char *text, long *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return NULL;
    }
    *out = strtol(text, &end, 10);
    return *out <= INT_MAX ? end : NULL;
}

/* "0-63,70" to a list. */
static int list_channels(job *j, const char *text)
{
    j->channels = calloc(MOST_CHANNELS, sizeof *j->channels);
    if (j->channels == NULL) {
        return cli_out_of_memory();
    }
    for (const char *p = text; j->n_channels == 0 || *p != '\0';) {
        long first = 0, last;
        p = read_channel(p, &first);
        last = first;
        if (p != NULL && *p == '-') {
            p = read_channel(p + 1, &last);
        }
        if (p == NULL || last < first || (*p != ',' && *p != '\0') || (*p == ',' && p[1] == '\0')) {
            return bad_channels(text);
        }
        if (last - first >= MOST_CHANNELS - (long)j->n_channels) {
            return cli_usage("--channels names more than %d channels", MOST_CHANNELS);
        }
        for (; first <= last; first++) {
            j->channels[j->n_channels++] = (int)first;
        }
        p += *p == ',';
    }
    return CLI_DONE;
}

static int choose_channels(job *j)
{
    const char *text = j->s->channels;
    j->n_channels = text != NULL && strcmp(text, "all") == 0 ? MOST_CHANNELS : 0;
    if (text == NULL) {
        j->n_channels = USUAL_CHANNELS;
    }
    return j->n_channels > 0 ? CLI_DONE : list_channels(j, text);
}

static int write_sheet(const job *j, const rv_image *sheet, const char *path, json_t *entry)
{
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    write.overwrite = j->s->overwrite;
    const int code = cli_status(rv_image_write(sheet, path, &write));
    json_object_set_new(entry, "file", cli_json_text(path));
    if (code == CLI_DONE) {
        json_array_append(j->outputs, entry);
        cli_note(j->c, "%s", path);
    }
    json_decref(entry);
    return code;
}

static int name_sheet(const job *j, const char *what, char **out)
{
    static const cli_list none = {0};
    return cli_visualize_output(out, j->s, j->name, what, ".png", &none);
}

static int draw_kernels(const job *j)
{
    rv_image *sheet = NULL;
    char *path = NULL;
    int code = name_sheet(j, "kernels", &path);
    if (code == CLI_DONE) {
        code = cli_status(rv_visualize_kernels(&sheet, j->model));
    }
    if (code == CLI_DONE) {
        code = write_sheet(j, sheet, path, json_object());
    }
    rv_image_destroy(sheet);
    free(path);
    return code;
}

/* What there is of a sheet that was interrupted is written as well. */
static int draw_layer(job *j, const char *layer)
{
    rv_image *sheet = NULL;
    char *path = NULL;
    double flops = 0, seconds = 0;
    j->options.flops = &flops;
    j->options.seconds = &seconds;
    int code = name_sheet(j, layer, &path);
    if (code == CLI_DONE) {
        code = cli_status(rv_visualize_filters(&sheet, j->model, j->c->device, layer, j->channels,
                                               j->n_channels, &j->options));
    }
    j->options.flops = j->options.seconds = NULL;
    if (sheet != NULL) {
        json_t *entry = json_pack("{s:o, s:o, s:o}", "layer", cli_json_text(layer), "seconds",
                                  cli_json_real(seconds), "effective_gflops",
                                  cli_json_real(seconds > 0 ? flops / seconds * 1e-9 : 0));
        const int written = write_sheet(j, sheet, path, entry);
        code = code == CLI_DONE ? written : code;
    }
    rv_image_destroy(sheet);
    free(path);
    return code;
}

static void set_options(job *j)
{
    const cli_visualize_settings *s = j->s;
    const rv_filters_options usual = RV_FILTERS_OPTIONS_INIT;
    j->options = usual;
    j->options.size = s->size;
    j->options.steps = s->steps > 0 ? s->steps : usual.steps;
    j->options.learning_rate = s->learning_rate;
    j->options.direction = (rv_filter_direction)s->direction;
    j->options.variants = s->variants;
    j->options.diversity = s->diversity;
    j->options.jitter = s->jitter;
    j->options.scale = s->scale;
    j->options.rotate = s->rotate;
    j->options.batch = s->batch;
    j->options.seed = (uint32_t)j->c->globals.seed;
    j->options.events = &j->c->events;
}

/* Names of sheets are checked before the work on the first. */
static int check_outputs(const job *j)
{
    int code = CLI_DONE;
    if (j->layers.n > 1 && j->s->output != NULL && !cli_visualize_to_folder(j->s)) {
        return cli_usage("-o %s would hold the sheets of %zu layers; name a folder", j->s->output,
                         j->layers.n);
    }
    for (size_t i = 0; i < j->layers.n && code == CLI_DONE; i++) {
        char *path = NULL;
        code = name_sheet(j, j->layers.items[i], &path);
        free(path);
    }
    return code;
}

static int draw_layers(job *j)
{
    int code = cli_list_split(&j->layers, j->s->layers);
    if (code == CLI_DONE && j->layers.n == 0) {
        code = cli_usage("--layers names no layer");
    }
    if (code == CLI_DONE) {
        code = choose_channels(j);
    }
    if (code == CLI_DONE) {
        code = check_outputs(j);
    }
    if (code == CLI_DONE) {
        code = cli_open_device(j->c);
    }
    for (size_t i = 0; i < j->layers.n && code == CLI_DONE; i++) {
        code = draw_layer(j, j->layers.items[i]);
    }
    return code;
}

int cli_visualize_filters(cli *c, const cli_visualize_settings *s, const cli_list *words)
{
    job j = {.c = c, .s = s};
    if (words->n > 1) {
        return cli_usage("visualize filters has no use for '%s'", words->items[1]);
    }
    j.outputs = json_array();
    j.name = words->n > 0 ? words->items[0] : "builtin";
    int code = cli_open_model(c, &j.model, j.name, &s->files, RV_POOLING_AS_MADE);
    if (code == CLI_DONE) {
        set_options(&j);
        code = s->layers != NULL ? draw_layers(&j) : draw_kernels(&j);
    }
    cli_json_set(c, "outputs", j.outputs);
    rv_model_close(j.model);
    cli_list_release(&j.layers);
    free(j.channels);
    return code;
}
