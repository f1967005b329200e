/* Moves pictures until each makes its channel do as much as it can. */
/* SPDX-License-Identifier: MIT */
#include "stages/filter_batch.h"
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "optim/optim.h"
#include "stages/likeness.h"
#include "stages/spectrum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_SIZE = 128, VARIANT_STREAMS = 64, FIRST_STREAM = 0x100 };

/* --- the layer ------------------------------------------------------------------------------- */

/* Makes the graph take n pictures of a side. */
static rv_status reshape(rv_filter_layer *l, int n, int side)
{
    return rv_graph_reshape(l->graph.graph, l->graph.picture, rv_shape_4(n, 3, side, side));
}

static rv_status choose_side(rv_filter_layer *l, const rv_model *model, int size)
{
    l->side = size > 0 ? size : USUAL_SIZE;
    const rv_status status = reshape(l, 1, l->side);
    if (status != RV_ERR_SHAPE || size > 0 || rv_model_width(model) != rv_model_height(model)) {
        return status;
    }
    l->side = rv_model_width(model);
    return reshape(l, 1, l->side);
}

rv_status rv_filter_layer_open(rv_filter_layer *out, rv_device *device, const rv_model *model,
                               const char *name, int size)
{
    *out = (rv_filter_layer){.device = device};
    if (rv_model_channels(model) != 3) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "%s looks at grey pictures: filters need one for colours",
                       rv_model_name(model));
    }
    RV_TRY(rv_model_build(&out->graph, model, &name, 1));
    RV_TRY(rv_graph_find(out->graph.graph, &out->value, name));
    RV_TRY(rv_params_create(&out->params, device, out->graph.graph, false));
    rv_graph_release_values(out->graph.graph);
    RV_TRY(choose_side(out, model, size));
    const rv_shape *shape = rv_graph_shape(out->graph.graph, out->value);
    out->channels = shape->dim[1];
    return RV_OK;
}

void rv_filter_layer_close(rv_filter_layer *layer)
{
    rv_params_destroy(layer->params);
    rv_graph_destroy(layer->graph.graph);
    *layer = (rv_filter_layer){0};
}

/* Whether the value of a node says no more than what goes into it: it only bends its scale. */
static bool is_scale(const rv_node *n)
{
    float slope;
    return (n->op->rectifier != NULL && n->op->rectifier(n, &slope)) ||
           strcmp(n->op->name, "softmax") == 0;
}

rv_value rv_filter_source(const rv_graph *graph, rv_value value, int *channel)
{
    for (;;) {
        const int at = rv_graph_producer(graph, value);
        const rv_node *n = at >= 0 ? rv_graph_node(graph, at) : NULL;
        if (n != NULL && is_scale(n)) {
            value = rv_graph_node_inputs(graph, at)[0];
        } else if (n != NULL && (n->op->traits & RV_OP_JOINS) != 0) {
            int i = 0;
            while (*channel >= n->in[i]->shape.dim[1]) {
                *channel -= n->in[i++]->shape.dim[1];
            }
            value = rv_graph_node_inputs(graph, at)[i];
        } else {
            return value;
        }
    }
}

/* --- a batch --------------------------------------------------------------------------------- */

/* A value that channels of the layer are driven from: a joint of several layers has several. */
typedef struct source {
    rv_value value;
    rv_value wanted; /* an input: which values count */
    rv_shape shape;
} source;

typedef struct batch {
    rv_filter_layer *layer;
    const rv_filter *filters;
    const rv_filters_options *options;
    int n;
    int *at;      /* source of each picture */
    int *channel; /* and its channel there */
    source *sources;
    int n_sources;
    rv_likeness *likeness; /* of variants; NULL: they are left alone */
    rv_plan *plan;
    rv_spectrum *spectrum;
    rv_adam *adam;
} batch;

/* Finds what drives each channel. */
static rv_status find_sources(batch *b)
{
    const rv_graph *graph = b->layer->graph.graph;
    RV_TRY(rv_alloc(&b->at, (size_t)b->n, sizeof *b->at, "channels"));
    RV_TRY(rv_alloc(&b->channel, (size_t)b->n, sizeof *b->channel, "channels"));
    RV_TRY(rv_alloc(&b->sources, (size_t)b->n, sizeof *b->sources, "channels"));
    for (int i = 0; i < b->n; i++) {
        int channel = b->filters[i].channel, k = 0;
        const rv_value value = rv_filter_source(graph, b->layer->value, &channel);
        while (k < b->n_sources && b->sources[k].value != value) {
            k++;
        }
        if (k == b->n_sources) {
            b->sources[b->n_sources++] =
                (source){.value = value, .shape = *rv_graph_shape(graph, value)};
        }
        b->at[i] = k;
        b->channel[i] = channel;
    }
    return RV_OK;
}

static size_t places_of(const source *s)
{
    return (size_t)s->shape.dim[2] * (size_t)s->shape.dim[3];
}

