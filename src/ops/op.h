/* The contract of an operation: what a file in src/ops offers to graph, planner and tests. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_OP_H
#define RV_OPS_OP_H

#include "ops/attr.h"
#include "tensor/tensor.h"

enum { RV_MAX_PARAMS = 4, RV_MAX_STATE = 4, RV_MAX_SAVED = 2, RV_MAX_INPUTS = 28 };

/** Passes and algorithms of a node. */
enum { RV_PASSES = 3, RV_MAX_ALGORITHMS = 12 };

typedef struct rv_op rv_op;

typedef enum rv_mode { RV_INFER, RV_TRAIN } rv_mode;
typedef enum rv_pass { RV_PASS_FORWARD, RV_PASS_BACKWARD_DATA, RV_PASS_BACKWARD_PARAMS } rv_pass;

/** What passes and the planner may ask about an operation; they never ask for its name. */
enum {
    RV_OP_ELEMENTWISE = 1u << 0,      /**< each output value comes from the same place of input 0 */
    RV_OP_INPLACE = 1u << 1,          /**< forward may write its output over input 0 */
    RV_OP_BWD_READS_INPUT = 1u << 2,  /**< backward reads the inputs: they stay alive */
    RV_OP_BWD_READS_OUTPUT = 1u << 3, /**< backward reads the outputs */
    RV_OP_BWD_INPLACE = 1u << 4,      /**< backward may write d_in[0] over d_out[0] */
    RV_OP_AFFINE_PER_CHANNEL =
        1u << 5,             /**< y = a_c x + b_c in inference: folds into a convolution */
    RV_OP_DRAWS = 1u << 6,   /**< forward draws random numbers in training */
    RV_OP_LOSS = 1u << 7,    /**< the output is one number to be minimised */
    RV_OP_REORDER = 1u << 8, /**< changes the layout only; inserted by the planner */
    RV_OP_PARAMS_READ_INPUT =
        1u << 9, /**< backward reads the inputs, but only for gradients of parameters */
    RV_OP_RECTIFIES = 1u << 10, /**< forward honours rv_node.slope */
    RV_OP_BWD_RECTIFIES =
        1u << 11, /**< and so does backward: d_out belongs to the rectified output */
    RV_OP_FOLDS =
        1u << 12, /**< parameter 0 has a row per channel of the output, parameter 1 is what is
                                added to each, or absent: what may be changed to fold in an affine map */
    RV_OP_SELECTS =
        1u << 13, /**< each output is one of the values of input 0, to which backward hands its
                                  gradient; backward honours rv_node.slope, and then reads the output */
    RV_OP_JOINS = 1u << 14, /**< the output is the inputs one behind the other; forward honours
                                rv_node.placed, and backward rv_node.gradients_placed */
    RV_OP_HALVES =
        1u << 15 /**< takes about half of what varies around 0, as max(x, 0) does: weights before
                                  it start larger */
};

/** Bits of `wanted` and `accumulate`. */
#define RV_WANT_INPUT(i) (UINT32_C(1) << (i))
#define RV_WANT_PARAM(i) (UINT32_C(1) << (RV_MAX_INPUTS + (i)))

/** How a parameter or a state starts where no weights are given. */
typedef enum rv_init {
    RV_INIT_ZERO,
    RV_INIT_ONE,
    RV_INIT_QUARTER, /**< 0.25 */
    RV_INIT_HE       /**< drawn, by the initialiser that is asked for, else He's */
} rv_init;

/** One use of an operation. In a graph it has shapes only; in a plan it also has memory.
 *  All tensors are borrowed from the graph or the plan. */
