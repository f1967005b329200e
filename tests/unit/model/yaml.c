/* Architectures from YAML: what layers, blocks and names mean, the samples, and mistakes by line and key. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"
#include "support/assert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static rv_status parse(rv_network **out, const char *text, int classes)
{
    const rv_architecture_shape shape = {.classes = classes};
    return rv_architecture_parse(out, text, strlen(text), "net.yaml", &shape);
}

static rv_model_graph build(const char *text, int classes)
{
    rv_network *network;
    rv_model_graph graph;
    RV_ASSERT_OK(parse(&network, text, classes));
    RV_ASSERT_OK(rv_network_build(&graph, network, NULL, 0));
    rv_network_destroy(network);
    return graph;
}

/* "conv1:1x4x8x8 relu1:..." of all nodes but the preprocessing. */
static void expect_nodes(const rv_model_graph *g, const char *expected)
{
    char text[64];
    rv_text all = {0};
    for (int i = 1; i < rv_graph_node_count(g->graph); i++) {
        const rv_node *n = rv_graph_node(g->graph, i);
        rv_text_append(&all, "%s%s:%s", i > 1 ? " " : "", n->name,
                       rv_shape_text(text, &n->out[0]->shape));
    }
    cr_assert_str_eq(all.data, expected);
    rv_text_release(&all);
}

/* Names of the inputs of a node. */
static void expect_inputs(const rv_model_graph *g, const char *name, const char *a, const char *b)
{
    rv_value value;
    RV_ASSERT_OK(rv_graph_find(g->graph, &value, name));
    const int node = rv_graph_producer(g->graph, value);
    const rv_value *in = rv_graph_node_inputs(g->graph, node);
    cr_assert_str_eq(rv_graph_value_name(g->graph, in[0]), a, "first input of %s", name);
    cr_assert_eq(rv_graph_node(g->graph, node)->n_in, b != NULL ? 2 : 1);
    if (b != NULL) {
        cr_assert_str_eq(rv_graph_value_name(g->graph, in[1]), b, "second input of %s", name);
    }
}

Test(yaml, layers_follow_each_other_and_are_numbered_by_operation)
{
    rv_model_graph g = build("input: {channels: 1, size: [8, 6]}\n"
                             "layers:\n"
                             "  - conv: {num_output: 4, kernel: 3, pads: [1, 1, 1, 1]}\n"
                             "  - relu\n"
                             "  - conv: {num_output: 2, kernel: [3, 1], bias: false}\n"
                             "  - relu: {name: active}\n"
                             "  - average_pool: {global: true}\n"
                             "  - dense: {num_output: classes}\n"
                             "  - softmax:\n",
                             3);
    expect_nodes(&g, "conv1:1x4x8x6 relu1:1x4x8x6 conv2:1x2x6x6 active:1x2x6x6 "
                     "average_pool1:1x2x1x1 dense1:1x3 softmax1:1x3");
    cr_assert_null(rv_graph_param(g.graph, 3, 1), "no bias");
    rv_graph_destroy(g.graph);
}

static const char blocks[] = "input: {size: 8}\n"
                             "layers:\n"
                             "  - conv: {name: stem, num_output: 4}\n"
                             "  - block:\n"
                             "      name: part\n"
                             "      repeat: 2\n"
                             "      layers:\n"
                             "        - conv: {num_output: 4}\n"
                             "        - block:\n"
                             "            name: inner\n"
                             "            from: stem\n"
                             "            layers:\n"
                             "              - relu\n"
                             "              - add: {from: [input, conv1]}\n"
                             "        - add: {from: [inner, input]}\n"
                             "  - concat: {from: [part1, part2/inner/relu1]}\n";

