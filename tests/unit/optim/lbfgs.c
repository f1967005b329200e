/* L-BFGS: Torch's steps without a line search, the strong Wolfe conditions with one. */
/* SPDX-License-Identifier: MIT */
#include "optim/optim.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_N = 64, MAX_CALLS = 2000 };

/* A function in double of what the device holds, and a record of where it was asked for. */
typedef struct problem {
    rv_device *device;
    rv_buffer *x, *g;
    size_t n;
    double (*f)(const double *x, double *g, size_t n);
    int calls;
    double loss[MAX_CALLS];
    int fail_after; /* calls after which the loss is NaN, 0: never */
} problem;

static double quadratic(const double *x, double *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = pow(100.0, (double)i / (double)n), d = x[i] - 1.0 / (double)(i + 1);
        sum += 0.5 * a * d * d;
        g[i] = a * d;
    }
    return sum;
}

static double rosenbrock(const double *x, double *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        g[i] = 0;
    }
    for (size_t i = 0; i + 1 < n; i += 2) {
        const double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        sum += 100 * a * a + b * b;
        g[i] += -400 * a * x[i] - 2 * b;
        g[i + 1] += 200 * a;
    }
    return sum;
}

static void get(const problem *p, rv_buffer *buffer, double *out)
{
    float values[MAX_N];
    RV_ASSERT_OK(rv_buffer_read(p->device, buffer, 0, values, p->n * sizeof(float)));
    for (size_t i = 0; i < p->n; i++) {
        out[i] = (double)values[i];
    }
}

static void set(const problem *p, rv_buffer *buffer, const double *in)
{
    float values[MAX_N];
    for (size_t i = 0; i < p->n; i++) {
        values[i] = (float)in[i];
    }
    RV_ASSERT_OK(rv_buffer_write(p->device, buffer, 0, values, p->n * sizeof(float)));
}

static rv_status evaluate(void *payload, double *loss)
{
    problem *p = payload;
    double x[MAX_N], g[MAX_N];
    get(p, p->x, x);
    *loss = p->f(x, g, p->n);
    p->calls++;
    if (p->fail_after > 0 && p->calls > p->fail_after) {
        *loss = NAN;
    }
    cr_assert_lt(p->calls, MAX_CALLS);
    p->loss[p->calls] = *loss;
    set(p, p->g, g);
    return RV_OK;
}

static void open_problem(problem *p, double (*f)(const double *, double *, size_t), size_t n)
{
    *p = (problem){.device = rv_test_device(), .n = n, .f = f};
    RV_ASSERT_OK(rv_buffer_create(&p->x, p->device, n * sizeof(float)));
    RV_ASSERT_OK(rv_buffer_create(&p->g, p->device, n * sizeof(float)));
    double start[MAX_N];
    for (size_t i = 0; i < n; i++) {
        start[i] = i % 2 == 0 ? -1.2 : 1.0;
    }
    set(p, p->x, start);
}

