/* What measured operations should give, in double precision, one value at a time. */
/* SPDX-License-Identifier: MIT */
#include "stages/bench_node.h"

/* --- convolution ----------------------------------------------------------------------------- */

/* Of filter k, at channel c. */
static size_t weight_at(const int32_t *w, int32_t k, int32_t c, int32_t tap)
{
    const size_t filter = (size_t)k * (size_t)w[1] + (size_t)c;
    return filter * (size_t)w[2] * (size_t)w[3] + (size_t)tap;
}

/* Sum over channels and window of the input times a filter, at output k, y, x. */
static double conv_forward(const int32_t *in, const int32_t *w, size_t picture, int32_t k,
                           int32_t y, int32_t x)
{
    double sum = rv_bench_value(RV_BENCH_PARAM + 1, (size_t)k);
    for (int32_t c = 0; c < w[1]; c++) {
        for (int32_t tap = 0; tap < w[2] * w[3]; tap++) {
            const int32_t row = y + tap / w[3] - w[2] / 2, column = x + tap % w[3] - w[3] / 2;
            if (row >= 0 && row < in[2] && column >= 0 && column < in[3]) {
                const size_t at =
                    ((picture * (size_t)in[1] + (size_t)c) * (size_t)in[2] + (size_t)row) *
                        (size_t)in[3] +
                    (size_t)column;
                sum += rv_bench_value(RV_BENCH_INPUT, at) *
                       rv_bench_value(RV_BENCH_PARAM, weight_at(w, k, c, tap));
            }
        }
    }
    return sum;
}

/* Sum over outputs and window of the gradient times a filter, at input c, y, x. */
static double conv_backward_data(const int32_t *in, const int32_t *w, size_t picture, int32_t c,
                                 int32_t y, int32_t x)
{
    double sum = 0;
    for (int32_t k = 0; k < w[0]; k++) {
        for (int32_t tap = 0; tap < w[2] * w[3]; tap++) {
            const int32_t row = y - tap / w[3] + w[2] / 2, column = x - tap % w[3] + w[3] / 2;
            if (row >= 0 && row < in[2] && column >= 0 && column < in[3]) {
                const size_t at =
                    ((picture * (size_t)w[0] + (size_t)k) * (size_t)in[2] + (size_t)row) *
                        (size_t)in[3] +
                    (size_t)column;
                sum += rv_bench_value(RV_BENCH_D_OUT, at) *
                       rv_bench_value(RV_BENCH_PARAM, weight_at(w, k, c, tap));
            }
        }
    }
    return sum;
}

/* Sum over pictures and pixels, at weight k, c, tap. */
static double conv_backward_weights(const int32_t *in, const int32_t *w, int32_t k, int32_t c,
                                    int32_t tap)
{
    double sum = 0;
    for (int32_t i = 0; i < in[0] * in[2] * in[3]; i++) {
        const int32_t picture = i / (in[2] * in[3]), y = i / in[3] % in[2], x = i % in[3];
        const int32_t row = y + tap / w[3] - w[2] / 2, column = x + tap % w[3] - w[3] / 2;
        if (row >= 0 && row < in[2] && column >= 0 && column < in[3]) {
            const size_t pixels = (size_t)in[2] * (size_t)in[3];
            const size_t from = ((size_t)picture * (size_t)in[1] + (size_t)c) * pixels;
            const size_t to = ((size_t)picture * (size_t)w[0] + (size_t)k) * pixels;
            sum += rv_bench_value(RV_BENCH_INPUT,
                                  from + (size_t)row * (size_t)in[3] + (size_t)column) *
                   rv_bench_value(RV_BENCH_D_OUT, to + (size_t)y * (size_t)in[3] + (size_t)x);
        }
    }
    return sum;
}

double rv_bench_expect_conv(const rv_bench_node *b, rv_pass pass, size_t index)
{
    const int32_t *in = b->in.shape.dim, *w = b->param[0].shape.dim;
    const size_t height = (size_t)in[2], width = (size_t)in[3];
    if (pass == RV_PASS_BACKWARD_PARAMS) {
        const size_t taps = (size_t)w[2] * (size_t)w[3];
        return conv_backward_weights(in, w, (int32_t)(index / taps / (size_t)w[1]),
                                     (int32_t)(index / taps % (size_t)w[1]),
                                     (int32_t)(index % taps));
    }
    const size_t channels = (size_t)(pass == RV_PASS_FORWARD ? w[0] : in[1]);
    const size_t picture = index / width / height / channels;
    const int32_t channel = (int32_t)(index / width / height % channels);
    const int32_t y = (int32_t)(index / width % height), x = (int32_t)(index % width);
    return pass == RV_PASS_FORWARD ? conv_forward(in, w, picture, channel, y, x)
                                   : conv_backward_data(in, w, picture, channel, y, x);
}

/* --- dense layer, Gram matrix ---------------------------------------------------------------- */

double rv_bench_expect_dense(const rv_bench_node *b, rv_pass pass, size_t index)
{
    const size_t pictures = (size_t)b->out.shape.dim[0];
    const size_t outputs = (size_t)b->param[0].shape.dim[0];
    const size_t features = (size_t)b->param[0].shape.dim[1];
    double sum = 0;
    if (pass == RV_PASS_FORWARD) {
        const size_t picture = index / outputs, k = index % outputs;
        for (size_t j = 0; j < features; j++) {
            sum += rv_bench_value(RV_BENCH_INPUT, picture * features + j) *
                   rv_bench_value(RV_BENCH_PARAM, k * features + j);
        }
        return sum + rv_bench_value(RV_BENCH_PARAM + 1, k);
    }
    const size_t first = index / features, j = index % features;
    if (pass == RV_PASS_BACKWARD_DATA) {
        for (size_t k = 0; k < outputs; k++) {
            sum += rv_bench_value(RV_BENCH_D_OUT, first * outputs + k) *
                   rv_bench_value(RV_BENCH_PARAM, k * features + j);
        }
        return sum;
    }
    for (size_t picture = 0; picture < pictures; picture++) {
        sum += rv_bench_value(RV_BENCH_D_OUT, picture * outputs + first) *
               rv_bench_value(RV_BENCH_INPUT, picture * features + j);
    }
    return sum;
}

double rv_bench_expect_gram(const rv_bench_node *b, rv_pass pass, size_t index)
{
    const int32_t *in = b->in.shape.dim;
    const size_t c = (size_t)in[1], pixels = (size_t)in[2] * (size_t)in[3];
    double sum = 0;
    if (pass == RV_PASS_FORWARD) {
        const size_t row = index / c, column = index / c / c * c + index % c;
        for (size_t p = 0; p < pixels; p++) {
            sum += rv_bench_value(RV_BENCH_INPUT, row * pixels + p) *
                   rv_bench_value(RV_BENCH_INPUT, column * pixels + p);
        }
    } else {
        const size_t p = index % pixels, row = index / pixels, picture = row / c, i = row % c;
        for (size_t k = 0; k < c; k++) {
            sum += (rv_bench_value(RV_BENCH_D_OUT, (picture * c + i) * c + k) +
                    rv_bench_value(RV_BENCH_D_OUT, (picture * c + k) * c + i)) *
                   rv_bench_value(RV_BENCH_INPUT, (picture * c + k) * pixels + p);
        }
    }
    return sum / ((double)c * (double)pixels);
}
