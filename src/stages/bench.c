/* Measures the device itself, an iteration of style transfer, and a forward pass. */
/* SPDX-License-Identifier: MIT */
#include <reverie/bench.h>

#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/system.h"
#include "stages/bench_node.h"
#include "stages/descent.h"
#include "stages/objective.h"
#include "stages/stylize_options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Streams of the pictures that are drawn. */
enum { STREAM_PHOTO = 1, STREAM_STYLE = 2, STREAM_BATCH = 3 };
enum {
    LIMITS = 3,
    PEAK_RUNS = 5,
    MIN_RUNS = 3,
    MAX_RUNS = 50,
    MAX_ITERATIONS = 1000000,
    MAX_BATCH = 65536
};
/* Forward passes go on till they have taken so long in all. */
#define MIN_SECONDS 0.5

/* --- peak ------------------------------------------------------------------------------------ */

static void report_limit(const rv_events *events, const char *task, int done)
{
    const rv_progress progress = {.task = task,
                                  .done = done,
                                  .total = LIMITS,
                                  .fraction = (double)done / LIMITS,
                                  .loss = NAN,
                                  .seconds_left = -1};
    rv_report(events, &progress);
}

rv_status rv_bench_peak(rv_device *device, rv_bench_peak_result *out, const rv_events *events)
{
    *out = (rv_bench_peak_result){0};
    report_limit(events, "bench peak: multiply-adds", 0);
    RV_TRY(rv_device_measure_fma(device, PEAK_RUNS, 0, events, &out->fma_gflops));
    report_limit(events, "bench peak: copying", 1);
    RV_TRY(rv_device_measure_copy(device, events, &out->copy_gbps));
    report_limit(events, "bench peak: launches", 2);
    RV_TRY(rv_device_measure_launch(device, events, &out->launch_us));
    report_limit(events, "bench peak", LIMITS);
    return RV_OK;
}

rv_status rv_bench_limits(rv_device *device, rv_bench_peak_result *out, const rv_events *events)
{
    rv_events quiet = events != NULL ? *events : (rv_events){0};
    quiet.progress = NULL;
    return rv_bench_peak(device, out, &quiet);
}

/* --- stylize --------------------------------------------------------------------------------- */

/* One call of rv_bench_stylize(). */
typedef struct job {
    rv_device *device;
    const rv_events *events;
    rv_stylize_options options; /* resolved */
    const rv_style_recipe *recipe;
    rv_objective *objective;
    rv_planar photo, style;
    double *ends; /* of the iterations, by the clock */
    double flops; /* of an iteration */
    bool profiled;
    rv_status profile_status; /* of starting or ending the profile, which report() cannot return */
    rv_profile_row *kernels;  /* of all iterations but the first */
    size_t n_kernels;
} job;

static void report(void *payload, int done, double loss)
{
    job *j = payload;
    const int total = j->options.iterations;
    j->ends[done - 1] = rv_clock();
    if (j->profiled && done == 1) {
        j->profile_status = rv_profile_start(j->device);
    } else if (j->profiled && done == total && j->profile_status == RV_OK) {
        j->profile_status = rv_profile_stop(j->device, &j->kernels, &j->n_kernels);
    }
    const double took = done > 1 ? (j->ends[done - 1] - j->ends[0]) / (done - 1) : 0;
    const rv_progress progress = {.task = "bench stylize",
                                  .done = done,
                                  .total = total,
                                  .fraction = (double)done / total,
                                  .loss = loss,
                                  .seconds_left = done > 1 ? took * (total - done) : -1};
    rv_report(j->events, &progress);
}

static rv_status draw(rv_planar *out, int side, uint32_t stream)
{
    RV_TRY(rv_planar_create(out, side, side));
    for (size_t i = 0; i < rv_planar_floats(out); i++) {
        out->data[i] = rv_philox_uniform(0, stream, (uint32_t)i);
    }
    return RV_OK;
}

/* The options of a stylize command that is all defaults but for what the measurement defines. */
static rv_status resolve(job *j, const rv_model *model, int size, int iterations)
{
    rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
    rv_schedule schedule;
    rv_image *photo;
    if (iterations < 2 || iterations > MAX_ITERATIONS) {
        return rv_fail(RV_ERR_USAGE, "iterations is %d, must be from 2 to %d", iterations,
                       MAX_ITERATIONS);
    }
    if (rv_model_get_kind(model) == RV_MODEL_NETWORK) {
        options.preset = RV_PRESET_GATYS;
    }
    options.size = size;
    options.iterations = iterations;
    options.tv_weight = 0;
    options.optimizer = RV_OPTIMIZER_ADAM;
    options.scales = 1;
    options.events = j->events;
    RV_TRY(rv_image_create(&photo, size > 0 ? size : 1, size > 0 ? size : 1, 3, 8));
    const rv_status status =
        rv_stylize_resolve(&j->options, &schedule, &j->recipe, &options, model, photo);
    rv_image_destroy(photo);
    return status;
}

