/* What stages see of a model: its graph and the values where pictures and tensors go in. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_MODEL_H
#define RV_MODEL_MODEL_H

#include "graph/graph.h"
#include <reverie/model.h>

/** Graph of the model: input "picture" (plain [N,3,H,W], RGB, 0..1) -> preprocess -> network.
 *  Borrowed; stages may add nodes behind it. */
rv_graph *rv_model_graph(rv_model *model);
/** The graph's only input: a picture. */
rv_value rv_model_picture(const rv_model *model);
/** What the network itself takes, named as in its file: the output of preprocess. As a feed of a
 *  plan (rv_plan_options.feeds) it takes a tensor that is preprocessed already. */
rv_value rv_model_input(const rv_model *model);
/** Output of the last layer. */
rv_value rv_model_output(const rv_model *model);

/** Makes the graph take `pictures` of height x width. RV_ERR_SHAPE, and nothing changed, where a
 *  dense layer fixes the size: open the model with rv_model_options.layers to leave it out. */
RV_NODISCARD rv_status rv_model_resize(rv_model *model, int pictures, int height, int width);

#endif
