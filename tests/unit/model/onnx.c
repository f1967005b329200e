/* ONNX models: what their nodes become, what is folded, which names they get, and what is refused by which line. */
/* SPDX-License-Identifier: MIT */
#include "model/onnx.h"
#include "onnx_run.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/onnx_text.h"
#include "support/scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "opset 13\ninput x 1 3 4 4\noutput y\n"

/* A model from text, with what it was read from. */
typedef struct model {
    rv_onnx *onnx;
    uint8_t *data;
} model;

static rv_status parse(model *m, const char *text)
{
    size_t size;
    m->data = rv_test_onnx(&size, text);
    const rv_status status = rv_onnx_parse(&m->onnx, m->data, size, "a.onnx");
    return status;
}

static void release(model *m)
{
    rv_onnx_close(m->onnx);
    free(m->data);
}

/* The network of a model whose input is a picture. */
static rv_status network_of(rv_network **out, const char *text)
{
    model m;
    *out = NULL;
    rv_status status = parse(&m, text);
    if (status == RV_OK) {
        status = rv_onnx_network(out, m.onnx, NULL);
    }
    release(&m);
    return status;
}

static void refuses(const char *text, rv_status status, const char *words)
{
    rv_network *network = NULL;
    RV_ASSERT_FAILS(network_of(&network, text), status, words);
    cr_assert_null(network);
}

/* What the model gives for an input of 0, 1, 2, ... divided by 10. */
static float *run(const char *text, size_t *n)
{
    model m;
    rv_model_graph graph;
    rv_shape shape;
    rv_device *device = rv_test_device();
    RV_ASSERT_OK(parse(&m, text));
    RV_ASSERT_OK(onnx_graph(&graph, m.onnx, &shape));
    float *input = malloc(rv_shape_count(&shape) * sizeof *input);
    for (size_t i = 0; i < rv_shape_count(&shape); i++) {
        input[i] = (float)i / 10;
    }
    float *output = onnx_run(&graph, device, input, n);
    free(input);
    rv_graph_destroy(graph.graph);
    rv_device_close(device);
    release(&m);
    return output;
}

/* The output's values are those, where NAN ends the list. */
static void gives(const char *text, const float *expected)
{
    size_t n;
    float *output = run(text, &n);
    size_t i = 0;
    for (; !isnan(expected[i]); i++) {
        cr_assert_lt(i, n);
        cr_assert_float_eq(output[i], expected[i], 1e-5f * (1 + fabsf(expected[i])),
                           "value %zu is %g, not %g, in:\n%s", i, (double)output[i],
                           (double)expected[i], text);
    }
    cr_assert_eq(i, n, "%zu values, not %zu, in:\n%s", n, i, text);
    free(output);
}

#define GIVES(text, ...) gives((text), (const float[]){__VA_ARGS__, NAN})

/* --- layers ---------------------------------------------------------------------------------- */

#define SMALL "opset 13\ninput x 1 2 1 2\noutput y\n" /* 0 0.1 | 0.2 0.3 */

Test(onnx, arithmetic_with_constants_is_a_scale_per_channel)
{
    GIVES(SMALL "float c 2 1 1 = 10 20\nAdd - x,c y", 10, 10.1f, 20.2f, 20.3f);
    GIVES(SMALL "float c 1 2 1 1 = 10 20\nMul - c,x y", 0, 1, 4, 6);
    GIVES(SMALL "float c = 2\nDiv - x,c y", 0, 0.05f, 0.1f, 0.15f);
    GIVES(SMALL "float c 1 = 1\nSub - c,x y", 1, 0.9f, 0.8f, 0.7f);
    GIVES(SMALL "float c 2 1 1 = 1 2\nSub - x,c y", -1, -0.9f, -1.8f, -1.7f);
    GIVES(SMALL "Neg - x y", 0, -0.1f, -0.2f, -0.3f);
    GIVES(SMALL "float c = 2.\nPow - x,c y", 0, 0.01f, 0.04f, 0.09f);
    GIVES(SMALL "float c 2 1 1 = 3 5\nNeg - x n\nPRelu - n,c y", 0, -0.3f, -1, -1.5f);
}

