/* What the optimisers share: the line search along a direction, and memory that is listed and restored. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPTIM_INTERNAL_H
#define RV_OPTIM_INTERNAL_H

#include "optim/optim.h"
#include "optim/vector.h"

/** A line x0 + t d and what is needed to evaluate the objective on it. */
typedef struct rv_line {
    rv_device *device;
    rv_vectors *vectors;
    size_t bytes;            /**< of each vector */
    rv_buffer *x, *gradient; /**< of the caller: where `evaluate` reads and writes */
    rv_buffer *start;        /**< x0 */
    const rv_buffer *direction;
    rv_buffer *best_gradient; /**< scratch: gradient at the best point so far */
    int slot;                 /**< a free one */
    rv_evaluate *evaluate;
    void *payload;
} rv_line;

/** A point on a line: step, loss, slope. */
typedef struct rv_line_point {
    double t, loss, slope;
} rv_line_point;

/** x = x0 + t d, evaluated. */
RV_NODISCARD rv_status rv_line_evaluate(const rv_line *line, rv_line_point *out, double t);

/** Step that meets the strong Wolfe conditions (c1 = 1e-4, c2 = 0.9), or the best of at most 25
 *  trials; x, gradient and *out belong to it on return.
 *  @param origin  t = 0, with the loss and slope there; `gradient` belongs to it on entry. */
RV_NODISCARD rv_status rv_line_search(const rv_line *line, rv_line_point *out, int *evaluations,
                                      rv_line_point origin, double first_step);

/** Appends to what is remembered. */
void rv_memory_array(rv_memory *memory, rv_buffer *array, size_t floats);
void rv_memory_number(rv_memory *memory, double number);
/** The next number, a whole one from `low` to `high`; RV_ERR_FORMAT where there is none such. */
RV_NODISCARD rv_status rv_memory_take(rv_memory *memory, double low, double high, int64_t *out);
/** The next number, any finite one. */
RV_NODISCARD rv_status rv_memory_take_real(rv_memory *memory, double *out);

#endif
