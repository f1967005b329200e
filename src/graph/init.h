/* What the weights of a network start from. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_GRAPH_INIT_H
#define RV_GRAPH_INIT_H

#include "graph/graph.h"

/** Shape of the distribution that weights are drawn from; all of mean 0. */
typedef enum rv_distribution {
    RV_NORMAL,
    RV_UNIFORM,          /**< within sqrt(3) deviations */
    RV_TRUNCATED_NORMAL, /**< a normal distribution cut at two of its deviations, then widened so
                              that the deviation is as asked for */
    RV_DISTRIBUTIONS
} rv_distribution;

/** By what the variance is divided: values that enter a unit, that it goes to, or their mean. */
typedef enum rv_fan { RV_FAN_IN, RV_FAN_OUT, RV_FAN_AVERAGE, RV_FANS } rv_fan;

/** Weights of variance gain^2 / fan. */
typedef struct rv_initializer {
    rv_distribution distribution;
    rv_fan fan;
    double gain;      /**< > 0: makes up for what the units behind take from the variance */
    double deviation; /**< > 0: this, whatever gain and fan */
} rv_initializer;

/** He et al. 2015, for ReLU: normal, fan in, gain sqrt(2). */
#define RV_INITIALIZER_HE                           \
    {                                               \
        RV_NORMAL, RV_FAN_IN, 1.4142135623730951, 0 \
    }

/** "he", "xavier" (Glorot and Bengio 2010: average, gain 1) or "lecun" (fan in, gain 1; for SELU), as it is or with
 *  "-normal", "-uniform" or "-truncated". RV_ERR_USAGE names the nearest. */
RV_NODISCARD rv_status rv_initializer_find(rv_initializer *out, const char *name);
/** Gain for units of a kind: "linear" 1, "logistic" 4 (its slope at 0 is 1/4), "tanh" 1, "relu" sqrt(2).
 *  RV_ERR_USAGE names the nearest. */
RV_NODISCARD rv_status rv_initializer_gain(double *out, const char *units);

/** Fills each parameter and state without values: weights by `initializer`, all else as its operation says.
 *  Drawn by Philox(seed, parameter number, index). */
RV_NODISCARD rv_status rv_graph_initialize_by(rv_graph *graph, const rv_initializer *initializer,
                                              uint32_t seed);

#endif
