/* Writes the layers of a network as prototxt and caffemodel, or as ONNX. */
/* SPDX-License-Identifier: MIT */
#include "support/net_file.h"
#include "support/noise.h"
#include "support/onnx_text.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool is_onnx(const rv_net *n)
{
    return n->format == RV_NET_ONNX;
}

const char *rv_net_name(const char *format, ...)
{
    static char names[256][RV_NET_NAME];
    static unsigned next;
    char *name = names[next++ % 256];
    va_list args;
    va_start(args, format);
    cr_assert(vsnprintf(name, RV_NET_NAME, format, args) < RV_NET_NAME);
    va_end(args);
    return name;
}

/* --- values ---------------------------------------------------------------------------------- */

static rv_net_value *find(rv_net *n, const char *name)
{
    for (int i = 0; i < n->n_values; i++) {
        if (strcmp(n->values[i].name, name) == 0) {
            return &n->values[i];
        }
    }
    cr_assert_fail("nothing writes %s", name);
    return NULL;
}

static rv_net_value *make(rv_net *n, const char *name, int c, int h, int w)
{
    cr_assert_lt(n->n_values, RV_NET_MAX_VALUES);
    rv_net_value *v = &n->values[n->n_values++];
    snprintf(v->name, sizeof v->name, "%s", name);
    snprintf(v->onnx, sizeof v->onnx, "%s", name);
    v->c = c;
    v->h = h;
    v->w = w;
    return v;
}

void rv_net_begin(rv_net *n, const char *name, int c, int h, int w)
{
    static const int opsets[] = {12, 7, 17};
    n->text = open_memstream(&n->bytes, &n->n_bytes);
    n->weights = (rv_message){0};
    n->n_values = 0;
    make(n, "data", c, h, w);
    if (is_onnx(n)) {
        fprintf(n->text, "opset %d\nname %s\ninput data 1 %d %d %d\n", opsets[n->style], name, c, h,
                w);
        return;
    }
    rv_wire_text(&n->weights, 1, name);
    fprintf(n->text, "name: \"%s\"\n", name);
    if (n->format == RV_NET_CAFFE_V1) {
        fprintf(n->text,
                "input: \"data\"\ninput_dim: 10\ninput_dim: %d\ninput_dim: %d\ninput_dim: %d\n", c,
                h, w);
    } else {
        fprintf(n->text,
                "layer { name: \"data\" type: \"Input\" top: \"data\"\n  input_param { shape: { "
                "dim: 10 dim: %d dim: %d dim: %d } } }\n",
                c, h, w);
    }
}

void rv_net_write(rv_net *n, const char *folder, const char *name)
{
    char path[1024];
    if (is_onnx(n)) {
        fprintf(n->text, "output %s\n", n->values[n->n_values - 1].onnx);
    }
    fclose(n->text);
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, is_onnx(n) ? "onnx" : "prototxt");
    if (is_onnx(n)) {
        size_t size;
        uint8_t *model = rv_test_onnx(&size, n->bytes);
        rv_test_write(path, model, size);
        free(model);
    } else {
        rv_test_write(path, n->bytes, n->n_bytes);
    }
    if (!is_onnx(n) && !n->graph_only) {
        snprintf(path, sizeof path, "%s/%s.caffemodel", folder, name);
        rv_test_write(path, n->weights.data, n->weights.size);
    }
    free(n->weights.data);
    free(n->bytes);
}

/* --- layers and tensors ---------------------------------------------------------------------- */

/* Types of Caffe's layers, as V1 has them too, and their number in its enum. */
static const struct {
    const char *name, *v1;
    int number;
} types[] = {{"Convolution", "CONVOLUTION", 4},
             {"InnerProduct", "INNER_PRODUCT", 14},
             {"ReLU", "RELU", 18},
             {"Dropout", "DROPOUT", 6},
             {"LRN", "LRN", 15},
             {"Pooling", "POOLING", 17},
             {"Concat", "CONCAT", 3},
             {"Softmax", "SOFTMAX", 20},
             {"Eltwise", "ELTWISE", 25},
             {"BatchNorm", NULL, 0},
             {"Scale", NULL, 0}};

