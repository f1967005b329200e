/* Reads a Caffe network from its prototxt: `layer` and the older `layers`, in the test phase. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/text.h"
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>

/* Text beyond this is no description of a network. */
static const size_t max_file_bytes = (size_t)64 << 20;

typedef struct importer {
    const rv_prototxt *doc;
    rv_network *network;
} importer;

/* The layer that is read: its message, name, and message of parameters. */
typedef struct source {
    size_t message;
    const char *name;
    size_t param;
} source;

static rv_status fail_unsupported(const importer *im, const source *s, const char *what)
{
    return rv_prototxt_fail(im->doc, s->param != RV_PROTOTXT_NONE ? s->param : s->message,
                            RV_ERR_UNSUPPORTED, "layer '%.100s': Reverie does not run %s", s->name,
                            what);
}

/* Starts a layer of operation `op` with the bottoms and tops of the file. */
static rv_status add_layer(importer *im, const source *s, const char *op, rv_layer **out)
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
static rv_status read_pair(const importer *im, const source *s, int32_t out[2], const char *name,
                           const char *name_h, const char *name_w, int32_t initial)
{
    const rv_prototxt *doc = im->doc;
    int n = 0;
    out[0] = out[1] = initial;
    for (size_t i = 0; (i = rv_prototxt_find(doc, s->param, name, i)) != 0;
         i = doc->fields[i].end, n++) {
        if (n == 2) {
            return fail_unsupported(im, s, "more than two dimensions");
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

static rv_status read_window(const importer *im, const source *s, window *out, bool needs_kernel)
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

static rv_status read_outputs(const importer *im, const source *s, int32_t *out)
{
    *out = rv_prototxt_int(im->doc, s->param, "num_output", 0);
    if (*out < 1) {
        return rv_prototxt_fail(im->doc, s->message, RV_ERR_FORMAT,
                                "layer '%.100s' has no num_output above 0", s->name);
    }
    return RV_OK;
}

static rv_status check_axis(const importer *im, const source *s, const char *name)
{
    const int32_t axis = rv_prototxt_int(im->doc, s->param, name, 1);
    return axis == 1 || axis == -3 ? RV_OK : fail_unsupported(im, s, "another axis than 1");
}

static rv_status add_convolution(importer *im, const source *s)
{
    rv_layer *layer;
    window w;
    int32_t num_output, dilation[2];
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(read_outputs(im, s, &num_output));
    RV_TRY(read_window(im, s, &w, true));
    RV_TRY(read_pair(im, s, dilation, "dilation", NULL, NULL, 1));
    RV_TRY(add_layer(im, s, "conv", &layer));
    set_window(layer, &w);
    rv_layer_set(layer, RV_SET_INT("num_output", num_output));
    rv_layer_set(layer, RV_SET_INT2("dilation", dilation[0], dilation[1]));
    rv_layer_set(layer, RV_SET_INT("groups", rv_prototxt_int(im->doc, s->param, "group", 1)));
    rv_layer_set(layer, RV_SET_INT("bias", rv_prototxt_bool(im->doc, s->param, "bias_term", true)));
    return RV_OK;
}

static rv_status add_inner_product(importer *im, const source *s)
{
    rv_layer *layer;
    int32_t num_output;
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(read_outputs(im, s, &num_output));
    if (rv_prototxt_bool(im->doc, s->param, "transpose", false)) {
        return fail_unsupported(im, s, "transposed weights");
    }
    RV_TRY(add_layer(im, s, "dense", &layer));
    rv_layer_set(layer, RV_SET_INT("num_output", num_output));
    rv_layer_set(layer, RV_SET_INT("bias", rv_prototxt_bool(im->doc, s->param, "bias_term", true)));
    return RV_OK;
}

/* Caffe rounds the size up, and counts padding in averages, but not what lies beyond it. */
static rv_status add_pooling(importer *im, const source *s)
{
    rv_layer *layer;
    window w;
    const char *pool = rv_prototxt_text(im->doc, s->param, "pool", "MAX");
    const char *round = rv_prototxt_text(im->doc, s->param, "round_mode", "CEIL");
    const bool global = rv_prototxt_bool(im->doc, s->param, "global_pooling", false);
    const bool max = strcmp(pool, "MAX") == 0 || strcmp(pool, "0") == 0;
    if (!max && strcmp(pool, "AVE") != 0 && strcmp(pool, "1") != 0) {
        return fail_unsupported(im, s, "pooling other than MAX and AVE");
    }
    RV_TRY(read_window(im, s, &w, !global));
    const char *op = max ? "max_pool" : "average_pool";
    RV_TRY(add_layer(im, s, op, &layer));
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

static rv_status add_relu(importer *im, const source *s)
{
    rv_layer *layer;
    const double slope = rv_prototxt_float(im->doc, s->param, "negative_slope", 0.0);
    RV_TRY(add_layer(im, s, slope == 0.0 ? "relu" : "leaky_relu", &layer));
    if (slope != 0.0) {
        rv_layer_set(layer, RV_SET_FLOAT("slope", slope));
    }
    return RV_OK;
}

static rv_status add_lrn(importer *im, const source *s)
{
    rv_layer *layer;
    const rv_prototxt *doc = im->doc;
    const char *region = rv_prototxt_text(doc, s->param, "norm_region", "ACROSS_CHANNELS");
    if (strcmp(region, "ACROSS_CHANNELS") != 0 && strcmp(region, "0") != 0) {
        return fail_unsupported(im, s, "normalisation within channels");
    }
    RV_TRY(add_layer(im, s, "lrn", &layer));
    rv_layer_set(layer, RV_SET_INT("size", rv_prototxt_int(doc, s->param, "local_size", 5)));
    rv_layer_set(layer, RV_SET_FLOAT("alpha", rv_prototxt_float(doc, s->param, "alpha", 1.0)));
    rv_layer_set(layer, RV_SET_FLOAT("beta", rv_prototxt_float(doc, s->param, "beta", 0.75)));
    rv_layer_set(layer, RV_SET_FLOAT("k", rv_prototxt_float(doc, s->param, "k", 1.0)));
    return RV_OK;
}

static rv_status add_concat(importer *im, const source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(check_axis(im, s, "concat_dim"));
    return add_layer(im, s, "concat", &layer);
}

static rv_status add_eltwise(importer *im, const source *s)
{
    rv_layer *layer;
    const rv_prototxt *doc = im->doc;
    const char *operation = rv_prototxt_text(doc, s->param, "operation", "SUM");
    if (strcmp(operation, "SUM") != 0 && strcmp(operation, "1") != 0) {
        return fail_unsupported(im, s, "element-wise layers other than SUM");
    }
    for (size_t i = 0; (i = rv_prototxt_find(doc, s->param, "coeff", i)) != 0;
         i = doc->fields[i].end) {
        if (rv_strtod(doc->fields[i].text, NULL) != 1.0) {
            return fail_unsupported(im, s, "sums with coefficients other than 1");
        }
    }
    return add_layer(im, s, "add", &layer);
}

static rv_status add_softmax(importer *im, const source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    return add_layer(im, s, "softmax", &layer);
}

/* A loss in training; in the test phase its softmax gives the scores. */
static rv_status add_softmax_loss(importer *im, const source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    RV_TRY(rv_network_layer(&layer, im->network, "softmax", s->name,
                            im->doc->fields[s->message].line));
    const char *bottom = rv_prototxt_text(im->doc, s->message, "bottom", "");
    RV_TRY(rv_names_add(&layer->inputs, bottom));
    return rv_names_add(&layer->outputs, rv_prototxt_text(im->doc, s->message, "top", s->name));
}

static rv_status add_dropout(importer *im, const source *s)
{
    rv_layer *layer;
    RV_TRY(add_layer(im, s, "dropout", &layer));
    rv_layer_set(layer,
                 RV_SET_FLOAT("ratio", rv_prototxt_float(im->doc, s->param, "dropout_ratio", 0.5)));
    return RV_OK;
}

static rv_status add_batch_norm(importer *im, const source *s)
{
    rv_layer *layer;
    RV_TRY(add_layer(im, s, "batch_norm", &layer));
    rv_layer_set(layer, RV_SET_FLOAT("epsilon", rv_prototxt_float(im->doc, s->param, "eps", 1e-5)));
    return RV_OK;
}

static rv_status add_scale(importer *im, const source *s)
{
    rv_layer *layer;
    RV_TRY(check_axis(im, s, "axis"));
    if (rv_prototxt_int(im->doc, s->param, "num_axes", 1) != 1) {
        return fail_unsupported(im, s, "scaling over more than the channels");
    }
    RV_TRY(add_layer(im, s, "scale", &layer));
    rv_layer_set(layer,
                 RV_SET_INT("bias", rv_prototxt_bool(im->doc, s->param, "bias_term", false)));
    return RV_OK;
}

static rv_status add_split(importer *im, const source *s)
{
    rv_layer *layer;
    return add_layer(im, s, NULL, &layer);
}

/* What Caffe's examples with digits take: no file of theirs says so. */
static const rv_preprocessing grey = {false, 1, {0, 0, 0}, {1, 1, 1}};

/* N,C,H,W of the network's input, from messages that hold `dim`s or `input_dim`s. */
static rv_status set_input(importer *im, size_t at, size_t in, const char *dim, const char *name)
{
    const rv_prototxt *doc = im->doc;
    int32_t size[4] = {0};
    int n = 0;
    for (size_t i = 0; n < 4 && (i = rv_prototxt_find(doc, in, dim, i)) != 0;
         i = doc->fields[i].end) {
        size[n++] = (int32_t)strtol(doc->fields[i].text, NULL, 0);
    }
    if (n < 4 || (size[1] != 3 && size[1] != 1) || size[2] < 1 || size[3] < 1) {
        return rv_prototxt_fail(doc, at, RV_ERR_UNSUPPORTED,
                                "input '%.100s' is %dx%dx%dx%d, but has to be Nx3xHxW or Nx1xHxW",
                                name, (int)size[0], (int)size[1], (int)size[2], (int)size[3]);
    }
    if (size[1] == 1) {
        im->network->preprocessing = grey;
    }
    return rv_network_set_input(im->network, name, size[1], size[2], size[3]);
}

static rv_status add_input(importer *im, const source *s)
{
    const char *top = rv_prototxt_text(im->doc, s->message, "top", s->name);
    const size_t shape = rv_prototxt_find(im->doc, s->param, "shape", 0);
    return im->network->input != NULL ? RV_OK : set_input(im, s->message, shape, "dim", top);
}

/* A layer that reads a data set stands for the input; it knows crop size and mean. */
static rv_status add_data(importer *im, const source *s)
{
    const rv_prototxt *doc = im->doc;
    const size_t t = rv_prototxt_find(doc, s->message, "transform_param", 0);
    const int32_t size = rv_prototxt_int(doc, t, "crop_size", 0);
    const float scale = (float)rv_prototxt_float(doc, t, "scale", 1.0);
    if (im->network->input != NULL) {
        return RV_OK;
    }
    if (size < 1) {
        return rv_prototxt_fail(doc, s->message, RV_ERR_UNSUPPORTED,
                                "layer '%.100s' does not say the size of its pictures; put "
                                "input_shape into the file instead",
                                s->name);
    }
    rv_preprocessing *p = &im->network->preprocessing;
    int n = 0;
    for (size_t i = 0; n < 3 && (i = rv_prototxt_find(doc, t, "mean_value", i)) != 0;
         i = doc->fields[i].end) {
        p->mean[n++] = (float)rv_strtod(doc->fields[i].text, NULL);
    }
    p->range *= scale;
    for (int c = 2; c >= 0; c--) {
        p->mean[c] = p->mean[n == 1 ? 0 : c] * scale;
    }
    return rv_network_set_input(im->network, rv_prototxt_text(doc, s->message, "top", s->name), 3,
                                size, size);
}

typedef struct layer_type {
    const char *name;
    const char *v1; /* name in the enum of the older format, NULL: not in it */
    rv_status (*add)(importer *im, const source *s); /* NULL: nothing of the network's own */
    const char *param;
} layer_type;

static const layer_type types[] = {
    {"Convolution", "CONVOLUTION", add_convolution, "convolution_param"},
    {"InnerProduct", "INNER_PRODUCT", add_inner_product, "inner_product_param"},
    {"Pooling", "POOLING", add_pooling, "pooling_param"},
    {"ReLU", "RELU", add_relu, "relu_param"},
    {"LRN", "LRN", add_lrn, "lrn_param"},
    {"Concat", "CONCAT", add_concat, "concat_param"},
    {"Eltwise", "ELTWISE", add_eltwise, "eltwise_param"},
    {"Softmax", "SOFTMAX", add_softmax, "softmax_param"},
    {"Dropout", "DROPOUT", add_dropout, "dropout_param"},
    {"BatchNorm", NULL, add_batch_norm, "batch_norm_param"},
    {"Scale", NULL, add_scale, "scale_param"},
    {"Split", "SPLIT", add_split, ""},
    {"Input", NULL, add_input, "input_param"},
    {"Data", "DATA", add_data, ""},
    {"ImageData", "IMAGE_DATA", add_data, ""},
    {"MemoryData", "MEMORY_DATA", add_data, ""},
    {"HDF5Data", "HDF5_DATA", add_data, ""},
    {"WindowData", "WINDOW_DATA", add_data, ""},
    {"DummyData", "DUMMY_DATA", add_data, ""},
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

static rv_status find_type(const importer *im, const source *s, bool v1, size_t *out)
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

/* Whether a rule holds in the test phase at level 0 without stages. */
static bool rule_holds(const rv_prototxt *doc, size_t rule)
{
    const char *phase = rv_prototxt_text(doc, rule, "phase", "TEST");
    return (strcmp(phase, "TEST") == 0 || strcmp(phase, "1") == 0) &&
           rv_prototxt_int(doc, rule, "min_level", 0) <= 0 &&
           rv_prototxt_int(doc, rule, "max_level", 0) >= 0 &&
           rv_prototxt_find(doc, rule, "stage", 0) == RV_PROTOTXT_NONE;
}

static bool is_included(const rv_prototxt *doc, size_t layer)
{
    bool any = false;
    for (size_t i = 0; (i = rv_prototxt_find(doc, layer, "include", i)) != 0;
         i = doc->fields[i].end) {
        if (rule_holds(doc, i)) {
            return true;
        }
        any = true;
    }
    for (size_t i = 0; (i = rv_prototxt_find(doc, layer, "exclude", i)) != 0;
         i = doc->fields[i].end) {
        any = any || rule_holds(doc, i);
    }
    return !any;
}

static rv_status import_layer(importer *im, size_t message, bool v1)
{
    size_t type = 0;
    source s = {message, rv_prototxt_text(im->doc, message, "name", ""), RV_PROTOTXT_NONE};
    if (!is_included(im->doc, message)) {
        return RV_OK;
    }
    if (rv_prototxt_find(im->doc, message, "layer", 0) != RV_PROTOTXT_NONE) {
        return rv_prototxt_fail(im->doc, message, RV_ERR_UNSUPPORTED,
                                "this is Caffe's oldest format; convert the file with "
                                "upgrade_net_proto_text");
    }
    if (s.name[0] == '\0') {
        return rv_prototxt_fail(im->doc, message, RV_ERR_FORMAT, "a layer has no name");
    }
    RV_TRY(find_type(im, &s, v1, &type));
    s.param = rv_prototxt_find(im->doc, message, types[type].param, 0);
    return types[type].add != NULL ? types[type].add(im, &s) : RV_OK;
}

static rv_status import(importer *im)
{
    const rv_prototxt *doc = im->doc;
    const size_t input = rv_prototxt_find(doc, RV_PROTOTXT_FILE, "input", 0);
    const size_t shape = rv_prototxt_find(doc, RV_PROTOTXT_FILE, "input_shape", 0);
    if (input != RV_PROTOTXT_NONE) {
        const char *name = doc->fields[input].text;
        RV_TRY(shape != RV_PROTOTXT_NONE
                   ? set_input(im, shape, shape, "dim", name)
                   : set_input(im, input, RV_PROTOTXT_FILE, "input_dim", name));
    }
    for (size_t i = RV_PROTOTXT_FILE + 1; i < doc->n; i = doc->fields[i].end) {
        const bool v1 = strcmp(doc->fields[i].name, "layers") == 0;
        if (v1 || strcmp(doc->fields[i].name, "layer") == 0) {
            RV_TRY(import_layer(im, i, v1));
        }
    }
    if (im->network->n_layers == 0) {
        return rv_fail(RV_ERR_FORMAT, "%s describes no layers", doc->file);
    }
    if (im->network->input == NULL) {
        return rv_fail(RV_ERR_FORMAT,
                       "%s has no input: it needs input and input_shape, or a layer "
                       "of type Input",
                       doc->file);
    }
    return RV_OK;
}

/* The VGG networks were trained with a mean of their own, which their files do not hold. */
static void set_mean(rv_network *network)
{
    if (strncmp(network->name, "VGG", 3) == 0 || strncmp(network->name, "vgg", 3) == 0) {
        network->preprocessing = rv_preprocessing_vgg;
    }
}

rv_status rv_caffe_parse(rv_network **out, const char *text, size_t size, const char *file)
{
    rv_prototxt doc;
    *out = NULL;
    importer im = {&doc, NULL};
    RV_TRY(rv_prototxt_parse(&doc, text, size, file));
    rv_status status = rv_prototxt_check(&doc, rv_caffe_rules);
    if (status == RV_OK) {
        const char *name = rv_prototxt_text(&doc, RV_PROTOTXT_FILE, "name", "network");
        status = rv_network_create(&im.network, name, file);
    }
    if (status == RV_OK) {
        set_mean(im.network);
        status = import(&im);
    }
    rv_prototxt_release(&doc);
    if (status != RV_OK) {
        rv_network_destroy(im.network);
        return status;
    }
    *out = im.network;
    return RV_OK;
}

rv_status rv_caffe_network(rv_network **out, const char *path)
{
    rv_bytes bytes;
    RV_TRY(rv_bytes_open(&bytes, path, max_file_bytes));
    const rv_status status = rv_caffe_parse(out, (const char *)bytes.data, bytes.size, path);
    rv_bytes_close(&bytes);
    return status;
}