static void close_problem(problem *p)
{
    rv_buffer_destroy(p->x);
    rv_buffer_destroy(p->g);
    rv_device_close(p->device);
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* --- without a line search: as torch.optim.LBFGS --------------------------------------------- */

/* Torch's algorithm in double, with at most `history` pairs, oldest first. */
typedef struct reference {
    size_t n;
    int history, pairs;
    double rate, x[MAX_N], g[MAX_N], previous[MAX_N], d[MAX_N], t;
    double s[8][MAX_N], y[8][MAX_N];
    bool started;
} reference;

static void reference_remember(reference *r)
{
    double s[MAX_N], y[MAX_N];
    for (size_t i = 0; i < r->n; i++) {
        s[i] = r->t * r->d[i];
        y[i] = r->g[i] - r->previous[i];
    }
    if (dot(s, y, r->n) <= 1e-10) {
        return;
    }
    if (r->pairs == r->history) {
        memmove(r->s[0], r->s[1], sizeof r->s[0] * (size_t)(r->history - 1));
        memmove(r->y[0], r->y[1], sizeof r->y[0] * (size_t)(r->history - 1));
        r->pairs--;
    }
    memcpy(r->s[r->pairs], s, sizeof s);
    memcpy(r->y[r->pairs++], y, sizeof y);
}

static void reference_direction(reference *r)
{
    double alpha[8];
    for (size_t i = 0; i < r->n; i++) {
        r->d[i] = -r->g[i];
    }
    for (int k = r->pairs - 1; k >= 0; k--) {
        alpha[k] = dot(r->s[k], r->d, r->n) / dot(r->y[k], r->s[k], r->n);
        for (size_t i = 0; i < r->n; i++) {
            r->d[i] -= alpha[k] * r->y[k][i];
        }
    }
    if (r->pairs > 0) {
        const int last = r->pairs - 1;
        const double scale = dot(r->y[last], r->s[last], r->n) / dot(r->y[last], r->y[last], r->n);
        for (size_t i = 0; i < r->n; i++) {
            r->d[i] *= scale;
        }
    }
    for (int k = 0; k < r->pairs; k++) {
        const double beta = dot(r->y[k], r->d, r->n) / dot(r->y[k], r->s[k], r->n);
        for (size_t i = 0; i < r->n; i++) {
            r->d[i] += (alpha[k] - beta) * r->s[k][i];
        }
    }
}

static void reference_step(reference *r, double (*f)(const double *, double *, size_t))
{
    if (r->started) {
        reference_remember(r);
    }
    reference_direction(r);
    r->t = r->rate;
    if (!r->started) {
        double sum = 0;
        for (size_t i = 0; i < r->n; i++) {
            sum += fabs(r->g[i]);
        }
        r->t *= fmin(1, 1 / sum);
    }
    memcpy(r->previous, r->g, sizeof r->g);
    for (size_t i = 0; i < r->n; i++) {
        r->x[i] += r->t * r->d[i];
    }
    f(r->x, r->g, r->n);
    r->started = true;
}

/* Both from the same start for some steps; how far float and double part grows with them. */
static void follows(double (*f)(const double *, double *, size_t), size_t n, int history, int steps,
                    float rate, double tolerance)
{
    problem p;
    open_problem(&p, f, n);
    reference r = {.n = n, .history = history, .rate = (double)rate};
    get(&p, p.x, r.x);
    f(r.x, r.g, n);
    const rv_lbfgs_options options = {.learning_rate = rate, .history = history};
    rv_lbfgs *lbfgs;
    double loss;
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, n, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    for (int k = 0; k < steps; k++) {
        int evaluations;
        double x[MAX_N];
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, &evaluations));
        cr_assert_eq(evaluations, 1);
        reference_step(&r, f);
        get(&p, p.x, x);
        for (size_t i = 0; i < n; i++) {
            cr_assert_float_eq(x[i], r.x[i], tolerance, "step %d, value %zu: %.9g, not %.9g", k + 1,
                               i, x[i], r.x[i]);
        }
    }
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

Test(lbfgs, steps_as_torch_does_on_a_quadratic)
{
    follows(quadratic, 33, 8, 12, 1.0f, 2e-3);
    follows(quadratic, 33, 3, 12, 0.5f, 2e-3);
}

Test(lbfgs, steps_as_torch_does_on_rosenbrock)
{
    follows(rosenbrock, 2, 8, 10, 1.0f, 1e-3);
    follows(rosenbrock, 64, 4, 10, 1.0f, 1e-3);
}

/* --- with a line search ---------------------------------------------------------------------- */