Test(onnx, tensors_are_added_and_joined)
{
    GIVES(SMALL "Relu - x r\nAdd - x,r y", 0, 0.2f, 0.4f, 0.6f);
    GIVES(SMALL "Relu - x r\nSum - x,r,r y", 0, 0.3f, 0.6f, 0.9f);
    GIVES(SMALL "Neg - x n\nConcat - n,x y axis=-3", 0, -0.1f, -0.2f, -0.3f, 0, 0.1f, 0.2f, 0.3f);
    /* Of rows of numbers that were maps. */
    GIVES(SMALL "Flatten - x f\nNeg - f n\nConcat - n,f y axis=1", 0, -0.1f, -0.2f, -0.3f, 0, 0.1f,
          0.2f, 0.3f);
}

Test(onnx, two_tensors_are_multiplied_subtracted_or_compared)
{
    static const char *const nodes[] = {"Mul", "Sub", "Max"};
    static const char *const ops[] = {"multiply", "weighted_add", "maximum"};
    for (int i = 0; i < 3; i++) {
        char text[128];
        rv_network *network;
        snprintf(text, sizeof text, HEAD "Relu r x a\n%s m x,a y", nodes[i]);
        RV_ASSERT_OK(network_of(&network, text));
        cr_assert_str_eq(network->layers[1].op, ops[i]);
        rv_network_destroy(network);
    }
}

Test(onnx, clip_is_a_relu_or_has_both_ends)
{
    GIVES("opset 7\ninput x 1 2 1 2\noutput y\nClip - x y min=0.15 max=0.25", 0.15f, 0.15f, 0.2f,
          0.25f);
    GIVES(SMALL "float l = 0.05\nClip - x,l y", 0.05f, 0.1f, 0.2f, 0.3f);
    rv_network *network;
    RV_ASSERT_OK(network_of(&network, HEAD "float l = 0\nClip c x,l y"));
    cr_assert_str_eq(network->layers[0].op, "relu");
    rv_network_destroy(network);
}

Test(onnx, dense_layers_come_as_gemm_or_as_a_product_and_a_sum)
{
#define ROWS "opset 13\ninput x 1 2 1 2\noutput y\nFlatten - x f\nfloat b 2 = 1 2\n"
    /* Rows 0 0.1 0.2 0.3 by 1 2 3 4 and by 5 6 7 8. */
    GIVES(ROWS "float w 2 4 = 1 2 3 4 5 6 7 8\nGemm - f,w,b y transB=1", 3, 6.4f);
    GIVES(ROWS "float w 4 2 = 1 5 2 6 3 7 4 8\nGemm - f,w,b y", 3, 6.4f);
    GIVES(ROWS "float w 4 2 = 1 5 2 6 3 7 4 8\nGemm - f,w,b y alpha=0.5 beta=2.0", 3, 6.2f);
    GIVES(ROWS "float w 4 2 = 1 5 2 6 3 7 4 8\nMatMul m f,w p\nAdd - b,p y", 3, 6.4f);
    GIVES(ROWS "float w 4 2 = 1 5 2 6 3 7 4 8\nMatMul m f,w y", 2, 4.4f);
    /* The turned weights that older exporters write. */
    GIVES(ROWS "float w 2 4 = 1 2 3 4 5 6 7 8\nTranspose - w t\nMatMul m f,t p\nAdd - p,b y", 3,
          6.4f);
    /* A sum that has another reader is no bias. */
    GIVES(ROWS "float w 4 2 = 1 5 2 6 3 7 4 8\nMatMul m f,w p\nAdd - p,b q\nAdd - p,q y", 5, 10.8f);
    rv_network *network;
    RV_ASSERT_OK(network_of(&network, HEAD "Flatten - x f\nfloat w 48 2 = 1\nfloat b 2 = 1\n"
                                           "MatMul m f,w p\nAdd a p,b y"));
    cr_assert_eq(network->n_layers, 3);
    cr_assert_null(network->layers[2].op, "the sum is the bias of the product");
    rv_network_destroy(network);
}

Test(onnx, every_way_to_write_a_tensor_gives_the_same_values)
{
    static const char *const ways[] = {"float b 2 = 1 2",         "packed float b 2 = 1 2",
                                       "single float b 2 = 1 2",  "double b 2 = 1 2",
                                       "packed double b 2 = 1 2", "single double b 2 = 1 2",
                                       "half b 2 = 0x3c00 0x4000"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s\nfloat w 2 4 = 1 2 3 4 5 6 7 8\nGemm - f,w,b y transB=1",
                 "opset 13\ninput x 1 2 1 2\noutput y\nFlatten - x f\n", ways[i]);
        GIVES(text, 3, 6.4f);
    }
}

