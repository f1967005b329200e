/* What measured operations should give, in double precision, one value at a time. */
/* SPDX-License-Identifier: MIT */
#include "ops/conv.h"
#include "stages/bench_node.h"

/* --- convolution ----------------------------------------------------------------------------- */

/* Sizes of a convolution: pictures in and out [N,C,H,W], weights [K,C,R,S]. */
typedef struct geometry {
    const int32_t *in, *out, *w;
    const rv_conv_attrs *attrs;
} geometry;

/* Index of a value of a picture. */
static size_t value_at(const int32_t *shape, size_t picture, int32_t c, int32_t row, int32_t column)
{
    const size_t plane = picture * (size_t)shape[1] + (size_t)c;
    return (plane * (size_t)shape[2] + (size_t)row) * (size_t)shape[3] + (size_t)column;
}

/* Of filter k, at channel c. */
static size_t weight_at(const geometry *g, int32_t k, int32_t c, int32_t tap)
{
    return value_at(g->w, (size_t)k, c, tap / g->w[3], tap % g->w[3]);
}

/* Row (axis 0) or column that an output meets at a tap, -1: beyond the edge. */
static int32_t source_of(const geometry *g, int axis, int32_t to, int32_t tap)
{
    const int32_t at = to * g->attrs->stride[axis] - g->attrs->pads[axis] +
                       (axis == 0 ? tap / g->w[3] : tap % g->w[3]);
    return at >= 0 && at < g->in[2 + axis] ? at : -1;
}

/* Row or column of the output that meets an input at a tap, -1: none does. */
static int32_t target_of(const geometry *g, int axis, int32_t from, int32_t tap)
{
    const int32_t at = from + g->attrs->pads[axis] - (axis == 0 ? tap / g->w[3] : tap % g->w[3]);
    const int32_t stride = g->attrs->stride[axis];
    return at >= 0 && at % stride == 0 && at / stride < g->out[2 + axis] ? at / stride : -1;
}

/* Sum over channels and window of the input times a filter, at output k, y, x. */
static double conv_forward(const geometry *g, size_t picture, int32_t k, int32_t y, int32_t x)
{
    double sum = rv_bench_value(RV_BENCH_PARAM + 1, (size_t)k);
    for (int32_t tap = 0; tap < g->w[2] * g->w[3]; tap++) {
        const int32_t row = source_of(g, 0, y, tap), column = source_of(g, 1, x, tap);
        for (int32_t c = 0; c < g->w[1] && row >= 0 && column >= 0; c++) {
            sum += rv_bench_value(RV_BENCH_INPUT, value_at(g->in, picture, c, row, column)) *
                   rv_bench_value(RV_BENCH_PARAM, weight_at(g, k, c, tap));
        }
    }
    return sum;
}

/* Sum over outputs and window of the gradient times a filter, at input c, y, x. */
static double conv_backward_data(const geometry *g, size_t picture, int32_t c, int32_t y, int32_t x)
{
    double sum = 0;
    for (int32_t tap = 0; tap < g->w[2] * g->w[3]; tap++) {
        const int32_t row = target_of(g, 0, y, tap), column = target_of(g, 1, x, tap);
        for (int32_t k = 0; k < g->w[0] && row >= 0 && column >= 0; k++) {
            sum += rv_bench_value(RV_BENCH_D_OUT, value_at(g->out, picture, k, row, column)) *
                   rv_bench_value(RV_BENCH_PARAM, weight_at(g, k, c, tap));
        }
    }
    return sum;
}

/* Sum over pictures and pixels, at weight k, c, tap. */
static double conv_backward_weights(const geometry *g, int32_t k, int32_t c, int32_t tap)
{
    double sum = 0;
    for (int32_t i = 0; i < g->out[0] * g->out[2] * g->out[3]; i++) {
        const size_t picture = (size_t)(i / (g->out[2] * g->out[3]));
        const int32_t y = i / g->out[3] % g->out[2], x = i % g->out[3];
        const int32_t row = source_of(g, 0, y, tap), column = source_of(g, 1, x, tap);
        if (row >= 0 && column >= 0) {
            sum += rv_bench_value(RV_BENCH_INPUT, value_at(g->in, picture, c, row, column)) *
                   rv_bench_value(RV_BENCH_D_OUT, value_at(g->out, picture, k, y, x));
        }
    }
    return sum;
}

double rv_bench_expect_conv(const rv_bench_node *b, rv_pass pass, size_t index)
{
    const geometry g = {b->in.shape.dim, b->out.shape.dim, b->param[0].shape.dim, b->node.attrs};
    const int32_t *shape = pass == RV_PASS_FORWARD         ? g.out
                           : pass == RV_PASS_BACKWARD_DATA ? g.in
                                                           : g.w;
    const size_t width = (size_t)shape[3], height = (size_t)shape[2];
    const int32_t x = (int32_t)(index % width), y = (int32_t)(index / width % height);
    const size_t plane = index / width / height, first = plane / (size_t)shape[1];
    const int32_t second = (int32_t)(plane % (size_t)shape[1]);
    return pass == RV_PASS_FORWARD ? conv_forward(&g, first, second, y, x)
           : pass == RV_PASS_BACKWARD_DATA
               ? conv_backward_data(&g, first, second, y, x)
               : conv_backward_weights(&g, (int32_t)first, second, y * g.w[3] + x);
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
