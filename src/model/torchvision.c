/* Recognises the networks of torchvision by the names and shapes of their weights, and builds them as it does. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/arch/arch.h"

#include <stdio.h>
#include <string.h>

enum { MAX_MODULES = 64, SIZE = 224, FIRST_DENSE = 6 };

/* A network under construction: modules of `features` are numbered from 0. */
typedef struct maker {
    const rv_safetensors *file;
    rv_chain chain;
    int module;
    int stage, index; /* of VGG: of the last convolution */
} maker;

/* Shape of "MODULE.weight"; false where there is none. */
static bool has_weight(const maker *m, rv_shape *shape, const char *format, int module)
{
    char name[RV_ARCH_NAME];
    snprintf(name, sizeof name, format, module);
    return rv_safetensors_shape(m->file, name, shape);
}

/* Names the last layer after its module too: its weights are found by that. */
static rv_status name_module(rv_layer *layer, const char *format, int module)
{
    char name[RV_ARCH_NAME];
    snprintf(name, sizeof name, format, module);
    return rv_names_add(&layer->outputs, name);
}

static rv_status add_conv(maker *m, const char *name, const rv_shape *weight, int stride, int pad,
                          const char *module_format)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, &m->chain, "conv", "%s", name));
    rv_layer_set(layer, RV_SET_INT("num_output", weight->dim[0]));
    rv_layer_set(layer, RV_SET_INT2("kernel", weight->dim[2], weight->dim[3]));
    rv_layer_set(layer, RV_SET_INT("stride", stride));
    rv_layer_set(layer, RV_SET_INT("pads", pad));
    return name_module(layer, module_format, m->module);
}

static rv_status add_relu(maker *m, const char *name)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, &m->chain, "relu", "%s", name));
    return RV_OK;
}

static rv_status add_pool(maker *m, int number, int kernel, bool ceil_mode)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, &m->chain, "max_pool", "pool%d", number));
    rv_layer_set(layer, RV_SET_INT("kernel", kernel));
    rv_layer_set(layer, RV_SET_INT("stride", 2));
    rv_layer_set(layer, RV_SET_INT("ceil_mode", ceil_mode));
    return name_module(layer, "features.%d", m->module++);
}

/* --- VGG ------------------------------------------------------------------------------------- */

/* A convolution, its normalisation if there is one, and its ReLU: a module each. */
static rv_status add_vgg_conv(maker *m, const rv_shape *weight)
{
    char name[RV_ARCH_NAME];
    rv_shape norm;
    rv_layer *layer;
    snprintf(name, sizeof name, "conv%d_%d", m->stage, ++m->index);
    RV_TRY(add_conv(m, name, weight, 1, 1, "features.%d"));
    m->module++;
    if (has_weight(m, &norm, "features.%d.weight", m->module) && norm.rank == 1) {
        snprintf(name, sizeof name, "norm%d_%d", m->stage, m->index);
        RV_TRY(rv_chain_layer(&layer, &m->chain, "batch_norm", "%s", name));
        rv_layer_set(layer, RV_SET_INT("affine", 1));
        RV_TRY(name_module(layer, "features.%d", m->module++));
    }
    snprintf(name, sizeof name, "relu%d_%d", m->stage, m->index);
    RV_TRY(add_relu(m, name));
    m->module++;
    return RV_OK;
}

static bool is_vgg_conv(const maker *m, int module, rv_shape *weight)
{
    return has_weight(m, weight, "features.%d.weight", module) && weight->rank == 4 &&
           weight->dim[2] == 3 && weight->dim[3] == 3;
}

/* The classifier of VGG: modules 0, 3 and 6, ReLU and dropout between. */
static rv_status add_vgg_classifier(maker *m)
{
    rv_shape weight;
    rv_layer *layer;
    if (!has_weight(m, &weight, "classifier.%d.weight", 0)) {
        return RV_OK; /* a file of the features alone */
    }
    for (int i = 0; i < 3; i++) {
        const int number = FIRST_DENSE + i;
        if (!has_weight(m, &weight, "classifier.%d.weight", 3 * i) || weight.rank != 2) {
            return rv_fail(RV_ERR_FORMAT, "there is no 'classifier.%d.weight' of a VGG network",
                           3 * i);
        }
        RV_TRY(rv_chain_layer(&layer, &m->chain, "dense", "fc%d", number));
        rv_layer_set(layer, RV_SET_INT("num_output", weight.dim[0]));
        RV_TRY(name_module(layer, "classifier.%d", 3 * i));
        if (i < 2) {
            RV_TRY(rv_chain_layer(&layer, &m->chain, "relu", "relu%d", number));
            RV_TRY(rv_chain_layer(&layer, &m->chain, "dropout", "drop%d", number));
        }
    }
    return rv_chain_layer(&layer, &m->chain, "softmax", "prob");
}

/* Which modules are pooling shows where no convolution follows at once. */
static rv_status make_vgg(maker *m)
{
    rv_shape weight, next;
    m->stage = 1;
    while (m->module < MAX_MODULES && is_vgg_conv(m, m->module, &weight)) {
        RV_TRY(add_vgg_conv(m, &weight));
        if (!is_vgg_conv(m, m->module, &next)) {
            RV_TRY(add_pool(m, m->stage++, 2, false));
            m->index = 0;
        }
    }
    return add_vgg_classifier(m);
}

