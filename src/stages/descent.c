/* Runs Adam or L-BFGS over the pixels of a picture, with a way back from a step that went wrong. */
/* SPDX-License-Identifier: MIT */
#include "stages/descent.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "stages/deadline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Moments as in the paper but for the second, which follows the changing picture. */
#define ADAM_BETA1 0.9f
#define ADAM_BETA2 0.99f
/* The average reaches back over about 50 iterates. */
#define AVERAGE_DECAY 0.98f

/* A loss this many times the last one is a step that went wrong. */
#define FAR_WORSE 10.0

/* What the steps of one descent share. */
typedef struct state {
    const rv_descent *d;
    rv_tensor *picture, *gradient;
    size_t n; /* floats of the picture */
    double loss;
    bool cancelled;
    int done;           /* iterations */
    double last, shown; /* rv_clock() after the last iteration, and when the picture was shown */
    double took;        /* seconds of the last iteration; 0 of the first, which compiles kernels */

    /* Of one of the two optimisers. */
    rv_adam *adam;
    rv_average *average;
    rv_lbfgs *lbfgs;
    rv_buffer *good; /* the picture after the last iteration */
} state;

/* Loss and gradient at the picture. */
static rv_status evaluate(void *payload, double *loss)
{
    state *s = payload;
    if (rv_cancelled(s->d->events)) {
        s->cancelled = true;
        return rv_fail(RV_ERR_CANCELLED, "cancelled");
    }
    rv_status status = rv_plan_forward(s->d->plan);
    if (status == RV_OK) {
        status = rv_plan_backward(s->d->plan, false);
    }
    s->cancelled = status == RV_ERR_CANCELLED;
    RV_TRY(status);
    return rv_plan_losses(s->d->plan, NULL, loss);
}

static rv_status evaluate_finite(state *s)
{
    RV_TRY(evaluate(s, &s->loss));
    if (!isfinite(s->loss)) {
        return rv_fail(RV_ERR_USAGE, "the loss is %g after %d iterations: choose smaller weights",
                       s->loss, s->done);
    }
    return RV_OK;
}

/* Whether another iteration is to be begun, which takes as long as the last one. */
static bool goes_on(const state *s)
{
    const bool late = s->last > 0 && rv_deadline_passes(s->d->deadline, s->last, s->took);
    return s->done < s->d->iterations && !late;
}

/* --- what is kept and shown ------------------------------------------------------------------ */

static void list(const state *s, rv_memory *out)
{
    *out = (rv_memory){.n_arrays = 0};
    if (s->lbfgs != NULL) {
        rv_lbfgs_list(s->lbfgs, out);
        out->array[out->n_arrays] = s->gradient->buffer;
        out->floats[out->n_arrays++] = s->n;
    } else {
        rv_adam_list(s->adam, out);
        rv_average_list(s->average, out);
    }
}

static rv_status read_array(void *payload, int array, float *out)
{
    const state *s = payload;
    rv_memory memory;
    list(s, &memory);
    return rv_buffer_read(s->d->device, memory.array[array], 0, out,
                          memory.floats[array] * sizeof(float));
}

/* Nothing is kept before the first iteration: there is nothing to go on from. */
static rv_status keep(state *s)
{
    rv_memory memory;
    if (s->d->keep == NULL || s->done == 0) {
        return RV_OK;
    }
    list(s, &memory);
    rv_descent_state now = {.done = s->done,
                            .loss = s->loss,
                            .n = s->n,
                            .n_numbers = memory.n_numbers,
                            .n_arrays = memory.n_arrays,
                            .read = read_array,
                            .payload = s};
    memcpy(now.number, memory.number, sizeof now.number);
    memcpy(now.floats, memory.floats, sizeof now.floats);
    RV_TRY(rv_alloc(&now.picture, s->n, sizeof(float), "the state of a picture"));
    rv_status status = rv_tensor_read(s->d->device, s->picture, now.picture);
    if (status == RV_OK) {
        status = s->d->keep(s->d->payload, &now);
    }
    free(now.picture);
    return status;
}

static rv_status restore_array(const state *s, const rv_memory *memory, int i)
{
    const rv_descent_state *from = s->d->from;
    float *values;
    RV_TRY(rv_alloc(&values, from->floats[i], sizeof *values, "the state of a picture"));
    rv_status status = from->read(from->payload, i, values);
    if (status == RV_OK) {
        status = rv_buffer_write(s->d->device, memory->array[i], 0, values,
                                 from->floats[i] * sizeof(float));
    }
    free(values);
    return status;
}

