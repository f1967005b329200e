/* Cuts out what of a picture a network looks at, and makes grey of colour where it takes that. */
/* SPDX-License-Identifier: MIT */
#include "stages/network_picture.h"
#include "base/error.h"

/* How much red, green and blue add to grey, as where training makes grey of colour. */
static const float grey_weights[3] = {0.299f, 0.587f, 0.114f};

rv_part rv_network_view(const rv_image *image, const rv_model *model)
{
    const double share = rv_model_share(model);
    rv_part part = rv_picture_middle(image, rv_model_width(model), rv_model_height(model));
    part.left += part.width * (1 - share) / 2;
    part.top += part.height * (1 - share) / 2;
    part.width *= share;
    part.height *= share;
    return part;
}

/* Planes R, G, B to what the network takes: themselves, or one of grey in place of the first. */
static void take_channels(rv_planar *picture, int channels)
{
    const size_t n = (size_t)picture->width * (size_t)picture->height;
    for (size_t i = 0; channels == 1 && i < n; i++) {
        float grey = 0;
        for (size_t c = 0; c < 3; c++) {
            grey += grey_weights[c] * picture->data[c * n + i];
        }
        picture->data[i] = grey;
    }
}

rv_status rv_network_picture(rv_planar *out, rv_resizer *resizer, rv_device *device,
                             const rv_image *image, const rv_model *model)
{
    const rv_part part = rv_network_view(image, model);
    RV_TRY(rv_picture_planes_by(out, resizer, device, image, &part, rv_model_width(model),
                                rv_model_height(model)));
    take_channels(out, rv_model_channels(model));
    return RV_OK;
}
