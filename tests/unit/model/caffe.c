/* The Caffe importer up to the list of layers: both generations, phases, inputs, and refusals. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define INPUT "input: 'data' input_shape { dim: 1 dim: 3 dim: 9 dim: 8 }\n"

static rv_network *parse(const char *text)
{
    rv_network *network;
    cr_assert_eq(rv_caffe_parse(&network, text, strlen(text), "a.prototxt"), RV_OK, "%s",
                 rv_error_message());
    return network;
}

static void refuses(const char *text, rv_status expected, const char *message)
{
    rv_network *network;
    cr_assert_eq(rv_caffe_parse(&network, text, strlen(text), "a.prototxt"), expected, "%s", text);
    cr_assert_null(network);
    cr_assert_str_eq(rv_error_message(), message);
}

static const rv_attr_value *attr(const rv_layer *layer, const char *name)
{
    for (size_t i = 0; i < layer->n_attrs; i++) {
        if (strcmp(layer->attrs[i].name, name) == 0) {
            return &layer->attrs[i];
        }
    }
    cr_assert_fail("'%s' has no %s", layer->name, name);
    return NULL;
}

static void has(const rv_layer *layer, const char *name, int count, double a, double b)
{
    const rv_attr_value *v = attr(layer, name);
    cr_assert_eq(v->count, count, "%s", name);
    cr_assert_float_eq(v->number[0], a, 0, "%s is %g", name, v->number[0]);
    cr_assert_float_eq(v->number[1], b, 0, "%s is %g", name, v->number[1]);
}

Test(caffe, a_new_layer_and_an_old_one_are_the_same)
{
    rv_network *net =
        parse("name: 'n' " INPUT "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' "
              "convolution_param { num_output: 4 kernel_size: 3 kernel_size: 5 "
              "stride: 2 pad_h: 1 pad_w: 2 dilation: 3 group: 1 bias_term: false } }\n"
              "layers { name: 'd' type: CONVOLUTION bottom: 'c' top: 'd' blobs_lr: 1 "
              "convolution_param { num_output: 4 kernel_h: 3 kernel_w: 5 stride_h: 2 "
              "stride_w: 2 pad_h: 1 pad_w: 2 dilation: 3 bias_term: false } }");
    cr_assert_str_eq(net->name, "n");
    cr_assert(net->height == 9 && net->width == 8 && net->channels == 3);
    cr_assert_eq(net->n_layers, 2);
    for (int i = 0; i < 2; i++) {
        const rv_layer *l = &net->layers[i];
        cr_assert_str_eq(l->op, "conv");
        cr_assert_eq(l->line, 2 + i);
        has(l, "num_output", 1, 4, 0);
        has(l, "kernel", 2, 3, 5);
        has(l, "stride", 2, 2, 2);
        has(l, "dilation", 2, 3, 3);
        has(l, "pads", 4, 1, 2);
        cr_assert(attr(l, "pads")->number[2] == 1 && attr(l, "pads")->number[3] == 2);
        has(l, "groups", 1, 1, 0);
        has(l, "bias", 1, 0, 0);
    }
    rv_network_destroy(net);
}

Test(caffe, pooling_rounds_up_and_counts_padding)
{
    rv_network *net = parse(
        INPUT "layer { name: 'a' type: 'Pooling' bottom: 'data' top: 'a' pooling_param { pool: AVE "
              "kernel_size: 3 stride: 2 pad: 1 } }"
              "layer { name: 'm' type: 'Pooling' bottom: 'a' top: 'm' pooling_param { "
              "kernel_size: 2 round_mode: FLOOR } }"
              "layer { name: 'g' type: 'Pooling' bottom: 'm' top: 'g' pooling_param { pool: AVE "
              "global_pooling: true } }");
    cr_assert_str_eq(net->layers[0].op, "average_pool");
    has(&net->layers[0], "ceil_mode", 1, 1, 0);
    has(&net->layers[0], "count_include_pad", 1, 1, 0);
    has(&net->layers[0], "stride", 2, 2, 2);
    cr_assert_str_eq(net->layers[1].op, "max_pool");
    has(&net->layers[1], "ceil_mode", 1, 0, 0);
    has(&net->layers[1], "stride", 2, 1, 1);
    has(&net->layers[2], "global", 1, 1, 0);
    rv_network_destroy(net);
}

Test(caffe, pooling_can_be_exchanged_but_global_pooling_stays)
{
    static const char text[] =
        INPUT "layer { name: 'a' type: 'Pooling' bottom: 'data' top: 'a' pooling_param { pool: AVE "
              "kernel_size: 3 } }"
              "layer { name: 'm' type: 'Pooling' bottom: 'a' top: 'm' pooling_param { "
              "kernel_size: 2 stride: 2 } }"
              "layer { name: 'g' type: 'Pooling' bottom: 'm' top: 'g' pooling_param { pool: AVE "
              "global_pooling: true } }";
    static const struct {
        rv_pooling pooling;
        const char *ops[3];
        size_t n_attrs[3];
    } rows[] = {
        {RV_POOLING_AS_MADE, {"average_pool", "max_pool", "average_pool"}, {5, 4, 1}},
        {RV_POOLING_AVERAGE, {"average_pool", "average_pool", "average_pool"}, {5, 4, 1}},
        {RV_POOLING_MAX, {"max_pool", "max_pool", "average_pool"}, {4, 4, 1}},
        {RV_POOLING_BINOMIAL, {"average_pool", "binomial_pool", "average_pool"}, {5, 0, 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_network *net = parse(text);
        rv_network_replace_pooling(net, rows[i].pooling);
        for (int k = 0; k < 3; k++) {
            cr_assert_str_eq(net->layers[k].op, rows[i].ops[k], "row %zu, layer %d", i, k);
            cr_assert_eq(net->layers[k].n_attrs, rows[i].n_attrs[k], "row %zu, layer %d", i, k);
        }
        rv_network_destroy(net);
    }
}

Test(caffe, every_layer_type_becomes_an_operation)
{
    rv_network *net = parse(
        INPUT
        "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'data' }"
        "layer { name: 'l' type: 'ReLU' bottom: 'data' top: 'l' relu_param { negative_slope: 0.1 } "
        "}"
        "layer { name: 'n' type: 'LRN' bottom: 'l' top: 'n' lrn_param { local_size: 3 alpha: 2 "
        "beta: 0.5 k: 4 } }"
        "layer { name: 'c' type: 'Concat' bottom: 'n' bottom: 'l' top: 'c' }"
        "layer { name: 'e' type: 'Eltwise' bottom: 'c' bottom: 'c' top: 'e' eltwise_param { "
        "operation: SUM coeff: 1 coeff: 1 } }"
        "layer { name: 'b' type: 'BatchNorm' bottom: 'e' top: 'b' batch_norm_param { eps: 0.5 } }"
        "layer { name: 's' type: 'Scale' bottom: 'b' top: 's' scale_param { bias_term: true } }"
        "layer { name: 'd' type: 'Dropout' bottom: 's' top: 's' dropout_param { dropout_ratio: "
        "0.25 } }"
        "layer { name: 'x' type: 'Split' bottom: 's' top: 'x1' top: 'x2' }"
        "layer { name: 'f' type: 'InnerProduct' bottom: 'x2' top: 'f' inner_product_param { "
        "num_output: 7 } }"
        "layer { name: 'p' type: 'Softmax' bottom: 'f' top: 'p' }"
        "layer { name: 'sig' type: 'Sigmoid' bottom: 'f' top: 'sig' }"
        "layer { name: 'tan' type: 'TanH' bottom: 'f' top: 'tan' }"
        "layer { name: 'elu' type: 'ELU' bottom: 'f' top: 'elu' elu_param { alpha: 0.5 } }"
        "layer { name: 'pre' type: 'PReLU' bottom: 'f' top: 'pre' prelu_param { filler { value: "
        "0.1 } } }"
        "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'f' bottom: 'label' top: 'loss' }"
        "layer { name: 'accuracy' type: 'Accuracy' bottom: 'f' bottom: 'label' top: 'accuracy' }");
    static const char *const ops[] = {
        "relu", "leaky_relu", "lrn",     "concat",  "add",  "batch_norm", "scale", "dropout",
        NULL,   "dense",      "softmax", "sigmoid", "tanh", "elu",        "prelu", "softmax"};
    cr_assert_eq(net->n_layers, sizeof ops / sizeof ops[0]);
    for (size_t i = 0; i < net->n_layers; i++) {
        cr_assert(ops[i] == NULL ? net->layers[i].op == NULL
                                 : strcmp(ops[i], net->layers[i].op) == 0,
                  "layer %zu", i);
    }
    has(&net->layers[2], "size", 1, 3, 0);
    has(&net->layers[2], "alpha", 1, 2, 0);
    has(&net->layers[2], "beta", 1, 0.5, 0);
    has(&net->layers[2], "k", 1, 4, 0);
    cr_assert_eq(net->layers[3].inputs.n, 2);
    cr_assert_str_eq(net->layers[3].inputs.list[1], "l");
    has(&net->layers[6], "bias", 1, 1, 0);
    cr_assert_eq(net->layers[8].outputs.n, 2);
    has(&net->layers[9], "num_output", 1, 7, 0);
    has(&net->layers[13], "alpha", 1, 0.5, 0);
    cr_assert_eq(net->layers[15].inputs.n, 1, "without the label");
    rv_network_destroy(net);
}

Test(caffe, layers_of_the_training_phase_are_left_out)
{
    rv_network *net = parse(
        "layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN } "
        "transform_param { crop_size: 50 } }"
        "layer { name: 'data' type: 'Data' top: 'data' top: 'label' include { phase: TEST } "
        "transform_param { crop_size: 60 mean_value: 1 mean_value: 2 mean_value: 3 scale: 0.5 } "
        "data_param { source: 'x' batch_size: 3 backend: LMDB } }"
        "layer { name: 'a' type: 'ReLU' bottom: 'data' top: 'a' exclude { phase: TEST } }"
        "layer { name: 'b' type: 'ReLU' bottom: 'data' top: 'b' exclude { phase: TRAIN } }"
        "layer { name: 'c' type: 'ReLU' bottom: 'data' top: 'c' include { stage: 'deploy' } }"
        "layer { name: 'd' type: 'ReLU' bottom: 'data' top: 'd' include { min_level: 1 } }");
    cr_assert_eq(net->n_layers, 1);
    cr_assert_str_eq(net->layers[0].name, "b");
    cr_assert_eq(net->width, 60);
    cr_assert_float_eq(net->preprocessing.range, 127.5f, 0);
    cr_assert_float_eq(net->preprocessing.mean[0], 0.5f, 0);
    cr_assert_float_eq(net->preprocessing.mean[2], 1.5f, 0);
    rv_network_destroy(net);
}

Test(caffe, the_mean_is_that_of_the_family)
{
    rv_network *net = parse("name: 'VGG_ILSVRC_19_layers' input: 'data' input_dim: [10, 3, 7, 6] "
                            "layers { name: 'r' type: RELU bottom: 'data' top: 'r' }");
    cr_assert_float_eq(net->preprocessing.mean[0], 103.939f, 0);
    cr_assert_float_eq(net->preprocessing.mean[2], 123.68f, 0);
    cr_assert(net->height == 7 && net->width == 6);
    rv_network_destroy(net);
    net = parse("layer { name: 'i' type: 'Input' top: 'in' input_param { shape { dim: [1, 3, 5, 4] "
                "} } } layer { name: 'r' type: 'ReLU' bottom: 'in' top: 'r' }");
    cr_assert_str_eq(net->input, "in");
    cr_assert(net->preprocessing.bgr && net->preprocessing.range == 255.0f);
    cr_assert_float_eq(net->preprocessing.mean[0], 104.0f, 0);
    cr_assert(net->height == 5 && net->width == 4);
    rv_network_destroy(net);
}

Test(caffe, grey_pictures_are_taken_as_they_are)
{
    rv_network *net = parse("input: 'data' input_dim: [64, 1, 28, 28] layer { name: 'r' type: "
                            "'ReLU' bottom: 'data' top: 'r' }");
    cr_assert(net->channels == 1 && net->height == 28 && net->width == 28);
    cr_assert_float_eq(net->preprocessing.range, 1.0f, 0);
    cr_assert_float_eq(net->preprocessing.mean[0], 0.0f, 0);
    rv_network_destroy(net);
}

Test(caffe, two_tensors_are_added_multiplied_or_compared)
{
    static const struct {
        const char *fields, *op;
    } rows[] = {{"", "add"},
                {"operation: SUM coeff: 1 coeff: 1", "add"},
                {"operation: 1 coeff: 0.5 coeff: -1", "weighted_add"},
                {"operation: PROD", "multiply"},
                {"operation: MAX", "maximum"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 INPUT "layer { name: 'x' type: 'Eltwise' bottom: 'data' bottom: 'data' top: 'x' "
                       "eltwise_param { %s } }",
                 rows[i].fields);
        rv_network *net = parse(text);
        cr_assert_str_eq(net->layers[0].op, rows[i].op);
        if (i == 2) {
            has(&net->layers[0], "factors", 2, 0.5, -1);
        }
        rv_network_destroy(net);
    }
}

Test(caffe, what_it_cannot_run_is_named)
{
    refuses(INPUT "layer { name: 'x' type: 'Convolutions' bottom: 'data' top: 'x' }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x' is of type 'Convolutions', which Reverie does not run; the "
            "nearest it "
            "knows is 'Convolution'");
    refuses(INPUT "layers { name: 'x' type: CONVOLUTON bottom: 'data' top: 'x' }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x' is of type 'CONVOLUTON', which Reverie does not run; the "
            "nearest it knows is 'CONVOLUTION'");
    refuses(INPUT "layer { name: 'x' type: 'Pooling' bottom: 'data' top: 'x'\n pooling_param { "
                  "pool: STOCHASTIC kernel_size: 2 } }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:3: layer 'x': Reverie does not run pooling other than MAX and AVE");
    refuses(INPUT "layer { name: 'x' type: 'LRN' bottom: 'data' top: 'x' lrn_param { norm_region: "
                  "2 } }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run a norm_region other than "
            "ACROSS_CHANNELS, WITHIN_CHANNEL");
#define ELTWISE(bottoms, fields) \
    INPUT "layer { name: 'x' type: 'Eltwise' " bottoms " top: 'x' eltwise_param { " fields " } }"
#define DATA "bottom: 'data' "
    refuses(ELTWISE(DATA DATA, "operation: MIN"), RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run element-wise layers other than SUM, "
            "PROD and MAX");
    refuses(ELTWISE(DATA DATA DATA, "operation: MAX"), RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run PROD, MAX and sums with coefficients of "
            "other than two");
    refuses(ELTWISE(DATA DATA, "coeff: 2"), RV_ERR_FORMAT,
            "a.prototxt:2: layer 'x' has 1 coefficients for 2 bottoms");
    refuses(INPUT "layer { name: 'x' type: 'Dropout' bottom: 'data' top: 'x' dropout_param { "
                  "scale_train: false } }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run dropout that scales in use instead of "
            "in training");
    refuses(INPUT "layer { name: 'x' type: 'PReLU' bottom: 'data' top: 'x' prelu_param { "
                  "channel_shared: true } }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run a slope that all channels share");
    refuses(INPUT "layer { name: 'x' type: 'InnerProduct' bottom: 'data' top: 'x' "
                  "inner_product_param { num_output: 2 transpose: true } }",
            RV_ERR_UNSUPPORTED, "a.prototxt:2: layer 'x': Reverie does not run transposed weights");
    refuses(INPUT "layer { name: 'x' type: 'Scale' bottom: 'data' top: 'x' scale_param { "
                  "num_axes: 2 } }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run scaling over more than the channels");
    refuses(INPUT "layer { name: 'x' type: 'Concat' bottom: 'data' top: 'x' concat_param { axis: 2 "
                  "} }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'x': Reverie does not run another axis than 1");
    refuses("input: 'data' input_dim: [1, 2, 28, 28] layer { name: 'r' type: 'ReLU' bottom: 'data' "
            "top: 'r' }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:1: input 'data' is 1x2x28x28, but has to be Nx3xHxW or Nx1xHxW");
    refuses(INPUT "layers { layer { name: 'x' type: 'conv' } bottom: 'data' top: 'x' }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: this is Caffe's oldest format; convert the file with "
            "upgrade_net_proto_text");
    refuses(INPUT "layers { layer { name: 'x' type: 'conv' } bottom: 'data' top: 'x' }\n"
                  "layers { layer { name: 'y' type: 'conv' } bottom: 'x' top: 'y' }",
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: this is Caffe's oldest format; convert the file with "
            "upgrade_net_proto_text");
}

/* A network that reads well, and cannot be. */
static void cannot_be_built(const char *text, rv_status expected, const char *message)
{
    rv_model_graph graph;
    rv_network *network = parse(text);
    cr_assert_eq(rv_network_build(&graph, network, NULL, 0), expected, "%s", rv_error_message());
    cr_assert_str_eq(rv_error_message(), message);
    rv_network_destroy(network);
}

