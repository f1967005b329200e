/* Cases of the operation binomial_pool. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_binomial_pool;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1, .data = {RV_DATA_SIGNED}

static const rv_op_case cases[] = {
    {"even sides", X(2, 17, 6, 8), .small = true},
    {"odd sides", X(1, 33, 31, 33)},
    {"rows of several work-items", X(1, 5, 33, 134)},
    {"a row", X(2, 16, 1, 65)},
    {"a column", X(1, 19, 65, 1)},
    {"one pixel", X(1, 64, 1, 1)},
    {"two by two", X(2, 3, 2, 2)},
};

RV_OP_CASES(binomial_pool, twin_binomial_pool, true, cases);
