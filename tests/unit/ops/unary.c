/* Cases of the functions of one value. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_relu, twin_leaky_relu, twin_clip, twin_square, twin_sqrt;
rv_twin twin_elu, twin_selu, twin_sigmoid, twin_tanh;

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

/* Kinks at 0 and at 0.5 or 99.99, from which the values keep away, or which few of them come near. */
static const rv_op_case clip[] = {
    CASES(RV_DATA_SIGNED){CASE("both ends", RV_DATA_SIGNED, 4, {2, 11, 9, 7}),
                          .attrs = {RV_SET_FLOAT("low", -0.503), RV_SET_FLOAT("high", 0.507)},
                          .n_attrs = 2},
    {CASE("low above 0", RV_DATA_SIGNED, 4, {1, 5, 31, 32}), .shift = 2,
     .attrs = {RV_SET_FLOAT("low", 1.503), RV_SET_FLOAT("high", 2.507)}, .n_attrs = 2},
    {CASE("no end above", RV_DATA_SIGNED, 2, {3, 33}), .attrs = {RV_SET_FLOAT("high", 1e30)},
     .n_attrs = 1},
};

/* Values far from 0, where exponentials end. */
#define FAR(label, by)                                              \
    {                                                               \
        CASE(label, RV_DATA_SIGNED, 4, {2, 5, 3, 7}), .shift = (by) \
    }

static const rv_op_case elu[] = {
    CASES(RV_DATA_SIGNED) FAR("far below 0", -30),
    FAR("far above 0", 100),
    {CASE("alpha 0", RV_DATA_SIGNED, 4, {1, 5, 32, 64}), .attrs = {RV_SET_FLOAT("alpha", 0)},
     .n_attrs = 1},
    {CASE("alpha 2.5", RV_DATA_SIGNED, 2, {3, 33}), .attrs = {RV_SET_FLOAT("alpha", 2.5)},
     .n_attrs = 1},
};
static const rv_op_case selu[] = {
    CASES(RV_DATA_SIGNED) FAR("far below 0", -30),
    FAR("far above 0", 100),
    {CASE("alpha 2, scale 3", RV_DATA_SIGNED, 4, {1, 5, 31, 32}),
     .attrs = {RV_SET_FLOAT("alpha", 2), RV_SET_FLOAT("scale", 3)}, .n_attrs = 2},
    {CASE("alpha 0", RV_DATA_SIGNED, 2, {3, 33}), .attrs = {RV_SET_FLOAT("alpha", 0)},
     .n_attrs = 1},
};
static const rv_op_case sigmoid[] = {CASES(RV_DATA_SIGNED) FAR("far below 0", -80),
                                     FAR("far above 0", 120)};
static const rv_op_case tanh_cases[] = {CASES(RV_DATA_SIGNED) FAR("below 0", -2),
                                        FAR("above 0", 2)};

RV_OP_CASES(relu, twin_relu, false, relu);
RV_OP_CASES(leaky_relu, twin_leaky_relu, false, leaky_relu);
RV_OP_CASES(clip, twin_clip, false, clip);
RV_OP_CASES(square, twin_square, false, square);
RV_OP_CASES(sqrt, twin_sqrt, false, sqrt_cases);
RV_OP_CASES(elu, twin_elu, false, elu);
RV_OP_CASES(selu, twin_selu, false, selu);
RV_OP_CASES(sigmoid, twin_sigmoid, false, sigmoid);
RV_OP_CASES(tanh, twin_tanh, false, tanh_cases);
