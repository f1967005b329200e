/* All parameters of a graph in one arena on a device, their gradients in a twin arena. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_GRAPH_PARAMS_H
#define RV_GRAPH_PARAMS_H

#include "graph/graph.h"

/** Where one parameter lies in the arenas; offsets and counts in floats. */
typedef struct rv_segment {
    int node;
    int index;  /**< which parameter of the node, or which state */
    bool state; /**< a running statistic: no gradient */
    size_t offset;
    size_t count;
} rv_segment;

typedef struct rv_params rv_params;

/** Uploads the host values of `graph`, which must have been set or initialised.
 *  @param gradients  also make the twin arena. */
RV_NODISCARD rv_status rv_params_create(rv_params **out, rv_device *device, rv_graph *graph,
                                        bool gradients);
void rv_params_destroy(rv_params *params);

/** Arena of all values, and of all gradients (NULL without): the same offsets in both. */
rv_buffer *rv_params_values(rv_params *params);
rv_buffer *rv_params_gradients(rv_params *params);
size_t rv_params_floats(const rv_params *params);
const rv_segment *rv_params_segments(const rv_params *params, size_t *n);
/** The parameter, or running statistic, of a segment; borrowed from the graph. */
const rv_param *rv_segment_param(rv_graph *graph, const rv_segment *segment);
/** Tensors of one parameter, NULL where there is none; borrowed. */
rv_tensor *rv_params_tensor(rv_params *params, int node, int index);
rv_tensor *rv_params_gradient(rv_params *params, int node, int index);
rv_tensor *rv_params_state(rv_params *params, int node, int index);
/** To be called after values changed: plans pack anew before their next forward. */
void rv_params_changed(rv_params *params);
uint64_t rv_params_version(const rv_params *params);

#endif