enum { CONV, DENSE, RELU, DROPOUT, LRN, POOL, CONCAT, SOFTMAX, ELTWISE, NORM, SCALE };

/* A layer of Caffe from its parameters on. */
static void put_layer(rv_net *n, int type, const char *name, const char *const *from, int count,
                      const char *top, const char *format, ...)
{
    const bool old = n->format == RV_NET_CAFFE_V1;
    fprintf(n->text, old ? "layers { name: \"%s\" type: %s" : "layer { name: \"%s\" type: \"%s\"",
            name, old ? types[type].v1 : types[type].name);
    for (int i = 0; i < count; i++) {
        fprintf(n->text, " bottom: \"%s\"", from[i]);
    }
    fprintf(n->text, " top: \"%s\"", top);
    va_list args;
    va_start(args, format);
    vfprintf(n->text, format, args);
    va_end(args);
    fprintf(n->text, " }\n");
}

/* A node of ONNX up to its attributes. */
static void put_node(rv_net *n, const char *op, const char *name, const char *in, const char *out)
{
    fprintf(n->text, "%s %s %s %s", op, n->style == RV_NET_CAFFE2 ? "-" : name, in, out);
}

/* The message of a layer with weights. */
static rv_message begin_weights(const rv_net *n, int type, const char *name)
{
    rv_message m = {0};
    if (n->format == RV_NET_CAFFE_V1) {
        rv_wire_text(&m, 4, name);
        rv_wire_number(&m, 5, (uint64_t)types[type].number);
    } else {
        rv_wire_text(&m, 1, name);
        rv_wire_text(&m, 2, types[type].name);
    }
    return m;
}

static void end_weights(rv_net *n, rv_message *layer)
{
    rv_wire_message(&n->weights, n->format == RV_NET_CAFFE_V1 ? 2 : 100, layer);
}

static void put_blob(const rv_net *n, rv_message *layer, const float *values, const int dim[4],
                     int rank)
{
    rv_message blob = {0}, shape = {0};
    size_t count = 1;
    const bool old = n->format == RV_NET_CAFFE_V1;
    for (int i = 0; i < rank; i++) {
        count *= (size_t)dim[i];
        rv_wire_number(&shape, 1, (uint64_t)dim[i]);
    }
    for (int i = 0; i < 4 && old; i++) {
        rv_wire_number(&blob, 1 + (unsigned)i, i < 4 - rank ? 1 : (uint64_t)dim[i - (4 - rank)]);
    }
    rv_wire_bytes(&blob, 5, values, count * sizeof *values);
    if (old) {
        free(shape.data);
    } else {
        rv_wire_message(&blob, 7, &shape);
    }
    rv_wire_message(layer, old ? 6 : 7, &blob);
}

/* A tensor LAYER/WHAT, evenly spread; in Caffe times `factor`. */
static void put_tensor(rv_net *n, rv_message *layer, const char *name, const int dim[4], int rank,
                       double centre, double half, float factor)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        count *= (size_t)dim[i];
    }
    if (is_onnx(n)) {
        fprintf(n->text, "float %s", name);
        for (int i = 0; i < rank; i++) {
            fprintf(n->text, " %d", dim[i]);
        }
        fprintf(n->text, " = ~ %.17g %.17g\n", centre, half);
        if (n->style == RV_NET_MXNET) {
            fprintf(n->text, "input %s", name);
            for (int i = 0; i < rank; i++) {
                fprintf(n->text, " %d", dim[i]);
            }
            fprintf(n->text, "\n");
        }
        return;
    }
    if (n->graph_only) {
        return;
    }
    float *values = malloc(count * sizeof *values);
    rv_test_noise(values, count, name, centre, half);
    for (size_t i = 0; i < count; i++) {
        values[i] *= factor;
    }
    put_blob(n, layer, values, dim, rank);
    free(values);
}