Test(onnx, padding_alone_is_a_layer)
{
    GIVES(SMALL "int64 p 8 = 0 0 0 1 0 0 0 1\nPad - x,p y", 0, 0, 0.1f, 0, 0, 0.2f, 0.3f, 0);
    GIVES(SMALL "int64 p 8 = 0 0 0 1 0 0 0 0\nPad - x,p y mode=reflect", 0.1f, 0, 0.1f, 0.3f, 0.2f,
          0.3f);
    GIVES("opset 2\ninput x 1 2 1 2\noutput y\nPad - x y mode=edge pads=0,0,0,0,0,0,0,1", 0, 0.1f,
          0.1f, 0.2f, 0.3f, 0.3f);
    GIVES("opset 18\ninput x 1 2 1 2\noutput y\nint64 p 4 = 0 0 0 1\nint64 a 2 = 2 3\n"
          "Pad - x,p,-,a y",
          0, 0.1f, 0, 0.2f, 0.3f, 0);
}

Test(onnx, means_over_pictures_are_global_pooling)
{
    GIVES(SMALL "ReduceMean - x y axes=2,3 keepdims=0", 0.05f, 0.25f);
    GIVES("opset 18\ninput x 1 2 1 2\noutput y\nint64 a 2 = -1 -2\nReduceMean - x,a y", 0.05f,
          0.25f);
    GIVES(SMALL "GlobalMaxPool - x y", 0.1f, 0.3f);
}

/* --- constants and shapes -------------------------------------------------------------------- */

Test(onnx, arithmetic_of_shapes_leaves_no_layer)
{
    rv_network *network;
    /* What PyTorch writes for x.view(x.size(0), -1). */
    RV_ASSERT_OK(network_of(
        &network, HEAD "const int64 zero = 0\nconst int64 rest 1 = -1\nfloat w 5 48 = 1\n"
                       "Shape - x s\nConstant - - i value=@zero\nGather - s,i n\n"
                       "const int64 axis 1 = 0\nConstant - - a value=@axis\nUnsqueeze - n,a nn\n"
                       "Constant - - r value=@rest\nConcat - nn,r t axis=0\nReshape v x,t f\n"
                       "Gemm fc f,w y transB=1"));
    cr_assert_eq(network->n_layers, 2);
    cr_assert_null(network->layers[0].op);
    cr_assert_str_eq(network->layers[1].op, "dense");
    rv_network_destroy(network);
}

Test(onnx, weights_in_another_shape_or_computed_are_taken)
{
    GIVES(SMALL "float c 2 = 10 20\nint64 a 2 = 1 2\nUnsqueeze - c,a d\nMul - x,d y", 0, 1, 4, 6);
    GIVES(SMALL "float c 2 = 10 20\nfloat h = 0.5\nint64 s 3 = 2 1 -1\nMul - c,h d\n"
                "Reshape - d,s e\nMul - x,e y",
          0, 0.5f, 2, 3);
    GIVES(SMALL "float c 4 = 5 10 20 7\nint64 b 1 = 1\nint64 e 1 = -1\nint64 s 3 = 2 1 1\n"
                "Slice - c,b,e d\nReshape - d,s f\nMul - x,f y",
          0, 1, 4, 6);
    GIVES(SMALL "const float v 1 = 3\nint64 s 3 = 2 1 1\nConstantOfShape - s c value=@v\n"
                "Mul - x,c y",
          0, 0.3f, 0.6f, 0.9f);
}

Test(onnx, identity_dropout_and_what_keeps_the_order_change_nothing)
{
    GIVES(SMALL "Identity - x a\nDropout - a b\nTranspose - b c perm=0,2,1,3\n"
                "Squeeze - c d\nCast - d y to=1",
          0, 0.1f, 0.2f, 0.3f);
}

Test(onnx, outputs_that_nobody_reads_do_no_harm)
{
    GIVES(SMALL "Dropout - x,- a,mask\nMaxPool - a b,places kernel_shape=1,2\nRelu - b y", 0.1f,
          0.3f);
    refuses(HEAD "Dropout d x a,mask\nAdd - a,mask y", RV_ERR_UNSUPPORTED,
            "'d' (Dropout: its output 1)");
}

