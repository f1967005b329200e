/* Holds a network as layers by name, and builds the graph of those that are wanted. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>

/* Far beyond any real network: keeps what is quadratic in it short. */
enum { MAX_LAYERS = 10000 };

/* Which layer writes what a layer reads. */
typedef struct link {
    int *producers; /* of each input: index of a layer, -1 for the network's input */
    bool needed;
    rv_value value;
} link;

rv_status rv_names_add(rv_names *names, const char *name)
{
    RV_TRY(rv_grow(&names->list, &names->capacity, names->n + 1, sizeof *names->list, "names"));
    RV_TRY(rv_strdup(&names->list[names->n], name));
    names->n++;
    return RV_OK;
}

void rv_names_release(rv_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->list[i]);
    }
    free(names->list);
    *names = (rv_names){0};
}

rv_status rv_network_create(rv_network **out, const char *name, const char *file)
{
    rv_network *network = NULL;
    RV_TRY(rv_alloc(&network, 1, sizeof *network, "network"));
    network->share = 227.0 / 256.0;
    network->preprocessing = rv_preprocessing_caffe;
    rv_status status = rv_strdup(&network->name, name);
    if (status == RV_OK && file != NULL) {
        status = rv_strdup(&network->file, file);
    }
    if (status != RV_OK) {
        rv_network_destroy(network);
        return status;
    }
    *out = network;
    return RV_OK;
}

void rv_network_truncate(rv_network *network, size_t n_layers)
{
    for (size_t i = n_layers; i < network->n_layers; i++) {
        free(network->layers[i].name);
        rv_names_release(&network->layers[i].inputs);
        rv_names_release(&network->layers[i].outputs);
    }
    network->n_layers = n_layers;
}

void rv_network_destroy(rv_network *network)
{
    if (network == NULL) {
        return;
    }
    rv_network_truncate(network, 0);
    free(network->layers);
    free(network->mean);
    free(network->deviation);
    free(network->name);
    free(network->file);
    free(network->mean_file);
    free(network->input);
    free(network);
}

rv_status rv_network_set_input(rv_network *network, const char *name, int32_t channels,
                               int32_t height, int32_t width)
{
    free(network->input);
    network->input = NULL;
    network->channels = channels;
    network->height = height;
    network->width = width;
    return rv_strdup(&network->input, name);
}

rv_status rv_network_layer(rv_layer **out, rv_network *network, const char *op, const char *name,
                           int line)
{
    if (network->n_layers == MAX_LAYERS) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a network of more than %d layers", MAX_LAYERS);
    }
    RV_TRY(rv_grow(&network->layers, &network->capacity, network->n_layers + 1,
                   sizeof *network->layers, "layers"));
    rv_layer *layer = &network->layers[network->n_layers];
    *layer = (rv_layer){.op = op, .line = line};
    RV_TRY(rv_strdup(&layer->name, name));
    network->n_layers++;
    *out = layer;
    return RV_OK;
}

void rv_layer_set(rv_layer *layer, rv_attr_value value)
{
    layer->attrs[layer->n_attrs++] = value;
}

rv_status rv_network_chain(rv_layer **out, rv_network *network, const char *op, const char *name,
                           const char *input, const char *output)
{
    RV_TRY(rv_network_layer(out, network, op, name, 0));
    RV_TRY(rv_names_add(&(*out)->inputs, input));
    return rv_names_add(&(*out)->outputs, output != NULL ? output : name);
}

const rv_attr_value *rv_layer_attr(const rv_layer *layer, const char *name)
{
    for (size_t i = 0; i < layer->n_attrs; i++) {
        if (strcmp(layer->attrs[i].name, name) == 0) {
            return &layer->attrs[i];
        }
    }
    return NULL;
}

static bool halves(const rv_layer *layer)
{
    const rv_attr_value *stride = rv_layer_attr(layer, "stride");
    return stride != NULL && stride->number[0] == 2 &&
           stride->number[stride->count > 1 ? 1 : 0] == 2;
}

