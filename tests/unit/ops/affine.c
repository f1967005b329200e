/* Cases of batch_norm and scale. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_batch_norm, twin_scale;

#define X(n, c, h, w) .in = {{4, {(n), (c), (h), (w)}}}, .n_in = 1
#define V(n, c)       .in = {{2, {(n), (c), 1, 1}}}, .n_in = 1
#define A(count, ...) .attrs = {__VA_ARGS__}, .n_attrs = (count)
#define BIAS          RV_SET_INT("bias", 1)
#define AFFINE        RV_SET_INT("affine", 1)

static const rv_op_case scale_cases[] = {
    {"with bias, two pictures", X(2, 19, 5, 7), A(1, BIAS), .small = true},
    {"without bias", X(1, 33, 4, 9)},
    {"several parts, rows longer than a run", X(2, 5, 63, 65), A(1, BIAS)},
    {"blocks that fit", X(1, 64, 8, 8), A(1, BIAS)},
    {"one pixel", X(3, 31, 1, 1), A(1, BIAS)},
    {"vectors", V(5, 65), A(1, BIAS)},
    {"vectors without bias", V(2, 3)},
};

static const rv_op_case batch_norm_cases[] = {
    {"running statistics", X(2, 19, 5, 7), .small = true},
    {"running statistics, affine", X(1, 33, 8, 9), A(1, AFFINE)},
    {"running statistics of vectors", V(3, 63), A(1, AFFINE)},
    {"batch statistics, two pictures", X(2, 19, 5, 7), .mode = RV_TRAIN, .small = true},
    {"batch statistics, affine", X(3, 33, 4, 9), A(1, AFFINE), .mode = RV_TRAIN},
    {"batch statistics in several parts", X(2, 5, 63, 65), A(1, AFFINE), .mode = RV_TRAIN},
    {"batch statistics of one picture", X(1, 64, 8, 8), A(1, AFFINE), .mode = RV_TRAIN},
    {"batch statistics of vectors", V(9, 65), A(1, AFFINE), .mode = RV_TRAIN},
    {"epsilon and momentum", X(2, 16, 3, 3),
     A(3, AFFINE, RV_SET_FLOAT("epsilon", 0.1), RV_SET_FLOAT("momentum", 0.25)), .mode = RV_TRAIN},
    {"batch statistics far from zero", X(2, 3, 31, 32), .data = {RV_DATA_POSITIVE},
     .mode = RV_TRAIN},
};

RV_OP_CASES(scale, twin_scale, true, scale_cases);
RV_OP_CASES(batch_norm, twin_batch_norm, false, batch_norm_cases);
