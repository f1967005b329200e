/* Samples of sRGB and the light that they stand for (IEC 61966-2-1). */
/* SPDX-License-Identifier: MIT */
#ifndef RV_IMAGE_COLOUR_H
#define RV_IMAGE_COLOUR_H

#include <reverie/status.h>
#include <stddef.h>

/** Light of an sRGB value, 0 to 1 each, and back. Values outside 0 to 1 go on along the same curves. */
float rv_light_from_srgb(float value);
float rv_srgb_from_light(float light);

/** Tables for samples of 8 or 16 bits; read-only once made, so threads may share one. */
typedef struct rv_srgb rv_srgb;

RV_NODISCARD rv_status rv_srgb_create(rv_srgb **out, int bits);
void rv_srgb_destroy(rv_srgb *srgb);

/** light[i] of samples[i], uint8_t or uint16_t by the bits of `srgb`; alpha is not to be among them. */
void rv_srgb_decode(const rv_srgb *srgb, float *light, const void *samples, size_t n);

/** The sample nearest to each light, counted in sRGB; below 0 and NaN give 0, above 1 the largest. */
void rv_srgb_encode(const rv_srgb *srgb, void *samples, const float *light, size_t n);

#endif
