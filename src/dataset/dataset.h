/* Labelled pictures: what there is, which of them are for training, and their pixels. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_DATASET_H
#define RV_DATASET_DATASET_H

#include <reverie/model.h>
#include <stddef.h>
#include <stdint.h>

/** Labelled pictures in an order that depends on names only. Does not change once open: threads may share it. */
typedef struct rv_dataset rv_dataset;

/** What a picture is for. */
typedef enum rv_subset { RV_SUBSET_TRAIN, RV_SUBSET_VALIDATION, RV_SUBSETS } rv_subset;

typedef struct rv_dataset_options {
    double
        validation; /**< share of the pictures that is held back where the set has no subset for it: of each
                            class, drawn by `seed`, and of IDX files the last ones; 0 to below 1 */
    uint32_t seed;
    rv_task task; /**< what lines of a list say behind a picture: its class, labels "cat;indoor", or
                         numbers "0.3;7"; the other kinds of sets have classes only */
    const char *const
        *classes; /**< NULL, or the names that class numbers stand for, as a model knows them */
    size_t n_classes;
    const rv_events *events;
} rv_dataset_options;

/** A picture as it is stored: rows of pixels, 1 (grey) or 3 (R,G,B) bytes each. */
typedef struct rv_sample {
    int width, height, channels;
    uint8_t *data; /**< freed by rv_sample_release() */
} rv_sample;

/** Opens a data set.
 *  @param path  a folder with a folder of pictures for each class; one with train/ and perhaps val/ that hold such;
 *               a .csv file with lines "picture,class" or "picture,class,train" (or val), paths relative to it; or a
 *               folder with IDX files as MNIST has, as they are or .gz.
 *  @return RV_ERR_NOT_FOUND, RV_ERR_FORMAT; RV_ERR_USAGE: no pictures, one class only, a class that `classes`
 *          lacks; another task than the set is for. */
RV_NODISCARD rv_status rv_dataset_open(rv_dataset **out, const char *path,
                                       const rv_dataset_options *options);
/** The same of pictures by their names alone, which need not be there: the folder that one is in is its class; if that
 *  is in a folder train or val, that is what the picture is for.
 *  @param path  for messages: where the names are from. @return RV_ERR_USAGE also: a name without a folder */
RV_NODISCARD rv_status rv_dataset_open_names(rv_dataset **out, const char *path,
                                             const char *const *names, size_t n,
                                             const rv_dataset_options *options);
void rv_dataset_close(rv_dataset *dataset);

rv_task rv_dataset_task(const rv_dataset *dataset);
/** Names: of classes, labels or quantities. */
int rv_dataset_class_count(const rv_dataset *dataset);
const char *rv_dataset_class(const rv_dataset *dataset, int index); /**< borrowed */
/** Channels of its pictures, and their size where all have the same, else 0. */
int rv_dataset_channels(const rv_dataset *dataset);
void rv_dataset_size(const rv_dataset *dataset, int *width, int *height);

/** Of the picture that is `index` in its subset, its number in the order in which the set has them. */
size_t rv_dataset_number(const rv_dataset *dataset, rv_subset subset, size_t index);
size_t rv_dataset_count(const rv_dataset *dataset, rv_subset subset);
int32_t rv_dataset_label(const rv_dataset *dataset, rv_subset subset, size_t index);
/** What is to be learned of a picture, a number for each name: 1 for each of its labels, 0 for the others, or its
 *  quantities; NULL where it has a class. Borrowed. */
const float *rv_dataset_targets(const rv_dataset *dataset, rv_subset subset, size_t index);
/** Hash of the names of classes and pictures, of what each is, and of what it is for; not of what pictures show. */
uint64_t rv_dataset_fingerprint(const rv_dataset *dataset);
/** Reads a picture. RV_ERR_FORMAT and the like name its file. */
RV_NODISCARD rv_status rv_dataset_read(rv_sample *out, const rv_dataset *dataset, rv_subset subset,
                                       size_t index);
void rv_sample_release(rv_sample *sample);

/** Makes a picture what a network takes: its middle of the right shape, resized (linear, antialiased), in planes of
 *  0..1; grey is made of colour and colour of grey where need be.
 *  @param[out] out  [channels,height,width]. */
RV_NODISCARD rv_status rv_sample_fit(float *out, const rv_sample *sample, int channels, int height,
                                     int width);

#endif
