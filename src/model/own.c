/* Networks to JSON and back, and weights by the names of their nodes. */
/* SPDX-License-Identifier: MIT */
#include "model/own.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/internal.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "1"

/* --- write ----------------------------------------------------------------------------------- */

static json_t *texts_json(const char *const *list, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(array, json_string(list[i]));
    }
    return array;
}

static json_t *floats_json(const float *values, int n)
{
    json_t *array = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(array, json_real((double)values[i]));
    }
    return array;
}

static json_t *number_json(const rv_attr_value *a, int i)
{
    return a->type == RV_ATTR_INT ? json_integer((json_int_t)a->number[i])
                                  : json_real(a->number[i]);
}

static json_t *attr_json(const rv_attr_value *a)
{
    if (a->type == RV_ATTR_ENUM) {
        return json_string(a->text);
    }
    if (a->count == 1) {
        return number_json(a, 0);
    }
    json_t *array = json_array();
    for (int i = 0; i < a->count; i++) {
        json_array_append_new(array, number_json(a, i));
    }
    return array;
}

static json_t *layer_json(const rv_layer *layer)
{
    json_t *attrs = json_object();
    for (size_t i = 0; i < layer->n_attrs; i++) {
        json_object_set_new(attrs, layer->attrs[i].name, attr_json(&layer->attrs[i]));
    }
    json_t *op = layer->op != NULL ? json_string(layer->op) : json_null();
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o}", "name", layer->name, "op", op, "inputs",
        texts_json((const char *const *)layer->inputs.list, layer->inputs.n), "outputs",
        texts_json((const char *const *)layer->outputs.list, layer->outputs.n), "attrs", attrs);
}

/* Nothing where it is classes, as it nearly always is. A part of a network has no names, and no scale. */
static void add_task(json_t *json, const rv_own_content *c)
{
    const rv_network *n = c->network;
    if (json == NULL || n->task == RV_TASK_CLASSES) {
        return;
    }
    json_object_set_new(json, "task", json_string(rv_task_name(n->task)));
    if (n->n_scales > 0 && n->n_scales == c->n_classes) {
        json_object_set_new(json, "mean", floats_json(n->mean, (int)n->n_scales));
        json_object_set_new(json, "deviation", floats_json(n->deviation, (int)n->n_scales));
    }
}

static json_t *network_json(const rv_own_content *c)
{
    const rv_network *n = c->network;
    const rv_preprocessing *p = &n->preprocessing;
    json_t *layers = json_array();
    for (size_t i = 0; i < n->n_layers; i++) {
        json_array_append_new(layers, layer_json(&n->layers[i]));
    }
    json_t *input = json_pack("{s:s, s:i, s:i, s:i}", "name", n->input, "channels",
                              (int)n->channels, "height", (int)n->height, "width", (int)n->width);
    json_t *preprocessing = json_pack("{s:s, s:f, s:o, s:o}", "order", p->bgr ? "bgr" : "rgb",
                                      "range", (double)p->range, "mean", floats_json(p->mean, 3),
                                      "deviation", floats_json(p->deviation, 3));
    json_t *json = json_pack("{s:s, s:o, s:f, s:o, s:o, s:o}", "name", n->name, "input", input,
                             "share", c->share, "preprocessing", preprocessing, "classes",
                             texts_json(c->classes, c->n_classes), "layers", layers);
    if (c->labels != NULL) {
        json_object_set_new(json, "labels", texts_json(c->labels, c->n_classes));
    }
    add_task(json, c);
    return json;
}

rv_status rv_own_tensor_name(char **out, const char *prefix, const rv_param *param)
{
    return rv_format(out, "%s%s.%s", prefix, param->node, param->name);
}

rv_status rv_own_write_network(const char *path, const rv_own_content *content,
                               const rv_stored_tensor *tensors, size_t n_tensors,
                               const rv_store_options *options)
{
    json_t *json = network_json(content);
    char *graph = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (graph == NULL) {
        return rv_fail(RV_ERR_MEMORY, "'%s' cannot be written as JSON: a name is no UTF-8",
                       content->network->name);
    }
    const rv_stored_text texts[] = {{"format", "pt"}, /* what other readers look for */
                                    {RV_OWN_FORMAT, VERSION},
                                    {RV_OWN_GRAPH, graph},
                                    {RV_OWN_LICENCE, content->licence},
                                    {RV_OWN_PROVENANCE, content->provenance},
                                    {RV_OWN_TRAINING, content->training}};
    rv_stored_text known[sizeof texts / sizeof *texts];
    size_t n = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].value != NULL) {
            known[n++] = texts[i];
        }
    }
    const rv_status status = rv_safetensors_write(path, tensors, n_tensors, known, n, options);
    free(graph);
    return status;
}

