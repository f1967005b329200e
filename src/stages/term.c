/* What an objective compares: values of the picture that moves, and what they are of other pictures. */
/* SPDX-License-Identifier: MIT */
#include "stages/term.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "stages/coverage.h"
#include "stages/moments.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Of a map's mean square, see ridge_of(). */
#define RIDGE 1e-4

static void forget_target(rv_term *t)
{
    free(t->target);
    t->target = NULL;
}

void rv_terms_clear(rv_terms *terms)
{
    for (size_t i = 0; i < terms->n; i++) {
        forget_target(&terms->items[i]);
        free(terms->items[i].guide);
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

rv_status rv_terms_split(rv_terms *terms, int n)
{
    const size_t n_terms = terms->n;
    for (int region = 1; region < n; region++) {
        for (size_t i = 0; i < n_terms; i++) {
            rv_term t = terms->items[i];
            char of[32];
            snprintf(of, sizeof of, "in region %d", region + 1);
            t.region = region;
            RV_TRY(t.of_style ? rv_terms_add(terms, &t, terms->items[i].name, of) : RV_OK);
        }
    }
    return RV_OK;
}

/* --- guides ---------------------------------------------------------------------------------- */

/* Copies a coverage, scaled to a mean square of 1, and finds how much of the map it is: the mean square of what it
 * is with a largest value of 1; 0 where it is nowhere. */
static rv_status take_guide(rv_term *t, const float *coverage, size_t n, double *area)
{
    double largest = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, (double)coverage[i]);
        squares += (double)coverage[i] * (double)coverage[i];
    }
    *area = largest > 0 ? squares / (double)n / (largest * largest) : 0;
    if (!(*area > 0)) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&t->guide, n, sizeof *t->guide, "guides"));
    const double factor = 1 / sqrt(squares / (double)n);
    for (size_t i = 0; i < n; i++) {
        t->guide[i] = (float)(factor * (double)coverage[i]);
    }
    return RV_OK;
}

/* Guides a term, where its map has places. *area: how much of it that is. */
static rv_status guide_term(rv_term *t, const rv_graph *graph, const rv_coverage *coverage,
                            double *area)
{
    const float *seen = rv_coverage_of(coverage, t->map);
    const int32_t *d = rv_graph_shape(graph, t->map)->dim;
    *area = 1;
    return seen != NULL ? take_guide(t, seen, (size_t)d[2] * (size_t)d[3], area) : RV_OK;
}

/* Guides the terms of a region's styles, or those of the photo. */
static rv_status guide_some(rv_terms *terms, bool of_style, int region, const rv_graph *graph,
                            const rv_coverage *coverage)
{
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        double area;
        if (t->of_style == of_style && (!of_style || t->region == region)) {
            RV_TRY(guide_term(t, graph, coverage, &area));
            t->weight *= area;
        }
    }
    return RV_OK;
}

static rv_status guide_by(rv_terms *terms, bool of_style, int region, const rv_graph *graph,
                          rv_value picture, const float *plane)
{
    rv_coverage coverage;
    RV_TRY(rv_coverage_find(&coverage, graph, picture, plane));
    const rv_status status = guide_some(terms, of_style, region, graph, &coverage);
    rv_coverage_release(&coverage);
    return status;
}

rv_status rv_terms_guide(rv_terms *terms, const rv_graph *graph, rv_value picture,
                         const rv_regions *regions)
{
    for (size_t i = 0; i < terms->n && regions->strengths != NULL; i++) {
        rv_term *t = &terms->items[i];
        t->weight *= t->of_style ? regions->strengths[t->region] : 1;
    }
    for (int r = 0; r < regions->n && regions->planes != NULL; r++) {
        RV_TRY(guide_by(terms, true, r, graph, picture, regions->planes[r]));
    }
    return regions->visible != NULL ? guide_by(terms, false, 0, graph, picture, regions->visible)
                                    : RV_OK;
}

