/* Recognises a VGG network by its layers, whatever they are called, and adds the names of Caffe's files. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>

enum { N_STAGES = 5, MAX_CONVS = 4, FIRST_DENSE = 6 };

/* Where the walk through the layers is. */
typedef struct walk {
    int stage, index; /* of the last convolution, from 1; stage 6: behind the last pooling */
    int dense;        /* number of the last dense layer, 0: none */
    bool ends;        /* the last pooling was there */
} walk;

/* Whether each number of an attribute is `value`; `initial` is what a missing one means. */
static bool attr_is(const rv_layer *layer, const char *name, int value, int initial)
{
    const rv_attr_value *a = rv_layer_attr(layer, name);
    bool same = a != NULL || value == initial;
    for (int k = 0; a != NULL && k < a->count; k++) {
        same = same && a->number[k] == (double)value;
    }
    return same;
}

static bool is(const rv_layer *layer, const char *op)
{
    return layer->op != NULL && strcmp(layer->op, op) == 0;
}

static bool is_conv_of(const rv_layer *layer, int stage)
{
    static const int channels[N_STAGES] = {64, 128, 256, 512, 512};
    return stage <= N_STAGES && attr_is(layer, "num_output", channels[stage - 1], 0) &&
           attr_is(layer, "kernel", 3, 1) && attr_is(layer, "pads", 1, 0) &&
           attr_is(layer, "stride", 1, 1) && attr_is(layer, "groups", 1, 1) &&
           attr_is(layer, "dilation", 1, 1);
}

static bool is_pool(const rv_layer *layer)
{
    return (is(layer, "max_pool") || is(layer, "average_pool")) && attr_is(layer, "kernel", 2, 0) &&
           attr_is(layer, "stride", 2, 1);
}

/* Takes the next layer; false where it is none of a VGG network. *name is what Caffe calls it, NULL: nothing of its
 * own. */
static bool step(walk *w, const rv_layer *layer, char **name, rv_status *status)
{
    *status = RV_OK;
    *name = NULL;
    if (is(layer, "conv") && w->stage <= N_STAGES && is_conv_of(layer, w->stage) &&
        w->index < MAX_CONVS) {
        *status = rv_format(name, "conv%d_%d", w->stage, ++w->index);
    } else if (is(layer, "relu") && w->index > 0) {
        *status = rv_format(name, "relu%d_%d", w->stage, w->index);
    } else if (is(layer, "relu") && w->dense > 0) {
        *status = rv_format(name, "relu%d", w->dense);
    } else if (is_pool(layer) && w->index > 0) {
        *status = rv_format(name, "pool%d", w->stage++);
        w->index = 0;
        w->ends = w->stage > N_STAGES;
    } else if (is(layer, "dense") && w->ends) {
        w->dense = w->dense == 0 ? FIRST_DENSE : w->dense + 1;
        *status = rv_format(name, "fc%d", w->dense);
    } else {
        /* Normalised networks, dropout, names of names, scores; a global mean where the file has one for any size. */
        return layer->op == NULL || is(layer, "batch_norm") || is(layer, "dropout") ||
               is(layer, "softmax") || (is(layer, "average_pool") && w->ends);
    }
    return true;
}

static bool is_known(const rv_network *network, const char *name)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        const rv_layer *layer = &network->layers[i];
        if (strcmp(layer->name, name) == 0) {
            return true;
        }
        for (size_t k = 0; k < layer->outputs.n; k++) {
            if (strcmp(layer->outputs.list[k], name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Walks through all layers and, if `give`, names them. */
static rv_status walk_all(bool *is_vgg, rv_network *network, bool give)
{
    walk w = {.stage = 1};
    *is_vgg = true;
    for (size_t i = 0; i < network->n_layers && *is_vgg; i++) {
        rv_layer *layer = &network->layers[i];
        rv_status status;
        char *name;
        /* One behind the other. */
        *is_vgg = layer->inputs.n == 1 && step(&w, layer, &name, &status);
        if (!*is_vgg) {
            break;
        }
        if (status == RV_OK && give && name != NULL && !is_known(network, name)) {
            status = rv_names_add(&layer->outputs, name);
        }
        free(name);
        if (status != RV_OK) {
            return status;
        }
    }
    *is_vgg = *is_vgg && w.ends;
    return RV_OK;
}

rv_status rv_network_name_vgg(rv_network *network)
{
    bool is_vgg;
    RV_TRY(walk_all(&is_vgg, network, false));
    return is_vgg ? walk_all(&is_vgg, network, true) : RV_OK;
}
