/* Finds the layer where numbers stop being finite. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "stages/train_run.h"

#include <math.h>
#include <stdlib.h>

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

/* Node of the first parameter with a value that is not finite, -1: none. */
static rv_status find_param(int *out, rv_train_run *run)
{
    size_t n;
    const rv_segment *s = rv_params_segments(run->params, &n);
    const size_t floats = rv_params_floats(run->params);
    float *values;
    *out = -1;
    RV_TRY(rv_alloc(&values, floats, sizeof *values, "weights"));
    const rv_status status = rv_buffer_read(run->device, rv_params_values(run->params), 0, values,
                                            floats * sizeof *values);
    for (size_t i = 0; status == RV_OK && i < n && *out < 0; i++) {
        *out = all_finite(values + s[i].offset, s[i].count) ? -1 : s[i].node;
    }
    free(values);
    return status;
}

/* Node of the first output that is not finite, -1: none. */
static rv_status find_output(int *out, rv_train_run *run, rv_plan *plan, const rv_value *values,
                             int n)
{
    *out = -1;
    for (int i = 0; i < n && *out < 0; i++) {
        const rv_tensor *t = rv_plan_tensor(plan, values[i]);
        const size_t count = rv_shape_count(&t->shape);
        float *host;
        RV_TRY(rv_alloc(&host, count, sizeof *host, "values"));
        const rv_status status = rv_tensor_read(run->device, t, host);
        *out = status == RV_OK && !all_finite(host, count)
                   ? rv_graph_producer(run->graph.graph, values[i])
                   : -1;
        free(host);
        RV_TRY(status);
    }
    return RV_OK;
}

/* Runs the batch once more with all values kept. */
static rv_status find_layer(int *out, rv_train_run *run, const rv_batch *batch)
{
    const rv_graph *graph = run->graph.graph;
    int n = 0;
    rv_value *values;
    rv_plan *plan = NULL;
    RV_TRY(rv_alloc(&values, (size_t)rv_graph_node_count(graph), sizeof *values, "layers"));
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        if (!run->fixed[i]) {
            values[n++] = rv_graph_node_output(graph, i, 0);
        }
    }
    const rv_plan_options options = {.mode = RV_TRAIN,
                                     .outputs = values,
                                     .n_outputs = n,
                                     .feeds = &run->input,
                                     .n_feeds = run->input != run->graph.picture,
                                     .frozen = run->frozen,
                                     .seed = run->options.seed};
    rv_status status = rv_plan_create(&plan, graph, run->params, run->device, &options);
    if (status == RV_OK) {
        rv_plan_set_run(plan, (uint32_t)run->at.batches);
        /* They are on the device, augmented or not. */
        const rv_tensor *from = rv_plan_tensor(run->plan, run->input);
        const rv_tensor *to = rv_plan_tensor(plan, run->input);
        status = rv_buffer_copy(run->device, to->buffer, 0, from->buffer, 0, rv_tensor_bytes(from));
    }
    if (status == RV_OK) {
        status = rv_train_upload_labels(run, plan, batch);
    }
    if (status == RV_OK) {
        status = rv_plan_forward(plan);
    }
    if (status == RV_OK) {
        status = find_output(out, run, plan, values, n);
    }
    rv_plan_destroy(plan);
    free(values);
    return status;
}

rv_status rv_train_fail_not_finite(rv_train_run *run, const rv_batch *batch, double loss)
{
    int node;
    const char *what = "the weights of", *name = "an unknown layer";
    RV_TRY(find_param(&node, run));
    if (node < 0) {
        what = "the output of";
        RV_TRY(find_layer(&node, run, batch));
    }
    if (node >= 0) {
        name = rv_graph_node(run->graph.graph, node)->name;
    }
    return rv_fail(RV_ERR_USAGE,
                   "the loss is %g after %jd steps: it diverges, first in %s '%s'; lower the "
                   "learning rate, or clip the gradient",
                   loss, (intmax_t)run->at.steps, what, name);
}
