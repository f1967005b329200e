/* Runs an ONNX model on the device of the tests, without anything around it. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_ONNX_RUN_H
#define RV_TESTS_ONNX_RUN_H

#include "model/internal.h"

/** The graph that the model becomes, with its weights; the caller destroys it.
 *  @param[out] input  shape of its input */
rv_status onnx_graph(rv_model_graph *out, rv_onnx *onnx, rv_shape *input);

/** Values of the graph's output in plain order; freed with free(). @param[out] n  how many */
float *onnx_run(const rv_model_graph *graph, rv_device *device, const float *input, size_t *n);

#endif
