/* reverie visualize heatmap: where in pictures a network sees classes. */
/* SPDX-License-Identifier: MIT */
#include "base/signal.h"
#include "cli/visualize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    cli *c;
    const cli_visualize_settings *s;
    cli_list inputs; /* borrowed */
    rv_heat_method methods[RV_HEAT_METHODS];
    size_t n_methods;
    int *classes; /* of the picture at hand */
    size_t n_classes;
    rv_heatmaps *heatmaps;
    rv_image *image; /* the picture at hand */
    json_t *outputs, *images;
} job;

/* --- what to draw ---------------------------------------------------------------------------- */

static int list_methods(job *j)
{
    cli_list names = {0};
    if (strcmp(j->s->method, "all") == 0) {
        for (int i = 0; i < RV_HEAT_METHODS; i++) {
            j->methods[j->n_methods++] = (rv_heat_method)i;
        }
        return CLI_DONE;
    }
    int code = cli_list_split(&names, j->s->method);
    for (size_t i = 0; i < names.n && code == CLI_DONE; i++) {
        if (i == RV_HEAT_METHODS) {
            code = cli_usage("--method names more than the %d there are", RV_HEAT_METHODS);
            break;
        }
        code = cli_status(rv_heat_method_find(&j->methods[i], names.items[i]));
        for (size_t k = 0; k < i && code == CLI_DONE; k++) {
            code = j->methods[k] == j->methods[i]
                       ? cli_usage("--method names %s twice", names.items[i])
                       : code;
        }
        j->n_methods++;
    }
    if (code == CLI_DONE && names.n == 0) {
        code = cli_usage("--method names no method");
    }
    cli_list_release(&names);
    return code;
}

static int find_classes(job *j)
{
    const cli_list *named = &j->s->classes;
    j->n_classes = named->n;
    for (size_t i = 0; i < named->n; i++) {
        const int code = cli_status(rv_heatmaps_find(&j->classes[i], j->heatmaps, named->items[i]));
        for (size_t k = 0; k < i && code == CLI_DONE; k++) {
            if (j->classes[k] == j->classes[i]) {
                return cli_usage("--class names class %d twice", j->classes[i]);
            }
        }
        if (code != CLI_DONE) {
            return code;
        }
    }
    return CLI_DONE;
}

/* The classes that were named, or the likeliest of the picture. */
static int list_classes(job *j)
{
    if (j->s->classes.n > 0) {
        return find_classes(j);
    }
    rv_prediction *best = calloc((size_t)j->s->top, sizeof *best);
    if (best == NULL) {
        return cli_out_of_memory();
    }
    const int code =
        cli_status(rv_heatmaps_best(best, &j->n_classes, j->heatmaps, (size_t)j->s->top));
    for (size_t i = 0; i < j->n_classes; i++) {
        j->classes[i] = best[i].index;
    }
    free(best);
    return code;
}

/* --- files ----------------------------------------------------------------------------------- */

static void note_output(const job *j, const char *path, const char *input, const char *method)
{
    json_t *output =
        json_pack("{s:o, s:o}", "file", cli_json_text(path), "input", cli_json_text(input));
    if (method != NULL) {
        json_object_set_new(output, "method", json_string(method));
    }
    json_array_append_new(j->outputs, output);
}

/* Writes a picture where `make` has made one; frees it. */
static int write_picture(const job *j, const char *path, rv_image *image, rv_status made)
{
    rv_image_write_options write = RV_IMAGE_WRITE_OPTIONS_INIT;
    write.overwrite = j->s->overwrite;
    int code = cli_status(made);
    if (code == CLI_DONE) {
        code = cli_status(rv_image_write(image, path, &write));
    }
    rv_image_destroy(image);
    return code;
}

static int write_sheet(const job *j, const char *input)
{
    rv_image *image = NULL;
    char *path = NULL;
    int code = cli_visualize_output(&path, j->s, input, "heatmap", ".png", &j->inputs);
    if (code == CLI_DONE) {
        const rv_status made = rv_heatmaps_sheet(&image, j->heatmaps);
        code = write_picture(j, path, image, made);
    }
    if (code == CLI_DONE) {
        note_output(j, path, input, NULL);
        cli_note(j->c, "%s: %zu heat maps", path, rv_heatmaps_count(j->heatmaps));
    }
    free(path);
    return code;
}

