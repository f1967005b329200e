/* The checks of the harness in one form: forward, gradients, memory, repeatability. */
/* SPDX-License-Identifier: MIT */
#include "support/op_form.h"

#include "base/error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FORWARD_TOLERANCE  1e-5
#define GRADIENT_TOLERANCE 1e-3
/* Accumulating and overwriting differ by the rounding of one addition. */
#define ADDITION_TOLERANCE 1e-5
/* The adjoint identity compares two sums of float results in double. */
#define ADJOINT_TOLERANCE 1e-4

void rv_form_fail(rv_form_check *c, const char *format, ...)
{
    char text[RV_ERROR_BYTES + 256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    rv_text_append(c->report, "%s '%s' (%s): %s\n", c->op->name, c->problem->c->name, c->where,
                   text);
    c->failed = true;
}

/* --- one run --------------------------------------------------------------------------------- */

/* Runs; false where the operation failed or broke something. *out is to be released either way. */
static bool run(rv_form_check *c, rv_rig *rig, rv_rig_result *out, rv_rig_run how, const char *what)
{
    rv_text faults = {0};
    const rv_status status = rv_rig_run_once(rig, &how, out, &faults);
    if (status != RV_OK) {
        rv_form_fail(c, "%s: %s", what, rv_error_message());
    } else if (faults.data != NULL) {
        rv_form_fail(c, "%s%s", what, faults.data);
    }
    rv_text_release(&faults);
    return !c->failed;
}

/* Largest error of n values against the twin, within tolerance * (1 + max |twin|); the twin's values below 0 count
 * `slope` times. */
static bool close_to_twin(rv_form_check *c, const char *what, int index, const rv_shape *shape,
                          const float *got, const double *twin, double slope)
{
    const size_t n = rv_shape_count(shape);
    const double given = c->problem->c->tolerance;
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fabs(twin[i]) > largest ? fabs(twin[i]) : largest;
    }
    const double allowed = (given > 0 ? given : FORWARD_TOLERANCE) * (1 + largest);
    for (size_t i = 0; i < n; i++) {
        const double want = twin[i] < 0 ? slope * twin[i] : twin[i];
        if (!(fabs((double)got[i] - want) <= allowed)) {
            char text[64];
            rv_form_fail(c, "%s %d: value %zu of %s is %.9g, its twin %.9g, allowed is %.3g", what,
                         index, i, rv_shape_text(text, shape), (double)got[i], want, allowed);
            return false;
        }
    }
    return true;
}

static bool check_forward(rv_form_check *c, const rv_rig_result *r)
{
    const rv_problem *p = c->problem;
    for (int i = 0; i < p->node.n_out; i++) {
        if (!close_to_twin(c, "output", i, &p->out[i].shape, r->out[i], p->out_twin[i],
                           (double)rv_rig_slopes[c->slope])) {
            return false;
        }
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        if (r->state[i] != NULL &&
            !close_to_twin(c, "state", i, &p->state[i].shape, r->state[i], p->state_twin[i], 1)) {
            return false;
        }
    }
    return true;
}

static void name_of_bit(char out[32], int bit)
{
    const bool input = bit < RV_MAX_INPUTS;
    snprintf(out, 32, "gradient of %s %d", input ? "input" : "parameter",
             input ? bit : bit - RV_MAX_INPUTS);
}