/* Has the optimiser go on where it was. */
static rv_status restore(state *s)
{
    const rv_descent_state *from = s->d->from;
    rv_memory memory = {.n_numbers = from->n_numbers};
    memcpy(memory.number, from->number, sizeof memory.number);
    if (s->lbfgs != NULL) {
        RV_TRY(rv_lbfgs_restore(s->lbfgs, &memory));
    } else {
        RV_TRY(rv_adam_restore(s->adam, &memory));
        RV_TRY(rv_average_restore(s->average, &memory));
    }
    list(s, &memory);
    bool same = memory.n_arrays == from->n_arrays;
    for (int i = 0; i < from->n_arrays && same; i++) {
        same = memory.floats[i] == from->floats[i];
    }
    if (!same) {
        return rv_fail(RV_ERR_FORMAT, "the arrays of an optimiser's memory are not its own");
    }
    for (int i = 0; i < from->n_arrays; i++) {
        RV_TRY(restore_array(s, &memory, i));
    }
    s->loss = from->loss;
    return RV_OK;
}

/* The gradient, which the next iteration finds anew, has room for the average; L-BFGS still needs it, but has no
 * average. */
static rv_status show(state *s)
{
    float *pixels;
    rv_tensor *what = s->picture;
    if (s->average != NULL) {
        RV_TRY(rv_average_read(s->average, s->gradient->buffer));
        what = s->gradient;
    }
    RV_TRY(rv_alloc(&pixels, s->n, sizeof(float), "a preview"));
    rv_status status = rv_tensor_read(s->d->device, what, pixels);
    if (status == RV_OK) {
        status = s->d->show(s->d->payload, pixels);
    }
    free(pixels);
    return status;
}

/* After each iteration. */
static rv_status finish_iteration(state *s)
{
    const double now = rv_clock();
    s->done++;
    s->took = s->last > 0 ? now - s->last : 0;
    s->last = now;
    if (s->d->report != NULL) {
        s->d->report(s->d->payload, s->done, s->loss);
    }
    if (s->d->keep_every > 0 && s->done % s->d->keep_every == 0) {
        RV_TRY(keep(s));
    }
    if (s->d->show != NULL && (s->shown <= 0 || s->last - s->shown >= s->d->show_seconds)) {
        RV_TRY(show(s));
        s->shown = rv_clock();
    }
    return RV_OK;
}

/* --- Adam ------------------------------------------------------------------------------------ */

/* The loss of the average, which is in the picture. Where it is cancelled the gradient has the last iterate, to go on
 * from. */
static rv_status weigh_average(state *s)
{
    const size_t bytes = s->n * sizeof(float);
    const rv_status status =
        rv_cancelled(s->d->events) ? RV_ERR_CANCELLED : rv_plan_forward(s->d->plan);
    if (status != RV_ERR_CANCELLED) {
        RV_TRY(status);
        return rv_plan_losses(s->d->plan, NULL, &s->loss);
    }
    s->cancelled = true;
    RV_TRY(rv_buffer_copy(s->d->device, s->picture->buffer, 0, s->gradient->buffer, 0, bytes));
    RV_TRY(keep(s));
    return rv_average_read(s->average, s->picture->buffer);
}

/* Leaves the average of the iterates in the picture; who stopped has no time for its loss. */
static rv_status take_average(state *s)
{
    const size_t bytes = s->n * sizeof(float);
    if (s->done == 0) { /* cancelled before there was any */
        return RV_OK;
    }
    RV_TRY(rv_buffer_copy(s->d->device, s->gradient->buffer, 0, s->picture->buffer, 0, bytes));
    RV_TRY(rv_average_read(s->average, s->picture->buffer));
    return s->cancelled ? RV_OK : weigh_average(s);
}

static rv_status iterate_adam(state *s)
{
    while (goes_on(s)) {
        const rv_status status = evaluate_finite(s);
        if (s->cancelled) {
            break;
        }
        RV_TRY(status);
        RV_TRY(rv_adam_step(s->adam, s->picture->buffer, s->gradient->buffer));
        RV_TRY(rv_average_update(s->average, s->picture->buffer));
        RV_TRY(finish_iteration(s));
    }
    RV_TRY(s->cancelled ? keep(s) : RV_OK);
    return take_average(s);
}

