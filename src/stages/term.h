/* What an objective compares: values of the picture that moves, and what they are of other pictures. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_TERM_H
#define RV_STAGES_TERM_H

#include "graph/plan.h"
#include "stages/picture.h"
#include "stages/region.h"

/** What is compared of a map. */
typedef enum rv_statistic {
    RV_STATISTIC_NONE,       /**< the map itself */
    RV_STATISTIC_GRAM,       /**< products of its channels, the mean over all positions */
    RV_STATISTIC_MEANS,      /**< of its channels */
    RV_STATISTIC_DEVIATIONS, /**< means of its channels' squares, and of its channels */
    RV_STATISTIC_CLOUD       /**< products of its channels, and means */
} rv_statistic;

/** Values that a statistic consists of, at most. */
enum { RV_TERM_VALUES = 2 };

/** weight * mean((v - t)^2), v the statistic of a map and t its target; where `relative`, divided by mean(t^2), which
 *  makes it the share of the target that is missed. Of deviations and clouds weight times the op deviation_loss or
 *  wasserstein_loss, where `relative` divided by the mean square of the target's map. Their targets are mixed as what
 *  was measured, moments about 0: covariances of several pictures add up to no covariance of their mixture. */
typedef struct rv_term {
    char *name;   /**< of its loss, unlike that of any other node; owned by the list */
    rv_value map; /**< of the picture that moves */
    rv_statistic statistic;
    bool of_style; /**< t is measured on the styles and mixed by their shares, else on the photo */
    int region;    /**< whose styles these are */
    double weight; /**< above 0 */
    bool relative;
    double smallest; /**< mean(t^2) below which there is nothing to match: it counts as this */

    float *
        guide; /**< [H,W] of the map, mean square 1: what its positions are multiplied by; on the host; NULL: none */
    rv_value guide_input;
    int channels; /**< of the map, once there are values */
    int n_values;
    rv_value value[RV_TERM_VALUES]; /**< v, of the graph, once there are values */
    rv_value input[RV_TERM_VALUES]; /**< t, once there are losses */
    float *target;                  /**< on the host, value by value; NULL: nothing measured */
    size_t count;
} rv_term;

/** Starts from {0}. */
typedef struct rv_terms {
    rv_term *items;
    size_t n, capacity;
} rv_terms;

/** How to run a graph over a picture. */
typedef struct rv_term_source {
    rv_device *device;
    rv_graph *graph;
    rv_params *params;
    rv_value picture; /**< input of the graph, of the size that is measured */
    const rv_events *events;
    rv_term *const *guided; /**< terms whose guides are to be written, n_guided of them */
    int n_guided;
} rv_term_source;

/** Runs the graph over a picture of the size that it has now. Out: a plan from which `outputs` can be read, n of them, to
 *  be destroyed by the caller; NULL on failure. */
RV_NODISCARD rv_status rv_term_source_run(rv_plan **out, const rv_term_source *source,
                                          const rv_planar *picture, const rv_value *outputs, int n);

/** Copies a term, and names it "KIND OF"; one without weight is left out. */
RV_NODISCARD rv_status rv_terms_add(rv_terms *terms, const rv_term *term, const char *kind,
                                    const char *of);
/** Repeats each term of the styles for n regions. */
RV_NODISCARD rv_status rv_terms_split(rv_terms *terms, int n);
/** Gives each term the guide of its region, that of the photo what is visible, and multiplies its weight by the strength
 *  and by how much of the map that is: so each position in a region is drawn to its styles as if there were no other.
 *  A term whose region is empty loses its weight.
 *
 *  The guide is how much of what a position sees lies in the region, rv_coverage_find(), over its largest value: the
 *  smallest region has a guide, even if a position sees more than that. Positions at an edge, which see both sides, count
 *  for both, but little, since a statistic has the square of it. */
RV_NODISCARD rv_status rv_terms_guide(rv_terms *terms, const rv_graph *graph, rv_value picture,
                                      const rv_regions *regions);
/** Has the terms of the styles count only what is seen of the picture that the graph has the size of, until all is seen
 *  again. @param seen  [H,W], 0..1 */
RV_NODISCARD rv_status rv_terms_see(rv_terms *terms, const rv_graph *graph, rv_value picture,
                                    const float *seen);
void rv_terms_see_all(rv_terms *terms);
/** Adds what makes a value of each map. */
RV_NODISCARD rv_status rv_terms_add_values(rv_terms *terms, rv_graph *graph);
/** Runs the graph over a picture and adds `share` times what is there to the targets of all terms of the style
 *  in a region (-1: in all), or of all of the photo. */
RV_NODISCARD rv_status rv_terms_measure(rv_terms *terms, bool of_style, int region,
                                        const rv_term_source *source, const rv_planar *picture,
                                        double share);
/** Multiplies the weights of all terms of the photo. */
void rv_terms_weigh_photo(rv_terms *terms, double factor);
/** Multiplies what was measured for the terms of the style. */
void rv_terms_scale_style(rv_terms *terms, double share);
/** Adds a loss for each term that has a weight, its weight times `scale`, and an input for its target.
 *  @param[in,out] n  of losses, which have room for all. */
RV_NODISCARD rv_status rv_terms_add_losses(rv_terms *terms, rv_graph *graph, double scale,
                                           rv_value *losses, int *n);
/** Moves the targets to where a plan of the losses reads them. */
RV_NODISCARD rv_status rv_terms_write(rv_terms *terms, rv_device *device, rv_plan *plan);
/** Empties the list. */
void rv_terms_clear(rv_terms *terms);
void rv_terms_release(rv_terms *terms);

#endif