/* Every step against the conditions, from values in double; returns the last loss. */
static double descends(double (*f)(const double *, double *, size_t), size_t n, float rate,
                       int steps, int *calls)
{
    problem p;
    open_problem(&p, f, n);
    const rv_lbfgs_options options = {.learning_rate = rate, .history = 10, .strong_wolfe = true};
    rv_lbfgs *lbfgs;
    double loss, x0[MAX_N], g0[MAX_N], x1[MAX_N], g1[MAX_N], d[MAX_N], shown[MAX_N];
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, n, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    for (int k = 0; k < steps && loss > 1e-6; k++) {
        int evaluations;
        get(&p, p.x, x0);
        const double before = f(x0, g0, n);
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, &evaluations));
        cr_assert(evaluations >= 1 && evaluations <= 25);
        get(&p, p.x, x1);
        const double after = f(x1, g1, n);
        cr_assert_float_eq(loss, after, 1e-9 + 1e-6 * after, "the loss belongs to x");
        get(&p, p.g, shown);
        for (size_t i = 0; i < n; i++) {
            d[i] = x1[i] - x0[i];
            cr_assert_float_eq(shown[i], g1[i], 1e-5 + 1e-5 * fabs(g1[i]),
                               "and so does the gradient");
        }
        /* With d = x1 - x0 the step is 1: f(x1) <= f(x0) + c1 g0.d, |g1.d| <= c2 |g0.d|; x in
         * float puts both off by a little. */
        const double slope0 = dot(g0, d, n), slope1 = dot(g1, d, n);
        const double rounding = 1e-5 * fabs(slope0) + 1e-9;
        cr_assert_lt(slope0, 0, "step %d goes up", k);
        cr_assert(after <= before + 1e-4 * slope0 + rounding, "step %d: from %g to %g, slope %g", k,
                  before, after, slope0);
        cr_assert(fabs(slope1) <= 0.9 * fabs(slope0) + rounding, "step %d: slope %g to %g", k,
                  slope0, slope1);
    }
    *calls = p.calls;
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
    return loss;
}

Test(lbfgs, strong_Wolfe_conditions_hold_on_rosenbrock)
{
    int calls;
    cr_assert_leq(descends(rosenbrock, 2, 1, 60, &calls), 1e-6);
    cr_assert_leq(calls, 80, "took %d evaluations", calls);
    cr_assert_leq(descends(rosenbrock, 64, 1, 100, &calls), 1e-6);
    cr_assert_leq(calls, 120, "took %d evaluations", calls);
}

Test(lbfgs, strong_Wolfe_conditions_hold_on_a_quadratic)
{
    int calls;
    cr_assert_leq(descends(quadratic, 33, 1, 60, &calls), 1e-6);
    cr_assert_leq(calls, 80, "took %d evaluations", calls);
}

/* log(1 + x^2) has slopes that vanish far away, so that the first trials are too short. */
static double flat(const double *x, double *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += log(1 + 1e-6 * x[i] * x[i]);
        g[i] = 2e-6 * x[i] / (1 + 1e-6 * x[i] * x[i]);
    }
    return sum;
}

Test(lbfgs, the_line_search_walks_far_where_it_is_flat)
{
    int calls;
    cr_assert_leq(descends(flat, 5, 1, 40, &calls), 1e-6);
    cr_assert_leq(calls, 60, "took %d evaluations", calls);
}

/* Far on the other side of its minimum it is higher, but flatter: curvature alone would take that. */
static double valley(const double *x, double *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += log(1 + x[i] * x[i]);
        g[i] = 2 * x[i] / (1 + x[i] * x[i]);
    }
    return sum;
}

Test(lbfgs, a_step_that_goes_up_is_not_taken_for_being_flat)
{
    int calls;
    cr_assert_leq(descends(valley, 1, 8, 20, &calls), 1e-6);
    cr_assert_leq(calls, 40, "took %d evaluations", calls);
}

/* A wall: beyond x = 2 the function is not defined, and a long first step lands there. */
static double wall(const double *x, double *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += -log(2 - x[i]) - 10 * x[i];
        g[i] = 1 / (2 - x[i]) - 10;
    }
    return sum;
}

