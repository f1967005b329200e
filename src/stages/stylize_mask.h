/* Where the styles go in a photo: its masks, those of the styles, and transparency. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STYLIZE_MASK_H
#define RV_STAGES_STYLIZE_MASK_H

#include "stages/mask.h"
#include "stages/picture.h"
#include "stages/region.h"
#include <reverie/stylize.h>

/** Styles of one mask share a region; those without one share what the others leave. Starts from {0}. */
typedef struct rv_stylize_masks {
    rv_mask whole;   /**< where styles may go */
    rv_mask visible; /**< alpha of the photo, where it is transparent somewhere */
    rv_mask *region; /**< n of them; white: see `rest` */
    int n;
    int rest;          /**< the region that has what the others leave; -1: the photo has it */
    int *of_style;     /**< region of each style */
    double *strengths; /**< of each region: the mean share of its styles over that of all */
    bool any;          /**< else all of the photo is styled alike */
} rv_stylize_masks;

/** @param shares  of n_styles styles.
 *  @return RV_ERR_FORMAT: a mask is black all over, or they and transparency leave nothing to style */
RV_NODISCARD rv_status rv_stylize_masks_create(rv_stylize_masks *out,
                                               const rv_stylize_options *options,
                                               const rv_image *photo, const double *shares,
                                               int n_styles);
void rv_stylize_masks_release(rv_stylize_masks *masks);

/** Regions at the size of a scale, and the memory of their planes. */
typedef struct rv_stylize_regions {
    rv_regions regions;
    float **planes;
    float *visible;
    int n;
} rv_stylize_regions;

/** Planes of width by height pixels and a mirrored margin; without masks none. */
RV_NODISCARD rv_status rv_stylize_regions_find(rv_stylize_regions *out,
                                               const rv_stylize_masks *masks, int width, int height,
                                               int margin);
void rv_stylize_regions_release(rv_stylize_regions *regions);
/** Where no style goes, a picture becomes the photo; both have the size of the planes. */
void rv_stylize_regions_restore(const rv_stylize_regions *regions, rv_planar *picture,
                                const rv_planar *photo);

/** Gives a picture of any size the photo's own pixels where no style goes, to the bit where they are not resized and have as
 *  many bits; mixes at soft edges. Fully transparent pixels are the photo's. */
RV_NODISCARD rv_status rv_stylize_masks_restore(const rv_stylize_masks *masks, rv_image *picture,
                                                rv_device *device, const rv_image *photo);

#endif
