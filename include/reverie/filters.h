/* Pictures of what the channels of a network look for. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_FILTERS_H
#define REVERIE_FILTERS_H

#include <reverie/device.h>
#include <reverie/image.h>
#include <reverie/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What rv_visualize_filters() lets a channel do. */
typedef enum rv_filter_direction {
    RV_FILTER_POSITIVE, /**< as much as can be: what it looks for */
    RV_FILTER_NEGATIVE, /**< as little as can be: what it takes for the opposite */
    RV_FILTER_BOTH      /**< a picture of each, side by side */
} rv_filter_direction;

/** How rv_visualize_filters() makes pictures. */
typedef struct rv_filters_options {
    size_t struct_size;
    int size; /**< of the pictures, in pixels, 2 to 2048; 0: 128, or where the layer is only reached with
                   pictures of the size that the network was made for, that; default 0 */
    int steps;                     /**< of Adam, 1 to 100000; default 256 */
    double learning_rate;          /**< of Adam, above 0; default 0.05 */
    rv_filter_direction direction; /**< default RV_FILTER_POSITIVE */
    int variants; /**< pictures of each channel, 1 to 16, from noise of their own; default 1 */
    double
        diversity; /**< how strongly variants are driven apart, 0 to 100: as a share of what the channel does, the
                           likeness of their Gram matrices counts against them; default 1 */
    double jitter; /**< pixels that pictures are shifted by at most before each step; default 8 */
    double
        scale; /**< share that they are made larger or smaller by at most, 0 to 0.5; default 0.1 */
    double rotate; /**< degrees that they are turned by at most; default 10 */
    int batch; /**< pictures that are worked on at a time, at least 1; where memory is short fewer are; default
                           64 */
    uint32_t seed; /**< of all that is drawn at random; default 0 */
    const rv_events *events;
    double *
        flops; /**< NULL, or adds the floating-point operations of the network in all steps: convolutions as
                          direct sums, a multiply-add as two */
    double *seconds; /**< NULL, or adds the seconds that the steps took */
} rv_filters_options;
#define RV_FILTERS_OPTIONS_INIT                                                                \
    {                                                                                          \
        sizeof(rv_filters_options), 0, 256, 0.05, RV_FILTER_POSITIVE, 1, 1, 8, 0.1, 10, 64, 0, \
            NULL, NULL, NULL                                                                   \
    }

/** Pictures that make channels of a layer do as much as they can, found from noise: sums of waves are moved by Adam, in
 *  colours that go together as in photos, and seen a little shifted, turned and scaled at each step (Olah et al. 2017).
 *  What is maximised is the mean over all places of what goes into the rectifier behind which the layer stands, where
 *  there is one: so a channel that is silent at first can start, and can go below 0. Below each picture stand its channel,
 *  with a minus where less is sought, what that mean has become, and the class where the layer has one for each channel.
 *  A channel gives the same picture whatever others are asked for, up to rounding, unless there are variants.
 *  @param[out] out  a sheet of 3 channels and 8 bits; freed by the caller. With RV_ERR_CANCELLED what there was till then, or
 *                   NULL.
 *  @param model     a network for colours with trained weights.
 *  @param layer     a node or top name.
 *  @param channels  n_channels of them, from 0; NULL: the first n_channels, or as many as there are.
 *  @param options   NULL for defaults.
 *  @return RV_ERR_NOT_FOUND: a layer, with the nearest, or a channel, with their number; RV_ERR_USAGE: weights drawn at
 *          random, or an option is out of range; RV_ERR_UNSUPPORTED: a network for grey pictures; RV_ERR_SHAPE: the layer
 *          cannot be reached with pictures of that size; RV_ERR_DEVICE_MEMORY; RV_ERR_CANCELLED. */
RV_API RV_NODISCARD rv_status rv_visualize_filters(rv_image **out, const rv_model *model,
                                                   rv_device *device, const char *layer,
                                                   const int *channels, size_t n_channels,
                                                   const rv_filters_options *options);

/** The kernels of the first convolution as they are: in red, green and blue where it looks at colours, grey being 0, the
 *  largest weight of each kernel as far from grey as can be; white being 0 with blue below and vermilion above where it
 *  looks at grey. Below each its channel and its largest weight.
 *  @param[out] out  a sheet of 3 channels and 8 bits; freed by the caller.
 *  @return RV_ERR_USAGE: weights drawn at random; RV_ERR_UNSUPPORTED: the network has no convolution of pictures. */
RV_API RV_NODISCARD rv_status rv_visualize_kernels(rv_image **out, const rv_model *model);

#ifdef __cplusplus
}
#endif
#endif
