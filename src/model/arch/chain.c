/* Appends layers to a network, one behind the other: what the built-in architectures are written in. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

#include <stdarg.h>
#include <stdio.h>

void rv_chain_take(rv_chain *c, float middle, float deviation)
{
    rv_preprocessing *p = &c->network->preprocessing;
    p->bgr = false;
    p->range = 1.0f;
    for (int i = 0; i < 3; i++) {
        p->mean[i] = middle;
        p->deviation[i] = deviation;
    }
}

rv_status rv_chain_layer(rv_layer **out, rv_chain *c, const char *op, const char *format, ...)
{
    char name[RV_ARCH_NAME];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    RV_TRY(rv_network_chain(out, c->network, op, name, c->at, NULL));
    snprintf(c->at, sizeof c->at, "%s", name);
    return RV_OK;
}

rv_status rv_chain_conv(rv_chain *c, const char *name, int channels, int kernel, int stride)
{
    rv_layer *layer;
    const int pads = kernel / 2;
    RV_TRY(rv_chain_layer(&layer, c, "conv", "%s", name));
    rv_layer_set(layer, RV_SET_INT("num_output", channels));
    rv_layer_set(layer, RV_SET_INT("kernel", kernel));
    rv_layer_set(layer, RV_SET_INT("stride", stride));
    rv_layer_set(layer, RV_SET_INT("pads", pads));
    rv_layer_set(layer, RV_SET_INT("bias", 0));
    return RV_OK;
}

rv_status rv_chain_norm(rv_chain *c, const char *name)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "batch_norm", "%s", name));
    rv_layer_set(layer, RV_SET_INT("affine", 1));
    return RV_OK;
}

rv_status rv_chain_relu(rv_chain *c, const char *name)
{
    rv_layer *layer;
    return rv_chain_layer(&layer, c, "relu", "%s", name);
}

rv_status rv_chain_pool(rv_chain *c, const char *name)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "max_pool", "%s", name));
    rv_layer_set(layer, RV_SET_INT("kernel", 2));
    rv_layer_set(layer, RV_SET_INT("stride", 2));
    return RV_OK;
}

rv_status rv_chain_global_average(rv_chain *c, const char *name)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "average_pool", "%s", name));
    rv_layer_set(layer, RV_SET_INT("global", 1));
    return RV_OK;
}

rv_status rv_chain_dense(rv_chain *c, const char *name, int outputs)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "dense", "%s", name));
    rv_layer_set(layer, RV_SET_INT("num_output", outputs));
    return RV_OK;
}

rv_status rv_chain_dropout(rv_chain *c, const char *name, double ratio)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "dropout", "%s", name));
    rv_layer_set(layer, RV_SET_FLOAT("ratio", ratio));
    return RV_OK;
}

rv_status rv_chain_classify(rv_chain *c, const char *name, int classes)
{
    rv_layer *layer;
    RV_TRY(rv_chain_dense(c, name, classes));
    return rv_chain_layer(&layer, c, "softmax", "prob");
}
