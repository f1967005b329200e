/* What the weights of a network start from. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_GRAPH_INIT_H
#define RV_GRAPH_INIT_H

#include <reverie/status.h>
#include <stdbool.h>

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
    bool
        by_unit; /**< the gain is for layers with a unit behind that halves (RV_OP_HALVES): before all
                           else it is 1 */
} rv_initializer;

/** He et al. 2015, for ReLU: normal, fan in, gain sqrt(2). */
#define RV_INITIALIZER_HE                                  \
    {                                                      \
        RV_NORMAL, RV_FAN_IN, 1.4142135623730951, 0, false \
    }

/** Reads words between "-". The first is "auto" ("he" before units that halve, "lecun" before all else), "he", "xavier"
 *  or "glorot" (Glorot and Bengio 2010: uniform, average, gain 1) or "lecun" (normal, fan in, gain 1; for SELU); further
 *  ones change one thing each: the distribution ("normal", "uniform", "truncated"), the fan ("in", "out", "average"), the
 *  units that the gain is for ("linear" 1, "logistic" or "sigmoid" 4, as its slope at 0 is 1/4, "tanh" 1, "relu"
 *  sqrt(2)): "xavier-normal-tanh", "he-out". Or a distribution with its deviation: "truncated-0.1".
 *  RV_ERR_USAGE names the nearest word. */
RV_NODISCARD rv_status rv_initializer_find(rv_initializer *out, const char *text);

#endif
