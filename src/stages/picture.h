/* Pictures on their way between files and networks: samples to planes of floats, resized, and back. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_PICTURE_H
#define RV_STAGES_PICTURE_H

#include "graph/plan.h"
#include <reverie/image.h>

/** A picture in host memory: [3,H,W], R,G,B, sRGB-encoded, 0..1. */
typedef struct rv_planar {
    int width, height;
    float *data;
} rv_planar;

/** A part of a picture in pixels; borders may lie between two of them. */
typedef struct rv_part {
    double left, top, width, height;
} rv_part;

RV_NODISCARD rv_status rv_planar_create(rv_planar *out, int width, int height);
void rv_planar_release(rv_planar *planar);
size_t rv_planar_floats(const rv_planar *planar);

/** Makes *width and *height fit in `size` by `size`, keeping their ratio: never larger than they were, at
 *  least 1. */
void rv_picture_fit(int *width, int *height, int size);
/** The largest part of a picture that has the ratio of width to height, in its middle. */
rv_part rv_picture_middle(const rv_image *image, int width, int height);

/** Samples to planes at another size: Lanczos-3 on the device, antialiased, in linear light, colours
 *  weighted by alpha. Pixels without any alpha get the mean colour of the rest, so that they bring no edge of their own.
 *  @param[out] out    released with rv_planar_release(); its data is NULL on failure.
 *  @param[out] alpha  [H,W], 0..1, freed with free(); *alpha is NULL where the picture has none; may
 *                     be NULL itself.
 *  @param part        of the picture; NULL: all of it. */
RV_NODISCARD rv_status rv_picture_planes(rv_planar *out, float **alpha, rv_device *device,
                                         const rv_image *image, const rv_part *part, int width,
                                         int height);

/** What resized the last picture, kept for others of the same sizes; starts from {0}. */
typedef struct rv_resizer {
    rv_graph *graph;
    rv_plan *plan; /**< NULL: none yet */
    rv_value in, out;
    rv_shape from, to;
    rv_part window; /**< of `from` */
} rv_resizer;
void rv_resizer_release(rv_resizer *resizer);

/** rv_picture_planes() for one picture after another, with the same results; without alpha. */
RV_NODISCARD rv_status rv_picture_planes_by(rv_planar *out, rv_resizer *resizer, rv_device *device,
                                            const rv_image *image, const rv_part *part, int width,
                                            int height);

/** Planes to samples of 8 or 16 bits: clamped to 0..1, rounded to the nearest.
 *  @param alpha  [H,W], 0..1, makes 4 channels; NULL: 3 channels. */
RV_NODISCARD rv_status rv_picture_image(rv_image **out, const rv_planar *planar, const float *alpha,
                                        int bits);

/** Planes at another size, without leaving sRGB: for what goes on being optimised. Clamped. */
RV_NODISCARD rv_status rv_planar_resize(rv_planar *out, rv_device *device, const rv_planar *in,
                                        int width, int height);
/** The same of any numbers, by a filter of the op resize, not clamped. */
RV_NODISCARD rv_status rv_planar_resize_by(rv_planar *out, rv_device *device, const rv_planar *in,
                                           int width, int height, const char *filter);
/** Index of the pixel of n that a mirror at both ends shows at i, of any sign; n - 1 pixels on, it shows the other end. */
int rv_mirrored(int i, int n);
/** A plane [height,width] with a border of `margin` pixels that mirrors it. */
void rv_plane_pad(float *out, const float *in, int width, int height, int margin);
/** With a border of `margin` pixels that mirrors the picture (as often as it takes), and without. */
RV_NODISCARD rv_status rv_planar_pad(rv_planar *out, const rv_planar *in, int margin);
RV_NODISCARD rv_status rv_planar_crop(rv_planar *out, const rv_planar *in, int margin);

/** rv_picture_planes() with at most `limit` floats of the photo on the device at a time: more goes
 *  there strip by strip. */
RV_NODISCARD rv_status rv_picture_planes_within(rv_planar *out, float **alpha, rv_device *device,
                                                const rv_image *image, const rv_part *part,
                                                int width, int height, size_t limit);

#endif
