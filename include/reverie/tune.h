/* Finds the fastest algorithm for each layer of a model on a device, and remembers it. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_TUNE_H
#define REVERIE_TUNE_H

#include <reverie/device.h>
#include <reverie/model.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the model is to be fast at. */
typedef enum rv_tune_purpose {
    RV_TUNE_STYLIZE, /**< forward and the gradient of a picture of size x size pixels */
    RV_TUNE_INFER,   /**< forward over a batch of the model's own size */
    RV_TUNE_TRAIN    /**< forward and the gradients of all weights over a batch of that size */
} rv_tune_purpose;

typedef struct rv_tune_options {
    size_t struct_size;
    rv_tune_purpose purpose;
    int size;  /**< pixels, for RV_TUNE_STYLIZE; 16 to 65535, default 512 */
    int batch; /**< pictures, for the others; 1 to 65536, default 1 */
    const rv_events *events;
} rv_tune_options;
#define RV_TUNE_OPTIONS_INIT                                   \
    {                                                          \
        sizeof(rv_tune_options), RV_TUNE_STYLIZE, 512, 1, NULL \
    }

/** One pass of a layer that can be run in more than one way. */
typedef struct rv_tune_row {
    char name[96];        /**< of the first layer of this shape */
    char pass[24];        /**< "forward", "backward_data", "backward_weights" */
    char before[32];      /**< the algorithm that is chosen by shape alone */
    char best[32];        /**< and the fastest */
    double ms_before, ms; /**< of one run: the best of three or more */
    int layers;           /**< of this shape */
    int candidates;       /**< algorithms that were tried */
} rv_tune_row;

/** Tries every algorithm that the layers offer for their shapes, on random data, and writes the fastest to the tuning
 *  table of this device in the cache; from then on all that runs on the device goes by it. Results stay the same from
 *  run to run, but another algorithm rounds in other ways. One whose results are wrong is left out with a warning.
 *  @param[out] out  n rows, freed with free().
 *  @return RV_ERR_CANCELLED: what was found till then is kept. RV_ERR_IO: there is no cache to write to. */
RV_API RV_NODISCARD rv_status rv_tune(rv_device *device, const rv_model *model, rv_tune_row **out,
                                      size_t *n, const rv_tune_options *options);

#ifdef __cplusplus
}
#endif
#endif
