/* Cases of the functions of one value. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_relu, twin_leaky_relu, twin_square, twin_sqrt;

/* One input, channels beside a multiple of every B, widths around a multiple of it. */
#define CASE(label, kind, ...) .name = (label), .in = {{__VA_ARGS__}}, .n_in = 1, .data = {(kind)}
#define CASES(kind)                                                                            \
    {CASE("one value", kind, 4, {1, 1, 1, 1})},                                                \
        {CASE("small", kind, 4, {2, 11, 5, 7}), .small = true},                                \
        {CASE("channels beside a block", kind, 4, {2, 17, 31, 33})},                           \
        {CASE("a block of 32", kind, 4, {1, 32, 65, 63})}, {CASE("rank 2", kind, 2, {2, 65})}, \
        {CASE("rank 1", kind, 1, {31})},

static const rv_op_case relu[] = {CASES(RV_DATA_SIGNED)};
static const rv_op_case square[] = {CASES(RV_DATA_SIGNED)};
static const rv_op_case sqrt_cases[] = {CASES(RV_DATA_POSITIVE)};
static const rv_op_case leaky_relu[] = {
    CASES(RV_DATA_SIGNED)
    /* Each attribute at its ends. */
    {CASE("slope 0", RV_DATA_SIGNED, 4, {1, 5, 32, 64}), .attrs = {RV_SET_FLOAT("slope", 0)},
     .n_attrs = 1},
    {CASE("slope 1.5", RV_DATA_SIGNED, 4, {1, 5, 31, 32}), .attrs = {RV_SET_FLOAT("slope", 1.5)},
     .n_attrs = 1},
};

RV_OP_CASES(relu, twin_relu, false, relu);
RV_OP_CASES(leaky_relu, twin_leaky_relu, false, leaky_relu);
RV_OP_CASES(square, twin_square, false, square);
RV_OP_CASES(sqrt, twin_sqrt, false, sqrt_cases);
