/* Cases of the losses. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_dot_loss, twin_match_loss, twin_mse_loss, twin_range_loss, twin_tv_loss,
    twin_cross_entropy;
rv_twin twin_binary_cross_entropy;

#define SHAPE(...)      \
    {                   \
        4,              \
        {               \
            __VA_ARGS__ \
        }               \
    }

static const rv_op_case dot_loss[] = {
    {.name = "small", .in = {SHAPE(2, 11, 5, 7), SHAPE(2, 11, 5, 7)}, .n_in = 2, .small = true},
    {.name = "one value", .in = {SHAPE(1, 1, 1, 1), SHAPE(1, 1, 1, 1)}, .n_in = 2},
    {.name = "channels beside a block, turned about",
     .in = {SHAPE(2, 17, 31, 33), SHAPE(2, 17, 31, 33)},
     .n_in = 2,
     .attrs = {RV_SET_FLOAT("weight", -2.5)},
     .n_attrs = 1},
    {.name = "several parts, of one sign",
     .in = {SHAPE(1, 33, 64, 65), SHAPE(1, 33, 64, 65)},
     .n_in = 2,
     .data = {RV_DATA_POSITIVE, RV_DATA_POSITIVE},
     .attrs = {RV_SET_FLOAT("weight", 0.001)},
     .n_attrs = 1},
    {.name = "class scores", .in = {{2, {3, 1000}}, {2, {3, 1000}}}, .n_in = 2},
    {.name = "rank 1", .in = {{1, {65}}, {1, {65}}}, .n_in = 2},
};
RV_OP_CASES(dot_loss, twin_dot_loss, false, dot_loss);

static const rv_op_case match_loss[] = {
    {.name = "small", .in = {SHAPE(2, 11, 5, 7), {2, {9, 11}}}, .n_in = 2, .small = true},
    {.name = "one place, one vector", .in = {SHAPE(1, 1, 1, 1), {2, {1, 1}}}, .n_in = 2},
    {.name = "several tiles, weighted",
     .in = {SHAPE(2, 33, 9, 11), {2, {17, 33}}},
     .n_in = 2,
     .attrs = {RV_SET_FLOAT("weight", -2.5)},
     .n_attrs = 1},
};
RV_OP_CASES(match_loss, twin_match_loss, false, match_loss);

static const rv_op_case mse_loss[] = {
    {.name = "small", .in = {SHAPE(2, 11, 5, 7), SHAPE(2, 11, 5, 7)}, .n_in = 2, .small = true},
    {.name = "one value", .in = {SHAPE(1, 1, 1, 1), SHAPE(1, 1, 1, 1)}, .n_in = 2},
    {.name = "channels beside a block, weighted",
     .in = {SHAPE(2, 17, 31, 33), SHAPE(2, 17, 31, 33)},
     .n_in = 2,
     .attrs = {RV_SET_FLOAT("weight", 1000)},
     .n_attrs = 1},
    {.name = "several parts", .in = {SHAPE(1, 33, 64, 65), SHAPE(1, 33, 64, 65)}, .n_in = 2},
    {.name = "Gram matrices", .in = {{3, {2, 31, 31}}, {3, {2, 31, 31}}}, .n_in = 2},
    {.name = "rank 1", .in = {{1, {65}}, {1, {65}}}, .n_in = 2},
};
RV_OP_CASES(mse_loss, twin_mse_loss, false, mse_loss);

static const rv_op_case range_loss[] = {
    {.name = "small", .in = {SHAPE(2, 11, 5, 7)}, .n_in = 1, .small = true},
    {.name = "one value", .in = {SHAPE(1, 1, 1, 1)}, .n_in = 1},
    {.name = "0 outside the range: pad lanes do not count",
     .in = {SHAPE(2, 17, 31, 33)},
     .n_in = 1,
     .attrs = {RV_SET_FLOAT("low", 0.25), RV_SET_FLOAT("high", 0.5)},
     .n_attrs = 2},
    {.name = "below 0, weighted, several parts",
     .in = {SHAPE(1, 33, 64, 65)},
     .n_in = 1,
     .attrs = {RV_SET_FLOAT("low", -0.5), RV_SET_FLOAT("high", -0.25), RV_SET_FLOAT("weight", 100)},
     .n_attrs = 3},
    {.name = "rank 2", .in = {{2, {31, 63}}}, .n_in = 1},
};
RV_OP_CASES(range_loss, twin_range_loss, false, range_loss);

/* Distinct values: the slope of |d| jumps at 0. */
#define L1 .data = {RV_DATA_DISTINCT}, .attrs = {RV_SET_ENUM("power", "l1")}, .n_attrs = 1

