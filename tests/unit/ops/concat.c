/* Cases of concat: channels that begin within a block and at its edge. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_concat;

#define X(n, c, h, w)          \
    {                          \
        4,                     \
        {                      \
            (n), (c), (h), (w) \
        }                      \
    }
#define V(n, c)            \
    {                      \
        2,                 \
        {                  \
            (n), (c), 1, 1 \
        }                  \
    }

static const rv_op_case cases[] = {
    {"blocks that fit", .in = {X(1, 64, 5, 7), X(1, 32, 5, 7)}, .n_in = 2},
    {"starts within blocks, two pictures", .in = {X(2, 3, 6, 5), X(2, 18, 6, 5), X(2, 1, 6, 5)},
     .n_in = 3, .small = true},
    {"many blocks, shifted", .in = {X(1, 31, 8, 9), X(1, 65, 8, 9)}, .n_in = 2},
    {"several within one block",
     .in = {X(1, 2, 3, 3), X(1, 1, 3, 3), X(1, 3, 3, 3), X(1, 33, 3, 3)}, .n_in = 4},
    {"ends with a block", .in = {X(1, 7, 4, 4), X(1, 25, 4, 4)}, .n_in = 2},
    {"one input", .in = {X(1, 17, 2, 3)}, .n_in = 1},
    {"one pixel", .in = {X(1, 63, 1, 1), X(1, 64, 1, 1)}, .n_in = 2},
    {"rows longer than a run", .in = {X(1, 5, 31, 33), X(1, 11, 31, 33)}, .n_in = 2},
    {"vectors", .in = {V(3, 5), V(3, 65)}, .n_in = 2},
};

RV_OP_CASES(concat, twin_concat, true, cases);
