/* VGG-16 and VGG-19 of Simonyan and Zisserman 2014, layers named as in their Caffe files. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/internal.h"

#include <stdio.h>

enum { N_STAGES = 5, MAX_NAME = 32 };

static const int channels[N_STAGES] = {64, 128, 256, 512, 512};

/* Where the next layer reads from. */
typedef struct chain {
    rv_network *network;
    char input[MAX_NAME];
} chain;

static rv_status add_conv(chain *c, int stage, int index)
{
    rv_layer *layer;
    char name[MAX_NAME], relu[MAX_NAME];
    snprintf(name, sizeof name, "conv%d_%d", stage + 1, index + 1);
    snprintf(relu, sizeof relu, "relu%d_%d", stage + 1, index + 1);
    RV_TRY(rv_network_chain(&layer, c->network, "conv", name, c->input, NULL));
    rv_layer_set(layer, RV_SET_INT("num_output", channels[stage]));
    rv_layer_set(layer, RV_SET_INT("kernel", 3));
    rv_layer_set(layer, RV_SET_INT("pads", 1));
    snprintf(c->input, sizeof c->input, "%s", name);
    return rv_network_chain(&layer, c->network, "relu", relu, name, name);
}

static rv_status add_pool(chain *c, int stage)
{
    rv_layer *layer;
    char name[MAX_NAME];
    snprintf(name, sizeof name, "pool%d", stage + 1);
    RV_TRY(rv_network_chain(&layer, c->network, rv_network_pool(c->network, true, false), name,
                            c->input, NULL));
    rv_layer_set(layer, RV_SET_INT("kernel", 2));
    rv_layer_set(layer, RV_SET_INT("stride", 2));
    rv_layer_set(layer, RV_SET_INT("ceil_mode", 1));
    snprintf(c->input, sizeof c->input, "%s", name);
    return RV_OK;
}

static rv_status add_dense(chain *c, int number, int outputs)
{
    rv_layer *layer;
    char name[MAX_NAME], other[MAX_NAME];
    snprintf(name, sizeof name, "fc%d", number);
    RV_TRY(rv_network_chain(&layer, c->network, "dense", name, c->input, NULL));
    rv_layer_set(layer, RV_SET_INT("num_output", outputs));
    snprintf(c->input, sizeof c->input, "%s", name);
    if (number == 8) {
        return RV_OK;
    }
    snprintf(other, sizeof other, "relu%d", number);
    RV_TRY(rv_network_chain(&layer, c->network, "relu", other, name, name));
    snprintf(other, sizeof other, "drop%d", number);
    return rv_network_chain(&layer, c->network, "dropout", other, name, name);
}

static rv_status add_all(rv_network *network, int depth)
{
    rv_layer *layer;
    chain c = {network, "data"};
    network->preprocessing.mean[0] = 103.939f;
    network->preprocessing.mean[1] = 116.779f;
    network->preprocessing.mean[2] = 123.68f;
    RV_TRY(rv_network_set_input(network, "data", 3, 224, 224));
    for (int stage = 0; stage < N_STAGES; stage++) {
        const int convs = stage < 2 ? 2 : depth == 16 ? 3 : 4;
        for (int i = 0; i < convs; i++) {
            RV_TRY(add_conv(&c, stage, i));
        }
        RV_TRY(add_pool(&c, stage));
    }
    RV_TRY(add_dense(&c, 6, 4096));
    RV_TRY(add_dense(&c, 7, 4096));
    RV_TRY(add_dense(&c, 8, 1000));
    return rv_network_chain(&layer, network, "softmax", "prob", c.input, NULL);
}

rv_status rv_network_vgg(rv_network **out, int depth, rv_pooling pooling)
{
    rv_network *network = NULL;
    *out = NULL;
    RV_TRY(rv_network_create(&network, depth == 16 ? "vgg16" : "vgg19", NULL, pooling));
    const rv_status status = add_all(network, depth);
    if (status != RV_OK) {
        rv_network_destroy(network);
        return status;
    }
    *out = network;
    return RV_OK;
}