rv_status rv_terms_see(rv_terms *terms, const rv_graph *graph, rv_value picture, const float *seen)
{
    rv_coverage coverage;
    rv_status status = rv_coverage_find(&coverage, graph, picture, seen);
    for (size_t i = 0; i < terms->n && status == RV_OK; i++) {
        double area;
        status = terms->items[i].of_style ? guide_term(&terms->items[i], graph, &coverage, &area)
                                          : RV_OK;
    }
    rv_coverage_release(&coverage);
    return status;
}

void rv_terms_see_all(rv_terms *terms)
{
    for (size_t i = 0; i < terms->n; i++) {
        free(terms->items[i].guide);
        terms->items[i].guide = NULL;
    }
}

/* --- values ---------------------------------------------------------------------------------- */

/* A node behind a value, named by what it makes of its term. */
static rv_status add_node(const rv_term *t, rv_graph *graph, const char *makes, const char *op,
                          rv_value from, rv_value *out, const rv_attr_value *attrs, size_t n_attrs)
{
    char *name;
    RV_TRY(rv_format(&name, "%s of %s", makes, t->name));
    const rv_status status = rv_graph_add(graph, out, op, name, &from, 1, attrs, n_attrs);
    free(name);
    return status;
}

/* Multiplies `value` by the guide, if there is one. */
static rv_status add_guide(const rv_term *t, rv_graph *graph, const char *makes, rv_value *value)
{
    const rv_value in[2] = {*value, t->guide_input};
    char *name;
    if (t->guide == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_format(&name, "%s of %s", makes, t->name));
    const rv_status status = rv_graph_add(graph, value, "guide", name, in, 2, RV_NO_ATTRS);
    free(name);
    return status;
}

static rv_status add_guide_input(rv_term *t, rv_graph *graph)
{
    const int32_t *d = rv_graph_shape(graph, t->map)->dim;
    char *name;
    if (t->guide == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_format(&name, "%s guide", t->name));
    const rv_status status =
        rv_graph_input(graph, &t->guide_input, name, rv_shape_4(d[0], 1, d[2], d[3]));
    free(name);
    return status;
}

static rv_status add_products(rv_term *t, rv_graph *graph, rv_value map)
{
    return add_node(t, graph, "products", "gram", map, &t->value[t->n_values++],
                    RV_ATTRS(RV_SET_ENUM("normalize", "hw")));
}

static rv_status add_means(rv_term *t, rv_graph *graph, rv_value map)
{
    RV_TRY(add_guide(t, graph, "weighed map", &map));
    return add_node(t, graph, "means", "average_pool", map, &t->value[t->n_values++],
                    RV_ATTRS(RV_SET_INT("global", 1)));
}

static rv_status add_squares(rv_term *t, rv_graph *graph, rv_value map)
{
    RV_TRY(add_node(t, graph, "squares", "square", map, &map, RV_NO_ATTRS));
    return add_node(t, graph, "mean squares", "average_pool", map, &t->value[t->n_values++],
                    RV_ATTRS(RV_SET_INT("global", 1)));
}

/* The mean over the positions of a region weighs them by the square of the guide. */
static rv_status add_value(rv_term *t, rv_graph *graph)
{
    rv_value map = t->map;
    t->n_values = 0;
    RV_TRY(add_guide_input(t, graph));
    RV_TRY(add_guide(t, graph, "guided map", &map));
    switch (t->statistic) {
    case RV_STATISTIC_GRAM:
        return add_products(t, graph, map);
    case RV_STATISTIC_MEANS:
        return add_means(t, graph, map);
    case RV_STATISTIC_DEVIATIONS:
        RV_TRY(add_squares(t, graph, map));
        return add_means(t, graph, map);
    case RV_STATISTIC_CLOUD:
        RV_TRY(add_products(t, graph, map));
        return add_means(t, graph, map);
    default:
        t->value[t->n_values++] = map;
        return RV_OK;
    }
}

rv_status rv_terms_add_values(rv_terms *terms, rv_graph *graph)
{
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        t->channels = rv_graph_shape(graph, t->map)->dim[1];
        RV_TRY(add_value(t, graph));
    }
    return RV_OK;
}

