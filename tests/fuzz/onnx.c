/* Fuzz target: any bytes as an ONNX model, turned into a network, built, and given its weights. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Networks beyond this are built by the hundred megabytes, which shows nothing more. */
enum { MAX_SIDE = 512, MAX_NODES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_onnx *onnx;
    rv_network *network = NULL;
    rv_model_graph graph = {0};
    if (rv_onnx_parse(&onnx, data, size, "fuzz") != RV_OK) {
        return 0;
    }
    rv_status status = rv_onnx_network(&network, onnx, NULL);
    if (status == RV_OK) {
        (void)rv_onnx_preprocessing(onnx, network);
        status = rv_network_build(&graph, network, NULL, 0);
    }
    const bool small = status == RV_OK && network->height <= MAX_SIDE &&
                       network->width <= MAX_SIDE && rv_graph_node_count(graph.graph) <= MAX_NODES;
    if (status == RV_OK) {
        status = rv_onnx_weights_apply(onnx, graph.graph, small);
        rv_graph_destroy(graph.graph);
    }
    rv_network_destroy(network);
    rv_onnx_close(onnx);
    return 0;
}
