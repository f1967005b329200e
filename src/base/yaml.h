/* YAML files as trees of nodes, with the place of each for messages. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_YAML_H
#define RV_BASE_YAML_H

#include <reverie/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

/** A parsed document; start from {0}. */
typedef struct rv_yaml {
    yaml_document_t document;
    bool loaded;
    const char *name; /**< of the file, for messages; borrowed */
} rv_yaml;

/** Parses text.
 *  @param name  stands before messages.
 *  @return RV_ERR_FORMAT with "NAME:LINE:" where it is no YAML or empty. */
RV_NODISCARD rv_status rv_yaml_parse(rv_yaml *out, const char *text, size_t n, const char *name);
/** Parses a file of at most 1 MiB. */
RV_NODISCARD rv_status rv_yaml_read(rv_yaml *out, const char *path);
void rv_yaml_release(rv_yaml *yaml);

yaml_node_t *rv_yaml_root(rv_yaml *yaml);
/** Node of a pair or an item, as libyaml numbers them. */
yaml_node_t *rv_yaml_node(rv_yaml *yaml, int number);
/** Text of a scalar, NULL for any other node; borrowed. */
const char *rv_yaml_text(const yaml_node_t *node);
/** A number of a scalar in [min, max], or a failure that names `what`. */
RV_NODISCARD rv_status rv_yaml_number(double *out, const rv_yaml *yaml, const yaml_node_t *node,
                                      double min, double max, const char *what);

/** Values of the keys of a mapping: out[i] is that of names[i], NULL where it is absent.
 *  @param what  the mapping in messages.
 *  @return RV_ERR_FORMAT where it is no mapping, a key stands twice, or is none of these: the nearest is named. */
RV_NODISCARD rv_status rv_yaml_keys(yaml_node_t **out, rv_yaml *yaml, const yaml_node_t *node,
                                    const char *const *names, size_t n, const char *what);

/** Fails with RV_ERR_FORMAT and "NAME:LINE: " before the message. */
rv_status rv_yaml_fail(const rv_yaml *yaml, const yaml_node_t *node, const char *format, ...)
    RV_PRINTF(3, 4);

#endif
