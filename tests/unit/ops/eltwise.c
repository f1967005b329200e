/* Cases of maximum, multiply and weighted_add. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_maximum, twin_multiply, twin_weighted_add;

#define TWO(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}, {4, {(n), (c), (h), (w)}}}, .n_in = 2

static const rv_op_case cases[] = {
    {.name = "maps", TWO(2, 11, 5, 7), .small = true},
    {.name = "whole blocks", TWO(1, 32, 31, 3)},
    {.name = "one value", TWO(1, 1, 1, 1)},
    {.name = "rank 2", .in = {{2, {2, 65}}, {2, {2, 65}}}, .n_in = 2},
};

static const rv_op_case weighted_cases[] = {
    {.name = "a difference",
     TWO(2, 11, 5, 7),
     .attrs = {RV_SET_FLOAT2("factors", 1, -1)},
     .n_attrs = 1,
     .small = true},
    {.name = "of whole blocks",
     TWO(1, 33, 31, 3),
     .attrs = {RV_SET_FLOAT2("factors", 0.5, 3)},
     .n_attrs = 1},
    {.name = "rank 2", .in = {{2, {2, 65}}, {2, {2, 65}}}, .n_in = 2},
};

RV_OP_CASES(maximum, twin_maximum, false, cases);
RV_OP_CASES(multiply, twin_multiply, false, cases);
RV_OP_CASES(weighted_add, twin_weighted_add, true, weighted_cases);
