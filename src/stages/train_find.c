/* Finds a learning rate: it grows with every step until the loss does (Smith 2017). */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "stages/train_run.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 100, SKIPPED = 10 };
#define FIRST_RATE 1e-6
#define LAST_RATE  10.0
/* What the mean of the losses keeps of itself at each step. */
#define SMOOTHING 0.9
/* A mean this many times the best ends the search. */
#define TOO_MUCH 4.0

static double rate_of(int step)
{
    return FIRST_RATE * pow(LAST_RATE / FIRST_RATE, (double)step / (STEPS - 1));
}

static void report(const rv_train_run *run, int done, double loss)
{
    const rv_progress progress = {.task = "finding a learning rate",
                                  .done = done,
                                  .total = STEPS,
                                  .fraction = (double)done / STEPS,
                                  .loss = loss,
                                  .seconds_left = -1};
    rv_report(run->options.events, &progress);
}

/* Steps until the mean of the losses has grown too much, or is no number any more. */
static rv_status climb(rv_train_run *run, rv_rate_point *points, size_t *n)
{
    double mean = 0, weight = 0, best = INFINITY;
    for (int i = 0; i < STEPS; i++) {
        const double before = run->at.loss;
        RV_TRY(rv_check_cancelled(run->options.events));
        const rv_status status = rv_train_step(run, rate_of(i));
        if (run->diverged && *n > SKIPPED) {
            return RV_OK;
        }
        RV_TRY(status);
        const double loss = (run->at.loss - before) / run->options.accumulate;
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss;
        weight = SMOOTHING * weight + (1 - SMOOTHING);
        points[*n] = (rv_rate_point){rate_of(i), loss, mean / weight};
        best = fmin(best, points[*n].mean);
        report(run, i + 1, points[*n].mean);
        if (points[(*n)++].mean > TOO_MUCH * best) {
            return RV_OK;
        }
    }
    return RV_OK;
}

/* Where the mean falls most steeply over the logarithm of the rate; the first steps have no mean yet. */
static double steepest(const rv_rate_point *points, size_t n)
{
    size_t best = 0;
    double slope = 0;
    for (size_t i = SKIPPED; i + 1 < n; i++) {
        const double here = points[i + 1].mean - points[i - 1].mean;
        if (here < slope) {
            slope = here;
            best = i;
        }
    }
    return best > 0 ? points[best].rate : NAN;
}

rv_status rv_find_learning_rate(rv_rate_point **out, size_t *n, double *suggestion,
                                rv_device *device, const char *dataset,
                                const rv_train_options *options)
{
    rv_train_run run = {.device = device, .dataset_path = dataset};
    *out = NULL;
    *n = 0;
    *suggestion = NAN;
    RV_TRY(rv_train_resolve(&run.options, options));
    RV_TRY(rv_train_find_task(&run.task, run.options.loss));
    rv_status status = rv_train_prepare(&run);
    if (status == RV_OK) {
        status = rv_alloc(out, STEPS, sizeof **out, "learning rates");
    }
    if (status == RV_OK) {
        status = climb(&run, *out, n);
    }
    rv_train_release(&run);
    if (status != RV_OK) {
        free(*out);
        *out = NULL;
        *n = 0;
        return status;
    }
    *suggestion = steepest(*out, *n);
    return RV_OK;
}
