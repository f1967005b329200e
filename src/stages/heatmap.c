/* Heat maps: opens a network for them, looks at a picture, names classes, and keeps the maps. */
/* SPDX-License-Identifier: MIT */
#include "stages/heatmap.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/npy.h"
#include "stages/class_name.h"
#include "stages/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[RV_HEAT_METHODS] = {
    [RV_HEAT_GRAD_CAM] = "grad-cam",     [RV_HEAT_GRAD_CAM_PLUS] = "grad-cam++",
    [RV_HEAT_SALIENCY] = "saliency",     [RV_HEAT_SMOOTHGRAD] = "smoothgrad",
    [RV_HEAT_INTEGRATED] = "integrated", [RV_HEAT_GUIDED] = "guided",
    [RV_HEAT_OCCLUSION] = "occlusion"};

const char *rv_heat_method_name(rv_heat_method method)
{
    return names[method];
}

rv_status rv_heat_method_find(rv_heat_method *out, const char *name)
{
    for (int i = 0; i < RV_HEAT_METHODS; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (rv_heat_method)i;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE,
                   "there is no method '%.40s' for heat maps; there are grad-cam, grad-cam++, "
                   "saliency, smoothgrad, integrated, guided and occlusion",
                   name);
}

static bool is_cam(rv_heat_method method)
{
    return method == RV_HEAT_GRAD_CAM || method == RV_HEAT_GRAD_CAM_PLUS;
}

/* --- create ---------------------------------------------------------------------------------- */

static rv_status check_options(const rv_heatmaps_options *o)
{
    enum { MOST = 10000, LEAST_SIZE = 32, MOST_SIZE = 8192 };
    if (o->samples < 1 || o->samples > MOST || o->steps < 0 || o->steps > MOST) {
        return rv_fail(RV_ERR_USAGE, "%d samples and %d steps: there are at most %d of each",
                       o->samples, o->steps, MOST);
    }
    if (!(o->noise > 0) || o->noise > 10) {
        return rv_fail(RV_ERR_USAGE, "noise of %g: it is above 0, and at most 10", o->noise);
    }
    if (o->window < 0 || o->stride < 0) {
        return rv_fail(RV_ERR_USAGE, "a window of %d and a stride of %d pixels", o->window,
                       o->stride);
    }
    if (o->size < LEAST_SIZE || o->size > MOST_SIZE) {
        return rv_fail(RV_ERR_USAGE, "overlays of %d pixels: they have %d to %d", o->size,
                       LEAST_SIZE, MOST_SIZE);
    }
    return RV_OK;
}

static rv_status find_scores(rv_heatmaps *h)
{
    const rv_graph *graph = h->graph.graph;
    const rv_shape *s = rv_graph_shape(graph, h->graph.output);
    char text[64];
    if (s->rank != 2 && (s->rank != 4 || s->dim[2] != 1 || s->dim[3] != 1)) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s gives no class scores: its last layer, '%s', has the shape %s; heat "
                       "maps need a classifier",
                       rv_model_name(h->model), rv_graph_value_name(graph, h->graph.output),
                       rv_shape_text(text, s));
    }
    RV_TRY(rv_training_logits(&h->logits, &h->graph, rv_model_task(h->model)));
    h->classes = rv_graph_shape(graph, h->logits)->dim[1];
    return RV_OK;
}

static bool has_maps(const rv_graph *graph, rv_value value)
{
    const rv_shape *s = rv_graph_shape(graph, value);
    return s->rank == 4 && (int64_t)s->dim[2] * s->dim[3] > 1;
}

/* From the scores down to the first value that has maps, and on below what only pools these by their maxima. */
static void find_last_maps(rv_heatmaps *h)
{
    const rv_graph *graph = h->graph.graph;
    rv_value value = h->logits;
    int node = rv_graph_producer(graph, value);
    while (node >= 0 && (!has_maps(graph, value) ||
                         (rv_graph_node(graph, node)->op->traits & RV_OP_SELECTS) != 0)) {
        value = rv_graph_node_inputs(graph, node)[0];
        node = rv_graph_producer(graph, value);
    }
    /* A network without any such layer ends up at its picture. */
    h->layer = node >= 0 && value != h->graph.input && has_maps(graph, value) ? value : -1;
}

