/* A model opened: network, where its weights are, class names; graphs and the layer table from it. */
/* SPDX-License-Identifier: MIT */
#include "model/model.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "model/internal.h"
#include "model/onnx.h"
#include "model/own.h"
#include "model/pins.h"
#include "model/zoo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rv_model_entry entries[] = {
    {"builtin",
     "vgg-s, trained by Reverie on the 200 classes of Tiny ImageNet; what every command uses unless told otherwise",
     "trained"},
    {"patches", "filters learned from the style picture while stylizing; needs no file", "style"},
    {"lenet", "two convolutions and two dense layers for digits, as in Caffe's examples",
     "architecture"},
    {"mlp", "dense layers of 300 and 100 units; mlp:64,32 has others", "architecture"},
    {"resnet-18", "ResNet-18 of half the channels, for small pictures", "architecture"},
    {"small-cnn", "four convolutions with dropout, for a few hundred pictures", "architecture"},
    {"squeezenet", "SqueezeNet 1.0 as an architecture; weights from a caffemodel, else random",
     "architecture"},
    {"vgg-s",
     "VGG of nine convolutions with batch norm, for pictures of 64 pixels; weights at random",
     "architecture"},
    {"vgg16", "VGG-16 as an architecture; weights from a caffemodel, else random", "architecture"},
    {"vgg19", "VGG-19 as an architecture; weights from a caffemodel, else random", "architecture"},
};

const rv_model_entry *rv_model_list(size_t *n)
{
    *n = sizeof entries / sizeof entries[0];
    return entries;
}

/* Checks options that no importer sees. */
static rv_status check_preprocessing(const rv_preprocessing *p)
{
    for (int c = 0; c < 3; c++) {
        if (!(p->deviation[c] > 0.0f)) {
            return rv_fail(RV_ERR_USAGE, "the deviation of channel %d is %g, but has to be above 0",
                           c, (double)p->deviation[c]);
        }
    }
    return p->range > 0.0f
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "the range is %g, but has to be above 0", (double)p->range);
}

static bool asks_for_size(const rv_model_options *o)
{
    return o->height != 0 || o->width != 0;
}

/* For what only an architecture can be built with: whatever has weights has these already. */
static bool asks_for_shape(const rv_model_options *o)
{
    return o->channels != 0 || (o->classes != 0 && o->head == NULL);
}

static rv_status fail_no_architecture(const char *name)
{
    return rv_fail(RV_ERR_USAGE, "'%s' is no architecture: its channels and classes are its own",
                   name);
}

/* The same for what may be a word that was mistyped. */
static rv_status fail_unknown_architecture(const char *name)
{
    enum { N = sizeof entries / sizeof entries[0] };
    const char *names[N];
    char word[64];
    size_t n = 0;
    if (strpbrk(name, "./") != NULL) {
        return fail_no_architecture(name);
    }
    for (size_t i = 0; i < N; i++) {
        if (strcmp(entries[i].source, "architecture") == 0) {
            names[n++] = entries[i].name;
        }
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, ":"), name);
    return rv_fail(RV_ERR_USAGE,
                   "there is no architecture '%s'; the nearest is '%s' ('reverie models list' "
                   "names all)",
                   word, names[rv_nearest(word, names, n)]);
}

/* Pictures of another size than the file says; whether a dense layer minds shows when the graph is built. */
static rv_status set_size(rv_network *network, const rv_model_options *o)
{
    const int sides[2] = {o->height != 0 ? o->height : network->height,
                          o->width != 0 ? o->width : network->width};
    for (int i = 0; i < 2; i++) {
        if (sides[i] < 1 || sides[i] > UINT16_MAX) {
            return rv_fail(RV_ERR_USAGE, "the %s is %d, must be from 1 to %d",
                           i == 0 ? "height" : "width", sides[i], UINT16_MAX);
        }
    }
    network->height = sides[0];
    network->width = sides[1];
    return RV_OK;
}

rv_status rv_model_find_builtin(char **out)
{
    static const char name[] = "vgg-s.safetensors";
    const rv_status status = rv_installed_file(out, name);
    return status != RV_ERR_NOT_FOUND
               ? status
               : rv_fail_context(
                     status,
                     "this copy of Reverie has no built-in network (name another, or set "
                     "REVERIE_DATA_DIR to a folder with %s)",
                     name);
}

