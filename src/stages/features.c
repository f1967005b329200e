/* Runs a network over pictures and arrays: class scores, and the values of any layer. */
/* SPDX-License-Identifier: MIT */
#include <reverie/features.h>
#include <reverie/reverie.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/system.h"
#include "base/text.h"
#include "stages/features.h"
#include "stages/network_picture.h"

#include <stdlib.h>
#include <string.h>

/* A layer that was asked for. */
typedef struct wanted {
    char *name;
    rv_value value;
    rv_shape shape; /* at the last run */
    float *data;
} wanted;

struct rv_features {
    const rv_model *model;
    rv_device *device;
    rv_model_graph graph;
    rv_params *params;
    rv_plan *plan; /* for the shape and the feed of the last run, NULL before it */
    rv_value fed;  /* where that plan takes its data */
    rv_resizer resizer;
    rv_value *outputs;
    wanted *layers;
    size_t n_layers;
    bool has_run;
};

/* --- create ---------------------------------------------------------------------------------- */

static rv_status find_layers(rv_features *f, const char *const *layers, size_t n_layers)
{
    f->n_layers = n_layers > 0 ? n_layers : 1;
    RV_TRY(rv_alloc(&f->layers, f->n_layers, sizeof *f->layers, "layers"));
    RV_TRY(rv_alloc(&f->outputs, f->n_layers, sizeof *f->outputs, "layers"));
    for (size_t i = 0; i < f->n_layers; i++) {
        wanted *w = &f->layers[i];
        if (n_layers > 0) {
            RV_TRY(rv_graph_find(f->graph.graph, &w->value, layers[i]));
            RV_TRY(rv_strdup(&w->name, layers[i]));
        } else {
            w->value = f->graph.output;
            RV_TRY(rv_strdup(&w->name, rv_graph_value_name(f->graph.graph, w->value)));
        }
        f->outputs[i] = w->value;
    }
    return RV_OK;
}

static rv_status create(rv_features *f, const char *const *layers, size_t n_layers)
{
    RV_TRY(rv_model_build(&f->graph, f->model, n_layers > 0 ? layers : NULL, n_layers));
    RV_TRY(find_layers(f, layers, n_layers));
    RV_TRY(rv_params_create(&f->params, f->device, f->graph.graph, false));
    rv_graph_release_values(f->graph.graph);
    return RV_OK;
}

rv_status rv_features_create(rv_features **out, const rv_model *model, rv_device *device,
                             const char *const *layers, size_t n_layers)
{
    rv_features *f;
    *out = NULL;
    RV_TRY(rv_alloc(&f, 1, sizeof *f, "features"));
    f->model = model;
    f->device = device;
    const rv_status status = create(f, layers, n_layers);
    if (status != RV_OK) {
        rv_features_destroy(f);
        return status;
    }
    *out = f;
    return RV_OK;
}

void rv_features_destroy(rv_features *features)
{
    if (features == NULL) {
        return;
    }
    for (size_t i = 0; features->layers != NULL && i < features->n_layers; i++) {
        free(features->layers[i].name);
        free(features->layers[i].data);
    }
    rv_resizer_release(&features->resizer);
    rv_plan_destroy(features->plan);
    rv_params_destroy(features->params);
    rv_graph_destroy(features->graph.graph);
    free(features->layers);
    free(features->outputs);
    free(features);
}

/* --- run ------------------------------------------------------------------------------------- */

/* A plan for pictures of that shape which come in at `fed`: the last one where it fits. */
static rv_status make_plan(rv_features *f, rv_value fed, rv_shape shape)
{
    const rv_shape *now = rv_graph_shape(f->graph.graph, f->graph.picture);
    if (f->plan != NULL && f->fed == fed && rv_shape_equal(now, &shape)) {
        return RV_OK;
    }
    rv_plan_destroy(f->plan);
    f->plan = NULL;
    RV_TRY(rv_graph_reshape(f->graph.graph, f->graph.picture, shape));
    const rv_plan_options options = {.mode = RV_INFER,
                                     .outputs = f->outputs,
                                     .n_outputs = (int)f->n_layers,
                                     .feeds = &f->graph.input,
                                     .n_feeds = fed == f->graph.input ? 1 : 0};
    RV_TRY(rv_plan_create(&f->plan, f->graph.graph, f->params, f->device, &options));
    f->fed = fed;
    return RV_OK;
}