/* --- targets --------------------------------------------------------------------------------- */

static size_t count_of(const rv_graph *graph, rv_value value)
{
    return rv_shape_count(rv_graph_shape(graph, value));
}

/* Adds one value to what is measured, `to`. */
static rv_status read_value(float *to, size_t n, const rv_term_source *source, rv_plan *plan,
                            rv_value value, double share)
{
    float *values;
    RV_TRY(rv_alloc(&values, n, sizeof *values, "targets"));
    const rv_status status = rv_tensor_read(source->device, rv_plan_tensor(plan, value), values);
    for (size_t i = 0; i < n && status == RV_OK; i++) {
        to[i] += (float)share * values[i];
    }
    free(values);
    return status;
}

static rv_status read_values(rv_term *t, const rv_term_source *source, rv_plan *plan, double share)
{
    size_t at = 0;
    if (t->target == NULL) {
        RV_TRY(rv_alloc(&t->target, t->count, sizeof *t->target, "targets"));
    }
    for (int i = 0; i < t->n_values; i++) {
        const size_t n = count_of(source->graph, t->value[i]);
        RV_TRY(read_value(t->target + at, n, source, plan, t->value[i], share));
        at += n;
    }
    return RV_OK;
}

static rv_status write_guide(const rv_term *t, rv_device *device, rv_plan *plan)
{
    return t->guide != NULL
               ? rv_tensor_write(device, rv_plan_tensor(plan, t->guide_input), t->guide)
               : RV_OK;
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
    for (int i = 0; i < source->n_guided && status == RV_OK; i++) {
        status = write_guide(source->guided[i], source->device, plan);
    }
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
static rv_status measure(rv_term *const *terms, int n, const rv_value *outputs, int n_outputs,
                         const rv_term_source *source, const rv_planar *picture, double share)
{
    rv_term_source guided = *source;
    rv_plan *plan;
    guided.guided = terms;
    guided.n_guided = n;
    RV_TRY(rv_term_source_run(&plan, &guided, picture, outputs, n_outputs));
    rv_status status = RV_OK;
    for (int i = 0; i < n && status == RV_OK; i++) {
        status = read_values(terms[i], source, plan, share);
    }
    rv_plan_destroy(plan);
    return status;
}

rv_status rv_terms_measure(rv_terms *terms, bool of_style, int region, const rv_term_source *source,
                           const rv_planar *picture, double share)
{
    rv_term **wanted = NULL;
    rv_value *outputs = NULL;
    int n = 0, n_outputs = 0;
    rv_status status = rv_alloc(&wanted, terms->n + 1, sizeof(rv_term *), "terms");
    if (status == RV_OK) {
        status = rv_alloc(&outputs, RV_TERM_VALUES * terms->n + 1, sizeof *outputs, "terms");
    }
    for (size_t i = 0; i < terms->n && status == RV_OK; i++) {
        rv_term *t = &terms->items[i];
        if (t->of_style == of_style && (region < 0 || t->region == region)) {
            t->count = 0;
            for (int k = 0; k < t->n_values; k++) {
                t->count += count_of(source->graph, t->value[k]);
                outputs[n_outputs++] = t->value[k];
            }
            wanted[n++] = t;
        }
    }
    if (status == RV_OK && n > 0) {
        status = measure(wanted, n, outputs, n_outputs, source, picture, share);
    }
    free(wanted);
    free(outputs);
    return status;
}

void rv_terms_weigh_photo(rv_terms *terms, double factor)
{
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        t->weight *= t->of_style ? 1 : factor;
    }
}

void rv_terms_scale_style(rv_terms *terms, double share)
{
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        for (size_t k = 0; t->of_style && k < t->count; k++) {
            t->target[k] *= (float)share;
        }
    }
}

/* --- losses ---------------------------------------------------------------------------------- */

/* Whether the target is moments: of channels, or of pairs of them. */
static bool has_moments(const rv_term *t)
{
    return t->statistic == RV_STATISTIC_DEVIATIONS || t->statistic == RV_STATISTIC_CLOUD;
}