/* Minus the sum of what is wanted: the objective. */
static rv_status add_goal(batch *b, int k, rv_value *loss)
{
    rv_graph *graph = b->layer->graph.graph;
    source *s = &b->sources[k];
    char name[64];
    snprintf(name, sizeof name, "filters %d", k);
    RV_TRY(rv_graph_input(graph, &s->wanted, name, s->shape));
    const rv_value in[2] = {s->value, s->wanted};
    snprintf(name, sizeof name, "filters %d sum", k);
    return rv_graph_add(graph, loss, "dot_loss", name, in, 2, RV_ATTRS(RV_SET_FLOAT("weight", -1)));
}

/* Each picture wants its own channel, everywhere. */
static rv_status write_wanted(batch *b, int k)
{
    const source *s = &b->sources[k];
    const size_t channels = (size_t)s->shape.dim[1], places = places_of(s);
    float *wanted;
    RV_TRY(rv_alloc(&wanted, rv_shape_count(&s->shape), sizeof *wanted, "channels"));
    for (size_t i = 0; i < (size_t)b->n; i++) {
        float *first = wanted + (i * channels + (size_t)b->channel[i]) * places;
        for (size_t p = 0; b->at[i] == k && p < places; p++) {
            first[p] = (float)b->filters[i].sign / (float)places;
        }
    }
    const rv_status status =
        rv_tensor_write(b->layer->device, rv_plan_tensor(b->plan, s->wanted), wanted);
    free(wanted);
    return status;
}

static rv_status make_plan(batch *b)
{
    rv_filter_layer *l = b->layer;
    rv_value *outputs;
    int n = 0;
    const size_t most = 4 * (size_t)b->n_sources;
    RV_TRY(rv_alloc(&outputs, most, sizeof *outputs, "channels"));
    rv_status status = RV_OK;
    for (int k = 0; k < b->n_sources && status == RV_OK; k++) {
        status = add_goal(b, k, &outputs[n++]);
    }
    for (int k = 0; k < b->n_sources && b->likeness != NULL && status == RV_OK; k++) {
        /* What has no places has no textures to be like. */
        if (b->sources[k].shape.rank == 4) {
            status = rv_likeness_add(b->likeness, l->graph.graph, b->sources[k].value, &outputs[n]);
            n += 2;
        }
    }
    for (int k = 0; k < b->n_sources; k++) {
        outputs[n++] = b->sources[k].value;
    }
    const rv_plan_options options = {
        .mode = RV_INFER,
        .outputs = outputs,
        .n_outputs = n,
        .gradients = &l->graph.picture,
        .n_gradients = 1,
        .events = b->options->events,
        .reserve = rv_spectrum_bytes(b->n, l->side) +
                   rv_adam_bytes(3 * (size_t)b->n * (size_t)l->side * (size_t)l->side)};
    if (status == RV_OK) {
        status = rv_plan_create(&b->plan, l->graph.graph, l->params, l->device, &options);
    }
    free(outputs);
    return status;
}

static rv_status draw_numbers(batch *b)
{
    const size_t n = rv_spectrum_floats(b->spectrum);
    float *numbers;
    RV_TRY(rv_alloc(&numbers, n, sizeof *numbers, "noise"));
    for (int i = 0; i < b->n; i++) {
        const rv_filter *f = &b->filters[i];
        const uint32_t stream =
            FIRST_STREAM + (uint32_t)f->channel * VARIANT_STREAMS + (uint32_t)f->variant;
        rv_spectrum_draw(numbers, b->n, b->layer->side, i, b->options->seed, stream);
    }
    const rv_status status = rv_buffer_write(b->layer->device, rv_spectrum_numbers(b->spectrum), 0,
                                             numbers, n * sizeof *numbers);
    free(numbers);
    return status;
}

static rv_status prepare(batch *b)
{
    const rv_adam_options adam = {(float)b->options->learning_rate, 0.9f, 0.999f, 1e-8f, 0, 0};
    RV_TRY(reshape(b->layer, b->n, b->layer->side));
    RV_TRY(find_sources(b));
    if (b->options->variants > 1 && b->options->diversity > 0) {
        RV_TRY(rv_likeness_create(&b->likeness, b->layer->device, b->n));
    }
    RV_TRY(make_plan(b));
    RV_TRY(rv_spectrum_create(&b->spectrum, b->layer->device, b->n, b->layer->side));
    RV_TRY(rv_adam_create(&b->adam, b->layer->device, rv_spectrum_floats(b->spectrum), &adam));
    for (int k = 0; k < b->n_sources; k++) {
        RV_TRY(write_wanted(b, k));
    }
    return draw_numbers(b);
}