#define RELU(name, from, to) \
    "layer { name: '" name "' type: 'ReLU' bottom: '" from "' top: '" to "' }\n"
#define CONV(fields)                                                                            \
    "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { " fields \
    " } }"

Test(caffe, graphs_that_do_not_hang_together_are_refused)
{
    cannot_be_built(INPUT RELU("a", "data", "a") RELU("a", "a", "b"), RV_ERR_FORMAT,
                    "a.prototxt:3: the name 'a' stands for two layers");
    cannot_be_built(INPUT RELU("a", "b", "a") RELU("b", "a", "b"), RV_ERR_FORMAT,
                    "a.prototxt:2: layer 'a' reads 'b', which no layer before it writes");
    cannot_be_built(INPUT RELU("a", "dota", "a"), RV_ERR_FORMAT,
                    "a.prototxt:2: layer 'a' reads 'dota', which no layer before it writes");
    cannot_be_built(INPUT CONV("num_output: 2147483647 kernel_size: 3"), RV_ERR_FORMAT,
                    "a.prototxt:2: 'c': num_output is 2.14748e+09, outside 1 to 65536");
    cannot_be_built(INPUT CONV("num_output: 65536 kernel_size: 1024 pad: 1024"), RV_ERR_SHAPE,
                    "a.prototxt:2: 'c': a tensor of 65536x3x1024x1024 is too large; use a smaller "
                    "size or batch");
    cannot_be_built(INPUT CONV("num_output: 4 kernel_size: 3 stride: 0"), RV_ERR_FORMAT,
                    "a.prototxt:2: 'c': stride is 0, outside 1 to 1024");
    cannot_be_built(INPUT CONV("num_output: 4 kernel_size: 1 group: 2"), RV_ERR_SHAPE,
                    "a.prototxt:2: 'c': 3 channels to 4 do not divide into 2 groups");
    cannot_be_built(INPUT CONV("num_output: 4 kernel_size: 9"), RV_ERR_SHAPE,
                    "a.prototxt:2: 'c': a window of 9 columns does not fit into 8 padded ones: the "
                    "picture is too small here");
    cannot_be_built(INPUT
                    "layer { name: 's' type: 'Scale' bottom: 'data' bottom: 'data' top: 's' }",
                    RV_ERR_SHAPE, "a.prototxt:2: 's': scale takes 1 input, not 2");
}