/* Weights of He's variance, and a bias. */
static void put_weights(rv_net *n, int type, const char *name, const int dim[4], int rank,
                        bool bias, double gain)
{
    rv_message layer = begin_weights(n, type, name);
    double fan_in = 1;
    gain = gain == 0 ? 1 : gain;
    for (int i = 1; i < rank; i++) {
        fan_in *= dim[i];
    }
    put_tensor(n, &layer, rv_net_name("%s/weight", name), dim, rank, 0, gain * sqrt(6 / fan_in), 1);
    if (bias) {
        put_tensor(n, &layer, rv_net_name("%s/bias", name), dim, 1, 0, 0.2 * n->level * gain, 1);
    }
    if (is_onnx(n)) {
        free(layer.data);
    } else {
        end_weights(n, &layer);
    }
}

/* --- each kind ------------------------------------------------------------------------------- */

void rv_net_conv(rv_net *n, const char *name, const char *from, rv_net_conv_shape s)
{
    const rv_net_value x = *find(n, from);
    const int out = s.out / n->divide, stride = s.stride > 0 ? s.stride : 1;
    const int groups = s.groups > 0 ? s.groups : 1, k = s.kernel;
    const int dim[4] = {out, x.c / groups, k, k};
    put_weights(n, CONV, name, dim, 4, !s.no_bias, s.gain);
    if (is_onnx(n)) {
        char in[4 * RV_NET_NAME];
        snprintf(in, sizeof in, s.no_bias ? "%s,%s/weight" : "%s,%s/weight,%s/bias", x.onnx, name,
                 name);
        put_node(n, "Conv", name, in, name);
        fprintf(n->text, " kernel_shape=%d,%d strides=%d,%d pads=%d,%d,%d,%d group=%d\n", k, k,
                stride, stride, s.pad, s.pad, s.pad, s.pad, groups);
    } else {
        put_layer(
            n, CONV, name, &from, 1, name,
            "\n  convolution_param { num_output: %d kernel_size: %d stride: %d pad: %d group: "
            "%d%s }",
            out, k, stride, s.pad, groups, s.no_bias ? " bias_term: false" : "");
    }
    make(n, name, out, (x.h + 2 * s.pad - k) / stride + 1, (x.w + 2 * s.pad - k) / stride + 1);
}

/* Maps as a row, in the way of the program that exports. */
static const char *flatten(rv_net *n, const char *name, const rv_net_value *x)
{
    if (x->h == 0) {
        return rv_net_name("%s", x->onnx);
    }
    const char *flat = rv_net_name("%s/flat", name);
    if (n->style == RV_NET_CAFFE2) {
        fprintf(n->text, "int64 %s/shape 2 = 1 %d\n", name, x->c * x->h * x->w);
        put_node(n, "Reshape", flat, rv_net_name("%s,%s/shape", x->onnx, name), flat);
        fprintf(n->text, "\n");
    } else {
        put_node(n, "Flatten", flat, x->onnx, flat);
        fprintf(n->text, "\n");
    }
    return flat;
}

void rv_net_dense(rv_net *n, const char *name, const char *from, int out, double gain)
{
    const rv_net_value x = *find(n, from);
    const int dim[4] = {out / n->divide, x.h > 0 ? x.c * x.h * x.w : x.c};
    put_weights(n, DENSE, name, dim, 2, true, gain);
    if (is_onnx(n)) {
        char in[4 * RV_NET_NAME];
        snprintf(in, sizeof in, "%s,%s/weight,%s/bias", flatten(n, name, &x), name, name);
        put_node(n, "Gemm", name, in, name);
        fprintf(n->text, " transB=1\n");
    } else {
        put_layer(n, DENSE, name, &from, 1, name, " inner_product_param { num_output: %d }",
                  dim[0]);
    }
    make(n, name, dim[0], 0, 0);
}

