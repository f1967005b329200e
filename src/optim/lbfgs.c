/* L-BFGS: the two-loop recursion on the device, with or without a line search. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "optim/internal.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_HISTORY = 50 };

/* Slots: 1 / (y.s) and the first loop's factor of each pair, then scalars. */
enum {
    PAIRS = MAX_HISTORY + 1, /* one more: where a new pair is tried */
    SLOT_RHO = 0,
    SLOT_ALPHA = PAIRS,
    SLOT_BETA = 2 * PAIRS,
    SLOT_YS,
    SLOT_YY,
    SLOT_SS,
    SLOT_ONE,
    SLOT_SCALE,
    SLOT_SLOPE,
    SLOT_LINE,
    SLOTS
};
_Static_assert((int)SLOTS <= (int)RV_VECTOR_SLOTS, "a slot for each scalar");
/* The slots, the pairs, the direction, its gradient, and one for the caller. */
_Static_assert(2 * MAX_HISTORY + 4 <= RV_MEMORY_ARRAYS, "room for each array");
_Static_assert(PAIRS + 4 <= RV_MEMORY_NUMBERS, "room for each number");

/* Curvature below this share of |s| |y| is rounding: such a pair is left out. */
#define SMALLEST_CURVATURE 1e-7

struct rv_lbfgs {
    rv_device *device;
    rv_vectors *vectors;
    size_t bytes;
    rv_lbfgs_options options;
    float rate;
    rv_buffer *s[PAIRS], *y[PAIRS];
    int order[PAIRS]; /* pairs from the oldest to the newest, then the free one */
    int pairs;
    bool started;
    double step; /* that led to the present x along `direction` */
    rv_buffer *start, *direction, *previous_gradient, *best_gradient;
};

static rv_status create(rv_lbfgs *l)
{
    const int n = l->options.history + 1;
    RV_TRY(rv_buffer_create(&l->start, l->device, l->bytes));
    RV_TRY(rv_buffer_create(&l->direction, l->device, l->bytes));
    RV_TRY(rv_buffer_create(&l->previous_gradient, l->device, l->bytes));
    if (l->options.strong_wolfe) {
        RV_TRY(rv_buffer_create(&l->best_gradient, l->device, l->bytes));
    }
    for (int i = 0; i < n; i++) {
        RV_TRY(rv_buffer_create(&l->s[i], l->device, l->bytes));
        RV_TRY(rv_buffer_create(&l->y[i], l->device, l->bytes));
        l->order[i] = i;
    }
    return RV_OK;
}

rv_status rv_lbfgs_create(rv_lbfgs **out, rv_device *device, size_t n,
                          const rv_lbfgs_options *options)
{
    *out = NULL;
    if (options->history < 1 || options->history > MAX_HISTORY) {
        return rv_fail(RV_ERR_USAGE, "a history of %d pairs is outside 1 to %d", options->history,
                       MAX_HISTORY);
    }
    rv_lbfgs *l;
    RV_TRY(rv_alloc(&l, 1, sizeof *l, "optimiser"));
    l->device = device;
    l->bytes = n * sizeof(float);
    l->options = *options;
    l->rate = options->learning_rate;
    rv_status status = rv_vectors_create(&l->vectors, device, n);
    if (status == RV_OK) {
        status = create(l);
    }
    if (status != RV_OK) {
        rv_lbfgs_destroy(l);
        return status;
    }
    *out = l;
    return RV_OK;
}

uint64_t rv_lbfgs_bytes(size_t n, const rv_lbfgs_options *options)
{
    const uint64_t vectors = 2 * ((uint64_t)options->history + 1) + 3 + options->strong_wolfe;
    return rv_vectors_bytes() + vectors * n * sizeof(float);
}

void rv_lbfgs_destroy(rv_lbfgs *lbfgs)
{
    if (lbfgs == NULL) {
        return;
    }
    for (int i = 0; i < PAIRS; i++) {
        rv_buffer_destroy(lbfgs->s[i]);
        rv_buffer_destroy(lbfgs->y[i]);
    }
    rv_buffer_destroy(lbfgs->start);
    rv_buffer_destroy(lbfgs->direction);
    rv_buffer_destroy(lbfgs->previous_gradient);
    rv_buffer_destroy(lbfgs->best_gradient);
    rv_vectors_destroy(lbfgs->vectors);
    free(lbfgs);
}

void rv_lbfgs_reset(rv_lbfgs *lbfgs, float factor)
{
    lbfgs->pairs = 0;
    lbfgs->started = false;
    lbfgs->rate *= factor;
}

rv_status rv_lbfgs_undo(rv_lbfgs *lbfgs, rv_buffer *gradient)
{
    /* The pair that the step before led to was taken; the new one has none to be taken from. */
    lbfgs->started = false;
    return rv_buffer_copy(lbfgs->device, gradient, 0, lbfgs->previous_gradient, 0, lbfgs->bytes);
}

/* --- memory ---------------------------------------------------------------------------------- */

