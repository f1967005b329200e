/* What the files of the harness share: a case's numbers, and a node whose tensors lie between guard zones. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_OP_RIG_H
#define RV_TESTS_OP_RIG_H

#include "support/op_check.h"

#include "base/text.h"

enum { RV_RIG_TENSORS = 4, RV_RIG_DIRECTIONS = 8, RV_RIG_END_BYTES = 64 };

/** Slopes of rectifiers that a node is asked to merge; the first is none. */
enum { RV_RIG_SLOPES = 3 };
extern const float rv_rig_slopes[RV_RIG_SLOPES];

/** The random numbers that the harness hands to operations and twins. */
enum { RV_RIG_SEED = 2718, RV_RIG_STEP = 3, RV_RIG_STREAM = 5 };

/** A case with its numbers and what the twin makes of them; knows no device, layout or form. */
typedef struct rv_problem {
    const rv_op *op;
    const rv_op_case *c;
    rv_twin *twin;
    rv_node node; /**< shapes and attributes only */
    void *attrs;
    rv_tensor in[RV_RIG_TENSORS], out[RV_RIG_TENSORS];
    rv_tensor param[RV_MAX_PARAMS], state[RV_MAX_STATE], saved[RV_MAX_SAVED];
    rv_tensor *in_list[RV_RIG_TENSORS], *out_list[RV_RIG_TENSORS];
    uint32_t offered; /**< gradients that can be asked for */

    /* In plain order; owned. */
    float *in_data[RV_RIG_TENSORS], *d_out_data[RV_RIG_TENSORS];
    float *param_data[RV_MAX_PARAMS], *state_data[RV_MAX_STATE];
    double *out_twin[RV_RIG_TENSORS], *state_twin[RV_MAX_STATE];
    /** By slope that the output is rectified with, and bit of `offered`: derivative of
     *  sum(out * d_out) along each direction. */
    double slope[RV_RIG_SLOPES][32][RV_RIG_DIRECTIONS];
    double slope_noise; /**< what a slope of zero may come out as */
} rv_problem;

/** Infers and draws; RV_ERR_USAGE for a case that is wrong in itself. Slopes come later. */
RV_NODISCARD rv_status rv_problem_create(rv_problem *out, const rv_op *op, rv_twin *twin,
                                         const rv_op_case *c);
RV_NODISCARD rv_status rv_problem_slopes(rv_problem *p);
void rv_problem_release(rv_problem *p);
/** Component i of direction k for the tensor of `bit`: 1, -1, or 0 in the sparse directions. */
double rv_problem_direction(int bit, int k, size_t i);
/** Shape of the input or parameter of `bit`. */
const rv_shape *rv_problem_shape(const rv_problem *p, int bit);
bool rv_problem_has_param(const rv_problem *p, int i);

typedef struct rv_rig_layouts {
    rv_layout in[RV_RIG_TENSORS], out[RV_RIG_TENSORS], saved[RV_MAX_SAVED];
} rv_rig_layouts;

typedef struct rv_rig_options {
    rv_rig_layouts layouts;
    uint32_t wanted;       /**< what backward is planned for */
    bool inplace;          /**< out[0] over in[0] */
    bool backward_inplace; /**< d_in[0] over d_out[0] */
    float slope;           /**< of rv_node */
    const char *algorithm; /**< for each pass that has it; NULL: as the operation chooses */
} rv_rig_options;

/** Device memory between guard zones. */
typedef struct rv_area {
    const char *what; /**< "input", NULL: not in use */
    int index;
    rv_tensor *tensor; /**< NULL for workspace and packed parameters */
    rv_buffer *whole, *view;
    size_t bytes;
    float *wrote; /**< what was written last */
    bool fixed;   /**< the operation may not change it */
    bool filled;  /**< some run wrote to its last RV_RIG_END_BYTES */
    float poison; /**< a NaN of this area's own: no copy from another area looks untouched */
} rv_area;

