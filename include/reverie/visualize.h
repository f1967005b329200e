/* Pictures that explain a network and how it came about. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_VISUALIZE_H
#define REVERIE_VISUALIZE_H

#include <reverie/features.h>
#include <reverie/filters.h>
#include <reverie/image.h>
#include <reverie/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Curves of a training: loss and accuracy of training and validation, and the learning rate, by epochs; where the run
 *  has a layers.csv, also the norm of the gradient and the update of the weights of each layer, and dead units.
 *  @param[out] out  900 x 960 pixels, and 320 more for each of the curves of layers.
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

/* --- heat maps: where a network sees a class --------------------------------------------------- */

typedef enum rv_heat_method {
    RV_HEAT_GRAD_CAM, /**< "grad-cam": maps of a layer, weighted by the means of their gradients */
    RV_HEAT_GRAD_CAM_PLUS, /**< "grad-cam++": by what of the gradients is above 0, so that several things
                                  of a class all show */
    RV_HEAT_SALIENCY,      /**< "saliency": the gradient at each pixel */
    RV_HEAT_SMOOTHGRAD, /**< "smoothgrad": its mean over pictures with noise */
    RV_HEAT_INTEGRATED, /**< "integrated": integrated gradients, from black to the picture */
    RV_HEAT_GUIDED,     /**< "guided": guided backpropagation */
    RV_HEAT_OCCLUSION,  /**< "occlusion": by how much a grey square lowers the score */
    RV_HEAT_METHODS
} rv_heat_method;

/** "grad-cam"; static. */
RV_API const char *rv_heat_method_name(rv_heat_method method);
/** @return RV_ERR_USAGE lists all names. */
RV_API RV_NODISCARD rv_status rv_heat_method_find(rv_heat_method *out, const char *name);

typedef struct rv_heatmaps_options {
    size_t struct_size;
    const char *
        layer; /**< whose maps Grad-CAM weights; NULL: the last that has some, before it is pooled */
    int samples; /**< smoothgrad: pictures with noise; 1 to 10000, default 32 */
    double
        noise; /**< smoothgrad: deviation of the noise, as a share of the range from the picture's
                               smallest value to its largest; above 0 to 10, default 0.15 */
    int steps; /**< integrated: pictures on the way from black, 1 to 10000; 0, the default: 64, and twice as many as often as
                     it takes till the values sum up to `difference` within 1 %, at most 1024 */
    int window; /**< occlusion: side of the square in pixels of what the network takes; 0: a sixth of the
                        shorter side */
    int stride; /**< occlusion: pixels from one square to the next; 0: a third of the side */
    int size; /**< longest side of overlays, in pixels, 32 to 8192; never more than the photo's; default
                        448 */
    uint32_t seed; /**< of the noise; default 0 */
    const rv_events *events;
} rv_heatmaps_options;
#define RV_HEATMAPS_OPTIONS_INIT                                           \
    {                                                                      \
        sizeof(rv_heatmaps_options), NULL, 32, 0.15, 0, 0, 0, 448, 0, NULL \
    }

/** A network on a device, asked about one picture after another. */
typedef struct rv_heatmaps rv_heatmaps;

/** Where one class is seen. Values are in units of the score, that is of what the network computes before softmax or
 *  sigmoid: Grad-CAM's weighted maps, gradients by 0..1 of a pixel, parts of the score, or what of it is lost. */
typedef struct rv_heat_map {
    rv_heat_method method;
    rv_prediction prediction; /**< of the class; its label is borrowed from the model */
    int width, height;        /**< of the layer, or of what the network takes */
    const float *data; /**< [H,W], row major; below 0 what speaks against the class; borrowed until
                                     the next picture */
    double
        difference; /**< integrated: score of the picture less that of a black one, which the sum of
                                     the values comes to but for the width of the steps; else NaN */
} rv_heat_map;

/** Uploads the weights. Warns where they are random: the maps then show the network's shape, not what it learned.
 *  @param model    must outlive *out.
 *  @param options  NULL for defaults; its events must outlive *out.
 *  @return RV_ERR_UNSUPPORTED: the network gives no class scores; RV_ERR_NOT_FOUND: no such layer; RV_ERR_USAGE: it has
 *          no maps, or an option is out of range. */
RV_API RV_NODISCARD rv_status rv_heatmaps_create(rv_heatmaps **out, const rv_model *model,
                                                 rv_device *device,
                                                 const rv_heatmaps_options *options);
RV_API void rv_heatmaps_destroy(rv_heatmaps *heatmaps);

/** Runs over the part of a picture that rv_features_run_image() takes; forgets the maps of the last. */
RV_API RV_NODISCARD rv_status rv_heatmaps_look(rv_heatmaps *heatmaps, const rv_image *image);
/** The k likeliest classes of that picture, as rv_classify() gives them, but made probabilities where the network leaves
 *  that to others. */
RV_API RV_NODISCARD rv_status rv_heatmaps_best(rv_prediction *out, size_t *n,
                                               const rv_heatmaps *heatmaps, size_t k);
/** A class by number, id or name, or by a part of its name that no other has.
 *  @return RV_ERR_USAGE: several classes match, which are named; RV_ERR_NOT_FOUND: none does. */
RV_API RV_NODISCARD rv_status rv_heatmaps_find(int *out, const rv_heatmaps *heatmaps,
                                               const char *text);

/** Adds a map for each class, in their order.
 *  @param classes  n of them.
 *  @return RV_ERR_USAGE: no picture was looked at, no such class, the network has no maps for Grad-CAM or no rectifiers
 *          for guided backpropagation, or a square is larger than the picture; RV_ERR_CANCELLED. */
RV_API RV_NODISCARD rv_status rv_heatmaps_compute(rv_heatmaps *heatmaps, rv_heat_method method,
                                                  const int *classes, size_t n);
RV_API size_t rv_heatmaps_count(const rv_heatmaps *heatmaps);
RV_API rv_heat_map rv_heatmaps_map(const rv_heatmaps *heatmaps, size_t index);
/** The layer that Grad-CAM takes, NULL where there is none; borrowed. */
RV_API const char *rv_heatmaps_layer(const rv_heatmaps *heatmaps);

/** The photo in grey with map `index` over it, from teal to yellow where values are above 0, the network's blind border
 *  darker. Noisy maps are drawn as means over small squares, and up to what only a hundredth exceeds.
 *  @param[out] out  3 channels, 8 bits; freed by the caller. */
RV_API RV_NODISCARD rv_status rv_heatmaps_overlay(rv_image **out, const rv_heatmaps *heatmaps,
                                                  size_t index);
/** The same at the size of the picture that was looked at.
 *  @param image  that picture. */
RV_API RV_NODISCARD rv_status rv_heatmaps_overlay_on(rv_image **out, const rv_heatmaps *heatmaps,
                                                     size_t index, const rv_image *image);
/** All maps as one sheet: a row for each call of rv_heatmaps_compute() with the photo, and overlays with names and
 *  probabilities below. */
RV_API RV_NODISCARD rv_status rv_heatmaps_sheet(rv_image **out, const rv_heatmaps *heatmaps);
/** Writes the maps of a method as a .npy file [classes,H,W], float32; complete or not at all.
 *  @return RV_ERR_USAGE: there are none, or `path` exists and `overwrite` is false. */
RV_API RV_NODISCARD rv_status rv_heatmaps_write(const rv_heatmaps *heatmaps, rv_heat_method method,
                                                const char *path, bool overwrite);

#ifdef __cplusplus
}
#endif
#endif