Test(onnx, pictures_with_channels_last_are_turned)
{
    rv_network *network;
    RV_ASSERT_OK(network_of(&network, "opset 13\ninput x ? 5 6 3\noutput y\n"
                                      "Transpose t x c perm=0,3,1,2\nRelu r c y"));
    cr_assert(network->channels == 3 && network->height == 5 && network->width == 6);
    rv_network_destroy(network);
    refuses("opset 13\ninput x ? 5 6 3\noutput y\nRelu r x y", RV_ERR_UNSUPPORTED,
            "input 'x' is ?x5x6x3, but has to be Nx3xHxW");
}

Test(onnx, sizes_that_are_left_open_become_224)
{
    rv_network *network;
    RV_ASSERT_OK(network_of(&network, "opset 13\ninput x ? 3 ? ?\noutput y\nRelu r x y"));
    cr_assert(network->channels == 3 && network->height == 224 && network->width == 224);
    rv_network_destroy(network);
    /* As some programs write it. */
    RV_ASSERT_OK(network_of(&network, "opset 13\ninput x -1 3 -1 -1\noutput y\nRelu r x y"));
    cr_assert(network->channels == 3 && network->height == 224 && network->width == 224);
    rv_network_destroy(network);
}

/* --- names ----------------------------------------------------------------------------------- */

Test(onnx, layers_go_by_the_names_of_nodes_and_of_tensors)
{
    static const char *const names[] = {"first", "a", "y", "second"};
    rv_network *network;
    rv_model_graph graph;
    rv_value value;
    RV_ASSERT_OK(network_of(&network, HEAD "Relu first x a\nSigmoid second a y\nTanh - y unused"));
    cr_assert_eq(network->n_layers, 2, "what no output needs is left out");
    cr_assert_str_eq(network->name, "a", "of the file, as the graph has none");
    RV_ASSERT_OK(rv_network_build(&graph, network, NULL, 0));
    for (size_t i = 0; i < 4; i++) {
        RV_ASSERT_OK(rv_graph_find(graph.graph, &value, names[i]));
        cr_assert_eq(value, i < 2 ? 2 : 3, "%s", names[i]);
    }
    rv_graph_destroy(graph.graph);
    rv_network_destroy(network);
}

Test(onnx, nodes_of_one_name_or_none_are_told_apart)
{
    rv_network *network;
    rv_model_graph graph;
    RV_ASSERT_OK(network_of(&network, HEAD "Relu r x a\nRelu r a b\nRelu - b picture\n"
                                           "Relu x picture y"));
    RV_ASSERT_OK(rv_network_build(&graph, network, NULL, 0));
    cr_assert_str_eq(network->layers[0].name, "r");
    cr_assert_str_eq(network->layers[1].name, "b");
    cr_assert_str_eq(network->layers[2].name, "picture_2");
    cr_assert_str_eq(network->layers[3].name, "y");
    rv_graph_destroy(graph.graph);
    rv_network_destroy(network);
}

Test(onnx, the_first_output_is_the_networks)
{
    rv_network *network;
    rv_model_graph graph;
    RV_ASSERT_OK(network_of(&network, "opset 13\ninput x 1 3 4 4\noutput y\noutput z\n"
                                      "Relu r x y\nSigmoid s y z"));
    RV_ASSERT_OK(rv_network_build(&graph, network, NULL, 0));
    cr_assert_str_eq(rv_graph_value_name(graph.graph, graph.output), "r");
    rv_graph_destroy(graph.graph);
    rv_network_destroy(network);
}

/* VGG-13 with a normalisation, all its nodes without names. */
static char *vgg_text(void)
{
    static const int channels[5] = {64, 128, 256, 512, 512};
    char *text = malloc(1 << 14), *end = text, from[16] = "x";
    int n = 0, before = 3;
    end += sprintf(end, "opset 13\ninput x 1 3 32 32\noutput prob\n");
    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < 2; i++, n++) {
            end += sprintf(end,
                           "float w%d %d %d 3 3 = 0\nConv - %s,w%d c%d pads=1,1,1,1\n"
                           "float s%d %d = 1\nBatchNormalization - c%d,s%d,s%d,s%d,s%d b%d\n"
                           "Relu - b%d r%d\n",
                           n, channels[stage], before, from, n, n, n, channels[stage], n, n, n, n,
                           n, n, n, n);
            sprintf(from, "r%d", n);
            before = channels[stage];
        }
        end += sprintf(end, "MaxPool - %s p%d kernel_shape=2,2 strides=2,2\n", from, stage);
        sprintf(from, "p%d", stage);
    }
    sprintf(end, "Flatten - p4 f\nfloat d 9 512 = 0\nGemm - f,d g transB=1\nRelu - g h\n"
                 "float e 4 9 = 0\nGemm - h,e k transB=1\nSoftmax - k prob");
    return text;
}

