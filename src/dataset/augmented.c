/* Draws what a recipe makes of a stored picture, at the size of a network's input. */
/* SPDX-License-Identifier: MIT */
#include "dataset/augmented.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

void rv_augment_fit(rv_augment_job *job, int width, int height)
{
    const double across = (double)job->width / width, down = (double)job->height / height;
    const double scale = fmin(across, down);
    /* A position in the new result, in the old one. */
    const double left = 0.5 * (job->width - scale * width);
    const double top = 0.5 * (job->height - scale * height);
    if (job->width == width && job->height == height) {
        return;
    }
    for (int row = 0; row < 2; row++) {
        float *m = job->matrix + 3 * row;
        m[2] = (float)((double)m[0] * left + (double)m[1] * top + (double)m[2]);
        m[0] = (float)((double)m[0] * scale);
        m[1] = (float)((double)m[1] * scale);
    }
    for (int i = 0; i < 4; i++) {
        job->erase[i] = (int)lround((job->erase[i] - (i % 2 == 0 ? left : top)) / scale);
    }
    job->blur = (float)((double)job->blur / scale);
    job->width = width;
    job->height = height;
}

/* Halved so often that bilinear sampling leaves nothing out. */
static rv_status halve(rv_augmented *a)
{
    const int halvings = rv_augment_halvings(&a->job);
    for (int i = 0; i < halvings; i++) {
        rv_source half;
        RV_TRY(rv_source_halve(&half, &a->source));
        rv_source_release(&a->source);
        a->source = half;
    }
    rv_augment_set_source(&a->job, &a->source, halvings);
    return RV_OK;
}

rv_status rv_augmented_draw(rv_augmented *out, const rv_sample *sample, const rv_recipe *recipe,
                            rv_draw_key key, int width, int height)
{
    const size_t n = (size_t)sample->width * (size_t)sample->height;
    rv_augment_draw draw;
    *out = (rv_augmented){0};
    RV_TRY(rv_source_create(&out->source, sample->width, sample->height));
    if (sample->channels == 3) {
        memcpy(out->source.rgb, sample->data, 3 * n);
    } else {
        for (size_t i = 0; i < 3 * n; i++) {
            out->source.rgb[i] = sample->data[i / 3];
        }
    }
    rv_source_measure(&out->source);
    rv_recipe_draw(&draw, recipe, key, sample->width, sample->height);
    out->job = draw.job;
    rv_augment_fit(&out->job, width, height);
    const rv_status status = halve(out);
    if (status != RV_OK) {
        rv_source_release(&out->source);
    }
    return status;
}
