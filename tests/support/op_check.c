/* Runs the cases of an operation: forward, gradients, memory, repeatability, in every form and layout. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

#include "support/device.h"
#include "support/op_rig.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORWARD_TOLERANCE  1e-5
#define GRADIENT_TOLERANCE 1e-3
/* Accumulating and overwriting differ by the rounding of one addition. */
#define ADDITION_TOLERANCE 1e-5
/* The adjoint identity compares two sums of float results in double. */
#define ADJOINT_TOLERANCE 1e-4

typedef struct check {
    const rv_op *op;
    const rv_op_cases *cases;
    const rv_problem *problem;
    rv_device *device;
    rv_rig_layouts layouts;
    float slope;     /**< that forward is asked to rectify with; 1: not at all */
    char where[192]; /**< form, layouts and slope, for messages */
    rv_text *report;
    bool failed; /**< in this form and these layouts: one message each is enough */
} check;

static void fail(check *c, const char *format, ...) RV_PRINTF(2, 3);

static void fail(check *c, const char *format, ...)
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
static bool run(check *c, rv_rig *rig, rv_rig_result *out, rv_rig_run how, const char *what)
{
    rv_text faults = {0};
    const rv_status status = rv_rig_run_once(rig, &how, out, &faults);
    if (status != RV_OK) {
        fail(c, "%s: %s", what, rv_error_message());
    } else if (faults.data != NULL) {
        fail(c, "%s%s", what, faults.data);
    }
    rv_text_release(&faults);
    return !c->failed;
}

/* Largest error of n values against the twin, within tolerance * (1 + max |twin|); the twin's values below 0 count
 * `slope` times. */
static bool close_to_twin(check *c, const char *what, int index, const rv_shape *shape,
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
            fail(c, "%s %d: value %zu of %s is %.9g, its twin %.9g, allowed is %.3g", what, index,
                 i, rv_shape_text(text, shape), (double)got[i], want, allowed);
            return false;
        }
    }
    return true;
}