static void drop_attr(rv_layer *layer, const char *name)
{
    const rv_attr_value *found = rv_layer_attr(layer, name);
    if (found != NULL) {
        const size_t at = (size_t)(found - layer->attrs);
        layer->n_attrs--;
        memmove(&layer->attrs[at], &layer->attrs[at + 1],
                (layer->n_attrs - at) * sizeof layer->attrs[0]);
    }
}

static void replace_pooling(rv_layer *layer, rv_pooling pooling)
{
    const bool max = strcmp(layer->op, "max_pool") == 0;
    if (!max && strcmp(layer->op, "average_pool") != 0) {
        return;
    }
    if (pooling == RV_POOLING_BINOMIAL && halves(layer)) {
        layer->op = "binomial_pool";
        layer->n_attrs = 0;
    } else if (pooling == RV_POOLING_AVERAGE) {
        layer->op = "average_pool";
    } else if (pooling == RV_POOLING_MAX) {
        layer->op = "max_pool";
        drop_attr(layer, "count_include_pad");
    }
}

void rv_network_replace_pooling(rv_network *network, rv_pooling pooling)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        rv_layer *layer = &network->layers[i];
        const rv_attr_value *global = rv_layer_attr(layer, "global");
        if (layer->op != NULL && (global == NULL || global->number[0] == 0)) {
            replace_pooling(layer, pooling);
        }
    }
}

/* Adds where in the network's file a layer stands; an attribute that cannot be is the file's mistake, not the user's. */
static rv_status fail_in(const rv_network *network, const rv_layer *layer, rv_status status)
{
    return network->file == NULL ? status
                                 : rv_fail_context(status == RV_ERR_USAGE ? RV_ERR_FORMAT : status,
                                                   "%s:%d", network->file, layer->line);
}

int rv_network_writer(const rv_network *network, size_t n, const char *name)
{
    for (size_t i = n; i > 0; i--) {
        const rv_names *outputs = &network->layers[i - 1].outputs;
        for (size_t k = 0; k < outputs->n; k++) {
            if (strcmp(outputs->list[k], name) == 0) {
                return (int)(i - 1);
            }
        }
    }
    return -1;
}

static rv_status link_layer(const rv_network *network, size_t index, link *to)
{
    const rv_layer *layer = &network->layers[index];
    RV_TRY(rv_alloc(&to->producers, layer->inputs.n, sizeof *to->producers, layer->name));
    for (size_t k = 0; k < layer->inputs.n; k++) {
        const char *name = layer->inputs.list[k];
        to->producers[k] = rv_network_writer(network, index, name);
        if (to->producers[k] < 0 && strcmp(name, network->input) != 0) {
            return fail_in(network, layer,
                           rv_fail(RV_ERR_FORMAT,
                                   "layer '%.100s' reads '%.100s', which no layer before it writes",
                                   layer->name, name));
        }
    }
    return RV_OK;
}

static rv_status fail_unknown(const rv_network *network, const char *name)
{
    const char **names;
    RV_TRY(rv_alloc(&names, network->n_layers + 1, sizeof *names, "layer names"));
    names[0] = network->input;
    for (size_t i = 0; i < network->n_layers; i++) {
        names[i + 1] = network->layers[i].name;
    }
    const rv_status status = rv_fail(
        RV_ERR_NOT_FOUND,
        "there is no layer '%.100s' in %s; the nearest is '%s' ('reverie models info' lists all)",
        name, network->name, names[rv_nearest(name, names, network->n_layers + 1)]);
    free(names);
    return status;
}

rv_status rv_network_find(const rv_network *network, int *out, const char *name)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        if (strcmp(network->layers[i].name, name) == 0) {
            *out = (int)i;
            return RV_OK;
        }
    }
    *out = rv_network_writer(network, network->n_layers, name);
    return *out >= 0 || strcmp(name, network->input) == 0 ? RV_OK : fail_unknown(network, name);
}

static rv_status mark_all(const rv_network *network, link *links, const char *const *layers,
                          size_t n_layers)
{
    for (size_t i = 0; i < n_layers; i++) {
        int index;
        RV_TRY(rv_network_find(network, &index, layers[i]));
        if (index >= 0) {
            links[index].needed = true;
        }
    }
    for (size_t i = network->n_layers; i > 0; i--) {
        link *l = &links[i - 1];
        l->needed = l->needed || layers == NULL;
        for (size_t k = 0; l->needed && k < network->layers[i - 1].inputs.n; k++) {
            if (l->producers[k] >= 0) {
                links[l->producers[k]].needed = true;
            }
        }
    }
    return RV_OK;
}

