/* Shows how each layer learns: its gradient, how far a step moves its weights, and which of its units never wake. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "stages/train_run.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Pictures of training over which a unit has to be 0 to count as dead, the same ones each time. */
enum { TRIED_PICTURES = 256, WATCHED_STEPS = 8, MAX_TAG = 100 };

/* A rectifier behind a layer. */
typedef struct rectifier {
    int layer; /* whose units it has */
    rv_value output;
    int units;
    bool *awake; /* by unit */
} rectifier;

struct rv_diagnosis {
    rv_train_layer *layers;
    rv_segment *segments; /* of their weights */
    size_t n;
    float *before, *after; /* all parameters */
    int watched;           /* steps of this epoch; the layers hold sums over them */
    rectifier *rectifiers;
    int n_rectifiers;
    rv_plan *plan; /* gives what the rectifiers do, NULL where there are none */
    rv_text lines;
};

/* --- create ---------------------------------------------------------------------------------- */

static bool learns(const rv_train_run *run, const rv_segment *s)
{
    const rv_op *op = rv_graph_node(run->graph.graph, s->node)->op;
    return !s->state && s->index == 0 && op->param_init[0] == RV_INIT_HE &&
           (run->frozen == NULL || !run->frozen[s->node]);
}

static rv_status find_layers(rv_diagnosis *d, const rv_train_run *run)
{
    size_t n;
    const rv_segment *s = rv_params_segments(run->params, &n);
    RV_TRY(rv_alloc(&d->layers, n, sizeof *d->layers, "layers"));
    RV_TRY(rv_alloc(&d->segments, n, sizeof *d->segments, "layers"));
    for (size_t i = 0; i < n; i++) {
        if (learns(run, &s[i])) {
            d->layers[d->n].name = rv_graph_node(run->graph.graph, s[i].node)->name;
            d->segments[d->n++] = s[i];
        }
    }
    return RV_OK;
}

/* The nearest layer with drawn weights on the way from a node to the picture, -1: none that learns. */
static int layer_before(const rv_diagnosis *d, const rv_graph *graph, int node)
{
    while (node >= 0) {
        const rv_node *n = rv_graph_node(graph, node);
        if (n->op->n_params > 0 && n->op->param_init[0] == RV_INIT_HE) {
            break;
        }
        node = n->n_in > 0 ? rv_graph_producer(graph, rv_graph_node_inputs(graph, node)[0]) : -1;
    }
    for (size_t i = 0; i < d->n; i++) {
        if (d->segments[i].node == node) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_rectifier(const rv_node *n)
{
    float slope = 1;
    return n->op->rectifier != NULL && n->op->rectifier(n, &slope) && slope == 0;
}

/* Those whose layer learns, and that run at all where frozen layers have run before. */
static rv_status find_rectifiers(rv_diagnosis *d, const rv_train_run *run)
{
    const rv_graph *graph = run->graph.graph;
    const int nodes = rv_graph_node_count(graph);
    RV_TRY(rv_alloc(&d->rectifiers, (size_t)nodes, sizeof *d->rectifiers, "layers"));
    for (int i = 0; i < nodes; i++) {
        const int layer = is_rectifier(rv_graph_node(graph, i)) ? layer_before(d, graph, i) : -1;
        if (layer < 0 || run->fixed[i]) {
            continue;
        }
        const rv_value output = rv_graph_node_output(graph, i, 0);
        const int units = rv_graph_shape(graph, output)->dim[1];
        rectifier *r = &d->rectifiers[d->n_rectifiers++];
        *r = (rectifier){.layer = layer, .output = output, .units = units};
        RV_TRY(rv_alloc(&r->awake, (size_t)units, sizeof *r->awake, "units"));
        d->layers[layer].units += units;
    }
    return RV_OK;
}

static rv_status make_plan(rv_diagnosis *d, rv_train_run *run)
{
    rv_value *outputs;
    if (d->n_rectifiers == 0) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&outputs, (size_t)d->n_rectifiers, sizeof *outputs, "layers"));
    for (int i = 0; i < d->n_rectifiers; i++) {
        outputs[i] = d->rectifiers[i].output;
    }
    const rv_plan_options options = {.mode = RV_INFER,
                                     .outputs = outputs,
                                     .n_outputs = d->n_rectifiers,
                                     .feeds = &run->input,
                                     .n_feeds = run->input != run->graph.picture};
    const rv_status status =
        rv_plan_create(&d->plan, run->graph.graph, run->params, run->device, &options);
    free(outputs);
    return status;
}

