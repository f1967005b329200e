/* Masks: pictures that say where a style goes, at any size. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_MASK_H
#define RV_STAGES_MASK_H

#include <reverie/image.h>

/** A sample of either depth, in 65535ths. */
static inline uint32_t rv_sample_of(const rv_image *image, size_t at)
{
    const uint8_t *small = rv_image_pixels_const(image);
    const uint16_t *large = rv_image_pixels_const(image);
    return rv_image_bits(image) == 16 ? large[at] : 257u * small[at];
}

/** White is 1, black 0. Starts from {0}. */
typedef struct rv_mask {
    int width, height;
    uint16_t *values; /**< [H,W]; NULL: white all over */
} rv_mask;

/** Takes the alpha of a picture that is transparent somewhere, else its lightness, whose samples count as they are. */
RV_NODISCARD rv_status rv_mask_create(rv_mask *out, const rv_image *image);
/** The alpha of a picture of four channels. */
RV_NODISCARD rv_status rv_mask_create_alpha(rv_mask *out, const rv_image *image);
void rv_mask_release(rv_mask *mask);

bool rv_mask_is_black(const rv_mask *mask);
bool rv_mask_is_white(const rv_mask *mask);

/** Softens edges: each goes from black to white over about so many pixels of the mask. What is farther from an edge stays
 *  as it is. */
RV_NODISCARD rv_status rv_mask_feather(rv_mask *mask, double across, double down);

/** Rows of the mask at another size: interpolated linearly, or the mean of what shrinks into a pixel. Where all of that is
 *  black it is 0, where all is white 1, exactly. Rows are independent of each other.
 *  @param[out] out  [rows,width], 0..1. */
RV_NODISCARD rv_status rv_mask_rows(float *out, const rv_mask *mask, int width, int height,
                                    int first, int rows);

#endif
