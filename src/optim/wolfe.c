/* Line search for the strong Wolfe conditions: bracket, then zoom (Nocedal and Wright, 3.5, 3.6). */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "optim/internal.h"

#include <math.h>
#include <stdbool.h>

#define SUFFICIENT_DECREASE 1e-4
#define CURVATURE           0.9
#define SMALLEST_MOVE       1e-9 /* of any value of x: a narrower bracket is not worth a trial */
enum { MAX_TRIALS = 25 };

rv_status rv_line_evaluate(const rv_line *line, rv_line_point *out, double t)
{
    float slope;
    RV_TRY(rv_buffer_copy(line->device, line->x, 0, line->start, 0, line->bytes));
    RV_TRY(rv_vectors_axpby(line->vectors, line->x, (float)t, line->direction, 1.0f));
    RV_TRY(line->evaluate(line->payload, &out->loss));
    RV_TRY(rv_vectors_dot(line->vectors, line->slot, line->gradient, line->direction));
    RV_TRY(rv_vectors_read(line->vectors, &slope, line->slot, 1));
    out->t = t;
    out->slope = (double)slope;
    return RV_OK;
}

/* Minimum of the cubic through both points and slopes, kept within [low, high]; the middle where
 * there is none. */
static double cubic_minimum(const rv_line_point *a, const rv_line_point *b, double low, double high)
{
    if (a->t > b->t) {
        const rv_line_point *swap = a;
        a = b;
        b = swap;
    }
    const double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->t - b->t);
    const double square = d1 * d1 - a->slope * b->slope;
    double t = (low + high) / 2;
    if (square >= 0) {
        const double d2 = sqrt(square);
        t = b->t - (b->t - a->t) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2));
    }
    return isfinite(t) ? fmin(fmax(t, low), high) : (low + high) / 2;
}

static bool decreases_enough(const rv_line_point *origin, const rv_line_point *p)
{
    return p->loss <= origin->loss + SUFFICIENT_DECREASE * p->t * origin->slope;
}

static bool flat_enough(const rv_line_point *origin, const rv_line_point *p)
{
    return fabs(p->slope) <= -CURVATURE * origin->slope;
}

/* A search in progress: low is the best point, whose gradient is kept; high bounds the bracket. */
typedef struct search {
    const rv_line *line;
    rv_line_point origin, low, high;
    int trials;
    bool done;
} search;

static rv_status keep_gradient(const search *s)
{
    return rv_buffer_copy(s->line->device, s->line->best_gradient, 0, s->line->gradient, 0,
                          s->line->bytes);
}

/* Takes the newest point as the better end of the bracket. */
static rv_status take_low(search *s, rv_line_point p)
{
    s->low = p;
    return keep_gradient(s);
}

/* Walks outwards until a bracket holds a good step or a good step was met. */
static rv_status bracket(search *s, double step, bool *found)
{
    rv_line_point previous = s->origin, p;
    *found = false;
    while (s->trials < MAX_TRIALS) {
        RV_TRY(rv_line_evaluate(s->line, &p, step));
        s->trials++;
        const bool rises = s->trials > 1 && p.loss >= previous.loss;
        if (!isfinite(p.loss) || !isfinite(p.slope)) {
            /* Too far: half way back is nearer to where the loss is defined. */
            step = previous.t + (step - previous.t) / 2;
            continue;
        }
        if (!decreases_enough(&s->origin, &p) || rises) {
            s->low = previous;
            s->high = p;
            *found = true;
            return RV_OK;
        }
        RV_TRY(take_low(s, p));
        if (flat_enough(&s->origin, &p)) {
            s->done = true;
            return RV_OK;
        }
        if (p.slope >= 0) {
            s->high = previous;
            *found = true;
            return RV_OK;
        }
        step = cubic_minimum(&previous, &p, p.t + 0.01 * (p.t - previous.t), 10 * p.t);
        previous = p;
    }
    return RV_OK;
}

/* A trial inside the bracket, not too near to either end twice in a row. */
static double inner_trial(const search *s, bool *stuck)
{
    const double low = fmin(s->low.t, s->high.t), high = fmax(s->low.t, s->high.t);
    const double margin = 0.1 * (high - low);
    double t = cubic_minimum(&s->low, &s->high, low, high);
    const bool near_end = fmin(high - t, t - low) < margin;
    if (near_end && (*stuck || t >= high || t <= low)) {
        t = high - t < t - low ? high - margin : low + margin;
        *stuck = false;
    } else {
        *stuck = near_end;
    }
    return t;
}

static rv_status zoom(search *s, double largest)
{
    bool stuck = false;
    while (s->trials < MAX_TRIALS && fabs(s->high.t - s->low.t) * largest >= SMALLEST_MOVE) {
        rv_line_point p;
        RV_TRY(rv_line_evaluate(s->line, &p, inner_trial(s, &stuck)));
        s->trials++;
        if (!(decreases_enough(&s->origin, &p) && p.loss < s->low.loss)) {
            s->high = p;
            continue;
        }
        if (flat_enough(&s->origin, &p)) {
            s->done = true;
            return take_low(s, p);
        }
        if (p.slope * (s->high.t - s->low.t) >= 0) {
            s->high = s->low;
        }
        RV_TRY(take_low(s, p));
    }
    return RV_OK;
}

rv_status rv_line_search(const rv_line *line, rv_line_point *out, int *evaluations,
                         rv_line_point origin, double first_step)
{
    search s = {.line = line, .origin = origin, .low = origin, .high = origin};
    bool found;
    float largest = 0;
    RV_TRY(keep_gradient(&s));
    RV_TRY(rv_vectors_abs_max(line->vectors, line->slot, line->direction));
    RV_TRY(rv_vectors_read(line->vectors, &largest, line->slot, 1));
    RV_TRY(bracket(&s, first_step, &found));
    if (found && !s.done) {
        RV_TRY(zoom(&s, (double)largest));
    }
    *evaluations = s.trials;
    *out = s.low;
    /* The last trial need not be the best: go to the best, whose gradient was kept. Where that is
     * the start, nothing is added: 0 times a direction with an infinite value would be NaN. */
    RV_TRY(rv_buffer_copy(line->device, line->x, 0, line->start, 0, line->bytes));
    if (s.low.t > 0) {
        RV_TRY(rv_vectors_axpby(line->vectors, line->x, (float)s.low.t, line->direction, 1.0f));
    }
    return rv_buffer_copy(line->device, line->gradient, 0, line->best_gradient, 0, line->bytes);
}
