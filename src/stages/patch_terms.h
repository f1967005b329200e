/* What an objective compares in the levels of a pyramid: filters learned from the style, colours, edges, lightness. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_PATCH_TERMS_H
#define RV_STAGES_PATCH_TERMS_H

#include "stages/colour_match.h"
#include "stages/objective.h"
#include "stages/patch_bank.h"
#include "stages/style_recipe.h"
#include "stages/term.h"

/** Nodes of a level, and their values. */
typedef struct rv_patch_level {
    rv_value picture;
    rv_value filters, colours;    /**< of the style */
    rv_value edges, lightness;    /**< of the photo */
    int filter_node, colour_node; /**< whose parameters the style sets */
} rv_patch_level;

/** Starts from {0}. */
typedef struct rv_patch_terms {
    rv_patch_level level[RV_LEVELS];
    int n_levels;
} rv_patch_terms;

/** Counts the levels that both the photo with its margin and all styles have, at most RV_LEVELS.
 *  @return RV_ERR_SHAPE where there are fewer than `least`, 0 or 1, or a style has no texture. */
RV_NODISCARD rv_status rv_patch_levels(int *n, const rv_scale *scale, int least);
/** Adds the nodes of some levels: those of a level have the same numbers however many follow. */
RV_NODISCARD rv_status rv_patch_terms_build(rv_patch_terms *p, rv_graph *graph, rv_value picture,
                                            int n_levels);
/** Learns a bank for each level from the styles of a scale. */
RV_NODISCARD rv_status rv_patch_terms_learn(rv_patch_bank *banks, const rv_patch_terms *p,
                                            const rv_term_source *source, const rv_scale *scale,
                                            uint32_t seed);
/** Writes the banks and the colours of the styles into the parameters of the nodes. */
RV_NODISCARD rv_status rv_patch_terms_write(const rv_patch_terms *p, const rv_term_source *source,
                                            const rv_patch_bank *banks,
                                            const rv_colour_moments *colours);
/** Adds the terms that the blend gives a weight. */
RV_NODISCARD rv_status rv_patch_terms_add(const rv_patch_terms *p, rv_terms *list,
                                          const rv_blend *blend, const rv_stylize_options *options);

#endif