/* Makes the pictures and the plan. */
static rv_status begin(job *j, rv_descent *descent, const rv_model *model)
{
    const int size = j->options.size;
    const double share = 1;
    /* Without the margin of stylize: the measure is a square of `size`. */
    RV_TRY(draw(&j->photo, size, STREAM_PHOTO));
    RV_TRY(draw(&j->style, size, STREAM_STYLE));
    RV_TRY(rv_objective_create(&j->objective, j->device, model, j->recipe, &j->options));
    rv_scale scale = {
        .size = size, .content = j->photo, .styles = &j->style, .shares = &share, .n_styles = 1};
    *descent = (rv_descent){.device = j->device,
                            .optimizer = RV_OPTIMIZER_ADAM,
                            .learning_rate = j->options.learning_rate,
                            .iterations = j->options.iterations,
                            .events = j->events,
                            .report = report,
                            .payload = j};
    scale.reserve = rv_descent_bytes(descent, rv_planar_floats(&j->photo));
    const rv_status status =
        rv_objective_begin(j->objective, &descent->plan, &descent->picture, &scale);
    j->photo = scale.content; /* which begin() may have changed */
    return status;
}

static rv_status iterate(job *j, const rv_model *model)
{
    rv_descent descent;
    double loss;
    RV_TRY(rv_alloc(&j->ends, (size_t)j->options.iterations, sizeof *j->ends, "measurement"));
    RV_TRY(begin(j, &descent, model));
    j->flops = rv_plan_flops(descent.plan, RV_PASS_FORWARD) +
               rv_plan_flops(descent.plan, RV_PASS_BACKWARD_DATA);
    return rv_descend(&descent, j->photo.data, &loss);
}

static void release(job *j)
{
    rv_objective_destroy(j->objective);
    rv_planar_release(&j->photo);
    rv_planar_release(&j->style);
    free(j->ends);
    free(j->kernels);
}

static void conclude(rv_bench_stylize_result *out, job *j, double start)
{
    const size_t n = (size_t)j->options.iterations;
    out->first_iteration_seconds = j->ends[0] - start;
    for (size_t i = n - 1; i > 0; i--) {
        j->ends[i] -= j->ends[i - 1];
    }
    out->seconds_per_iteration = rv_bench_median(j->ends + 1, n - 1);
    out->effective_gflops = 1e-9 * j->flops / out->seconds_per_iteration;
    out->rss_bytes = rv_process_peak_bytes();
    out->device_bytes = rv_device_allocated_peak(j->device);
}

rv_status rv_bench_stylize(rv_device *device, rv_bench_stylize_result *out, const rv_model *model,
                           int size, int iterations, const rv_events *events)
{
    const double start = rv_clock();
    job j = {.device = device, .events = events};
    *out = (rv_bench_stylize_result){0};
    RV_TRY(resolve(&j, model, size, iterations));
    rv_status status = iterate(&j, model);
    if (status == RV_OK) {
        conclude(out, &j, start);
    }
    release(&j);
    /* The peak comes last: its buffers are none of style transfer's. */
    if (status == RV_OK) {
        status = rv_bench_limits(device, &out->peak, events);
    }
    if (status == RV_OK) {
        out->ratio_to_peak = out->effective_gflops / out->peak.fma_gflops;
    }
    return status;
}

static rv_status list_kernels(rv_bench_kernel **out, const job *j)
{
    const double iterations = j->options.iterations - 1;
    double seconds = 0;
    RV_TRY(rv_alloc(out, j->n_kernels + 1, sizeof **out, "a profile"));
    for (size_t i = 0; i < j->n_kernels; i++) {
        seconds += j->kernels[i].seconds;
    }
    for (size_t i = 0; i < j->n_kernels; i++) {
        const rv_profile_row *row = &j->kernels[i];
        rv_bench_kernel *kernel = &(*out)[i];
        snprintf(kernel->name, sizeof kernel->name, "%s", row->name);
        kernel->launches = (double)row->launches / iterations;
        kernel->ms = 1e3 * row->seconds / iterations;
        kernel->share = seconds > 0 ? row->seconds / seconds : 0;
    }
    return RV_OK;
}

rv_status rv_bench_stylize_profile(rv_device *device, rv_bench_kernel **out, size_t *n,
                                   const rv_model *model, int size, int iterations,
                                   const rv_events *events)
{
    job j = {.device = device, .events = events, .profiled = true};
    *out = NULL;
    *n = 0;
    RV_TRY(resolve(&j, model, size, iterations));
    rv_status status = iterate(&j, model);
    if (status == RV_OK) {
        status = j.profile_status;
    }
    if (status == RV_OK) {
        status = list_kernels(out, &j);
        *n = j.n_kernels;
    }
    release(&j);
    return status;
}

