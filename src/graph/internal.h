/* What the files that make a plan share: steps, storages, and the order in which they are made.
 *
 * A plan's forward steps are its nodes in order, 0 to n - 1; node i runs backward in step
 * 2n - 1 - i. A storage is a piece of device memory with the first and the last step that need
 * it; tensors that may share memory share a storage. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_GRAPH_INTERNAL_H
#define RV_GRAPH_INTERNAL_H

#include "graph/plan.h"

enum { RV_NO_STORAGE = -1 };

typedef struct rv_plan_value {
    rv_tensor tensor, gradient;
    rv_value graph_value; /**< -1 for what a reordering made */
    int producer;         /**< node of the plan, -1: given from outside */
    int reordered;        /**< the same value in the other layout, -1: none */
    bool output;          /**< wanted: readable after forward */
    bool gradient_output; /**< its gradient is wanted */
    bool needs_gradient;  /**< something below it is wanted */
    bool on_path;         /**< something above it is a wanted loss */
    int storage, gradient_storage;
} rv_plan_value;

typedef struct rv_plan_node {
    rv_node node;
    int graph_node;   /**< -1 for a reordering */
    int *in, *out;    /**< values of the plan */
    void *memory;     /**< the arrays of this struct and of `node`, its attributes and its name */
    rv_tensor absent; /**< stands for parameters that the node has not: rank 0 */
    rv_tensor saved[RV_MAX_SAVED];
    bool merged;         /**< the node before does its forward: output 0 lies over input 0 */
    uint32_t accumulate; /**< inputs whose gradient another node has written before */
    int saved_storage[RV_MAX_SAVED];
    int forward_workspace, backward_workspace; /**< storages */
    rv_buffer *forward_buffer, *backward_buffer;
    rv_buffer *packed, *packed_back;
} rv_plan_node;

typedef struct rv_storage {
    size_t bytes;
    int first, last; /**< steps, inclusive; a persistent one has 0 and INT_MAX */
    int arena;
    size_t offset;
    rv_buffer *view;
} rv_storage;

struct rv_plan {
    rv_device *device;
    rv_params *params;
    const rv_graph *graph; /**< valid while the plan is created only */
    rv_mode mode;
    uint32_t seed, run;
    bool param_gradients, backward;
    uint64_t packed_version; /**< of the parameters that were packed */

    rv_plan_value *values;
    size_t n_values, values_capacity;
    rv_plan_node *nodes;
    size_t n_nodes, nodes_capacity;
    int *value_of; /**< by graph value: value of the plan, -1: not needed */
    size_t n_value_of;

    int *losses; /**< wanted outputs that are losses */
    size_t n_losses;
    rv_buffer *loss_buffer, *seed_buffer;
    rv_buffer **loss_views;

    rv_storage *storages;
    size_t n_storages, storages_capacity;
    rv_buffer **arenas;
    size_t n_arenas, arenas_capacity;
    uint64_t bytes;
};

/** select.c: the nodes that the wanted outputs need, with layouts chosen and reorderings put in. */
RV_NODISCARD rv_status rv_plan_select(rv_plan *plan, const rv_plan_options *options);
/** select.c: what every node's backward is asked for, and who adds to whose gradient. */
RV_NODISCARD rv_status rv_plan_route_gradients(rv_plan *plan, const rv_plan_options *options);
/** select.c: whether the value is one of the wanted losses. */
bool rv_plan_is_loss(const rv_plan *plan, int value);
/** fuse.c: rectifiers go into the launch that makes their input. */
RV_NODISCARD rv_status rv_plan_fuse(rv_plan *plan);
/** memory.c: lifetimes, sharing, placement; sets the buffers of all tensors and workspaces. */
RV_NODISCARD rv_status rv_plan_place(rv_plan *plan);

#endif
