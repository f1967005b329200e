/* Neural style transfer: a photo takes on the texture and colours of other pictures. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_STYLIZE_H
#define REVERIE_STYLIZE_H

#include <reverie/device.h>
#include <reverie/image.h>
#include <reverie/model.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum rv_stylize_init {
    RV_INIT_FROM_CONTENT,
    RV_INIT_FROM_STYLE,
    RV_INIT_FROM_NOISE,
    RV_INIT_FROM_IMAGE /**< options.init_image */
} rv_stylize_init;

typedef enum rv_optimizer {
    RV_OPTIMIZER_DEFAULT,
    RV_OPTIMIZER_LBFGS,
    RV_OPTIMIZER_ADAM
} rv_optimizer;

/** A table of defaults; each option that is given takes the place of one. */
typedef enum rv_preset {
    RV_PRESET_DEFAULT,
    RV_PRESET_FAST, /**< the same at half of options.size, enlarged as by output_size: a quarter of the time */
    RV_PRESET_GATYS, /**< the recipe of Gatys, Ecker and Bethge 2016, of a network only */
    RV_PRESET_BEST   /**< the default with more steps, for patient people */
} rv_preset;

/** What becomes of the photo's colours. */
typedef enum rv_preserve_color {
    RV_PRESERVE_NONE, /**< they give way to those of the styles, but for the preset gatys, which mixes them */
    RV_PRESERVE_LUMINANCE, /**< each place keeps its own: the result gives but its luminance */
    RV_PRESERVE_MATCH /**< they are dealt out anew: the styles are painted in the colours of the photo before
                                anything else, by means and covariances of linear light */
} rv_preserve_color;

/** What is compared of a layer that sees the style. */
typedef enum rv_style_loss {
    RV_STYLE_LOSS_DEFAULT,
    RV_STYLE_LOSS_GRAM,          /**< products of all pairs of channels (Gatys et al. 2016) */
    RV_STYLE_LOSS_MEAN_VARIANCE, /**< mean and standard deviation of each channel (Li et al. 2017) */
    RV_STYLE_LOSS_WASSERSTEIN    /**< means and covariances, by the Wasserstein-2 distance of normal
                                      distributions */
} rv_style_loss;

/** The pooling that goes with a preset: for rv_model_options.pooling. */
RV_API rv_pooling rv_preset_pooling(rv_preset preset);
/** The longest side that goes with it, for options.size: 512, of the best preset 1024. */
RV_API int rv_preset_size(rv_preset preset);

/** Settings; a negative number or NULL where so said stands for the default of preset and model. */
typedef struct rv_stylize_options {
    size_t struct_size;
    double content_weight;      /**< >= 0; negative: default (1; gatys 5) */
    double style_weight;        /**< >= 0; negative: default (1; gatys 100) */
    double tv_weight;           /**< total variation, >= 0; negative: default (0; gatys 0.001) */
    const char *content_layers; /**< "relu4_2" or "a:1,b:0.5"; NULL: default of the network; not for
                                     patches */
    const char *style_layers;   /**< likewise */
    int size;             /**< longest side in pixels, at least 16; never enlarges; default 512 */
    rv_stylize_init init; /**< default RV_INIT_FROM_CONTENT */
    const rv_image *init_image; /**< resized to fit; NULL unless RV_INIT_FROM_IMAGE */
    int iterations;             /**< of the last scale; 0: default; earlier scales take more */
    rv_optimizer optimizer;     /**< default: L-BFGS */
    double learning_rate; /**< > 0, in units of the picture's range 0 to 1 for Adam, step length
                                     for L-BFGS; 0: default */
    int scales;           /**< coarse to fine, 1 to 8; 0: by size */
    uint32_t seed;        /**< of everything drawn at random; default 0 */
    const rv_events *events;
    int output_size; /**< longest side of the result, which shows the photo's own fine detail where that
                          is more than `size`; 0: as `size`; RV_OUTPUT_PHOTO: as the photo; default 0 */
    double detail;    /**< share of that detail, 0 to 1; default 1 */
    rv_preset preset; /**< default RV_PRESET_DEFAULT */
    double
        time_limit; /**< seconds in which the picture is to be there: the iterations end early for it, each
                         scale having its share of the time; 0: none; default 0 */
    /** Takes the picture so far, of `size` and 8 bits, after the first iteration and then every preview_seconds;
     *  borrowed. Default NULL. */
    void (*preview)(void *payload, const rv_image *picture);
    void *preview_payload;
    double preview_seconds; /**< default 2 */
    /* Where rv_stylizer_run() has a file for the state: */
    int save_every; /**< iterations of a scale after which it is kept; 0: only when the run is
                         cancelled; default 0 */
    bool resume;    /**< go on from that file where it is there; default false */
    double
        strength; /**< of the style, 0 to 1; 0: the photo, 0.5, the default: the weights as they are, 1: as much as
                          still leaves something of the photo */
    double
        style_scale; /**< size of the styles' strokes beside those of a style as large as the picture, 0.1 to 10; where a
                             style has too few pixels for more, its strokes are as large as it has them, which is
                             logged; default 1 */
    rv_preserve_color preserve_color; /**< default RV_PRESERVE_NONE */
    /* Masks, white where a style goes, with soft edges where grey; their alpha where they are transparent, else their
     * lightness; of any size, stretched over the photo; read anew for each photo, so that they may be others then. */
    const rv_image *
        mask; /**< where the photo is styled, the rest staying as it is; NULL: all over; default NULL */
    const rv_image *const *
        style_masks; /**< of each style, where it goes; NULL: where the others leave room; styles with
                                             one and the same mask are mixed there; NULL: none has one; default NULL */
    rv_style_loss
        style_loss; /**< of a network's layers, not of patches; default: Gram; best Wasserstein */
    double
        feather; /**< width of the edges of masks in pixels of the photo, which are softened for that; 0 to 10000; 0: as
                         they are; default 0 */
} rv_stylize_options;