/* --- read ------------------------------------------------------------------------------------ */

static rv_status fail_graph(const char *file, const char *what)
{
    return rv_fail(RV_ERR_FORMAT, "%s: the graph in its metadata is damaged: %s", file, what);
}

static rv_status read_names(rv_names *out, const json_t *array, const char *file)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        if (name == NULL) {
            return fail_graph(file, "a name is no text");
        }
        RV_TRY(rv_names_add(out, name));
    }
    return RV_OK;
}

/* Names of attributes and of their values are those of the operation's table, which outlive the JSON. */
static rv_status read_attr(rv_attr_value *out, const rv_op *op, const char *name,
                           const json_t *value, const char *file)
{
    const rv_attr *a = rv_attr_find(op->attrs, name);
    if (a == NULL) {
        return fail_graph(file, name);
    }
    *out = (rv_attr_value){.name = a->name, .type = a->type, .count = 1};
    if (a->type == RV_ATTR_ENUM) {
        const char *text = json_string_value(value);
        for (int i = 0; text != NULL && a->names[i] != NULL; i++) {
            out->text = strcmp(a->names[i], text) == 0 ? a->names[i] : out->text;
        }
        return out->text != NULL ? RV_OK : fail_graph(file, name);
    }
    const size_t n = json_is_array(value) ? json_array_size(value) : 1;
    if (n < 1 || n > RV_ATTR_MAX_COUNT) {
        return fail_graph(file, name);
    }
    out->count = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *number = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_number(number)) {
            return fail_graph(file, name);
        }
        out->number[i] = json_number_value(number);
    }
    return RV_OK;
}

static rv_status read_layer(rv_network *network, const json_t *json, const char *file)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *op_name = json_string_value(json_object_get(json, "op")), *key;
    const rv_op *op = NULL;
    json_t *value;
    rv_layer *layer;
    if (name == NULL) {
        return fail_graph(file, "a layer has no name");
    }
    if (op_name != NULL) {
        RV_TRY(rv_op_find(&op, op_name, name));
    }
    RV_TRY(rv_network_layer(&layer, network, op != NULL ? op->name : NULL, name, 0));
    RV_TRY(read_names(&layer->inputs, json_object_get(json, "inputs"), file));
    RV_TRY(read_names(&layer->outputs, json_object_get(json, "outputs"), file));
    if (layer->inputs.n == 0) {
        return fail_graph(file, "a layer has no inputs");
    }
    json_object_foreach(json_object_get(json, "attrs"), key, value)
    {
        rv_attr_value attr;
        if (op == NULL || layer->n_attrs == RV_LAYER_MAX_ATTRS) {
            return fail_graph(file, key);
        }
        RV_TRY(read_attr(&attr, op, key, value, file));
        rv_layer_set(layer, attr);
    }
    return RV_OK;
}

static rv_status read_floats(float *out, const json_t *array, float low, const char *file)
{
    for (size_t i = 0; i < 3; i++) {
        const json_t *v = json_array_get(array, i);
        const double value = json_number_value(v);
        if (!json_is_number(v) || !isfinite(value) || !((float)value > low)) {
            return fail_graph(file, "preprocessing");
        }
        out[i] = (float)value;
    }
    return RV_OK;
}

