/* Layers of Caffe as operations: one function for each type, and the table of types in both generations. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/caffe_import.h"

#include <stdlib.h>
#include <string.h>

rv_status rv_caffe_refuse(const rv_caffe_importer *im, const rv_caffe_source *s, const char *what)
{
    return rv_prototxt_fail(im->doc, s->param != RV_PROTOTXT_NONE ? s->param : s->message,
                            RV_ERR_UNSUPPORTED, "layer '%.100s': Reverie does not run %s", s->name,
                            what);
}

/* Starts a layer of operation `op` with the bottoms and tops of the file. */
rv_status rv_caffe_start(rv_caffe_importer *im, const rv_caffe_source *s, const char *op,
                         rv_layer **out)
{
    const rv_prototxt *doc = im->doc;
    rv_layer *layer;
    RV_TRY(rv_network_layer(&layer, im->network, op, s->name, doc->fields[s->message].line));
    for (size_t i = 0; (i = rv_prototxt_find(doc, s->message, "bottom", i)) != 0;
         i = doc->fields[i].end) {
        RV_TRY(rv_names_add(&layer->inputs, doc->fields[i].text));
    }
    for (size_t i = 0; (i = rv_prototxt_find(doc, s->message, "top", i)) != 0;
         i = doc->fields[i].end) {
        RV_TRY(rv_names_add(&layer->outputs, doc->fields[i].text));
    }
    if (layer->inputs.n == 0) {
        return rv_prototxt_fail(doc, s->message, RV_ERR_FORMAT, "layer '%.100s' has no bottom",
                                s->name);
    }
    if (op != NULL && layer->outputs.n != 1) {
        return rv_prototxt_fail(doc, s->message, RV_ERR_FORMAT,
                                "layer '%.100s' has %zu tops, where one is expected", s->name,
                                layer->outputs.n);
    }
    *out = layer;
    return RV_OK;
}

/* Rows and columns of a geometry that Caffe writes as one number, two, or by _h and _w. */
static rv_status read_pair(const rv_caffe_importer *im, const rv_caffe_source *s, int32_t out[2],
                           const char *name, const char *name_h, const char *name_w,
                           int32_t initial)
{
    const rv_prototxt *doc = im->doc;
    int n = 0;
    out[0] = out[1] = initial;
    for (size_t i = 0; (i = rv_prototxt_find(doc, s->param, name, i)) != 0;
         i = doc->fields[i].end, n++) {
        if (n == 2) {
            return rv_caffe_refuse(im, s, "more than two dimensions");
        }
        out[n] = (int32_t)strtol(doc->fields[i].text, NULL, 0);
        out[1] = out[n];
    }
    if (name_h != NULL) {
        out[0] = rv_prototxt_int(doc, s->param, name_h, out[0]);
        out[1] = rv_prototxt_int(doc, s->param, name_w, out[1]);
    }
    return RV_OK;
}

typedef struct window {
    int32_t kernel[2], stride[2], pad[2];
} window;

static rv_status read_window(const rv_caffe_importer *im, const rv_caffe_source *s, window *out,
                             bool needs_kernel)
{
    RV_TRY(read_pair(im, s, out->kernel, "kernel_size", "kernel_h", "kernel_w", 0));
    RV_TRY(read_pair(im, s, out->stride, "stride", "stride_h", "stride_w", 1));
    RV_TRY(read_pair(im, s, out->pad, "pad", "pad_h", "pad_w", 0));
    if (needs_kernel && (out->kernel[0] < 1 || out->kernel[1] < 1)) {
        return rv_prototxt_fail(im->doc, s->message, RV_ERR_FORMAT,
                                "layer '%.100s' has no kernel_size", s->name);
    }
    return RV_OK;
}

static void set_window(rv_layer *layer, const window *w)
{
    rv_layer_set(layer, RV_SET_INT2("kernel", w->kernel[0], w->kernel[1]));
    rv_layer_set(layer, RV_SET_INT2("stride", w->stride[0], w->stride[1]));
    rv_layer_set(layer, RV_SET_INT4("pads", w->pad[0], w->pad[1], w->pad[0], w->pad[1]));
}

static rv_status read_outputs(const rv_caffe_importer *im, const rv_caffe_source *s, int32_t *out)
{
    *out = rv_prototxt_int(im->doc, s->param, "num_output", 0);
    if (*out < 1) {
        return rv_prototxt_fail(im->doc, s->message, RV_ERR_FORMAT,
                                "layer '%.100s' has no num_output above 0", s->name);
    }
    return RV_OK;
}

static rv_status check_axis(const rv_caffe_importer *im, const rv_caffe_source *s, const char *name)
{
    const int32_t axis = rv_prototxt_int(im->doc, s->param, name, 1);
    return axis == 1 || axis == -3 ? RV_OK : rv_caffe_refuse(im, s, "another axis than 1");
}

