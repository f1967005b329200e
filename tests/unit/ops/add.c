/* Cases of add. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_add;

#define SHAPE(...)      \
    {                   \
        4,              \
        {               \
            __VA_ARGS__ \
        }               \
    }

static const rv_op_case cases[] = {
    {.name = "two", .in = {SHAPE(2, 11, 5, 7), SHAPE(2, 11, 5, 7)}, .n_in = 2, .small = true},
    {.name = "one value", .in = {SHAPE(1, 1, 1, 1), SHAPE(1, 1, 1, 1)}, .n_in = 2},
    {.name = "three",
     .in = {SHAPE(2, 17, 31, 33), SHAPE(2, 17, 31, 33), SHAPE(2, 17, 31, 33)},
     .n_in = 3},
    {.name = "four",
     .in = {SHAPE(1, 32, 63, 3), SHAPE(1, 32, 63, 3), SHAPE(1, 32, 63, 3), SHAPE(1, 32, 63, 3)},
     .n_in = 4},
    {.name = "rank 2", .in = {{2, {2, 65}}, {2, {2, 65}}}, .n_in = 2},
};

RV_OP_CASES(add, twin_add, true, cases);