void rv_lbfgs_list(const rv_lbfgs *lbfgs, rv_memory *out)
{
    const size_t n = lbfgs->bytes / sizeof(float);
    rv_memory_array(out, rv_vectors_slots(lbfgs->vectors), RV_VECTOR_SLOTS);
    for (int i = 0; i < lbfgs->pairs; i++) {
        rv_memory_array(out, lbfgs->s[lbfgs->order[i]], n);
        rv_memory_array(out, lbfgs->y[lbfgs->order[i]], n);
    }
    if (lbfgs->started) {
        rv_memory_array(out, lbfgs->direction, n);
        rv_memory_array(out, lbfgs->previous_gradient, n);
    }
    rv_memory_number(out, lbfgs->pairs);
    rv_memory_number(out, lbfgs->started);
    rv_memory_number(out, lbfgs->started ? lbfgs->step : 0);
    rv_memory_number(out, (double)lbfgs->rate);
    for (int i = 0; i <= lbfgs->options.history; i++) {
        rv_memory_number(out, lbfgs->order[i]);
    }
}

/* Each pair once. */
static rv_status restore_order(rv_lbfgs *l, rv_memory *memory)
{
    bool seen[PAIRS] = {false};
    for (int i = 0; i <= l->options.history; i++) {
        int64_t pair;
        RV_TRY(rv_memory_take(memory, 0, l->options.history, &pair));
        if (seen[pair]) {
            return rv_fail(RV_ERR_FORMAT, "pair %d of an optimiser's memory is there twice",
                           (int)pair);
        }
        seen[pair] = true;
        l->order[i] = (int)pair;
    }
    return RV_OK;
}

