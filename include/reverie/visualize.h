/* Pictures that explain a network and how it came about. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_VISUALIZE_H
#define REVERIE_VISUALIZE_H

#include <reverie/image.h>
#include <reverie/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Curves of a training: loss and accuracy of training and validation, and the learning rate, by epochs.
 *  @param[out] out  900 x 960 pixels.
 *  @param run       folder of rv_train(), which may still be at work.
 *  @return RV_ERR_NOT_FOUND: there is no metrics.csv in it; RV_ERR_FORMAT: with the line; RV_ERR_USAGE: no epoch has
 *          ended yet. */
RV_API RV_NODISCARD rv_status rv_visualize_training(rv_image **out, const char *run);
/** The losses of a search for a learning rate, and where they fall most steeply.
 *  @param[out] out   900 x 480 pixels.
 *  @param points     n of them, as rv_find_learning_rate() gives them, which also gives `suggestion`. */
RV_API RV_NODISCARD rv_status rv_visualize_rates(rv_image **out, const rv_rate_point *points,
                                                 size_t n, double suggestion);

#ifdef __cplusplus
}
#endif
#endif