static rv_status check_complete(const char *path, const rv_model_options *options)
{
    return options->graph == NULL && options->weights == NULL && !asks_for_shape(options)
               ? RV_OK
               : rv_fail(RV_ERR_USAGE,
                         "%s holds graph and weights, and takes neither others nor other channels "
                         "or classes",
                         path);
}

static rv_status read_labels_beside(rv_model *model, const char *path)
{
    char *labels;
    RV_TRY(rv_labels_find(&labels, path));
    const rv_status status =
        labels != NULL ? rv_labels_read(&model->classes, &model->labels, labels) : RV_OK;
    free(labels);
    return status;
}

/* Tensors alone: torchvision's are known by their names, all else needs a prototxt. */
static rv_status open_plain(rv_model *model, const char *path, const rv_model_options *options)
{
    rv_model_files files;
    RV_TRY(read_labels_beside(model, path));
    if (options->graph == NULL) {
        RV_TRY(rv_torchvision_network(&model->network, model->own));
    }
    if (model->network != NULL) {
        return RV_OK;
    }
    RV_TRY(rv_model_files_find(&files, path, false, options));
    const rv_status status = rv_caffe_network(&model->network, files.graph);
    rv_model_files_release(&files);
    return status;
}

/* A .safetensors, which Reverie or another program wrote. */
static rv_status open_own(rv_model *model, const char *path, const rv_model_options *options)
{
    RV_TRY(rv_safetensors_open(&model->own, path));
    RV_TRY(rv_strdup(&model->file, path));
    if (rv_safetensors_metadata(model->own, RV_OWN_GRAPH) == NULL) {
        RV_TRY(asks_for_shape(options) ? fail_no_architecture(path) : RV_OK);
        RV_TRY(open_plain(model, path, options));
    } else {
        RV_TRY(check_complete(path, options));
        RV_TRY(rv_own_network(&model->network, &model->classes, &model->labels, model->own, path));
    }
    return rv_strdup(&model->name, model->network->name);
}

static rv_status open_onnx(rv_model *model, const char *path, const rv_model_options *options)
{
    RV_TRY(check_complete(path, options));
    RV_TRY(rv_onnx_open(&model->onnx, path));
    RV_TRY(rv_strdup(&model->file, path));
    RV_TRY(rv_onnx_network(&model->network, model->onnx, NULL));
    if (options->preprocess == NULL && options->preprocessing == NULL &&
        !rv_onnx_preprocessing(model->onnx, model->network)) {
        return rv_fail(RV_ERR_USAGE,
                       "%s does not show how pictures were prepared for it; say so with "
                       "--preprocess torch, caffe, vgg, unit, signed or bytes",
                       path);
    }
    RV_TRY(read_labels_beside(model, path));
    return rv_strdup(&model->name, model->network->name);
}

static rv_status open_builtin(rv_model *model, const rv_model_options *options)
{
    char *path;
    RV_TRY(rv_model_find_builtin(&path));
    const rv_status status = open_own(model, path, options);
    free(path);
    return status;
}

/* Weights for a network that is built already. Those of torchvision need the network as torchvision has it. */
static rv_status open_weights(rv_model *model, const char *path)
{
    rv_network *network;
    RV_TRY(rv_strdup(&model->file, path));
    if (strcmp(rv_path_extension(path), ".safetensors") != 0) {
        return rv_caffe_weights_open(&model->weights, path);
    }
    RV_TRY(rv_safetensors_open(&model->own, path));
    RV_TRY(rv_torchvision_network(&network, model->own));
    if (network == NULL) {
        return RV_OK;
    }
    const bool same = strcmp(network->name, model->network->name) == 0;
    rv_network_destroy(same ? model->network : network);
    model->network = same ? network : model->network;
    return same ? RV_OK
                : rv_fail(RV_ERR_SHAPE, "%s holds weights of another network than %s", path,
                          model->network->name);
}

