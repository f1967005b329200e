/* What a network is for: how it ends, and the units of what it gives. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/internal.h"

#include <stdlib.h>
#include <string.h>

/* The operation that makes probabilities of what the layers before it give; NULL: none does. */
static const struct {
    const char *name, *end;
} tasks[RV_TASKS] = {[RV_TASK_CLASSES] = {"classes", "softmax"},
                     [RV_TASK_LABELS] = {"labels", "sigmoid"},
                     [RV_TASK_VALUES] = {"values", NULL}};

const char *rv_task_name(rv_task task)
{
    return tasks[task].name;
}

static bool ends_in(const rv_network *network, const char *op)
{
    const char *last = network->n_layers > 0 ? network->layers[network->n_layers - 1].op : NULL;
    return op != NULL && last != NULL && strcmp(last, op) == 0;
}

rv_status rv_network_set_task(rv_network *network, rv_task task)
{
    const char *end = tasks[task].end;
    rv_layer *layer;
    if (ends_in(network, tasks[network->task].end) && network->task != task) {
        rv_network_truncate(network, network->n_layers - 1);
    }
    network->task = task;
    if (end == NULL || ends_in(network, end) || network->n_layers == 0) {
        return RV_OK;
    }
    const rv_names *outputs = &network->layers[network->n_layers - 1].outputs;
    char *input;
    RV_TRY(rv_strdup(&input, outputs->list[0])); /* adding a layer moves the others */
    const rv_status status = rv_network_chain(&layer, network, end, "prob", input, NULL);
    free(input);
    return status;
}

rv_status rv_network_set_scale(rv_network *network, const float *mean, const float *deviation,
                               size_t n)
{
    free(network->mean);
    free(network->deviation);
    network->mean = network->deviation = NULL;
    network->n_scales = 0;
    if (mean == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&network->mean, n, sizeof *network->mean, "a scale"));
    RV_TRY(rv_alloc(&network->deviation, n, sizeof *network->deviation, "a scale"));
    memcpy(network->mean, mean, n * sizeof *mean);
    memcpy(network->deviation, deviation, n * sizeof *deviation);
    network->n_scales = n;
    return RV_OK;
}