static rv_status find_layer(rv_heatmaps *h)
{
    const rv_graph *graph = h->graph.graph;
    char text[64];
    if (h->options.layer == NULL) {
        find_last_maps(h);
        return RV_OK;
    }
    RV_TRY(rv_graph_find(graph, &h->layer, h->options.layer));
    if (!has_maps(graph, h->layer)) {
        return rv_fail(RV_ERR_USAGE, "'%s' has no maps that Grad-CAM could weight: its shape is %s",
                       h->options.layer, rv_shape_text(text, rv_graph_shape(graph, h->layer)));
    }
    return RV_OK;
}

static rv_status create(rv_heatmaps *h)
{
    RV_TRY(check_options(&h->options));
    RV_TRY(rv_model_build(&h->graph, h->model, NULL, 0));
    RV_TRY(find_scores(h));
    RV_TRY(find_layer(h));
    for (int i = 0; i < rv_graph_node_count(h->graph.graph); i++) {
        h->rectifies |= rv_graph_node(h->graph.graph, i)->op->rectifier != NULL;
    }
    RV_TRY(rv_params_create(&h->params, h->device, h->graph.graph, false));
    rv_graph_release_values(h->graph.graph);
    const rv_value outputs[2] = {h->logits, h->layer};
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = outputs, .n_outputs = h->layer >= 0 ? 2 : 1};
    RV_TRY(rv_plan_create(&h->plan, h->graph.graph, h->params, h->device, &options));
    RV_TRY(rv_alloc(&h->scores, (size_t)h->classes, sizeof *h->scores, "scores"));
    RV_TRY(rv_alloc(&h->probabilities, (size_t)h->classes, sizeof *h->probabilities, "scores"));
    if (h->layer >= 0) {
        const size_t n = rv_shape_count(rv_graph_shape(h->graph.graph, h->layer));
        RV_TRY(rv_alloc(&h->features, n, sizeof *h->features, "maps of a layer"));
    }
    if (rv_model_is_random(h->model)) {
        rv_log(h->options.events, RV_LOG_WARNING,
               "%s has random weights: heat maps then show how it is built, not what it learned; "
               "--weights gives it others",
               rv_model_name(h->model));
    }
    return RV_OK;
}

