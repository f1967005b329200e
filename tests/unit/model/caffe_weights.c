/* Weights from a caffemodel: both generations, each way to write a blob, statistics, and refusals. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A message being written; short enough that every length is one byte. */
typedef struct message {
    uint8_t data[256];
    size_t size;
} message;

static void put(message *m, const void *data, size_t size)
{
    cr_assert_leq(m->size + size, sizeof m->data);
    memcpy(m->data + m->size, data, size);
    m->size += size;
}

static void put_varint(message *m, uint32_t value)
{
    for (; value > 127; value >>= 7) {
        put(m, &(uint8_t){(uint8_t)(value | 128)}, 1);
    }
    put(m, &(uint8_t){(uint8_t)value}, 1);
}

static void put_number(message *m, uint32_t field, uint32_t value)
{
    put_varint(m, field << 3 | RV_WIRE_VARINT);
    put_varint(m, value);
}

static void put_bytes(message *m, uint32_t field, const void *data, size_t size)
{
    put_varint(m, field << 3 | RV_WIRE_BYTES);
    put_varint(m, (uint32_t)size);
    put(m, data, size);
}

/* How a blob is written. */
typedef enum way { LEGACY, SHAPE, DOUBLE, UNPACKED, HALF } way;

static message blob_of(way how, const uint8_t dim[4], const float *values, size_t n)
{
    message m = {.size = 0}, shape = {.size = 0};
    double wide[8];
    for (uint32_t i = 0; i < 4 && how == LEGACY; i++) {
        put_number(&m, 1 + i, dim[i]);
    }
    for (size_t i = 0; i < 4 && how != LEGACY; i++) {
        put_number(&shape, 1, dim[i]);
    }
    if (how != LEGACY) {
        put_bytes(&m, 7, shape.data, shape.size);
    }
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)values[i];
        if (how == UNPACKED) {
            put_varint(&m, 5u << 3 | RV_WIRE_32);
            put(&m, &values[i], sizeof values[i]);
        }
    }
    if (how == DOUBLE) {
        put_bytes(&m, 8, wide, n * sizeof *wide);
    } else if (how == HALF) {
        put_bytes(&m, 12, wide, n * 2);
    } else if (how != UNPACKED) {
        put_bytes(&m, 5, values, n * sizeof *values);
    }
    return m;
}

/* Adds a layer "c" with these blobs to a net, as the old or the new generation does. */
static void put_layer(message *net, bool old, const message *blobs, size_t n)
{
    message layer = {.size = 0};
    put_bytes(&layer, old ? 4 : 1, "c", 1);
    for (size_t i = 0; i < n; i++) {
        put_bytes(&layer, old ? 6 : 7, blobs[i].data, blobs[i].size);
    }
    put_bytes(net, old ? 2 : 100, layer.data, layer.size);
}

static const char convolution[] = "type: 'Convolution' convolution_param { num_output: 2 "
                                  "kernel_size: 1 }";

/* The graph of one layer "c" after the weights of `net` were put into it. */
static rv_status apply(rv_model_graph *graph, const message *net, const char *layer)
{
    char text[512];
    rv_network *network;
    rv_caffe_weights *weights;
    const int size =
        snprintf(text, sizeof text,
                 "input: 'data' input_dim: [1, 3, 4, 4] layer { name: 'c' bottom: 'data' "
                 "top: 'c' %s }",
                 layer);
    *graph = (rv_model_graph){0};
    rv_status status = rv_caffe_weights_parse(&weights, net->data, net->size, "a.caffemodel");
    if (status != RV_OK) {
        return status;
    }
    cr_assert_eq(rv_caffe_parse(&network, text, (size_t)size, "a"), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(rv_network_build(graph, network, NULL, 0), RV_OK, "%s", rv_error_message());
    status = rv_caffe_weights_apply(weights, graph->graph, true);
    rv_network_destroy(network);
    rv_caffe_weights_close(weights);
    return status;
}

static int last_node(const rv_model_graph *graph)
{
    return rv_graph_node_count(graph->graph) - 1;
}

static const float weight[6] = {1, -2, 3, 0.5f, 5, -6}, bias[2] = {7, -8};

Test(caffe_weights, every_way_to_write_a_blob_gives_the_same_values)
{
    for (way how = LEGACY; how <= UNPACKED; how++) {
        for (int old = 0; old < 2; old++) {
            const message blobs[2] = {
                blob_of(how, (const uint8_t[]){2, 3, 1, 1}, weight, 6),
                /* As old files have it: a bias of one row. */
                blob_of(how, (const uint8_t[]){1, 1, 1, 2}, bias, 2),
            };
            message net = {.size = 0};
            rv_model_graph g;
            put_layer(&net, old == 1, blobs, 2);
            cr_assert_eq(apply(&g, &net, convolution), RV_OK, "%s", rv_error_message());
            const rv_param *w = rv_graph_param(g.graph, last_node(&g), 0);
            const rv_param *b = rv_graph_param(g.graph, last_node(&g), 1);
            cr_assert_arr_eq(w->data, weight, sizeof weight, "way %d, old %d", (int)how, old);
            cr_assert_arr_eq(b->data, bias, sizeof bias, "way %d, old %d", (int)how, old);
            rv_graph_destroy(g.graph);
        }
    }
}

/* Caffe sums statistics up; the third blob is how much was summed. */
Test(caffe_weights, statistics_are_divided_by_their_weight)
{
    static const float mean[3] = {2, 4, -6}, variance[3] = {8, 10, 12};
    static const float summed[] = {4, 0};
    for (int i = 0; i < 2; i++) {
        const message blobs[3] = {
            blob_of(LEGACY, (const uint8_t[]){1, 1, 1, 3}, mean, 3),
            blob_of(LEGACY, (const uint8_t[]){1, 1, 1, 3}, variance, 3),
            blob_of(LEGACY, (const uint8_t[]){1, 1, 1, 1}, &summed[i], 1),
        };
        message net = {.size = 0};
        rv_model_graph g;
        put_layer(&net, false, blobs, 3);
        cr_assert_eq(apply(&g, &net, "type: 'BatchNorm'"), RV_OK, "%s", rv_error_message());
        const float factor = i == 0 ? 0.25f : 0.0f;
        for (int k = 0; k < 3; k++) {
            const rv_param *m = rv_graph_state(g.graph, last_node(&g), 0);
            const rv_param *v = rv_graph_state(g.graph, last_node(&g), 1);
            cr_assert_float_eq(m->data[k], mean[k] * factor, 0);
            cr_assert_float_eq(v->data[k], variance[k] * factor, 0);
        }
        rv_graph_destroy(g.graph);
    }
}

static void refuses(const message *net, rv_status expected, const char *words)
{
    rv_model_graph g;
    cr_assert_eq(apply(&g, net, convolution), expected, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "a.caffemodel") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), words) != NULL, "%s", rv_error_message());
    rv_graph_destroy(g.graph);
}

