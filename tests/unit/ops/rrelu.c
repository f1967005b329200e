/* Cases of rrelu. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_rrelu;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define V(n, c)       .in = {{2, {(n), (c), 1, 1}}}, .n_in = 1

static const rv_op_case cases[] = {
    {"drawn, two pictures", X(2, 19, 5, 7), .mode = RV_TRAIN, .small = true},
    {"drawn, rows longer than a run", X(1, 33, 9, 65), .mode = RV_TRAIN},
    {"drawn from 0 to 1", X(1, 17, 8, 4), .mode = RV_TRAIN,
     .attrs = {RV_SET_FLOAT("low", 0), RV_SET_FLOAT("high", 1)}, .n_attrs = 2},
    {"one slope", V(3, 33), .mode = RV_TRAIN,
     .attrs = {RV_SET_FLOAT("low", 0.25), RV_SET_FLOAT("high", 0.25)}, .n_attrs = 2},
    {"vectors", V(3, 65), .mode = RV_TRAIN},
    {"a picture, which stays plain", X(2, 3, 31, 33), .mode = RV_TRAIN},
    {"the mean in inference", X(2, 31, 4, 4)},
    {"vectors in inference", V(2, 63)},
};

RV_OP_CASES(rrelu, twin_rrelu, false, cases);
