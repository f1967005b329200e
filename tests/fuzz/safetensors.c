/* Fuzz target: any bytes as a safetensors file, one that Reverie wrote or one of torchvision's. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_safetensors *file;
    rv_network *network = NULL;
    rv_names classes = {0}, labels = {0};
    rv_model_graph graph = {0};
    if (rv_safetensors_parse(&file, data, size, "fuzz") != RV_OK) {
        return 0;
    }
    rv_status status = rv_torchvision_network(&network, file);
    if (status == RV_OK && network == NULL) {
        status = rv_own_network(&network, &classes, &labels, file, "fuzz");
    }
    if (status == RV_OK) {
        status = rv_network_build(&graph, network, NULL, 0);
    }
    if (status == RV_OK) {
        status = rv_own_weights_apply(file, network, graph.graph, false, true);
        rv_graph_destroy(graph.graph);
    }
    rv_network_destroy(network);
    rv_names_release(&classes);
    rv_names_release(&labels);
    rv_safetensors_close(file);
    return 0;
}
