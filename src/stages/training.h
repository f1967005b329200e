/* A network made ready for training: behind its logits a loss, and what it learns from. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TRAINING_H
#define RV_STAGES_TRAINING_H

#include "model/model.h"

typedef struct rv_training_graph {
    rv_value labels; /**< input [N]: the number of each picture's class */
    rv_value logits; /**< [N,K], or [N,K,1,1]: what softmax makes probabilities of */
    rv_value loss;   /**< [1] */
} rv_training_graph;

/** What softmax makes probabilities of: the output, or where that is a softmax its input.
 *  RV_ERR_UNSUPPORTED where the network does not end in one number per class. */
RV_NODISCARD rv_status rv_training_logits(rv_value *out, const rv_model_graph *model);

/** Sets the batch of `model`, and adds cross-entropy behind it.
 *  @param smoothing  share of each label that is spread over all classes.
 *  @return RV_ERR_UNSUPPORTED where the network does not end in one number per class. */
RV_NODISCARD rv_status rv_training_graph_add(rv_training_graph *out, const rv_model_graph *model,
                                             int32_t batch, float smoothing);

#endif