static rv_status add_convolution(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    window w;
    int32_t num_output, dilation[2];
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(read_outputs(im, s, &num_output));
    RV_TRY(read_window(im, s, &w, true));
    RV_TRY(read_pair(im, s, dilation, "dilation", NULL, NULL, 1));
    RV_TRY(rv_caffe_start(im, s, "conv", &layer));
    set_window(layer, &w);
    rv_layer_set(layer, RV_SET_INT("num_output", num_output));
    rv_layer_set(layer, RV_SET_INT2("dilation", dilation[0], dilation[1]));
    rv_layer_set(layer, RV_SET_INT("groups", rv_prototxt_int(im->doc, s->param, "group", 1)));
    rv_layer_set(layer, RV_SET_INT("bias", rv_prototxt_bool(im->doc, s->param, "bias_term", true)));
    return RV_OK;
}

static rv_status add_inner_product(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    int32_t num_output;
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(read_outputs(im, s, &num_output));
    if (rv_prototxt_bool(im->doc, s->param, "transpose", false)) {
        return rv_caffe_refuse(im, s, "transposed weights");
    }
    RV_TRY(rv_caffe_start(im, s, "dense", &layer));
    rv_layer_set(layer, RV_SET_INT("num_output", num_output));
    rv_layer_set(layer, RV_SET_INT("bias", rv_prototxt_bool(im->doc, s->param, "bias_term", true)));
    return RV_OK;
}

/* Caffe rounds the size up, and counts padding in averages, but not what lies beyond it. */
static rv_status add_pooling(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    window w;
    const char *pool = rv_prototxt_text(im->doc, s->param, "pool", "MAX");
    const char *round = rv_prototxt_text(im->doc, s->param, "round_mode", "CEIL");
    const bool global = rv_prototxt_bool(im->doc, s->param, "global_pooling", false);
    const bool max = strcmp(pool, "MAX") == 0 || strcmp(pool, "0") == 0;
    if (!max && strcmp(pool, "AVE") != 0 && strcmp(pool, "1") != 0) {
        return rv_caffe_refuse(im, s, "pooling other than MAX and AVE");
    }
    RV_TRY(read_window(im, s, &w, !global));
    const char *op = max ? "max_pool" : "average_pool";
    RV_TRY(rv_caffe_start(im, s, op, &layer));
    if (global) {
        rv_layer_set(layer, RV_SET_INT("global", 1));
        return RV_OK;
    }
    set_window(layer, &w);
    rv_layer_set(layer,
                 RV_SET_INT("ceil_mode", strcmp(round, "CEIL") == 0 || strcmp(round, "0") == 0));
    if (!max) {
        rv_layer_set(layer, RV_SET_INT("count_include_pad", 1));
    }
    return RV_OK;
}

static rv_status add_relu(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    const double slope = rv_prototxt_float(im->doc, s->param, "negative_slope", 0.0);
    RV_TRY(rv_caffe_start(im, s, slope == 0.0 ? "relu" : "leaky_relu", &layer));
    if (slope != 0.0) {
        rv_layer_set(layer, RV_SET_FLOAT("slope", slope));
    }
    return RV_OK;
}

static rv_status add_lrn(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    const rv_prototxt *doc = im->doc;
    const char *region = rv_prototxt_text(doc, s->param, "norm_region", "ACROSS_CHANNELS");
    const bool within = strcmp(region, "WITHIN_CHANNEL") == 0 || strcmp(region, "1") == 0;
    if (!within && strcmp(region, "ACROSS_CHANNELS") != 0 && strcmp(region, "0") != 0) {
        return rv_caffe_refuse(im, s, "a norm_region other than ACROSS_CHANNELS, WITHIN_CHANNEL");
    }
    RV_TRY(rv_caffe_start(im, s, "lrn", &layer));
    rv_layer_set(layer, RV_SET_INT("size", rv_prototxt_int(doc, s->param, "local_size", 5)));
    rv_layer_set(layer, RV_SET_FLOAT("alpha", rv_prototxt_float(doc, s->param, "alpha", 1.0)));
    rv_layer_set(layer, RV_SET_FLOAT("beta", rv_prototxt_float(doc, s->param, "beta", 0.75)));
    /* Within a channel Caffe adds 1, whatever k is. */
    rv_layer_set(layer,
                 RV_SET_FLOAT("k", within ? 1.0 : rv_prototxt_float(doc, s->param, "k", 1.0)));
    if (within) {
        rv_layer_set(layer, RV_SET_ENUM("region", "within"));
    }
    return RV_OK;
}

static rv_status add_concat(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(check_axis(im, s, "concat_dim"));
    return rv_caffe_start(im, s, "concat", &layer);
}