/* A layer in place: its value has another name in ONNX. */
static void put_in_place(rv_net *n, const char *op, int type, const char *name, const char *at,
                         const char *param)
{
    rv_net_value *x = find(n, at);
    if (is_onnx(n)) {
        put_node(n, op, name, x->onnx, name);
        fprintf(n->text, "\n");
    } else {
        put_layer(n, type, name, &at, 1, at, "%s", param);
    }
    snprintf(x->onnx, sizeof x->onnx, "%s", name);
}

void rv_net_relu(rv_net *n, const char *name, const char *at)
{
    put_in_place(n, "Relu", RELU, name, at, "");
}

void rv_net_dropout(rv_net *n, const char *name, const char *at, double p)
{
    rv_net_value *x = find(n, at);
    if (!is_onnx(n)) {
        put_in_place(n, "", DROPOUT, name, at,
                     rv_net_name(" dropout_param { dropout_ratio: %g }", p));
        return;
    }
    const char *in = x->onnx;
    if (n->style != RV_NET_MXNET) {
        fprintf(n->text, "float %s/ratio = %g\n", name, p);
        in = rv_net_name("%s,%s/ratio", x->onnx, name);
    }
    put_node(n, "Dropout", name, in, rv_net_name("%s,%s/mask", name, name));
    fprintf(n->text, n->style == RV_NET_MXNET ? " ratio=%.2f\n" : "\n", p);
    snprintf(x->onnx, sizeof x->onnx, "%s", name);
}

void rv_net_lrn(rv_net *n, const char *name, const char *from, int size, double alpha)
{
    const rv_net_value x = *find(n, from);
    if (is_onnx(n)) {
        put_node(n, "LRN", name, x.onnx, name);
        fprintf(n->text, " size=%d alpha=%.9f beta=0.75 bias=1.0\n", size, alpha);
    } else {
        put_layer(n, LRN, name, &from, 1, name,
                  " lrn_param { local_size: %d alpha: %g beta: 0.75 }", size, alpha);
    }
    make(n, name, x.c, x.h, x.w);
}

/* Windows along an axis; *behind: pixels that the last reaches beyond the padding. */
static int count_windows(const rv_net *n, int size, int kernel, int stride, int pad, int *behind)
{
    const int room = size + 2 * pad - kernel;
    const bool down = is_onnx(n) && n->style == RV_NET_MXNET;
    int out = (down ? room / stride : (room + stride - 1) / stride) + 1;
    if (pad > 0 && (out - 1) * stride >= size + pad) {
        out--;
    }
    *behind = down ? 0 : (out - 1) * stride - room;
    return out;
}

void rv_net_pool(rv_net *n, const char *name, const char *from, bool max, int kernel, int stride,
                 int pad)
{
    const rv_net_value x = *find(n, from);
    int behind;
    const int out = count_windows(n, x.h, kernel, stride, pad, &behind);
    cr_assert_eq(x.h, x.w);
    if (is_onnx(n)) {
        const int end = n->style == RV_NET_CAFFE2 && behind > 0 ? pad + behind : pad;
        put_node(n, max ? "MaxPool" : "AveragePool", name, x.onnx, name);
        fprintf(n->text, " kernel_shape=%d,%d strides=%d,%d pads=%d,%d,%d,%d%s\n", kernel, kernel,
                stride, stride, pad, pad, end, end, n->style == RV_NET_TORCH ? " ceil_mode=1" : "");
    } else {
        put_layer(n, POOL, name, &from, 1, name,
                  "\n  pooling_param { pool: %s kernel_size: %d stride: %d pad: %d }",
                  max ? "MAX" : "AVE", kernel, stride, pad);
    }
    make(n, name, x.c, out, out);
}

