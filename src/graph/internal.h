/* What the files that make a plan share: steps, storages, and the order in which they are made.
 *
 * A plan is a list of steps: every node forward, then those that backward is wanted of in reverse.
 * Between these, nodes whose outputs were not kept run forward again, right before backward needs
 * them. A storage is a piece of device memory with the first and the last step that need it; tensors
 * that may share memory share a storage. A value that is computed twice has two storages. */
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
    int last, again_last; /**< last step that reads it as first computed, and as computed again */
    int storage, again_storage, gradient_storage;
    int whole;           /**< the value that this one is computed as a part of, -1: none */
    int gradient_whole;  /**< the value whose gradient that of this one is a part of, -1: none */
    size_t whole_offset; /**< where in either, in bytes of a picture */
    rv_buffer *part, *gradient_part; /**< those places; owned */
    rv_buffer *first, *again; /**< where it lies, as first computed and again; NULL: one place */
} rv_plan_value;

typedef enum rv_step_kind { RV_STEP_FORWARD, RV_STEP_AGAIN, RV_STEP_BACKWARD } rv_step_kind;
enum { RV_STEP_KINDS = 3 };

typedef struct rv_step {
    int node;
    rv_step_kind kind;
} rv_step;

typedef struct rv_plan_node {
    rv_node node;
    int graph_node;   /**< -1 for a reordering */
    int *in, *out;    /**< values of the plan */
    void *memory;     /**< the arrays of this struct and of `node`, its attributes and its name */
    rv_tensor absent; /**< stands for parameters that the node has not: rank 0 */
    rv_tensor saved[RV_MAX_SAVED];
    bool merged;   /**< the node before does its forward: output 0 lies over input 0 */
    bool left_out; /**< the node before does all of it: gone once fuse.c is through */
    bool folds;    /**< its parameters 0 and 1 are `folded`, with the maps that followed it */
    rv_tensor folded[2];
    uint32_t accumulate; /**< inputs whose gradient another node has written before */

    /* Decisions: shrink.c changes them where memory is short. */
    bool kept; /**< its outputs stay till backward has read them; false: run again for that */
    bool pack_on_use; /**< parameters are packed for each step, not once */

    int at[RV_STEP_KINDS]; /**< its steps, -1: none */
    int saved_storage[RV_MAX_SAVED];
    int workspace[RV_STEP_KINDS], packed[RV_STEP_KINDS]; /**< storages */
    int folded_storage[2];
    rv_buffer *workspace_view[RV_STEP_KINDS], *packed_view[RV_STEP_KINDS];
} rv_plan_node;

/** An affine map that is folded into the parameters of a node before it; several of one node stand in
 *  their order. */
typedef struct rv_plan_fold {
    rv_plan_node affine; /**< prepared, but never run */
    int maker;           /**< node of the plan */
    bool first;          /**< of that node */
} rv_plan_fold;

typedef struct rv_storage {
    size_t bytes;    /**< rounded up to where a view may start */
    int first, last; /**< steps, inclusive; a persistent one has 0 and INT_MAX */
    int arena;
    size_t offset;
    rv_buffer *view;
} rv_storage;

struct rv_plan {
    rv_device *device;
    rv_params *params;
    const rv_graph *graph; /**< valid while the plan is created only */
    const bool *frozen;    /**< likewise; as in the options */
    rv_mode mode;
    uint32_t seed, run;
    bool param_gradients, guided, backward;
    const rv_events *events;
    uint64_t packed_version; /**< of the parameters that were packed */

    rv_plan_value *values;
    size_t n_values, values_capacity;
    rv_plan_node *nodes;
    size_t n_nodes, nodes_capacity;
    rv_plan_fold *folds;
    size_t n_folds, folds_capacity;
    int *value_of; /**< by graph value: value of the plan, -1: not needed */
    size_t n_value_of;

    rv_step *steps; /**< the first n_nodes are forward */
    size_t n_steps, steps_capacity;

    int *losses; /**< wanted outputs that are losses */
    size_t n_losses;
    rv_buffer *loss_buffer, *seed_buffer;
    rv_buffer **loss_views;

    rv_storage *storages;
    size_t n_storages, storages_capacity;
    size_t *arena_bytes; /**< laid out */
    rv_buffer **arenas;  /**< allocated */
    size_t n_arenas;
    uint64_t bytes; /**< of all arenas */
};

/** Whether backward of the node runs. */
static inline bool rv_runs_backward(const rv_plan_node *p)
{
    return p->node.wanted != 0;
}
static inline bool rv_has_trait(const rv_plan_node *p, uint32_t trait)
{
    return (p->node.op->traits & trait) != 0;
}

/** select.c: the nodes that the wanted outputs need, with layouts chosen and reorderings put in. */
RV_NODISCARD rv_status rv_plan_select(rv_plan *plan, const rv_plan_options *options);
/** select.c: what every node's backward is asked for, and who adds to whose gradient. */
RV_NODISCARD rv_status rv_plan_route_gradients(rv_plan *plan, const rv_plan_options *options);
/** fuse.c: how often nodes read a value. */
int rv_plan_count_reads(const rv_plan *plan, int value);
/** select.c: whether the value is one of the wanted losses. */
bool rv_plan_is_loss(const rv_plan *plan, int value);
/** fuse.c: rectifiers go into the launch that makes their input, affine maps into parameters. */
RV_NODISCARD rv_status rv_plan_fuse(rv_plan *plan);
/** join.c: has inputs of a node that joins them computed right in its output, and their gradients
 *  be parts of its own. */
void rv_plan_join(rv_plan *plan);
/** fuse.c: computes the folded parameters. */
RV_NODISCARD rv_status rv_plan_fold_params(rv_plan *plan);
/** order.c: brings the nodes into an order in which values live short. */
RV_NODISCARD rv_status rv_plan_order(rv_plan *plan);

/** schedule.c: decides to keep all that backward reads, and to pack once. */
void rv_plan_keep_all(rv_plan *plan);
/** schedule.c: steps and storages that follow from the decisions; may be called again. */
RV_NODISCARD rv_status rv_plan_schedule(rv_plan *plan);
/** schedule.c: whether a node may run forward twice in an iteration. */
bool rv_plan_can_repeat(const rv_plan *plan, const rv_plan_node *p);
/** cost.c: what a node costs forward, what it costs to pack its parameters for a step that it has, and
 *  what a step costs in all; in floating-point operations. */
double rv_forward_cost(const rv_plan_node *p);
double rv_packing_cost(const rv_plan_node *p, rv_step_kind kind);
double rv_step_cost(const rv_plan *plan, rv_step step);

/** place.c: puts all storages into arenas. */
RV_NODISCARD rv_status rv_plan_place(rv_plan *plan);
/** place.c: the most bytes that live at one step, below which no placement can be. */
RV_NODISCARD rv_status rv_plan_live_bytes(const rv_plan *plan, uint64_t *out);
/** shrink.c: decides, schedules and places so that the arenas take at most `limit` bytes, or as few as
 *  can be. */
RV_NODISCARD rv_status rv_plan_fit(rv_plan *plan, uint64_t limit);
/** memory.c: device memory for all of it; sets the buffers of tensors, workspaces and packed
 *  parameters. */
RV_NODISCARD rv_status rv_plan_allocate(rv_plan *plan);

#endif