/* In a folder, map `index` over the photo as a file of its own. */
static int write_overlay(const job *j, const char *input, size_t index)
{
    const rv_heat_map map = rv_heatmaps_map(j->heatmaps, index);
    const char *method = rv_heat_method_name(map.method);
    rv_image *image = NULL;
    char *path = NULL, *what = cli_format("%s_%d", method, map.prediction.index);
    int code = what != NULL ? CLI_DONE : cli_out_of_memory();
    if (code == CLI_DONE) {
        code = cli_visualize_output(&path, j->s, input, what, ".png", &j->inputs);
    }
    if (code == CLI_DONE) {
        const rv_status made = j->s->full_size
                                   ? rv_heatmaps_overlay_on(&image, j->heatmaps, index, j->image)
                                   : rv_heatmaps_overlay(&image, j->heatmaps, index);
        code = write_picture(j, path, image, made);
    }
    if (code == CLI_DONE) {
        note_output(j, path, input, method);
    }
    free(what);
    free(path);
    return code;
}

static int write_values(const job *j, const char *input, rv_heat_method method)
{
    const char *name = rv_heat_method_name(method);
    char *path = NULL;
    int code = cli_visualize_beside(&path, j->s, input, name, ".npy", &j->inputs);
    if (code == CLI_DONE) {
        code = cli_status(rv_heatmaps_write(j->heatmaps, method, path, j->s->overwrite));
    }
    if (code == CLI_DONE) {
        note_output(j, path, input, name);
    }
    free(path);
    return code;
}

/* --- one picture ----------------------------------------------------------------------------- */

static json_t *describe_map(const rv_heat_map *map)
{
    double sum = 0, largest = 0;
    for (int i = 0; i < map->width * map->height; i++) {
        sum += (double)map->data[i];
        largest = fmax(largest, (double)map->data[i]);
    }
    const rv_prediction *p = &map->prediction;
    json_t *label = p->label != NULL ? cli_json_text(p->label) : json_null();
    json_t *entry = json_pack("{s:s, s:i, s:o, s:o, s:i, s:i, s:o, s:o}", "method",
                              rv_heat_method_name(map->method), "index", p->index, "label", label,
                              "probability", cli_json_real((double)p->probability), "width",
                              map->width, "height", map->height, "largest", cli_json_real(largest),
                              "sum", cli_json_real(sum));
    if (isfinite(map->difference)) {
        json_object_set_new(entry, "difference", cli_json_real(map->difference));
    }
    return entry;
}

static void describe(const job *j, const char *input)
{
    json_t *maps = json_array();
    const char *layer = rv_heatmaps_layer(j->heatmaps);
    for (size_t i = 0; i < rv_heatmaps_count(j->heatmaps); i++) {
        const rv_heat_map map = rv_heatmaps_map(j->heatmaps, i);
        json_array_append_new(maps, describe_map(&map));
    }
    json_array_append_new(
        j->images, json_pack("{s:o, s:o, s:o}", "file", cli_json_text(input), "layer",
                             layer != NULL ? cli_json_text(layer) : json_null(), "maps", maps));
}

static int write_all(const job *j, const char *input)
{
    int code = write_sheet(j, input);
    const size_t n = cli_visualize_to_folder(j->s) ? rv_heatmaps_count(j->heatmaps) : 0;
    for (size_t i = 0; i < n && code == CLI_DONE; i++) {
        code = write_overlay(j, input, i);
    }
    for (size_t i = 0; j->s->npy && i < j->n_methods && code == CLI_DONE; i++) {
        code = write_values(j, input, j->methods[i]);
    }
    return code;
}

static void drop_image(job *j)
{
    rv_image_destroy(j->image);
    j->image = NULL;
}

/* The picture is kept where maps are drawn over it at its own size. */
static rv_status look(job *j, const char *input)
{
    const rv_image_read_options read = cli_read_options(j->c, &j->s->reading);
    rv_status status =
        rv_signal_caught() ? RV_ERR_CANCELLED : rv_image_read(&j->image, input, &read);
    if (status == RV_OK) {
        status = rv_heatmaps_look(j->heatmaps, j->image);
    }
    if (status != RV_OK || !j->s->full_size) {
        drop_image(j);
    }
    return status;
}

