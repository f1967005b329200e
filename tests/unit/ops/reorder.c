/* Cases of reorder. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_reorder;

/* Nothing is computed: values come out as they went in. */
#define CASE(label, ...)                                                          \
    {                                                                             \
        .name = (label), .in = {{4, {__VA_ARGS__}}}, .n_in = 1, .tolerance = 1e-9 \
    }

static const rv_op_case cases[] = {
    {.name = "small", .in = {{4, {2, 11, 5, 7}}}, .n_in = 1, .tolerance = 1e-9, .small = true},
    CASE("one value", 1, 1, 1, 1),
    CASE("one block of 16", 1, 16, 4, 5),
    CASE("channels beside a block", 2, 17, 31, 33),
    CASE("a picture", 1, 3, 63, 65),
    CASE("many channels", 2, 65, 1, 1),
    CASE("more than caches keep", 1, 17, 256, 252),
};

RV_OP_CASES(reorder, twin_reorder, true, cases);
