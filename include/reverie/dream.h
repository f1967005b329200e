/* Dreams: photos in which a network sees more of what it looks for (Mordvintsev, Olah and Tyka 2015). */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_DREAM_H
#define REVERIE_DREAM_H

#include <reverie/stylize.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Settings; NULL or a negative number where so said stands for the default of the network. */
typedef struct rv_dream_options {
    size_t struct_size;
    /** What there is to be more of, as "conv4_2 + 2*conv5_1:17 - 0.1*tv"; docs/guide/dream.md says all of it. NULL: a
     *  layer by network, with a guide what the guide has in one */
    const char *maximize;
    const rv_image *guide; /**< of goals "guide:LAYER"; seen at up to 320 pixels; default NULL */
    const rv_image
        *mask; /**< white: to dream there, black: nowhere; stretched over the photo; default NULL */
    double strength; /**< factor of all steps, 0 to 100; default 1 */
    int size; /**< longest side in pixels, at least 16; never enlarges; 0: as the photo; default 0 */
    int octaves;         /**< sizes from coarse to fine, 1 to 16; negative: default */
    double octave_scale; /**< ratio of one size to the next, above 1 to 4; negative: default */
    int iterations;      /**< steps at each size; negative: default */
    double step; /**< mean change of a value by a step, in 1/255 of the range; negative: default */
    int jitter;  /**< pixels that the network's grid is shifted by at random; negative: default */
    double
        smooth; /**< share of the Laplacian pyramid in which the bands of the gradient become equally strong, 0 to
                          1; negative: default */
    double
        blur; /**< standard deviation in pixels of a Gaussian over the gradient; 0: none; negative: default */
    double
        colour; /**< share of the gradient that follows the colours of photos, 0 to 1; negative: default */
    double
        stretch; /**< 0: values are kept in range at each step; else percent of the values that the result may cut
                          off at either end after all steps, below 50: the others are brought back into range, lights
                          and shadows making room; negative: default */
    int tile; /**< pixels of a side beyond which a picture goes through the network in parts, at least 64; 0:
                          default (640) */
    uint32_t seed;  /**< of the shifts; default 0 */
    bool untrained; /**< take a network with weights drawn at random, too; default false */
    const rv_events *events;
    /** As of rv_stylize_options. */
    void (*preview)(void *payload, const rv_image *picture);
    void *preview_payload;
    double preview_seconds; /**< default 2 */
    int save_every; /**< steps of a size after which the state is kept; 0: only when cancelled; default 0 */
    bool resume; /**< go on from the state where it is there; default false */
    double
        time_limit; /**< as of rv_stylize_options: each size has its share; of a gallery each layer */
} rv_dream_options;
#define RV_DREAM_OPTIONS_INIT                                                                   \
    {                                                                                           \
        sizeof(rv_dream_options), NULL, NULL, NULL, 1.0, 0, -1, -1.0, -1, -1.0, -1, -1.0, -1.0, \
            -1.0, -1.0, 0, 0, false, NULL, NULL, NULL, 2.0, 0, false, 0.0                       \
    }

/** What came out beside the picture. */
typedef struct rv_dream_result {
    int iterations; /**< done, over all sizes */
    double value;   /**< of what is maximised, before the last step */
    double seconds; /**< of the whole call */
    double flops;   /**< of the network, for the pixels of the picture, forwards and backwards */
    double rate;    /**< seconds for each of these; 0: not known */
    int octaves;    /**< that were run: fewer than wished where the picture is small */
    char settings[1024]; /**< as of rv_stylize_result */
} rv_dream_result;

/** A network with what it is to maximise, for photo after photo. */
typedef struct rv_dreamer rv_dreamer;

/** @param model    must outlive *out, as must guide, mask and events of the options.
 *  @param options  NULL: defaults; copied.
 *  @return RV_ERR_USAGE: an option out of range, the expression with the character, a class name that matches several, a
 *          guide without a goal for it or the other way round, weights drawn at random; RV_ERR_NOT_FOUND: a layer, a
 *          channel or a class, with the nearest; RV_ERR_UNSUPPORTED: a network for grey pictures, one without class scores;
 *          RV_ERR_SHAPE: a guide that is too small. */
RV_API RV_NODISCARD rv_status rv_dreamer_create(rv_dreamer **out, rv_device *device,
                                                const rv_model *model,
                                                const rv_dream_options *options);
RV_API void rv_dreamer_destroy(rv_dreamer *dreamer); /**< NULL is fine */

/** Dreams over a photo. Alpha is kept, and where there is none nothing changes; 16 bits stay 16 bits; EXIF, XMP and the
 *  profile go along.
 *  @param[out] out     the picture; also set where the call was cancelled, to what there is.
 *  @param[out] result  may be NULL.
 *  @param state        as of rv_stylizer_run(); NULL: none.
 *  @return RV_ERR_SHAPE: the photo is too small for the network; RV_ERR_CANCELLED; RV_ERR_USAGE, RV_ERR_FORMAT: the state */
RV_API RV_NODISCARD rv_status rv_dreamer_run(rv_image **out, rv_dream_result *result,
                                             rv_dreamer *dreamer, const rv_image *photo,
                                             const char *state);
/** What rv_dreamer_run() would take: rehearsed, its speed measured within seconds. */
RV_API RV_NODISCARD rv_status rv_dreamer_foresee(rv_stylize_estimate *out, rv_dreamer *dreamer,
                                                 const rv_image *photo);

/** What the layers of a network dream of in a photo, on one sheet with their names, to choose from by eye: layers that join
 *  others where there are several, else activations; at most 24.
 *  @param[out] out     3 channels, 8 bits.
 *  @param[out] result  sums over all layers; may be NULL.
 *  @param options      as of rv_dreamer_create(), but for maximize, which must be NULL; a size of 0 stands for 256.
 *  @return what rv_dreamer_create() and rv_dreamer_run() say */
RV_API RV_NODISCARD rv_status rv_dream_gallery(rv_image **out, rv_dream_result *result,
                                               rv_device *device, const rv_model *model,
                                               const rv_image *photo,
                                               const rv_dream_options *options);

/** What rv_dream_gallery() would take, and the size of its sheet. A few steps are tried for each layer. */
RV_API RV_NODISCARD rv_status rv_dream_foresee_gallery(rv_stylize_estimate *out, rv_device *device,
                                                       const rv_model *model, const rv_image *photo,
                                                       const rv_dream_options *options);

/** A picture of the same size that shows its middle enlarged and turned, for the next frame of a film; beyond its edges
 *  it is mirrored. Alpha goes along, metadata do not.
 *  @param zoom     0.001 to 1000, 1: as it is
 *  @param degrees  counter-clockwise */
RV_API RV_NODISCARD rv_status rv_dream_zoom(rv_image **out, const rv_image *picture, double zoom,
                                            double degrees);
/** Moves the mean of each colour to that of the photo, and brings its standard deviation down to the photo's where it is
 *  larger: what each frame of a film begins with, or contrast would grow from one to the next. */
RV_API void rv_dream_level(rv_image *picture, const rv_image *photo);

#ifdef __cplusplus
}
#endif
#endif
