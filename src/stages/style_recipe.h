/* Recipes of stylize: what a preset sets where the options leave it open, and the weights behind it. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STYLE_RECIPE_H
#define RV_STAGES_STYLE_RECIPE_H

#include <reverie/stylize.h>
#include <stdbool.h>

/** Levels of the pyramid that patches are seen in. */
enum { RV_LEVELS = 5 };

/** How much each term counts. Of the levels the finest comes first. */
typedef struct rv_blend {
    bool match_style; /**< the photo takes on the styles' colours before all else */
    int margin;       /**< pixels of mirrored picture around it, at least, cut off at the end */
    int margin_part;  /**< and at least the size divided by it; 0: no matter */

    bool
        absolute; /**< losses as neural-style has them: each layer's mean square error as it is, Gram matrices divided
                      by channels and pixels, total variation half the sum of squares of all pixels, values from 0 to
                      255; else each is the share of its target that is missed */

    double scale;                /**< of all losses: one near 1 suits the first steps of L-BFGS */
    double range_weight;         /**< on what leaves 0..1, for L-BFGS, which knows no box */
    double content_layers;       /**< all layers that see the photo, times content_weight */
    double style_layers;         /**< all layers that see the style, times style_weight */
    double patches[RV_LEVELS];   /**< filters and colours of the style, times style_weight */
    double edges[RV_LEVELS];     /**< of the photo, times content_weight */
    double lightness[RV_LEVELS]; /**< of the photo, times content_weight */
} rv_blend;

/** A row for a preset and a kind of model. */
typedef struct rv_style_recipe {
    rv_preset preset;
    rv_model_kind kind;
    const rv_blend *blend;

    /* Options take their place. */
    double content_weight, style_weight, tv_weight;
    rv_optimizer optimizer;
    int iterations; /**< of the last scale */

    double growth;            /**< share of iterations that each halving of the size adds */
    int history;              /**< of L-BFGS */
    bool plain_steps;         /**< L-BFGS without a line search, as Torch's */
    int scales;               /**< 0: by size */
    rv_style_loss style_loss; /**< of a network */
    bool halved; /**< works at half the size, and enlarges with the photo's own detail */
} rv_style_recipe;

/** @return RV_ERR_USAGE where the preset is none, or not one for this model. */
RV_NODISCARD rv_status rv_style_recipe_find(const rv_style_recipe **out, rv_preset preset,
                                            const rv_model *model);
/** "default" */
const char *rv_preset_name(rv_preset preset);
/** Pixels around the picture of a scale. */
int rv_style_recipe_margin(const rv_style_recipe *recipe, int size);

#endif
