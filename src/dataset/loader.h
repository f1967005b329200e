/* Batches of a data set, read ahead by threads of their own, in an order that a seed decides. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_LOADER_H
#define RV_DATASET_LOADER_H

#include "dataset/augmented.h"

#include <math.h>

/** Order of n pictures in an epoch: Fisher and Yates's shuffle by Philox(seed, a stream for each epoch). */
void rv_sampler_shuffle(uint32_t *order, size_t n, uint32_t seed, int64_t epoch);

typedef struct rv_loader rv_loader;

typedef struct rv_loader_options {
    rv_subset subset;
    int32_t batch;
    int32_t multiple; /**< an epoch that is shuffled has a multiple of so many batches; 0: 1 */
    int32_t channels, height, width; /**< that pictures are made */
    bool
        shuffle; /**< for training: another order each epoch, without what is left over at its end; else
                         all pictures in their order */
    const float *
        table; /**< NULL, or a row for each picture, which stands for it in batches: what a network made of
                             it before; a row that begins with NaN cannot be read */
    size_t table_floats; /**< of a row */
    const rv_recipe
        *recipe; /**< NULL, or batches are pictures to be augmented on the device, another way each
                                  epoch; it must outlive the loader */
    uint32_t seed;
    int threads; /**< that read; 0: by processors */
    bool
        strict; /**< a picture that cannot be read ends it; else, while shuffling, its neighbour takes its
                      place, and otherwise it is left out */
    const rv_events *events;
} rv_loader_options;

/** A batch; borrowed until the next call. */
typedef struct rv_batch {
    int64_t number;          /**< from 0, over all epochs */
    const float *pictures;   /**< [batch,channels,height,width], 0..1; NULL with a recipe; or rows
                                of the table */
    rv_augmented *augmented; /**< with a recipe: [batch], for rv_augmenter_run(); else NULL */
    const float
        *labels;     /**< [batch]: classes, or [batch,names] targets; NaN where there is no picture:
                              none is left, or it cannot be read */
    size_t n_labels; /**< of a picture */
    size_t n;        /**< pictures that there are */
} rv_batch;

/** Whether there is a picture at this place of the batch. */
static inline bool rv_batch_has(const rv_batch *b, size_t place)
{
    return !isnan(b->labels[place * b->n_labels]);
}

/** What rv_loader_create() checks. @return RV_ERR_USAGE: the batch is larger than the set */
RV_NODISCARD rv_status rv_loader_check(const rv_dataset *dataset, const rv_loader_options *options);
/** Starts at batch `first`. @return also as rv_loader_check() */
RV_NODISCARD rv_status rv_loader_create(rv_loader **out, const rv_dataset *dataset,
                                        const rv_loader_options *options, int64_t first);
void rv_loader_destroy(rv_loader *loader);

/** Batches in an epoch. */
int64_t rv_loader_batches(const rv_loader *loader);
/** The next batch. Without `shuffle` it ends: out->n is 0 behind the last. Says through events->log what could
 *  not be read. */
RV_NODISCARD rv_status rv_loader_next(rv_loader *loader, rv_batch *out);
/** Pictures that could not be read so far. */
size_t rv_loader_unreadable(const rv_loader *loader);

#endif