/* Its memory to or from the host. */
static rv_status move_memory(const state *s, const rv_memory *memory, bool to_device)
{
    float *const host[2] = {s->d->memory->m, s->d->memory->v};
    for (int i = 0; i < 2; i++) {
        rv_buffer *there = memory->array[i];
        const size_t bytes = s->n * sizeof(float);
        RV_TRY(to_device ? rv_buffer_write(s->d->device, there, 0, host[i], bytes)
                         : rv_buffer_read(s->d->device, there, 0, host[i], bytes));
    }
    return RV_OK;
}

/* Has Adam go on as at the size before. */
static rv_status take_memory(state *s)
{
    rv_memory memory = {.number = {0}};
    if (s->d->memory == NULL || !(s->d->memory->steps > 0)) {
        return RV_OK;
    }
    memory.number[memory.n_numbers++] = s->d->memory->steps;
    RV_TRY(rv_adam_restore(s->adam, &memory));
    rv_adam_list(s->adam, &memory);
    return move_memory(s, &memory, true);
}

static rv_status leave_memory(const state *s)
{
    rv_memory memory = {.number = {0}};
    if (s->d->memory == NULL) {
        return RV_OK;
    }
    rv_adam_list(s->adam, &memory);
    s->d->memory->steps = memory.number[0];
    return move_memory(s, &memory, false);
}

static rv_status run_adam(state *s)
{
    const rv_adam_options options = {.learning_rate = (float)s->d->learning_rate,
                                     .beta1 = ADAM_BETA1,
                                     .beta2 = ADAM_BETA2,
                                     .epsilon = 1e-8f,
                                     .low = 0.0f,
                                     .high = 1.0f};
    rv_status status = rv_adam_create(&s->adam, s->d->device, s->n, &options);
    if (status == RV_OK) {
        status = rv_average_create(&s->average, s->d->device, s->n, AVERAGE_DECAY);
    }
    if (status == RV_OK) {
        status = s->d->from != NULL ? restore(s) : take_memory(s);
    }
    if (status == RV_OK) {
        status = iterate_adam(s);
    }
    if (status == RV_OK) {
        status = leave_memory(s);
    }
    rv_average_destroy(s->average);
    rv_adam_destroy(s->adam);
    return status;
}

/* --- L-BFGS ---------------------------------------------------------------------------------- */

/* The picture and its gradient as they were before a step. */
static rv_status undo(state *s, double loss)
{
    s->loss = loss;
    RV_TRY(rv_lbfgs_undo(s->lbfgs, s->gradient->buffer));
    return rv_buffer_copy(s->d->device, s->picture->buffer, 0, s->good, 0, s->n * sizeof(float));
}

/* Goes back to the last good picture, to go on from there in smaller steps. */
static rv_status go_back(state *s, double loss, bool *said)
{
    if (!*said) {
        rv_log(
            s->d->events, RV_LOG_WARNING,
            "L-BFGS went astray (a loss of %g): back to the last good picture, with half the step",
            s->loss);
        *said = true;
    }
    rv_lbfgs_reset(s->lbfgs, 0.5f);
    return undo(s, loss);
}

/* One iteration, after which the picture and `good` are the same, also where it was cancelled. *moved: some descent was
 * left. */
static rv_status step_lbfgs(state *s, bool *said, bool *moved)
{
    const double before = s->loss;
    int evaluations;
    const rv_status status = rv_lbfgs_step(s->lbfgs, s->picture->buffer, s->gradient->buffer,
                                           &s->loss, evaluate, s, &evaluations);
    if (s->cancelled) {
        RV_TRY(undo(s, before));
    }
    RV_TRY(status);
    *moved = evaluations > 0;
    if (!isfinite(s->loss) || s->loss > FAR_WORSE * before) {
        return go_back(s, before, said);
    }
    return rv_buffer_copy(s->d->device, s->good, 0, s->picture->buffer, 0, s->n * sizeof(float));
}

