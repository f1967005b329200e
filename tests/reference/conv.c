/* Twin of conv: the sum over channels and taps, with the padding written out. */
/* SPDX-License-Identifier: MIT */
#include "reference/reference.h"

rv_twin twin_conv;

enum { ZERO, REFLECT, REPLICATE };

/* The value of a picture's channel at (y, x), which may lie in the padding. */
static double value_at(const double *channel, int h, int w, int y, int x, int mode)
{
    if (y >= 0 && y < h && x >= 0 && x < w) {
        return channel[y * w + x];
    }
    if (mode == ZERO) {
        return 0;
    }
    while (mode == REFLECT && (y < 0 || y >= h)) {
        y = y < 0 ? -y : 2 * h - 2 - y;
    }
    while (mode == REFLECT && (x < 0 || x >= w)) {
        x = x < 0 ? -x : 2 * w - 2 - x;
    }
    y = y < 0 ? 0 : y >= h ? h - 1 : y;
    x = x < 0 ? 0 : x >= w ? w - 1 : x;
    return channel[y * w + x];
}

/* One output value: channel k of picture n at (y, x). */
static double output_at(const rv_reference *r, int n, int k, int y, int x)
{
    const int32_t *d = r->node->in[0]->shape.dim;
    const int outputs = (int)rv_twin_attr(r, "num_output", 0);
    const int groups = (int)rv_twin_attr(r, "groups", 0);
    const int rows = (int)rv_twin_attr(r, "kernel", 0), columns = (int)rv_twin_attr(r, "kernel", 1);
    const int mode = (int)rv_twin_attr(r, "pad_mode", 0);
    const int top = y * (int)rv_twin_attr(r, "stride", 0) - (int)rv_twin_attr(r, "pads", 0);
    const int left = x * (int)rv_twin_attr(r, "stride", 1) - (int)rv_twin_attr(r, "pads", 1);
    const int down = (int)rv_twin_attr(r, "dilation", 0);
    const int right = (int)rv_twin_attr(r, "dilation", 1);
    const int c_group = d[1] / groups, first = k / (outputs / groups) * c_group;
    const double *w = r->param[0] + (size_t)k * (size_t)(c_group * rows * columns);
    double sum = rv_twin_attr(r, "bias", 0) != 0 ? r->param[1][k] : 0;
    for (int c = 0; c < c_group; c++) {
        const double *channel = r->in[0] + (size_t)(n * d[1] + first + c) * (size_t)(d[2] * d[3]);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                sum += *w++ * value_at(channel, d[2], d[3], top + i * down, left + j * right, mode);
            }
        }
    }
    return sum;
}

void twin_conv(rv_reference *r)
{
    const int32_t *d = r->node->out[0]->shape.dim;
    double *y = r->out[0];
    for (int n = 0; n < d[0]; n++) {
        for (int k = 0; k < d[1]; k++) {
            for (int row = 0; row < d[2]; row++) {
                for (int column = 0; column < d[3]; column++) {
                    *y++ = output_at(r, n, k, row, column);
                }
            }
        }
    }
}
