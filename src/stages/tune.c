/* Tries the algorithms of each layer of a model on the device, and writes the fastest to its tuning table. */
/* SPDX-License-Identifier: MIT */
#include <reverie/tune.h>

#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "stages/bench_node.h"
#include "stages/training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_RUNS = 3, MAX_RUNS = 20, MAX_BATCH = 65536, MIN_SIZE = 16, MAX_SIZE = 65535 };
/* Runs of one algorithm go on till they have taken so long in all. */
#define MIN_SECONDS 0.2
/* What is faster by less than this share may be so by chance. */
#define WORTH 0.03
/* Largest difference, as a share of the largest value, between two algorithms that are both right: some transforms
 * have a few times the rounding errors of direct sums. */
#define RIGHT 1e-3

/* One call of rv_tune(). */
typedef struct tuner {
    rv_device *device;
    const rv_tune_options *options;
    rv_tune_row *rows;
    char **keys; /* of the rows */
    size_t n, rows_capacity, keys_capacity;
} tuner;

/* --- one pass of one node -------------------------------------------------------------------- */

static rv_status find_time(const tuner *t, rv_bench_node *b, rv_pass pass, double *seconds)
{
    double total = 0;
    RV_TRY(rv_check_cancelled(t->options->events));
    RV_TRY(rv_bench_node_run(b, pass)); /* compiles */
    *seconds = INFINITY;
    for (int n = 0; n < MIN_RUNS || (n < MAX_RUNS && total < MIN_SECONDS); n++) {
        RV_TRY(rv_check_cancelled(t->options->events));
        const double start = rv_clock();
        RV_TRY(rv_bench_node_run(b, pass));
        const double took = rv_clock() - start;
        *seconds = took < *seconds ? took : *seconds;
        total += took;
    }
    return RV_OK;
}

static rv_status read_result(const tuner *t, const rv_bench_node *b, rv_pass pass, float **out,
                             size_t *n)
{
    const rv_tensor *result = rv_bench_node_result(b, pass);
    *n = rv_shape_count(&result->shape);
    RV_TRY(rv_alloc(out, *n, sizeof **out, "measurement"));
    return rv_tensor_read(t->device, result, *out);
}

/* Whether two algorithms give the same but for rounding; NaN never does. */
static bool agree(const float *a, const float *b, size_t n)
{
    double largest = 0, difference = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        largest = fmax(largest, fabs((double)a[i]));
        difference = d <= difference ? difference : d;
    }
    return difference <= RIGHT * largest;
}

/* The time of one algorithm; infinite where its results are not those of the first. */
static rv_status try_algorithm(const tuner *t, rv_bench_node *b, rv_pass pass, const char *name,
                               float **first, double *seconds)
{
    float *values = NULL;
    size_t n;
    RV_TRY(rv_bench_node_choose(b, pass, name));
    RV_TRY(find_time(t, b, pass, seconds));
    rv_status status = read_result(t, b, pass, *first == NULL ? first : &values, &n);
    if (status == RV_OK && values != NULL && !agree(*first, values, n)) {
        rv_log(t->options->events, RV_LOG_WARNING,
               "'%s': algorithm %s gives wrong results on this device, and is left out",
               b->node.name, name);
        *seconds = INFINITY;
    }
    free(values);
    return status;
}

static rv_status try_all(const tuner *t, rv_bench_node *b, rv_tune_row *row, rv_pass pass,
                         const char *const *names, size_t n)
{
    float *first = NULL;
    double before = 0, best = INFINITY;
    size_t chosen = 0;
    rv_status status = RV_OK;
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        double seconds = INFINITY;
        status = try_algorithm(t, b, pass, names[i], &first, &seconds);
        before = i == 0 ? seconds : before;
        if (seconds < best && (i == 0 || seconds < (1 - WORTH) * before)) {
            best = seconds;
            chosen = i;
        }
    }
    free(first);
    RV_TRY(status);
    snprintf(row->before, sizeof row->before, "%s", names[0]);
    snprintf(row->best, sizeof row->best, "%s", names[chosen]);
    row->ms_before = 1e3 * before;
    row->ms = 1e3 * best;
    row->candidates = (int)n;
    return RV_OK;
}

/* --- all nodes of a plan --------------------------------------------------------------------- */

/* The row of a key that was seen before. */
static rv_tune_row *find(tuner *t, const char *key)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->keys[i], key) == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

/* Adds an empty row, which takes the key. */
static rv_status add_row(tuner *t, rv_tune_row **out, char *key, const rv_node *n, rv_pass pass)
{
    rv_status status = rv_grow(&t->rows, &t->rows_capacity, t->n + 1, sizeof *t->rows, "tuning");
    if (status == RV_OK) {
        status = rv_grow(&t->keys, &t->keys_capacity, t->n + 1, sizeof *t->keys, "tuning");
    }
    if (status != RV_OK) {
        free(key);
        return status;
    }
    t->keys[t->n] = key;
    *out = &t->rows[t->n++];
    **out = (rv_tune_row){.layers = 1};
    snprintf((*out)->name, sizeof(*out)->name, "%s", n->name);
    snprintf((*out)->pass, sizeof(*out)->pass, "%s", rv_pass_name(pass));
    return RV_OK;
}

static rv_status tune_pass(tuner *t, const rv_node *n, rv_pass pass, const char *const *names,
                           size_t count)
{
    char *key;
    rv_bench_node *b;
    RV_TRY(rv_node_key(&key, n, pass));
    rv_tune_row *row = find(t, key);
    if (row != NULL) {
        free(key);
        row->layers++;
        return RV_OK;
    }
    RV_TRY(add_row(t, &row, key, n, pass));
    rv_status status = rv_bench_node_like(&b, t->device, n);
    if (status == RV_OK) {
        status = try_all(t, b, row, pass, names, count);
    }
    rv_bench_node_destroy(b);
    if (status != RV_OK) {
        free(key);
        t->n--;
        return status;
    }
    return rv_tuning_set(t->device, key, row->best);
}

