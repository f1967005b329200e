/* What of a picture a network looks at, in the size and the channels that it takes. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_NETWORK_PICTURE_H
#define RV_STAGES_NETWORK_PICTURE_H

#include "model/model.h"
#include "stages/picture.h"

/** The middle of the picture in the shape of the model's own: of the shorter side rv_model_share(). */
rv_part rv_network_view(const rv_image *image, const rv_model *model);

/** That part at the model's own size; where the model takes grey pictures the first plane is grey, and the others are
 *  of no use. Released with rv_planar_release().
 *  @param resizer  of one picture after another; NULL: of this one alone. */
RV_NODISCARD rv_status rv_network_picture(rv_planar *out, rv_resizer *resizer, rv_device *device,
                                          const rv_image *image, const rv_model *model);

#endif
