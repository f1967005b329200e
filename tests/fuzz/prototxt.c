/* Fuzz target: any bytes as a prototxt, up to the network's list of layers. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_network *network;
    if (rv_caffe_parse(&network, (const char *)data, size, "fuzz") == RV_OK) {
        rv_model_graph graph;
        if (rv_network_build(&graph, network, NULL, 0) == RV_OK) {
            rv_graph_destroy(graph.graph);
        }
        rv_network_destroy(network);
    }
    return 0;
}
