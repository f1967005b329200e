/* Writes models as files of Reverie's own: all of a network or a part, with the names of its classes. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/internal.h"
#include "model/own.h"

#include <stdlib.h>
#include <string.h>

/* Labels go along where the classes are the model's own. */
static bool has_classes(const rv_model *model, const char *const *classes, size_t n)
{
    bool same = n == model->classes.n;
    for (size_t i = 0; same && i < n; i++) {
        same = strcmp(classes[i], model->classes.list[i]) == 0;
    }
    return same;
}

rv_status rv_own_write(const char *path, const rv_model *model, const char *const *classes,
                       size_t n_classes, const rv_stored_tensor *tensors, size_t n_tensors,
                       bool whole, const char *training)
{
    rv_own_content content = {.network = model->network,
                              .share = whole ? 1.0 : model->network->share,
                              .classes = classes,
                              .n_classes = n_classes,
                              .training = training};
    if (classes == NULL) {
        content.classes = (const char *const *)model->classes.list;
        content.n_classes = model->classes.n;
    }
    if (model->labels.n > 0 && has_classes(model, content.classes, content.n_classes)) {
        content.labels = (const char *const *)model->labels.list;
    }
    return rv_own_write_network(path, &content, tensors, n_tensors, &(rv_store_options){0});
}

/* --- save ------------------------------------------------------------------------------------ */

/* What is being written: the part of the network, its parameters and running statistics, names of classes. */
typedef struct saved {
    rv_network part;
    rv_model_graph graph;
    rv_stored_tensor *tensors;
    const rv_param **params; /* of each tensor */
    char **names;
    size_t n;
    rv_names classes, labels; /* from options->labels */
} saved;

static void release(saved *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->names[i]);
    }
    free(s->names);
    free(s->tensors);
    free(s->params);
    free(s->part.layers);
    rv_names_release(&s->classes);
    rv_names_release(&s->labels);
    rv_graph_destroy(s->graph.graph);
}

static rv_status store(saved *s, const rv_param *p)
{
    if (p == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_own_tensor_name(&s->names[s->n], "", p));
    s->params[s->n] = p;
    s->tensors[s->n] = (rv_stored_tensor){s->names[s->n], p->shape, p->data};
    s->n++;
    return RV_OK;
}

/* Values that still lie in the model's own file. */
static rv_status fetch(void *payload, size_t tensor, float *values)
{
    const saved *s = payload;
    rv_param_read(values, s->params[tensor]);
    return RV_OK;
}

static rv_status store_all(saved *s, rv_graph *graph)
{
    const size_t most = (size_t)rv_graph_node_count(graph) * (RV_MAX_PARAMS + RV_MAX_STATE);
    RV_TRY(rv_alloc(&s->tensors, most, sizeof *s->tensors, "a model"));
    RV_TRY(rv_alloc(&s->params, most, sizeof *s->params, "a model"));
    RV_TRY(rv_alloc(&s->names, most, sizeof *s->names, "a model"));
    for (int node = 0; node < rv_graph_node_count(graph); node++) {
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            RV_TRY(store(s, rv_graph_param(graph, node, i)));
        }
        for (int i = 0; i < RV_MAX_STATE; i++) {
            RV_TRY(store(s, rv_graph_state(graph, node, i)));
        }
    }
    return RV_OK;
}

/* The label that a file has for a class; NULL: none. */
static const char *find_label(const saved *s, const char *class)
{
    for (size_t i = 0; i < s->classes.n; i++) {
        if (strcmp(s->classes.list[i], class) == 0) {
            return s->labels.list[i];
        }
    }
    return NULL;
}

/* Labels from a file: by the model's classes, else in their order. */
static rv_status name_classes(rv_own_content *content, const char ***list, saved *s,
                              const rv_model *model, const char *path)
{
    const rv_shape *out = rv_graph_shape(s->graph.graph, s->graph.output);
    const size_t n = model->classes.n > 0 ? model->classes.n : (size_t)out->dim[1];
    RV_TRY(rv_labels_read(&s->classes, &s->labels, path));
    if (model->classes.n == 0 && s->classes.n != n) {
        return rv_fail(RV_ERR_FORMAT, "%s names %zu classes, but %s has %zu", path, s->classes.n,
                       model->name, n);
    }
    RV_TRY(rv_alloc(list, n, sizeof **list, "classes"));
    for (size_t i = 0; i < n; i++) {
        const char *class = model->classes.n > 0 ? model->classes.list[i] : s->classes.list[i];
        (*list)[i] = find_label(s, class);
        if ((*list)[i] == NULL) {
            return rv_fail(RV_ERR_NOT_FOUND, "%s: no line begins with the class '%s'", path, class);
        }
    }
    content->labels = *list;
    content->n_classes = n;
    if (model->classes.n == 0) {
        content->classes = (const char *const *)s->classes.list;
    }
    return RV_OK;
}

static rv_status save(saved *s, const rv_model *model, const char *path,
                      const rv_model_save_options *o)
{
    const rv_initializer he = RV_INITIALIZER_HE;
    const bool whole = !o->features && o->until == NULL;
    const char **labels = NULL;
    if (o->features && o->until != NULL) {
        return rv_fail(RV_ERR_USAGE, "features end by themselves: they take no last layer '%s'",
                       o->until);
    }
    if (!whole) {
        RV_TRY(rv_network_part(&s->part, model->network, o->until));
    }
    rv_own_content content = {.network = whole ? model->network : &s->part,
                              .share = model->network->share,
                              .licence = o->licence != NULL ? o->licence : rv_model_licence(model),
                              .provenance = o->provenance != NULL ? o->provenance
                                                                  : rv_model_provenance(model)};
    if (whole) {
        content.classes = (const char *const *)model->classes.list;
        content.labels = model->labels.n > 0 ? (const char *const *)model->labels.list : NULL;
        content.n_classes = model->classes.n;
    }
    rv_status status = rv_model_build_network(&s->graph, model, content.network, NULL, 0, &he);
    if (status == RV_OK) {
        status = store_all(s, s->graph.graph);
    }
    if (status == RV_OK && o->labels != NULL) {
        status = whole ? name_classes(&content, &labels, s, model, o->labels)
                       : rv_fail(RV_ERR_USAGE, "a part of a network has no classes to be named");
    }
    if (status == RV_OK) {
        const rv_store_options store = {
            .half = o->half, .keep = !o->overwrite, .fetch = fetch, .payload = s};
        status = rv_own_write_network(path, &content, s->tensors, s->n, &store);
    }
    free(labels);
    return status;
}

rv_status rv_model_save(const rv_model *model, const char *path,
                        const rv_model_save_options *options)
{
    const rv_model_save_options defaults = RV_MODEL_SAVE_OPTIONS_INIT;
    saved s = {0};
    if (model->kind != RV_MODEL_NETWORK) {
        return rv_fail(RV_ERR_USAGE, "'%s' is no network: it has no layers", model->name);
    }
    const rv_status status = save(&s, model, path, options != NULL ? options : &defaults);
    release(&s);
    return status;
}
