/* Twins of max_pool and average_pool: the padded picture, window by window. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

#include <math.h>

rv_twin twin_max_pool, twin_average_pool;

typedef struct window {
    int32_t kernel[2], stride[2], pads[4];
} window;

static window window_of(const rv_reference *r)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    window w = {{d[2], d[3]}, {1, 1}, {0}};
    for (int i = 0; i < 4 && rv_twin_attr(r, "global", 0) == 0; i++) {
        w.kernel[i % 2] = (int32_t)rv_twin_attr(r, "kernel", i % 2);
        w.stride[i % 2] = (int32_t)rv_twin_attr(r, "stride", i % 2);
        w.pads[i] = (int32_t)rv_twin_attr(r, "pads", i);
    }
    return w;
}

/* One window of one plane: its largest value, its sum, and how many places are pixels, or pixels and padding. */
typedef struct found {
    double largest, sum;
    int pixels, padded;
} found;

static found look(const double *x, const int32_t *d, const window *w, int32_t oy, int32_t ox)
{
    found f = {-INFINITY, 0, 0, 0};
    for (int32_t r = 0; r < w->kernel[0]; r++) {
        for (int32_t s = 0; s < w->kernel[1]; s++) {
            const int32_t i = oy * w->stride[0] - w->pads[0] + r;
            const int32_t j = ox * w->stride[1] - w->pads[1] + s;
            f.padded += i < d[2] + w->pads[2] && j < d[3] + w->pads[3];
            if (i >= 0 && i < d[2] && j >= 0 && j < d[3]) {
                f.pixels++;
                f.sum += x[i * d[3] + j];
                f.largest = fmax(f.largest, x[i * d[3] + j]);
            }
        }
    }
    return f;
}

static void pool(rv_reference *r, bool max)
{
    const int32_t *d = r->node->in[0]->shape.dim, *o = r->node->out[0]->shape.dim;
    const window w = window_of(r);
    const bool padding = !max && rv_twin_attr(r, "count_include_pad", 0) != 0;
    double *out = r->out[0];
    for (int32_t plane = 0; plane < d[0] * d[1]; plane++) {
        for (int32_t i = 0; i < o[2]; i++) {
            for (int32_t j = 0; j < o[3]; j++) {
                const found f = look(r->in[0] + plane * d[2] * d[3], d, &w, i, j);
                *out++ = max ? f.largest : f.sum / (padding ? f.padded : f.pixels);
            }
        }
    }
}

void twin_max_pool(rv_reference *r)
{
    pool(r, true);
}

void twin_average_pool(rv_reference *r)
{
    pool(r, false);
}
