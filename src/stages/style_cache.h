/* What the styles give at a size, kept from photo to photo. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STYLE_CACHE_H
#define RV_STAGES_STYLE_CACHE_H

#include "stages/colour_match.h"
#include "stages/patch_bank.h"
#include "stages/term.h"

/** What the same styles give at the same size again. */
typedef struct rv_style_findings {
    int size, n_levels;         /**< of a scale, and of its pyramid */
    rv_colour_moments likeness; /**< that they were painted in; zero: in their own */
    rv_colour_moments colours;  /**< of all of them */
    rv_colour_moments *regions; /**< of the styles of each region */
    rv_patch_bank *banks;       /**< of each level */
    float **targets;            /**< of each term of the style, in their order */
    size_t *counts;             /**< floats of each target */
    size_t n_targets;
    bool known; /**< all of them were measured */
} rv_style_findings;

/** Sizes that are kept. Photos below the size that is asked for have scales of their own, and each takes megabytes. */
enum { RV_STYLE_SIZES = 32 };

/** Starts from {0}. */
typedef struct rv_style_cache {
    rv_style_findings items[RV_STYLE_SIZES];
    size_t n;
    size_t oldest; /**< once all are taken */
} rv_style_cache;

/** What is known of a size in these colours (NULL: their own); NULL: nothing. Borrowed until the next call of
 *  rv_style_cache_add(). */
rv_style_findings *rv_style_cache_find(rv_style_cache *cache, int size, int n_levels,
                                       const rv_colour_moments *likeness);
/** An entry for so many regions that is to become known; it takes the place of one that did not, else of the oldest where there
 * is no room. */
RV_NODISCARD rv_status rv_style_cache_add(rv_style_findings **out, rv_style_cache *cache, int size,
                                          int n_levels, int n_regions,
                                          const rv_colour_moments *likeness);
/** Copies targets that were measured, which makes the entry known, and back. */
RV_NODISCARD rv_status rv_style_findings_take(rv_style_findings *f, const rv_terms *terms);
RV_NODISCARD rv_status rv_style_findings_give(const rv_style_findings *f, rv_terms *terms);
void rv_style_cache_release(rv_style_cache *cache);

#endif