static rv_status add_input(rv_model_graph *out, const rv_network *network)
{
    const rv_preprocessing *p = &network->preprocessing;
    RV_TRY(rv_graph_input(out->graph, &out->picture, "picture",
                          rv_shape_4(1, network->channels, network->height, network->width)));
    RV_TRY(rv_graph_add(
        out->graph, &out->input, "preprocess", network->input, &out->picture, 1,
        RV_ATTRS(RV_SET_ENUM("order", p->bgr ? "bgr" : "rgb"), RV_SET_FLOAT("range", p->range),
                 RV_SET_FLOAT3("mean", p->mean[0], p->mean[1], p->mean[2]),
                 RV_SET_FLOAT3("deviation", p->deviation[0], p->deviation[1], p->deviation[2]))));
    return RV_OK;
}

/* Of the node that was added last. */
static void set_initializer(rv_graph *graph, const rv_initializer *init)
{
    const int node = rv_graph_node_count(graph) - 1;
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        rv_param *param = rv_graph_param(graph, node, i);
        if (param != NULL) {
            param->by = *init;
        }
    }
}

static rv_status add_layer(rv_model_graph *out, const rv_layer *layer, link *links, link *own)
{
    rv_value in[RV_MAX_INPUTS] = {out->input};
    if (layer->inputs.n > RV_MAX_INPUTS) {
        return rv_fail(RV_ERR_UNSUPPORTED, "'%.100s': %zu inputs are more than %d", layer->name,
                       layer->inputs.n, RV_MAX_INPUTS);
    }
    for (size_t k = 0; k < layer->inputs.n; k++) {
        in[k] = own->producers[k] < 0 ? out->input : links[own->producers[k]].value;
    }
    if (layer->op == NULL) {
        own->value = in[0];
        RV_TRY(rv_graph_alias(out->graph, own->value, layer->name));
    } else {
        RV_TRY(rv_graph_add(out->graph, &own->value, layer->op, layer->name, in,
                            (int)layer->inputs.n, layer->attrs, layer->n_attrs));
        set_initializer(out->graph, &layer->init);
    }
    for (size_t k = 0; k < layer->outputs.n; k++) {
        RV_TRY(rv_graph_alias(out->graph, own->value, layer->outputs.list[k]));
    }
    out->output = own->value;
    return RV_OK;
}

static rv_status append(rv_model_graph *out, const rv_network *network, link *links,
                        const char *const *layers, size_t n_layers)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        RV_TRY(link_layer(network, i, &links[i]));
    }
    RV_TRY(mark_all(network, links, layers, n_layers));
    for (size_t i = 0; i < network->n_layers; i++) {
        const rv_layer *layer = &network->layers[i];
        if (!links[i].needed) {
            continue;
        }
        const rv_status status = add_layer(out, layer, links, &links[i]);
        if (status != RV_OK) {
            return fail_in(network, layer, status);
        }
    }
    return RV_OK;
}

rv_status rv_network_append(rv_model_graph *out, const rv_network *network,
                            const char *const *layers, size_t n_layers)
{
    link *links;
    out->output = out->input;
    RV_TRY(rv_alloc(&links, network->n_layers + 1, sizeof *links, network->name));
    const rv_status status = append(out, network, links, layers, n_layers);
    for (size_t i = 0; i < network->n_layers; i++) {
        free(links[i].producers);
    }
    free(links);
    return status;
}

rv_status rv_network_build(rv_model_graph *out, const rv_network *network,
                           const char *const *layers, size_t n_layers)
{
    *out = (rv_model_graph){0};
    RV_TRY(rv_graph_create(&out->graph));
    rv_status status = add_input(out, network);
    if (status == RV_OK) {
        status = rv_network_append(out, network, layers, n_layers);
    }
    if (status != RV_OK) {
        rv_graph_destroy(out->graph);
        *out = (rv_model_graph){0};
    }
    return status;
}
