/* VGG-16 and VGG-19 of Simonyan and Zisserman 2014, layers named as in their Caffe files; and vgg-s, a small one
 * with batch norm (Ioffe and Szegedy 2015) that Reverie trains itself. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdio.h>

enum { N_STAGES = 5 };

/* --- VGG-16 and VGG-19 ----------------------------------------------------------------------- */

static rv_status add_conv(rv_chain *c, int stage, int index)
{
    static const int channels[N_STAGES] = {64, 128, 256, 512, 512};
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "conv", "conv%d_%d", stage, index));
    rv_layer_set(layer, RV_SET_INT("num_output", channels[stage - 1]));
    rv_layer_set(layer, RV_SET_INT("kernel", 3));
    rv_layer_set(layer, RV_SET_INT("pads", 1));
    return rv_chain_layer(&layer, c, "relu", "relu%d_%d", stage, index);
}

static rv_status add_pool(rv_chain *c, int stage)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "max_pool", "pool%d", stage));
    rv_layer_set(layer, RV_SET_INT("kernel", 2));
    rv_layer_set(layer, RV_SET_INT("stride", 2));
    rv_layer_set(layer, RV_SET_INT("ceil_mode", 1));
    return RV_OK;
}

static rv_status add_dense(rv_chain *c, int number)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "dense", "fc%d", number));
    rv_layer_set(layer, RV_SET_INT("num_output", 4096));
    RV_TRY(rv_chain_layer(&layer, c, "relu", "relu%d", number));
    return rv_chain_layer(&layer, c, "dropout", "drop%d", number);
}

static rv_status build(rv_chain *c, int depth, int32_t classes)
{
    c->network->preprocessing = rv_preprocessing_vgg;
    for (int stage = 1; stage <= N_STAGES; stage++) {
        const int convs = stage <= 2 ? 2 : depth == 16 ? 3 : 4;
        for (int i = 1; i <= convs; i++) {
            RV_TRY(add_conv(c, stage, i));
        }
        RV_TRY(add_pool(c, stage));
    }
    RV_TRY(add_dense(c, 6));
    RV_TRY(add_dense(c, 7));
    return rv_chain_classify(c, "fc8", classes);
}

rv_status rv_arch_vgg16(rv_chain *c, int32_t classes, const char *words)
{
    (void)words;
    return build(c, 16, classes);
}

rv_status rv_arch_vgg19(rv_chain *c, int32_t classes, const char *words)
{
    (void)words;
    return build(c, 19, classes);
}

/* --- vgg-s ----------------------------------------------------------------------------------- */

/* Names as in VGG, so that layer options fit both. */
static rv_status add_normalized(rv_chain *c, int stage, int index, int channels)
{
    char name[RV_ARCH_NAME];
    snprintf(name, sizeof name, "conv%d_%d", stage, index);
    RV_TRY(rv_chain_conv(c, name, channels, 3, 1));
    snprintf(name, sizeof name, "norm%d_%d", stage, index);
    RV_TRY(rv_chain_norm(c, name));
    snprintf(name, sizeof name, "relu%d_%d", stage, index);
    return rv_chain_relu(c, name);
}

rv_status rv_arch_vgg_s(rv_chain *c, int32_t classes, const char *words)
{
    static const int channels[N_STAGES] = {32, 64, 128, 256, 256};
    (void)words;
    rv_chain_take(c, 0.45f, 0.25f);
    for (int stage = 1; stage <= N_STAGES; stage++) {
        for (int i = 1; i <= (stage < N_STAGES ? 2 : 1); i++) {
            RV_TRY(add_normalized(c, stage, i, channels[stage - 1]));
        }
        if (stage < N_STAGES) {
            char name[RV_ARCH_NAME];
            snprintf(name, sizeof name, "pool%d", stage);
            RV_TRY(rv_chain_pool(c, name));
        }
    }
    RV_TRY(rv_chain_global_average(c, "pool5"));
    return rv_chain_classify(c, "fc6", classes);
}
