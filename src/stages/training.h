/* A network made ready for training: behind its logits a loss, and what it learns from. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TRAINING_H
#define RV_STAGES_TRAINING_H

#include "model/model.h"

typedef struct rv_training_graph {
    rv_value
        labels; /**< input: [N] the number of each picture's class; or in the shape of the logits
                          0 or 1 for each label, or quantities */
    rv_value
        logits; /**< [N,K], or [N,K,1,1]: what softmax or sigmoid make probabilities of; quantities */
    rv_value loss; /**< [1] */
} rv_training_graph;

/** The output, or where that is a softmax, or of labels a sigmoid, its input.
 *  RV_ERR_UNSUPPORTED where the network does not end in a row of numbers. */
RV_NODISCARD rv_status rv_training_logits(rv_value *out, const rv_model_graph *model, rv_task task);

/** Sets the batch of `model`, and adds the loss behind it: cross-entropy for classes, binary cross-entropy for labels,
 *  the mean square for quantities.
 *  @param smoothing  of classes: share of each label that is spread over all.
 *  @return RV_ERR_UNSUPPORTED where the network does not end in a row of numbers. */
RV_NODISCARD rv_status rv_training_graph_add(rv_training_graph *out, const rv_model_graph *model,
                                             rv_task task, int32_t batch, float smoothing);

#endif
