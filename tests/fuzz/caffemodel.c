/* Fuzz target: any bytes as a caffemodel, applied to a small network. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "input: 'data' input_dim: [1, 3, 4, 4]"
                           "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' "
                           "convolution_param { num_output: 2 "
                           "kernel_size: 1 } }"
                           "layer { name: 'b' type: 'BatchNorm' bottom: 'c' top: 'b' }"
                           "layer { name: 'f' type: 'InnerProduct' bottom: 'b' top: 'f' "
                           "inner_product_param { num_output: 2 "
                           "} }";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_caffe_weights *weights;
    float *values = NULL;
    int rank;
    size_t dim[RV_NPY_MAX_RANK];
    if (rv_caffe_blob_read(&values, &rank, dim, data, size) == RV_OK) {
        free(values);
    }
    if (rv_caffe_weights_parse(&weights, data, size, "fuzz") != RV_OK) {
        return 0;
    }
    rv_network *network = NULL;
    rv_model_graph graph = {0};
    rv_status status = rv_caffe_parse(&network, text, strlen(text), "text");
    for (int only = 0; only < 3 && status == RV_OK; only++) {
        static const char *const layers[] = {"c", "b", "f"};
        status = rv_network_build(&graph, network, &layers[only], 1);
        if (status == RV_OK) {
            status = rv_caffe_weights_apply(weights, graph.graph, true);
            rv_graph_destroy(graph.graph);
        }
    }
    rv_network_destroy(network);
    rv_caffe_weights_close(weights);
    return 0;
}
