/* VGG-16 and VGG-19 of Simonyan and Zisserman 2014, layers named as in their Caffe files; and vgg-s, a small one
 * with batch norm (Ioffe and Szegedy 2015) that Reverie trains itself; "vgg-s:average" says how it pools. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdio.h>
#include <string.h>

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
    static const float mean[3] = {103.939f, 116.779f, 123.68f};
    for (int i = 0; i < 3; i++) {
        c->network->preprocessing.mean[i] = mean[i];
    }
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

/* What `words` name: max where there are none. */
static rv_status find_pooling(const char **op, const char *words)
{
    static const char *const names[][2] = {
        {"max", "max_pool"}, {"average", "average_pool"}, {"binomial", "binomial_pool"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(words != NULL ? words : "max", names[i][0]) == 0) {
            *op = names[i][1];
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE,
                   "'vgg-s:%s': behind the colon stands how it pools: max, average or binomial",
                   words);
}

/* Halves the size; binomial pooling has a window of its own. */
static rv_status add_halving(rv_chain *c, const char *op, int stage)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, op, "pool%d", stage));
    if (strcmp(op, "binomial_pool") != 0) {
        rv_layer_set(layer, RV_SET_INT("kernel", 2));
        rv_layer_set(layer, RV_SET_INT("stride", 2));
    }
    return RV_OK;
}

rv_status rv_arch_vgg_s(rv_chain *c, int32_t classes, const char *words)
{
    static const int channels[N_STAGES] = {32, 64, 128, 256, 256};
    const char *pool;
    RV_TRY(find_pooling(&pool, words));
    rv_chain_take(c, 0.45f, 0.25f);
    for (int stage = 1; stage <= N_STAGES; stage++) {
        for (int i = 1; i <= (stage < N_STAGES ? 2 : 1); i++) {
            RV_TRY(add_normalized(c, stage, i, channels[stage - 1]));
        }
        if (stage < N_STAGES) {
            RV_TRY(add_halving(c, pool, stage));
        }
    }
    RV_TRY(rv_chain_global_average(c, "pool5"));
    return rv_chain_classify(c, "fc6", classes);
}
