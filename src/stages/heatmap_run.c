/* Runs a network over many variants of a picture at once, forward, or backward from the score of a class each. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "stages/heatmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of a batch, and pictures: enough for all cores to have work, little enough for memory. */
enum { BATCH_PIXELS = 420000, MOST_BATCH = 32 };

/* A plan for a batch, and what goes in and comes out on the host. */
typedef struct batch {
    size_t size;                       /* variants */
    rv_plan *plan;                     /* owned */
    rv_value fed;                      /* what varies */
    rv_value target;                   /* input: 1 at the class of each; -1: no gradient */
    size_t n_fed, n_classes, n_result; /* values of one variant */
    float *variants, *targets, *results;
} batch;

static void release(batch *b)
{
    rv_plan_destroy(b->plan);
    free(b->variants);
    free(b->targets);
    free(b->results);
}

/* --- making it ------------------------------------------------------------------------------- */

static rv_status make_plan(batch *b, rv_heatmaps *h, const rv_heat_job *job)
{
    rv_graph *graph = h->graph.graph;
    rv_value output = h->logits;
    if (job->classes != NULL) {
        RV_TRY(rv_graph_input(graph, &b->target, "class of each heat map",
                              *rv_graph_shape(graph, h->logits)));
        const rv_value in[2] = {h->logits, b->target};
        RV_TRY(rv_graph_add(graph, &output, "dot_loss", "score of a heat map", in, 2, RV_NO_ATTRS));
    }
    const rv_plan_options options = {.mode = RV_INFER,
                                     .outputs = &output,
                                     .n_outputs = 1,
                                     .feeds = &b->fed,
                                     .n_feeds = job->of_layer ? 1 : 0,
                                     .gradients = &b->fed,
                                     .n_gradients = job->classes != NULL ? 1 : 0,
                                     .guided = job->guided,
                                     .events = h->options.events};
    return rv_plan_create(&b->plan, graph, h->params, h->device, &options);
}

/* Where the picture is needed beside the layer, it is the one that was looked at. */
static rv_status write_picture(const batch *b, const rv_heatmaps *h)
{
    rv_tensor *tensor = rv_plan_tensor(b->plan, h->graph.picture);
    const size_t n = rv_heatmaps_values(h);
    float *pictures;
    if (tensor == NULL || b->fed == h->graph.picture) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&pictures, b->size * n, sizeof *pictures, "heat maps"));
    for (size_t i = 0; i < b->size; i++) {
        memcpy(pictures + i * n, h->seen.data, n * sizeof *pictures);
    }
    const rv_status status = rv_tensor_write(h->device, tensor, pictures);
    free(pictures);
    return status;
}

static rv_status open_batch(batch *b, rv_heatmaps *h, const rv_heat_job *job)
{
    rv_graph *graph = h->graph.graph;
    const rv_graph_mark mark = rv_graph_get_mark(graph);
    rv_shape shape = *rv_graph_shape(graph, h->graph.picture);
    const size_t most = (size_t)fmax(1, BATCH_PIXELS / ((double)shape.dim[2] * shape.dim[3]));
    b->size = job->n < MOST_BATCH ? job->n : MOST_BATCH;
    b->size = b->size < most ? b->size : most;
    b->fed = job->of_layer ? h->layer : h->graph.picture;
    b->target = -1;
    shape.dim[0] = (int32_t)b->size;
    RV_TRY(rv_graph_reshape(graph, h->graph.picture, shape));
    b->n_fed = rv_shape_count(rv_graph_shape(graph, b->fed)) / b->size;
    b->n_classes = (size_t)h->classes;
    b->n_result = job->classes != NULL ? b->n_fed : b->n_classes;
    const rv_status status = make_plan(b, h, job);
    rv_graph_rewind(graph, mark);
    RV_TRY(status);
    RV_TRY(write_picture(b, h));
    RV_TRY(rv_alloc(&b->variants, b->size * b->n_fed, sizeof(float), "heat maps"));
    RV_TRY(rv_alloc(&b->targets, b->size * b->n_classes, sizeof(float), "heat maps"));
    return rv_alloc(&b->results, b->size * b->n_result, sizeof(float), "heat maps");
}

/* --- running it ------------------------------------------------------------------------------ */

/* Variants `first` to `first` + n - 1; what of the batch lies behind them asks for nothing. */
static rv_status run(batch *b, rv_heatmaps *h, const rv_heat_job *job, size_t first, size_t n)
{
    memset(b->targets, 0, b->size * b->n_classes * sizeof *b->targets);
    for (size_t i = 0; i < n; i++) {
        job->fill(job->context, first + i, b->variants + i * b->n_fed);
        if (job->classes != NULL) {
            const int class = job->classes[(first + i) / job->share];
            b->targets[i * b->n_classes + (size_t) class] = 1;
        }
    }
    RV_TRY(rv_tensor_write(h->device, rv_plan_tensor(b->plan, b->fed), b->variants));
    const rv_tensor *result = rv_plan_tensor(b->plan, h->logits);
    if (job->classes != NULL) {
        RV_TRY(rv_tensor_write(h->device, rv_plan_tensor(b->plan, b->target), b->targets));
        RV_TRY(rv_plan_forward(b->plan));
        RV_TRY(rv_plan_backward(b->plan, false));
        result = rv_plan_gradient(b->plan, b->fed);
    } else {
        RV_TRY(rv_plan_forward(b->plan));
    }
    RV_TRY(rv_tensor_read(h->device, result, b->results));
    for (size_t i = 0; i < n; i++) {
        job->take(job->context, first + i, b->results + i * b->n_result);
    }
    return RV_OK;
}

rv_status rv_heatmaps_run(rv_heatmaps *h, const rv_heat_job *job)
{
    const rv_events *events = h->options.events;
    batch b = {0};
    rv_status status = open_batch(&b, h, job);
    for (size_t i = 0; i < job->n && status == RV_OK; i += b.size) {
        const size_t n = job->n - i < b.size ? job->n - i : b.size;
        status = rv_check_cancelled(events);
        if (status == RV_OK) {
            status = run(&b, h, job, i, n);
        }
        const rv_progress progress = {.task = job->task,
                                      .done = (int64_t)(i + n),
                                      .total = (int64_t)job->n,
                                      .fraction = job->from + (job->to - job->from) *
                                                                  (double)(i + n) / (double)job->n,
                                      .loss = NAN,
                                      .seconds_left = -1};
        rv_report(events, &progress);
    }
    release(&b);
    return status;
}