/** An output_size: that of the photo. */
enum { RV_OUTPUT_PHOTO = -1 };

#define RV_STYLIZE_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(rv_stylize_options), -1.0, -1.0, -1.0, NULL, NULL, 512, RV_INIT_FROM_CONTENT, NULL, \
            0, RV_OPTIMIZER_DEFAULT, 0.0, 0, 0, NULL, 0, 1.0, RV_PRESET_DEFAULT, 0.0, NULL, NULL,  \
            2.0, 0, false, 0.5, 1.0, RV_PRESERVE_NONE, NULL, NULL, RV_STYLE_LOSS_DEFAULT, 0.0      \
    }

/** What came out beside the picture. */
typedef struct rv_stylize_result {
    int iterations; /**< done, over all scales */
    double loss;    /**< of the last scale, at the end */
    double seconds; /**< of the whole call */
    double rate;    /**< seconds that an iteration took for each pixel; 0: not known */
    int styled_width,
        styled_height;   /**< what the model saw: the picture itself, unless it was enlarged */
    char settings[1024]; /**< the options that shaped the picture, defaults resolved: "key=value"
                                pairs for rv_image_write_options.settings; cut off where they are longer */
} rv_stylize_result;

/** Moves the pixels of `photo` until its features match those of the styles.
 *  With a network: Gatys, Ecker and Bethge 2016; with patches: after Ustyuzhaninov et al. 2016.
 *  Alpha of the photo is kept, and what is fully transparent is neither styled nor counted; 16 bits stay 16 bits; EXIF and
 *  XMP go along.
 *  @param[out] out       the picture; also set, to the best so far, where the call was cancelled.
 *  @param[out] result    may be NULL.
 *  @param model          a network, or one of kind RV_MODEL_PATCHES.
 *  @param styles         n_styles >= 1 pictures.
 *  @param style_weights  share of each, > 0; NULL: all alike; only their ratios matter. Where they go to different
 *                        places, how strong each is in its own.
 *  @param options        NULL: defaults.
 *  @return RV_ERR_USAGE: an option out of range; RV_ERR_FORMAT: masks, or transparency, leave nothing
 *          to style; RV_ERR_NOT_FOUND: a layer; RV_ERR_UNSUPPORTED: a network for grey pictures; RV_ERR_SHAPE: the
 *          size, or a style, is too small; RV_ERR_CANCELLED: a callback asked to stop, *out holds the picture so far,
 *          NULL before the first iteration;
 *          RV_ERR_DEVICE_MEMORY: --size is too large for this device. */
RV_API RV_NODISCARD rv_status rv_stylize(rv_image **out, rv_stylize_result *result,
                                         rv_device *device, const rv_model *model,
                                         const rv_image *photo, const rv_image *const *styles,
                                         const double *style_weights, int n_styles,
                                         const rv_stylize_options *options);