Test(yaml, blocks_scope_names_repeat_and_have_inputs)
{
    rv_model_graph g = build(blocks, 0);
    expect_nodes(&g, "stem:1x4x8x8 "
                     "part1/conv1:1x4x8x8 part1/inner/relu1:1x4x8x8 part1/inner/add1:1x4x8x8 "
                     "part1/add1:1x4x8x8 "
                     "part2/conv1:1x4x8x8 part2/inner/relu1:1x4x8x8 part2/inner/add1:1x4x8x8 "
                     "part2/add1:1x4x8x8 concat1:1x8x8x8");
    expect_inputs(&g, "part1/conv1", "stem", NULL);
    expect_inputs(&g, "part1/inner/relu1", "stem", NULL);
    expect_inputs(&g, "part1/inner/add1", "stem", "part1/conv1");
    expect_inputs(&g, "part1/add1", "part1/inner/add1", "stem");
    expect_inputs(&g, "part2/conv1", "part1/add1", NULL);
    expect_inputs(&g, "part2/add1", "part2/inner/add1", "part1/add1");
    expect_inputs(&g, "concat1", "part1/add1", "part2/inner/relu1");
    rv_value block, last;
    RV_ASSERT_OK(rv_graph_find(g.graph, &block, "part2/inner"));
    RV_ASSERT_OK(rv_graph_find(g.graph, &last, "part2/inner/add1"));
    cr_assert_eq(block, last, "the name of a block is that of its last layer too");
    rv_graph_destroy(g.graph);
}

Test(yaml, preprocessing_has_the_attributes_of_its_operation)
{
    rv_network *n;
    RV_ASSERT_OK(parse(&n,
                       "name: mine\n"
                       "input: {channels: 3, size: 4}\n"
                       "preprocessing: {order: bgr, range: 255, mean: [1, 2, 3], deviation: 2}\n"
                       "layers: [relu]\n",
                       0));
    const rv_preprocessing *p = &n->preprocessing;
    cr_assert_str_eq(n->name, "mine");
    cr_assert(p->bgr && p->range == 255 && p->mean[2] == 3 && p->deviation[0] == 2 &&
              p->deviation[2] == 2);
    rv_network_destroy(n);
    RV_ASSERT_OK(parse(&n, "input: {size: 4}\nlayers: [relu]\n", 0));
    p = &n->preprocessing;
    cr_assert_str_eq(n->name, "net");
    cr_assert(!p->bgr && p->range == 1 && p->mean[1] == 0 && p->deviation[1] == 1);
    rv_network_destroy(n);
}

static double deviation(const rv_param *p)
{
    double sum = 0;
    const size_t n = rv_shape_count(&p->shape);
    for (size_t i = 0; i < n; i++) {
        sum += (double)p->data[i] * (double)p->data[i];
    }
    return sqrt(sum / (double)n);
}

Test(yaml, each_layer_has_its_initialiser)
{
    rv_model_graph g = build("input: {channels: 1, size: 20}\n"
                             "init: truncated-0.5\n"
                             "layers:\n"
                             "  - dense: {num_output: 200}\n"
                             "  - dense: {num_output: 600, init: xavier-normal-logistic}\n",
                             0);
    RV_ASSERT_OK(rv_graph_initialize(g.graph, 1));
    cr_assert_float_eq(deviation(rv_graph_param(g.graph, 1, 0)), 0.5, 0.005);
    cr_assert_float_eq(deviation(rv_graph_param(g.graph, 2, 0)), 4 / sqrt(400), 0.002);
    rv_graph_destroy(g.graph);
    g = build("input: {channels: 1, size: 20}\nlayers:\n  - dense: {num_output: 200}\n", 0);
    RV_ASSERT_OK(rv_graph_initialize(g.graph, 1));
    cr_assert_float_eq(deviation(rv_graph_param(g.graph, 1, 0)), sqrt(2.0 / 400), 0.001,
                       "what is asked for");
    rv_graph_destroy(g.graph);
}