Test(onnx, a_vgg_network_has_the_names_of_caffes_file_too)
{
    static const struct {
        const char *name, *own;
    } rows[] = {{"conv1_1", "c0"}, {"conv4_2", "c7"}, {"relu4_2", "r7"}, {"relu5_2", "r9"},
                {"pool3", "p2"},   {"fc6", "g"},      {"relu6", "h"},    {"fc7", "k"}};
    char *text = vgg_text();
    rv_network *network;
    rv_model_graph graph;
    rv_value a, b;
    RV_ASSERT_OK(network_of(&network, text));
    RV_ASSERT_OK(rv_network_build(&graph, network, NULL, 0));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RV_ASSERT_OK(rv_graph_find(graph.graph, &a, rows[i].name));
        RV_ASSERT_OK(rv_graph_find(graph.graph, &b, rows[i].own));
        cr_assert_eq(a, b, "%s is not %s", rows[i].name, rows[i].own);
    }
    rv_graph_destroy(graph.graph);
    rv_network_destroy(network);
    free(text);
}

/* --- preprocessing --------------------------------------------------------------------------- */

static rv_status open_text(rv_model **out, const char *text, const char *preprocess)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.preprocess = preprocess;
    return rv_model_open(out, rv_test_onnx_file("m.onnx", text), &options);
}

Test(onnx, preprocessing_follows_from_who_wrote_the_file_or_is_asked_for)
{
    static const struct {
        const char *text, *given;
        bool bgr;
        float mean;
    } rows[] = {
        {"producer pytorch\n" HEAD "Relu r x y", NULL, false, 0.485f},
        {HEAD "float features.0.weight 1 3 1 1 = 1\nConv - x,features.0.weight y", NULL, false,
         0.485f},
        {HEAD "Relu relu_conv1 x y", NULL, true, 104},
        {HEAD "Relu r x y", "vgg", true, 103.939f},
        {"producer pytorch\n" HEAD "Relu r x y", "bytes", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_model *m;
        RV_ASSERT_OK(open_text(&m, rows[i].text, rows[i].given));
        cr_assert_eq(rv_model_preprocessing(m)->bgr, rows[i].bgr, "row %zu", i);
        cr_assert_eq(rv_model_preprocessing(m)->mean[0], rows[i].mean, "row %zu", i);
        rv_model_close(m);
    }
    rv_model *m;
    RV_ASSERT_FAILS(open_text(&m, HEAD "Relu r x y", NULL), RV_ERR_USAGE, "--preprocess torch");
    /* It prepares the picture itself: from which values, nobody knows. */
    RV_ASSERT_FAILS(
        open_text(&m, "producer pytorch\n" HEAD "float c = 2\nDiv d x,c z\nRelu r z y", NULL),
        RV_ERR_USAGE, "--preprocess torch");
    RV_ASSERT_FAILS(open_text(&m, HEAD "Relu r x y", "troch"), RV_ERR_USAGE,
                    "the nearest is 'torch'");
}

Test(onnx, a_file_becomes_reveries_own)
{
    rv_model *m, *copy;
    rv_model_graph a, b;
    const char *text = HEAD "float w 2 3 3 3 = 1 -2 3 0.5\nConv relu_conv1 x,w c\nRelu r c y";
    RV_ASSERT_OK(open_text(&m, text, "caffe"));
    const char *path = rv_test_path("own.safetensors");
    RV_ASSERT_OK(rv_model_save(m, path, NULL));
    RV_ASSERT_OK(rv_model_open(&copy, path, NULL));
    RV_ASSERT_OK(rv_model_build(&a, m, NULL, 0));
    RV_ASSERT_OK(rv_model_build(&b, copy, NULL, 0));
    const rv_param *p = rv_graph_param(a.graph, 1, 0), *q = rv_graph_param(b.graph, 1, 0);
    cr_assert_arr_eq(p->data, q->data, rv_shape_count(&p->shape) * sizeof(float));
    rv_graph_destroy(a.graph);
    rv_graph_destroy(b.graph);
    rv_model_close(m);
    rv_model_close(copy);
}

/* As training on other classes does. */
Test(onnx, a_network_can_get_a_new_head)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *m;
    rv_model_graph g;
    const char *path = rv_test_onnx_file(
        "m.onnx", HEAD "float w 2 3 3 3 = 1 -2 3 0.5\nConv c x,w r\nGlobalAveragePool p r q\n"
                       "Flatten f q s\nfloat d 5 2 = 1\nGemm g s,d t transB=1\nSoftmax e t y");
    options.preprocess = "unit";
    options.head = "linear";
    options.classes = 4;
    RV_ASSERT_OK(rv_model_open(&m, path, &options));
    RV_ASSERT_OK(rv_model_build(&g, m, NULL, 0));
    cr_assert_eq(rv_graph_shape(g.graph, g.output)->dim[1], 4);
    cr_assert_eq(rv_graph_param(g.graph, 1, 0)->data[1], -2, "what is left keeps its weights");
    rv_graph_destroy(g.graph);
    rv_model_close(m);
}