rv_status rv_heatmaps_create(rv_heatmaps **out, const rv_model *model, rv_device *device,
                             const rv_heatmaps_options *options)
{
    rv_heatmaps_options o = RV_HEATMAPS_OPTIONS_INIT;
    rv_heatmaps *h;
    *out = NULL;
    RV_TRY(rv_alloc(&h, 1, sizeof *h, "heat maps"));
    h->model = model;
    h->device = device;
    if (options != NULL) {
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    h->options = o;
    const rv_status status = create(h);
    h->options.layer = NULL; /* the caller's */
    if (status != RV_OK) {
        rv_heatmaps_destroy(h);
        return status;
    }
    *out = h;
    return RV_OK;
}

static void forget(rv_heatmaps *h)
{
    for (size_t i = 0; i < h->n_maps; i++) {
        free(h->maps[i].values);
    }
    h->n_maps = 0;
    h->n_rows = 0;
    rv_planar_release(&h->seen);
    rv_planar_release(&h->photo);
}

void rv_heatmaps_destroy(rv_heatmaps *heatmaps)
{
    if (heatmaps == NULL) {
        return;
    }
    forget(heatmaps);
    rv_plan_destroy(heatmaps->plan);
    rv_params_destroy(heatmaps->params);
    rv_graph_destroy(heatmaps->graph.graph);
    free(heatmaps->scores);
    free(heatmaps->probabilities);
    free(heatmaps->features);
    free(heatmaps->maps);
    free(heatmaps);
}

/* --- looking --------------------------------------------------------------------------------- */

size_t rv_heatmaps_values(const rv_heatmaps *h)
{
    return (size_t)rv_model_channels(h->model) * (size_t)rv_model_width(h->model) *
           (size_t)rv_model_height(h->model);
}

rv_status rv_heatmaps_score(rv_heatmaps *h, const float *picture, float *scores)
{
    RV_TRY(rv_tensor_write(h->device, rv_plan_tensor(h->plan, h->graph.picture), picture));
    RV_TRY(rv_plan_forward(h->plan));
    return rv_tensor_read(h->device, rv_plan_tensor(h->plan, h->logits), scores);
}

/* Softmax, sigmoids, or quantities in their units. */
static void set_probabilities(rv_heatmaps *h)
{
    const rv_task task = rv_model_task(h->model);
    float largest = h->scores[0];
    double sum = 0;
    for (int i = 0; i < h->classes; i++) {
        largest = fmaxf(largest, h->scores[i]);
    }
    for (int i = 0; i < h->classes; i++) {
        sum += exp((double)h->scores[i] - (double)largest);
    }
    for (int i = 0; i < h->classes; i++) {
        const double x = (double)h->scores[i];
        const double p = task == RV_TASK_CLASSES  ? exp(x - (double)largest) / sum
                         : task == RV_TASK_LABELS ? 1 / (1 + exp(-x))
                                                  : rv_model_value(h->model, i, x);
        h->probabilities[i] = (float)p;
    }
}

rv_status rv_heatmaps_see(rv_heatmaps *h, rv_planar *seen)
{
    forget(h);
    h->seen = *seen;
    *seen = (rv_planar){0};
    rv_status status = rv_heatmaps_score(h, h->seen.data, h->scores);
    if (status == RV_OK && h->layer >= 0) {
        status = rv_tensor_read(h->device, rv_plan_tensor(h->plan, h->layer), h->features);
    }
    if (status != RV_OK) {
        forget(h); /* what was read of it would be taken for the whole */
        return status;
    }
    set_probabilities(h);
    return RV_OK;
}

rv_status rv_heatmaps_look(rv_heatmaps *heatmaps, const rv_image *image)
{
    rv_heatmaps *h = heatmaps;
    int width = rv_image_width(image), height = rv_image_height(image);
    const double full = width;
    rv_planar seen;
    RV_TRY(rv_network_picture(&seen, NULL, h->device, image, h->model));
    RV_TRY(rv_heatmaps_see(h, &seen));
    rv_picture_fit(&width, &height, h->options.size);
    const double ratio = width / full;
    const rv_part part = rv_network_view(image, h->model);
    h->part =
        (rv_part){part.left * ratio, part.top * ratio, part.width * ratio, part.height * ratio};
    return rv_picture_planes(&h->photo, NULL, h->device, image, NULL, width, height);
}

static rv_status check_looked(const rv_heatmaps *h)
{
    return h->seen.data != NULL
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s has looked at no picture yet", rv_model_name(h->model));
}

static rv_prediction prediction_of(const rv_heatmaps *h, int index)
{
    return (rv_prediction){index, rv_model_label(h->model, index), h->probabilities[index]};
}

/* Whether class a comes before class b; quantities keep their order. */
static bool is_likelier(const rv_heatmaps *h, int a, int b)
{
    const float *p = h->scores;
    return rv_model_task(h->model) == RV_TASK_VALUES || p[a] == p[b] ? a < b : p[a] > p[b];
}

rv_status rv_heatmaps_best(rv_prediction *out, size_t *n, const rv_heatmaps *heatmaps, size_t k)
{
    const rv_heatmaps *h = heatmaps;
    *n = 0;
    RV_TRY(check_looked(h));
    for (int i = 0; i < h->classes; i++) {
        size_t at = *n;
        while (at > 0 && is_likelier(h, i, out[at - 1].index)) {
            at--;
        }
        if (at < k) {
            *n += *n < k;
            memmove(out + at + 1, out + at, (*n - at - 1) * sizeof *out);
            out[at] = prediction_of(h, i);
        }
    }
    return RV_OK;
}

rv_status rv_heatmaps_find(int *out, const rv_heatmaps *heatmaps, const char *text)
{
    return rv_class_find(out, heatmaps->model, heatmaps->classes, text);
}

/* --- maps ------------------------------------------------------------------------------------ */

static rv_status check_compute(const rv_heatmaps *h, rv_heat_method method, const int *classes,
                               size_t n)
{
    RV_TRY(check_looked(h));
    for (size_t i = 0; i < n; i++) {
        if (classes[i] < 0 || classes[i] >= h->classes) {
            return rv_fail(RV_ERR_USAGE, "%s has the classes 0 to %d, but no %d",
                           rv_model_name(h->model), h->classes - 1, classes[i]);
        }
    }
    if (is_cam(method) && h->layer < 0) {
        return rv_fail(RV_ERR_USAGE,
                       "%s has no layer with maps, which %s needs; saliency needs none",
                       rv_model_name(h->model), names[method]);
    }
    if (method == RV_HEAT_GUIDED && !h->rectifies) {
        return rv_fail(RV_ERR_USAGE,
                       "%s has no rectifiers to guide gradients through: its saliency is the same",
                       rv_model_name(h->model));
    }
    return n > 0 ? RV_OK : rv_fail(RV_ERR_USAGE, "0 classes were asked for");
}

/* Room for a map of each class. */
static rv_status add_maps(rv_heatmaps *h, rv_heat_method method, const int *classes, size_t n)
{
    const rv_shape *s =
        rv_graph_shape(h->graph.graph, is_cam(method) ? h->layer : h->graph.picture);
    const int height = s->dim[2], width = s->dim[3];
    RV_TRY(rv_grow(&h->maps, &h->maps_capacity, h->n_maps + n, sizeof *h->maps, "heat maps"));
    for (size_t i = 0; i < n; i++) {
        rv_heat *heat = &h->maps[h->n_maps];
        float *values;
        RV_TRY(rv_alloc(&values, (size_t)height * (size_t)width, sizeof *values, "heat maps"));
        *heat = (rv_heat){.map = {method, prediction_of(h, classes[i]), width, height, values, NAN},
                          .values = values,
                          .row = h->n_rows};
        h->n_maps++;
    }
    return RV_OK;
}

rv_status rv_heatmaps_compute(rv_heatmaps *heatmaps, rv_heat_method method, const int *classes,
                              size_t n)
{
    rv_heatmaps *h = heatmaps;
    const size_t first = h->n_maps;
    RV_TRY(check_compute(h, method, classes, n));
    rv_status status = add_maps(h, method, classes, n);
    if (status == RV_OK) {
        status = rv_heatmaps_fill(h, method, h->maps + first, classes, n);
    }
    while (status != RV_OK && h->n_maps > first) {
        free(h->maps[--h->n_maps].values);
    }
    h->n_rows += status == RV_OK;
    return status;
}

size_t rv_heatmaps_count(const rv_heatmaps *heatmaps)
{
    return heatmaps->n_maps;
}

rv_heat_map rv_heatmaps_map(const rv_heatmaps *heatmaps, size_t index)
{
    return heatmaps->maps[index].map;
}

const char *rv_heatmaps_layer(const rv_heatmaps *heatmaps)
{
    const rv_heatmaps *h = heatmaps;
    return h->layer >= 0 ? rv_graph_value_name(h->graph.graph, h->layer) : NULL;
}

rv_status rv_heatmaps_write(const rv_heatmaps *heatmaps, rv_heat_method method, const char *path,
                            bool overwrite)
{
    size_t dim[3] = {0, 0, 0}, pixels = 0;
    float *all;
    for (size_t i = 0; i < heatmaps->n_maps; i++) {
        const rv_heat_map *m = &heatmaps->maps[i].map;
        if (m->method == method) {
            dim[0]++;
            dim[1] = (size_t)m->height;
            dim[2] = (size_t)m->width;
            pixels = dim[1] * dim[2];
        }
    }
    if (dim[0] == 0) {
        return rv_fail(RV_ERR_USAGE, "no maps were made by %s", names[method]);
    }
    RV_TRY(rv_alloc(&all, dim[0] * pixels, sizeof *all, "heat maps"));
    for (size_t i = 0, at = 0; i < heatmaps->n_maps; i++) {
        if (heatmaps->maps[i].map.method == method) {
            memcpy(all + at++ * pixels, heatmaps->maps[i].values, pixels * sizeof *all);
        }
    }
    const rv_status status = rv_npy_write(path, all, 3, dim, overwrite);
    free(all);
    return status;
}