/* Network, weights and labels of a file or an architecture. */
static rv_status open_network(rv_model *model, const char *name, const rv_model_options *options)
{
    rv_model_files files = {0};
    const rv_architecture_shape shape = {options->channels, options->height, options->width,
                                         options->classes};
    rv_status status = rv_architecture_create(&model->network, name, &shape);
    if (status == RV_OK && model->network == NULL && asks_for_shape(options)) {
        status = fail_unknown_architecture(name);
    }
    if (status == RV_OK) {
        status = rv_model_files_find(&files, name, model->network != NULL, options);
    }
    if (status == RV_OK && model->network == NULL) {
        status = rv_caffe_network(&model->network, files.graph);
    }
    if (status == RV_OK && files.weights != NULL) {
        status = open_weights(model, files.weights);
    }
    if (status == RV_OK && files.labels != NULL) {
        status = rv_labels_read(&model->classes, &model->labels, files.labels);
    }
    if (status == RV_OK) {
        status = rv_strdup(&model->name, model->network->name);
    }
    rv_model_files_release(&files);
    return status;
}

/* The old class names go with the old classes. */
static rv_status put_on_head(rv_model *model, const rv_model_options *options)
{
    if (options->classes < 1) {
        return rv_fail(RV_ERR_USAGE, "a new head needs a number of classes");
    }
    RV_TRY(rv_network_replace_head(model->network, options->head, options->classes));
    rv_names_release(&model->classes);
    rv_names_release(&model->labels);
    model->network->task = RV_TASK_CLASSES; /* the head ends so */
    model->new_head = true;
    return rv_network_set_scale(model->network, NULL, NULL, 0);
}

static bool has_weights(const rv_model *model)
{
    return model->weights != NULL || model->own != NULL || model->onnx != NULL;
}

/* Checks the weights of all nodes, and copies their values if `copy`. */
static rv_status apply_weights(const rv_model *model, rv_graph *graph, bool copy)
{
    return model->weights != NULL ? rv_caffe_weights_apply(model->weights, graph, copy)
           : model->onnx != NULL  ? rv_onnx_weights_apply(model->onnx, graph, copy)
           : model->own != NULL
               ? rv_own_weights_apply(model->own, model->network, graph, model->new_head, copy)
               : RV_OK;
}

/* What helps where an architecture has no weights. */
static void warn_random(const rv_model *model, const char *name, const rv_model_options *options)
{
    char hint[128] = "";
    if (strcmp(name, "vgg-s") == 0) {
        snprintf(hint, sizeof hint, "; the trained ones are 'builtin'");
    } else if (rv_pin_find(name) != NULL) {
        snprintf(hint, sizeof hint, "; for trained ones: reverie models fetch %s", name);
    }
    rv_log(options->events, RV_LOG_WARNING,
           "%s: no weights, so they are drawn at random (seed %u)%s", model->name,
           (unsigned)model->seed, hint);
}

/* Colours would be off without a word: the file that knows better is not there. */
static void warn_mean_file(const rv_model *model, const rv_model_options *options)
{
    const char *file = model->network->mean_file;
    if (file != NULL && !rv_path_exists(file) && options->preprocess == NULL &&
        options->preprocessing == NULL) {
        const float *mean = model->network->preprocessing.mean;
        rv_log(options->events, RV_LOG_WARNING,
               "%s takes the mean of its pictures from a file that is not there, %s: it is taken "
               "to be %g, %g, %g; put the file there, or name one with --preprocess",
               model->network->file, file, (double)mean[0], (double)mean[1], (double)mean[2]);
    }
}

static rv_status open_model(rv_model *model, const char *name, const rv_model_options *options);

/* A model that was fetched or added, where the name is of one, and of an architecture with other weights where it is
 * of that too. *done stays false where it is not. */
static rv_status open_stored(bool *done, rv_model *model, const char *name,
                             const rv_model_options *options)
{
    rv_shelf_item item;
    rv_model_options own = *options;
    *done = false;
    if (options->untrained || options->graph != NULL || options->weights != NULL ||
        asks_for_shape(options)) {
        return RV_OK;
    }
    rv_status status = rv_shelf_read(&item, name);
    if (status == RV_ERR_NOT_FOUND) {
        return RV_OK;
    }
    *done = true;
    if (status == RV_OK) {
        const bool as_it_came = item.sha256 != NULL && !item.converted;
        const rv_pin *pin = as_it_came ? rv_pin_find_hash(item.sha256) : NULL;
        if (own.preprocessing == NULL && own.preprocess == NULL) {
            own.preprocess = as_it_came ? item.preprocess : NULL;
            own.preprocessing = pin != NULL && own.preprocess == NULL ? pin->preprocessing : NULL;
        }
        status = open_model(model, item.file, &own);
        rv_shelf_release(&item);
    }
    return status;
}