/* Factors of a sum: how many the file gives, the first two, and whether all are 1. */
static void read_factors(const rv_caffe_importer *im, const rv_caffe_source *s, double factors[2],
                         size_t *n, bool *plain)
{
    const rv_prototxt *doc = im->doc;
    *n = 0;
    *plain = true;
    for (size_t i = 0; (i = rv_prototxt_find(doc, s->param, "coeff", i)) != 0;
         i = doc->fields[i].end) {
        const double value = rv_strtod(doc->fields[i].text, NULL);
        if (*n < 2) {
            factors[*n] = value;
        }
        *plain = *plain && value == 1.0;
        ++*n;
    }
}

static rv_status add_eltwise(rv_caffe_importer *im, const rv_caffe_source *s)
{
    static const char *const names[] = {"PROD", "SUM", "MAX"}, *const numbers[] = {"0", "1", "2"};
    static const char *const ops[] = {"multiply", "add", "maximum"};
    rv_layer *layer;
    double factors[2] = {1, 1};
    size_t n = 0;
    bool plain = true;
    int kind = 0;
    const char *operation = rv_prototxt_text(im->doc, s->param, "operation", "SUM");
    while (kind < 3 && strcmp(operation, names[kind]) != 0 &&
           strcmp(operation, numbers[kind]) != 0) {
        kind++;
    }
    if (kind == 3) {
        return rv_caffe_refuse(im, s, "element-wise layers other than SUM, PROD and MAX");
    }
    if (kind == 1) {
        read_factors(im, s, factors, &n, &plain);
    }
    RV_TRY(rv_caffe_start(im, s, plain ? ops[kind] : "weighted_add", &layer));
    if (n != 0 && n != layer->inputs.n) {
        return rv_prototxt_fail(im->doc, s->param, RV_ERR_FORMAT,
                                "layer '%.100s' has %zu coefficients for %zu bottoms", s->name, n,
                                layer->inputs.n);
    }
    if ((kind != 1 || !plain) && layer->inputs.n != 2) {
        return rv_caffe_refuse(im, s, "PROD, MAX and sums with coefficients of other than two");
    }
    if (!plain) {
        rv_layer_set(layer, RV_SET_FLOAT2("factors", factors[0], factors[1]));
    }
    return RV_OK;
}

static rv_status add_softmax(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    return rv_caffe_start(im, s, "softmax", &layer);
}

/* A loss in training; in the test phase its softmax gives the scores. */
static rv_status add_softmax_loss(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(rv_network_layer(&layer, im->network, "softmax", s->name,
                            im->doc->fields[s->message].line));
    const char *bottom = rv_prototxt_text(im->doc, s->message, "bottom", "");
    RV_TRY(rv_names_add(&layer->inputs, bottom));
    return rv_names_add(&layer->outputs, rv_prototxt_text(im->doc, s->message, "top", s->name));
}

static rv_status add_dropout(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    if (!rv_prototxt_bool(im->doc, s->param, "scale_train", true)) {
        return rv_caffe_refuse(im, s, "dropout that scales in use instead of in training");
    }
    RV_TRY(rv_caffe_start(im, s, "dropout", &layer));
    rv_layer_set(layer,
                 RV_SET_FLOAT("ratio", rv_prototxt_float(im->doc, s->param, "dropout_ratio", 0.5)));
    return RV_OK;
}

static rv_status add_batch_norm(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    RV_TRY(rv_caffe_start(im, s, "batch_norm", &layer));
    rv_layer_set(layer, RV_SET_FLOAT("epsilon", rv_prototxt_float(im->doc, s->param, "eps", 1e-5)));
    return RV_OK;
}

static rv_status add_scale(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    if (rv_prototxt_int(im->doc, s->param, "num_axes", 1) != 1) {
        return rv_caffe_refuse(im, s, "scaling over more than the channels");
    }
    RV_TRY(rv_caffe_start(im, s, "scale", &layer));
    rv_layer_set(layer,
                 RV_SET_INT("bias", rv_prototxt_bool(im->doc, s->param, "bias_term", false)));
    return RV_OK;
}

static rv_status add_sigmoid(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    return rv_caffe_start(im, s, "sigmoid", &layer);
}

static rv_status add_tanh(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    return rv_caffe_start(im, s, "tanh", &layer);
}

static rv_status add_elu(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    RV_TRY(rv_caffe_start(im, s, "elu", &layer));
    rv_layer_set(layer, RV_SET_FLOAT("alpha", rv_prototxt_float(im->doc, s->param, "alpha", 1.0)));
    return RV_OK;
}