#define UNKNOWN(name, type) \
    "layer { name: '" name "' type: '" type "' bottom: 'data' top: '" name "' }\n"

Test(caffe, all_layers_that_cannot_be_run_are_named_at_once)
{
    refuses(INPUT UNKNOWN("a", "Slice") RELU("r", "data", "r") UNKNOWN("b", "Crop"),
            RV_ERR_UNSUPPORTED,
            "a.prototxt:2: layer 'a' is of type 'Slice', which Reverie does not run; the nearest "
            "it knows is 'Scale'; nor this one: 'b' (Crop)");
    rv_network *network;
    char text[2048] = INPUT;
    for (int i = 0; i < 12; i++) {
        sprintf(text + strlen(text), UNKNOWN("u%d", "Crop"), i, i);
    }
    cr_assert_eq(rv_caffe_parse(&network, text, strlen(text), "a"), RV_ERR_UNSUPPORTED);
    cr_assert_not_null(strstr(rv_error_message(), "nor these: 'u1' (Crop), 'u2' (Crop)"), "%s",
                       rv_error_message());
    cr_assert_not_null(strstr(rv_error_message(), "'u8' (Crop) and 3 more"), "%s",
                       rv_error_message());
}

Test(caffe, what_is_missing_is_named)
{
    refuses(INPUT "layer { name: 'x' type: 'Convolution' bottom: 'data' top: 'x' convolution_param "
                  "{ num_output: 4 } }",
            RV_ERR_FORMAT, "a.prototxt:2: layer 'x' has no kernel_size");
    refuses(INPUT "layer { name: 'x' type: 'InnerProduct' bottom: 'data' top: 'x' }", RV_ERR_FORMAT,
            "a.prototxt:2: layer 'x' has no num_output above 0");
    refuses(INPUT "layer { name: 'x' type: 'ReLU' top: 'x' }", RV_ERR_FORMAT,
            "a.prototxt:2: layer 'x' has no bottom");
    refuses(INPUT "layer { name: 'x' bottom: 'data' top: 'x' }", RV_ERR_FORMAT,
            "a.prototxt:2: layer 'x' has no type");
    refuses("name: 'x'", RV_ERR_FORMAT, "a.prototxt describes no layers");
    refuses("layer { name: 'x' type: 'ReLU' bottom: 'data' top: 'x' }", RV_ERR_FORMAT,
            "a.prototxt has no input: it needs input and input_shape, or a layer of type Input");
    refuses(INPUT "layer { name: 'x' type: 'Convolution' bottom: 'data' top: 'x' convolution_param "
                  "{\n kernal_size: 4 } }",
            RV_ERR_FORMAT,
            "a.prototxt:3: there is no field 'kernal_size' in convolution_param; the nearest is "
            "'kernel_size'");
}
