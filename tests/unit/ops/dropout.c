/* Cases of dropout. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_dropout;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define V(n, c)       .in = {{2, {(n), (c), 1, 1}}}, .n_in = 1
#define RATIO(x)      .attrs = {RV_SET_FLOAT("ratio", x)}, .n_attrs = 1

static const rv_op_case cases[] = {
    {"half, two pictures", X(2, 19, 5, 7), .mode = RV_TRAIN, .small = true},
    {"a tenth, rows longer than a run", X(1, 33, 9, 65), RATIO(0.1), .mode = RV_TRAIN},
    {"nearly all", X(1, 64, 8, 4), RATIO(0.9), .mode = RV_TRAIN},
    {"none", X(1, 5, 3, 3), RATIO(0), .mode = RV_TRAIN},
    {"vectors", V(3, 65), RATIO(0.3), .mode = RV_TRAIN},
    {"one value", V(1, 1), .mode = RV_TRAIN},
    {"a picture, which stays plain", X(2, 3, 31, 33), .mode = RV_TRAIN},
    {"vectors in whole blocks", V(2, 64), RATIO(0.5), .mode = RV_TRAIN},
    {"in inference the identity", X(2, 31, 4, 4)},
    {"vectors in inference", V(2, 63)},
};

RV_OP_CASES(dropout, twin_dropout, true, cases);