static rv_status add_prelu(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    if (rv_prototxt_bool(im->doc, s->param, "channel_shared", false)) {
        return rv_caffe_refuse(im, s, "a slope that all channels share");
    }
    return rv_caffe_start(im, s, "prelu", &layer);
}

static rv_status add_split(rv_caffe_importer *im, const rv_caffe_source *s)
{
    rv_layer *layer;
    return rv_caffe_start(im, s, NULL, &layer);
}

typedef struct layer_type {
    const char *name;
    const char *v1;    /* name in the enum of the older format, NULL: not in it */
    rv_caffe_add *add; /* NULL: nothing of the network's own */
    const char *param;
} layer_type;

static const layer_type types[] = {
    {"Convolution", "CONVOLUTION", add_convolution, "convolution_param"},
    {"InnerProduct", "INNER_PRODUCT", add_inner_product, "inner_product_param"},
    {"Pooling", "POOLING", add_pooling, "pooling_param"},
    {"ReLU", "RELU", add_relu, "relu_param"},
    {"Sigmoid", "SIGMOID", add_sigmoid, ""},
    {"TanH", "TANH", add_tanh, ""},
    {"ELU", NULL, add_elu, "elu_param"},
    {"PReLU", NULL, add_prelu, "prelu_param"},
    {"LRN", "LRN", add_lrn, "lrn_param"},
    {"Concat", "CONCAT", add_concat, "concat_param"},
    {"Eltwise", "ELTWISE", add_eltwise, "eltwise_param"},
    {"Softmax", "SOFTMAX", add_softmax, "softmax_param"},
    {"Dropout", "DROPOUT", add_dropout, "dropout_param"},
    {"BatchNorm", NULL, add_batch_norm, "batch_norm_param"},
    {"Scale", NULL, add_scale, "scale_param"},
    {"Split", "SPLIT", add_split, ""},
    {"Input", NULL, rv_caffe_add_input, "input_param"},
    {"Data", "DATA", rv_caffe_add_data, ""},
    {"ImageData", "IMAGE_DATA", rv_caffe_add_data, ""},
    {"MemoryData", "MEMORY_DATA", rv_caffe_add_data, ""},
    {"HDF5Data", "HDF5_DATA", rv_caffe_add_data, ""},
    {"WindowData", "WINDOW_DATA", rv_caffe_add_data, ""},
    {"DummyData", "DUMMY_DATA", rv_caffe_add_data, ""},
    {"Silence", "SILENCE", NULL, ""},
    {"Accuracy", "ACCURACY", NULL, ""},
    {"HDF5Output", "HDF5_OUTPUT", NULL, ""},
    {"SoftmaxWithLoss", "SOFTMAX_LOSS", add_softmax_loss, "softmax_param"},
    {"EuclideanLoss", "EUCLIDEAN_LOSS", NULL, ""},
    {"HingeLoss", "HINGE_LOSS", NULL, ""},
    {"ContrastiveLoss", "CONTRASTIVE_LOSS", NULL, ""},
    {"InfogainLoss", "INFOGAIN_LOSS", NULL, ""},
    {"MultinomialLogisticLoss", "MULTINOMIAL_LOGISTIC_LOSS", NULL, ""},
    {"SigmoidCrossEntropyLoss", "SIGMOID_CROSS_ENTROPY_LOSS", NULL, ""},
};

enum { N_TYPES = sizeof types / sizeof types[0] };

static rv_status find_type(const rv_caffe_importer *im, const rv_caffe_source *s, bool v1,
                           size_t *out)
{
    const rv_prototxt *doc = im->doc;
    const char *name = rv_prototxt_text(doc, s->message, "type", NULL);
    if (name == NULL) {
        return rv_prototxt_fail(doc, s->message, RV_ERR_FORMAT, "layer '%.100s' has no type",
                                s->name);
    }
    const char *names[N_TYPES];
    for (size_t i = 0; i < N_TYPES; i++) {
        names[i] = v1 && types[i].v1 != NULL ? types[i].v1 : types[i].name;
        if (strcmp(names[i], name) == 0) {
            *out = i;
            return RV_OK;
        }
    }
    return rv_prototxt_fail(doc, s->message, RV_ERR_UNSUPPORTED,
                            "layer '%.100s' is of type '%.60s', which Reverie does not run; the "
                            "nearest it knows is '%s'",
                            s->name, name, names[rv_nearest(name, names, N_TYPES)]);
}

rv_status rv_caffe_layer(rv_caffe_importer *im, size_t message, const char *name, bool v1)
{
    size_t type = 0;
    rv_caffe_source s = {message, name, RV_PROTOTXT_NONE};
    RV_TRY(find_type(im, &s, v1, &type));
    s.param = rv_prototxt_find(im->doc, message, types[type].param, 0);
    return types[type].add != NULL ? types[type].add(im, &s) : RV_OK;
}
