/* What an objective compares: values of the picture that moves, and what they are of other pictures. */
/* SPDX-License-Identifier: MIT */
#include "stages/term.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>

static void forget_target(rv_term *t)
{
    free(t->target);
    t->target = NULL;
}

void rv_terms_clear(rv_terms *terms)
{
    for (size_t i = 0; i < terms->n; i++) {
        forget_target(&terms->items[i]);
        free(terms->items[i].name);
        terms->items[i] = (rv_term){0};
    }
    terms->n = 0;
}

void rv_terms_release(rv_terms *terms)
{
    rv_terms_clear(terms);
    free(terms->items);
    *terms = (rv_terms){0};
}

rv_status rv_terms_add(rv_terms *terms, const rv_term *term, const char *kind, const char *of)
{
    if (!(term->weight > 0)) {
        return RV_OK;
    }
    RV_TRY(rv_grow(&terms->items, &terms->capacity, terms->n + 1, sizeof *terms->items, "terms"));
    rv_term *t = &terms->items[terms->n];
    *t = *term;
    RV_TRY(rv_format(&t->name, "%s %s", kind, of));
    terms->n++;
    return RV_OK;
}

/* --- values ---------------------------------------------------------------------------------- */

/* A node behind a map, named after its term. */
static rv_status add_statistic(rv_term *t, rv_graph *graph, const char *op, rv_attr_value attr)
{
    char *name;
    RV_TRY(rv_format(&name, "%s %s", op, t->name));
    const rv_status status = rv_graph_add(graph, &t->value, op, name, &t->map, 1, &attr, 1);
    free(name);
    return status;
}

static rv_status add_value(rv_term *t, rv_graph *graph)
{
    switch (t->statistic) {
    case RV_STATISTIC_GRAM:
        return add_statistic(t, graph, "gram", RV_SET_ENUM("normalize", "hw"));
    case RV_STATISTIC_MEANS:
        return add_statistic(t, graph, "average_pool", RV_SET_INT("global", 1));
    default:
        t->value = t->map;
        return RV_OK;
    }
}

rv_status rv_terms_add_values(rv_terms *terms, rv_graph *graph)
{
    for (size_t i = 0; i < terms->n; i++) {
        RV_TRY(add_value(&terms->items[i], graph));
    }
    return RV_OK;
}

/* --- targets --------------------------------------------------------------------------------- */

static rv_status read_values(rv_term *t, rv_device *device, rv_plan *plan, double share)
{
    float *values = NULL;
    if (t->target == NULL) {
        RV_TRY(rv_alloc(&t->target, t->count, sizeof *t->target, "targets"));
    }
    RV_TRY(rv_alloc(&values, t->count, sizeof *values, "targets"));
    const rv_status status = rv_tensor_read(device, rv_plan_tensor(plan, t->value), values);
    for (size_t i = 0; i < t->count && status == RV_OK; i++) {
        t->target[i] += (float)share * values[i];
    }
    free(values);
    return status;
}

rv_status rv_term_source_run(rv_plan **out, const rv_term_source *source, const rv_planar *picture,
                             const rv_value *outputs, int n)
{
    rv_plan *plan;
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = outputs, .n_outputs = n, .events = source->events};
    *out = NULL;
    RV_TRY(rv_plan_create(&plan, source->graph, source->params, source->device, &options));
    rv_status status =
        rv_tensor_write(source->device, rv_plan_tensor(plan, source->picture), picture->data);
    if (status == RV_OK) {
        status = rv_plan_forward(plan);
    }
    if (status != RV_OK) {
        rv_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return RV_OK;
}

/* Adds to the targets of some terms, whose values are `outputs`. */
static rv_status measure(rv_term *const *terms, const rv_value *outputs, int n,
                         const rv_term_source *source, const rv_planar *picture, double share)
{
    rv_plan *plan;
    RV_TRY(rv_term_source_run(&plan, source, picture, outputs, n));
    rv_status status = RV_OK;
    for (int i = 0; i < n && status == RV_OK; i++) {
        status = read_values(terms[i], source->device, plan, share);
    }
    rv_plan_destroy(plan);
    return status;
}

rv_status rv_terms_measure(rv_terms *terms, bool of_style, const rv_term_source *source,
                           const rv_planar *picture, double share)
{
    rv_term **wanted = NULL;
    rv_value *outputs = NULL;
    int n = 0;
    rv_status status = rv_alloc(&wanted, terms->n + 1, sizeof(rv_term *), "terms");
    if (status == RV_OK) {
        status = rv_alloc(&outputs, terms->n + 1, sizeof *outputs, "terms");
    }
    for (size_t i = 0; i < terms->n && status == RV_OK; i++) {
        rv_term *t = &terms->items[i];
        if (t->of_style == of_style) {
            t->count = rv_shape_count(rv_graph_shape(source->graph, t->value));
            outputs[n] = t->value;
            wanted[n++] = t;
        }
    }
    if (status == RV_OK && n > 0) {
        status = measure(wanted, outputs, n, source, picture, share);
    }
    free(wanted);
    free(outputs);
    return status;
}

/* --- losses ---------------------------------------------------------------------------------- */

static double weight_of(const rv_term *t)
{
    double sum = 0;
    if (!t->relative) {
        return t->weight;
    }
    for (size_t i = 0; i < t->count; i++) {
        sum += (double)t->target[i] * (double)t->target[i];
    }
    const double mean = sum / (double)t->count;
    const double least = mean > t->smallest ? mean : t->smallest;
    return least > 0 ? t->weight / least : t->weight;
}

static rv_status add_loss(rv_term *t, rv_graph *graph, double scale, rv_value *loss)
{
    char *name;
    RV_TRY(rv_format(&name, "%s target", t->name));
    const rv_status status =
        rv_graph_input(graph, &t->input, name, *rv_graph_shape(graph, t->value));
    free(name);
    RV_TRY(status);
    const rv_value in[2] = {t->value, t->input};
    return rv_graph_add(graph, loss, "mse_loss", t->name, in, 2,
                        RV_ATTRS(RV_SET_FLOAT("weight", scale * weight_of(t))));
}

rv_status rv_terms_add_losses(rv_terms *terms, rv_graph *graph, double scale, rv_value *losses,
                              int *n)
{
    for (size_t i = 0; i < terms->n; i++) {
        RV_TRY(add_loss(&terms->items[i], graph, scale, &losses[(*n)++]));
    }
    return RV_OK;
}

rv_status rv_terms_write(rv_terms *terms, rv_device *device, rv_plan *plan)
{
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        RV_TRY(rv_tensor_write(device, rv_plan_tensor(plan, t->input), t->target));
        forget_target(t);
    }
    return RV_OK;
}
