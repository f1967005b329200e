/* How much of the picture a value of a layer sees. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_REACH_H
#define RV_STAGES_REACH_H

#include "graph/graph.h"

typedef struct rv_reach {
    int size;   /**< pixels along a side that one value sees; 0: all of the picture */
    int stride; /**< pixels from one value to the next */
} rv_reach;

/** The same along both axes: the larger of the two. */
RV_NODISCARD rv_status rv_reach_find(rv_reach *out, const rv_graph *graph, rv_value value);

#endif
