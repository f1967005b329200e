/* Schedules: the learning rate of each step, and momentum where it moves with it. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPTIM_SCHEDULE_H
#define RV_OPTIM_SCHEDULE_H

#include <reverie/status.h>
#include <stddef.h>
#include <stdint.h>

/** t is the number of the step from 0, T that of all steps, r the rate that is given. */
typedef enum rv_rate_kind {
    RV_RATE_CONSTANT,  /**< r */
    RV_RATE_PIECEWISE, /**< r factor^(boundaries that t has reached) */
    RV_RATE_PLATEAU, /**< r factor^(times that what is watched stood still), see rv_rate_watch() */
    RV_RATE_EXPONENTIAL, /**< r factor^(t / period) */
    RV_RATE_POWER,       /**< r / (1 + t / period)^power */
    RV_RATE_COSINE, /**< from r to r last over half a period of the cosine (Loshchilov and Hutter 2017) */
    RV_RATE_ONE_CYCLE, /**< by cosines from r / 25 up to r over the first `rise` of T, then down to r / 1e5;
                              momentum from `momentum_high` to `momentum_low` and back (Smith 2018) */
    RV_RATES
} rv_rate_kind;

enum { RV_RATE_MAX_BOUNDARIES = 16 };

typedef struct rv_rate {
    rv_rate_kind kind;
    double rate;  /**< >= 0 */
    double steps; /**< T >= 1 */
    double
        warm_up; /**< steps in which the rate grows in a line, the first getting 1 / warm_up; 0: none */
    double last;   /**< cosine: share of the rate at the end, 0 to 1 */
    double factor; /**< piecewise, plateau, exponential: 0 to 1 */
    double period; /**< exponential, power: steps, > 0 */
    double power;
    double boundaries[RV_RATE_MAX_BOUNDARIES]; /**< piecewise: steps, rising */
    size_t n_boundaries;
    double rise; /**< one-cycle: 0 to 1 */
    double momentum_high, momentum_low;
    int patience;      /**< plateau: observations without gain before the rate falls, >= 1 */
    double least_gain; /**< plateau: share by which the best has to be beaten */
} rv_rate;

/** What a schedule that watches remembers; part of a checkpoint. Starts from RV_RATE_STATE_INIT. */
typedef struct rv_rate_state {
    double best;
    int64_t waited;
    int64_t falls;
} rv_rate_state;
#define RV_RATE_STATE_INIT \
    {                      \
        INFINITY, 0, 0     \
    }

/** Defaults of a kind for a training of T steps. */
rv_rate rv_rate_defaults(rv_rate_kind kind, double rate, double steps);
/** "cosine"; NULL beyond the last. */
const char *rv_rate_name(int kind);
/** RV_ERR_USAGE names what is out of range. */
RV_NODISCARD rv_status rv_rate_check(const rv_rate *r);

double rv_rate_at(const rv_rate *r, const rv_rate_state *state, int64_t step);
/** One-cycle's momentum; NaN where the schedule leaves it alone. */
double rv_rate_momentum_at(const rv_rate *r, int64_t step);
/** Tells a schedule on plateau what is to become small, once an epoch. @return whether the rate fell */
int rv_rate_watch(const rv_rate *r, rv_rate_state *state, double value);

#endif
