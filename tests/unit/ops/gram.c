/* Cases of gram. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_gram;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1

static const rv_op_case cases[] = {
    {"11 channels of 5 x 7 pixels, two pictures", X(2, 11, 5, 7), .small = true},
    {"one pixel", X(1, 5, 1, 1)},
    {"one channel", X(2, 1, 3, 3)},
    {"31 channels", X(1, 31, 9, 11)},
    {"32 channels", X(2, 32, 8, 8), .attrs = {RV_SET_ENUM("normalize", "hw")}, .n_attrs = 1},
    {"33 channels", X(1, 33, 13, 1), .attrs = {RV_SET_ENUM("normalize", "none")}, .n_attrs = 1},
    {"63 channels, one row", X(1, 63, 1, 29)},
    {"64 channels", X(1, 64, 31, 33)},
    {"65 channels: two tiles", X(2, 65, 7, 9)},
    {"150 channels: three tiles", X(1, 150, 6, 6)},
    {"more pixels than a part has", X(1, 9, 65, 63)},
};

RV_OP_CASES(gram, twin_gram, false, cases);
