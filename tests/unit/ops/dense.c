/* Cases of dense. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_dense;

#define FLAT(n, j)       .in = {{2, {(n), (j), 1, 1}}}, .n_in = 1
#define MAPS(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define OUTPUTS(k)       .attrs = {RV_SET_INT("num_output", k)}, .n_attrs = 1
#define OUTPUTS_NO_BIAS(k) \
    .attrs = {RV_SET_INT("num_output", k), RV_SET_INT("bias", 0)}, .n_attrs = 2

static const rv_op_case cases[] = {
    {"two pictures, 37 features, 5 outputs", FLAT(2, 37), OUTPUTS(5), .small = true},
    {"one feature, one output", FLAT(1, 1), OUTPUTS(1)},
    {"fewer features than a vector holds", FLAT(3, 3), OUTPUTS(7), .small = true},
    {"31 features without bias", FLAT(2, 31), OUTPUTS_NO_BIAS(32)},
    {"32 features", FLAT(5, 32), OUTPUTS(33)},
    {"63 features, 9 pictures", FLAT(9, 63), OUTPUTS(65)},
    {"64 features, 4 pictures", FLAT(4, 64), OUTPUTS(31)},
    {"65 features, 65 pictures: two tiles", FLAT(65, 65), OUTPUTS(63)},
    {"maps, flattened channel by channel", MAPS(2, 6, 5, 7), OUTPUTS(10)},
    {"maps of one pixel without bias", MAPS(3, 33, 1, 1), OUTPUTS_NO_BIAS(8)},
    {"more features than are taken at a time", FLAT(6, 2100), OUTPUTS(25)},
    {"more pictures than a launch packs on CPUs", FLAT(4100, 3), OUTPUTS(7)},
    {"several panels of pictures beside rows of weights on CPUs", FLAT(70, 1400), OUTPUTS(37)},
    {"several panels, and what follows them, on CPUs", FLAT(20, 530), OUTPUTS(1100)},
    {"the same for the gradient of data", FLAT(20, 1100), OUTPUTS(530)},
    {"a sum in parts on GPUs", FLAT(9, 520), OUTPUTS(3), .small = true},
    {"more outputs than a work-item has rows", FLAT(2, 200), OUTPUTS(133)},
};

RV_OP_CASES(dense, twin_dense, true, cases);
