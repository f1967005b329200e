/* Samples of sRGB and the light that they stand for: by formula, and by table for whole pictures. */
/* SPDX-License-Identifier: MIT */
#include "image/colour.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct rv_srgb {
    int bits;
    unsigned largest; /* sample: 255 or 65535 */
    unsigned cells;   /* equal parts of 0 to 1 */
    float *light;     /* [largest + 1] of each sample */
    float *
        upper; /* [largest + 1] from which light on the next sample is nearer; infinity at the end */
    uint16_t *first; /* [cells + 1] sample of the least light of each cell */
};

static double decode(double value)
{
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

float rv_light_from_srgb(float value)
{
    return (float)decode(value);
}

float rv_srgb_from_light(float light)
{
    return light <= 0.0031308f ? light * 12.92f
                               : (float)(1.055 * pow((double)light, 1 / 2.4) - 0.055);
}

static void fill(rv_srgb *s)
{
    const double scale = 1.0 / s->largest;
    for (unsigned i = 0; i <= s->largest; i++) {
        s->light[i] = (float)decode(i * scale);
        s->upper[i] = i < s->largest ? (float)decode((i + 0.5) * scale) : INFINITY;
    }
    unsigned sample = 0;
    for (unsigned cell = 0; cell <= s->cells; cell++) {
        const float least = (float)cell / (float)s->cells;
        while (least >= s->upper[sample]) {
            sample++;
        }
        s->first[cell] = (uint16_t)sample;
    }
}

rv_status rv_srgb_create(rv_srgb **out, int bits)
{
    *out = NULL;
    rv_srgb *s;
    RV_TRY(rv_alloc(&s, 1, sizeof *s, "colour tables"));
    s->bits = bits;
    s->largest = bits == 8 ? UINT8_MAX : UINT16_MAX;
    s->cells = bits == 8 ? 4096 : 65536; /* at most 1 and 13 samples in a cell */
    rv_status status = rv_alloc(&s->light, s->largest + 1, sizeof *s->light, "colour tables");
    if (status == RV_OK) {
        status = rv_alloc(&s->upper, s->largest + 1, sizeof *s->upper, "colour tables");
    }
    if (status == RV_OK) {
        status = rv_alloc(&s->first, s->cells + 1, sizeof *s->first, "colour tables");
    }
    if (status != RV_OK) {
        rv_srgb_destroy(s);
        return status;
    }
    fill(s);
    *out = s;
    return RV_OK;
}

void rv_srgb_destroy(rv_srgb *srgb)
{
    if (srgb != NULL) {
        free(srgb->light);
        free(srgb->upper);
        free(srgb->first);
        free(srgb);
    }
}

void rv_srgb_decode(const rv_srgb *srgb, float *light, const void *samples, size_t n)
{
    const uint8_t *small = samples;
    const uint16_t *large = samples;
    for (size_t i = 0; i < n; i++) {
        light[i] = srgb->light[srgb->bits == 8 ? small[i] : large[i]];
    }
}

static unsigned nearest(const rv_srgb *s, float light)
{
    if (!(light > 0)) {
        return 0;
    }
    if (light >= 1) {
        return s->largest;
    }
    unsigned sample = s->first[(unsigned)(light * (float)s->cells)];
    while (light >= s->upper[sample]) {
        sample++;
    }
    return sample;
}

void rv_srgb_encode(const rv_srgb *srgb, void *samples, const float *light, size_t n)
{
    uint8_t *small = samples;
    uint16_t *large = samples;
    for (size_t i = 0; i < n; i++) {
        if (srgb->bits == 8) {
            small[i] = (uint8_t)nearest(srgb, light[i]);
        } else {
            large[i] = (uint16_t)nearest(srgb, light[i]);
        }
    }
}
