/* Makes augmented pictures on a device: sources in host memory to results in host memory or a buffer. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_DATASET_AUGMENTER_H
#define RV_DATASET_AUGMENTER_H

#include "base/cl_host.h"
#include "device/device.h"

#include "augment.clh"

#include <reverie/image.h>

/** A picture as the kernels read it: rows of R,G,B, 8 bits, and two bytes more. */
typedef struct rv_source {
    int width, height;
    uint8_t *rgb;    /**< freed by rv_source_release() */
    float mean_grey; /**< 0..1, weights 0.299, 0.587, 0.114 */
} rv_source;

RV_NODISCARD rv_status rv_source_create(rv_source *out, int width, int height);
/** Sets mean_grey of what `rgb` holds. */
void rv_source_measure(rv_source *source);
/** 8 bits of any picture; what is transparent becomes white. */
RV_NODISCARD rv_status rv_source_from_image(rv_source *out, const rv_image *image);
/** Half the width and height (rounded down, at least 1): means of two by two pixels. */
RV_NODISCARD rv_status rv_source_halve(rv_source *out, const rv_source *in);
void rv_source_release(rv_source *source);

/** How often the source of a job is to be halved so that bilinear sampling leaves nothing out. */
int rv_augment_halvings(const rv_augment_job *job);
/** Makes the job read `source`, which is the picture that it was drawn for, halved so often. */
void rv_augment_set_source(rv_augment_job *job, const rv_source *source, int halvings);

typedef struct rv_augmenter rv_augmenter;

/** What results are. */
typedef enum rv_augment_form {
    RV_AUGMENT_BYTES,  /**< bytes R,G,B side by side */
    RV_AUGMENT_COLOUR, /**< floats 0..1 in planes R, G, B */
    RV_AUGMENT_GREY    /**< floats 0..1 in one plane; noise is added to the grey */
} rv_augment_form;

RV_NODISCARD rv_status rv_augmenter_create(rv_augmenter **out, rv_device *device,
                                           rv_augment_form form);
void rv_augmenter_destroy(rv_augmenter *augmenter);

/** Values of the result of a job in colour: width * height * 3. */
size_t rv_augment_values(const rv_augment_job *job);

/** Makes n pictures, one behind the other, and leaves them on the device.
 *  @param sources  of each job; jobs with the same one stand side by side.
 *  @param jobs     where they read and write is filled in.
 *  @param results  NULL: a buffer of the augmenter, good until the next run; else one that holds all. */
RV_NODISCARD rv_status rv_augmenter_run(rv_augmenter *augmenter, const rv_source *const *sources,
                                        rv_augment_job *jobs, size_t n, rv_buffer *results);
/** Waits, and copies the results of the last run. */
RV_NODISCARD rv_status rv_augmenter_read(rv_augmenter *augmenter, void *out, size_t bytes);

#endif