Test(lbfgs, a_trial_where_the_loss_is_not_finite_is_taken_back)
{
    problem p;
    open_problem(&p, wall, 4);
    const rv_lbfgs_options options = {.learning_rate = 1000, .history = 10, .strong_wolfe = true};
    rv_lbfgs *lbfgs;
    double loss, x[MAX_N];
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 4, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
    cr_assert(!isfinite(p.loss[2]), "the first trial should have been too far");
    cr_assert(isfinite(loss));
    get(&p, p.x, x);
    cr_assert_lt(x[0], 2);
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

/* --- searches that find nothing better ------------------------------------------------------- */

static struct {
    double x[2], g[2], loss;
} foot;

/* Goes down from `foot` along -gradient only: a ridge, steep on both sides. */
static double ridge(const double *x, double *g, size_t n)
{
    const double length = sqrt(dot(foot.g, foot.g, n));
    const double down[] = {-foot.g[0] / length, -foot.g[1] / length};
    const double d[] = {x[0] - foot.x[0], x[1] - foot.x[1]};
    const double along = dot(d, down, n), off = d[0] * down[1] - d[1] * down[0];
    const double slope = length * (along - 1), side = off < 0 ? -1e4 * length : 1e4 * length;
    g[0] = slope * down[0] + (off == 0 ? 0 : side * down[1]);
    g[1] = slope * down[1] - (off == 0 ? 0 : side * down[0]);
    return foot.loss + length * along * (along / 2 - 1) + side * off;
}

/* What was learned about the function no longer holds: the history leads nowhere. */
Test(lbfgs, where_the_history_leads_nowhere_the_gradient_is_followed)
{
    problem p;
    open_problem(&p, rosenbrock, 2);
    const rv_lbfgs_options options = {.learning_rate = 1, .history = 10, .strong_wolfe = true};
    rv_lbfgs *lbfgs;
    double loss, x[MAX_N];
    int evaluations;
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 2, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    for (int k = 0; k < 6; k++) {
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
    }
    get(&p, p.x, x);
    memcpy(foot.x, x, sizeof foot.x);
    get(&p, p.g, x);
    memcpy(foot.g, x, sizeof foot.g);
    foot.loss = loss;
    p.f = ridge;
    p.calls = 0;
    RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, &evaluations));
    cr_assert_lt(p.loss[p.calls], foot.loss);
    cr_assert(p.loss[1] > foot.loss, "the history should have led off the ridge");
    cr_assert_lt(loss, foot.loss);
    cr_assert_eq(evaluations, p.calls);
    get(&p, p.x, x);
    for (int i = 0; i < 2; i++) {
        cr_assert(foot.g[i] * (x[i] - foot.x[i]) < 0);
    }
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

static double notch(const double *x, double *g, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        g[i] = x[i] < 0 ? -1 : 1;
        sum += fabs(x[i]);
    }
    return sum;
}

/* At the bottom of a notch every direction goes up, though the gradient is not zero. */
Test(lbfgs, where_nothing_goes_down_no_descent_is_left)
{
    problem p;
    open_problem(&p, rosenbrock, 2);
    const rv_lbfgs_options options = {.learning_rate = 1, .history = 10, .strong_wolfe = true};
    rv_lbfgs *lbfgs;
    double loss, x[MAX_N];
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 2, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    for (int k = 0; k < 6; k++) {
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
    }
    p.f = notch;
    set(&p, p.x, (const double[]){0, 0});
    RV_ASSERT_OK(evaluate(&p, &loss));
    int evaluations = -1;
    RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, &evaluations));
    cr_assert_eq(evaluations, 0);
    cr_assert_eq(loss, 0);
    get(&p, p.x, x);
    cr_assert(x[0] == 0 && x[1] == 0);
    get(&p, p.g, x);
    cr_assert(x[0] == 1 && x[1] == 1, "the gradient belongs to x");
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

/* --- the end, resetting, errors -------------------------------------------------------------- */

Test(lbfgs, at_the_minimum_nothing_moves)
{
    problem p;
    open_problem(&p, quadratic, 8);
    double best[MAX_N], x[MAX_N], loss;
    for (size_t i = 0; i < 8; i++) {
        best[i] = 1.0 / (double)(i + 1);
    }
    set(&p, p.x, best);
    for (int wolfe = 0; wolfe < 2; wolfe++) {
        const rv_lbfgs_options options = {
            .learning_rate = 1, .history = 4, .strong_wolfe = wolfe == 1};
        rv_lbfgs *lbfgs;
        int evaluations = -1;
        RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 8, &options));
        RV_ASSERT_OK(evaluate(&p, &loss));
        RV_ASSERT_OK(rv_buffer_fill(p.device, p.g, 0, 8 * sizeof(float), 0.0f));
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, &evaluations));
        cr_assert_eq(evaluations, 0);
        get(&p, p.x, x);
        for (size_t i = 0; i < 8; i++) {
            cr_assert_eq(x[i], (double)(float)best[i]);
        }
        rv_lbfgs_destroy(lbfgs);
    }
    close_problem(&p);
}