/* The gradient along eight directions against the twin's differences. */
static bool check_gradient(rv_form_check *c, const rv_rig_result *r, int bit)
{
    const rv_problem *p = c->problem;
    const double given = p->c->grad_tolerance;
    const size_t n = rv_shape_count(rv_problem_shape(p, bit));
    const bool rectifies = (c->op->traits & RV_OP_BWD_RECTIFIES) != 0;
    const double *expected = p->slope[rectifies ? c->slope : 0][bit];
    for (int k = 0; k < RV_RIG_DIRECTIONS; k++) {
        double slope = 0, square = 0;
        for (size_t i = 0; i < n; i++) {
            const double part = (double)r->gradient[bit][i] * rv_problem_direction(bit, k, i);
            slope += part;
            square += part * part;
        }
        const double allowed =
            (given > 0 ? given : GRADIENT_TOLERANCE) * sqrt(square) + p->slope_noise;
        if (!(fabs(slope - expected[k]) <= allowed)) {
            char name[32];
            name_of_bit(name, bit);
            rv_form_fail(c,
                         "%s along direction %d: %.9g, the twin's difference %.9g, allowed is %.3g",
                         name, k, slope, expected[k], allowed);
            return false;
        }
    }
    return true;
}

static bool check_gradients(rv_form_check *c, const rv_rig_result *r, uint32_t wanted)
{
    for (int bit = 0; bit < 32; bit++) {
        if (((wanted >> bit) & 1) != 0 && !check_gradient(c, r, bit)) {
            return false;
        }
    }
    return true;
}

/* --- one run against another ----------------------------------------------------------------- */

static bool same_bytes(rv_form_check *c, const char *what, int index, const float *a,
                       const float *b, const rv_shape *shape)
{
    if (a == NULL || memcmp(a, b, rv_shape_count(shape) * sizeof(float)) == 0) {
        return true;
    }
    rv_form_fail(c, "%s %d differs between two runs", what, index);
    return false;
}

static bool check_same(rv_form_check *c, const rv_rig_result *a, const rv_rig_result *b)
{
    const rv_problem *p = c->problem;
    bool same = true;
    for (int i = 0; i < p->node.n_out; i++) {
        same = same && same_bytes(c, "output", i, a->out[i], b->out[i], &p->out[i].shape);
    }
    for (int i = 0; i < p->op->n_state; i++) {
        same = same && same_bytes(c, "state", i, a->state[i], b->state[i], &p->state[i].shape);
    }
    for (int bit = 0; bit < 32 && same; bit++) {
        if (a->gradient[bit] != NULL) {
            same = same_bytes(c, "gradient", bit, a->gradient[bit], b->gradient[bit],
                              rv_problem_shape(p, bit));
        }
    }
    return same;
}

/* Gradients of `b`, less what they were accumulated onto, are those of `a`. */
static bool check_sums(rv_form_check *c, const rv_rig_result *a, const rv_rig_result *b,
                       uint32_t accumulate)
{
    for (int bit = 0; bit < 32; bit++) {
        if (b->gradient[bit] == NULL) {
            continue;
        }
        const size_t n = rv_shape_count(rv_problem_shape(c->problem, bit));
        const double size = rv_rig_largest(a->gradient[bit], n);
        const bool adds = ((accumulate >> bit) & 1) != 0;
        for (size_t i = 0; i < n; i++) {
            const float start = adds ? rv_rig_start_value(bit, i, size) : 0.0f;
            const double want = (double)start + (double)a->gradient[bit][i];
            if (!(fabs((double)b->gradient[bit][i] - want) <= ADDITION_TOLERANCE * size)) {
                char name[32];
                name_of_bit(name, bit);
                rv_form_fail(c, "%s, %s: value %zu is %.9g instead of %.9g", name,
                             adds ? "accumulated" : "beside one that is accumulated", i,
                             (double)b->gradient[bit][i], want);
                return false;
            }
        }
    }
    return true;
}

/* --- the checks of one form and one choice of layouts ---------------------------------------- */

/* Prepares a node and hands it to `body`. */
static void with_rig(rv_form_check *c, uint32_t wanted, bool inplace, bool backward_inplace,
                     void (*body)(rv_form_check *c, rv_rig *rig))
{
    rv_rig rig;
    const rv_rig_options options = {
        c->layouts, wanted, inplace, backward_inplace, rv_rig_slopes[c->slope], c->algorithm};
    if (c->failed) {
        return;
    }
    if (rv_rig_create(&rig, c->device, c->problem, &options) != RV_OK) {
        rv_form_fail(c, "prepare: %s", rv_error_message());
    } else {
        body(c, &rig);
        const char *excess = rv_rig_excess(&rig);
        if (excess != NULL && !c->failed) {
            rv_form_fail(c, "the last %d bytes of the %s were never written", RV_RIG_END_BYTES,
                         excess);
        }
    }
    rv_rig_release(&rig);
}

