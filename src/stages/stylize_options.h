/* What rv_stylize() was asked for, checked, with every default in its place. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STYLIZE_OPTIONS_H
#define RV_STAGES_STYLIZE_OPTIONS_H

#include "stages/style_recipe.h"
#include <reverie/stylize.h>

enum { RV_MAX_SCALES = 8, RV_MIN_SIZE = 16 };

/** Sizes of the scales, coarse to fine, and their iterations. */
typedef struct rv_schedule {
    int n;
    int size[RV_MAX_SCALES]; /**< longest side, each half the next one */
    int iterations[RV_MAX_SCALES];
} rv_schedule;

/** A copy of a caller's options, whole: NULL is all defaults, and so is what an older caller does not know. */
rv_stylize_options rv_stylize_given(const rv_stylize_options *options);

/** Copies `options` as rv_stylize_given() and puts the defaults of the recipe in; `size` becomes the longest
 *  side of what is styled, `scales` the number that is run, `output_size` more than `size`, or 0.
 *  @param[out] recipe  of the preset for the model.
 *  @return RV_ERR_USAGE names the option that is out of range. */
RV_NODISCARD rv_status rv_stylize_resolve(rv_stylize_options *out, rv_schedule *schedule,
                                          const rv_style_recipe **recipe,
                                          const rv_stylize_options *options, const rv_model *model,
                                          const rv_image *photo);

/** Pixels of the result where it is enlarged. */
void rv_stylize_output(const rv_stylize_options *resolved, const rv_image *photo, int *width,
                       int *height);

/** Shares that sum to 1. */
RV_NODISCARD rv_status rv_stylize_shares(double *out, const double *weights, int n);

/** "key=value" pairs, a space between them: what shaped the picture. Freed with free(). */
RV_NODISCARD rv_status rv_stylize_settings(char **out, const rv_stylize_options *resolved,
                                           const rv_model *model, const char *content_layers,
                                           const char *style_layers, const double *shares,
                                           int n_styles);

#endif
