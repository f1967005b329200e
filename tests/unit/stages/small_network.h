/* A small network with random weights, and pictures, for the tests of this folder. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_SMALL_NETWORK_H
#define RV_TESTS_SMALL_NETWORK_H

#include "stages/style_recipe.h"
#include <reverie/image.h>
#include <reverie/model.h>

/** The network of reference/style_loss.h with 9, 13 and 11 channels, for pictures of 24 x 20. */
rv_model *small_network(void);
/** Layers of a network alone, each loss the share of its target that is missed. */
extern const rv_style_recipe relative_recipe;
/** Samples from smooth waves with some noise, of 8 or 16 bits. */
rv_image *waves(int width, int height, int channels, int bits, uint32_t seed);

#endif
