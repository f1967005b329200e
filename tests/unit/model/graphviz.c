/* Drawings of networks for Graphviz: every box, frame and edge of a small one, and names that need care. */
/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <reverie/model.h>

#include <stdio.h>

static void draw(char *out, size_t size, const char *layers)
{
    rv_model *model;
    rv_test_write(rv_test_path("net.yaml"), layers, strlen(layers));
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("net.yaml"), NULL));
    RV_ASSERT_OK(rv_model_draw(model, rv_test_path("net.dot"), true));
    RV_ASSERT_FAILS(rv_model_draw(model, rv_test_path("net.dot"), false), RV_ERR_USAGE, "net.dot");
    rv_model_close(model);
    FILE *file = fopen(rv_test_path("net.dot"), "rb");
    cr_assert_not_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

Test(graphviz, layers_are_framed_by_scope_and_edges_carry_shapes)
{
    char text[4096];
    draw(text, sizeof text,
         "input: {channels: 1, size: 4}\n"
         "layers:\n"
         "  - block:\n"
         "      name: a\n"
         "      layers:\n"
         "        - conv: {num_output: 2, kernel: 3, pads: 1}\n"
         "        - block: {name: b, layers: [relu, add: {from: [relu1, conv1]}]}\n"
         "  - softmax: {name: lone/end}\n");
    const char *expected = "  \"picture\" [shape=ellipse];\n"
                           "  \"data\" [label=\"data\\npreprocess\"];\n"
                           "  subgraph \"cluster_a\" {\n"
                           "    label=\"a\";\n"
                           "    \"a/conv1\" [label=\"conv1\\nconv num_output=2 kernel=3 pads=1"
                           "\\n20 parameters\", fillcolor=\"#d9e8f6\"];\n"
                           "    subgraph \"cluster_a/b\" {\n"
                           "      label=\"b\";\n"
                           "      \"a/b/relu1\" [label=\"relu1\\nrelu\"];\n"
                           "      \"a/b/add1\" [label=\"add1\\nadd\"];\n"
                           "    }\n"
                           "  }\n"
                           "  \"lone/end\" [label=\"lone/end\\nsoftmax\"];\n"
                           "  \"picture\" -> \"data\" [label=\"1x4x4\"];\n"
                           "  \"data\" -> \"a/conv1\" [label=\"1x4x4\"];\n"
                           "  \"a/conv1\" -> \"a/b/relu1\" [label=\"2x4x4\"];\n"
                           "  \"a/b/relu1\" -> \"a/b/add1\" [label=\"2x4x4\"];\n"
                           "  \"a/conv1\" -> \"a/b/add1\" [label=\"2x4x4\"];\n"
                           "  \"a/b/add1\" -> \"lone/end\" [label=\"2x4x4\"];\n"
                           "}\n";
    const char *body = strstr(text, "  \"picture\" [");
    cr_assert(strncmp(text, "digraph \"net\" {\n", 16) == 0);
    cr_assert_not_null(body);
    cr_assert_str_eq(body, expected);
}

Test(graphviz, quotes_in_names_of_a_file_are_escaped)
{
    static const char text[] =
        "name: 'n'\nlayer { name: \"data\" type: \"Input\" top: \"data\" "
        "input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }\n"
        "layer { name: 'a\"b\\\\c' type: \"ReLU\" bottom: \"data\" top: \"x\" }\n";
    char drawn[4096];
    rv_model *model;
    rv_test_write(rv_test_path("net.prototxt"), text, sizeof text - 1);
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("net.prototxt"), NULL));
    RV_ASSERT_OK(rv_model_draw(model, rv_test_path("net.dot"), true));
    rv_model_close(model);
    FILE *file = fopen(rv_test_path("net.dot"), "rb");
    drawn[fread(drawn, 1, sizeof drawn - 1, file)] = '\0';
    fclose(file);
    cr_assert(strstr(drawn, "-> \"a\\\"b\\\\c\" [label=\"3x4x4\"];") != NULL, "%s", drawn);
}
