/* Moves the pixels of one picture until its objective is small. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_DESCENT_H
#define RV_STAGES_DESCENT_H

#include "graph/plan.h"
#include <reverie/stylize.h>

typedef struct rv_descent {
    rv_device *device;
    rv_plan *plan;    /**< its losses are the objective */
    rv_value picture; /**< an input of it whose gradient it gives */
    rv_optimizer optimizer;
    double learning_rate;
    int history;      /**< of L-BFGS */
    bool plain_steps; /**< L-BFGS without a line search */
    int iterations;
    const rv_events *events;
    /** After each iteration: how many are done, and the loss; may be NULL. */
    void (*report)(void *payload, int done, double loss);
    void *payload;
    double *work; /**< set in a rehearsal: what an iteration adds to rv_rehearsal_work() */
} rv_descent;

/** Adam keeps the pixels in 0..1 and gives the exponential average of its iterates. L-BFGS that meets
 *  a loss that is not finite, or ten times what it was, goes back to the last good picture, forgets
 *  its history and halves its steps, which is said once through events->log.
 *  @param[in,out] pixels  [N,3,H,W] of the picture: the start, and what came out.
 *  @param[out] loss       of what came out.
 *  @return RV_ERR_CANCELLED: *pixels is what there was till then; RV_ERR_USAGE: Adam's loss is not
 *          finite. */
RV_NODISCARD rv_status rv_descend(const rv_descent *descent, float *pixels, double *loss);

/** Bytes of device memory that it takes beside the plan, for a picture of n floats. */
uint64_t rv_descent_bytes(const rv_descent *descent, size_t n);

#endif