static rv_status open_model(rv_model *model, const char *name, const rv_model_options *options)
{
    bool done;
    RV_TRY(open_stored(&done, model, name, options));
    if (done) {
        return RV_OK;
    }
    if (strcmp(name, "patches") == 0) {
        model->kind = RV_MODEL_PATCHES;
        if (asks_for_shape(options) || asks_for_size(options)) {
            return rv_fail(RV_ERR_USAGE,
                           "'patches' is no architecture: it has no size, channels or classes");
        }
        return rv_strdup(&model->name, name);
    }
    if (strcmp(name, "builtin") == 0) {
        RV_TRY(open_builtin(model, options));
    } else if (strcmp(rv_path_extension(name), ".safetensors") == 0) {
        RV_TRY(open_own(model, name, options));
    } else if (strcmp(rv_path_extension(name), ".onnx") == 0) {
        RV_TRY(open_onnx(model, name, options));
    } else {
        RV_TRY(open_network(model, name, options));
    }
    rv_network_replace_pooling(model->network, options->pooling);
    RV_TRY(set_size(model->network, options));
    warn_mean_file(model, options);
    if (options->preprocess != NULL) {
        RV_TRY(rv_preprocessing_find(&model->network->preprocessing, options->preprocess));
    }
    if (options->preprocessing != NULL) {
        RV_TRY(check_preprocessing(options->preprocessing));
        model->network->preprocessing = *options->preprocessing;
    }
    if (options->head != NULL) {
        RV_TRY(put_on_head(model, options));
    }
    if (options->task != NULL && model->network->task != *options->task) {
        RV_TRY(rv_network_set_task(model->network, *options->task));
        RV_TRY(rv_network_set_scale(model->network, NULL, NULL, 0));
    }
    RV_TRY(rv_network_build(&model->graph, model->network, NULL, 0));
    if (has_weights(model)) {
        return apply_weights(model, model->graph.graph, false);
    }
    warn_random(model, name, options);
    return RV_OK;
}

rv_status rv_model_open(rv_model **out, const char *name, const rv_model_options *options)
{
    const rv_model_options defaults = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    *out = NULL;
    RV_TRY(rv_alloc(&model, 1, sizeof *model, "model"));
    options = options != NULL ? options : &defaults;
    model->seed = options->seed;
    model->pooling = options->pooling;
    const rv_status status = open_model(model, name, options);
    if (status != RV_OK) {
        rv_model_close(model);
        return status;
    }
    *out = model;
    return RV_OK;
}

void rv_model_close(rv_model *model)
{
    if (model == NULL) {
        return;
    }
    rv_graph_destroy(model->graph.graph);
    rv_network_destroy(model->network);
    rv_caffe_weights_close(model->weights);
    rv_safetensors_close(model->own);
    rv_names_release(&model->classes);
    rv_onnx_close(model->onnx);
    rv_names_release(&model->labels);
    free(model->name);
    free(model->file);
    free(model);
}

rv_status rv_model_build_network(rv_model_graph *out, const rv_model *model,
                                 const rv_network *network, const char *const *layers,
                                 size_t n_layers, const rv_initializer *initializer)
{
    *out = (rv_model_graph){0};
    if (model->kind != RV_MODEL_NETWORK) {
        return rv_fail(RV_ERR_USAGE, "'%s' is no network: it has no layers", model->name);
    }
    RV_TRY(rv_network_build(out, network, layers, n_layers));
    rv_status status = apply_weights(model, out->graph, true);
    if (status == RV_OK) {
        status = rv_graph_initialize_by(out->graph, initializer, model->seed);
    }
    if (status != RV_OK) {
        rv_graph_destroy(out->graph);
        *out = (rv_model_graph){0};
    }
    return status;
}

