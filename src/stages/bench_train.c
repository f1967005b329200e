/* Measures a step of training: forward, backward to all weights, momentum with weight decay. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"
#include "graph/plan.h"
#include "optim/update.h"
#include "stages/bench_node.h"
#include "stages/training.h"

#include <math.h>
#include <stdlib.h>

enum { STREAM_PICTURES = 4, STREAM_LABELS = 5 };
enum { MAX_BATCH = 65536, MIN_RUNS = 3, MAX_RUNS = 200 };
/* Steps go on till they have taken so long in all. */
#define MIN_SECONDS 2.0
/* Of no consequence for the time, but for weights that stay finite. */
#define LEARNING_RATE 0.01f
#define WEIGHT_DECAY  5e-4f

/* One call of rv_bench_train(). */
typedef struct job {
    rv_device *device;
    const rv_events *events;
    rv_model_graph model;
    rv_training_graph training;
    rv_params *params;
    rv_plan *plan;
    rv_update *update;
} job;

static rv_status prepare(job *j, const rv_model *model, int batch)
{
    RV_TRY(rv_model_build(&j->model, model, NULL, 0));
    RV_TRY(rv_training_graph_add(&j->training, &j->model, RV_TASK_CLASSES, batch, 0));
    RV_TRY(rv_check_cancelled(j->events));
    RV_TRY(rv_params_create(&j->params, j->device, j->model.graph, true));
    const rv_plan_options options = {.mode = RV_TRAIN,
                                     .outputs = &j->training.loss,
                                     .n_outputs = 1,
                                     .param_gradients = true,
                                     .events = j->events};
    RV_TRY(rv_plan_create(&j->plan, j->model.graph, j->params, j->device, &options));
    rv_update_options update = rv_update_defaults(RV_METHOD_MOMENTUM);
    update.l2 = WEIGHT_DECAY;
    return rv_update_create(&j->update, j->device, j->params, &update);
}

static void release(job *j)
{
    rv_update_destroy(j->update);
    rv_plan_destroy(j->plan);
    rv_params_destroy(j->params);
    rv_graph_destroy(j->model.graph);
}

/* Noise, and classes drawn for it. */
static rv_status write_batch(const job *j)
{
    rv_tensor *pictures = rv_plan_tensor(j->plan, j->model.picture);
    rv_tensor *labels = rv_plan_tensor(j->plan, j->training.labels);
    const size_t n = rv_shape_count(&pictures->shape), n_labels = rv_shape_count(&labels->shape);
    const int32_t classes = rv_graph_shape(j->model.graph, j->training.logits)->dim[1];
    float *values;
    RV_TRY(rv_alloc(&values, n, sizeof *values, "batch"));
    for (size_t i = 0; i < n_labels; i++) {
        values[i] = floorf(rv_philox_uniform(0, STREAM_LABELS, (uint32_t)i) * (float)classes);
    }
    rv_status status = rv_tensor_write(j->device, labels, values);
    for (size_t i = 0; i < n; i++) {
        values[i] = rv_philox_uniform(0, STREAM_PICTURES, (uint32_t)i);
    }
    if (status == RV_OK) {
        status = rv_tensor_write(j->device, pictures, values);
    }
    free(values);
    return status;
}

static rv_status step(const job *j)
{
    RV_TRY(rv_check_cancelled(j->events));
    RV_TRY(rv_plan_forward(j->plan));
    RV_TRY(rv_plan_backward(j->plan, false));
    RV_TRY(rv_update_step(j->update, LEARNING_RATE, 1.0f));
    return rv_device_finish(j->device);
}

/* By what is nearer, the number of steps or their time. @param total  seconds of n steps */
static void report(const rv_events *events, size_t n, double total)
{
    const double share = fmax(total / MIN_SECONDS, (double)n / MAX_RUNS);
    const rv_progress progress = {.task = "bench train",
                                  .done = (int64_t)n,
                                  .fraction = fmin(share, (double)n / MIN_RUNS),
                                  .loss = NAN,
                                  .seconds_left = -1};
    rv_report(events, &progress);
}

static rv_status measure(const job *j, double *median)
{
    double seconds[MAX_RUNS], total = 0;
    size_t n = 0;
    report(j->events, 0, 0);
    RV_TRY(write_batch(j));
    RV_TRY(step(j)); /* packs and compiles */
    while (n < MIN_RUNS || (n < MAX_RUNS && total < MIN_SECONDS)) {
        const double start = rv_clock();
        RV_TRY(step(j));
        seconds[n] = rv_clock() - start;
        total += seconds[n++];
        report(j->events, n, total);
    }
    *median = rv_bench_median(seconds, n);
    return RV_OK;
}

static rv_status check_loss(const job *j)
{
    double loss;
    RV_TRY(rv_plan_losses(j->plan, NULL, &loss));
    return isfinite(loss) ? RV_OK
                          : rv_fail(RV_ERR_INTERNAL,
                                    "the loss is %g: what was measured is no "
                                    "training",
                                    loss);
}

rv_status rv_bench_train(rv_device *device, rv_bench_train_result *out, const rv_model *model,
                         int batch, const rv_events *events)
{
    job j = {.device = device, .events = events};
    double seconds = 0, flops = 0;
    *out = (rv_bench_train_result){0};
    if (batch < 1 || batch > MAX_BATCH) {
        return rv_fail(RV_ERR_USAGE, "batch is %d, must be from 1 to %d", batch, MAX_BATCH);
    }
    rv_status status = prepare(&j, model, batch);
    if (status == RV_OK) {
        flops = rv_plan_flops(j.plan, RV_PASS_FORWARD) +
                rv_plan_flops(j.plan, RV_PASS_BACKWARD_DATA) +
                rv_plan_flops(j.plan, RV_PASS_BACKWARD_PARAMS);
        status = measure(&j, &seconds);
    }
    if (status == RV_OK) {
        status = check_loss(&j);
    }
    release(&j);
    RV_TRY(status);
    /* The peak comes last: its buffers are none of training's. */
    out->rss_bytes = rv_process_peak_bytes();
    out->device_bytes = rv_device_allocated_peak(device);
    out->seconds_per_step = seconds;
    out->images_per_second = batch / seconds;
    RV_TRY(rv_bench_limits(device, &out->peak, events));
    out->ratio_to_peak = 1e-9 * flops / seconds / out->peak.fma_gflops;
    return RV_OK;
}
