/* What the files of augmentation share: the run, and pictures at the sizes that its jobs read. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_AUGMENT_H
#define RV_STAGES_AUGMENT_H

#include "dataset/augmenter.h"
#include "dataset/pictures.h"
#include "dataset/recipe.h"
#include "stages/manifest.h"

#include <pthread.h>
#include <reverie/augment.h>

typedef struct rv_augment_run {
    rv_device *device;
    const char *source; /**< borrowed */
    rv_augment_options options;
    rv_recipe recipe;
    rv_pictures pictures;
    char **stems; /**< of outputs, below the target; one for each picture */
    size_t *rank; /**< of each picture in a drawn order */
    rv_augmenter *augmenter;
} rv_augment_run;

/** Reads the recipe and lists the pictures; all but the augmenter. Released in any case. */
RV_NODISCARD rv_status rv_augment_prepare(rv_augment_run *run, rv_device *device,
                                          const char *source, const rv_augment_options *options);
void rv_augment_release(rv_augment_run *run);
/** How many copies of a picture are wanted. */
uint64_t rv_augment_copies(const rv_augment_run *run, size_t picture);
RV_NODISCARD rv_status rv_augment_read(rv_source *out, const rv_augment_run *run, size_t picture);

enum { RV_AUGMENT_LEVELS = 13 };

/** A picture, and its halves as far as they were needed. */
typedef struct rv_augment_levels {
    rv_source of[RV_AUGMENT_LEVELS];
} rv_augment_levels;

/** The level that suits a job, which is made to read it. */
const rv_source *rv_levels_get(rv_augment_levels *levels, rv_augment_job *job, rv_status *status);
void rv_levels_release(rv_augment_levels *levels);

#endif
