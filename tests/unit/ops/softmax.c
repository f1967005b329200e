/* Cases of softmax. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_softmax;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define V(n, c)       .in = {{2, {(n), (c), 1, 1}}}, .n_in = 1

static const rv_op_case cases[] = {
    {"scores of 10 classes, three pictures", V(3, 10), .small = true},
    {"1000 classes", V(1, 1000)},
    {"one class", V(2, 1)},
    {"maps of 19 classes, two pictures", X(2, 19, 5, 7), .small = true},
    {"1 x 1 maps", X(2, 65, 1, 1)},
    {"31 classes", X(1, 31, 9, 3)},
    {"64 classes", X(1, 64, 3, 3)},
    {"scores above zero, where pad lanes would not matter", X(1, 5, 3, 4),
     .data = {RV_DATA_POSITIVE}},
    /* Pad lanes are zero, and exp(0 - largest) is then huge, or infinite. */
    {"scores about -88", X(2, 19, 3, 4), .shift = -88},
    {"scores about -10000", X(2, 19, 3, 4), .shift = -1e4f},
    {"scores about -10000, vectors", V(3, 21), .shift = -1e4f},
    {"scores about 10000", X(1, 5, 3, 4), .shift = 1e4f},
};

RV_OP_CASES(softmax, twin_softmax, false, cases);
