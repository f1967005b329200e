/* The harness itself: a right operation passes, and each way of being wrong is reported as what it is. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

#include "base/error.h"
#include "ops/op.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* y = 2 x, with a parameter and a state that only some mutants use, out of the kernel
 * vector_axpby(y, x, n, a, b): y = a x + b y. */
typedef enum mutant {
    RIGHT,
    OUTPUT_SHORT,       /* the last value is not written */
    OUTPUT_WRONG,       /* one value is wrong */
    PAD_LANE,           /* a pad lane is left other than zero */
    BEHIND,             /* one float behind the output is written */
    INPUT_CHANGED,      /* the input is written to */
    GRADIENT_WRONG,     /* one value of the gradient is wrong */
    GRADIENT_SCALED,    /* all of it is, by a hundredth */
    NOT_ACCUMULATED,    /* the gradient overwrites where it should add */
    ALWAYS_ACCUMULATED, /* and adds where it should overwrite */
    READS_INPUT,        /* backward reads the input and does not say so */
    READS_OUTPUT,       /* or the output */
    WORKSPACE_SHORT,    /* less workspace is asked for than is used */
    WORKSPACE_LONG,     /* or more */
    UNREPEATABLE,       /* two runs differ */
    NOT_IN_PLACE,       /* in place is claimed, but the input is read after the output is written */
    BACKWARD_NOT_IN_PLACE,
    D_OUT_CHANGED,  /* backward writes to the gradient of its output */
    BLOCKED_RANK_2, /* blocked is chosen for rank 2 */
    FAILS           /* forward returns an error */
} mutant;

typedef struct mutant_attrs {
    int32_t mutant;
} mutant_attrs;

static const rv_attr attr_table[] = {
    {"mutant", RV_ATTR_INT, offsetof(mutant_attrs, mutant), 1, 0, 0, FAILS, NULL, "what is wrong"},
    {.name = NULL}};

static mutant of(const rv_node *n)
{
    return (mutant)((const mutant_attrs *)n->attrs)->mutant;
}

static rv_status infer(rv_node *n)
{
    n->out[0]->shape = n->in[0]->shape;
    return RV_OK;
}

static void layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    in[0] = of(n) == BLOCKED_RANK_2 ? RV_BLOCKED : in[0];
    out[0] = in[0];
}

static rv_status prepare(rv_node *n, rv_device *device)
{
    const size_t floats = of(n) == WORKSPACE_SHORT ? 1 : of(n) == WORKSPACE_LONG ? 18 : 2;
    n->forward_workspace = floats * sizeof(float);
    RV_TRY(rv_node_private(n, sizeof(rv_kernel *)));
    return rv_kernel_get(n->priv, device, "vector", "vector_axpby", NULL);
}

/* y = a x + b y over n floats */
static rv_status axpby(const rv_node *n, const rv_exec *e, rv_buffer *y, const rv_buffer *x,
                       size_t floats, float a, float b)
{
    rv_kernel *k = *(rv_kernel *const *)n->priv;
    return rv_launch(e->device, k, rv_grid_items(e->device, floats),
                     RV_ARGS(RV_ARG(y), RV_ARG(x), RV_ARG((int32_t)floats), RV_ARG(a), RV_ARG(b)));
}

static rv_status poke(const rv_exec *e, rv_buffer *buffer, size_t index, float value)
{
    RV_TRY(rv_device_finish(e->device));
    return rv_buffer_write(e->device, buffer, index * sizeof value, &value, sizeof value);
}

static rv_status forward(const rv_node *n, const rv_exec *e)
{
    static float runs;
    const mutant m = of(n);
    rv_buffer *y = n->out[0]->buffer, *x = n->in[0]->buffer;
    const size_t floats = rv_tensor_floats(n->out[0]);
    if (m == FAILS) {
        return rv_fail(RV_ERR_DEVICE, "'%s': nothing goes", n->name);
    }
    if (m == NOT_IN_PLACE) {
        RV_TRY(rv_buffer_fill(e->device, y, 0, floats * sizeof(float), 0.0f));
    }
    RV_TRY(axpby(n, e, n->workspace, x, floats > 1 ? 2 : 1, 1.0f, 0.0f));
    const size_t written = m == OUTPUT_SHORT ? floats - 1 : m == BEHIND ? floats + 1 : floats;
    RV_TRY(axpby(n, e, y, x, written, 2.0f, 0.0f));
    if (m == OUTPUT_WRONG) {
        return poke(e, y, 7, 2.5f);
    }
    if (m == PAD_LANE && n->out[0]->layout == RV_BLOCKED) {
        return poke(e, y, floats - 1, 1e-30f);
    }
    if (m == INPUT_CHANGED) {
        return poke(e, x, 3, 0.5f);
    }
    runs += 1e-6f;
    return m == UNREPEATABLE ? axpby(n, e, y, x, 1, 2.0f + runs, 0.0f) : RV_OK;
}