/* Mean of what each channel does at the last forward. */
static rv_status read_means(batch *b, double *means)
{
    for (int k = 0; k < b->n_sources; k++) {
        const source *s = &b->sources[k];
        const size_t channels = (size_t)s->shape.dim[1], places = places_of(s);
        float *values;
        RV_TRY(rv_alloc(&values, rv_shape_count(&s->shape), sizeof *values, "channels"));
        const rv_status status =
            rv_tensor_read(b->layer->device, rv_plan_tensor(b->plan, s->value), values);
        for (size_t i = 0; i < (size_t)b->n && status == RV_OK; i++) {
            const float *first = values + (i * channels + (size_t)b->channel[i]) * places;
            double sum = 0;
            for (size_t p = 0; p < places; p++) {
                sum += (double)first[p];
            }
            means[i] = b->at[i] == k ? sum / (double)places : means[i];
        }
        free(values);
        RV_TRY(status);
    }
    return RV_OK;
}

/* Variants of a channel are driven apart, by a force that goes with what the channel does. */
static rv_status drive_apart(batch *b, double *means)
{
    if (b->likeness == NULL) {
        return RV_OK;
    }
    RV_TRY(read_means(b, means));
    for (int i = 0; i < b->n; i++) {
        means[i] = b->options->diversity * (means[i] * b->filters[i].sign);
    }
    return rv_likeness_update(b->likeness, b->plan, b->filters, means);
}

static rv_status step(batch *b, int number, double *means)
{
    const rv_filters_options *o = b->options;
    const rv_value picture = b->layer->graph.picture;
    const rv_view view =
        rv_view_draw(b->layer->side, o->jitter, o->scale, o->rotate, o->seed, (uint32_t)number);
    RV_TRY(rv_spectrum_show(b->spectrum, rv_plan_tensor(b->plan, picture)->buffer, &view));
    RV_TRY(rv_plan_forward(b->plan));
    RV_TRY(drive_apart(b, means));
    RV_TRY(rv_plan_backward(b->plan, false));
    RV_TRY(rv_spectrum_backward(b->spectrum, rv_plan_gradient(b->plan, picture)->buffer, &view));
    return rv_adam_step(b->adam, rv_spectrum_numbers(b->spectrum),
                        rv_spectrum_gradient(b->spectrum));
}

static rv_status take_steps(batch *b, rv_filter_report *report, void *payload, double *means)
{
    const rv_filters_options *o = b->options;
    const double start = rv_clock();
    rv_status status = RV_OK;
    int done = 0;
    while (done < o->steps && status == RV_OK) {
        status = step(b, done, means);
        if (status == RV_OK) {
            report(payload, ++done);
            status = rv_check_cancelled(o->events);
        }
    }
    if (status == RV_OK) {
        status = rv_device_finish(b->layer->device);
    }
    if (o->flops != NULL) {
        *o->flops += done * (rv_plan_flops(b->plan, RV_PASS_FORWARD) +
                             rv_plan_flops(b->plan, RV_PASS_BACKWARD_DATA));
    }
    if (o->seconds != NULL) {
        *o->seconds += rv_clock() - start;
    }
    return status;
}

/* The pictures as they are. */
static rv_status look(batch *b, float *pictures)
{
    const rv_view view = RV_VIEW_PLAIN;
    rv_tensor *picture = rv_plan_tensor(b->plan, b->layer->graph.picture);
    RV_TRY(rv_spectrum_show(b->spectrum, picture->buffer, &view));
    return rv_tensor_read(b->layer->device, picture, pictures);
}

static rv_status run(batch *b, rv_filter_report *report, void *payload, float *pictures,
                     double *means)
{
    rv_error cancelled;
    RV_TRY(prepare(b));
    const rv_status status = take_steps(b, report, payload, means);
    if (status != RV_OK && status != RV_ERR_CANCELLED) {
        return status;
    }
    rv_error_save(&cancelled, status);
    RV_TRY(look(b, pictures));
    if (status == RV_ERR_CANCELLED) {
        return rv_error_restore(&cancelled);
    }
    RV_TRY(rv_plan_forward(b->plan));
    return read_means(b, means);
}

rv_status rv_filter_batch_run(rv_filter_layer *layer, const rv_filter *filters, int n,
                              const rv_filters_options *options, rv_filter_report *report,
                              void *payload, float *pictures, double *means)
{
    batch b = {.layer = layer, .filters = filters, .options = options, .n = n};
    const rv_graph_mark mark = rv_graph_get_mark(layer->graph.graph);
    const rv_status status = run(&b, report, payload, pictures, means);
    rv_error error;
    rv_error_save(&error, status);
    rv_adam_destroy(b.adam);
    rv_spectrum_destroy(b.spectrum);
    rv_plan_destroy(b.plan);
    rv_likeness_destroy(b.likeness);
    rv_graph_rewind(layer->graph.graph, mark);
    free(b.at);
    free(b.channel);
    free(b.sources);
    return rv_error_restore(&error);
}
