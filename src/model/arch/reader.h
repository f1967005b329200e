/* What the files share that read an architecture from YAML. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_ARCH_READER_H
#define RV_MODEL_ARCH_READER_H

#include "base/yaml.h"
#include "model/arch/arch.h"

/** More than any operation has attributes. */
enum { RV_READER_MAX_ROWS = 32 };

typedef struct rv_reader {
    rv_yaml yaml;
    rv_network *network;
    rv_architecture_shape shape; /**< classes 0: nobody said */
    rv_initializer init;         /**< of layers that name none; gain 0: what the command says */
} rv_reader;

/** A whole number; `what` names it in messages. */
RV_NODISCARD rv_status rv_read_whole(int32_t *out, const rv_reader *r, const yaml_node_t *node,
                                     double min, double max, const char *what);
/** The value of an attribute by its row: a word, a number, or as many numbers as the row says. "classes" is the number
 *  of classes, "true" and "false" are 1 and 0.
 *  @param owner  what has the attribute, for messages. */
RV_NODISCARD rv_status rv_read_attr(rv_attr_value *out, rv_reader *r, const rv_attr *row,
                                    const yaml_node_t *node, const char *owner);
RV_NODISCARD rv_status rv_read_initializer(rv_initializer *out, const rv_reader *r,
                                           const yaml_node_t *node);
/** The name of a network, layer or block: letters that options can take. */
RV_NODISCARD rv_status rv_read_name(const char **out, const rv_reader *r, const yaml_node_t *node);

/** Adds the layers of a file's list to the network, whose input is set. */
RV_NODISCARD rv_status rv_read_layers(rv_reader *r, const yaml_node_t *list);

#endif