static rv_status create(rv_diagnosis *d, rv_train_run *run)
{
    const size_t floats = rv_params_floats(run->params);
    RV_TRY(find_layers(d, run));
    RV_TRY(find_rectifiers(d, run));
    RV_TRY(make_plan(d, run));
    RV_TRY(rv_alloc(&d->before, floats, sizeof *d->before, "weights"));
    RV_TRY(rv_alloc(&d->after, floats, sizeof *d->after, "weights"));
    rv_text_append(&d->lines, "epoch,layer,gradient,weight,update,units,dead\n");
    return rv_text_status(&d->lines);
}

rv_status rv_diagnosis_create(rv_diagnosis **out, rv_train_run *run)
{
    rv_diagnosis *d;
    *out = NULL;
    RV_TRY(rv_alloc(&d, 1, sizeof *d, "a diagnosis"));
    const rv_status status = create(d, run);
    if (status != RV_OK) {
        rv_diagnosis_destroy(d);
        return status;
    }
    *out = d;
    return RV_OK;
}

void rv_diagnosis_destroy(rv_diagnosis *d)
{
    if (d == NULL) {
        return;
    }
    for (int i = 0; i < d->n_rectifiers; i++) {
        free(d->rectifiers[i].awake);
    }
    rv_plan_destroy(d->plan);
    rv_text_release(&d->lines);
    free(d->rectifiers);
    free(d->layers);
    free(d->segments);
    free(d->before);
    free(d->after);
    free(d);
}

rv_text *rv_diagnosis_lines(rv_diagnosis *d)
{
    return &d->lines;
}

/* --- a step ---------------------------------------------------------------------------------- */

static rv_status read(float *out, rv_train_run *run, rv_buffer *arena)
{
    const size_t floats = rv_params_floats(run->params);
    return rv_buffer_read(run->device, arena, 0, out, floats * sizeof *out);
}

static double norm(const float *values, const float *without, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double v = (double)values[i] - (without != NULL ? (double)without[i] : 0);
        sum += v * v;
    }
    return sqrt(sum);
}

bool rv_diagnosis_watches(const rv_train_run *run)
{
    const int64_t per_epoch = run->batches_per_epoch / run->options.accumulate;
    const int64_t apart = per_epoch > WATCHED_STEPS ? per_epoch / WATCHED_STEPS : 1;
    const int64_t behind = per_epoch - 1 - run->at.steps % per_epoch; /* steps of the epoch */
    return run->diagnosis != NULL && behind % apart == 0;
}

rv_status rv_diagnosis_before_step(rv_diagnosis *d, rv_train_run *run)
{
    return read(d->before, run, rv_params_values(run->params));
}

rv_status rv_diagnosis_after_step(rv_diagnosis *d, rv_train_run *run)
{
    RV_TRY(read(d->after, run, rv_params_values(run->params)));
    for (size_t i = 0; i < d->n; i++) {
        const rv_segment *s = &d->segments[i];
        const double weight = norm(d->before + s->offset, NULL, s->count);
        d->layers[i].weight += weight;
        d->layers[i].update +=
            norm(d->after + s->offset, d->before + s->offset, s->count) / fmax(weight, DBL_MIN);
    }
    RV_TRY(read(d->after, run, rv_params_gradients(run->params)));
    for (size_t i = 0; i < d->n; i++) {
        const rv_segment *s = &d->segments[i];
        d->layers[i].gradient +=
            norm(d->after + s->offset, NULL, s->count) / (double)run->options.accumulate;
    }
    d->watched++;
    return RV_OK;
}

/* --- dead units ------------------------------------------------------------------------------ */