/* Of all methods, those that have nothing to go by in the network are left out, which is said once; what is wrong with
 * occlusion is its --window or --stride. */
static int compute(job *j)
{
    const bool all = strcmp(j->s->method, "all") == 0;
    size_t kept = 0;
    for (size_t i = 0; i < j->n_methods; i++) {
        const rv_heat_method method = j->methods[i];
        const rv_status status = rv_heatmaps_compute(j->heatmaps, method, j->classes, j->n_classes);
        if (status == RV_ERR_USAGE && all && method != RV_HEAT_OCCLUSION) {
            cli_note(j->c, "left out: %s", rv_error_message());
        } else if (status != RV_OK) {
            return cli_status(status);
        } else {
            j->methods[kept++] = method;
        }
    }
    j->n_methods = kept;
    return CLI_DONE;
}

/* The maps of the picture that was looked at. */
static int draw(job *j, const char *input)
{
    int code = list_classes(j);
    if (code == CLI_DONE) {
        code = compute(j);
    }
    if (code == CLI_DONE) {
        describe(j, input);
        code = write_all(j, input);
    }
    return code;
}

/* A picture that cannot be read keeps none of the others from being drawn. */
static int draw_all(job *j)
{
    cli_files files = {.n = j->inputs.n, .failed = json_array()};
    j->outputs = json_array();
    j->images = json_array();
    int code = CLI_DONE;
    for (size_t i = 0; i < files.n && code == CLI_DONE && files.code != CLI_INTERRUPTED; i++) {
        const rv_status status = look(j, j->inputs.items[i]);
        cli_files_count(&files, j->inputs.items[i], status);
        if (status == RV_OK && files.code != CLI_INTERRUPTED) {
            code = draw(j, j->inputs.items[i]);
        }
        drop_image(j);
    }
    cli_json_set(j->c, "images", j->images);
    cli_json_set(j->c, "outputs", j->outputs);
    if (code != CLI_DONE) {
        cli_json_set(j->c, "failed", files.failed);
        return code;
    }
    return cli_files_end(j->c, &files);
}

static int open_heatmaps(job *j, const rv_model *model)
{
    rv_heatmaps_options options = RV_HEATMAPS_OPTIONS_INIT;
    options.layer = j->s->layers;
    options.samples = j->s->samples;
    options.noise = j->s->noise;
    options.steps = j->s->steps;
    options.window = j->s->window;
    options.stride = j->s->stride;
    options.size = j->s->size > 0 ? j->s->size : options.size;
    options.seed = (uint32_t)j->c->globals.seed;
    options.events = &j->c->events;
    return cli_status(rv_heatmaps_create(&j->heatmaps, model, j->c->device, &options));
}

int cli_visualize_heatmap(cli *c, const cli_visualize_settings *s, const cli_list *words)
{
    job j = {.c = c, .s = s};
    rv_model *model = NULL;
    size_t first;
    const char *name = cli_model_of(words, &first);
    int code = first < words->n ? list_methods(&j) : CLI_USAGE;
    j.inputs = (cli_list){words->items + first, words->n - first};
    j.classes = calloc((size_t)s->top + s->classes.n, sizeof *j.classes);
    if (code == CLI_DONE && j.classes == NULL) {
        code = cli_out_of_memory();
    }
    if (code == CLI_DONE) {
        code = cli_visualize_check(s, "heatmap", &j.inputs);
    }
    if (code == CLI_DONE) {
        code = cli_open_model(c, &model, name, &s->files, RV_POOLING_AS_MADE);
    }
    if (code == CLI_DONE) {
        code = cli_open_device(c);
    }
    if (code == CLI_DONE) {
        code = open_heatmaps(&j, model);
    }
    if (code == CLI_DONE) {
        code = draw_all(&j);
    }
    rv_heatmaps_destroy(j.heatmaps);
    rv_model_close(model);
    free(j.classes);
    return code;
}
