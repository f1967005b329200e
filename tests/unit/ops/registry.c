/* One test per operation of the registry: an operation without a table of cases does not link. */
/* SPDX-License-Identifier: MIT */
#include "ops/registry.h"
#include "support/op_check.h"

#include <criterion/criterion.h>

#define OP_TEST(op)                                  \
    extern const rv_op rv_op_##op;                   \
    extern const rv_op_cases rv_op_cases_##op;       \
    Test(ops, op, .timeout = 300)                    \
    {                                                \
        rv_op_check(&rv_op_##op, &rv_op_cases_##op); \
    }

RV_OPS(OP_TEST)
