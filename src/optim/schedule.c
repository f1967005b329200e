/* Computes learning rates by step. */
/* SPDX-License-Identifier: MIT */
#include "optim/schedule.h"
#include "base/error.h"

#include <math.h>

/* One-cycle: how far below the rate it starts and ends, as in fastai. */
#define START_DIVISOR 25.0
#define END_DIVISOR   1e5

static const char *const names[RV_RATES] = {"constant", "piecewise", "plateau",  "exponential",
                                            "power",    "cosine",    "one-cycle"};

const char *rv_rate_name(int kind)
{
    return kind >= 0 && kind < RV_RATES ? names[kind] : NULL;
}

rv_rate rv_rate_defaults(rv_rate_kind kind, double rate, double steps)
{
    return (rv_rate){.kind = kind,
                     .rate = rate,
                     .steps = steps,
                     .factor = 0.1,
                     .period = steps,
                     .power = 1,
                     .boundaries = {0.5 * steps, 0.75 * steps},
                     .n_boundaries = 2,
                     .rise = 0.25,
                     .momentum_high = 0.95,
                     .momentum_low = 0.85,
                     .patience = 5,
                     .least_gain = 1e-4};
}

static rv_status check(const char *name, double value, double low, double high)
{
    return value >= low && value <= high
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s is %g, must be from %g to %g", name, value, low, high);
}

rv_status rv_rate_check(const rv_rate *r)
{
    const double huge = 1e15;
    if ((int)r->kind < 0 || r->kind >= RV_RATES) {
        return rv_fail(RV_ERR_USAGE, "there is no schedule number %d", (int)r->kind);
    }
    RV_TRY(check("the learning rate", r->rate, 0, 1e6));
    RV_TRY(check("the number of steps", r->steps, 1, huge));
    RV_TRY(check("the warm-up", r->warm_up, 0, r->steps));
    RV_TRY(check("the share of the rate at the end", r->last, 0, 1));
    RV_TRY(check("the factor of the schedule", r->factor, 0, 1));
    RV_TRY(check("the period of the schedule", r->period, 1e-9, huge));
    RV_TRY(check("the power of the schedule", r->power, 0, 100));
    RV_TRY(check("the rising share of one-cycle", r->rise, 0.001, 0.999));
    RV_TRY(check("the momentum of one-cycle", r->momentum_high, 0, 0.9999));
    RV_TRY(check("the momentum of one-cycle", r->momentum_low, 0, 0.9999));
    RV_TRY(check("the patience of the schedule", r->patience, 1, huge));
    for (size_t i = 1; i < r->n_boundaries; i++) {
        if (!(r->boundaries[i] > r->boundaries[i - 1])) {
            return rv_fail(RV_ERR_USAGE, "boundary %g of the schedule comes behind %g",
                           r->boundaries[i], r->boundaries[i - 1]);
        }
    }
    return RV_OK;
}

/* From a at share 0 to b at share 1. */
static double along_cosine(double a, double b, double share)
{
    share = fmin(fmax(share, 0), 1);
    return b + (a - b) * 0.5 * (1 + cos(M_PI * share));
}

/* Share of the rise, or of the fall behind it, that is done. */
static double one_cycle(const rv_rate *r, double t, double start, double middle, double end)
{
    const double peak = r->rise * (r->steps - 1);
    return t < peak ? along_cosine(start, middle, t / peak)
                    : along_cosine(middle, end, (t - peak) / fmax(r->steps - 1 - peak, 1e-9));
}

static double pieces(const rv_rate *r, double t)
{
    double factor = 1;
    for (size_t i = 0; i < r->n_boundaries && t >= r->boundaries[i]; i++) {
        factor *= r->factor;
    }
    return factor;
}

double rv_rate_at(const rv_rate *r, const rv_rate_state *state, int64_t step)
{
    const double t = (double)step, later = t - r->warm_up;
    const double warm = t < r->warm_up ? (t + 1) / r->warm_up : 1;
    switch (r->kind) {
    case RV_RATE_PIECEWISE:
        return r->rate * warm * pieces(r, t);
    case RV_RATE_PLATEAU:
        return r->rate * warm * pow(r->factor, (double)state->falls);
    case RV_RATE_EXPONENTIAL:
        return r->rate * warm * pow(r->factor, t / r->period);
    case RV_RATE_POWER:
        return r->rate * warm / pow(1 + t / r->period, r->power);
    case RV_RATE_COSINE:
        return r->rate * warm * along_cosine(1, r->last, later / fmax(r->steps - r->warm_up, 1));
    case RV_RATE_ONE_CYCLE:
        return r->rate * one_cycle(r, t, 1 / START_DIVISOR, 1, 1 / END_DIVISOR);
    default:
        return r->rate * warm;
    }
}

double rv_rate_momentum_at(const rv_rate *r, int64_t step)
{
    return r->kind == RV_RATE_ONE_CYCLE
               ? one_cycle(r, (double)step, r->momentum_high, r->momentum_low, r->momentum_high)
               : NAN;
}

int rv_rate_watch(const rv_rate *r, rv_rate_state *state, double value)
{
    if (value < state->best - fabs(state->best) * r->least_gain || isinf(state->best)) {
        state->best = value;
        state->waited = 0;
        return 0;
    }
    if (r->kind != RV_RATE_PLATEAU || ++state->waited < r->patience) {
        return 0;
    }
    state->waited = 0;
    state->falls++;
    return 1;
}