rv_status rv_bench_stylize_plan(rv_device *device, const rv_model *model, int size,
                                const rv_events *events,
                                rv_status (*visit)(void *payload, const rv_plan *plan),
                                void *payload)
{
    job j = {.device = device, .events = events};
    rv_descent descent;
    RV_TRY(resolve(&j, model, size, 2));
    rv_status status = begin(&j, &descent, model);
    if (status == RV_OK) {
        status = visit(payload, descent.plan);
    }
    release(&j);
    return status;
}

/* --- infer ----------------------------------------------------------------------------------- */

static rv_status write_batch(rv_device *device, rv_tensor *tensor)
{
    const size_t n = rv_shape_count(&tensor->shape);
    float *values;
    RV_TRY(rv_alloc(&values, n, sizeof *values, "batch"));
    for (size_t i = 0; i < n; i++) {
        values[i] = rv_philox_uniform(0, STREAM_BATCH, (uint32_t)i);
    }
    const rv_status status = rv_tensor_write(device, tensor, values);
    free(values);
    return status;
}

/* By what is nearer, the number of runs or their time. @param total  seconds of n runs */
static void report_run(const rv_events *events, size_t n, double total)
{
    const double share = fmax(total / MIN_SECONDS, (double)n / MAX_RUNS);
    const rv_progress progress = {.task = "bench infer",
                                  .done = (int64_t)n,
                                  .fraction = fmin(share, (double)n / MIN_RUNS),
                                  .loss = NAN,
                                  .seconds_left = -1};
    rv_report(events, &progress);
}

static rv_status time_forward(rv_device *device, rv_plan *plan, const rv_events *events,
                              double *median)
{
    double seconds[MAX_RUNS], total = 0;
    size_t n = 0;
    report_run(events, 0, 0);
    RV_TRY(rv_check_cancelled(events));
    RV_TRY(rv_plan_forward(plan)); /* packs and compiles */
    RV_TRY(rv_device_finish(device));
    while (n < MIN_RUNS || (n < MAX_RUNS && total < MIN_SECONDS)) {
        RV_TRY(rv_check_cancelled(events));
        const double start = rv_clock();
        RV_TRY(rv_plan_forward(plan));
        RV_TRY(rv_device_finish(device));
        seconds[n] = rv_clock() - start;
        total += seconds[n++];
        report_run(events, n, total);
    }
    *median = rv_bench_median(seconds, n);
    return RV_OK;
}

static rv_status infer(rv_device *device, const rv_model_graph *model, rv_params *params,
                       const rv_events *events, double *seconds, double *flops)
{
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = &model->output, .n_outputs = 1, .events = events};
    rv_plan *plan;
    RV_TRY(rv_plan_create(&plan, model->graph, params, device, &options));
    *flops = rv_plan_flops(plan, RV_PASS_FORWARD);
    rv_status status = write_batch(device, rv_plan_tensor(plan, model->picture));
    if (status == RV_OK) {
        status = time_forward(device, plan, events, seconds);
    }
    rv_plan_destroy(plan);
    return status;
}

rv_status rv_bench_infer(rv_device *device, rv_bench_infer_result *out, const rv_model *model,
                         int batch, const rv_events *events)
{
    rv_model_graph graph;
    rv_params *params = NULL;
    double flops = 0;
    *out = (rv_bench_infer_result){0};
    if (batch < 1 || batch > MAX_BATCH) {
        return rv_fail(RV_ERR_USAGE, "batch is %d, must be from 1 to %d", batch, MAX_BATCH);
    }
    RV_TRY(rv_model_build(&graph, model, NULL, 0));
    rv_status status =
        rv_graph_reshape(graph.graph, graph.picture,
                         rv_shape_4(batch, 3, rv_model_height(model), rv_model_width(model)));
    if (status == RV_OK) {
        status = rv_check_cancelled(events); /* weights that are drawn take seconds */
    }
    if (status == RV_OK) {
        status = rv_params_create(&params, device, graph.graph, false);
        rv_graph_release_values(graph.graph);
    }
    if (status == RV_OK) {
        status = infer(device, &graph, params, events, &out->seconds_per_batch, &flops);
    }
    rv_params_destroy(params);
    rv_graph_destroy(graph.graph);
    RV_TRY(status);
    RV_TRY(rv_bench_limits(device, &out->peak, events));
    out->ratio_to_peak = 1e-9 * flops / out->seconds_per_batch / out->peak.fma_gflops;
    return RV_OK;
}