static void report(const tuner *t, size_t index, size_t total, const rv_node *n)
{
    char task[128];
    snprintf(task, sizeof task, "tune: %s", n != NULL ? n->name : "done");
    const rv_progress progress = {.task = task,
                                  .done = (int64_t)index,
                                  .total = (int64_t)total,
                                  .fraction = (double)index / (double)total,
                                  .loss = NAN,
                                  .seconds_left = -1};
    rv_report(t->options->events, &progress);
}

static rv_status tune_node(tuner *t, const rv_node *n)
{
    const uint32_t inputs = RV_WANT_INPUT(RV_MAX_INPUTS) - 1;
    const bool runs[RV_PASSES] = {true, (n->wanted & inputs) != 0, (n->wanted & ~inputs) != 0};
    for (int pass = 0; pass < RV_PASSES && n->op->algorithms != NULL; pass++) {
        const char *names[RV_MAX_ALGORITHMS];
        const size_t count = runs[pass] ? n->op->algorithms(n, t->device, (rv_pass)pass, names) : 0;
        if (count > 1) {
            RV_TRY(tune_pass(t, n, (rv_pass)pass, names, count));
        }
    }
    return RV_OK;
}

static rv_status visit(void *payload, const rv_plan *plan)
{
    tuner *t = payload;
    size_t total = 0;
    while (rv_plan_node_at(plan, total) != NULL) {
        total++;
    }
    for (size_t i = 0; i < total; i++) {
        const rv_node *n = rv_plan_node_at(plan, i);
        report(t, i, total, n);
        const rv_status status = tune_node(t, n);
        if (status == RV_ERR_DEVICE_MEMORY) {
            rv_log(t->options->events, RV_LOG_WARNING, "'%s' is left out: %s", n->name,
                   rv_error_message());
        } else if (status != RV_OK) {
            return status;
        }
    }
    report(t, total, total, NULL);
    return RV_OK;
}

/* --- plans ----------------------------------------------------------------------------------- */

static rv_status visit_plan(tuner *t, rv_model_graph *model, rv_plan_options options)
{
    rv_params *params = NULL;
    rv_plan *plan = NULL;
    rv_status status = rv_params_create(&params, t->device, model->graph, options.param_gradients);
    options.layout_only = true;
    if (status == RV_OK) {
        status = rv_plan_create(&plan, model->graph, params, t->device, &options);
    }
    if (status == RV_OK) {
        status = visit(t, plan);
    }
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    return status;
}

static rv_status infer(tuner *t, rv_model_graph *graph, const rv_model *model)
{
    RV_TRY(rv_graph_reshape(graph->graph, graph->picture,
                            rv_shape_4(t->options->batch, rv_model_channels(model),
                                       rv_model_height(model), rv_model_width(model))));
    return visit_plan(
        t, graph, (rv_plan_options){.mode = RV_INFER, .outputs = &graph->output, .n_outputs = 1});
}

static rv_status train(tuner *t, rv_model_graph *graph)
{
    rv_training_graph training;
    RV_TRY(rv_training_graph_add(&training, graph, RV_TASK_CLASSES, t->options->batch, 0));
    return visit_plan(
        t, graph,
        (rv_plan_options){
            .mode = RV_TRAIN, .outputs = &training.loss, .n_outputs = 1, .param_gradients = true});
}

static rv_status tune(tuner *t, const rv_model *model)
{
    const rv_tune_options *o = t->options;
    if (o->purpose == RV_TUNE_STYLIZE) {
        return rv_bench_stylize_plan(t->device, model, o->size, o->events, visit, t);
    }
    rv_model_graph graph;
    RV_TRY(rv_model_build(&graph, model, NULL, 0));
    const rv_status status =
        o->purpose == RV_TUNE_INFER ? infer(t, &graph, model) : train(t, &graph);
    rv_graph_destroy(graph.graph);
    return status;
}

static rv_status check(const rv_tune_options *o)
{
    if (o->size < MIN_SIZE || o->size > MAX_SIZE) {
        return rv_fail(RV_ERR_USAGE, "size is %d, must be from %d to %d", o->size, MIN_SIZE,
                       MAX_SIZE);
    }
    return o->batch >= 1 && o->batch <= MAX_BATCH
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "batch is %d, must be from 1 to %d", o->batch, MAX_BATCH);
}

rv_status rv_tune(rv_device *device, const rv_model *model, rv_tune_row **out, size_t *n,
                  const rv_tune_options *options)
{
    rv_tune_options o = RV_TUNE_OPTIONS_INIT;
    tuner t = {.device = device, .options = &o};
    if (options != NULL) { /* an older caller may know fewer of them */
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    }
    *out = NULL;
    *n = 0;
    RV_TRY(check(t.options));
    rv_status status = tune(&t, model);
    if (status == RV_OK || status == RV_ERR_CANCELLED) {
        rv_error error;
        rv_error_save(&error, status);
        status = rv_tuning_save(device);
        status = status == RV_OK && error.status != RV_OK ? rv_error_restore(&error) : status;
    }
    for (size_t i = 0; i < t.n; i++) {
        free(t.keys[i]);
    }
    free(t.keys);
    if (status != RV_OK) {
        free(t.rows);
        return status;
    }
    *out = t.rows;
    *n = t.n;
    return RV_OK;
}