rv_status rv_lbfgs_restore(rv_lbfgs *lbfgs, rv_memory *memory)
{
    int64_t pairs, started;
    double rate;
    RV_TRY(rv_memory_take(memory, 0, lbfgs->options.history, &pairs));
    RV_TRY(rv_memory_take(memory, 0, 1, &started));
    RV_TRY(rv_memory_take_real(memory, &lbfgs->step));
    RV_TRY(rv_memory_take_real(memory, &rate));
    lbfgs->pairs = (int)pairs;
    lbfgs->started = started != 0;
    lbfgs->rate = (float)rate;
    return restore_order(lbfgs, memory);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* Makes the tried pair the newest; the oldest goes where the history is full. */
static rv_status accept_pair(rv_lbfgs *l)
{
    const int tried = l->order[l->pairs];
    if (l->pairs == l->options.history) {
        const int oldest = l->order[0];
        for (int i = 0; i < l->pairs; i++) {
            l->order[i] = l->order[i + 1];
        }
        l->order[l->pairs] = oldest;
    } else {
        l->pairs++;
    }
    RV_TRY(rv_vectors_slot_divide(l->vectors, SLOT_RHO + tried, SLOT_ONE, SLOT_YS));
    return rv_vectors_slot_divide(l->vectors, SLOT_SCALE, SLOT_YS, SLOT_YY);
}

/* s = step * direction, y = gradient - previous gradient; kept where the curvature is positive. */
static rv_status remember(rv_lbfgs *l, const rv_buffer *gradient)
{
    rv_vectors *v = l->vectors;
    rv_buffer *s = l->s[l->order[l->pairs]], *y = l->y[l->order[l->pairs]];
    float dots[3]; /* y.s, y.y, s.s */
    RV_TRY(rv_vectors_axpby(v, s, (float)l->step, l->direction, 0.0f));
    RV_TRY(rv_vectors_axpby(v, y, 1.0f, gradient, 0.0f));
    RV_TRY(rv_vectors_axpby(v, y, -1.0f, l->previous_gradient, 1.0f));
    RV_TRY(rv_vectors_dot(v, SLOT_YS, y, s));
    RV_TRY(rv_vectors_dot(v, SLOT_YY, y, y));
    RV_TRY(rv_vectors_dot(v, SLOT_SS, s, s));
    RV_TRY(rv_vectors_slot_divide(v, SLOT_ONE, SLOT_YS, SLOT_YS));
    RV_TRY(rv_vectors_read(v, dots, SLOT_YS, 3));
    const double size = sqrt((double)dots[1] * (double)dots[2]);
    return (double)dots[0] > SMALLEST_CURVATURE * size ? accept_pair(l) : RV_OK;
}

/* direction = -H gradient. Each sum also makes the product that follows it, so that the direction is read once for both. */
static rv_status choose_direction(rv_lbfgs *l, const rv_buffer *gradient)
{
    rv_vectors *v = l->vectors;
    const int *order = l->order, pairs = l->pairs;
    RV_TRY(rv_vectors_axpby(v, l->direction, -1.0f, gradient, 0.0f));
    if (pairs == 0) {
        return RV_OK;
    }
    const int newest = order[pairs - 1], oldest = order[0];
    RV_TRY(rv_vectors_dot_times(v, SLOT_ALPHA + newest, SLOT_RHO + newest, l->s[newest],
                                l->direction));
    for (int i = pairs - 1; i > 0; i--) {
        const int k = order[i], next = order[i - 1];
        const rv_vectors_sum sum = {
            .x = l->y[k], .i = SLOT_ALPHA + k, .j = -1, .scale = -1, .factor = -1};
        RV_TRY(rv_vectors_axpy_dot(v, l->direction, &sum, SLOT_ALPHA + next, SLOT_RHO + next,
                                   l->s[next]));
    }
    const rv_vectors_sum turn = {
        .x = l->y[oldest], .i = SLOT_ALPHA + oldest, .j = -1, .scale = SLOT_SCALE, .factor = -1};
    RV_TRY(rv_vectors_axpy_dot(v, l->direction, &turn, SLOT_BETA, SLOT_RHO + oldest, l->y[oldest]));
    for (int i = 0; i + 1 < pairs; i++) {
        const int k = order[i], next = order[i + 1];
        const rv_vectors_sum sum = {
            .x = l->s[k], .i = SLOT_ALPHA + k, .j = SLOT_BETA, .scale = -1, .factor = 1};
        RV_TRY(rv_vectors_axpy_dot(v, l->direction, &sum, SLOT_BETA, SLOT_RHO + next, l->y[next]));
    }
    return rv_vectors_axpy_slot(v, l->direction, 1.0f, SLOT_ALPHA + newest, SLOT_BETA,
                                l->s[newest]);
}

/* Slope along the direction; where it does not point down, the history is dropped and the direction
 * becomes -gradient. *slope is 0 where no descent is left at all. */
static rv_status find_slope(rv_lbfgs *l, const rv_buffer *gradient, double *slope)
{
    float value;
    RV_TRY(rv_vectors_dot(l->vectors, SLOT_SLOPE, gradient, l->direction));
    RV_TRY(rv_vectors_read(l->vectors, &value, SLOT_SLOPE, 1));
    if (!(value < 0) && l->pairs > 0) {
        rv_lbfgs_reset(l, 1.0f);
        RV_TRY(choose_direction(l, gradient));
        RV_TRY(rv_vectors_dot(l->vectors, SLOT_SLOPE, gradient, l->direction));
        RV_TRY(rv_vectors_read(l->vectors, &value, SLOT_SLOPE, 1));
    }
    *slope = value < 0 ? (double)value : 0;
    return RV_OK;
}

/* The first step has no curvature to go by: it moves the values by no more than the rate in all. */
static rv_status first_step(rv_lbfgs *l, const rv_buffer *gradient, double *step)
{
    *step = (double)l->rate;
    if (l->pairs == 0) {
        float sum;
        RV_TRY(rv_vectors_abs_sum(l->vectors, SLOT_SLOPE, gradient));
        RV_TRY(rv_vectors_read(l->vectors, &sum, SLOT_SLOPE, 1));
        *step *= fmin(1.0, 1.0 / (double)sum);
    }
    return RV_OK;
}

/* Goes along the direction that the history gives. On entry `at` has the loss of x; on return it is
 * where x is, with t = 0 where nothing better was found. */
static rv_status move(rv_lbfgs *l, const rv_line *line, rv_line_point *at, int *count)
{
    double step;
    at->t = 0;
    RV_TRY(choose_direction(l, line->gradient));
    RV_TRY(find_slope(l, line->gradient, &at->slope));
    if (!(at->slope < 0)) {
        return RV_OK;
    }
    RV_TRY(first_step(l, line->gradient, &step));
    RV_TRY(rv_buffer_copy(l->device, l->previous_gradient, 0, line->gradient, 0, l->bytes));
    RV_TRY(rv_buffer_copy(l->device, l->start, 0, line->x, 0, l->bytes));
    if (!l->options.strong_wolfe) {
        ++*count;
        return rv_line_evaluate(line, at, step);
    }
    int trials = 0;
    RV_TRY(rv_line_search(line, at, &trials, *at, step));
    *count += trials;
    return RV_OK;
}

rv_status rv_lbfgs_step(rv_lbfgs *lbfgs, rv_buffer *x, rv_buffer *gradient, double *loss,
                        rv_evaluate *evaluate, void *payload, int *evaluations)
{
    rv_lbfgs *l = lbfgs;
    int count = 0;
    const rv_line line = {.device = l->device,
                          .vectors = l->vectors,
                          .bytes = l->bytes,
                          .x = x,
                          .gradient = gradient,
                          .start = l->start,
                          .direction = l->direction,
                          .best_gradient = l->best_gradient,
                          .slot = SLOT_LINE,
                          .evaluate = evaluate,
                          .payload = payload};
    rv_line_point at = {.loss = *loss};
    if (l->started) {
        RV_TRY(remember(l, gradient));
    }
    RV_TRY(move(l, &line, &at, &count));
    if (!(at.t > 0) && l->pairs > 0) {
        /* The history led nowhere, and would again. */
        rv_lbfgs_reset(l, 1.0f);
        RV_TRY(move(l, &line, &at, &count));
    }
    l->step = at.t;
    l->started = at.t > 0;
    *loss = at.loss;
    if (evaluations != NULL) {
        *evaluations = l->started ? count : 0;
    }
    return RV_OK;
}