/* What the target amounts to: the mean of its squares, or of its map's. */
static double size_of(const rv_term *t)
{
    double sum = 0;
    if (!has_moments(t)) {
        for (size_t i = 0; i < t->count; i++) {
            sum += (double)t->target[i] * (double)t->target[i];
        }
        return sum / (double)t->count;
    }
    const int c = t->channels, step = t->statistic == RV_STATISTIC_CLOUD ? c + 1 : 1;
    for (int i = 0; i < c; i++) {
        sum += (double)t->target[(size_t)i * (size_t)step];
    }
    return sum / c;
}

static double weight_of(const rv_term *t)
{
    const double size = t->relative ? size_of(t) : 1;
    const double least = size > t->smallest ? size : t->smallest;
    return least > 0 ? t->weight / least : t->weight;
}

/* Added to variances, which makes matrices of few pixels regular. */
static double ridge_of(const rv_term *t)
{
    const double size = size_of(t);
    return size > 0 ? RIDGE * size : RIDGE;
}

static rv_status add_inputs(rv_term *t, rv_graph *graph)
{
    for (int i = 0; i < t->n_values; i++) {
        char *name;
        RV_TRY(rv_format(&name, "%s target%s", t->name, i > 0 ? " mean" : ""));
        const rv_status status =
            rv_graph_input(graph, &t->input[i], name, *rv_graph_shape(graph, t->value[i]));
        free(name);
        RV_TRY(status);
    }
    return RV_OK;
}

static rv_status add_loss(rv_term *t, rv_graph *graph, double scale, rv_value *loss)
{
    const rv_attr_value weight = RV_SET_FLOAT("weight", scale * weight_of(t));
    RV_TRY(add_inputs(t, graph));
    if (!has_moments(t)) {
        const rv_value in[2] = {t->value[0], t->input[0]};
        return rv_graph_add(graph, loss, "mse_loss", t->name, in, 2, &weight, 1);
    }
    const bool cloud = t->statistic == RV_STATISTIC_CLOUD;
    const rv_value in[4] = {t->value[0], t->value[1], t->input[0], t->input[1]};
    return rv_graph_add(graph, loss, cloud ? "wasserstein_loss" : "deviation_loss", t->name, in, 4,
                        RV_ATTRS(weight, RV_SET_FLOAT("ridge", ridge_of(t))));
}

rv_status rv_terms_add_losses(rv_terms *terms, rv_graph *graph, double scale, rv_value *losses,
                              int *n)
{
    for (size_t i = 0; i < terms->n; i++) {
        if (terms->items[i].weight > 0) {
            RV_TRY(add_loss(&terms->items[i], graph, scale, &losses[(*n)++]));
        }
    }
    return RV_OK;
}

/* Turns moments into what the losses compare with. */
static rv_status finish_target(rv_term *t)
{
    const int c = t->channels;
    const double ridge = ridge_of(t);
    if (t->statistic == RV_STATISTIC_CLOUD) {
        return rv_moments_factor(t->target, t->target + (size_t)c * (size_t)c, c, ridge);
    }
    rv_moments_deviations(t->target, t->target + c, c, ridge);
    return RV_OK;
}

static rv_status write_target(rv_term *t, rv_device *device, rv_plan *plan)
{
    const float *from = t->target;
    RV_TRY(has_moments(t) ? finish_target(t) : RV_OK);
    for (int k = 0; k < t->n_values; k++) {
        rv_tensor *to = rv_plan_tensor(plan, t->input[k]);
        RV_TRY(rv_tensor_write(device, to, from));
        from += rv_shape_count(&to->shape);
    }
    return write_guide(t, device, plan);
}

rv_status rv_terms_write(rv_terms *terms, rv_device *device, rv_plan *plan)
{
    for (size_t i = 0; i < terms->n; i++) {
        rv_term *t = &terms->items[i];
        RV_TRY(t->weight > 0 ? write_target(t, device, plan) : RV_OK);
        forget_target(t);
    }
    return RV_OK;
}
