/* Fuzz target: any bytes as YAML of an architecture, up to its graph. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rv_architecture_shape shape = {.channels = 0};
    rv_network *network;
    if (rv_architecture_parse(&network, (const char *)data, size, "fuzz", &shape) == RV_OK) {
        rv_model_graph graph;
        if (rv_network_build(&graph, network, NULL, 0) == RV_OK) {
            rv_graph_destroy(graph.graph);
        }
        rv_network_destroy(network);
    }
    return 0;
}
