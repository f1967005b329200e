/* Cases of lrn; alpha of 1 and more, where the sum matters. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_lrn;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define A(count, ...) .attrs = {__VA_ARGS__}, .n_attrs = (count)
#define SIZE(n)       RV_SET_INT("size", n)
#define WITHIN        RV_SET_ENUM("region", "within")
#define ALPHA(x)      RV_SET_FLOAT("alpha", x)

static const rv_op_case cases[] = {
    {"as in AlexNet", X(1, 33, 7, 9)},
    {"5 channels, two pictures", X(2, 19, 5, 7), A(1, ALPHA(2)), .small = true},
    {"3 channels, as many as a block has", X(1, 64, 3, 5), A(2, SIZE(3), ALPHA(1))},
    {"an even number", X(1, 31, 4, 4), A(2, SIZE(4), ALPHA(3))},
    {"a window across several blocks", X(1, 65, 3, 4), A(2, SIZE(33), ALPHA(5))},
    {"a window wider than all channels", X(1, 3, 6, 6), A(2, SIZE(9), ALPHA(1))},
    {"the own channel only", X(1, 16, 3, 3), A(2, SIZE(1), ALPHA(1))},
    {"beta and k", X(1, 32, 5, 5),
     A(3, ALPHA(0.5), RV_SET_FLOAT("beta", 1.5), RV_SET_FLOAT("k", 2))},
    {"a beta of 0", X(1, 19, 5, 5), A(2, ALPHA(1), RV_SET_FLOAT("beta", 0))},
    {"rows longer than a run", X(1, 8, 3, 65), A(1, ALPHA(1))},
    {"3x3 pixels of a channel", X(2, 19, 5, 7), A(3, SIZE(3), ALPHA(9), WITHIN), .small = true},
    {"a window wider than the picture", X(1, 33, 3, 4), A(3, SIZE(7), ALPHA(20), WITHIN)},
    {"rows longer than a run within a channel", X(1, 3, 4, 65), A(3, SIZE(5), ALPHA(9), WITHIN)},
    {"one pixel", X(1, 63, 1, 1), A(1, ALPHA(1))},
};

RV_OP_CASES(lrn, twin_lrn, false, cases);
