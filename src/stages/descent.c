/* Runs Adam or L-BFGS over the pixels of a picture, with a way back from a step that went wrong. */
/* SPDX-License-Identifier: MIT */
#include "stages/descent.h"
#include "base/error.h"
#include "base/event.h"
#include "optim/optim.h"

#include <math.h>

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

static rv_status evaluate_finite(state *s, int iterations)
{
    RV_TRY(evaluate(s, &s->loss));
    if (!isfinite(s->loss)) {
        return rv_fail(RV_ERR_USAGE, "the loss is %g after %d iterations: choose smaller weights",
                       s->loss, iterations);
    }
    return RV_OK;
}

static void report(const state *s, int done)
{
    if (s->d->report != NULL) {
        s->d->report(s->d->payload, done, s->loss);
    }
}

/* --- Adam ------------------------------------------------------------------------------------ */

/* Leaves the average of the iterates in the picture. */
static rv_status iterate_adam(state *s, rv_adam *adam, rv_average *average)
{
    int done = 0;
    while (done < s->d->iterations) {
        const rv_status status = evaluate_finite(s, done);
        if (s->cancelled) {
            break;
        }
        RV_TRY(status);
        RV_TRY(rv_adam_step(adam, s->picture->buffer, s->gradient->buffer));
        RV_TRY(rv_average_update(average, s->picture->buffer));
        report(s, ++done);
    }
    if (done > 0) {
        RV_TRY(rv_average_read(average, s->picture->buffer));
    }
    /* Who stops has no time for the loss of the average. */
    RV_TRY(s->cancelled ? RV_OK : rv_plan_forward(s->d->plan));
    return s->cancelled ? RV_OK : rv_plan_losses(s->d->plan, NULL, &s->loss);
}

static rv_status run_adam(state *s)
{
    const rv_adam_options options = {.learning_rate = (float)s->d->learning_rate,
                                     .beta1 = ADAM_BETA1,
                                     .beta2 = ADAM_BETA2,
                                     .epsilon = 1e-8f,
                                     .low = 0.0f,
                                     .high = 1.0f};
    rv_adam *adam = NULL;
    rv_average *average = NULL;
    rv_status status = rv_adam_create(&adam, s->d->device, s->n, &options);
    if (status == RV_OK) {
        status = rv_average_create(&average, s->d->device, s->n, AVERAGE_DECAY);
    }
    if (status == RV_OK) {
        status = iterate_adam(s, adam, average);
    }
    rv_average_destroy(average);
    rv_adam_destroy(adam);
    return status;
}

/* --- L-BFGS ---------------------------------------------------------------------------------- */

/* Goes back to the last good picture, to go on from there in smaller steps. */
static rv_status go_back(state *s, rv_lbfgs *lbfgs, const rv_buffer *good, bool *said)
{
    if (!*said) {
        rv_log(
            s->d->events, RV_LOG_WARNING,
            "L-BFGS went astray (a loss of %g): back to the last good picture, with half the step",
            s->loss);
        *said = true;
    }
    rv_lbfgs_reset(lbfgs, 0.5f);
    RV_TRY(rv_buffer_copy(s->d->device, s->picture->buffer, 0, good, 0, s->n * sizeof(float)));
    return evaluate(s, &s->loss);
}

/* One iteration, after which the picture and `good` are the same. *moved: some descent was left. */
static rv_status step_lbfgs(state *s, rv_lbfgs *lbfgs, rv_buffer *good, bool *said, bool *moved)
{
    const double before = s->loss;
    int evaluations;
    RV_TRY(rv_lbfgs_step(lbfgs, s->picture->buffer, s->gradient->buffer, &s->loss, evaluate, s,
                         &evaluations));
    *moved = evaluations > 0;
    if (!isfinite(s->loss) || s->loss > FAR_WORSE * before) {
        return go_back(s, lbfgs, good, said);
    }
    return rv_buffer_copy(s->d->device, good, 0, s->picture->buffer, 0, s->n * sizeof(float));
}

/* Leaves the last good iterate in the picture. */
static rv_status iterate_lbfgs(state *s, rv_lbfgs *lbfgs, rv_buffer *good)
{
    const size_t bytes = s->n * sizeof(float);
    bool said = false, moved = true;
    RV_TRY(rv_buffer_copy(s->d->device, good, 0, s->picture->buffer, 0, bytes));
    rv_status status = evaluate_finite(s, 0);
    for (int done = 0; status == RV_OK && moved && done < s->d->iterations;) {
        const double before = s->loss;
        status = step_lbfgs(s, lbfgs, good, &said, &moved);
        if (status == RV_OK) {
            report(s, ++done);
        } else {
            s->loss = before;
        }
    }
    RV_TRY(s->cancelled ? RV_OK : status);
    return rv_buffer_copy(s->d->device, s->picture->buffer, 0, good, 0, bytes);
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
    rv_lbfgs *lbfgs = NULL;
    rv_buffer *good = NULL;
    rv_status status = rv_lbfgs_create(&lbfgs, s->d->device, s->n, &options);
    if (status == RV_OK) {
        status = rv_buffer_create(&good, s->d->device, s->n * sizeof(float));
    }
    if (status == RV_OK) {
        status = iterate_lbfgs(s, lbfgs, good);
    }
    rv_buffer_destroy(good);
    rv_lbfgs_destroy(lbfgs);
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
               .loss = NAN};
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
