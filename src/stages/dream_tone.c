/* Where a dream changes the photo, and how values that it drove beyond the range are brought back. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "stages/dream_job.h"

#include <math.h>
#include <stdlib.h>

/* Bins of the histogram that finds percentiles. */
enum { BINS = 65536 };

/* At either end of the range, what makes room for values beyond it, and how far beyond these may be. */
#define ROOM   0.25f
#define BEYOND 0.5f

/* --- where a picture changes ----------------------------------------------------------------- */

rv_status rv_dream_share(float **out, const rv_dream_job *j, int width, int height)
{
    const rv_image *mask = j->options.mask;
    const size_t n = (size_t)width * (size_t)height;
    rv_planar planes;
    *out = NULL;
    if (rv_image_channels(j->photo) == 4) {
        RV_TRY(rv_picture_planes(&planes, out, j->d->device, j->photo, NULL, width, height));
        rv_planar_release(&planes);
    }
    if (mask == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_picture_planes(&planes, NULL, j->d->device, mask, NULL, width, height));
    rv_status status = *out == NULL ? rv_alloc(out, n, sizeof **out, "mask") : RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        const float grey = (planes.data[i] + planes.data[n + i] + planes.data[2 * n + i]) / 3;
        (*out)[i] = rv_image_channels(j->photo) == 4 ? (*out)[i] * grey : grey;
    }
    rv_planar_release(&planes);
    return status;
}

/* --- range ----------------------------------------------------------------------------------- */

/* Values below which and above which a share of all lies. */
static rv_status find_percentiles(const rv_planar *p, double share, float *low, float *high)
{
    const size_t n = rv_planar_floats(p);
    float min = p->data[0], max = p->data[0];
    size_t *bins, sum = 0;
    RV_TRY(rv_alloc(&bins, BINS, sizeof *bins, "histogram"));
    for (size_t i = 0; i < n; i++) {
        min = fminf(min, p->data[i]);
        max = fmaxf(max, p->data[i]);
    }
    const float unit = max > min ? (BINS - 1) / (max - min) : 0;
    for (size_t i = 0; i < n; i++) {
        bins[(size_t)((p->data[i] - min) * unit)]++;
    }
    *low = min;
    *high = max;
    for (int i = 0; i < BINS && unit > 0; i++) {
        const double before = (double)sum / (double)n;
        sum += bins[i];
        if (before <= share) {
            *low = min + (float)i / unit;
        }
        if (before < 1 - share) {
            *high = min + (float)(i + 1) / unit;
        }
    }
    free(bins);
    return RV_OK;
}

/* Takes 0 to `most` to 0 to 1, beginning with the slope 1: what goes furthest gives way most. */
static float give_way(float v, float most)
{
    return fminf(v / (1 + (1 - 1 / most) * v), 1);
}

/* The middle of the range stays as it is. */
static float bend(float v, float low, float high)
{
    if (v > 1 - ROOM && high > 1) {
        v = 1 - ROOM + ROOM * give_way((v - 1 + ROOM) / ROOM, (high - 1 + ROOM) / ROOM);
    } else if (v < ROOM && low < 0) {
        v = ROOM - ROOM * give_way((ROOM - v) / ROOM, (ROOM - low) / ROOM);
    }
    return fminf(fmaxf(v, 0.0f), 1.0f);
}

rv_status rv_dream_bring_back(rv_planar *picture, const float *share, double percent)
{
    const size_t n = (size_t)picture->width * (size_t)picture->height;
    float low, high;
    RV_TRY(find_percentiles(picture, percent / 100, &low, &high));
    const float reach = fmaxf(high - 0.5f, 0.5f - low);
    const float shrink = fminf(1, (0.5f + BEYOND) / reach);
    low = 0.5f + shrink * (low - 0.5f);
    high = 0.5f + shrink * (high - 0.5f);
    for (size_t i = 0; i < 3 * n; i++) {
        const float v = picture->data[i], kept = fminf(fmaxf(v, 0.0f), 1.0f);
        const float back = bend(shrink < 1 ? 0.5f + shrink * (v - 0.5f) : v, low, high);
        picture->data[i] = kept + (share != NULL ? share[i % n] : 1.0f) * (back - kept);
    }
    return RV_OK;
}
