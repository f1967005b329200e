/* Drives pictures of one channel apart: the likeness of their Gram matrices counts against them. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_LIKENESS_H
#define RV_STAGES_LIKENESS_H

#include "stages/filter_batch.h"

/** For pictures i and j of one channel and sign, with Gram matrices G of a layer, the term
 *
 *      w_i / 2 * sum over j of cos(G_i, G_j)
 *
 *  whose gradient is that of the product with w_i * sum over j of (G_j / |G_j| - cos * G_i / |G_i|) / |G_i|, which is
 *  found on the host between forward and backward: as a loss its value means nothing. */
typedef struct rv_likeness rv_likeness;

RV_NODISCARD rv_status rv_likeness_create(rv_likeness **out, rv_device *device, int n);
void rv_likeness_destroy(rv_likeness *likeness);

/** Adds the Gram matrices of a value [n,C,H,W] and a product with their targets to the graph.
 *  @param[out] outputs  both, for the outputs of the plan. */
RV_NODISCARD rv_status rv_likeness_add(rv_likeness *likeness, rv_graph *graph, rv_value value,
                                       rv_value outputs[2]);
/** After forward and before backward. @param weights  n: w of each picture */
RV_NODISCARD rv_status rv_likeness_update(rv_likeness *likeness, rv_plan *plan,
                                          const rv_filter *filters, const double *weights);

#endif
