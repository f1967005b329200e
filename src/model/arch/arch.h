/* What the built-in architectures share: a table of them, and building a network layer by layer. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_ARCH_ARCH_H
#define RV_MODEL_ARCH_ARCH_H

#include "model/internal.h"

enum { RV_ARCH_NAME = 96 };
/* Beyond any use, and far from where sizes overflow. */
enum { RV_ARCH_MAX_CLASSES = 1000000, RV_ARCH_MAX_SIZE = 65535 };

/** A network under construction; each layer reads the one before. */
typedef struct rv_chain {
    rv_network *network;
    char at[RV_ARCH_NAME]; /**< name of the last layer, at first of the input */
} rv_chain;

/** A built-in architecture. Channels, size and classes are its own: what it was published for. */
typedef struct rv_arch {
    const char *name;
    int32_t channels, size, classes;
    bool takes_words; /**< behind a colon after its name */
    /** @param words  what follows the name behind a colon, NULL where nothing does. */
    rv_status (*build)(rv_chain *c, int32_t classes, const char *words);
} rv_arch;

/** Their builders, each at the bottom of its file. */
rv_status rv_arch_lenet(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_mlp(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_resnet_18(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_small_cnn(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_squeezenet(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_vgg16(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_vgg19(rv_chain *c, int32_t classes, const char *words);
rv_status rv_arch_vgg_s(rv_chain *c, int32_t classes, const char *words);

/** Sets the input "data" to a whole shape, each part of which is checked. */
RV_NODISCARD rv_status rv_arch_set_input(rv_network *network, const rv_architecture_shape *shape);

/** Values 0 to 1, for the networks that Reverie trains; `middle` becomes 0, and `deviation` 1. */
void rv_chain_take(rv_chain *c, float middle, float deviation);

/** Appends a layer of operation `op` to the chain; attributes are set by the caller. */
RV_NODISCARD rv_status rv_chain_layer(rv_layer **out, rv_chain *c, const char *op,
                                      const char *format, ...) RV_PRINTF(4, 5);
/** Convolution that keeps the size but for `stride`, without bias: a normalisation follows. */
RV_NODISCARD rv_status rv_chain_conv(rv_chain *c, const char *name, int channels, int kernel,
                                     int stride);
/** Batch norm with weight and bias. */
RV_NODISCARD rv_status rv_chain_norm(rv_chain *c, const char *name);
RV_NODISCARD rv_status rv_chain_relu(rv_chain *c, const char *name);
/** Halves the size: the largest of windows of 2 x 2. */
RV_NODISCARD rv_status rv_chain_pool(rv_chain *c, const char *name);
/** Mean of each channel. */
RV_NODISCARD rv_status rv_chain_global_average(rv_chain *c, const char *name);
RV_NODISCARD rv_status rv_chain_dense(rv_chain *c, const char *name, int outputs);
RV_NODISCARD rv_status rv_chain_dropout(rv_chain *c, const char *name, double ratio);
/** Dense layer to the classes, and softmax "prob". */
RV_NODISCARD rv_status rv_chain_classify(rv_chain *c, const char *name, int classes);

#endif
