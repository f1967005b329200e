/* How much of what each position of a network's maps sees lies in a region of the picture. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_COVERAGE_H
#define RV_STAGES_COVERAGE_H

#include "graph/graph.h"

/** Of all values of a graph that depend on a picture. Starts from {0}. */
typedef struct rv_coverage {
    float *
        *planes;  /**< of each value, [H,W], 0..1; NULL: it has no map, or shares that of another */
    rv_value *of; /**< of each value, whose plane is its own */
    size_t n_values;
} rv_coverage;

/** Follows a region through the graph as if each window took the mean of what it sees: that weighs the middle of a field
 *  of view more than its rim, as networks do (Luo et al. 2016). What lies beyond the edge of a map does not count.
 *  @param region  [H,W] of the picture, 0..1. */
RV_NODISCARD rv_status rv_coverage_find(rv_coverage *out, const rv_graph *graph, rv_value picture,
                                        const float *region);
/** Of a value, [H,W]; NULL where it is no map of the picture. Borrowed. */
const float *rv_coverage_of(const rv_coverage *coverage, rv_value value);
void rv_coverage_release(rv_coverage *coverage);

#endif
