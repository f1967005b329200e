/* From an ONNX model to the values that it gives. */
/* SPDX-License-Identifier: MIT */
#include "onnx_run.h"
#include "graph/plan.h"
#include "support/assert.h"

#include <stdlib.h>

rv_status onnx_graph(rv_model_graph *out, rv_onnx *onnx, rv_shape *input)
{
    rv_network *network;
    *out = (rv_model_graph){0};
    rv_status status = rv_onnx_network(&network, onnx, input);
    if (status != RV_OK) {
        return status;
    }
    RV_ASSERT_OK(rv_graph_create(&out->graph));
    RV_ASSERT_OK(rv_graph_input(out->graph, &out->input, network->input, *input));
    status = rv_network_append(out, network, NULL, 0);
    if (status == RV_OK) {
        status = rv_onnx_weights_apply(onnx, out->graph, true);
    }
    rv_network_destroy(network);
    if (status != RV_OK) {
        rv_graph_destroy(out->graph);
        *out = (rv_model_graph){0};
    }
    return status;
}

float *onnx_run(const rv_model_graph *graph, rv_device *device, const float *input, size_t *n)
{
    rv_params *params;
    rv_plan *plan;
    const rv_plan_options options = {.outputs = &graph->output, .n_outputs = 1};
    RV_ASSERT_OK(rv_params_create(&params, device, graph->graph, false));
    RV_ASSERT_OK(rv_plan_create(&plan, graph->graph, params, device, &options));
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, graph->input), input));
    RV_ASSERT_OK(rv_plan_forward(plan));
    *n = rv_shape_count(rv_graph_shape(graph->graph, graph->output));
    float *values = malloc(*n * sizeof *values);
    RV_ASSERT_OK(rv_tensor_read(device, rv_plan_tensor(plan, graph->output), values));
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    return values;
}
