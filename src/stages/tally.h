/* Counts how often a network is right over labelled pictures, or how far off it is. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TALLY_H
#define RV_STAGES_TALLY_H

#include "dataset/loader.h"
#include "graph/plan.h"

/** What a network gives, before softmax or sigmoid, and how it is compared with what it should. */
typedef struct rv_scoring {
    rv_task task;
    int32_t n; /**< classes, labels or quantities */
    const float *mean,
        *deviation; /**< with RV_TASK_VALUES: a quantity t is learned as (t - mean) / deviation; NULL: as it is */
} rv_scoring;

/** Start from {0} and rv_tally_create(). Arrays that the task has not are NULL. */
typedef struct rv_tally {
    rv_scoring scoring;
    uint64_t count; /**< pictures with labels */
    double
        loss; /**< sum over them: -log softmax at the class; means over labels of binary cross-entropy, or
                         over quantities of the squares of errors as they are learned */

    uint64_t *ranks;     /**< classes [n]: before whose class as many others were likelier */
    uint64_t *confusion; /**< classes [n,n]: class, prediction */

    uint64_t *there, *said,
        *right;     /**< labels [n]: pictures that have it, that it was said of, both */
    uint64_t exact; /**< labels: pictures with all labels right */

    double *absolute,
        *square; /**< values [n]: sums of errors and of their squares, in units of the quantity */
    double *sum, *sum_square; /**< values [n]: of the quantities less their mean in training */
} rv_tally;

/** @param scoring  its arrays must outlive *out. */
RV_NODISCARD rv_status rv_tally_create(rv_tally *out, const rv_scoring *scoring);
void rv_tally_release(rv_tally *tally);

/** Adds the pictures of a batch that there are. Where logits are equal the first class wins; a label is said where
 *  its logit is above 0.
 *  @param logits  [batch,n] */
void rv_tally_add(rv_tally *tally, const float *logits, const rv_batch *batch);
/** Pictures whose class is among the k likeliest. */
uint64_t rv_tally_top(const rv_tally *tally, int32_t k);
/** Share of the pictures that are right: the class, or all labels; NaN for quantities, or without pictures. */
double rv_tally_accuracy(const rv_tally *tally);
/** Root of the mean square error over all quantities, in their units; NaN for other tasks, or without pictures. */
double rv_tally_error(const rv_tally *tally);
/** Index of the largest of n values, the first of equal ones; of a NaN the last, so that it is no class by chance. */
int32_t rv_largest(const float *values, int32_t n);
/** Whether all n labels are said rightly. */
bool rv_labels_right(const float *logits, const float *targets, int32_t n);

/** What a plan needs for running over batches. */
typedef struct rv_runner {
    rv_device *device;
    rv_plan *plan; /**< with the logits as output, for as many pictures as a batch has */
    rv_tensor *picture, *logits;
    float *host; /**< [batch,n]: the last logits that were read */
} rv_runner;

/** Runs over all that a loader gives. RV_ERR_CANCELLED between batches. */
RV_NODISCARD rv_status rv_tally_run(rv_tally *tally, rv_runner *runner, rv_loader *loader,
                                    const rv_events *events);

#endif