static rv_status read_input(rv_network *network, const json_t *json, const char *file)
{
    const json_t *input = json_object_get(json, "input"),
                 *p = json_object_get(json, "preprocessing");
    const char *name = json_string_value(json_object_get(input, "name"));
    const char *order = json_string_value(json_object_get(p, "order"));
    json_int_t size[3];
    static const char *const keys[3] = {"channels", "height", "width"};
    for (int i = 0; i < 3; i++) {
        size[i] = json_integer_value(json_object_get(input, keys[i]));
    }
    if (name == NULL || (size[0] != 1 && size[0] != 3) || size[1] < 1 || size[1] > UINT16_MAX ||
        size[2] < 1 || size[2] > UINT16_MAX) {
        return fail_graph(file, "input");
    }
    network->preprocessing.bgr = order != NULL && strcmp(order, "bgr") == 0;
    network->preprocessing.range = (float)json_number_value(json_object_get(p, "range"));
    if (!(network->preprocessing.range > 0)) {
        return fail_graph(file, "preprocessing");
    }
    RV_TRY(read_floats(network->preprocessing.mean, json_object_get(p, "mean"), -1e9f, file));
    RV_TRY(read_floats(network->preprocessing.deviation, json_object_get(p, "deviation"), 0, file));
    return rv_network_set_input(network, name, (int32_t)size[0], (int32_t)size[1],
                                (int32_t)size[2]);
}

/* Numbers of an array, as many as there are names. */
static rv_status read_scale(float **out, const json_t *array, size_t n, float low, const char *file)
{
    if (json_array_size(array) != n) {
        return fail_graph(file, "its values and their names differ in number");
    }
    RV_TRY(rv_alloc(out, n, sizeof **out, "a scale"));
    for (size_t i = 0; i < n; i++) {
        const double value = json_number_value(json_array_get(array, i));
        if (!isfinite(value) || !((float)value > low)) {
            return fail_graph(file, "the scale of its values");
        }
        (*out)[i] = (float)value;
    }
    return RV_OK;
}

static rv_status read_task(rv_network *network, const json_t *json, size_t n, const char *file)
{
    const char *name = json_string_value(json_object_get(json, "task"));
    int task = name == NULL ? RV_TASK_CLASSES : RV_TASKS;
    for (int i = 0; i < RV_TASKS && name != NULL; i++) {
        task = strcmp(name, rv_task_name((rv_task)i)) == 0 ? i : task;
    }
    if (task == RV_TASKS) {
        return fail_graph(file, "its task is unknown");
    }
    network->task = (rv_task)task;
    if (json_object_get(json, "mean") == NULL) {
        return RV_OK;
    }
    float *mean = NULL, *deviation = NULL;
    rv_status status = read_scale(&mean, json_object_get(json, "mean"), n, -FLT_MAX, file);
    if (status == RV_OK) {
        status = read_scale(&deviation, json_object_get(json, "deviation"), n, 0, file);
    }
    if (status == RV_OK) {
        status = rv_network_set_scale(network, mean, deviation, n);
    }
    free(mean);
    free(deviation);
    return status;
}

static rv_status read_network(rv_network *network, rv_names *classes, rv_names *labels,
                              const json_t *json, const char *file)
{
    const json_t *layers = json_object_get(json, "layers");
    RV_TRY(read_input(network, json, file));
    for (size_t i = 0; i < json_array_size(layers); i++) {
        RV_TRY(read_layer(network, json_array_get(layers, i), file));
    }
    if (network->n_layers == 0) {
        return fail_graph(file, "there are no layers");
    }
    network->share = json_number_value(json_object_get(json, "share"));
    if (!(network->share > 0 && network->share <= 1)) {
        return fail_graph(file, "share");
    }
    RV_TRY(read_names(classes, json_object_get(json, "classes"), file));
    RV_TRY(read_task(network, json, classes->n, file));
    RV_TRY(read_names(labels, json_object_get(json, "labels"), file));
    return labels->n == 0 || labels->n == classes->n ? RV_OK : fail_graph(file, "labels");
}

rv_status rv_own_network(rv_network **out, rv_names *classes, rv_names *labels,
                         const rv_safetensors *weights, const char *file)
{
    const char *text = rv_safetensors_metadata(weights, RV_OWN_GRAPH);
    const char *version = rv_safetensors_metadata(weights, RV_OWN_FORMAT);
    json_error_t error;
    *out = NULL;
    if (text == NULL || version == NULL) {
        return rv_fail(RV_ERR_FORMAT, "%s holds tensors, but no graph that Reverie wrote", file);
    }
    if (strcmp(version, VERSION) != 0) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%s: its format is version %.20s, this program reads %s",
                       file, version, VERSION);
    }
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        return fail_graph(file, error.text);
    }
    const char *name = json_string_value(json_object_get(json, "name"));
    rv_network *network = NULL;
    rv_status status =
        name != NULL ? rv_network_create(&network, name, NULL) : fail_graph(file, "it has no name");
    if (status == RV_OK) {
        status = read_network(network, classes, labels, json, file);
    }
    json_decref(json);
    if (status != RV_OK) {
        rv_network_destroy(network);
        return status;
    }
    *out = network;
    return RV_OK;
}

