/* Pictures that explain a network and how it came about. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_VISUALIZE_H
#define REVERIE_VISUALIZE_H

#include <reverie/features.h>
#include <reverie/image.h>
#include <reverie/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Curves of a training: loss and accuracy of training and validation, and the learning rate, by epochs.
 *  @param[out] out  900 x 960 pixels.
 *  @param run       folder of rv_train(), which may still be at work.
 *  @return RV_ERR_NOT_FOUND: there is no metrics.csv in it; RV_ERR_FORMAT: with the line; RV_ERR_USAGE: no epoch has
 *          ended yet. */
RV_API RV_NODISCARD rv_status rv_visualize_training(rv_image **out, const char *run);
/** The losses of a search for a learning rate, and where they fall most steeply.
 *  @param[out] out   900 x 480 pixels.
 *  @param points     n of them, as rv_find_learning_rate() gives them, which also gives `suggestion`. */
RV_API RV_NODISCARD rv_status rv_visualize_rates(rv_image **out, const rv_rate_point *points,
                                                 size_t n, double suggestion);

/** How rv_visualize_activations() draws. */
typedef struct rv_activations_options {
    size_t struct_size;
    int channels; /**< of each layer as many, those of the largest mean of absolute values first; 0: all, in
                         their order; default 32 */
    int tile; /**< maps are enlarged by whole numbers to about so many pixels, 8 to 1024; larger ones
                         stay as they are; default 64 */
    size_t picture; /**< which one of the batch of the last run; default 0 */
    bool
        one_scale; /**< a colour means the same value in all maps of a layer, so that they can be compared; default
                         false: the largest value of each map has the strongest colour, so that each can be read */
} rv_activations_options;
#define RV_ACTIVATIONS_OPTIONS_INIT                      \
    {                                                    \
        sizeof(rv_activations_options), 32, 64, 0, false \
    }

/** What channels of layers made of a picture: for each layer a grid of its maps, with channel and largest absolute value
 *  below each, one grid below the other. Colours are those of viridis, from 0 (dark) to the largest value (light); in
 *  layers with values below 0 white stands for 0, blue for less and vermilion for more. People who see red and green
 *  alike can read both.
 *  @param[out] out   3 channels, 8 bits; freed by the caller.
 *  @param features   after a run.
 *  @param first, n   layers `first` to `first` + n - 1, in the order of creation; n at least 1.
 *  @param options    NULL for defaults.
 *  @return RV_ERR_USAGE: nothing was run, there are not so many layers or pictures, or an option is out of range;
 *          RV_ERR_MEMORY: the sheet would be larger than pictures can be. */
RV_API RV_NODISCARD rv_status rv_visualize_activations(rv_image **out, const rv_features *features,
                                                       size_t first, size_t n,
                                                       const rv_activations_options *options);

#ifdef __cplusplus
}
#endif
#endif
