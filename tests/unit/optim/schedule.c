/* Learning rates by step against the formulas of each schedule. */
/* SPDX-License-Identifier: MIT */
#include "optim/schedule.h"
#include "support/assert.h"

#include <math.h>

static const rv_rate_state start = RV_RATE_STATE_INIT;

static void expect(const rv_rate *r, int64_t step, double rate)
{
    const double got = rv_rate_at(r, &start, step);
    cr_assert_float_eq(got, rate, 1e-12 + 1e-9 * fabs(rate), "%s at %d: %.12g, not %.12g",
                       rv_rate_name((int)r->kind), (int)step, got, rate);
}

Test(schedule, constant_and_warm_up)
{
    rv_rate r = rv_rate_defaults(RV_RATE_CONSTANT, 0.5, 100);
    expect(&r, 0, 0.5);
    expect(&r, 99, 0.5);
    r.warm_up = 10;
    expect(&r, 0, 0.05);
    expect(&r, 4, 0.25);
    expect(&r, 9, 0.5);
    expect(&r, 10, 0.5);
}

Test(schedule, piecewise_falls_at_its_boundaries)
{
    rv_rate r = rv_rate_defaults(RV_RATE_PIECEWISE, 1, 100);
    expect(&r, 49, 1);
    expect(&r, 50, 0.1);
    expect(&r, 74, 0.1);
    expect(&r, 75, 0.01);
    r.n_boundaries = 1;
    r.boundaries[0] = 3;
    r.factor = 0.5;
    expect(&r, 2, 1);
    expect(&r, 3, 0.5);
}

Test(schedule, exponential_and_power_by_their_formulas)
{
    rv_rate r = rv_rate_defaults(RV_RATE_EXPONENTIAL, 0.2, 100);
    r.period = 20;
    for (int t = 0; t < 100; t += 7) {
        expect(&r, t, 0.2 * pow(0.1, t / 20.0));
    }
    r = rv_rate_defaults(RV_RATE_POWER, 0.2, 100);
    r.period = 10;
    expect(&r, 10, 0.1);
    expect(&r, 30, 0.05);
    r.power = 0.75;
    for (int t = 0; t < 100; t += 7) {
        expect(&r, t, 0.2 * pow(1 + 0.1 * t, -0.75));
    }
}

Test(schedule, cosine_goes_from_the_rate_to_its_last_share_behind_the_warm_up)
{
    rv_rate r = rv_rate_defaults(RV_RATE_COSINE, 0.4, 100);
    r.last = 0.1;
    expect(&r, 0, 0.4);
    expect(&r, 50, 0.22);
    expect(&r, 25, 0.04 + 0.36 * 0.5 * (1 + cos(M_PI / 4)));
    expect(&r, 100, 0.04);
    r.warm_up = 20;
    expect(&r, 9, 0.2);
    expect(&r, 19, 0.4);
    expect(&r, 20, 0.4);
    expect(&r, 60, 0.22);
}

Test(schedule, one_cycle_rises_and_falls_and_momentum_against_it)
{
    rv_rate r = rv_rate_defaults(RV_RATE_ONE_CYCLE, 1, 101);
    expect(&r, 0, 1 / 25.0);
    expect(&r, 25, 1);
    expect(&r, 100, 1e-5);
    expect(&r, 10, 1 + (0.04 - 1) * 0.5 * (1 + cos(M_PI * 0.4)));
    expect(&r, 55, 1e-5 + (1 - 1e-5) * 0.5 * (1 + cos(M_PI * 30 / 75)));
    cr_assert_float_eq(rv_rate_momentum_at(&r, 0), 0.95, 1e-12);
    cr_assert_float_eq(rv_rate_momentum_at(&r, 25), 0.85, 1e-12);
    cr_assert_float_eq(rv_rate_momentum_at(&r, 100), 0.95, 1e-12);
    r = rv_rate_defaults(RV_RATE_COSINE, 1, 101);
    cr_assert(isnan(rv_rate_momentum_at(&r, 0)));
}

Test(schedule, plateau_falls_when_the_best_is_not_beaten_for_long)
{
    rv_rate r = rv_rate_defaults(RV_RATE_PLATEAU, 1, 100);
    rv_rate_state state = RV_RATE_STATE_INIT;
    r.patience = 2;
    r.least_gain = 0.01;
    static const struct {
        double value, rate;
        int fell;
    } rows[] = {{5, 1, 0},     {4, 1, 0},     {4.5, 1, 0},    {3.99, 0.1, 1}, {4, 0.1, 0},
                {3.9, 0.1, 0}, {3.9, 0.1, 0}, {3.9, 0.01, 1}, {NAN, 0.01, 0}, {NAN, 0.001, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(rv_rate_watch(&r, &state, rows[i].value), rows[i].fell, "row %zu", i);
        cr_assert_float_eq(rv_rate_at(&r, &state, (int64_t)i), rows[i].rate, 1e-12, "row %zu", i);
    }
}

Test(schedule, what_is_out_of_range_is_named)
{
    rv_rate r = rv_rate_defaults(RV_RATE_COSINE, 1, 100);
    RV_ASSERT_OK(rv_rate_check(&r));
    r.rate = NAN;
    RV_ASSERT_FAILS(rv_rate_check(&r), RV_ERR_USAGE, "learning rate");
    r = rv_rate_defaults(RV_RATE_COSINE, 1, 100);
    r.warm_up = 101;
    RV_ASSERT_FAILS(rv_rate_check(&r), RV_ERR_USAGE, "warm-up");
    r = rv_rate_defaults(RV_RATE_PIECEWISE, 1, 100);
    r.boundaries[1] = r.boundaries[0];
    RV_ASSERT_FAILS(rv_rate_check(&r), RV_ERR_USAGE, "boundary 50");
    r = rv_rate_defaults(RV_RATE_EXPONENTIAL, 1, 100);
    r.period = 0;
    RV_ASSERT_FAILS(rv_rate_check(&r), RV_ERR_USAGE, "period");
}
