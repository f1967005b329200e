/* One operation alone on a device, on data that the host can draw again: timed pass by pass, and checked. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_BENCH_NODE_H
#define RV_STAGES_BENCH_NODE_H

#include "graph/plan.h"
#include <reverie/bench.h>

/** Tensors of a node with one input and one output. */
typedef struct rv_bench_node {
    rv_device *device;
    rv_node node;
    void *attrs;
    rv_tensor in, out, d_in, d_out;
    rv_tensor *ins[1], *outs[1], *d_ins[1], *d_outs[1];
    rv_tensor param[RV_MAX_PARAMS], d_param[RV_MAX_PARAMS];
    rv_buffer *forward_workspace, *backward_workspace;
    rv_buffer *forward_packed, *backward_packed;
} rv_bench_node;

/** Where a value of a node's data comes from. */
typedef enum rv_bench_data {
    RV_BENCH_INPUT,
    RV_BENCH_D_OUT,
    RV_BENCH_PARAM /**< and those of the parameters behind the first */
} rv_bench_data;

/** The value at `index`, in plain order, of what a node works on: uniform in [-1, 1). */
double rv_bench_value(uint32_t data, size_t index);

/** Double precision: the value at `index`, in plain order, of what a pass gives. */
typedef double rv_bench_expect(const rv_bench_node *b, rv_pass pass, size_t index);

/** Convolution with zeros around it, without dilation and groups; dense layer; Gram matrix divided by C*H*W. */
rv_bench_expect rv_bench_expect_conv, rv_bench_expect_dense, rv_bench_expect_gram;

/** A node of operation `op` with memory and data, for all passes that it has; no state, nothing saved. */
RV_NODISCARD rv_status rv_bench_node_create(rv_bench_node **out, rv_device *device, const char *op,
                                            const char *name, rv_shape in,
                                            const rv_attr_value *attrs, size_t n_attrs);
/** The same for an operation, attributes, shapes, layouts, mode and gradients as another node has them; that must
 *  outlive it. */
RV_NODISCARD rv_status rv_bench_node_like(rv_bench_node **out, rv_device *device,
                                          const rv_node *other);
void rv_bench_node_destroy(rv_bench_node *b);
/** Prepares the node again, with that algorithm for a pass; the others stay as they are. */
RV_NODISCARD rv_status rv_bench_node_choose(rv_bench_node *b, rv_pass pass, const char *algorithm);
/** Runs one pass, and waits for it. */
RV_NODISCARD rv_status rv_bench_node_run(rv_bench_node *b, rv_pass pass);
/** What a pass writes: of the gradients of parameters the first. */
const rv_tensor *rv_bench_node_result(const rv_bench_node *b, rv_pass pass);

/** Times one pass, as rv_bench_row says, and compares some of its values with `expect`.
 *  @param[out] row  all of it: the algorithm is the one the node chose, or the kernel that takes most of the time.
 *  @param peak_gflops  what ratio_to_peak relates to.
 *  @param events  NULL, or asked between runs whether to stop. */
RV_NODISCARD rv_status rv_bench_node_measure(rv_bench_node *b, rv_bench_row *row, rv_pass pass,
                                             rv_bench_expect *expect, double peak_gflops,
                                             const rv_events *events);

/** Hands the plan of an iteration, as rv_bench_stylize() measures it, to `visit`, and drops it. */
RV_NODISCARD rv_status rv_bench_stylize_plan(rv_device *device, const rv_model *model, int size,
                                             const rv_events *events,
                                             rv_status (*visit)(void *payload, const rv_plan *plan),
                                             void *payload);

/** rv_bench_peak() as a part of another measurement: no progress is reported. */
RV_NODISCARD rv_status rv_bench_limits(rv_device *device, rv_bench_peak_result *out,
                                       const rv_events *events);

/** Median of n >= 1 values, which it sorts. */
double rv_bench_median(double *values, size_t n);

#endif