static const rv_op_case tv_loss[] = {
    {.name = "small", .in = {SHAPE(2, 11, 5, 7)}, .n_in = 1, .small = true},
    {.name = "one value", .in = {SHAPE(1, 1, 1, 1)}, .n_in = 1},
    {.name = "one row", .in = {SHAPE(1, 3, 1, 33)}, .n_in = 1},
    {.name = "one column, l1", .in = {SHAPE(1, 3, 33, 1)}, .n_in = 1, L1},
    {.name = "two columns", .in = {SHAPE(1, 2, 3, 2)}, .n_in = 1},
    {.name = "two columns, l1", .in = {SHAPE(1, 2, 3, 2)}, .n_in = 1, L1},
    {.name = "a picture", .in = {SHAPE(1, 3, 31, 65)}, .n_in = 1},
    {.name = "a picture, l1", .in = {SHAPE(2, 3, 64, 63)}, .n_in = 1, L1},
    {.name = "whole vectors", .in = {SHAPE(1, 3, 32, 32)}, .n_in = 1},
    {.name = "channels beside a block, l1, weighted",
     .in = {SHAPE(2, 17, 31, 33)},
     .n_in = 1,
     .data = {RV_DATA_DISTINCT},
     .attrs = {RV_SET_ENUM("power", "l1"), RV_SET_FLOAT("weight", 0.001)},
     .n_attrs = 2},
    {.name = "channels beside a block, weighted",
     .in = {SHAPE(2, 17, 31, 33)},
     .n_in = 1,
     .attrs = {RV_SET_FLOAT("weight", 0.001)},
     .n_attrs = 1},
};
RV_OP_CASES(tv_loss, twin_tv_loss, false, tv_loss);

#define LABELS .data = {RV_DATA_SIGNED, RV_DATA_LABELS}

static const rv_op_case cross_entropy[] = {
    {.name = "small",
     .in = {{2, {3, 5}}, {1, {3}}},
     .n_in = 2,
     LABELS,
     .classes = 5,
     .small = true},
    {.name = "one class", .in = {{2, {2, 1}}, {1, {2}}}, .n_in = 2, LABELS, .classes = 1},
    {.name = "1000 classes, weighted",
     .in = {{2, {33, 1000}}, {1, {33}}},
     .n_in = 2,
     LABELS,
     .classes = 1000,
     .attrs = {RV_SET_FLOAT("weight", 3)},
     .n_attrs = 1},
    {.name = "rank 4", .in = {SHAPE(31, 17, 1, 1), {1, {31}}}, .n_in = 2, LABELS, .classes = 17},
    {.name = "a tenth smoothed",
     .in = {{2, {31, 65}}, {1, {31}}},
     .n_in = 2,
     LABELS,
     .classes = 65,
     .attrs = {RV_SET_FLOAT("smoothing", 0.1)},
     .n_attrs = 1},
    {.name = "all smoothed, rank 4",
     .in = {SHAPE(5, 17, 1, 1), {1, {5}}},
     .n_in = 2,
     LABELS,
     .classes = 17,
     .attrs = {RV_SET_FLOAT("smoothing", 1)},
     .n_attrs = 1},
};
RV_OP_CASES(cross_entropy, twin_cross_entropy, false, cross_entropy);

/* Targets between 0 and 1, as smoothing makes them. */
#define TARGETS .data = {RV_DATA_SIGNED, RV_DATA_POSITIVE}

static const rv_op_case binary_cross_entropy[] = {
    {.name = "small", .in = {{2, {3, 11}}, {2, {3, 11}}}, .n_in = 2, TARGETS, .small = true},
    {.name = "one value", .in = {{2, {1, 1}}, {2, {1, 1}}}, .n_in = 2, TARGETS},
    {.name = "0 and 1, several parts, weighted",
     .in = {{2, {65, 1000}}, {2, {65, 1000}}},
     .n_in = 2,
     .data = {RV_DATA_SIGNED, RV_DATA_LABELS},
     .classes = 2,
     .attrs = {RV_SET_FLOAT("weight", 3)},
     .n_attrs = 1},
    {.name = "far above 0", .in = {{2, {3, 33}}, {2, {3, 33}}}, .n_in = 2, TARGETS, .shift = 200},
    {.name = "far below 0", .in = {{2, {3, 33}}, {2, {3, 33}}}, .n_in = 2, TARGETS, .shift = -200},
    {.name = "channels beside a block",
     .in = {SHAPE(2, 17, 5, 7), SHAPE(2, 17, 5, 7)},
     .n_in = 2,
     TARGETS,
     .small = true},
};
RV_OP_CASES(binary_cross_entropy, twin_binary_cross_entropy, false, binary_cross_entropy);