rv_status rv_model_build(rv_model_graph *out, const rv_model *model, const char *const *layers,
                         size_t n_layers)
{
    const rv_initializer he = RV_INITIALIZER_HE;
    return rv_model_build_network(out, model, model->network, layers, n_layers, &he);
}

rv_status rv_model_build_by(rv_model_graph *out, const rv_model *model,
                            const rv_initializer *initializer)
{
    return rv_model_build_network(out, model, model->network, NULL, 0, initializer);
}

double rv_model_share(const rv_model *model)
{
    return model->network->share;
}

rv_model_kind rv_model_get_kind(const rv_model *model)
{
    return model->kind;
}

const char *rv_model_name(const rv_model *model)
{
    return model->name;
}

bool rv_model_is_random(const rv_model *model)
{
    return model->kind == RV_MODEL_NETWORK && !has_weights(model);
}

rv_pooling rv_model_pooling(const rv_model *model)
{
    return model->kind == RV_MODEL_NETWORK ? model->pooling : RV_POOLING_AS_MADE;
}

int rv_model_width(const rv_model *model)
{
    return model->network != NULL ? model->network->width : 0;
}

int rv_model_height(const rv_model *model)
{
    return model->network != NULL ? model->network->height : 0;
}

int rv_model_channels(const rv_model *model)
{
    return model->network != NULL ? model->network->channels : 0;
}

const rv_preprocessing *rv_model_preprocessing(const rv_model *model)
{
    return model->network != NULL ? &model->network->preprocessing : NULL;
}

rv_task rv_model_task(const rv_model *model)
{
    return model->network != NULL ? model->network->task : RV_TASK_CLASSES;
}

void rv_model_scale(const rv_model *model, const float **mean, const float **deviation)
{
    *mean = model->network != NULL ? model->network->mean : NULL;
    *deviation = model->network != NULL ? model->network->deviation : NULL;
}

rv_status rv_model_set_scale(rv_model *model, const float *mean, const float *deviation, size_t n)
{
    return rv_network_set_scale(model->network, mean, deviation, n);
}

double rv_model_value(const rv_model *model, int index, double x)
{
    const rv_network *n = model->network;
    const bool scaled = n != NULL && index >= 0 && (size_t)index < n->n_scales;
    return scaled ? (double)n->mean[index] + (double)n->deviation[index] * x : x;
}

int rv_model_label_count(const rv_model *model)
{
    return (int)model->classes.n;
}

const char *rv_model_class(const rv_model *model, int index)
{
    return index >= 0 && (size_t)index < model->classes.n ? model->classes.list[index] : NULL;
}

const char *rv_model_label(const rv_model *model, int index)
{
    const bool own = index >= 0 && (size_t)index < model->labels.n;
    return own ? model->labels.list[index] : rv_model_class(model, index);
}

const char *rv_model_licence(const rv_model *model)
{
    return model->own != NULL ? rv_safetensors_metadata(model->own, RV_OWN_LICENCE) : NULL;
}

const char *rv_model_provenance(const rv_model *model)
{
    return model->own != NULL ? rv_safetensors_metadata(model->own, RV_OWN_PROVENANCE) : NULL;
}

int rv_model_layer_count(const rv_model *model)
{
    return model->graph.graph != NULL ? rv_graph_node_count(model->graph.graph) : 0;
}

rv_layer_info rv_model_layer(const rv_model *model, int index)
{
    const rv_node *node = rv_graph_node(model->graph.graph, index);
    const rv_shape *shape = &node->out[0]->shape;
    rv_layer_info info = {.name = node->name, .type = node->op->name, .rank = shape->rank};
    for (int i = 0; i < shape->rank; i++) {
        info.dim[i] = shape->dim[i];
    }
    for (int i = 0; i < node->op->n_params; i++) {
        const rv_param *p = rv_graph_param(model->graph.graph, index, i);
        info.parameters += p != NULL ? rv_shape_count(&p->shape) : 0;
    }
    if (node->op->flops != NULL) {
        info.macs = (uint64_t)(node->op->flops(node, RV_PASS_FORWARD) / 2.0);
    }
    info.bytes = (uint64_t)rv_shape_count(shape) / (uint64_t)shape->dim[0] * sizeof(float);
    return info;
}