static void forward_only(rv_form_check *c, rv_rig *rig)
{
    rv_rig_result first = {0}, second = {0};
    if (run(c, rig, &first, (rv_rig_run){0}, "forward") && check_forward(c, &first) &&
        run(c, rig, &second, (rv_rig_run){0}, "forward again")) {
        check_same(c, &first, &second);
    }
    rv_rig_result_release(&first);
    rv_rig_result_release(&second);
}

static void forward_in_place(rv_form_check *c, rv_rig *rig)
{
    rv_rig_result r = {0};
    if (run(c, rig, &r, (rv_rig_run){.wanted = rig->options.wanted}, "in place") &&
        check_forward(c, &r)) {
        check_gradients(c, &r, rig->options.wanted);
    }
    rv_rig_result_release(&r);
}

/* Gradients added to known values, for those of `accumulate`. */
static void accumulating(rv_form_check *c, rv_rig *rig, const rv_rig_result *first,
                         uint32_t accumulate)
{
    const rv_rig_run how = {
        .wanted = rig->options.wanted, .accumulate = accumulate, .start = first};
    rv_rig_result r = {0};
    if (run(c, rig, &r, how, "accumulating")) {
        check_sums(c, first, &r, accumulate);
    }
    rv_rig_result_release(&r);
}

/* All that the node was prepared for: overwriting, once more, accumulating all, then one of them. */
static void backward_all(rv_form_check *c, rv_rig *rig)
{
    const uint32_t wanted = rig->options.wanted, lowest = wanted & (~wanted + 1);
    rv_rig_result first = {0}, again = {0};
    if (run(c, rig, &first, (rv_rig_run){.wanted = wanted}, "backward") &&
        check_forward(c, &first) && check_gradients(c, &first, wanted) &&
        run(c, rig, &again, (rv_rig_run){.wanted = wanted}, "backward again") &&
        check_same(c, &first, &again)) {
        accumulating(c, rig, &first, wanted);
        if (lowest != wanted && !c->failed) {
            accumulating(c, rig, &first, lowest);
        }
    }
    rv_rig_result_release(&first);
    rv_rig_result_release(&again);
}

/* A node prepared for all is asked for one gradient at a time, and leaves the others alone. */
static void backward_parts(rv_form_check *c, rv_rig *rig)
{
    for (int bit = 0; bit < 32 && !c->failed; bit++) {
        const uint32_t mask = UINT32_C(1) << bit;
        rv_rig_result r = {0};
        if ((rig->options.wanted & mask) != 0 &&
            run(c, rig, &r, (rv_rig_run){.wanted = mask}, "backward for one of several")) {
            check_gradients(c, &r, mask);
        }
        rv_rig_result_release(&r);
    }
}

static double dot(const float *a, const float *b, size_t n, double *square)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double product = (double)a[i] * (double)b[i];
        sum += product;
        *square += product * product;
    }
    return sum;
}

