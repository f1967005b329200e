/* Optimisers over the weights of a network: all of them in one arena, one launch for a step. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPTIM_UPDATE_H
#define RV_OPTIM_UPDATE_H

#include "graph/params.h"

/** x are the weights, g their gradients, r the learning rate, t the number of the step from 1. */
typedef enum rv_method {
    RV_METHOD_SGD,      /**< x -= r g */
    RV_METHOD_MOMENTUM, /**< v = mu v + r g, x -= v: Polyak 1964 */
    RV_METHOD_NESTEROV, /**< v = mu v + r g, x -= mu v + r g: Nesterov 1983 as Sutskever et al. 2013
                             write it, x being the point that momentum leads to */
    RV_METHOD_ADAGRAD,  /**< s += g^2, x -= r g / (sqrt(s) + epsilon): Duchi et al. 2011 */
    RV_METHOD_RMSPROP,  /**< s = d s + (1 - d) g^2, x -= r g / (sqrt(s) + epsilon): Tieleman and
                             Hinton 2012 */
    RV_METHOD_ADAM,     /**< Kingma and Ba 2015 */
    RV_METHOD_ADAMW,    /**< the same, with x -= r l2 x beside the gradient instead of a penalty in
                             it: Loshchilov and Hutter 2019 */
    RV_METHODS
} rv_method;

typedef struct rv_update_options {
    rv_method method;
    float momentum; /**< mu, 0 to 1; Adam: beta1 */
    float decay;    /**< of the mean square: d, Adam: beta2 */
    float epsilon;  /**< > 0 where the method has one */
    float l1, l2;   /**< the loss grows by l1 sum |x| + l2 / 2 sum x^2: l1 sign(x) + l2 x is added
                             to the gradient, behind clipping */
    bool penalize_all; /**< also biases and the like; else parameters of rank 2 and more: weights */
    float clip_value;  /**< each value of the gradient is kept within this of 0; 0: off */
    float clip_norm;   /**< the gradient is scaled down to this norm over all weights; 0: off */
    float average;     /**< keeps an exponential average of all weights and running statistics with
                             this decay, free of the bias of its start; 0: none */
} rv_update_options;

typedef struct rv_update rv_update;

/** The values of the method's paper, or where it has none, usual ones; no penalty, no clipping. */
rv_update_options rv_update_defaults(rv_method method);
/** "adam"; NULL beyond the last. */
const char *rv_method_name(int method);

/** @param params  with gradients; must outlive *out.
 *  @return RV_ERR_USAGE: an option out of range, named. */
RV_NODISCARD rv_status rv_update_create(rv_update **out, rv_device *device, rv_params *params,
                                        const rv_update_options *options);
void rv_update_destroy(rv_update *update);

/** Sets what a segment's learning rate is multiplied with; 0 freezes it: it is neither moved nor counted in
 *  the norm, and its moments stay. Segments of state are frozen always. */
RV_NODISCARD rv_status rv_update_set_rate(rv_update *update, size_t segment, float factor);

/** Moves the weights once, and their average.
 *  @param rate   learning rate of this step.
 *  @param scale  of the gradients first: 1 / n where those of n batches were accumulated. */
RV_NODISCARD rv_status rv_update_step(rv_update *update, float rate, float scale);
/** Changes mu of momentum and Nesterov, or beta1 of Adam, from the next step on. */
void rv_update_set_momentum(rv_update *update, float momentum);
/** Waits and reads the norm of the gradient that is there, before clipping. */
RV_NODISCARD rv_status rv_update_norm(rv_update *update, float scale, double *out);
/** Exchanges the weights with their average, for validation: again, and they are back. */
RV_NODISCARD rv_status rv_update_swap_average(rv_update *update);

/** What a checkpoint keeps beside the weights: `n` arrays of rv_params_floats() values, and the steps done. */
typedef struct rv_update_state {
    rv_buffer *array[3]; /**< borrowed */
    const char *name[3]; /**< "first", "second", "average" */
    int n;
    int64_t steps;
} rv_update_state;
rv_update_state rv_update_get_state(rv_update *update);
/** After the arrays were written. */
void rv_update_set_steps(rv_update *update, int64_t steps);

#endif
