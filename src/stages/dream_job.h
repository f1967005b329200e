/* One photo on its way through the octaves of a dream: what the files of dream share. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_DREAM_JOB_H
#define RV_STAGES_DREAM_JOB_H

#include "stages/dream_options.h"
#include "stages/dream_tiles.h"
#include "stages/maximize.h"
#include "stages/stylize_state.h"

struct rv_dreamer {
    rv_device *device;
    const rv_model *model;
    rv_dream_options options; /* resolved */
    rv_goals goals;
    rv_maximizer *maximizer;
    bool wished_octaves; /* their number was given */
    bool said_fewer;     /* octaves than wished */
};

typedef struct rv_dream_job {
    rv_dreamer *d;
    rv_dream_options options; /* those of the dreamer, or of a try */
    const rv_image *photo;
    bool one_octave; /* a try of the speed */
    int n;           /* octaves, coarse to fine */
    int width[RV_MAX_OCTAVES], height[RV_MAX_OCTAVES];

    int octave;
    rv_planar picture; /* as far as it is, of the present octave or the one before */
    int done;          /* steps of the present octave */
    int iterations;    /* of all octaves */
    double value;
    double start; /* rv_clock(), less what earlier runs took */
    double shown; /* rv_clock() of the last preview */

    const char *state; /* file; NULL: none is kept */
    rv_stylize_request request;
    rv_stylize_state from; /* where the run goes on */

    char task[48];
    double flops;     /* of the network so far, for the pixels of the picture */
    double all_flops; /* of the present octave and those to come, and of those that were */
    double step_flops;
    double timed, timed_flops; /* seconds and operations of steps after the first of each octave */
    double step_device, timed_device; /* the same with what tiles see twice */
    double device_flops;              /* of all steps so far, with what tiles see twice */
} rv_dream_job;

/** Moves j->picture through one octave. RV_ERR_CANCELLED: it is the picture so far. */
RV_NODISCARD rv_status rv_dream_run_octave(rv_dream_job *j, int octave);
/** Keeps where the run is; a failure is said, but no reason to stop. `begun`: the present octave has steps behind it. */
void rv_dream_keep(rv_dream_job *j, bool begun);
/** How much of each step a pixel takes, by the mask and by the photo's alpha: [height,width], 0..1, freed with free();
 *  NULL: all of it. */
RV_NODISCARD rv_status rv_dream_share(float **out, const rv_dream_job *j, int width, int height);
/** Brings values beyond 0..1 back, but for `percent` of them at either end, which are cut off: the middle of the range
 *  stays as it is, and the ends make room. Pixels take their share [H,W] of that, NULL: all. */
RV_NODISCARD rv_status rv_dream_bring_back(rv_planar *picture, const float *share, double percent);
/** The picture as an image of the size of the last octave, with what the photo has beside its colours. */
RV_NODISCARD rv_status rv_dream_image(rv_image **out, const rv_dream_job *j);

/** One photo. @param[out] j  zeroed by the caller but for d, options, photo and state; without pictures on return. */
RV_NODISCARD rv_status rv_dream_one(rv_image **out, rv_dream_result *result, rv_dream_job *j);

#endif