/* <J x, y> = <x, J' y>; J x is f(x) - f(0), so that a bias does not count. */
static void adjoint(rv_form_check *c, rv_rig *rig)
{
    const rv_problem *p = c->problem;
    rv_rig_result at_x = {0}, at_zero = {0};
    double left = 0, right = 0, square = 0;
    if (!run(c, rig, &at_x, (rv_rig_run){.wanted = rig->options.wanted}, "backward") ||
        !run(c, rig, &at_zero, (rv_rig_run){.zero_inputs = true}, "forward of zeros")) {
        goto cleanup;
    }
    for (int i = 0; i < p->node.n_out; i++) {
        const size_t n = rv_shape_count(&p->out[i].shape);
        left += dot(at_x.out[i], p->d_out_data[i], n, &square);
        left -= dot(at_zero.out[i], p->d_out_data[i], n, &square);
    }
    for (int i = 0; i < p->node.n_in; i++) {
        const size_t n = rv_shape_count(&p->in[i].shape);
        right += dot(at_x.gradient[i], p->in_data[i], n, &square);
    }
    if (!(fabs(left - right) <= ADJOINT_TOLERANCE * sqrt(square))) {
        rv_form_fail(c, "adjoint identity: <J x, y> is %.9g, <x, J' y> is %.9g", left, right);
    }
cleanup:
    rv_rig_result_release(&at_x);
    rv_rig_result_release(&at_zero);
}

static bool has_trait(const rv_form_check *c, uint32_t trait)
{
    return (c->op->traits & trait) != 0;
}

/* Whether in[0] and out[0] (or their gradients) could share memory, as the planner sees it. */
static bool may_share(const rv_form_check *c)
{
    const rv_problem *p = c->problem;
    return c->layouts.in[0] == c->layouts.out[0] &&
           (c->layouts.in[0] == RV_PLAIN
                ? rv_shape_count(&p->in[0].shape) == rv_shape_count(&p->out[0].shape)
                : rv_shape_equal(&p->in[0].shape, &p->out[0].shape));
}

/* With a rectifier in its launch. Where backward has none in its own, it is the same as without. */
static void check_slopes(rv_form_check *c)
{
    char *end = c->where + strlen(c->where);
    for (c->slope = 1; c->slope < RV_RIG_SLOPES; c->slope++) {
        snprintf(end, sizeof c->where - (size_t)(end - c->where), ", slope %g",
                 (double)rv_rig_slopes[c->slope]);
        with_rig(c, 0, false, false, forward_only);
        if ((c->slope == 1 || has_trait(c, RV_OP_BWD_RECTIFIES)) && c->problem->offered != 0) {
            with_rig(c, c->problem->offered, false, false, backward_all);
        }
    }
    *end = '\0';
    c->slope = 0;
}

void rv_form_check_run(rv_form_check *c)
{
    const rv_problem *p = c->problem;
    const uint32_t offered = p->offered, inputs = (UINT32_C(1) << p->node.n_in) - 1;
    const bool inplace = has_trait(c, RV_OP_INPLACE) && may_share(c);
    with_rig(c, 0, false, false, forward_only);
    if (c->brief) {
        with_rig(c, offered, false, false, backward_all);
        return;
    }
    if (has_trait(c, RV_OP_RECTIFIES)) {
        check_slopes(c);
    }
    if (inplace) {
        with_rig(c, 0, true, false, forward_in_place);
    }
    if (offered == 0) {
        return;
    }
    with_rig(c, offered, false, false, backward_all);
    for (int bit = 0; bit < 32; bit++) {
        const uint32_t mask = UINT32_C(1) << bit;
        if ((offered & mask) != 0 && offered != mask) {
            with_rig(c, mask, false, false, backward_all);
        }
    }
    if ((offered & (offered - 1)) != 0) {
        with_rig(c, offered, false, false, backward_parts);
    }
    if (inplace && !has_trait(c, RV_OP_BWD_READS_INPUT)) {
        const bool only_inputs = has_trait(c, RV_OP_PARAMS_READ_INPUT);
        with_rig(c, only_inputs ? offered & inputs : offered, true, false, forward_in_place);
    }
    if (has_trait(c, RV_OP_BWD_INPLACE) && may_share(c) && (offered & RV_WANT_INPUT(0)) != 0) {
        with_rig(c, offered, false, true, forward_in_place);
    }
    if (c->cases->linear && (offered & inputs) == inputs) {
        with_rig(c, offered, false, false, adjoint);
    }
}