/* Wakes the units that are above 0 anywhere in the first `pictures` of the batch. */
static rv_status watch(rectifier *r, rv_train_run *run, rv_plan *plan, size_t pictures)
{
    const rv_tensor *t = rv_plan_tensor(plan, r->output);
    const size_t count = rv_shape_count(&t->shape), units = (size_t)r->units;
    const size_t places = count / (size_t)t->shape.dim[0] / units;
    float *values;
    RV_TRY(rv_alloc(&values, count, sizeof *values, "values"));
    const rv_status status = rv_tensor_read(run->device, t, values);
    for (size_t row = 0; status == RV_OK && row < pictures * units; row++) {
        bool *awake = &r->awake[row % units];
        for (size_t k = 0; k < places && !*awake; k++) {
            *awake = values[row * places + k] > 0;
        }
    }
    free(values);
    return status;
}

static rv_status try_batch(rv_diagnosis *d, rv_train_run *run, rv_loader *loader)
{
    rv_batch batch;
    RV_TRY(rv_loader_next(loader, &batch));
    RV_TRY(rv_tensor_write(run->device, rv_plan_tensor(d->plan, run->input), batch.pictures));
    RV_TRY(rv_plan_forward(d->plan));
    for (int i = 0; i < d->n_rectifiers; i++) {
        RV_TRY(watch(&d->rectifiers[i], run, d->plan, batch.n));
    }
    return RV_OK;
}

static rv_status find_dead(rv_diagnosis *d, rv_train_run *run)
{
    rv_loader_options options = rv_train_loader_options(run, RV_SUBSET_TRAIN, true);
    rv_loader *loader;
    options.recipe = NULL;
    for (int i = 0; i < d->n_rectifiers; i++) {
        for (int k = 0; k < d->rectifiers[i].units; k++) {
            d->rectifiers[i].awake[k] = false;
        }
    }
    RV_TRY(rv_loader_create(&loader, run->dataset, &options, 0));
    rv_status status = RV_OK;
    for (int64_t tried = 0; status == RV_OK && tried < TRIED_PICTURES &&
                            tried < run->batches_per_epoch * run->options.batch;
         tried += run->options.batch) {
        status = try_batch(d, run, loader);
    }
    rv_loader_destroy(loader);
    for (size_t i = 0; i < d->n; i++) {
        d->layers[i].dead = 0;
    }
    for (int i = 0; i < d->n_rectifiers; i++) {
        const rectifier *r = &d->rectifiers[i];
        for (int k = 0; k < r->units; k++) {
            d->layers[r->layer].dead += !r->awake[k];
        }
    }
    return status;
}

/* --- an epoch -------------------------------------------------------------------------------- */

static rv_status log_value(const rv_train_run *run, const char *what, const char *layer,
                           double value)
{
    char tag[MAX_TAG];
    snprintf(tag, sizeof tag, "%s/%s", what, layer);
    return isfinite(value) ? rv_event_log_scalar(run->events, run->at.steps, tag, value) : RV_OK;
}

static rv_status write_layer(rv_diagnosis *d, const rv_train_run *run, const rv_train_layer *l,
                             int epoch)
{
    rv_text_append(&d->lines, "%d,", epoch);
    rv_text_append_cell(&d->lines, l->name);
    rv_text_append(&d->lines, ",%.6g,%.6g,%.6g,%d,%d\n", l->gradient, l->weight, l->update,
                   l->units, l->dead);
    RV_TRY(log_value(run, "gradient", l->name, l->gradient));
    RV_TRY(log_value(run, "update", l->name, l->update));
    return l->units > 0 ? log_value(run, "dead", l->name, (double)l->dead / l->units) : RV_OK;
}

rv_status rv_diagnosis_end_epoch(rv_diagnosis *d, rv_train_run *run, rv_train_epoch *e)
{
    if (d->plan != NULL) {
        RV_TRY(find_dead(d, run));
    }
    for (size_t i = 0; i < d->n; i++) {
        rv_train_layer *l = &d->layers[i];
        l->gradient /= d->watched;
        l->weight /= d->watched;
        l->update /= d->watched;
        RV_TRY(write_layer(d, run, l, e->epoch));
    }
    e->layers = d->layers;
    e->n_layers = d->n;
    return rv_text_status(&d->lines);
}

void rv_diagnosis_next_epoch(rv_diagnosis *d)
{
    d->watched = 0;
    for (size_t i = 0; i < d->n; i++) {
        d->layers[i].gradient = d->layers[i].weight = d->layers[i].update = 0;
    }
}
