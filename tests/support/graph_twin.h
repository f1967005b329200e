/* A graph evaluated in double precision through the twins of its operations. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_GRAPH_TWIN_H
#define RV_TESTS_GRAPH_TWIN_H

#include "graph/graph.h"

/** Doubles for every value and parameter of a graph, in plain order. */
typedef struct rv_graph_twin {
    rv_graph *graph;
    double **value; /**< by value of the graph; the inputs are for the test to fill */
    double *(*param)[RV_MAX_PARAMS]; /**< by node; starts as a copy of the graph's */
} rv_graph_twin;

/** Fails the test where an operation has no twin here. */
void rv_graph_twin_create(rv_graph_twin *out, rv_graph *graph);
void rv_graph_twin_release(rv_graph_twin *twin);
/** Computes all values from the inputs. */
void rv_graph_twin_run(rv_graph_twin *twin);

#endif