static rv_status read_layer(rv_features *f, wanted *w)
{
    const rv_tensor *tensor = rv_plan_tensor(f->plan, w->value);
    float *data;
    RV_TRY(rv_alloc(&data, rv_shape_count(&tensor->shape), sizeof *data, w->name));
    const rv_status status = rv_tensor_read(f->device, tensor, data);
    if (status != RV_OK) {
        free(data);
        return status;
    }
    free(w->data);
    w->data = data;
    w->shape = tensor->shape;
    return RV_OK;
}

/* Runs over [N,C,H,W] values that go in at `fed`. */
static rv_status run(rv_features *f, rv_value fed, rv_shape shape, const float *data)
{
    f->has_run = false;
    RV_TRY(make_plan(f, fed, shape));
    RV_TRY(rv_tensor_write(f->device, rv_plan_tensor(f->plan, fed), data));
    RV_TRY(rv_plan_forward(f->plan));
    for (size_t i = 0; i < f->n_layers; i++) {
        RV_TRY(read_layer(f, &f->layers[i]));
    }
    f->has_run = true;
    return RV_OK;
}

static rv_shape picture_shape(const rv_features *f, int32_t batch)
{
    const rv_model *m = f->model;
    return rv_shape_4(batch, rv_model_channels(m), rv_model_height(m), rv_model_width(m));
}

size_t rv_features_picture_floats(const rv_features *features)
{
    const rv_shape shape = picture_shape(features, 1);
    return rv_shape_count(&shape);
}

rv_status rv_features_see(rv_features *features, float *out, const rv_image *image)
{
    rv_planar picture;
    RV_TRY(
        rv_network_picture(&picture, &features->resizer, features->device, image, features->model));
    memcpy(out, picture.data, rv_features_picture_floats(features) * sizeof *out);
    rv_planar_release(&picture);
    return RV_OK;
}

rv_status rv_features_prepare(rv_features *features, int32_t batch)
{
    return make_plan(features, features->graph.picture, picture_shape(features, batch));
}

rv_status rv_features_run_pictures(rv_features *features, int32_t batch, const float *pictures)
{
    return run(features, features->graph.picture, picture_shape(features, batch), pictures);
}

rv_status rv_features_run_image(rv_features *features, const rv_image *image)
{
    float *picture;
    RV_TRY(rv_alloc(&picture, rv_features_picture_floats(features), sizeof *picture, "a picture"));
    rv_status status = rv_features_see(features, picture, image);
    if (status == RV_OK) {
        status = rv_features_run_pictures(features, 1, picture);
    }
    free(picture);
    return status;
}

bool rv_features_is_array(const char *path)
{
    return strcmp(rv_path_extension(path), ".npy") == 0;
}

rv_status rv_features_run_array(rv_features *f, const char *path)
{
    float *data;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    RV_TRY(rv_npy_read(&data, &rank, dim, path));
    const int channels = rv_graph_shape(f->graph.graph, f->graph.picture)->dim[1];
    rv_status status = RV_OK;
    if (rank != 4 || dim[1] != (size_t)channels) {
        status = rv_fail(RV_ERR_SHAPE, "%s: an array for %s has the shape [N,%d,H,W]", path,
                         rv_model_name(f->model), channels);
    }
    for (int i = 0; i < 4 && status == RV_OK; i++) {
        if (dim[i] < 1 || dim[i] > INT32_MAX) {
            status = rv_fail(RV_ERR_SHAPE, "%s: a side of %zu values", path, dim[i]);
        }
    }
    if (status == RV_OK) {
        const rv_shape shape =
            rv_shape_4((int32_t)dim[0], (int32_t)dim[1], (int32_t)dim[2], (int32_t)dim[3]);
        status = run(f, f->graph.input, shape, data);
    }
    free(data);
    return status;
}

rv_status rv_features_run_file(rv_features *features, const char *path,
                               const rv_image_read_options *read)
{
    rv_image *image;
    if (rv_features_is_array(path)) {
        return rv_features_run_array(features, path);
    }
    RV_TRY(rv_image_read(&image, path, read));
    const rv_status status = rv_features_run_image(features, image);
    rv_image_destroy(image);
    return status;
}

/* --- results --------------------------------------------------------------------------------- */