/* The same by another name of the layer and as PyTorch calls running statistics, where the file has that. */
static rv_status find_other_name(char **name, const rv_safetensors *weights,
                                 const rv_network *network, const rv_param *param)
{
    const char *p = strcmp(param->name, "mean") == 0       ? "running_mean"
                    : strcmp(param->name, "variance") == 0 ? "running_var"
                                                           : param->name;
    for (size_t i = 0; i < network->n_layers; i++) {
        const rv_layer *layer = &network->layers[i];
        for (size_t k = 0; k < layer->outputs.n && strcmp(layer->name, param->node) == 0; k++) {
            char *other;
            RV_TRY(rv_format(&other, "%s.%s", layer->outputs.list[k], p));
            if (rv_safetensors_has(weights, other)) {
                free(*name);
                *name = other;
                return RV_OK;
            }
            free(other);
        }
    }
    return RV_OK;
}

rv_status rv_own_check_layers(const rv_safetensors *file, const rv_model *model, const char *path)
{
    const char *text = rv_safetensors_metadata(file, RV_OWN_GRAPH);
    json_t *json = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const json_t *layers = json_object_get(json, "layers");
    const rv_network *n = model->network;
    rv_status status = RV_OK;
    if (json_array_size(layers) != n->n_layers) {
        status = rv_fail(RV_ERR_USAGE, "%s was trained with %zu layers, not %zu", path,
                         json_array_size(layers), n->n_layers);
    }
    for (size_t i = 0; i < n->n_layers && status == RV_OK; i++) {
        json_t *layer = layer_json(&n->layers[i]);
        if (!json_equal(layer, json_array_get(layers, i))) {
            status = rv_fail(RV_ERR_USAGE, "%s was trained with another layer than '%s' is now",
                             path, n->layers[i].name);
        }
        json_decref(layer);
    }
    json_decref(json);
    return status;
}

/* Copies values, or lends what is large in a mapped file. */
static rv_status set_param(rv_param *param, const rv_safetensors *weights, const char *name)
{
    float *values;
    const size_t count = rv_shape_count(&param->shape);
    const uint8_t *floats = count >= RV_PARAM_LARGE ? rv_safetensors_floats(weights, name) : NULL;
    if (floats != NULL) {
        return rv_param_lend(param, floats, count);
    }
    RV_TRY(rv_alloc(&values, count, sizeof *values, name));
    rv_status status = rv_safetensors_read(weights, values, name, &param->shape);
    if (status == RV_OK) {
        status = rv_param_set(param, values, count);
    }
    free(values);
    return status;
}

static rv_status apply(const rv_safetensors *weights, const rv_network *network, rv_param *param,
                       bool copy)
{
    char *name = NULL;
    if (param == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_own_tensor_name(&name, "", param));
    rv_status status = RV_OK;
    if (!rv_safetensors_has(weights, name)) {
        status = find_other_name(&name, weights, network, param);
    }
    if (status == RV_OK) {
        status = rv_safetensors_read(weights, NULL, name, &param->shape);
    }
    if (status == RV_OK && copy) {
        status = set_param(param, weights, name);
    }
    free(name);
    return status;
}

/* A head that was trained before is in the file, unless it is a new one. */
rv_status rv_own_weights_apply(const rv_safetensors *weights, const rv_network *network,
                               rv_graph *graph, bool new_head, bool copy)
{
    for (int node = 0; node < rv_graph_node_count(graph); node++) {
        if (new_head && rv_is_head(rv_graph_node(graph, node)->name)) {
            continue;
        }
        for (int i = 0; i < RV_MAX_PARAMS; i++) {
            RV_TRY(apply(weights, network, rv_graph_param(graph, node, i), copy));
        }
        for (int i = 0; i < RV_MAX_STATE; i++) {
            RV_TRY(apply(weights, network, rv_graph_state(graph, node, i), copy));
        }
    }
    return RV_OK;
}