/* --- refusals -------------------------------------------------------------------------------- */

Test(onnx, all_nodes_that_cannot_be_run_are_named_at_once)
{
    refuses(HEAD "Relu r x a\nHardmax one a b\nRelu s b c\nLSTM two a d\nmy.own:Conv three a e\n"
                 "Sum - c,d,e y",
            RV_ERR_UNSUPPORTED, "these nodes: 'one' (Hardmax), 'two' (LSTM), 'three' (Conv)");
    refuses(HEAD "If branch x y", RV_ERR_UNSUPPORTED, "this node: 'branch' (If)");
    refuses(HEAD "Foo - x a\nFoo - a b\nFoo - x c\nFoo - x d\nFoo - x e\nFoo - x f\nFoo - x g\n"
                 "Foo - x h\nFoo - x i\nFoo - x j\nSum - c,d,e,f,g,h,i,j,a y",
            RV_ERR_UNSUPPORTED, "'i' (Foo) and 1 more");
}

Test(onnx, versions_outside_the_range_are_refused)
{
    refuses("opset 99\ninput x 1 3 4 4\noutput y\nRelu r x y", RV_ERR_UNSUPPORTED,
            "version (opset) 99, and Reverie knows 7 to 23");
    refuses("input x 1 3 4 4\noutput y\nRelu r x y", RV_ERR_UNSUPPORTED, "version (opset) 0");
    refuses("opset 6\ninput x 1 3 4 4\noutput y\nfloat c 3 1 1 = 1\nMul m x,c y",
            RV_ERR_UNSUPPORTED, "'m' (Mul: of version 6, known from 7 on)");
    refuses("opset 5\ninput x 1 3 4 4\noutput y\nRelu r x y", RV_ERR_UNSUPPORTED,
            "known from 6 on");
}

Test(onnx, graphs_that_are_none_are_refused)
{
    refuses(HEAD "Relu r z y", RV_ERR_FORMAT, "node 'r' (Relu) reads 'z', which no node before it");
    refuses(HEAD "Relu a b y\nRelu c y b", RV_ERR_FORMAT, "reads 'b', which no node before it");
    refuses(HEAD "Relu a x z", RV_ERR_FORMAT, "the output 'y' is written by no node");
    refuses(HEAD "Relu a x x\nRelu b x y", RV_ERR_FORMAT, "the name 'x' is given to two values");
    refuses(HEAD "Shape s x y", RV_ERR_FORMAT, "the same for every picture");
    refuses("opset 13\noutput y\nfloat x 1 = 1\nRelu a x y", RV_ERR_FORMAT, "has no input");
    refuses("opset 13\ninput x 1 3 4 4\ninput z 1 3 4 4\noutput y\nAdd a x,z y", RV_ERR_UNSUPPORTED,
            "two inputs, 'x' and 'z'");
    refuses("opset 13\ninput x 1 5 4 4\noutput y\nRelu a x y", RV_ERR_UNSUPPORTED,
            "input 'x' is 1x5x4x4");
    refuses("opset 13\ninput x 1 3 4 100000\noutput y\nRelu a x y", RV_ERR_UNSUPPORTED,
            "input 'x' is 1x3x4x100000");
    refuses("opset 13\ninput x 1 3 4 4\nRelu a x y", RV_ERR_FORMAT, "no output");
    refuses("opset 13\n", RV_ERR_FORMAT, "no ONNX model");
}