static rv_status backward(const rv_node *n, const rv_exec *e, uint32_t wanted)
{
    (void)wanted;
    const mutant m = of(n);
    rv_buffer *d_in = n->d_in[0]->buffer, *d_out = n->d_out[0]->buffer;
    const size_t floats = rv_tensor_floats(n->out[0]);
    const bool adds = (e->accumulate & RV_WANT_INPUT(0)) != 0;
    const float keep = m == NOT_ACCUMULATED ? 0.0f : m == ALWAYS_ACCUMULATED || adds ? 1.0f : 0.0f;
    if (m == BACKWARD_NOT_IN_PLACE && !adds) {
        RV_TRY(rv_buffer_fill(e->device, d_in, 0, floats * sizeof(float), 0.0f));
    }
    RV_TRY(axpby(n, e, d_in, d_out, floats, m == GRADIENT_SCALED ? 2.02f : 2.0f, keep));
    switch (m) {
    case GRADIENT_WRONG:
        return poke(e, d_in, 5, 0.0f);
    case READS_INPUT:
        return axpby(n, e, d_in, n->in[0]->buffer, floats, 1e-30f, 1.0f);
    case READS_OUTPUT:
        return axpby(n, e, d_in, n->out[0]->buffer, floats, 1e-30f, 1.0f);
    case D_OUT_CHANGED:
        return poke(e, d_out, 0, 3.0f);
    default:
        return RV_OK;
    }
}

static const rv_op op = {
    .name = "mutant",
    .summary = "twice the input",
    .attrs = attr_table,
    .attr_size = sizeof(mutant_attrs),
    .traits = RV_OP_ELEMENTWISE | RV_OP_INPLACE | RV_OP_BWD_INPLACE,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .infer = infer,
    .layouts = layouts,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};

static void twin(rv_reference *r)
{
    for (size_t i = 0; i < rv_shape_count(&r->node->out[0]->shape); i++) {
        r->out[0][i] = 2 * r->in[0][i];
    }
}

/* The report of one mutant on two shapes; empty where all is well. */
static const char *report_of(mutant m)
{
    static char text[8192];
    const rv_op_case cases[] = {
        {.name = "rank 4",
         .in = {{4, {2, 3, 33, 31}}},
         .n_in = 1,
         .attrs = {RV_SET_INT("mutant", m)},
         .n_attrs = 1,
         .small = true},
        {.name = "rank 2",
         .in = {{2, {5, 65}}},
         .n_in = 1,
         .attrs = {RV_SET_INT("mutant", m)},
         .n_attrs = 1,
         .small = true},
    };
    const rv_op_cases table = {twin, cases, 2, true};
    char *report;
    cr_assert(rv_op_check_report(&report, &op, &table) == RV_OK, "%s", rv_error_message());
    snprintf(text, sizeof text, "%s", report != NULL ? report : "");
    free(report);
    return text;
}

static void reports(mutant m, const char *words)
{
    const char *report = report_of(m);
    cr_assert(strstr(report, words) != NULL, "mutant %d should be reported with '%s', but gave: %s",
              (int)m, words, report);
    cr_assert(strstr(report, "CPU form") != NULL && strstr(report, "GPU form") != NULL,
              "mutant %d was found in one form only: %s", (int)m, report);
}

Test(harness, passes_a_right_operation)
{
    cr_assert_str_eq(report_of(RIGHT), "");
}

Test(harness, reports_wrong_outputs)
{
    reports(OUTPUT_SHORT, "output 0: value 6137 of 2x3x33x31 is nan");
    reports(OUTPUT_WRONG, "output 0: value 7 of 5x65 is 2.5");
    reports(PAD_LANE, "forward; output 0: the pad lane at float");
    reports(UNREPEATABLE, "output 0 differs between two runs");
    reports(NOT_IN_PLACE, "output 0: value 0 of 5x65 is 0");
    reports(FAILS, "forward: 'rank 4': nothing goes");
}

Test(harness, reports_writes_where_none_belong)
{
    reports(BEHIND, "output 0: wrote 1 floats behind its 1300 bytes");
    reports(WORKSPACE_SHORT, "forward workspace 0: wrote 1 floats behind its 4 bytes");
    reports(WORKSPACE_LONG, "the last 64 bytes of the forward workspace were never written");
    reports(INPUT_CHANGED, "input 0 is read-only, but float 3 of it was changed");
    reports(D_OUT_CHANGED, "output gradient 0 is read-only, but float 0 of it was changed");
}

Test(harness, reports_wrong_gradients)
{
    reports(GRADIENT_WRONG, "gradient of input 0 along direction");
    reports(GRADIENT_SCALED, "gradient of input 0 along direction");
    reports(NOT_ACCUMULATED, "gradient of input 0, accumulated: value");
    reports(ALWAYS_ACCUMULATED, "gradient of input 0 along direction 0: nan");
    reports(BACKWARD_NOT_IN_PLACE, "gradient of input 0 along direction");
}

Test(harness, reports_reads_that_no_trait_declares)
{
    reports(READS_INPUT, "gradient of input 0 along direction 0: nan");
    reports(READS_OUTPUT, "gradient of input 0 along direction 0: nan");
}

Test(harness, reports_impossible_layouts)
{
    reports(BLOCKED_RANK_2, "layouts: blocked was chosen for a tensor that has not rank 4");
}
