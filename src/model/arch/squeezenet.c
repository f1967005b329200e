/* SqueezeNet 1.0 of Iandola et al. 2016, layers named as in its Caffe file. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdio.h>

static rv_status add_conv(rv_chain *c, const char *name, int outputs, int kernel, int stride,
                          int pad)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "conv", "%s", name));
    rv_layer_set(layer, RV_SET_INT("num_output", outputs));
    rv_layer_set(layer, RV_SET_INT("kernel", kernel));
    rv_layer_set(layer, RV_SET_INT("stride", stride));
    rv_layer_set(layer, RV_SET_INT("pads", pad));
    return RV_OK;
}

static rv_status add_pool(rv_chain *c, int number)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "max_pool", "pool%d", number));
    rv_layer_set(layer, RV_SET_INT("kernel", 3));
    rv_layer_set(layer, RV_SET_INT("stride", 2));
    rv_layer_set(layer, RV_SET_INT("ceil_mode", 1));
    return RV_OK;
}

/* One of the three convolutions of a fire module, with its ReLU. */
static rv_status add_part(rv_chain *c, int number, const char *part, int outputs, int kernel)
{
    char name[RV_ARCH_NAME];
    rv_layer *layer;
    snprintf(name, sizeof name, "fire%d/%s", number, part);
    RV_TRY(add_conv(c, name, outputs, kernel, 1, kernel / 2));
    return rv_chain_layer(&layer, c, "relu", "relu_fire%d_%s", number, part);
}

/* Squeeze to few channels, expand by 1x1 and 3x3 kernels side by side. */
static rv_status add_fire(rv_chain *c, int number, int squeeze)
{
    RV_TRY(add_part(c, number, "squeeze1x1", squeeze, 1));
    rv_chain wide = *c;
    rv_layer *layer;
    RV_TRY(add_part(c, number, "expand1x1", 4 * squeeze, 1));
    RV_TRY(add_part(&wide, number, "expand3x3", 4 * squeeze, 3));
    RV_TRY(rv_chain_layer(&layer, c, "concat", "fire%d/concat", number));
    return rv_names_add(&layer->inputs, wide.at);
}

rv_status rv_arch_squeezenet(rv_chain *c, int32_t classes, const char *words)
{
    static const int squeeze[8] = {16, 16, 32, 32, 48, 48, 64, 64};
    rv_layer *layer;
    (void)words;
    RV_TRY(add_conv(c, "conv1", 96, 7, 2, 0));
    RV_TRY(rv_chain_relu(c, "relu_conv1"));
    RV_TRY(add_pool(c, 1));
    for (int i = 0; i < 8; i++) {
        const int number = i + 2;
        RV_TRY(add_fire(c, number, squeeze[i]));
        if (number == 4 || number == 8) {
            RV_TRY(add_pool(c, number));
        }
    }
    RV_TRY(rv_chain_dropout(c, "drop9", 0.5));
    RV_TRY(add_conv(c, "conv10", classes, 1, 1, 1));
    RV_TRY(rv_chain_relu(c, "relu_conv10"));
    RV_TRY(rv_chain_global_average(c, "pool10"));
    return rv_chain_layer(&layer, c, "softmax", "prob");
}
