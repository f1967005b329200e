/* What `reverie stylize` was asked for, and the photos that it works through. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_STYLIZE_H
#define RV_CLI_STYLIZE_H

#include "cli/stylize_masks.h"

typedef struct cli_stylize_settings {
    cli_list styles; /**< IMAGE[:WEIGHT][:mask=FILE] */
    char *mask;      /**< a file or folder, or NULL */
    double feather;
    char *model; /**< NULL: as there is one */
    int preset;  /**< rv_preset */
    bool fast;   /**< that preset */
    cli_model_files files;
    double content_weight, style_weight, tv_weight;
    char *content_layers, *style_layers;
    int size;          /**< 0: as what is made of it wants */
    int style_loss;    /**< rv_style_loss less 1 */
    char *output_size; /**< "photo" or a number; NULL: as `size` */
    double detail;
    double strength, style_scale;
    int preserve_color; /**< rv_preserve_color */
    char *init;         /**< "content", "style", "noise" or a file */
    int iterations;
    int optimizer; /**< 0 L-BFGS, 1 Adam, -1 default */
    double learning_rate;
    int scales;
    int pooling; /**< rv_pooling less 1 */
    char *sheet; /**< a file, or NULL */
    double time_limit;
    cli_photo_settings photos;
} cli_stylize_settings;

/** Everything that is the same for all photos. */
typedef struct cli_stylize_inputs {
    cli_list paths; /**< of the styles */
    double *weights;
    rv_image **styles;
    cli_masks masks; /**< changes from photo to photo */
    rv_image *init_image;
    const char *init_path; /**< NULL where --init names no file; borrowed */
    rv_pooling pooling;    /**< of the model */
    rv_model *model;
    rv_stylize_options options;
} cli_stylize_inputs;

/** Styles the photos that words and settings name, or makes the sheet that is wanted instead. @return exit code, having said what failed and printed the results */
int cli_stylize_photos(cli *c, const cli_stylize_settings *s, cli_stylize_inputs *inputs,
                       const cli_list *words);

#endif
