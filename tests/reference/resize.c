/* Twin of resize: for each output the filter is laid over all pixels of the input. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>
#include <stdlib.h>

rv_twin twin_resize;

enum { LANCZOS3, CUBIC, LINEAR, NEAREST };

static double sinc(double x)
{
    return x == 0 ? 1.0 : sin(M_PI * x) / (M_PI * x);
}

static double filter_at(int filter, double x)
{
    x = fabs(x);
    switch (filter) {
    case LANCZOS3:
        return x < 3 ? sinc(x) * sinc(x / 3) : 0;
    case CUBIC:
        return x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1
                     : (x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0);
    default:
        return x < 1 ? 1 - x : 0;
    }
}

/* Weights [to][from] of one axis. */
static double *matrix(int filter, int32_t to, int32_t from, double start, double size)
{
    double *w = calloc((size_t)to * (size_t)from, sizeof *w);
    const double step = (size > 0 ? size : from) / to;
    const double width = step > 1 ? step : 1;
    for (int32_t i = 0; i < to; i++) {
        const double centre = start + (i + 0.5) * step;
        double sum = 0;
        for (int32_t k = 0; k < from; k++) {
            w[i * from + k] = filter == NEAREST ? (double)(k <= centre && centre < k + 1)
                                                : filter_at(filter, (k + 0.5 - centre) / width);
            sum += w[i * from + k];
        }
        for (int32_t k = 0; k < from; k++) {
            w[i * from + k] /= sum;
        }
    }
    return w;
}

void twin_resize(rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const int filter = (int)rv_twin_attr(r, "filter", 0);
    const int32_t height = (int32_t)rv_twin_attr(r, "height", 0);
    const int32_t width = (int32_t)rv_twin_attr(r, "width", 0);
    double *rows =
        matrix(filter, height, d[2], rv_twin_attr(r, "window", 0), rv_twin_attr(r, "window", 2));
    double *columns =
        matrix(filter, width, d[3], rv_twin_attr(r, "window", 1), rv_twin_attr(r, "window", 3));
    double *out = r->out[0];
    for (int32_t plane = 0; plane < d[0] * d[1]; plane++) {
        const double *x = r->in[0] + (size_t)plane * (size_t)d[2] * (size_t)d[3];
        for (int32_t i = 0; i < height; i++) {
            for (int32_t j = 0; j < width; j++) {
                double sum = 0;
                for (int32_t k = 0; k < d[2]; k++) {
                    for (int32_t l = 0; l < d[3] && rows[i * d[2] + k] != 0; l++) {
                        sum += rows[i * d[2] + k] * columns[j * d[3] + l] * x[k * d[3] + l];
                    }
                }
                *out++ = sum;
            }
        }
    }
    free(rows);
    free(columns);
}
