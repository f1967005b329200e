/* The checks of the harness that run in one form, with one choice of layouts and one algorithm. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_OP_FORM_H
#define RV_TESTS_OP_FORM_H

#include "support/op_rig.h"

typedef struct rv_form_check {
    const rv_op *op;
    const rv_op_cases *cases;
    const rv_problem *problem;
    rv_device *device;
    rv_rig_layouts layouts;
    int slope;             /**< index into rv_rig_slopes: what forward is asked to rectify with */
    const char *algorithm; /**< NULL: as the operation chooses */
    char where[192];       /**< form, layouts, slope and algorithm, for messages */
    bool brief;            /**< forward, and all gradients at once, is enough */
    rv_text *report;
    bool failed; /**< in this form and these layouts: one message each is enough */
} rv_form_check;

/** Appends a line to the report. */
void rv_form_fail(rv_form_check *c, const char *format, ...) RV_PRINTF(2, 3);

/** Runs all checks of c's form, layouts and algorithm, until one fails. */
void rv_form_check_run(rv_form_check *c);

#endif
