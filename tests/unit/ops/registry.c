/* One test per operation of the registry: an operation without a table of cases does not link. */
/* SPDX-License-Identifier: MIT */
#include "ops/registry.h"
#include "support/op_check.h"

#include <criterion/criterion.h>
#include <string.h>

#define OP_TEST(op)                                  \
    extern const rv_op rv_op_##op;                   \
    extern const rv_op_cases rv_op_cases_##op;       \
    Test(ops, op, .timeout = 1800)                   \
    {                                                \
        rv_op_check(&rv_op_##op, &rv_op_cases_##op); \
    }

RV_OPS(OP_TEST)

/* The cases cannot tell: their twins read the same field. */
Test(registry, total_variation_is_squared_unless_said_otherwise)
{
    const rv_op *op;
    cr_assert_eq(rv_op_find(&op, "tv_loss", "test"), RV_OK);
    const rv_attr *power = op->attrs;
    while (strcmp(power->name, "power") != 0) {
        power++;
    }
    cr_assert_str_eq(power->names[(int)power->initial], "squared");
}
