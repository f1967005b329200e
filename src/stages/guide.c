/* Matches places of a picture with those of a guide by the product of their vectors, on all processors. */
/* SPDX-License-Identifier: MIT */
#include "stages/guide.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

/* Places of the picture that are matched at a time: their vectors and sums stay in the cache. */
enum { TILE = 32 };

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

/* A match in work: values become targets in place. */
typedef struct match {
    const rv_guide *guide;
    float *values; /* [N,C,places] */
    size_t places, tiles;
} match;

/* The best place of the guide for n places of the picture, whose vectors are columns of x. */
static void find_best(int *best, const rv_guide *g, float x[][TILE], float *most)
{
    for (int p = 0; p < g->n_places; p++) {
        const float *v = g->vectors + (size_t)p * (size_t)g->n_channels;
        float sum[TILE] = {0};
        for (int c = 0; c < g->n_channels; c++) {
            for (int i = 0; i < TILE; i++) {
                sum[i] += v[c] * x[c][i];
            }
        }
        for (int i = 0; i < TILE; i++) {
            if (p == 0 || sum[i] > most[i]) {
                most[i] = sum[i];
                best[i] = p;
            }
        }
    }
}

static rv_status match_tile(void *payload, size_t index)
{
    const match *m = payload;
    const rv_guide *g = m->guide;
    const size_t channels = (size_t)g->n_channels, first = index % m->tiles * TILE;
    const size_t n = m->places - first < TILE ? m->places - first : TILE;
    float *at = m->values + index / m->tiles * channels * m->places + first;
    const float share = 1.0f / (float)m->places;
    float(*x)[TILE], most[TILE];
    int best[TILE] = {0};
    RV_TRY(rv_alloc(&x, channels, sizeof *x, "places of a picture"));
    for (size_t c = 0; c < channels; c++) {
        memcpy(x[c], at + c * m->places, n * sizeof(float));
    }
    find_best(best, g, x, most);
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < n; i++) {
            at[c * m->places + i] = share * g->vectors[(size_t)best[i] * channels + c];
        }
    }
    free(x);
    return RV_OK;
}

rv_status rv_guide_match(const rv_guide *guide, rv_device *device, rv_tensor *target,
                         const rv_tensor *values)
{
    match m = {.guide = guide,
               .places = (size_t)values->shape.dim[2] * (size_t)values->shape.dim[3]};
    m.tiles = (m.places + TILE - 1) / TILE;
    RV_TRY(rv_alloc(&m.values, rv_shape_count(&values->shape), sizeof(float), "matches"));
    rv_status status = rv_tensor_read(device, values, m.values);
    if (status == RV_OK && !rv_device_rehearses(device)) {
        status = rv_parallel_for((size_t)values->shape.dim[0] * m.tiles, 0, match_tile, &m);
    }
    if (status == RV_OK) {
        status = rv_tensor_write(device, target, m.values);
    }
    free(m.values);
    return status;
}
