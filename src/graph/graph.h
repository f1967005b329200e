/* A network as data: values, nodes and parameters, built first and run later through a plan. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_GRAPH_GRAPH_H
#define RV_GRAPH_GRAPH_H

#include "graph/init.h"
#include "ops/op.h"

/** Nodes in order of construction, which is an order they can run in. Shapes are inferred as nodes
 *  are added, so a mistake is reported at the node that makes it. */
typedef struct rv_graph rv_graph;

/** Number of a value (an input or an output of a node) in its graph. */
typedef int32_t rv_value;

/** A parameter or a state of a node. */
typedef struct rv_param {
    const char *node; /**< name of its node; borrowed */
    const char *name; /**< "weight"; borrowed */
    rv_shape shape;
    rv_init init;
    int32_t fan_in, fan_out;
    rv_initializer
        by;      /**< what draws it, whatever is asked for of all; gain 0: what is asked for */
    float *data; /**< host values, plain; NULL: to be initialised, or lent; owned by the graph */
    const uint8_t *lent; /**< NULL, or where they lie in a mapped file: floats at any address */
} rv_param;

RV_NODISCARD rv_status rv_graph_create(rv_graph **out);
void rv_graph_destroy(rv_graph *graph);

/** A value that is given from outside, always plain. */
RV_NODISCARD rv_status rv_graph_input(rv_graph *graph, rv_value *out, const char *name,
                                      rv_shape shape);

/** Adds a node named `name` of operation `op`.
 *  @param[out] out  n_out values of the operation (nearly always one).
 *  @param in        n_in values of this graph.
 *  @param attrs     RV_ATTRS(...) or RV_NO_ATTRS.
 *  @return RV_ERR_UNSUPPORTED: no such operation; RV_ERR_USAGE: attributes, or the name is taken;
 *          RV_ERR_SHAPE: from inference. */
RV_NODISCARD rv_status rv_graph_add(rv_graph *graph, rv_value *out, const char *op,
                                    const char *name, const rv_value *in, int n_in,
                                    const rv_attr_value *attrs, size_t n_attrs);

/** Gives a value one more name (a top name of a Caffe file). A later alias of the same name wins. */
RV_NODISCARD rv_status rv_graph_alias(rv_graph *graph, rv_value value, const char *name);

/** The value of a name: output 0 of the node of that name, else the input or alias.
 *  RV_ERR_NOT_FOUND names the nearest and lists all. */
RV_NODISCARD rv_status rv_graph_find(const rv_graph *graph, rv_value *out, const char *name);

/** Changes the shape of an input and infers everything anew. On failure the old shapes stay.
 *  Parameters and state must keep their shapes: RV_ERR_SHAPE otherwise. */
RV_NODISCARD rv_status rv_graph_reshape(rv_graph *graph, rv_value input, rv_shape shape);

/** How far a graph has been built. */
typedef struct rv_graph_mark {
    size_t n_nodes, n_values, n_aliases;
} rv_graph_mark;

rv_graph_mark rv_graph_get_mark(const rv_graph *graph);
/** Removes all that was added since `mark`: what serves one size, such as losses and their targets. */
void rv_graph_rewind(rv_graph *graph, rv_graph_mark mark);

int rv_graph_node_count(const rv_graph *graph);
/** Shapes, attributes and operation of a node; no memory. Borrowed until the next add. */
const rv_node *rv_graph_node(const rv_graph *graph, int index);
int rv_graph_value_count(const rv_graph *graph);
const rv_shape *rv_graph_shape(const rv_graph *graph, rv_value value);
const char *rv_graph_value_name(const rv_graph *graph, rv_value value);
/** Node that makes the value, -1 for an input. */
int rv_graph_producer(const rv_graph *graph, rv_value value);
/** Values that node `index` takes, n_in of them; borrowed. */
const rv_value *rv_graph_node_inputs(const rv_graph *graph, int index);
rv_value rv_graph_node_output(const rv_graph *graph, int index, int output);

/** Parameter `i` of a node, NULL where the node has it not (a convolution without bias). */
rv_param *rv_graph_param(rv_graph *graph, int node, int i);
rv_param *rv_graph_state(rv_graph *graph, int node, int i);
/** Copies values into a parameter or state. RV_ERR_SHAPE names both counts; RV_ERR_FORMAT: NaN or
 *  infinite. */
RV_NODISCARD rv_status rv_param_set(rv_param *param, const float *data, size_t count);
/** From so many values on, a file lends them rather than have them copied. */
enum { RV_PARAM_LARGE = 1 << 20 };

/** Lets a parameter have its values where they lie, so that there is no copy of large ones on the host. Status as
 *  of rv_param_set().
 *  @param values  floats at any address in a mapped file, which has to stay open until rv_params_create() or
 *                 rv_param_read() has taken them */
RV_NODISCARD rv_status rv_param_lend(rv_param *param, const uint8_t *values, size_t count);
/** Copies all values of one that has some. */
void rv_param_read(float *out, const rv_param *param);

/** Frees the values of all parameters and states, which rv_params_create() has taken to the device. */
void rv_graph_release_values(rv_graph *graph);
/** Fills each parameter and state without values: drawn ones by their own initialiser, else by that given; all else
 *  as its operation says. Drawn by Philox(seed, parameter number, index). */
RV_NODISCARD rv_status rv_graph_initialize_by(rv_graph *graph, const rv_initializer *initializer,
                                              uint32_t seed);
/** The same by He et al. 2015. */
RV_NODISCARD rv_status rv_graph_initialize(rv_graph *graph, uint32_t seed);

#endif