void rv_net_global(rv_net *n, const char *name, const char *from)
{
    const rv_net_value x = *find(n, from);
    if (!is_onnx(n)) {
        rv_net_pool(n, name, from, false, x.h, 1, 0);
        return;
    }
    put_node(n, "GlobalAveragePool", name, x.onnx, name);
    fprintf(n->text, "\n");
    make(n, name, x.c, 1, 1);
}

void rv_net_norm(rv_net *n, const char *norm, const char *scale, const char *at, double spread)
{
    static const float summed = 4; /* what Caffe divides its statistics by */
    rv_net_value *x = find(n, at);
    rv_message statistics = begin_weights(n, NORM, norm), factors = begin_weights(n, SCALE, scale);
    const int dim[4] = {x->c}, one[4] = {1};
    put_tensor(n, &statistics, rv_net_name("%s/mean", norm), dim, 1, 0, 0.5 * spread, summed);
    put_tensor(n, &statistics, rv_net_name("%s/variance", norm), dim, 1, spread * spread,
               0.5 * spread * spread, summed);
    put_tensor(n, &factors, rv_net_name("%s/weight", scale), dim, 1, 1, 0.5, 1);
    put_tensor(n, &factors, rv_net_name("%s/bias", scale), dim, 1, 0, 0.5, 1);
    if (is_onnx(n)) {
        char in[6 * RV_NET_NAME];
        snprintf(in, sizeof in, "%s,%s/weight,%s/bias,%s/mean,%s/variance", x->onnx, scale, scale,
                 norm, norm);
        put_node(n, "BatchNormalization", norm, in, norm);
        fprintf(n->text, " epsilon=0.00001%s\n",
                n->style == RV_NET_MXNET ? " momentum=0.9 spatial=1" : "");
        snprintf(x->onnx, sizeof x->onnx, "%s", norm);
        free(statistics.data);
        free(factors.data);
        return;
    }
    put_blob(n, &statistics, &summed, one, 1);
    end_weights(n, &statistics);
    end_weights(n, &factors);
    put_layer(n, NORM, norm, &at, 1, at, " batch_norm_param { use_global_stats: true }");
    put_layer(n, SCALE, scale, &at, 1, at, " scale_param { bias_term: true }");
}

void rv_net_add(rv_net *n, const char *name, const char *a, const char *b)
{
    const rv_net_value x = *find(n, a), y = *find(n, b);
    const char *const from[2] = {a, b};
    cr_assert(x.c == y.c && x.h == y.h, "%s: %dx%d and %dx%d", name, x.c, x.h, y.c, y.h);
    if (is_onnx(n)) {
        put_node(n, "Add", name, rv_net_name("%s,%s", x.onnx, y.onnx), name);
        fprintf(n->text, "\n");
    } else {
        put_layer(n, ELTWISE, name, from, 2, name, "%s", "");
    }
    make(n, name, x.c, x.h, x.w);
}

void rv_net_concat(rv_net *n, const char *name, const char *const *from, int count)
{
    char in[8 * RV_NET_NAME] = "";
    int c = 0;
    for (int i = 0; i < count; i++) {
        const rv_net_value *x = find(n, from[i]);
        const size_t used = strlen(in);
        snprintf(in + used, sizeof in - used, "%s%s", i > 0 ? "," : "", x->onnx);
        c += x->c;
    }
    const rv_net_value x = *find(n, from[0]);
    if (is_onnx(n)) {
        put_node(n, "Concat", name, in, name);
        fprintf(n->text, " axis=1\n");
    } else {
        put_layer(n, CONCAT, name, from, count, name, "%s", "");
    }
    make(n, name, c, x.h, x.w);
}

void rv_net_softmax(rv_net *n, const char *name, const char *from)
{
    const rv_net_value x = *find(n, from);
    if (is_onnx(n)) {
        put_node(n, "Softmax", name, x.onnx, name);
        fprintf(n->text, " axis=1\n");
    } else {
        put_layer(n, SOFTMAX, name, &from, 1, name, "%s", "");
    }
    make(n, name, x.c, x.h, x.w);
}
