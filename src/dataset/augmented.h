/* A stored picture augmented on its way into a batch: what is drawn for it, and the pixels that the device needs. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_AUGMENTED_H
#define RV_DATASET_AUGMENTED_H

#include "dataset/augmenter.h"
#include "dataset/dataset.h"
#include "dataset/recipe.h"

typedef struct rv_augmented {
    rv_source source; /**< released by rv_source_release() */
    rv_augment_job job;
} rv_augmented;

/** Draws by the recipe, then takes the middle of what that makes, resized to width x height: in all one resampling. */
RV_NODISCARD rv_status rv_augmented_draw(rv_augmented *out, const rv_sample *sample,
                                         const rv_recipe *recipe, rv_draw_key key, int width,
                                         int height);

/** Changes a job so that its result is the largest middle of that shape, resized; colours stay. */
void rv_augment_fit(rv_augment_job *job, int width, int height);

#endif
