/* Optimisers over any device vector, be it a picture or weights. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPTIM_OPTIM_H
#define RV_OPTIM_OPTIM_H

#include "device/device.h"

/** Evaluates the objective at the vector that the optimiser moves, and writes its gradient to the
 *  vector that it reads. *loss may come out NaN or infinite. */
typedef rv_status rv_evaluate(void *payload, double *loss);

/* --- What is remembered from step to step --------------------------------------------------------- */

enum { RV_MEMORY_ARRAYS = 108, RV_MEMORY_NUMBERS = 64 };

/** All that the next step of an optimiser depends on beside the vector that it moves: whoever keeps it goes on later as
 *  if there had been no end. Several optimisers may list theirs one after the other. */
typedef struct rv_memory {
    rv_buffer *array[RV_MEMORY_ARRAYS]; /**< borrowed */
    size_t floats[RV_MEMORY_ARRAYS];    /**< of each */
    int n_arrays;
    double number[RV_MEMORY_NUMBERS];
    int n_numbers;
    int taken; /**< numbers that were restored already */
} rv_memory;

/* --- Adam: Kingma and Ba 2015 --------------------------------------------------------------------- */

typedef struct rv_adam rv_adam;

typedef struct rv_adam_options {
    float learning_rate; /**< > 0 */
    float beta1, beta2;  /**< decay of the moments, 0 to 1; 0.9 and 0.999 in the paper */
    float epsilon;       /**< added to the root of the second moment; 1e-8 in the paper */
    float low, high;     /**< box that x is clamped to after each step; low >= high: none */
} rv_adam_options;

RV_NODISCARD rv_status rv_adam_create(rv_adam **out, rv_device *device, size_t n,
                                      const rv_adam_options *options);
void rv_adam_destroy(rv_adam *adam);
/** Bytes of device memory for vectors of n. */
uint64_t rv_adam_bytes(size_t n);
/** Appends what it remembers. */
void rv_adam_list(const rv_adam *adam, rv_memory *out);
/** Takes its numbers from `memory`, listed by one with the same options; RV_ERR_FORMAT: they are not its own. Its arrays
 *  are then those that rv_adam_list() lists, to be written to. */
RV_NODISCARD rv_status rv_adam_restore(rv_adam *adam, rv_memory *memory);
/** x -= learning_rate * m^ / (sqrt(v^) + epsilon), one launch. */
RV_NODISCARD rv_status rv_adam_step(rv_adam *adam, rv_buffer *x, const rv_buffer *gradient);

/* --- L-BFGS: Nocedal 1980; line search of Nocedal and Wright, algorithms 3.5 and 3.6 ------------ */

typedef struct rv_lbfgs rv_lbfgs;

typedef struct rv_lbfgs_options {
    float
        learning_rate; /**< > 0; step length where no line search runs, first trial otherwise; 1 */
    int history;       /**< pairs that are kept, 1 to 50; 10 */
    bool strong_wolfe; /**< line search with c1 = 1e-4, c2 = 0.9, at most 25 evaluations; without,
                              one evaluation per iteration and the first step is
                              min(1, 1 / |g|_1) * learning_rate */
} rv_lbfgs_options;

RV_NODISCARD rv_status rv_lbfgs_create(rv_lbfgs **out, rv_device *device, size_t n,
                                       const rv_lbfgs_options *options);
void rv_lbfgs_destroy(rv_lbfgs *lbfgs);
/** Bytes of device memory for vectors of n. */
uint64_t rv_lbfgs_bytes(size_t n, const rv_lbfgs_options *options);
/** One iteration. On entry *loss and `gradient` belong to x, on return they belong to the new x.
 *  Where the line search finds nothing better, it runs once more along -gradient without history.
 *  @param[out] evaluations  calls of `evaluate`, may be NULL; 0: no descent is left, x is as it was
 *                           (however many calls it took to see that).
 *  A loss that is not finite is handed back as it is, for the caller to go back and reset. */
RV_NODISCARD rv_status rv_lbfgs_step(rv_lbfgs *lbfgs, rv_buffer *x, rv_buffer *gradient,
                                     double *loss, rv_evaluate *evaluate, void *payload,
                                     int *evaluations);
/** After a step that failed within `evaluate`: as before that step, with the gradient of then in `gradient`. */
RV_NODISCARD rv_status rv_lbfgs_undo(rv_lbfgs *lbfgs, rv_buffer *gradient);
/** As rv_adam_list() and rv_adam_restore(). */
void rv_lbfgs_list(const rv_lbfgs *lbfgs, rv_memory *out);
RV_NODISCARD rv_status rv_lbfgs_restore(rv_lbfgs *lbfgs, rv_memory *memory);
/** Forgets the history and multiplies the step length by `factor`. */
void rv_lbfgs_reset(rv_lbfgs *lbfgs, float factor);

/* --- Exponential average of iterates ------------------------------------------------------------- */

typedef struct rv_average rv_average;

/** @param decay  0 to 1; the average starts without bias (as Adam's moments do). */
RV_NODISCARD rv_status rv_average_create(rv_average **out, rv_device *device, size_t n,
                                         float decay);
void rv_average_destroy(rv_average *average);
/** Bytes of device memory for vectors of n. */
uint64_t rv_average_bytes(size_t n);
/** As rv_adam_list() and rv_adam_restore(). */
void rv_average_list(const rv_average *average, rv_memory *out);
RV_NODISCARD rv_status rv_average_restore(rv_average *average, rv_memory *memory);
RV_NODISCARD rv_status rv_average_update(rv_average *average, const rv_buffer *x);
/** Writes the average, free of bias, to `out`; before any update it is RV_ERR_INTERNAL. */
RV_NODISCARD rv_status rv_average_read(rv_average *average, rv_buffer *out);

#endif