/* What every length in it says holds, or the file is refused with its name. */
Test(caffe_weights, a_file_that_is_cut_off_anywhere_is_refused)
{
    const message blobs[2] = {blob_of(SHAPE, (const uint8_t[]){2, 3, 1, 1}, weight, 6),
                              blob_of(SHAPE, (const uint8_t[]){1, 1, 1, 2}, bias, 2)};
    for (int old = 0; old < 2; old++) {
        message net = {.size = 0};
        put_layer(&net, old == 1, blobs, 2);
        for (size_t n = 0; n < net.size; n++) {
            rv_caffe_weights *weights;
            cr_assert_eq(rv_caffe_weights_parse(&weights, net.data, n, "cut.caffemodel"),
                         RV_ERR_FORMAT, "%zu bytes of %zu", n, net.size);
            cr_assert_null(weights);
            cr_assert_not_null(strstr(rv_error_message(), "cut.caffemodel"));
        }
    }
}

Test(caffe_weights, a_value_that_is_no_number_is_named)
{
    const float values[6] = {1, 2, 3, INFINITY, 5, 6};
    const message blobs[2] = {blob_of(SHAPE, (const uint8_t[]){2, 3, 1, 1}, values, 6),
                              blob_of(SHAPE, (const uint8_t[]){1, 1, 1, 2}, bias, 2)};
    message net = {.size = 0};
    put_layer(&net, false, blobs, 2);
    refuses(&net, RV_ERR_FORMAT, "'c': value 3 of weight is infinite");
}

/* As many bytes as protobuf can number: a file with a hole. */
Test(caffe_weights, files_beyond_2_gigabytes_are_refused)
{
    rv_caffe_weights *weights;
    const char *path = rv_test_path("large.caffemodel");
    rv_test_write(path, "", 0);
    if (truncate(path, (off_t)1 << 31) != 0) {
        cr_skip_test("no file of 2 GB can be made here");
    }
    cr_assert_eq(rv_caffe_weights_open(&weights, path), RV_ERR_MEMORY);
    cr_assert_not_null(strstr(rv_error_message(), "more than the limit of 2147483647"));
}

Test(caffe_weights, what_does_not_fit_is_named)
{
    const message right = blob_of(SHAPE, (const uint8_t[]){2, 3, 1, 1}, weight, 6);
    const message turned = blob_of(SHAPE, (const uint8_t[]){3, 2, 1, 1}, weight, 6);
    const message few = blob_of(SHAPE, (const uint8_t[]){2, 3, 1, 1}, weight, 5);
    const message half = blob_of(HALF, (const uint8_t[]){2, 3, 1, 1}, weight, 6);
    const message cases[] = {turned, few, half};
    static const char *const words[] = {"should be 2x3x1x1 (6 values), the file has 3x2x1x1 (6)",
                                        "the file has 2x3x1x1 (5)", "half precision"};
    for (int i = 0; i < 3; i++) {
        const message blobs[2] = {cases[i], blob_of(SHAPE, (const uint8_t[]){1, 1, 1, 2}, bias, 2)};
        message net = {.size = 0};
        put_layer(&net, i == 1, blobs, 2);
        refuses(&net, i == 2 ? RV_ERR_UNSUPPORTED : RV_ERR_SHAPE, words[i]);
    }
    message net = {.size = 0};
    put_layer(&net, true, &right, 1);
    refuses(&net, RV_ERR_SHAPE, "layer 'c' takes 2 blobs of weights, the file has 1");
    net = (message){.size = 0};
    refuses(&net, RV_ERR_FORMAT, "no layer with weights");
    message layer = {.size = 0};
    put_bytes(&layer, 1, "", 0); /* a layer of the oldest kind inside */
    put_bytes(&net, 2, layer.data, layer.size);
    refuses(&net, RV_ERR_UNSUPPORTED, "upgrade_net_proto_binary");
}
