/* What a training learns of a picture: its class, its labels, or quantities, which are scaled. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "stages/train_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const losses[RV_TASKS] = {
    [RV_TASK_CLASSES] = "cross-entropy", [RV_TASK_LABELS] = "bce", [RV_TASK_VALUES] = "mse"};

rv_status rv_train_find_task(rv_task *out, const char *loss)
{
    for (int i = 0; i < RV_TASKS; i++) {
        if (loss == NULL || strcmp(losses[i], loss) == 0) {
            *out = (rv_task)i;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE, "there is no loss '%s'; there are cross-entropy, bce and mse",
                   loss);
}

/* Mean and deviation of quantity k over the training pictures; one that is the same for all is not widened. */
static void measure_one(const rv_train_run *run, int32_t k, float *mean, float *deviation)
{
    const size_t count = rv_dataset_count(run->dataset, RV_SUBSET_TRAIN);
    double sum = 0, square = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)rv_dataset_targets(run->dataset, RV_SUBSET_TRAIN, i)[k];
    }
    const double middle = sum / (double)count;
    for (size_t i = 0; i < count; i++) {
        const double d = (double)rv_dataset_targets(run->dataset, RV_SUBSET_TRAIN, i)[k] - middle;
        square += d * d;
    }
    const double spread = sqrt(square / (double)count);
    *mean = (float)middle;
    *deviation = spread > 1e-6 * fabs(middle) ? (float)spread : 1.0f;
}

static rv_status measure(rv_train_run *run, int32_t n)
{
    float *scale; /* means, then deviations */
    RV_TRY(rv_alloc(&scale, 2 * (size_t)n, sizeof *scale, "a scale"));
    for (int32_t k = 0; k < n; k++) {
        measure_one(run, k, &scale[k], &scale[n + k]);
    }
    const rv_status status = rv_model_set_scale(run->model, scale, scale + n, (size_t)n);
    free(scale);
    return status;
}

rv_status rv_train_find_scale(rv_train_run *run)
{
    const int32_t n = rv_graph_shape(run->graph.graph, run->training.logits)->dim[1];
    rv_scoring *s = &run->scoring;
    *s = (rv_scoring){.task = run->task, .n = n};
    if (run->task != RV_TASK_VALUES) {
        return RV_OK;
    }
    RV_TRY(
        rv_alloc(&run->targets, (size_t)run->options.batch * (size_t)n, sizeof(float), "targets"));
    /* A network that goes on keeps the units that its weights are used to. */
    rv_model_scale(run->model, &s->mean, &s->deviation);
    if (s->mean == NULL) {
        RV_TRY(measure(run, n));
        rv_model_scale(run->model, &s->mean, &s->deviation);
    }
    return RV_OK;
}

rv_status rv_train_upload_labels(rv_train_run *run, rv_plan *plan, const rv_batch *batch)
{
    const rv_scoring *s = &run->scoring;
    rv_tensor *labels = rv_plan_tensor(plan, run->training.labels);
    if (run->task != RV_TASK_VALUES) {
        return rv_tensor_write(run->device, labels, batch->labels);
    }
    for (size_t i = 0; i < batch->n; i++) {
        for (int32_t k = 0; k < s->n; k++) {
            const size_t at = i * (size_t)s->n + (size_t)k;
            run->targets[at] = (batch->labels[at] - s->mean[k]) / s->deviation[k];
        }
    }
    return rv_tensor_write(run->device, labels, run->targets);
}

int64_t rv_train_count_right(const rv_train_run *run, const rv_batch *batch)
{
    const int32_t n = run->scoring.n;
    int64_t right = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const float *given = run->host + i * (size_t)n;
        const float *labels = batch->labels + i * batch->n_labels;
        right += run->task == RV_TASK_CLASSES  ? (float)rv_largest(given, n) == labels[0]
                 : run->task == RV_TASK_LABELS ? rv_labels_right(given, labels, n)
                                               : 0;
    }
    return right;
}
