/* Counts how often a network is right over labelled pictures. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TALLY_H
#define RV_STAGES_TALLY_H

#include "dataset/loader.h"
#include "graph/plan.h"

/** Start from {0} and rv_tally_create(). */
typedef struct rv_tally {
    int32_t classes;
    uint64_t count;      /**< pictures with a label */
    double loss;         /**< sum of -log softmax at the label */
    uint64_t *ranks;     /**< [classes]: before whose class as many others were likelier */
    uint64_t *confusion; /**< [classes,classes]: label, prediction */
} rv_tally;

RV_NODISCARD rv_status rv_tally_create(rv_tally *out, int32_t classes);
void rv_tally_release(rv_tally *tally);

/** Adds n pictures; those with a label below 0 do not count. Where logits are equal the first class wins.
 *  @param logits  [n,classes] */
void rv_tally_add(rv_tally *tally, const float *logits, const float *labels, size_t n);
/** Pictures whose class is among the k likeliest. */
uint64_t rv_tally_top(const rv_tally *tally, int32_t k);
/** Index of the largest of n values, the first of equal ones; of a NaN the last, so that it is no class by chance. */
int32_t rv_largest(const float *values, int32_t n);

/** What a plan needs for running over batches. */
typedef struct rv_runner {
    rv_device *device;
    rv_plan *plan; /**< with the logits as output, for as many pictures as a batch has */
    rv_tensor *picture, *logits;
    float *host; /**< [batch,classes]: the last logits that were read */
} rv_runner;

/** Runs over all that a loader gives. RV_ERR_CANCELLED between batches. */
RV_NODISCARD rv_status rv_tally_run(rv_tally *tally, rv_runner *runner, rv_loader *loader,
                                    const rv_events *events);

#endif
