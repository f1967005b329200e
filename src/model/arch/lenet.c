/* LeNet for digits (LeCun et al. 1998) with max pooling and ReLU, sizes and names as in Caffe's example. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/arch/arch.h"

static rv_status add_conv(rv_chain *c, const char *name, int channels)
{
    rv_layer *layer;
    RV_TRY(rv_chain_layer(&layer, c, "conv", "%s", name));
    rv_layer_set(layer, RV_SET_INT("num_output", channels));
    rv_layer_set(layer, RV_SET_INT("kernel", 5));
    return RV_OK;
}

rv_status rv_arch_lenet(rv_chain *c, int32_t classes, const char *words)
{
    (void)words;
    rv_chain_take(c, 0.0f, 1.0f);
    RV_TRY(add_conv(c, "conv1", 20));
    RV_TRY(rv_chain_pool(c, "pool1"));
    RV_TRY(add_conv(c, "conv2", 50));
    RV_TRY(rv_chain_pool(c, "pool2"));
    RV_TRY(rv_chain_dense(c, "ip1", 500));
    RV_TRY(rv_chain_relu(c, "relu1"));
    return rv_chain_classify(c, "ip2", classes);
}