Test(onnx, tensors_that_do_not_fit_are_refused)
{
    refuses(HEAD "float w 2 3 1 2 = \nRelu - x y", RV_ERR_FORMAT,
            "tensor 'w' is 2x3x1x2, which takes 48 bytes, not 0");
    refuses(HEAD "packed float w 2 = \nRelu - x y", RV_ERR_FORMAT, "but 0 values are there");
    refuses(HEAD "float w -2 = \nRelu - x y", RV_ERR_FORMAT, "tensor 'w' has the size ?");
    refuses(HEAD "float w 2000000000 2000000000 2000000000 = \nRelu - x y", RV_ERR_FORMAT,
            "tensor 'w' has the size");
    refuses(HEAD "float w 2 4 1 1 = 1\nConv c x,w y", RV_ERR_SHAPE,
            "node 'c' (Conv): weights 'w' of 2x4x1x1 do not fit");
    refuses(HEAD "float w 2 3 1 1 = 1\nConv c x,w y kernel_shape=3,3", RV_ERR_SHAPE, "weights 'w'");
    refuses(HEAD "float w 2 3 1 1 = 1\nConv c x,w y group=3", RV_ERR_SHAPE, "weights 'w'");
    refuses(HEAD "Flatten - x f\nfloat w 4 5 = 1\nGemm g f,w y transB=1", RV_ERR_SHAPE,
            "'g' (Gemm)");
    refuses(HEAD "float s 4 = 1\nBatchNormalization b x,s,s,s,s y", RV_ERR_SHAPE, "weights 's'");
    refuses(HEAD "int64 s 2 = 5 7\nReshape r x,s y", RV_ERR_SHAPE, "1x3x4x4 cannot become 5x7");
    refuses(HEAD "float c 4 = 1\nint64 b 2 = 3 3\nint64 e 2 = 4 4\nint64 a 2 = 0 -1\n"
                 "Slice s c,b,e,a d\nAdd - x,d y",
            RV_ERR_FORMAT, "node 's' (Slice): axis 0 twice");
    refuses(HEAD "Transpose t x y perm=0,1,1,3", RV_ERR_FORMAT,
            "node 't' (Transpose): axis 1 twice");
    refuses(HEAD "GlobalAveragePool g x a\nMul m x,a y", RV_ERR_UNSUPPORTED,
            "'m' (Mul: 1x3x4x4 and 1x3x1x1)");
    refuses(HEAD "float w 2 3 9 9 = 1\nConv c x,w y", RV_ERR_SHAPE, "'c'");
}

Test(onnx, weights_of_a_type_that_is_no_number_are_refused)
{
    rv_model *m;
    RV_ASSERT_FAILS(open_text(&m, HEAD "text s 1 = \nMul m x,s y", "unit"), RV_ERR_UNSUPPORTED,
                    "tensor 's' holds values of type 8");
}

Test(onnx, a_value_that_is_no_number_is_named_with_its_tensor)
{
    model m;
    rv_model_graph graph;
    rv_shape shape;
    RV_ASSERT_OK(parse(&m, HEAD "float w 2 3 1 1 = 1 2 nan\nConv c x,w y"));
    RV_ASSERT_FAILS(onnx_graph(&graph, m.onnx, &shape), RV_ERR_FORMAT,
                    "a.onnx: tensor 'w': 'c': value 2 of weight is NaN");
    release(&m);
}

Test(onnx, a_file_that_is_cut_off_anywhere_is_refused_or_incomplete)
{
    size_t size;
    uint8_t *data = rv_test_onnx(&size, HEAD "float w 2 3 1 1 = 1\nConv c x,w r\nRelu - r y");
    for (size_t n = 0; n < size; n++) {
        rv_onnx *onnx;
        rv_network *network = NULL;
        rv_status status = rv_onnx_parse(&onnx, data, n, "cut.onnx");
        if (status == RV_OK) {
            status = rv_onnx_network(&network, onnx, NULL);
        }
        cr_assert_neq(status, RV_OK, "%zu bytes of %zu", n, size);
        cr_assert_not_null(strstr(rv_error_message(), "cut.onnx"), "%s", rv_error_message());
        rv_onnx_close(onnx);
    }
    free(data);
}