/** Whether a mask leaves anything to style. @return RV_ERR_FORMAT: it is black all over */
RV_API RV_NODISCARD rv_status rv_stylize_mask_check(const rv_image *mask);

/** Many photos in the style of the same pictures: the model is made ready once, and what it finds in the styles is kept
 *  from photo to photo. */
typedef struct rv_stylizer rv_stylizer;

/** Parameters and errors are those of rv_stylize(); all of them outlive *out. */
RV_API RV_NODISCARD rv_status rv_stylizer_create(rv_stylizer **out, rv_device *device,
                                                 const rv_model *model,
                                                 const rv_image *const *styles,
                                                 const double *style_weights, int n_styles,
                                                 const rv_stylize_options *options);
RV_API void rv_stylizer_destroy(rv_stylizer *stylizer); /**< NULL is fine */

/** Styles one photo as rv_stylize() does.
 *  @param state  a file that keeps where the run is, so that another one, with options.resume, goes on there and gives
 *                the same picture to the byte, as if there had been one run. It is written when the call is cancelled,
 *                and with options.save_every; whoever has written the picture removes it. That other run may have
 *                another strength, other weights of content, style and variation, output_size and detail. NULL: none.
 *  @return also RV_ERR_USAGE: the state was left by a run with other options or pictures; RV_ERR_FORMAT: it is
 *          damaged. That it cannot be written is a warning. */
RV_API RV_NODISCARD rv_status rv_stylizer_run(rv_image **out, rv_stylize_result *result,
                                              rv_stylizer *stylizer, const rv_image *photo,
                                              const char *state);

/** A sheet to choose from: one photo in each style alone, a row for each, at several strengths, a column for each, with
 *  labels. It is small where options.size is; time_limit is that of all of it, no state is kept, and output_size and
 *  preview are left out.
 *  Parameters and errors are those of rv_stylize(), and:
 *  @param[out] out       3 channels, 8 bits; also set, with the cells that are done, if there are any, where the call was
 *                        cancelled.
 *  @param[out] result    of all cells; its settings name the strengths; may be NULL.
 *  @param names          of the styles, for the labels.
 *  @param strengths      n_strengths of them, 0 to 1; NULL: 0.25, 0.5, 0.75 and 1. */
RV_API RV_NODISCARD rv_status rv_stylize_sheet(rv_image **out, rv_stylize_result *result,
                                               rv_device *device, const rv_model *model,
                                               const rv_image *photo, const rv_image *const *styles,
                                               const char *const *names, int n_styles,
                                               const double *strengths, int n_strengths,
                                               const rv_stylize_options *options);

/** What a call of rv_stylize() would take. */
typedef struct rv_stylize_estimate {
    int width, height; /**< of the result */
    double seconds;    /**< from a short measurement: it varies with what else the machine does */
    uint64_t device_bytes; /**< largest sum of device buffers */
    uint64_t
        process_bytes; /**< largest resident set of the process, device buffers included where the
                                 device is a processor */
} rv_stylize_estimate;

/** Rehearses rv_stylize(), without the memory and the work that it would take, and runs a few iterations
 *  at up to 384 pixels to see how fast the device is.
 *  Parameters and errors are those of rv_stylize(); RV_ERR_DEVICE_MEMORY says how much is needed. */
RV_API RV_NODISCARD rv_status rv_stylize_foresee(rv_stylize_estimate *out, rv_device *device,
                                                 const rv_model *model, const rv_image *photo,
                                                 const rv_image *const *styles,
                                                 const double *style_weights, int n_styles,
                                                 const rv_stylize_options *options);

/** The same for rv_stylize_sheet(). */
RV_API RV_NODISCARD rv_status rv_stylize_foresee_sheet(rv_stylize_estimate *out, rv_device *device,
                                                       const rv_model *model, const rv_image *photo,
                                                       const rv_image *const *styles, int n_styles,
                                                       const double *strengths, int n_strengths,
                                                       const rv_stylize_options *options);

/** The same as rv_stylize_foresee() by the speed of a call that was made, for other options: nothing is run.
 *  @param made  its rate is known, above 0. */
RV_API RV_NODISCARD rv_status rv_stylize_foresee_after(rv_stylize_estimate *out, rv_device *device,
                                                       const rv_model *model, const rv_image *photo,
                                                       const rv_image *const *styles,
                                                       const double *style_weights, int n_styles,
                                                       const rv_stylize_options *options,
                                                       const rv_stylize_result *made);

#ifdef __cplusplus
}
#endif
#endif