rv_status rv_features_signature(char **out, const rv_features *features, const char *const *files,
                                size_t n_files)
{
    const rv_model *m = features->model;
    const rv_preprocessing *p = rv_model_preprocessing(m);
    uint64_t weights, names = RV_HASH_START;
    rv_text text = {0};
    *out = NULL;
    for (size_t i = 0; i < n_files; i++) {
        names = rv_hash(names, files[i], strlen(files[i]) + 1);
    }
    RV_TRY(rv_model_fingerprint(&weights, m));
    rv_text_append(&text, "reverie=%s model=%s weights=%016llx size=%dx%dx%d share=%.9g",
                   rv_version(), rv_model_name(m), (unsigned long long)weights,
                   rv_model_channels(m), rv_model_height(m), rv_model_width(m), rv_model_share(m));
    rv_text_append(&text, " %s %.9g", p->bgr ? "bgr" : "rgb", (double)p->range);
    for (int i = 0; i < 3; i++) {
        rv_text_append(&text, " %.9g %.9g", (double)p->mean[i], (double)p->deviation[i]);
    }
    for (size_t i = 0; i < features->n_layers; i++) {
        rv_text_append(&text, "%s%s", i == 0 ? " layers=" : ",", features->layers[i].name);
    }
    rv_text_append(&text, " device=%s files=%zu of %016llx",
                   rv_device_get_info(features->device)->name, n_files, (unsigned long long)names);
    const rv_status status = rv_text_status(&text);
    if (status != RV_OK) {
        rv_text_release(&text);
        return status;
    }
    *out = text.data;
    return RV_OK;
}

size_t rv_features_count(const rv_features *features)
{
    return features->n_layers;
}

rv_feature_map rv_features_map(const rv_features *features, size_t index)
{
    const wanted *w = &features->layers[index];
    rv_feature_map map = {.layer = w->name, .rank = w->shape.rank, .data = w->data};
    for (int i = 0; i < w->shape.rank; i++) {
        map.dim[i] = (size_t)w->shape.dim[i];
    }
    return map;
}

static rv_status check_has_run(const rv_features *f)
{
    return f->has_run
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s was not run over anything yet", rv_model_name(f->model));
}

/* Whether class a comes before class b. */
static bool is_likelier(const float *scores, int a, int b)
{
    return scores[a] == scores[b] ? a < b : scores[a] > scores[b];
}

/* The k first of n classes, by insertion: k is small. */
static size_t choose_best(rv_prediction *out, const float *scores, size_t n, size_t k)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (found == k && !is_likelier(scores, (int)i, out[k - 1].index)) {
            continue;
        }
        size_t at = found < k ? found++ : k - 1;
        for (; at > 0 && is_likelier(scores, (int)i, out[at - 1].index); at--) {
            out[at] = out[at - 1];
        }
        out[at] = (rv_prediction){.index = (int)i, .probability = scores[i]};
    }
    return found;
}

static size_t take_values(rv_prediction *out, const rv_model *model, const float *given, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double value = rv_model_value(model, (int)i, (double)given[i]);
        out[i] = (rv_prediction){.index = (int)i, .probability = (float)value};
    }
    return n;
}

rv_status rv_classify(rv_prediction *out, size_t *n, const rv_features *features, size_t picture,
                      size_t k)
{
    *n = 0;
    RV_TRY(check_has_run(features));
    const wanted *w = &features->layers[0];
    const rv_shape *s = &w->shape;
    const bool flat = s->rank == 2 || (s->rank == 4 && s->dim[2] == 1 && s->dim[3] == 1);
    if (!flat) {
        char text[64];
        return rv_fail(RV_ERR_USAGE, "'%s' gives no class scores: its shape is %s", w->name,
                       rv_shape_text(text, s));
    }
    if (k == 0 || picture >= (size_t)s->dim[0]) {
        return k == 0 ? rv_fail(RV_ERR_USAGE, "0 classes were asked for")
                      : rv_fail(RV_ERR_USAGE, "there is no picture %zu among %d", picture,
                                (int)s->dim[0]);
    }
    const size_t classes = (size_t)s->dim[1];
    const float *scores = w->data + picture * classes;
    if (rv_model_task(features->model) == RV_TASK_VALUES) {
        *n = take_values(out, features->model, scores, classes < k ? classes : k);
    } else {
        *n = choose_best(out, scores, classes, k);
    }
    for (size_t i = 0; i < *n; i++) {
        out[i].label = rv_model_label(features->model, out[i].index);
    }
    return RV_OK;
}

rv_status rv_extract(const rv_features *features, size_t index, const char *path, bool overwrite)
{
    RV_TRY(check_has_run(features));
    if (index >= features->n_layers) {
        return rv_fail(RV_ERR_USAGE, "there is no layer %zu among %zu", index, features->n_layers);
    }
    const rv_feature_map map = rv_features_map(features, index);
    return rv_npy_write(path, map.data, map.rank, map.dim, overwrite);
}
