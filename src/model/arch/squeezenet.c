/* SqueezeNet 1.0 of Iandola et al. 2016, layers named as in its Caffe file. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/internal.h"

#include <stdio.h>

enum { MAX_NAME = 32 };

/* A convolution and the ReLU that works in its place. */
static rv_status add_conv(rv_network *network, const char *name, const char *relu,
                          const char *input, int outputs, int kernel, int stride, int pad)
{
    rv_layer *layer;
    RV_TRY(rv_network_chain(&layer, network, "conv", name, input, NULL));
    rv_layer_set(layer, RV_SET_INT("num_output", outputs));
    rv_layer_set(layer, RV_SET_INT("kernel", kernel));
    rv_layer_set(layer, RV_SET_INT("stride", stride));
    rv_layer_set(layer, RV_SET_INT("pads", pad));
    return rv_network_chain(&layer, network, "relu", relu, name, name);
}

static rv_status add_pool(rv_network *network, const char *name, const char *input)
{
    rv_layer *layer;
    RV_TRY(rv_network_chain(&layer, network, rv_network_pool(network, true, false), name, input,
                            NULL));
    rv_layer_set(layer, RV_SET_INT("kernel", 3));
    rv_layer_set(layer, RV_SET_INT("stride", 2));
    rv_layer_set(layer, RV_SET_INT("ceil_mode", 1));
    return RV_OK;
}

/* Squeeze to few channels, expand by 1x1 and 3x3 kernels side by side. `output` becomes the name of
 * the result. */
static rv_status add_fire(rv_network *network, int number, int squeeze, int expand,
                          const char *input, char output[MAX_NAME])
{
    static const char *const parts[3] = {"squeeze1x1", "expand1x1", "expand3x3"};
    char name[3][MAX_NAME], relu[MAX_NAME];
    for (int i = 0; i < 3; i++) {
        snprintf(name[i], MAX_NAME, "fire%d/%s", number, parts[i]);
        snprintf(relu, MAX_NAME, "relu_fire%d_%s", number, parts[i]);
        RV_TRY(add_conv(network, name[i], relu, i == 0 ? input : name[0], i == 0 ? squeeze : expand,
                        i == 2 ? 3 : 1, 1, i == 2));
    }
    rv_layer *layer;
    snprintf(output, MAX_NAME, "fire%d/concat", number);
    RV_TRY(rv_network_chain(&layer, network, "concat", output, name[1], NULL));
    return rv_names_add(&layer->inputs, name[2]);
}

static rv_status add_all(rv_network *network)
{
    static const int squeeze[8] = {16, 16, 32, 32, 48, 48, 64, 64};
    char at[MAX_NAME] = "pool1", next[MAX_NAME], pool[MAX_NAME];
    rv_layer *layer;
    RV_TRY(rv_network_set_input(network, "data", 3, 227, 227));
    RV_TRY(add_conv(network, "conv1", "relu_conv1", "data", 96, 7, 2, 0));
    RV_TRY(add_pool(network, "pool1", "conv1"));
    for (int i = 0; i < 8; i++) {
        const int number = i + 2;
        RV_TRY(add_fire(network, number, squeeze[i], 4 * squeeze[i], at, next));
        snprintf(at, sizeof at, "%s", next);
        if (number == 4 || number == 8) {
            snprintf(pool, sizeof pool, "pool%d", number);
            RV_TRY(add_pool(network, pool, at));
            snprintf(at, sizeof at, "%s", pool);
        }
    }
    RV_TRY(rv_network_chain(&layer, network, "dropout", "drop9", at, at));
    RV_TRY(add_conv(network, "conv10", "relu_conv10", at, 1000, 1, 1, 1));
    RV_TRY(rv_network_chain(&layer, network, rv_network_pool(network, false, true), "pool10",
                            "conv10", NULL));
    rv_layer_set(layer, RV_SET_INT("global", 1));
    return rv_network_chain(&layer, network, "softmax", "prob", "pool10", NULL);
}

rv_status rv_network_squeezenet(rv_network **out, rv_pooling pooling)
{
    rv_network *network = NULL;
    *out = NULL;
    RV_TRY(rv_network_create(&network, "squeezenet", NULL, pooling));
    const rv_status status = add_all(network);
    if (status != RV_OK) {
        rv_network_destroy(network);
        return status;
    }
    *out = network;
    return RV_OK;
}
