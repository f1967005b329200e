/* One photo on its way through the scales: what the files of stylize share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STYLIZE_JOB_H
#define RV_STAGES_STYLIZE_JOB_H

#include "stages/objective.h"
#include "stages/stylize_mask.h"
#include "stages/stylize_options.h"
#include "stages/stylize_state.h"

struct rv_stylizer {
    rv_device *device;
    const rv_model *model;
    const rv_image *const *styles;
    int n_styles;
    double *shares;
    bool *clear;                     /**< which styles are transparent somewhere */
    rv_planar *planes;               /**< room for the styles at a scale */
    float **seen;                    /**< and for how much of each pixel of them is there, [H,W] */
    const rv_stylize_options *given; /**< may be NULL */
    rv_stylize_options options; /**< resolved for the present photo; the objective looks here */
    const rv_style_recipe *recipe;
    rv_objective *objective; /**< made for the first photo */
    bool scaled;             /**< it was said that a mask is scaled */
};

typedef struct rv_stylize_job {
    rv_stylizer *s;
    const rv_image *photo;
    bool unnoticed; /**< a try for an estimate: what is said of the picture is for the run itself */
    rv_schedule schedule;
    rv_planar picture;    /**< of the last scale that was run, without margin */
    rv_planar moments[2]; /**< that Adam left there, likewise; without data of other optimisers */
    double steps;         /**< that it has taken so far */
    rv_planar
        own; /**< the photo at the size of the last scale, where its colours are preserved; else no data */
    rv_colour_moments likeness; /**< of it, in light */
    rv_image *
        small; /**< the photo at the size of previews, where some of it stays; NULL: it has that size */
    bool unseen;  /**< it was said that there is no preview */
    double start; /**< rv_clock(), less what earlier runs took */
    double loss;
    int done[RV_MAX_SCALES]; /**< iterations of each scale */

    rv_stylize_masks masks;
    rv_stylize_regions regions; /**< of the present scale */

    const char *state; /**< file; NULL: none is kept */
    rv_stylize_request request;
    rv_stylize_state from; /**< where the run goes on */
    bool resumed;

    /* For the time that is left: work is pixels times iterations. */
    char task[48];
    int scale, margin, iterations; /**< of all scales */
    double work, work_done, scale_work, pixels;
    double scale_start; /**< after the first iteration, which compiles kernels; 0: none yet */
    double rate;        /**< seconds a work takes; 0: not known yet */
    double rehearsed;   /**< work of an iteration of the last scale, in a rehearsal */
} rv_stylize_job;

/** Size of the picture at a scale, without margin. */
void rv_stylize_fit(const rv_stylize_job *j, int scale, int *width, int *height);
/** Puts the photo's own chroma into a picture of the size of the last scale, where that is wanted. */
void rv_stylize_colour(const rv_stylize_job *j, rv_planar *picture);
/** Moves j->picture through one scale. RV_ERR_CANCELLED: it is the picture so far. */
RV_NODISCARD rv_status rv_stylize_run_scale(rv_stylize_job *j, int index);

/** Says once that there is no preview, by the last error: no reason to stop. */
void rv_stylize_miss_preview(rv_stylize_job *j);
/** Keeps a state; a failure is said, but no reason to stop. */
void rv_stylize_keep(rv_stylize_job *j, const rv_descent_state *descent);

/** One photo. @param[out] j  zeroed by the caller; without pictures on return. */
RV_NODISCARD rv_status rv_stylize_one(rv_image **out, rv_stylize_result *result, rv_stylize_job *j);

#endif