/* Leaves the last good iterate in the picture. */
static rv_status iterate_lbfgs(state *s)
{
    const size_t bytes = s->n * sizeof(float);
    bool said = false, moved = true;
    RV_TRY(rv_buffer_copy(s->d->device, s->good, 0, s->picture->buffer, 0, bytes));
    rv_status status = RV_OK;
    if (s->d->from == NULL || s->d->from->n_arrays == 0) {
        status = evaluate_finite(s);
        if (s->cancelled) { /* what was kept before, if anything, still holds */
            return RV_OK;
        }
    }
    while (status == RV_OK && moved && goes_on(s)) {
        status = step_lbfgs(s, &said, &moved);
        if (status == RV_OK) {
            status = finish_iteration(s);
        }
    }
    RV_TRY(s->cancelled ? keep(s) : status);
    return RV_OK;
}

static rv_lbfgs_options lbfgs_options(const rv_descent *d)
{
    return (rv_lbfgs_options){.learning_rate = (float)d->learning_rate,
                              .history = d->history,
                              .strong_wolfe = !d->plain_steps};
}

static rv_status run_lbfgs(state *s)
{
    const rv_lbfgs_options options = lbfgs_options(s->d);
    rv_status status = rv_lbfgs_create(&s->lbfgs, s->d->device, s->n, &options);
    if (status == RV_OK) {
        status = rv_buffer_create(&s->good, s->d->device, s->n * sizeof(float));
    }
    if (status == RV_OK && s->d->from != NULL && s->d->from->n_arrays > 0) {
        status = restore(s);
    }
    if (status == RV_OK) {
        status = iterate_lbfgs(s);
    }
    rv_buffer_destroy(s->good);
    rv_lbfgs_destroy(s->lbfgs);
    return status;
}

/* --------------------------------------------------------------------------------------------- */

/* The memory of the optimiser, vector by vector, and one evaluation that stands for all iterations. */
static rv_status rehearse(state *s)
{
    enum { MAX_VECTORS = 256 };
    const size_t bytes = s->n * sizeof(float);
    size_t left = (size_t)rv_descent_bytes(s->d, s->n);
    rv_buffer *vectors[MAX_VECTORS] = {NULL};
    rv_status status = RV_OK;
    if (s->d->memory != NULL) { /* the host's own counts once it is written to */
        memset(s->d->memory->m, 0, bytes);
        memset(s->d->memory->v, 0, bytes);
    }
    for (size_t i = 0; i < MAX_VECTORS && left > 0 && status == RV_OK; i++) {
        const size_t part = left < bytes ? left : bytes;
        status = rv_buffer_create(&vectors[i], s->d->device, part);
        left -= part;
    }
    const double before = rv_rehearsal_work_done(s->d->device);
    if (status == RV_OK) {
        status = evaluate(s, &s->loss);
    }
    const double work = rv_rehearsal_work_done(s->d->device) - before;
    rv_rehearsal_work(s->d->device, work * (s->d->iterations - 1));
    if (s->d->work != NULL) {
        *s->d->work = work;
    }
    for (size_t i = 0; i < MAX_VECTORS; i++) {
        rv_buffer_destroy(vectors[i]);
    }
    return status;
}

uint64_t rv_descent_bytes(const rv_descent *descent, size_t n)
{
    if (descent->optimizer == RV_OPTIMIZER_ADAM) {
        return rv_adam_bytes(n) + rv_average_bytes(n);
    }
    const rv_lbfgs_options options = lbfgs_options(descent);
    return rv_lbfgs_bytes(n, &options) + (uint64_t)n * sizeof(float);
}

rv_status rv_descend(const rv_descent *descent, float *pixels, double *loss)
{
    state s = {.d = descent,
               .picture = rv_plan_tensor(descent->plan, descent->picture),
               .gradient = rv_plan_gradient(descent->plan, descent->picture),
               .loss = NAN,
               .done = descent->from != NULL ? descent->from->done : 0};
    s.n = rv_tensor_floats(s.picture);
    RV_TRY(rv_tensor_write(descent->device, s.picture, pixels));
    if (rv_device_rehearses(descent->device)) {
        return rehearse(&s);
    }
    RV_TRY(descent->optimizer == RV_OPTIMIZER_ADAM ? run_adam(&s) : run_lbfgs(&s));
    RV_TRY(rv_tensor_read(descent->device, s.picture, pixels));
    *loss = s.loss;
    return s.cancelled ? rv_fail(RV_ERR_CANCELLED, "cancelled") : RV_OK;
}