static bool check_forward(check *c, const rv_rig_result *r)
{
    const rv_problem *p = c->problem;
    for (int i = 0; i < p->node.n_out; i++) {
        if (!close_to_twin(c, "output", i, &p->out[i].shape, r->out[i], p->out_twin[i],
                           (double)c->slope)) {
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
static bool check_gradient(check *c, const rv_rig_result *r, int bit)
{
    const rv_problem *p = c->problem;
    const double given = p->c->grad_tolerance;
    const size_t n = rv_shape_count(rv_problem_shape(p, bit));
    for (int k = 0; k < RV_RIG_DIRECTIONS; k++) {
        double slope = 0, square = 0;
        for (size_t i = 0; i < n; i++) {
            const double part = (double)r->gradient[bit][i] * rv_problem_direction(bit, k, i);
            slope += part;
            square += part * part;
        }
        const double allowed =
            (given > 0 ? given : GRADIENT_TOLERANCE) * sqrt(square) + p->slope_noise;
        if (!(fabs(slope - p->slope[bit][k]) <= allowed)) {
            char name[32];
            name_of_bit(name, bit);
            fail(c, "%s along direction %d: %.9g, the twin's difference %.9g, allowed is %.3g",
                 name, k, slope, p->slope[bit][k], allowed);
            return false;
        }
    }
    return true;
}

static bool check_gradients(check *c, const rv_rig_result *r, uint32_t wanted)
{
    for (int bit = 0; bit < 32; bit++) {
        if (((wanted >> bit) & 1) != 0 && !check_gradient(c, r, bit)) {
            return false;
        }
    }
    return true;
}

/* --- one run against another ----------------------------------------------------------------- */

static bool same_bytes(check *c, const char *what, int index, const float *a, const float *b,
                       const rv_shape *shape)
{
    if (a == NULL || memcmp(a, b, rv_shape_count(shape) * sizeof(float)) == 0) {
        return true;
    }
    fail(c, "%s %d differs between two runs", what, index);
    return false;
}

static bool check_same(check *c, const rv_rig_result *a, const rv_rig_result *b)
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
static bool check_sums(check *c, const rv_rig_result *a, const rv_rig_result *b,
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
                fail(c, "%s, %s: value %zu is %.9g instead of %.9g", name,
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
static void with_rig(check *c, uint32_t wanted, bool inplace, bool backward_inplace,
                     void (*body)(check *c, rv_rig *rig))
{
    rv_rig rig;
    const rv_rig_options options = {c->layouts, wanted, inplace, backward_inplace, c->slope};
    if (c->failed) {
        return;
    }
    if (rv_rig_create(&rig, c->device, c->problem, &options) != RV_OK) {
        fail(c, "prepare: %s", rv_error_message());
    } else {
        body(c, &rig);
        const char *excess = rv_rig_excess(&rig);
        if (excess != NULL && !c->failed) {
            fail(c, "the last %d bytes of the %s were never written", RV_RIG_END_BYTES, excess);
        }
    }
    rv_rig_release(&rig);
}

static void forward_only(check *c, rv_rig *rig)
{
    rv_rig_result first = {0}, second = {0};
    if (run(c, rig, &first, (rv_rig_run){0}, "forward") && check_forward(c, &first) &&
        run(c, rig, &second, (rv_rig_run){0}, "forward again")) {
        check_same(c, &first, &second);
    }
    rv_rig_result_release(&first);
    rv_rig_result_release(&second);
}

static void forward_in_place(check *c, rv_rig *rig)
{
    rv_rig_result r = {0};
    if (run(c, rig, &r, (rv_rig_run){.wanted = rig->options.wanted}, "in place") &&
        check_forward(c, &r)) {
        check_gradients(c, &r, rig->options.wanted);
    }
    rv_rig_result_release(&r);
}

/* Gradients added to known values, for those of `accumulate`. */
static void accumulating(check *c, rv_rig *rig, const rv_rig_result *first, uint32_t accumulate)
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
static void backward_all(check *c, rv_rig *rig)
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
static void backward_parts(check *c, rv_rig *rig)
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
static void adjoint(check *c, rv_rig *rig)
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
        fail(c, "adjoint identity: <J x, y> is %.9g, <x, J' y> is %.9g", left, right);
    }
cleanup:
    rv_rig_result_release(&at_x);
    rv_rig_result_release(&at_zero);
}

static bool has_trait(const check *c, uint32_t trait)
{
    return (c->op->traits & trait) != 0;
}

/* Whether in[0] and out[0] (or their gradients) could share memory, as the planner sees it. */
static bool may_share(const check *c)
{
    const rv_problem *p = c->problem;
    return c->layouts.in[0] == c->layouts.out[0] &&
           (c->layouts.in[0] == RV_PLAIN
                ? rv_shape_count(&p->in[0].shape) == rv_shape_count(&p->out[0].shape)
                : rv_shape_equal(&p->in[0].shape, &p->out[0].shape));
}

/* Forward with a rectifier in its launch; backward is the same with it and without, as it has a step of its own. */
static void check_slopes(check *c)
{
    static const float slopes[] = {0, 0.1f};
    char *end = c->where + strlen(c->where);
    for (size_t i = 0; i < sizeof slopes / sizeof slopes[0]; i++) {
        c->slope = slopes[i];
        snprintf(end, sizeof c->where - (size_t)(end - c->where), ", slope %g", (double)c->slope);
        with_rig(c, 0, false, false, forward_only);
        if (i == 0 && c->problem->offered != 0) {
            with_rig(c, c->problem->offered, false, false, backward_all);
        }
    }
    *end = '\0';
    c->slope = 1;
}

static void check_layouts(check *c)
{
    const rv_problem *p = c->problem;
    const uint32_t offered = p->offered, inputs = (UINT32_C(1) << p->node.n_in) - 1;
    const bool inplace = has_trait(c, RV_OP_INPLACE) && may_share(c);
    with_rig(c, 0, false, false, forward_only);
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

/* --- layouts, forms, cases ------------------------------------------------------------------- */

/* Both forms as the device has them, and the block of a CPU that it has not: kernels have other text for it. That one
 * runs the small cases only, where it can blocked only, as it costs compiling all kernels once more. */
enum { CPU, GPU, CPU_OTHER, DEVICES };
enum { ALL_OFFERS = 4 };

/* What the operation makes of layouts that are offered; bit i of `blocked`: input i is. */
static bool ask_layouts(check *c, rv_rig_layouts *out, uint32_t blocked)
{
    rv_node n = c->problem->node;
    rv_tensor saved[RV_MAX_SAVED];
    *out = (rv_rig_layouts){{RV_PLAIN}, {RV_PLAIN}, {RV_PLAIN}};
    for (int i = 0; i < n.n_in; i++) {
        const bool can = n.in[i]->shape.rank == 4;
        out->in[i] = can && ((blocked >> i) & 1) != 0 ? RV_BLOCKED : RV_PLAIN;
    }
    for (int i = 0; i < n.op->n_saved; i++) {
        saved[i] = *n.saved[i];
        n.saved[i] = &saved[i];
    }
    if (n.op->layouts != NULL) {
        n.op->layouts(&n, out->in, out->out);
    } else {
        for (int i = 0; i < RV_RIG_TENSORS; i++) {
            out->in[i] = out->out[i] = out->in[0];
        }
    }
    bool fits = true;
    for (int i = 0; i < n.op->n_saved; i++) {
        out->saved[i] = n.op->layouts != NULL ? saved[i].layout : out->in[0];
        fits = fits && (out->saved[i] == RV_PLAIN || saved[i].shape.rank == 4);
    }
    for (int i = 0; i < n.n_in; i++) {
        fits = fits && (out->in[i] == RV_PLAIN || n.in[i]->shape.rank == 4);
    }
    for (int i = 0; i < n.n_out; i++) {
        fits = fits && (out->out[i] == RV_PLAIN || n.out[i]->shape.rank == 4);
    }
    if (!fits) {
        fail(c, "layouts: blocked was chosen for a tensor that has not rank 4");
    }
    return fits;
}

static bool same_layouts(const rv_rig_layouts *a, const rv_rig_layouts *b, const rv_node *n)
{
    const size_t ins = (size_t)n->n_in * sizeof a->in[0], outs = (size_t)n->n_out * sizeof a->in[0];
    return memcmp(a->in, b->in, ins) == 0 && memcmp(a->out, b->out, outs) == 0;
}

/* "CPU form, B 16", to which the layouts are added once they are known. */
static int describe_form(check *c)
{
    return snprintf(c->where, sizeof c->where, "%s form, B %d",
                    rv_device_gpu_form(c->device) ? "GPU" : "CPU", rv_device_block(c->device));
}

static void describe(check *c)
{
    int used = describe_form(c);
    for (int i = 0; i < c->problem->node.n_in; i++) {
        used += snprintf(c->where + used, sizeof c->where - (size_t)used, "%s%s",
                         i == 0 ? ", " : " ", c->layouts.in[i] == RV_PLAIN ? "plain" : "blocked");
    }
    snprintf(c->where + used, sizeof c->where - (size_t)used, " to %s",
             c->layouts.out[0] == RV_PLAIN ? "plain" : "blocked");
}

/* Offers all blocked, all plain, and both mixtures, or the first of these; what comes out the same is run once. */
static void check_device(check *c, int n_offers)
{
    static const uint32_t offers[] = {0xF, 0, 0xA, 0x5};
    rv_rig_layouts done[ALL_OFFERS];
    int n_done = 0;
    for (int i = 0; i < n_offers; i++) {
        describe_form(c);
        c->failed = false;
        rv_rig_layouts l;
        if (!ask_layouts(c, &l, offers[i])) {
            return;
        }
        bool known = false;
        for (int k = 0; k < n_done; k++) {
            known = known || same_layouts(&l, &done[k], &c->problem->node);
        }
        if (!known) {
            c->layouts = done[n_done++] = l;
            describe(c);
            check_layouts(c);
        }
    }
}

static rv_status check_case(rv_text *report, const rv_op *op, const rv_op_cases *cases,
                            const rv_op_case *c, rv_device *const *devices, int n_devices)
{
    rv_problem p;
    rv_status status = rv_problem_create(&p, op, cases->twin, c);
    if (status == RV_OK) {
        status = rv_problem_slopes(&p);
    }
    if (status != RV_OK) {
        rv_text_append(report, "%s '%s': %s\n", op->name, c->name, rv_error_message());
        status = RV_OK;
    } else {
        for (int i = 0; i < n_devices; i++) {
            check ck = {.op = op,
                        .cases = cases,
                        .problem = &p,
                        .device = devices[i],
                        .slope = 1,
                        .report = report};
            check_device(&ck, i == CPU_OTHER ? 1 : ALL_OFFERS);
        }
    }
    rv_problem_release(&p);
    return rv_text_status(report);
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && strcmp(value, "1") == 0;
}

static rv_status open_devices(rv_device *devices[DEVICES])
{
    RV_TRY(rv_test_device_open(&devices[CPU], RV_FORM_CPU, 0));
    RV_TRY(rv_test_device_open(&devices[GPU], RV_FORM_GPU, 4));
    return rv_test_device_open(&devices[CPU_OTHER], RV_FORM_CPU,
                               rv_device_block(devices[CPU]) == 16 ? 8 : 16);
}

static rv_status check_cases(rv_text *report, const rv_op *op, const rv_op_cases *cases,
                             rv_device *const devices[DEVICES])
{
    const bool small_only = is_set("REVERIE_TEST_SMALL");
    const int n_small = is_set("REVERIE_TEST_OWN_BLOCK") ? CPU_OTHER : DEVICES;
    bool small = false;
    for (size_t i = 0; i < cases->n; i++) {
        const rv_op_case *c = &cases->cases[i];
        small = small || c->small;
        if (c->small || !small_only) {
            RV_TRY(check_case(report, op, cases, c, devices, c->small ? n_small : CPU_OTHER));
        }
    }
    if (!small) {
        rv_text_append(report, "%s: none of its cases is marked small\n", op->name);
    }
    return rv_text_status(report);
}

rv_status rv_op_check_report(char **report, const rv_op *op, const rv_op_cases *cases)
{
    *report = NULL;
    rv_text text = {0};
    rv_device *devices[DEVICES] = {NULL};
    rv_status status = open_devices(devices);
    if (status == RV_OK) {
        status = check_cases(&text, op, cases, devices);
    }
    for (int i = 0; i < DEVICES; i++) {
        rv_device_close(devices[i]);
    }
    if (status != RV_OK) {
        rv_text_release(&text);
    }
    *report = text.data;
    return status;
}

/* Cuts text behind so many lines: one mistake can fail everywhere. */
static void cut_lines(char *text, int lines)
{
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\n' && --lines == 0) {
            *at = '\0';
            return;
        }
    }
}

void rv_op_check(const rv_op *op, const rv_op_cases *cases)
{
    static char message[8192];
    char *report;
    const rv_status status = rv_op_check_report(&report, op, cases);
    cr_assert(status == RV_OK, "%s", rv_error_message());
    snprintf(message, sizeof message, "%s", report != NULL ? report : "");
    free(report);
    cut_lines(message, 12);
    cr_assert(message[0] == '\0', "%s", message);
}
