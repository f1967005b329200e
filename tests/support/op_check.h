/* The harness that checks an operation: a table of cases is all that its test holds. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_OP_CHECK_H
#define RV_TESTS_OP_CHECK_H

#include "reference/reference.h"

/** How an input is filled. */
typedef enum rv_data {
    RV_DATA_SIGNED,   /**< uniform in [-1, 1], at least 0.02 away from 0 so that no difference
                           quotient crosses a kink */
    RV_DATA_POSITIVE, /**< uniform in [0.1, 1] */
    RV_DATA_DISTINCT, /**< a shuffled arithmetic sequence over [-1, 1]: no ties for a maximum */
    RV_DATA_LABELS,   /**< whole numbers from 0 to `classes` - 1 */
    RV_DATA_DOMINANT  /**< matrices [N,C,C]: in [-1, 1], on the diagonal from C + 1 to 2 C + 2 */
} rv_data;

/** One case: shapes, attributes and what is allowed. */
typedef struct rv_op_case {
    const char *name; /**< what is special about it */
    rv_shape in[4];
    int n_in;
    rv_data data[4];
    float shift; /**< added to all values of input 0 */
    int classes;
    rv_attr_value attrs[10];
    int n_attrs;
    rv_mode mode;
    double tolerance;      /**< of forward: |got - twin| <= tolerance * (1 + max |twin|); 0: 1e-5 */
    double grad_tolerance; /**< of gradients, relative; 0: 1e-3 */
    bool small; /**< runs under sanitizers, oclgrind and with the other B as well: at least one case
                     of an operation, with channels beyond 8 where it has any blocked */
} rv_op_case;

typedef struct rv_op_cases {
    rv_twin *twin;
    const rv_op_case *cases;
    size_t n;
    bool linear; /**< check <J x, y> = <x, J' y> on the device as well */
} rv_op_cases;

/** Defines the table of an operation: RV_OP_CASES(max_pool, twin_pool, false, cases) */
#define RV_OP_CASES(op, twin, linear, table)                                                   \
    extern const rv_op_cases rv_op_cases_##op;                                                 \
    const rv_op_cases rv_op_cases_##op = {(twin), (table), sizeof(table) / sizeof((table)[0]), \
                                          (linear)}

/** Runs all cases on the device of the tests, in both kernel forms, CPU kernels with the device's B
 *  and for small cases with the other one of 8 and 16 as well: shapes; forward against the twin;
 *  gradients against eight directional derivatives of the twin, both overwriting and accumulating,
 *  each wanted subset alone; the adjoint identity; pad lanes poisoned with NaN before and zero after;
 *  guard zones around every buffer untouched; claimed workspace and packed bytes exact (written up to
 *  their last 64 bytes, and not beyond); two runs byte-equal. Fails through Criterion, naming
 *  operation, case, form and value. */
void rv_op_check(const rv_op *op, const rv_op_cases *cases);

/** The same without Criterion: *report is NULL where all is well, else a line per failure; freed
 *  with free(). For the tests of the harness itself. */
RV_NODISCARD rv_status rv_op_check_report(char **report, const rv_op *op, const rv_op_cases *cases);

#endif
