/* Moves the pixels of one picture until its objective is small. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_DESCENT_H
#define RV_STAGES_DESCENT_H

#include "graph/plan.h"
#include "optim/optim.h"
#include <reverie/stylize.h>

/** Where a descent is: what it goes on from, to the byte, as if it had not ended. */
typedef struct rv_descent_state {
    int done;       /**< iterations */
    double loss;    /**< at the picture, for L-BFGS */
    size_t n;       /**< floats of the picture */
    float *picture; /**< the iterate, which need not be what comes out */
    double number[RV_MEMORY_NUMBERS];
    int n_numbers;
    size_t floats[RV_MEMORY_ARRAYS]; /**< of what the optimiser remembers */
    int n_arrays;                    /**< 0: to start with nothing */
    rv_status (*read)(void *payload, int array,
                      float *out); /**< one of them: together they may be large */
    void *payload;
} rv_descent_state;

/** What Adam hands on from one size of the picture to the next. */
typedef struct rv_adam_memory {
    double steps; /**< that it has taken; 0: none, whatever the moments hold */
    float *m, *v; /**< moments of the gradient, [N,3,H,W] as the picture */
} rv_adam_memory;

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
    /** Takes what the picture would be if that iteration were the last, [N,3,H,W]; may be NULL. After the first
     *  iteration, then every `show_seconds`. */
    rv_status (*show)(void *payload, const float *pixels);
    double show_seconds;
    /** Keeps where the descent is: every `keep_every` iterations (0: never), and when it is cancelled; may be NULL.
     *  Borrowed. */
    rv_status (*keep)(void *payload, const rv_descent_state *state);
    int keep_every;
    const rv_descent_state
        *from; /**< to go on there; the picture is taken from `pixels`; NULL: a new one */
    rv_adam_memory
        *memory; /**< of Adam: where it starts, unless `from` says it, and what it leaves; NULL: it
                                 starts with nothing, and nobody asks */
    double deadline; /**< rv_clock() by which it ends, but for its first iteration; 0: none */
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
