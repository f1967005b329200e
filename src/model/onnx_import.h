/* Turning the nodes of an ONNX graph into layers: what the importer and its families of nodes share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_ONNX_IMPORT_H
#define RV_MODEL_ONNX_IMPORT_H

#include "base/text.h"
#include "model/onnx.h"

/** What a name of the ONNX graph stands for: a constant, or what a layer computes. */
typedef struct rv_onnx_value {
    const char *name;               /**< borrowed from the file's node, input or tensor */
    const rv_onnx_tensor *constant; /**< NULL: a layer's */
    rv_value at;                    /**< in the trial graph */
    rv_onnx_shape shape; /**< as ONNX sees it: the trial graph's, or another reading of the
                                         same values in the same order */
    bool refused;        /**< a node before it cannot be run */
    int n_readers;       /**< nodes that take it, and the graph's outputs */
    size_t open_dense;   /**< 1 + index of a dense layer without bias that makes it, 0: none */
} rv_onnx_value;

typedef struct rv_onnx_importer {
    rv_onnx *onnx;
    rv_network *network;
    rv_graph *graph; /**< of the layers so far, for their shapes */
    rv_onnx_value *values;
    size_t n_values, capacity;
    rv_text refused; /**< nodes that cannot be run, and why */
    int n_refused;
    bool channels_last; /**< the input is N,H,W,C in the file, which then turns it */
} rv_onnx_importer;

/** Turns one node into layers. RV_ERR_UNSUPPORTED with what is in the way: the walk goes on, to find all. */
typedef rv_status rv_onnx_add(rv_onnx_importer *im, const rv_onnx_node *node);

/** The value of a name, NULL where there is none yet. Values move when one is added. */
rv_onnx_value *rv_onnx_find(const rv_onnx_importer *im, const char *name);
/** Adds a value. RV_ERR_FORMAT: the name is taken. */
RV_NODISCARD rv_status rv_onnx_add_value(rv_onnx_value **out, rv_onnx_importer *im,
                                         const char *name);
void rv_onnx_take_shape(rv_onnx_shape *out, const rv_shape *shape);
/** Input `i` of a node; NULL where it is left out. */
const rv_onnx_value *rv_onnx_in(const rv_onnx_importer *im, const rv_onnx_node *node, size_t i);
/** Input `i`, which a layer computes. RV_ERR_UNSUPPORTED: it is a constant, or missing. */
RV_NODISCARD rv_status rv_onnx_data(const rv_onnx_value **out, const rv_onnx_importer *im,
                                    const rv_onnx_node *node, size_t i);
/** The same, which is N,C,H,W. */
RV_NODISCARD rv_status rv_onnx_maps(const rv_onnx_value **out, const rv_onnx_importer *im,
                                    const rv_onnx_node *node, size_t i);
/** Input `i`, which is a constant; `what` names it. *out is NULL where it is left out and `optional`. */
RV_NODISCARD rv_status rv_onnx_constant(const rv_onnx_tensor **out, const rv_onnx_importer *im,
                                        const rv_onnx_node *node, size_t i, const char *what,
                                        bool optional);
/** Input `i` as one number, `initial` where it is left out. */
RV_NODISCARD rv_status rv_onnx_number(double *out, const rv_onnx_importer *im,
                                      const rv_onnx_node *node, size_t i, double initial);
/** Whole numbers of input `i`, at most RV_ONNX_MAX_LIST; *n is 0 where it is left out. */
RV_NODISCARD rv_status rv_onnx_numbers(int64_t *out, size_t *n, const rv_onnx_importer *im,
                                       const rv_onnx_node *node, size_t i);
/** Sizes that the trial graph has for a value. */
const rv_shape *rv_onnx_physical(const rv_onnx_importer *im, const rv_onnx_value *v);
/** Whether `v` is read as the trial graph has it. */
bool rv_onnx_is_direct(const rv_onnx_importer *im, const rv_onnx_value *v);
/** How many nodes that are needed take the value, the graph's outputs included. */
int rv_onnx_readers(const rv_onnx *onnx, const char *name);
/** RV_ERR_UNSUPPORTED where anything reads an output of the node beside the first: converters list masks that nobody
 *  wants. */
RV_NODISCARD rv_status rv_onnx_single_output(const rv_onnx_importer *im, const rv_onnx_node *node);
/** An axis counted from the front. RV_ERR_UNSUPPORTED: beyond the rank. */
RV_NODISCARD rv_status rv_onnx_axis(int *out, int64_t axis, int rank);
/** The same for one axis of a list; `seen` marks those before it. RV_ERR_FORMAT: it is one of them. */
RV_NODISCARD rv_status rv_onnx_take_axis(int *out, bool seen[RV_ONNX_MAX_RANK],
                                         const rv_onnx_node *node, int64_t axis, int rank);

/** Starts a layer that reads `in` and whose name is the node's; attributes are then set on *out.
 *  @param suffix  NULL, or what tells it from another layer of the same node. */
RV_NODISCARD rv_status rv_onnx_layer(rv_layer **out, rv_onnx_importer *im, const rv_onnx_node *node,
                                     const char *op, const char *suffix,
                                     const rv_onnx_value *const *in, size_t n_in);
/** Ends it: infers its shape and gives it the node's output. `like`: NULL, or a value in whose shape the output is
 *  read. */
RV_NODISCARD rv_status rv_onnx_end(rv_onnx_importer *im, const rv_onnx_node *node,
                                   const rv_onnx_shape *like);
/** The same for a layer in between: *out is valid until the next value. */
RV_NODISCARD rv_status rv_onnx_end_inner(rv_onnx_value *out, rv_onnx_importer *im);
/** The node's output is `in` once more, read in `shape`. */
RV_NODISCARD rv_status rv_onnx_alias(rv_onnx_importer *im, const rv_onnx_node *node,
                                     const rv_onnx_value *in, const rv_onnx_shape *shape);
/** The node's output is a constant. */
RV_NODISCARD rv_status rv_onnx_set_constant(rv_onnx_importer *im, const rv_onnx_node *node,
                                            const rv_onnx_tensor *tensor);
/** Says where a layer's parameter has its values. */
RV_NODISCARD rv_status rv_onnx_bind(rv_onnx_importer *im, const rv_layer *layer, const char *param,
                                    const rv_onnx_tensor *tensor, double factor, bool reciprocal);

/** The shape in which a node that only reads its input in another one gives it: Reshape, Flatten and their like.
 *  *done is false where `node` is none. */
RV_NODISCARD rv_status rv_onnx_reshaped(bool *done, rv_onnx_shape *out, const rv_onnx_importer *im,
                                        const rv_onnx_node *node, const rv_onnx_value *in);

/** What nodes become, by their families; NULL where none of them runs `op`. */
rv_onnx_add *rv_onnx_find_layer(const char *op);
rv_onnx_add *rv_onnx_find_elementwise(const char *op);
rv_onnx_add *rv_onnx_find_shaping(const char *op);
/** Nodes whose outputs are constants, whatever they read. */
rv_onnx_add *rv_onnx_find_source(const char *op);

/** Computes a node whose inputs are all constants, or which wants only their shapes. *done is false where it is no such
 *  node. */
RV_NODISCARD rv_status rv_onnx_fold(bool *done, rv_onnx_importer *im, const rv_onnx_node *node);

#endif