/* --- SqueezeNet ------------------------------------------------------------------------------ */

static rv_status fail_fire(int module, const char *part)
{
    return rv_fail(RV_ERR_FORMAT, "there is no 'features.%d.%s.weight' of a SqueezeNet", module,
                   part);
}

static rv_status add_part(maker *m, int number, const char *part, int pad)
{
    char name[RV_ARCH_NAME], format[RV_ARCH_NAME];
    rv_shape weight;
    snprintf(format, sizeof format, "features.%%d.%s.weight", part);
    if (!has_weight(m, &weight, format, m->module) || weight.rank != 4) {
        return fail_fire(m->module, part);
    }
    snprintf(format, sizeof format, "features.%%d.%s", part);
    snprintf(name, sizeof name, "fire%d/%s", number, pad < 0 ? "squeeze1x1" : part);
    RV_TRY(add_conv(m, name, &weight, 1, pad < 0 ? 0 : pad, format));
    snprintf(name, sizeof name, "relu_fire%d_%s", number, pad < 0 ? "squeeze1x1" : part);
    return add_relu(m, name);
}

static rv_status add_fire(maker *m, int number)
{
    rv_layer *layer;
    RV_TRY(add_part(m, number, "squeeze", -1));
    const rv_chain squeezed = m->chain;
    RV_TRY(add_part(m, number, "expand1x1", 0));
    const rv_chain narrow = m->chain;
    m->chain = squeezed;
    RV_TRY(add_part(m, number, "expand3x3", 1));
    const rv_chain wide = m->chain;
    m->chain = narrow;
    RV_TRY(rv_chain_layer(&layer, &m->chain, "concat", "fire%d/concat", number));
    RV_TRY(rv_names_add(&layer->inputs, wide.at));
    return name_module(layer, "features.%d", m->module++);
}

/* Version 1.0 or 1.1: modules without weights between the fires are pooling. */
static rv_status make_squeezenet(maker *m)
{
    rv_shape weight;
    rv_layer *layer;
    int number = 1;
    RV_TRY(has_weight(m, &weight, "features.%d.weight", 0) && weight.rank == 4
               ? RV_OK
               : fail_fire(0, "conv"));
    RV_TRY(add_conv(m, "conv1", &weight, 2, 0, "features.%d"));
    RV_TRY(add_relu(m, "relu_conv1"));
    for (m->module = 2; m->module <= 12;) {
        if (has_weight(m, &weight, "features.%d.squeeze.weight", m->module)) {
            RV_TRY(add_fire(m, ++number));
        } else {
            RV_TRY(add_pool(m, number, 3, true));
        }
    }
    if (!has_weight(m, &weight, "classifier.%d.weight", 1) || weight.rank != 4) {
        return RV_OK; /* a file of the features alone */
    }
    RV_TRY(rv_chain_dropout(&m->chain, "drop9", 0.5));
    m->module = 1;
    RV_TRY(add_conv(m, "conv10", &weight, 1, 0, "classifier.%d"));
    RV_TRY(add_relu(m, "relu_conv10"));
    RV_TRY(rv_chain_global_average(&m->chain, "pool10"));
    return rv_chain_layer(&layer, &m->chain, "softmax", "prob");
}

/* --- the network ----------------------------------------------------------------------------- */

/* "vgg16" has 13 convolutions and 3 dense layers. */
static void name_vgg(char out[RV_ARCH_NAME], const maker *m)
{
    int n = 3;
    rv_shape weight;
    for (int i = 0; i < MAX_MODULES; i++) {
        n += has_weight(m, &weight, "features.%d.weight", i) && weight.rank == 4;
    }
    snprintf(out, RV_ARCH_NAME, "vgg%d", n);
}

static rv_status make_network(maker *m, bool is_squeezenet)
{
    rv_network *network = m->chain.network;
    RV_TRY(rv_network_set_input(network, m->chain.at, 3, SIZE, SIZE));
    network->preprocessing = rv_preprocessing_torch;
    RV_TRY(is_squeezenet ? make_squeezenet(m) : make_vgg(m));
    return RV_OK;
}

rv_status rv_torchvision_network(rv_network **out, const rv_safetensors *file)
{
    maker m = {.file = file, .chain = {NULL, "data"}};
    char name[RV_ARCH_NAME] = "squeezenet";
    rv_shape weight;
    *out = NULL;
    const bool is_squeezenet = has_weight(&m, &weight, "features.%d.squeeze.weight", 3);
    if (!is_squeezenet && !is_vgg_conv(&m, 0, &weight)) {
        return RV_OK;
    }
    if (!is_squeezenet) {
        name_vgg(name, &m);
    }
    RV_TRY(rv_network_create(&m.chain.network, name, NULL));
    const rv_status status = make_network(&m, is_squeezenet);
    if (status != RV_OK) {
        rv_network_destroy(m.chain.network);
        return status;
    }
    *out = m.chain.network;
    return RV_OK;
}
