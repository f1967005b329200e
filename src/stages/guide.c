/* Takes what a guide shows in a layer to the host, place by place. */
/* SPDX-License-Identifier: MIT */
#include "stages/guide.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

rv_status rv_guide_learn(rv_guide *guide, rv_device *device, const rv_tensor *values)
{
    const size_t channels = (size_t)values->shape.dim[1];
    const size_t places = (size_t)values->shape.dim[2] * (size_t)values->shape.dim[3];
    float *plain = NULL;
    rv_guide_release(guide);
    guide->n_places = (int)places;
    guide->n_channels = (int)channels;
    RV_TRY(rv_alloc(&guide->vectors, places * channels, sizeof(float), "a guide"));
    RV_TRY(rv_alloc(&plain, places * channels, sizeof(float), "a guide"));
    const rv_status status = rv_tensor_read(device, values, plain);
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < places; i++) {
            guide->vectors[i * channels + c] = plain[c * places + i];
        }
    }
    free(plain);
    return status;
}

void rv_guide_release(rv_guide *guide)
{
    free(guide->vectors);
    *guide = (rv_guide){0};
}