/* Counted by hand. */
Test(yaml, the_samples_open_for_pictures_and_classes_that_are_asked_for)
{
    static const struct {
        const char *path;
        uint64_t parameters;
    } rows[] = {
        /* conv1, norm1; two blocks of 32; the block of 64; outputs */
        {"samples/networks/residual.yaml",
         864 + 64 + 4 * (9216 + 64) + 18432 + 36864 + 2048 + 3 * 128 + 64 * 7 + 7},
        {"samples/networks/deep.yaml", 78500 + 9 * 10100 + 707},
        {"samples/networks/dropout.yaml", 784 * 300 + 300 + 300 * 100 + 100 + 707},
        {"samples/networks/inception.yaml", 416 + (136 + 136 + 1168 + 68 + 808) +
                                                (264 + 264 + 1168 + 132 + 808) + 32 * 9 * 64 + 64 +
                                                64 * 7 + 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_model_options options = RV_MODEL_OPTIONS_INIT;
        rv_model *model;
        uint64_t parameters = 0;
        options.classes = 7;
        RV_ASSERT_OK(rv_model_open(&model, rows[i].path, &options));
        for (int k = 0; k < rv_model_layer_count(model); k++) {
            parameters += rv_model_layer(model, k).parameters;
        }
        cr_assert_eq(parameters, rows[i].parameters, "%s: %ju", rows[i].path,
                     (uintmax_t)parameters);
        rv_model_close(model);
    }
    rv_model *model;
    RV_ASSERT_FAILS(rv_model_open(&model, "samples/networks/none.yaml", NULL), RV_ERR_NOT_FOUND,
                    "none.yaml");
}

static void expect_failure(const char *text, rv_status status, const char *words)
{
    rv_network *network;
    rv_model_graph graph;
    rv_status got = parse(&network, text, 0);
    if (got == RV_OK) { /* seen when it is built, for which the line is kept */
        got = rv_network_build(&graph, network, NULL, 0);
        rv_network_destroy(network);
    }
    cr_assert_eq(got, status, "%s gave %s", text, rv_error_message());
    cr_assert(strstr(rv_error_message(), words) != NULL, "'%s' is not in: %s", words,
              rv_error_message());
}

#define IN "input: {channels: 3, size: 8}\n"

Test(yaml, mistakes_are_told_by_line_and_the_nearest_name)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "net.yaml:1: the file is empty"},
        {"layers: [relu]\n", "net.yaml:1: 'input' needs a size"},
        {IN "layer: [relu]\n",
         "net.yaml:2: an architecture has no 'layer'; the nearest is 'layers'"},
        {IN "layers: []\n", "net.yaml:2: 'layers' is a list"},
        {IN, "net.yaml:1: an architecture needs 'layers'"},
        {IN IN "layers: [relu]\n", "net.yaml:2: an architecture has 'input' twice"},
        {"input: {size: 0}\nlayers: [relu]\n", "net.yaml:1: 'size' of input is 0"},
        {"input: {sise: 8}\nlayers: [relu]\n",
         "net.yaml:1: input has no 'sise'; the nearest is 'size'"},
        {"input: {size: [8, 8, 8]}\nlayers: [relu]\n", "takes one number or 2, not 3"},
        {"input: {channels: 1.5, size: 8}\nlayers: [relu]\n", "'channels' of input takes whole"},
        {IN "layers:\n  - relu\n  - cnov: {num_output: 3}\n",
         "net.yaml:4: there is no operation 'cnov'; the nearest is 'conv'"},
        {IN "layers:\n  - mse_loss\n", "net.yaml:3: there is no operation 'mse_loss'"},
        {IN "layers:\n  - conv:\n      num_output: 3\n      kernle: 3\n",
         "net.yaml:5: conv has no 'kernle'; the nearest is 'kernel'"},
        {IN "layers:\n  - conv:\n      num_output: 3\n      kernel: 2000\n",
         "net.yaml:5: 'kernel' of conv is 2000, but must lie from 1 to 1024"},
        {IN "layers:\n  - conv: {num_output: 3, kernel: [3, 3, 3]}\n",
         "takes one number or 2, not 3"},
        {IN "layers:\n  - conv: {num_output: many}\n",
         "net.yaml:3: 'num_output' of conv takes a number"},
        {IN "layers:\n  - conv: {num_output: 3, stride: 1.5}\n",
         "'stride' of conv takes whole numbers"},
        {IN "layers:\n  - conv: {num_output: 3, pad_mode: mirror}\n",
         "'pad_mode' of conv cannot be 'mirror'; the nearest is "},
        {IN "layers:\n  - conv: {kernel: 3}\n", "net.yaml:3: conv needs 'num_output'"},
        {IN "layers:\n  - dense: {num_output: classes}\n",
         "net.yaml:3: how many classes are there?"},
        {IN "layers:\n  - relu: 5\n", "net.yaml:3: relu takes {key: value"},
        {IN "layers:\n  - relu: {name: a}\n    tanh: {name: b}\n",
         "net.yaml:3: one layer to an item"},
        {IN "layers:\n  - relu: {name: 'a b'}\n", "net.yaml:3: a name has 1 to"},
        {IN "layers:\n  - relu: {name: input}\n", "is not 'input'"},
        {IN "layers:\n  - relu: {name: data}\n", "the name 'data' stands for two layers"},
        {IN "layers:\n  - relu: {name: a}\n  - tanh: {name: a}\n",
         "net.yaml:4: the name 'a' stands"},
        {IN "layers:\n  - relu: {name: first}\n  - tanh: {from: frist}\n",
         "net.yaml:4: no layer before this one is 'frist'; the nearest is 'first'"},
        {IN "layers:\n  - relu: {name: a, from: a}\n", "no layer before this one is 'a'"},
        {IN "layers:\n  - add: {from: []}\n", "net.yaml:3: 'from' names no layer"},
        {IN "layers:\n  - block: {name: b, layers: [relu]}\n  - relu: {name: b}\n",
         "net.yaml:4: the name 'b' stands"},
        {IN "layers:\n  - block\n", "net.yaml:3: a block needs 'name' and 'layers'"},
        {IN "layers:\n  - block: {layers: [relu]}\n", "net.yaml:3: a block needs 'name'"},
        {IN "layers:\n  - block: {name: b, repeat: 0, layers: [relu]}\n", "'repeat' of block is 0"},
        {IN "layers: &l\n  - block: {name: b, layers: *l}\n", "more than 8 deep"},
        {IN "layers:\n  - dense: {num_output: 3, init: hee}\n",
         "net.yaml:3: there is no initialiser 'hee': no 'hee'; the nearest is 'he'"},
        {IN "init: [he]\nlayers: [relu]\n", "net.yaml:2: 'init' is a word"},
        {IN "preprocessing: {mean: 0.5, deviaton: 1}\nlayers: [relu]\n",
         "net.yaml:2: preprocessing has no 'deviaton'; the nearest is 'deviation'"},
        {IN "preprocessing: {range: -1}\nlayers: [relu]\n", "'range' of preprocessing is above 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        expect_failure(rows[i].text, RV_ERR_FORMAT, rows[i].words);
    }
    expect_failure(IN "layers:\n  - relu\n  - add\n", RV_ERR_SHAPE,
                   "net.yaml:4: 'add1': add takes 2 to 28 inputs, not 1");
    expect_failure(IN "layers:\n  - relu\n  - conv: {num_output: 3, kernel: 9}\n", RV_ERR_SHAPE,
                   "net.yaml:4: 'conv1'");
    expect_failure(IN "layers:\n  - block: {name: a, repeat: 1000, layers: [{block: {name: b, "
                      "repeat: 1000, layers: [relu]}}]}\n",
                   RV_ERR_UNSUPPORTED, "more than 10000 layers");
}

Test(yaml, a_fixed_end_is_refused_where_other_classes_are_asked_for)
{
    static const char text[] = IN "layers:\n  - dense: {name: end, num_output: 10}\n  - softmax\n";
    rv_network *network;
    RV_ASSERT_OK(parse(&network, text, 10));
    rv_network_destroy(network);
    RV_ASSERT_FAILS(parse(&network, text, 3), RV_ERR_USAGE,
                    "net.yaml:3: 'end' ends in 10 numbers, not in 3 classes");
}