typedef struct rv_node {
    const rv_op *op;
    const char *name;  /**< as in the model's file; for messages */
    const void *attrs; /**< the operation's own struct, filled through its table */

    int32_t n_in, n_out;
    rv_tensor **in;                  /**< shapes set before infer */
    rv_tensor **out;                 /**< shapes set by infer */
    rv_tensor *param[RV_MAX_PARAMS]; /**< plain; shapes set by infer; rank 0: absent */
    rv_tensor *state[RV_MAX_STATE];  /**< plain running statistics; shapes set by infer */
    rv_tensor *saved[RV_MAX_SAVED];  /**< from forward to backward; shape set by infer, layout by
                                          layouts, or both by prepare; buffer NULL where no backward
                                          is planned */
    int32_t fan_in, fan_out; /**< set by infer where a parameter starts as RV_INIT_HE: values
                                          that enter a unit, and units that a value goes to */

    /* Set by the planner before prepare. */
    rv_mode mode;
    uint32_t wanted; /**< gradients that backward will be asked for; 0: no backward */
    float slope;     /**< with RV_OP_RECTIFIES: forward stores y where y >= 0, else slope * y; 1:
                          nothing to do. Backward is that of the operation alone, unless
                          RV_OP_BWD_RECTIFIES. With RV_OP_SELECTS: input 0 has been rectified so, and
                          backward gives the gradient of what it was before */
    bool
        guided; /**< of an operation with `rectifier`: backward hands down only what of a gradient is
                      above 0 */
    uint32_t placed; /**< with RV_OP_JOINS, bits as in `wanted`: inputs that were computed in their
                          place of the output, and are not to be copied */
    uint32_t gradients_placed; /**< and inputs whose gradient is the one in that place */
    uint32_t
        gated; /**< bits as in `wanted`: inputs that have been rectified, with the slope `gate`,
                         where rv_op.gates allows it: backward, which is the last to write their
                         gradient, makes of all that is in it then the gradient of what they were
                         before. It reads the inputs for that, or with RV_OP_JOINS the output */
    float gate;
    const char *algorithm[RV_PASSES]; /**< by rv_pass: one of its candidates to run, NULL: the
                                           operation chooses; after prepare the one that runs, where
                                           there is more than one way */

    /* Set by prepare. */
    void *priv;                /**< kernels and choices of the operation; freed with free() */
    size_t forward_workspace;  /**< bytes of device memory needed during forward */
    size_t backward_workspace; /**< and during backward */
    size_t packed_bytes; /**< bytes for parameters in the algorithm's own order, as forward reads
                              them; 0: none */
    size_t packed_back_bytes; /**< and as backward reads them */

    /* Set by the planner after prepare. */
    rv_buffer *workspace; /**< for the pass that runs; NULL where none was asked for */
    rv_buffer *packed;    /**< for the pass that runs or is packed */
    rv_tensor **d_in;     /**< gradient of each input, NULL where not wanted; layout of the input */
    rv_tensor **d_out;    /**< gradient of each output, layout of the output */
    rv_tensor *d_param[RV_MAX_PARAMS]; /**< plain */
} rv_node;

/** What a run hands to every node. */
typedef struct rv_exec {
    rv_device *device;
    uint32_t
        accumulate;  /**< bits as in rv_node.wanted: add to this gradient, do not overwrite it */
    uint32_t seed;   /**< Philox key for operations that draw numbers */
    uint32_t step;   /**< counts runs: no two draw the same numbers */
    uint32_t stream; /**< tells this node's draws from another's */
    bool again; /**< forward runs a second time, before backward: the same outputs from the same
                          inputs; state stays as it is, saved tensors are there already */
} rv_exec;

/** An operation: a const struct at the bottom of its file. A NULL member is not supported, or
 *  nothing to do. infer, layouts and prepare run once per plan; pack, forward and backward only
 *  enqueue launches and allocate nothing. Every kernel writes zero to pad lanes. */
struct rv_op {
    const char *name; /**< snake_case; names its file, kernels, tests and twin, or its family's */
    const char *summary; /**< one line for `models info`, errors and docs */
    const rv_attr *attrs;
    size_t attr_size;
    uint32_t traits;
    uint32_t no_gradient; /**< bits RV_WANT_INPUT(i) of inputs that have none, such as labels: the
                               planner refuses to ask for it */
    uint8_t min_in, max_in, n_out, n_params, n_state, n_saved;
    rv_init param_init[RV_MAX_PARAMS];
    rv_init state_init[RV_MAX_STATE];
    const char *param_names[RV_MAX_PARAMS]; /**< "weight", "bias" */
    const char *state_names[RV_MAX_STATE];

