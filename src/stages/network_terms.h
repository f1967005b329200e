/* What an objective compares in the layers of a network: features for the photo, Gram matrices for the style. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_NETWORK_TERMS_H
#define RV_STAGES_NETWORK_TERMS_H

#include "model/model.h"
#include "stages/layer_list.h"
#include "stages/style_recipe.h"
#include "stages/term.h"

/** Starts from {0}. */
typedef struct rv_network_terms {
    rv_layer_list content, style;
    char *content_text, *style_text;
    double unit; /**< of what the network takes, in those of one that takes 0 to 255 */
} rv_network_terms;

/** Takes the lists of layers of the options, else those of the model, and builds the part of the network that they
 *  need.
 *  @return RV_ERR_NOT_FOUND, RV_ERR_USAGE: a layer, or a list; RV_ERR_UNSUPPORTED: a network for grey pictures */
RV_NODISCARD rv_status rv_network_terms_build(rv_network_terms *terms, rv_model_graph *out,
                                              const rv_model *model,
                                              const rv_stylize_options *options);
/** Adds a term for each layer of the lists. */
RV_NODISCARD rv_status rv_network_terms_add(const rv_network_terms *terms, rv_terms *list,
                                            const rv_graph *graph, const rv_blend *blend,
                                            const rv_stylize_options *options);
void rv_network_terms_release(rv_network_terms *terms);

#endif
