/* Cases of the operation preprocess. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_preprocess;

static const rv_op_case cases[] = {
    {.name = "defaults copy", .in = {{4, {1, 3, 5, 7}}}, .n_in = 1, .small = true},
    {.name = "Caffe: blue first, 255, a mean per channel",
     .in = {{4, {2, 3, 31, 33}}},
     .n_in = 1,
     .attrs = {RV_SET_ENUM("order", "bgr"), RV_SET_FLOAT("range", 255),
               RV_SET_FLOAT3("mean", 103.939, 116.779, 123.68)},
     .n_attrs = 3},
    {.name = "PyTorch: red first, mean and deviation",
     .in = {{4, {1, 3, 64, 65}}},
     .n_in = 1,
     .attrs = {RV_SET_FLOAT3("mean", 0.485, 0.456, 0.406),
               RV_SET_FLOAT3("deviation", 0.229, 0.224, 0.225)},
     .n_attrs = 2},
    {.name = "one pixel, -1 to 1, blue first",
     .in = {{4, {1, 3, 1, 1}}},
     .n_in = 1,
     .attrs = {RV_SET_ENUM("order", "bgr"), RV_SET_FLOAT("mean", 0.5),
               RV_SET_FLOAT("deviation", 0.5)},
     .n_attrs = 3},
    {.name = "grey: one channel, whatever the order",
     .in = {{4, {2, 1, 7, 33}}},
     .n_in = 1,
     .attrs = {RV_SET_ENUM("order", "bgr"), RV_SET_FLOAT3("mean", 0.1307, 1, 2),
               RV_SET_FLOAT3("deviation", 0.3081, 3, 4)},
     .n_attrs = 3,
     .small = true},
};

RV_OP_CASES(preprocess, twin_preprocess, false, cases);
