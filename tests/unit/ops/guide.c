/* Cases of guide. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_guide;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}, {4, {(n), 1, (h), (w)}}}, .n_in = 2

static const rv_op_case cases[] = {
    {"19 channels, two pictures", X(2, 19, 5, 7), .small = true},
    {"one value", X(1, 1, 1, 1)},
    {"a picture, which stays plain", X(2, 3, 31, 33)},
    {"whole blocks", X(1, 32, 8, 4)},
    {"65 channels, many pixels", X(1, 65, 63, 65)},
    {"training", X(2, 17, 9, 5), .mode = RV_TRAIN},
};

RV_OP_CASES(guide, twin_guide, false, cases);