typedef struct rv_rig {
    rv_device *device;
    const rv_problem *problem;
    rv_rig_options options;
    rv_node node;
    rv_tensor in[RV_RIG_TENSORS], out[RV_RIG_TENSORS], d_in[RV_RIG_TENSORS], d_out[RV_RIG_TENSORS];
    rv_tensor param[RV_MAX_PARAMS], d_param[RV_MAX_PARAMS];
    rv_tensor state[RV_MAX_STATE], saved[RV_MAX_SAVED];
    rv_tensor *list[4 * RV_RIG_TENSORS]; /**< what the node's arrays point into */
    rv_area in_area[RV_RIG_TENSORS], out_area[RV_RIG_TENSORS];
    rv_area d_in_area[RV_RIG_TENSORS], d_out_area[RV_RIG_TENSORS];
    rv_area param_area[RV_MAX_PARAMS], d_param_area[RV_MAX_PARAMS];
    rv_area state_area[RV_MAX_STATE], saved_area[RV_MAX_SAVED];
    rv_area forward_area, backward_area, packed_area, packed_back_area;
    uint32_t n_areas;
} rv_rig;

/** What one run left, in plain order; NULL where there is nothing. */
typedef struct rv_rig_result {
    float *out[RV_RIG_TENSORS], *state[RV_MAX_STATE];
    float *gradient[32]; /**< by bit of wanted */
} rv_rig_result;

/** How one run is made. */
typedef struct rv_rig_run {
    uint32_t wanted, accumulate;
    const rv_rig_result *start; /**< with `accumulate`: gradients that set the size of what is
                                     accumulated onto; otherwise NULL */
    bool zero_inputs;
} rv_rig_run;

/** Makes an area of `bytes`, or of a tensor's size, which gets its buffer. */
RV_NODISCARD rv_status rv_area_create(rv_area *a, rv_rig *rig, const char *what, int index,
                                      rv_tensor *tensor, size_t bytes);
RV_NODISCARD rv_status rv_area_tensor(rv_area *a, rv_rig *rig, const char *what, int index,
                                      rv_tensor *tensor);
void rv_area_release(rv_area *a);
/** Sends a->wrote with its guard zones; the operation may not change it where `fixed`. */
RV_NODISCARD rv_status rv_area_send(rv_area *a, rv_rig *rig, bool fixed);
/** Plain values with zeros in the pad lanes, or poison all over. */
RV_NODISCARD rv_status rv_area_write(rv_area *a, rv_rig *rig, const float *plain, bool fixed);
RV_NODISCARD rv_status rv_area_poison(rv_area *a, rv_rig *rig, bool fixed);
/** From now on the operation may not change what it has written. */
RV_NODISCARD rv_status rv_area_keep(rv_area *a, rv_rig *rig);
/** Appends what the operation broke around and in this area. */
RV_NODISCARD rv_status rv_area_check(rv_area *a, rv_rig *rig, rv_text *faults);
/** *plain is made; pad lanes that are not zero are a fault. */
RV_NODISCARD rv_status rv_area_read(float **plain, const rv_area *a, rv_rig *rig, rv_text *faults);

/** Names of the algorithms of all passes, each once; returns how many there are. */
size_t rv_rig_algorithms(const char *names[RV_PASSES * RV_MAX_ALGORITHMS], rv_device *device,
                         const rv_problem *problem, const rv_rig_options *options);

/** Prepares the node and gives it memory. Release also after a failure. */
RV_NODISCARD rv_status rv_rig_create(rv_rig *out, rv_device *device, const rv_problem *problem,
                                     const rv_rig_options *options);
void rv_rig_release(rv_rig *rig);
/** Fills all memory anew, runs forward and, where wanted, backward, and reads the results. What the
 *  operation broke (guard zones, read-only tensors, pad lanes) is appended to `faults`. */
RV_NODISCARD rv_status rv_rig_run_once(rv_rig *rig, const rv_rig_run *run, rv_rig_result *out,
                                       rv_text *faults);
/** What the operation has claimed, but never wrote to its end: "forward workspace"; NULL: nothing. */
const char *rv_rig_excess(const rv_rig *rig);
void rv_rig_result_release(rv_rig_result *result);
/** What gradient `bit` is accumulated onto at index i, where the gradient itself reaches `size`. */
float rv_rig_start_value(int bit, size_t i, double size);
/** The largest magnitude of n values. */
double rv_rig_largest(const float *x, size_t n);

#endif
