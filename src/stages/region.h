/* Parts of a photo that take on styles of their own, at the size of a scale. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_REGION_H
#define RV_STAGES_REGION_H

/** {0} is one region all over. Planes are [H,W] of the photo with its margin, 0..1. */
typedef struct rv_regions {
    int n;
    const int *of_style;        /**< the region of each style; NULL: the first */
    const double *strengths;    /**< factors of their style's weight; NULL: 1 */
    const float *const *planes; /**< where each region lies; NULL: all over */
    const float *visible;       /**< what of the photo counts; NULL: all of it */
} rv_regions;

static inline int rv_region_count(const rv_regions *r)
{
    return r->n > 0 ? r->n : 1;
}

static inline int rv_region_of(const rv_regions *r, int style)
{
    return r->of_style != NULL ? r->of_style[style] : 0;
}

#endif
