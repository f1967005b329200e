/* What the picture that moves is compared with: values of a graph, measured on other pictures. */
/* SPDX-License-Identifier: MIT */
#include "stages/target.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>

void rv_target_release(rv_target *target)
{
    free(target->data);
    target->data = NULL;
}

double rv_target_mean_square(const rv_target *target)
{
    double sum = 0;
    for (size_t i = 0; i < target->count; i++) {
        sum += (double)target->data[i] * (double)target->data[i];
    }
    return sum / (double)target->count;
}

static rv_status add_values(rv_target *t, rv_device *device, rv_plan *plan, double share)
{
    float *values = NULL;
    if (t->data == NULL) {
        RV_TRY(rv_alloc(&t->data, t->count, sizeof *t->data, "targets"));
    }
    RV_TRY(rv_alloc(&values, t->count, sizeof *values, "targets"));
    const rv_status status = rv_tensor_read(device, rv_plan_tensor(plan, t->value), values);
    for (size_t i = 0; i < t->count && status == RV_OK; i++) {
        t->data[i] += (float)share * values[i];
    }
    free(values);
    return status;
}

rv_status rv_targets_add(rv_target *const *targets, int n, const rv_target_source *source,
                         const rv_planar *picture, double share)
{
    rv_plan *plan = NULL;
    rv_value *outputs;
    RV_TRY(rv_alloc(&outputs, (size_t)n, sizeof *outputs, "targets"));
    for (int i = 0; i < n; i++) {
        outputs[i] = targets[i]->value;
        targets[i]->count = rv_shape_count(rv_graph_shape(source->graph, outputs[i]));
    }
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = outputs, .n_outputs = n, .events = source->events};
    rv_status status =
        rv_plan_create(&plan, source->graph, source->params, source->device, &options);
    if (status == RV_OK) {
        status =
            rv_tensor_write(source->device, rv_plan_tensor(plan, source->picture), picture->data);
    }
    if (status == RV_OK) {
        status = rv_plan_forward(plan);
    }
    for (int i = 0; i < n && status == RV_OK; i++) {
        status = add_values(targets[i], source->device, plan, share);
    }
    rv_plan_destroy(plan);
    free(outputs);
    return status;
}