    /** Shapes of outputs, parameters, state and saved tensors from inputs and attributes; no
     *  device. RV_ERR_SHAPE names the node and both sizes. */
    rv_status (*infer)(rv_node *n);
    /** in[i] holds the layout each input comes in; the operation changes it to the one it takes
     *  (the planner converts), sets out[i], and the layout of each n->saved. NULL: everything in
     *  the layout of input 0. Blocked is possible for rank 4 only. */
    void (*layouts)(const rv_node *n, rv_layout *in, rv_layout *out);
    /** Names of the algorithms that can run a pass of the node, static strings, the one that it would
     *  choose by itself first, the plainest last; returns how many there are. NULL: there is one way only. */
    size_t (*algorithms)(const rv_node *n, const rv_device *device, rv_pass pass,
                         const char *names[RV_MAX_ALGORITHMS]);
    /** Chooses the algorithm from device class and shapes, gets kernels, states workspace and
     *  packed bytes. */
    rv_status (*prepare)(rv_node *n, rv_device *device);
    /** Writes n->packed from n->param, for forward or for backward: whenever parameters changed, or
     *  before each use where memory is short. */
    rv_status (*pack)(const rv_node *n, const rv_exec *e, bool backward);
    /** Outputs from inputs; saved tensors where they have memory. */
    rv_status (*forward)(const rv_node *n, const rv_exec *e);
    /** The gradients `wanted` (a subset of n->wanted) of sum(out * d_out); overwrites or adds as
     *  e->accumulate says. */
    rv_status (*backward)(const rv_node *n, const rv_exec *e, uint32_t wanted);
    /** Whether backward honours rv_node.gated on this device; layouts and shapes are known by then.
     *  NULL: never. */
    bool (*gates)(const rv_node *n, const rv_device *device);
    /** Whether forward and backward take out[0] and d_out[0] whose rv_tensor.apart is set. NULL: never. */
    bool (*places)(const rv_node *n, const rv_device *device);
    /** Whether this node is x where x >= 0, else *slope * x, from input 0 to output 0: then a producer
     *  with RV_OP_RECTIFIES can do it in its own launch. NULL: never. */
    bool (*rectifier)(const rv_node *n, float *slope);
    /** With RV_OP_AFFINE_PER_CHANNEL: y = a_c x + b_c in inference. to[0] = a_k from[0], row by row, and
     *  to[1] = a_k from[1] + b_k; from[1] may be NULL, and `to` may be `from`. Enqueues only. */
    rv_status (*fold)(const rv_node *n, rv_device *device, rv_tensor to[2], rv_tensor *from[2]);
    /** A multiply-add counts as two; NULL: bound by memory, counted as none. */
    double (*flops)(const rv_node *n, rv_pass pass);
};

/** Whether a node has its parameter i: a bias, for one, may be left out. */
static inline bool rv_node_has_param(const rv_node *n, int i)
{
    return n->param[i] != NULL && n->param[i]->shape.rank > 0;
}

/** Whether backward, with what is wanted of it, reads the inputs. */
static inline bool rv_backward_reads_input(const rv_node *n)
{
    const uint32_t inputs = RV_WANT_INPUT(RV_MAX_INPUTS) - 1;
    return (n->op->traits & RV_OP_BWD_READS_INPUT) != 0 ||
           (n->gated != 0 && (n->op->traits & RV_OP_JOINS) == 0) ||
           ((n->op->traits & RV_OP_PARAMS_READ_INPUT) != 0 && (n->wanted & ~inputs) != 0);
}

/** Whether backward reads the outputs. */
static inline bool rv_backward_reads_output(const rv_node *n)
{
    return (n->op->traits & RV_OP_BWD_READS_OUTPUT) != 0 ||
           (n->gated != 0 && (n->op->traits & RV_OP_JOINS) != 0) ||
           ((n->op->traits & RV_OP_SELECTS) != 0 && n->slope != 1);
}

/** Sets n->algorithm from the tuning table of the device, before prepare: what the table says and
 *  the operation still offers. */
RV_NODISCARD rv_status rv_node_tuned(rv_node *n, rv_device *device);
/** The key of a pass in that table: operation, pass, mode, attributes that are not defaults, and
 *  shapes with layouts, the pixels of a map as the nearest power of two: what is best for a picture
 *  is best for one of about its size. */
RV_NODISCARD rv_status rv_node_key(char **out, const rv_node *n, rv_pass pass);
/** "forward", "backward_data" or "backward_weights". */
const char *rv_pass_name(rv_pass pass);

/** Zeroed n->priv of `bytes`. */
RV_NODISCARD rv_status rv_node_private(rv_node *n, size_t bytes);

/** For infer: RV_ERR_SHAPE unless input 0 is N,C,H,W, or for the second N,C,H,W or N,C. */
RV_NODISCARD rv_status rv_node_takes_maps(const rv_node *n);
RV_NODISCARD rv_status rv_node_takes_maps_or_vectors(const rv_node *n);

/** The operation of that name. RV_ERR_UNSUPPORTED names the nearest and `node`. */
RV_NODISCARD rv_status rv_op_find(const rv_op **out, const char *name, const char *node);
/** All operations, in the order of registry.h. */
const rv_op *const *rv_op_list(size_t *n);
/** The first operation with all these traits, NULL if there is none. */
const rv_op *rv_op_with(uint32_t traits);

#endif
