/* A graph made ready to run on a device: what is computed, in which layouts, in which memory.
 *
 * Create: take the nodes that the wanted outputs need -> choose layouts and insert reorderings ->
 * prepare every node -> compute lifetimes over forward and backward steps -> place buffers ->
 * pack parameters. Run: forward, then backward, nothing allocated. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_GRAPH_PLAN_H
#define RV_GRAPH_PLAN_H

#include "graph/params.h"

typedef struct rv_plan rv_plan;

typedef struct rv_plan_options {
    rv_mode mode;
    const rv_value *outputs; /**< values that can be read after forward; the losses among them
                                  (RV_OP_LOSS) are summed to the objective */
    int n_outputs;
    const rv_value *feeds; /**< values given from outside beside the graph's inputs: what makes them
                                is left out */
    int n_feeds;
    const rv_value *gradients; /**< inputs or feeds whose gradient is wanted */
    int n_gradients;
    bool param_gradients; /**< also all parameters; needs rv_params with gradients */
    /** NULL, or by node of the graph: runs as in inference, and its parameters get no gradient; below the last
     *  that get one nothing runs backwards. */
    const bool *frozen;
    /** Rectifiers hand down only what of a gradient is above 0, as in guided backpropagation (Springenberg et al.
     *  2014): what is then called a gradient shows what speaks for the losses. */
    bool guided;
    uint32_t seed;   /**< key of everything drawn at random */
    uint64_t memory; /**< bytes that the plan may take, 0: what the device has left; where they are
                           few, values are computed again for backward and parameters packed for each
                           use: slower, with the same results to the byte */
    const rv_events
        *events;      /**< NULL, or asked before each step of a run whether to stop; must outlive
                                  the plan */
    uint64_t reserve; /**< of what the device has left, what is not for the plan */
    bool layout_only; /**< for rv_plan_bytes() and rv_plan_flops(): takes no device memory, and
                               cannot run */
} rv_plan_options;

/** Compiles a plan for the shapes that the graph has now; later changes of it do not matter.
 *  @param params  of the same graph (nodes may have been added since); must outlive the plan.
 *  @return RV_ERR_UNSUPPORTED "no gradient through X" before anything runs;
 *          RV_ERR_DEVICE_MEMORY with the bytes that are needed. */
RV_NODISCARD rv_status rv_plan_create(rv_plan **out, const rv_graph *graph, rv_params *params,
                                      rv_device *device, const rv_plan_options *options);
void rv_plan_destroy(rv_plan *plan);

/** Tensor of an input, feed or wanted output: write inputs before forward, read outputs after it.
 *  Inputs are plain, outputs of either layout. NULL for any other value. Borrowed. */
rv_tensor *rv_plan_tensor(rv_plan *plan, rv_value value);
/** Gradient of an input or feed, as wanted; plain. */
rv_tensor *rv_plan_gradient(rv_plan *plan, rv_value value);

/** Here and in backward RV_ERR_CANCELLED: options.events said so; what was computed is of no use. */
RV_NODISCARD rv_status rv_plan_forward(rv_plan *plan);
/** Gradients of the objective; after rv_plan_forward().
 *  @param accumulate_params  add to parameter gradients instead of overwriting them. */
RV_NODISCARD rv_status rv_plan_backward(rv_plan *plan, bool accumulate_params);

/** Makes the next forward run number `run` + 1, which is part of what is drawn at random: 0 at first. */
void rv_plan_set_run(rv_plan *plan, uint32_t run);

/** Waits and reads all wanted losses, in the order of the wanted outputs.
 *  @param[out] out  one double per loss among the outputs, or NULL.
 *  @param[out] sum  their sum, or NULL. */
RV_NODISCARD rv_status rv_plan_losses(rv_plan *plan, double *out, double *sum);

uint64_t
rv_plan_bytes(const rv_plan *plan); /**< device memory of activations, gradients, packing */
double rv_plan_flops(const rv_plan *plan, rv_pass pass);
/** Node `index` as it was prepared, NULL beyond the last; borrowed. */
const rv_node *rv_plan_node_at(const rv_plan *plan, size_t index);
/** Nodes that forward runs, reorderings included, and without those that another does too. */
int rv_plan_step_count(const rv_plan *plan);

#endif
