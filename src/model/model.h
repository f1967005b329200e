/* What stages see of a model: its graph and the values where pictures and tensors go in. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_MODEL_H
#define RV_MODEL_MODEL_H

#include "graph/graph.h"
#include <reverie/model.h>

/** A model as a graph of its own: input "picture" (plain [N,3,H,W], RGB, 0..1) -> preprocess ->
 *  network. */
typedef struct rv_model_graph {
    rv_graph *graph;  /**< owned by the caller, rv_graph_destroy(); nodes may be added behind it */
    rv_value picture; /**< the graph's only input */
    rv_value input;   /**< what the network itself takes, named as in its file: the output of
                           preprocess; as a feed of a plan (rv_plan_options.feeds) it takes a tensor
                           that is preprocessed already */
    rv_value output;  /**< of the last layer */
} rv_model_graph;

/** Builds the graph with its weights set (large ones stay in the file until rv_params_create() takes them: the model has
 *  to be open until then), for the size the model was made for; rv_graph_reshape() of
 *  `picture` gives another batch or size.
 *  @param layers  node or top names: only what they need is built and only its weights are read, so
 *                 that any size is possible where no dense layer is left; NULL: all layers.
 *  @return RV_ERR_NOT_FOUND names an unknown layer, the nearest and all; RV_ERR_FORMAT a tensor with
 *          NaN; RV_ERR_SHAPE a layer and both shapes; RV_ERR_USAGE where the model is no network. */
RV_NODISCARD rv_status rv_model_build(rv_model_graph *out, const rv_model *model,
                                      const char *const *layers, size_t n_layers);

/** With RV_TASK_VALUES what rv_model_value() computes with, a number per output each; NULL: as they come. */
void rv_model_scale(const rv_model *model, const float **mean, const float **deviation);
/** Sets it; copied. */
RV_NODISCARD rv_status rv_model_set_scale(rv_model *model, const float *mean,
                                          const float *deviation, size_t n);

/** Share of the shorter side of a picture that the network looks at: all, where Reverie trained it, else 227/256
 *  as in the training of most networks. */
double rv_model_share(const rv_model *model);

/** What replaces its pooling layers. */
rv_pooling rv_model_pooling(const rv_model *model);

/** Tells weights apart without reading all of them: by the size of their file and 4 KiB of every 64, in which any other
 *  training shows; weights drawn at random by their seed; and how pictures are prepared. @return RV_ERR_NOT_FOUND, RV_ERR_IO: the file has gone */
RV_NODISCARD rv_status rv_model_fingerprint(uint64_t *out, const rv_model *model);

/** All layers, with first weights by `initializer` where the model has none. */
RV_NODISCARD rv_status rv_model_build_by(rv_model_graph *out, const rv_model *model,
                                         const rv_initializer *initializer);

#endif
