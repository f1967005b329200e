/* Cases of prelu. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_prelu;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define V(n, c)       .in = {{2, {(n), (c), 1, 1}}}, .n_in = 1

static const rv_op_case cases[] = {
    {"two pictures", X(2, 19, 5, 7), .small = true},
    {"one value", X(1, 1, 1, 1)},
    {"several parts of a plane", X(1, 33, 64, 65)},
    {"a picture, which stays plain", X(2, 3, 31, 33)},
    {"whole blocks", X(1, 32, 8, 4)},
    {"vectors", V(3, 65), .small = true},
    {"training", X(2, 17, 9, 5), .mode = RV_TRAIN},
};

RV_OP_CASES(prelu, twin_prelu, false, cases);
