/* What the picture that moves is compared with: values of a graph, measured on other pictures. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TARGET_H
#define RV_STAGES_TARGET_H

#include "graph/plan.h"
#include "stages/picture.h"

typedef struct rv_target {
    rv_value value; /**< of the picture that moves */
    rv_value input; /**< of the graph, once there is a loss */
    float *data;    /**< what it shall be; NULL: nothing measured */
    size_t count;
} rv_target;

/** How to run a graph over a picture. */
typedef struct rv_target_source {
    rv_device *device;
    rv_graph *graph;
    rv_params *params;
    rv_value picture; /**< input of the graph, of the size that is measured */
    const rv_events *events;
} rv_target_source;

/** Runs the graph over a picture and adds `share` times what the n targets find to their data. */
RV_NODISCARD rv_status rv_targets_add(rv_target *const *targets, int n,
                                      const rv_target_source *source, const rv_planar *picture,
                                      double share);
void rv_target_release(rv_target *target);
double rv_target_mean_square(const rv_target *target);

#endif
