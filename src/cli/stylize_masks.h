/* The masks of `reverie stylize`: files, or folders that have one for each photo. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_CLI_STYLIZE_MASKS_H
#define RV_CLI_STYLIZE_MASKS_H

#include "cli/photos.h"

typedef struct cli_mask {
    char *path;      /**< as it was given */
    bool is_folder;  /**< with masks named as the photos are */
    char *file;      /**< the one at hand */
    rv_image *image; /**< of it */
} cli_mask;

/** Starts from {0}. What is named several times is there once: styles of one mask share a region. */
typedef struct cli_masks {
    cli_mask *items;
    size_t n;
    const cli_mask *whole;     /**< of --mask; NULL: none */
    const cli_mask **of_style; /**< n_styles of them, each of which may be NULL */
    size_t n_styles;
    const rv_image **images; /**< of the styles, for options */
} cli_masks;

/** Splits "STYLE:mask=FILE[:WEIGHT]", but only where no file has the full name.
 *  @param[out] style   what stands before; freed with free().
 *  @param[out] mask    freed with free(); NULL: there is none.
 *  @param[out] weight  behind the mask, else 1.
 *  @return exit code */
int cli_mask_split(char **style, char **mask, double *weight, const char *text);
/** Reads what is a file, and sees that it is not black all over.
 *  @param whole     of --mask; may be NULL.
 *  @param of_style  n_styles paths, each of which may be NULL.
 *  @return exit code */
int cli_masks_read(cli_masks *out, const rv_image_read_options *read, const char *whole,
                   char *const *of_style, size_t n_styles);
/** A preview may lie in no folder of masks, where it could replace one, or become one. @return exit code */
int cli_masks_check_preview(const cli_masks *masks, const char *preview);
/** Reads those of a photo from folders.
 *  @param output       of the photo, which must not replace one.
 *  @param[out] reason  what is wrong; freed with free().
 *  @return exit code */
int cli_masks_find(cli_masks *masks, const rv_image_read_options *read, const char *photo,
                   const char *output, char **reason);
/** Puts all into options; borrowed until the next find or release. */
void cli_masks_give(const cli_masks *masks, rv_stylize_options *options);
void cli_masks_release(cli_masks *masks);

#endif