Test(lbfgs, long_after_convergence_the_loss_stays_where_it_is)
{
    problem p;
    open_problem(&p, quadratic, 33);
    const rv_lbfgs_options options = {.learning_rate = 1, .history = 10, .strong_wolfe = true};
    rv_lbfgs *lbfgs;
    double loss;
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 33, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    double previous = loss;
    for (int k = 0; k < 60; k++) {
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
        cr_assert(loss <= previous, "step %d: %g after %g", k, loss, previous);
        previous = loss;
    }
    cr_assert_lt(loss, 1e-9);
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

Test(lbfgs, a_loss_that_is_not_finite_is_handed_back)
{
    problem p;
    open_problem(&p, quadratic, 8);
    const rv_lbfgs_options options = {.learning_rate = 1, .history = 4};
    rv_lbfgs *lbfgs;
    double loss;
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 8, &options));
    p.fail_after = 1;
    RV_ASSERT_OK(evaluate(&p, &loss));
    RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
    cr_assert(isnan(loss));
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

/* After a reset the next step is a first step: along -gradient, of min(1, 1 / |g|_1) times the rate,
 * which was multiplied. */
Test(lbfgs, a_reset_starts_anew_with_a_shorter_step)
{
    problem p;
    open_problem(&p, rosenbrock, 2);
    const rv_lbfgs_options options = {.learning_rate = 1, .history = 4};
    rv_lbfgs *lbfgs;
    double loss, before[MAX_N], after[MAX_N], g[MAX_N];
    RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 2, &options));
    RV_ASSERT_OK(evaluate(&p, &loss));
    for (int k = 0; k < 5; k++) {
        RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
    }
    rv_lbfgs_reset(lbfgs, 0.5f);
    get(&p, p.x, before);
    get(&p, p.g, g);
    RV_ASSERT_OK(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, evaluate, &p, NULL));
    get(&p, p.x, after);
    const double step = 0.5 * fmin(1, 1 / (fabs(g[0]) + fabs(g[1])));
    for (int i = 0; i < 2; i++) {
        cr_assert_float_eq(after[i], before[i] - step * g[i], 1e-6);
    }
    rv_lbfgs_destroy(lbfgs);
    close_problem(&p);
}

static rv_status cancel(void *payload, double *loss)
{
    (void)payload;
    *loss = 0;
    return RV_ERR_CANCELLED;
}

Test(lbfgs, what_the_objective_returns_comes_back)
{
    for (int wolfe = 0; wolfe < 2; wolfe++) {
        problem p;
        open_problem(&p, rosenbrock, 2);
        const rv_lbfgs_options options = {
            .learning_rate = 1, .history = 4, .strong_wolfe = wolfe == 1};
        rv_lbfgs *lbfgs;
        double loss;
        RV_ASSERT_OK(rv_lbfgs_create(&lbfgs, p.device, 2, &options));
        RV_ASSERT_OK(evaluate(&p, &loss));
        cr_assert_eq(rv_lbfgs_step(lbfgs, p.x, p.g, &loss, cancel, &p, NULL), RV_ERR_CANCELLED);
        rv_lbfgs_destroy(lbfgs);
        close_problem(&p);
    }
}

Test(lbfgs, histories_out_of_range_are_refused)
{
    rv_device *device = rv_test_device();
    rv_lbfgs *lbfgs;
    RV_ASSERT_FAILS(rv_lbfgs_create(&lbfgs, device, 2, &(rv_lbfgs_options){1, 0, false}),
                    RV_ERR_USAGE, "a history of 0 pairs is outside 1 to 50");
    RV_ASSERT_FAILS(rv_lbfgs_create(&lbfgs, device, 2, &(rv_lbfgs_options){1, 51, true}),
                    RV_ERR_USAGE, "51");
    rv_device_close(device);
}
