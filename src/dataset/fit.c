/* Makes stored pictures the size and channels of a network's input. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "dataset/dataset.h"

#include <math.h>
#include <stdlib.h>

/* Weights of the pixels that one value of a row or column is made of: a triangle, wider where it shrinks. */
typedef struct taps {
    int first, n;
    float *weight;
} taps;

static rv_status make_taps(taps **out, int to, double start, double length, int from)
{
    const double step = length / to, radius = fmax(step, 1.0);
    const int most = (int)(2 * radius) + 3;
    float *weights;
    RV_TRY(rv_alloc(out, (size_t)to, sizeof **out, "resizing"));
    RV_TRY(rv_alloc(&weights, (size_t)to * (size_t)most, sizeof *weights, "resizing"));
    for (int i = 0; i < to; i++) {
        const double centre = start + (i + 0.5) * step;
        taps *t = &(*out)[i];
        t->weight = weights + (size_t)i * (size_t)most;
        t->first = (int)fmax(floor(centre - radius), 0);
        double sum = 0;
        for (int k = t->first; k < from && t->n < most; k++) {
            const double weight = 1 - fabs(k + 0.5 - centre) / radius;
            if (weight <= 0 && t->n > 0) {
                break;
            }
            t->weight[t->n] = (float)fmax(weight, 0);
            sum += (double)t->weight[t->n++];
        }
        for (int k = 0; k < t->n; k++) {
            t->weight[k] = (float)((double)t->weight[k] / sum);
        }
    }
    return RV_OK;
}

static void release_taps(taps *t)
{
    if (t != NULL) {
        free(t[0].weight);
        free(t);
    }
}

/* Channel c of `channels` at a pixel, 0..255: of grey for colour, or the grey of a colour. */
static float value_at(const rv_sample *s, size_t pixel, int channels, int c)
{
    const uint8_t *p = s->data + pixel * (size_t)s->channels;
    if (channels == s->channels) {
        return p[c];
    }
    return s->channels == 1 ? (float)p[0]
                            : 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
}

static void copy(float *out, const rv_sample *s, int channels)
{
    const size_t n = (size_t)s->width * (size_t)s->height;
    for (int c = 0; c < channels; c++) {
        for (size_t i = 0; i < n; i++) {
            out[(size_t)c * n + i] = value_at(s, i, channels, c) / 255.0f;
        }
    }
}

/* Rows first, into [s->height, width] of one channel, then columns. */
static void resize(float *out, float *rows, const rv_sample *s, int channels, int c,
                   const taps *columns, const taps *lines, int height, int width)
{
    for (int y = 0; y < s->height; y++) {
        for (int x = 0; x < width; x++) {
            float sum = 0;
            for (int k = 0; k < columns[x].n; k++) {
                const size_t pixel = (size_t)y * (size_t)s->width + (size_t)(columns[x].first + k);
                sum += columns[x].weight[k] * value_at(s, pixel, channels, c);
            }
            rows[(size_t)y * (size_t)width + (size_t)x] = sum;
        }
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            float sum = 0;
            for (int k = 0; k < lines[y].n; k++) {
                sum += lines[y].weight[k] *
                       rows[(size_t)(lines[y].first + k) * (size_t)width + (size_t)x];
            }
            out[(size_t)y * (size_t)width + (size_t)x] = sum / 255.0f;
        }
    }
}

rv_status rv_sample_fit(float *out, const rv_sample *s, int channels, int height, int width)
{
    if (s->width == width && s->height == height) {
        copy(out, s, channels);
        return RV_OK;
    }
    /* The largest middle of the right shape. */
    const double scale = fmin((double)s->width / width, (double)s->height / height);
    const double across = scale * width, down = scale * height;
    taps *columns = NULL, *lines = NULL;
    float *rows = NULL;
    rv_status status = make_taps(&columns, width, 0.5 * (s->width - across), across, s->width);
    if (status == RV_OK) {
        status = make_taps(&lines, height, 0.5 * (s->height - down), down, s->height);
    }
    if (status == RV_OK) {
        status = rv_alloc(&rows, (size_t)s->height * (size_t)width, sizeof *rows, "resizing");
    }
    for (int c = 0; c < channels && status == RV_OK; c++) {
        resize(out + (size_t)c * (size_t)height * (size_t)width, rows, s, channels, c, columns,
               lines, height, width);
    }
    release_taps(columns);
    release_taps(lines);
    free(rows);
    return status;
}
