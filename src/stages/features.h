/* What a network that runs over pictures has for those that hand it several at a time. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_FEATURES_H
#define RV_STAGES_FEATURES_H

#include <reverie/features.h>
#include <stdbool.h>
#include <stdint.h>

/** Values of a picture as the model takes it: its channels in planes of its own size. */
size_t rv_features_picture_floats(const rv_features *features);
/** Cuts that out of an image. @param[out] out  room for one picture */
RV_NODISCARD rv_status rv_features_see(rv_features *features, float *out, const rv_image *image);
/** Makes what the next runs over `batch` pictures need. RV_ERR_DEVICE_MEMORY. */
RV_NODISCARD rv_status rv_features_prepare(rv_features *features, int32_t batch);
/** Runs over pictures from rv_features_see(), one behind the other. */
RV_NODISCARD rv_status rv_features_run_pictures(rv_features *features, int32_t batch,
                                                const float *pictures);
/** Whether a file is taken for what the network itself takes, and running over it. */
bool rv_features_is_array(const char *path);
RV_NODISCARD rv_status rv_features_run_array(rv_features *features, const char *path);

#endif
