/* Lists of layers with weights, as options give them, and those a network is used with by default. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_LAYER_LIST_H
#define RV_STAGES_LAYER_LIST_H

#include <reverie/model.h>

typedef struct rv_weighted_layer {
    char *name;
    double weight; /**< share: those of a list sum to 1 */
} rv_weighted_layer;

/** Starts from {0}. */
typedef struct rv_layer_list {
    rv_weighted_layer *items;
    size_t n, capacity;
} rv_layer_list;

/** Parses "a,b" or "a:1,b:0.5"; a weight that is not given is 1.
 *  @param option  named in messages.
 *  @return RV_ERR_USAGE: an empty name, a layer given twice, a weight that is no number above 0. */
RV_NODISCARD rv_status rv_layer_list_parse(rv_layer_list *out, const char *text,
                                           const char *option);
void rv_layer_list_release(rv_layer_list *list);
/** The list as text that parses to the same one; freed with free(). */
RV_NODISCARD rv_status rv_layer_list_text(char **out, const rv_layer_list *list);

/** What style transfer takes from `model` where the options name nothing: of networks that are known,
 *  what looks best; of others, the first activation of each of up to five resolutions for the style
 *  and the second one of the last but one of these for the content, as with VGG.
 *  @param[out] content, style  lists as text; freed with free().
 *  @return RV_ERR_USAGE where the network has no activations to choose from. */
RV_NODISCARD rv_status rv_default_layers(char **content, char **style, const rv_model *model);

#endif
