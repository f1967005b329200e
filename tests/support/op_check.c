/* Runs the cases of an operation in every form and layout, and by every algorithm. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

#include "support/device.h"
#include "support/op_form.h"

#include "base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- layouts, forms, cases ------------------------------------------------------------------- */

/* Both forms as the device has them, and the block of a CPU that it has not: kernels have other text for it. That one
 * runs the small cases only, where it can blocked only, as it costs compiling all kernels once more. */
enum { CPU, GPU, CPU_OTHER, DEVICES };
#define CUT_FLOPS 2e5
enum { ALL_OFFERS = 4 };

/* What the operation makes of layouts that are offered; bit i of `blocked`: input i is. */
static bool ask_layouts(rv_form_check *c, rv_rig_layouts *out, uint32_t blocked)
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
        rv_form_fail(c, "layouts: blocked was chosen for a tensor that has not rank 4");
    }
    return fits;
}

static bool same_layouts(const rv_rig_layouts *a, const rv_rig_layouts *b, const rv_node *n)
{
    const size_t ins = (size_t)n->n_in * sizeof a->in[0], outs = (size_t)n->n_out * sizeof a->in[0];
    return memcmp(a->in, b->in, ins) == 0 && memcmp(a->out, b->out, outs) == 0;
}

/* "CPU form, B 16", to which the layouts are added once they are known. */
static int describe_form(rv_form_check *c)
{
    return snprintf(c->where, sizeof c->where, "%s form, B %d",
                    rv_device_gpu_form(c->device) ? "GPU" : "CPU", rv_device_block(c->device));
}

static void describe(rv_form_check *c)
{
    int used = describe_form(c);
    for (int i = 0; i < c->problem->node.n_in; i++) {
        used += snprintf(c->where + used, sizeof c->where - (size_t)used, "%s%s",
                         i == 0 ? ", " : " ", c->layouts.in[i] == RV_PLAIN ? "plain" : "blocked");
    }
    snprintf(c->where + used, sizeof c->where - (size_t)used, " to %s%s%s",
             c->layouts.out[0] == RV_PLAIN ? "plain" : "blocked", c->algorithm != NULL ? ", " : "",
             c->algorithm != NULL ? c->algorithm : "");
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && strcmp(value, "1") == 0;
}

/* By each algorithm that the operation has, wherever it is one of a pass. Where only small cases run, which is under
 * tools that take a thousand times as long, those that the operation would not choose run in brief. */
static void check_algorithms(rv_form_check *c)
{
    const char *names[RV_PASSES * RV_MAX_ALGORITHMS];
    const rv_rig_options options = {.layouts = c->layouts, .wanted = c->problem->offered};
    const size_t n = rv_rig_algorithms(names, c->device, c->problem, &options);
    for (size_t i = 0; i < (n > 0 ? n : 1); i++) {
        c->algorithm = n > 0 ? names[i] : NULL;
        c->brief = i > 0 && is_set("REVERIE_TEST_SMALL");
        describe(c);
        rv_form_check_run(c);
    }
}

/* Offers all blocked, all plain, and both mixtures, or the first of these; what comes out the same is run once. */
static void check_device(rv_form_check *c, int n_offers)
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
            check_algorithms(c);
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
            if (devices[i] == NULL) {
                continue;
            }
            rv_form_check ck = {
                .op = op, .cases = cases, .problem = &p, .device = devices[i], .report = report};
            check_device(&ck, i == CPU_OTHER ? 1 : ALL_OFFERS);
        }
    }
    rv_problem_release(&p);
    return rv_text_status(report);
}

/* Launches are cut at sizes that cases have. Where only the form of GPUs is tested, the others stay NULL. */
static rv_status open_devices(rv_device *devices[DEVICES])
{
    RV_TRY(rv_test_device_open(&devices[GPU], RV_FORM_GPU, 4));
    if (!rv_test_gpu_form_only()) {
        RV_TRY(rv_test_device_open(&devices[CPU], RV_FORM_CPU, 0));
        RV_TRY(rv_test_device_open(&devices[CPU_OTHER], RV_FORM_CPU,
                                   rv_device_block(devices[CPU]) == 16 ? 8 : 16));
    }
    for (int i = 0; i < DEVICES; i++) {
        if (devices[i] != NULL) {
            rv_device_cut_launches(devices[i], CUT_FLOPS);
        }
    }
    return RV_OK;
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
