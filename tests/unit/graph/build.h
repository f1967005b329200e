/* What the tests of plans build on: a device, a graph with a few words to build it, parameters and a plan. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_GRAPH_BUILD_H
#define RV_TESTS_GRAPH_BUILD_H

#include "graph/internal.h"

/** Of the test that runs: made by open_device(), the last two by the test itself. */
extern rv_device *device;
extern rv_graph *graph;
extern rv_params *params;
extern rv_plan *plan;

/** For .init and .fini of a suite: the second frees all four. */
void open_device(void);
void close_device(void);

/** Each adds to the graph and fails the test where that fails; conv() is 3x3, padded, to k channels. */
rv_value input(const char *name, rv_shape shape);
rv_value apply(const char *op, const char *name, rv_value in);
rv_value join(const char *op, const char *name, rv_value a, rv_value b);
rv_value conv(const char *name, rv_value in, int k);

/** Draws the parameters of the graph. */
void make_params(bool gradients);
/** Plans the graph, with parameters drawn where there are none yet. */
void make_plan(rv_plan_options options);
/** Frees plan and parameters, so that the same graph can be planned for other outputs. */
void release_plan(void);
/** The node of the plan that makes a value; borrowed. */
const rv_plan_node *node_of(rv_value v);
/** The numbers of a value, NCHW; freed with free(). */
float *read_value(rv_value v);
/** Runs the plan forward with numbers of both signs in x. @return those of `out`, as read_value() */
float *run_plan(rv_value x, rv_value out);

/** Attributes of such a convolution. */
#define CONV(k) \
    RV_ATTRS(RV_SET_INT("num_output", k), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1))

#endif
