/* Cases of the losses that compare moments of features. */
/* SPDX-License-Identifier: MIT */
#include "support/op_check.h"

rv_twin twin_wasserstein_loss, twin_deviation_loss;

#define VECTOR(n, c)       \
    {                      \
        4,                 \
        {                  \
            (n), (c), 1, 1 \
        }                  \
    }
#define MATRIX(n, c)      \
    {                     \
        3,                \
        {                 \
            (n), (c), (c) \
        }                 \
    }

/* Mean squares, means, deviations, means. */
#define CHANNELS(n, c)                                                         \
    .in = {VECTOR(n, c), VECTOR(n, c), VECTOR(n, c), VECTOR(n, c)}, .n_in = 4, \
    .data = {RV_DATA_POSITIVE, RV_DATA_SIGNED, RV_DATA_POSITIVE, RV_DATA_SIGNED}

static const rv_op_case deviation_loss[] = {
    {.name = "11 channels, two pictures", CHANNELS(2, 11), .shift = 1, .small = true},
    {.name = "one channel", CHANNELS(1, 1), .shift = 1},
    {.name = "33 channels, weighted, a large ridge",
     CHANNELS(1, 33),
     .shift = 2,
     .attrs = {RV_SET_FLOAT("weight", 100), RV_SET_FLOAT("ridge", 0.5)},
     .n_attrs = 2},
    {.name = "less than the square of the mean: no variance", CHANNELS(1, 31), .shift = -2},
    {.name = "512 channels", CHANNELS(1, 512), .shift = 1},
};
RV_OP_CASES(deviation_loss, twin_deviation_loss, false, deviation_loss);

/* Products, means, factor, means. */
#define CLOUD(n, c)                                                            \
    .in = {MATRIX(n, c), VECTOR(n, c), MATRIX(n, c), VECTOR(n, c)}, .n_in = 4, \
    .data = {RV_DATA_DOMINANT, RV_DATA_SIGNED, RV_DATA_DOMINANT, RV_DATA_SIGNED}

static const rv_op_case wasserstein_loss[] = {
    {.name = "11 channels, two pictures", CLOUD(2, 11), .small = true},
    {.name = "one channel", CLOUD(1, 1)},
    {.name = "31 channels, weighted, a large ridge",
     CLOUD(1, 31),
     .attrs = {RV_SET_FLOAT("weight", 100), RV_SET_FLOAT("ridge", 3)},
     .n_attrs = 2},
    {.name = "64 channels: a whole tile", CLOUD(1, 64)},
    {.name = "65 channels: two tiles", CLOUD(1, 65)},
};
RV_OP_CASES(wasserstein_loss, twin_wasserstein_loss, false, wasserstein_loss);
