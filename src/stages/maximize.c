/* Goals made part of a network: a loss for each, and what it is multiplied by.
 *
 *   layer      -w / (C H W) * sum of x x
 *   channels   -w * sum of x t,  t = 1 / (channels * H * W) in these channels, else 0
 *   unit       the same at one place: t = 1 / channels
 *   class      -w * x_k of what goes into the softmax
 *   guide      -w / (H W) * sum over places of the largest product of x there with a vector of the guide
 *   variation  -w * mean of the squared differences between neighbours
 *
 * for each picture. */
/* SPDX-License-Identifier: MIT */
#include "stages/maximize.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "stages/class_name.h"
#include "stages/guide.h"
#include "stages/reach.h"
#include "stages/term.h"

#include <stdlib.h>
#include <string.h>

/* What a goal is in the graph. */
typedef struct aim {
    rv_value value;  /* that it is about; of the variation the picture */
    rv_value target; /* t, or the vectors of the guide; -1: none */
    rv_value loss;
    rv_guide guide;
    bool counts; /* of a unit: the picture is the part that it belongs to */
    rv_reach reach;
} aim;

struct rv_maximizer {
    rv_device *device;
    const rv_events *events;
    rv_goals *goals;
    rv_model_graph model;
    rv_graph_mark mark; /* the end of the network */
    rv_params *params;
    aim *aims;        /* a goal each */
    rv_value *values; /* room for losses or guided layers */
    rv_maximizer_size size;
    double area;   /* of the part that is seen, as a share of the picture */
    rv_plan *plan; /* of the present size */
};

/* --- checks ---------------------------------------------------------------------------------- */

static bool has_class(const rv_goals *goals)
{
    bool any = false;
    for (size_t i = 0; i < goals->n; i++) {
        any = any || goals->items[i].kind == RV_GOAL_CLASS;
    }
    return any;
}

static rv_status build(rv_maximizer *m, const rv_model *model)
{
    const char **names;
    size_t n = 0;
    RV_TRY(rv_alloc(&names, m->goals->n + 1, sizeof *names, "layer names"));
    for (size_t i = 0; i < m->goals->n; i++) {
        if (m->goals->items[i].kind != RV_GOAL_VARIATION) {
            names[n++] = m->goals->items[i].name;
        }
    }
    rv_status status = RV_OK;
    if (n == 0) {
        status = rv_fail(RV_ERR_USAGE, "there is no layer to maximise, only tv");
    } else {
        /* What goes into the softmax has no name that is known before. */
        const bool all = has_class(m->goals);
        status = rv_model_build(&m->model, model, all ? NULL : names, all ? 0 : n);
    }
    free(names);
    return status;
}

/* The scores before softmax, where the network ends with one. */
static rv_status find_scores(rv_value *out, const rv_maximizer *m, const rv_model *model)
{
    const rv_graph *graph = m->model.graph;
    *out = m->model.output;
    const int producer = rv_graph_producer(graph, *out);
    if (producer >= 0 && strcmp(rv_graph_node(graph, producer)->op->name, "softmax") == 0) {
        *out = rv_graph_node_inputs(graph, producer)[0];
    }
    const rv_shape *s = rv_graph_shape(graph, *out);
    if (rv_model_task(model) != RV_TASK_VALUES && s->dim[1] > 1 &&
        (s->rank == 2 || (s->rank == 4 && s->dim[2] == 1 && s->dim[3] == 1))) {
        return RV_OK;
    }
    return rv_fail(RV_ERR_UNSUPPORTED, "%s gives no class scores: name a layer",
                   rv_model_name(model));
}

static rv_status check_channels(const rv_goal *goal, const rv_shape *shape)
{
    for (size_t i = 0; i < goal->n_channels; i++) {
        if (goal->channels[i] >= shape->dim[1]) {
            return rv_fail(RV_ERR_NOT_FOUND, "'%s' has %d channels, from 0 to %d: there is no %d",
                           goal->name, shape->dim[1], shape->dim[1] - 1, goal->channels[i]);
        }
    }
    return RV_OK;
}

static rv_status find(rv_maximizer *m, const rv_model *model, rv_goal *goal, aim *a)
{
    const rv_graph *graph = m->model.graph;
    a->value = m->model.picture;
    if (goal->kind == RV_GOAL_VARIATION) {
        return RV_OK;
    }
    if (goal->kind == RV_GOAL_CLASS) {
        int index = -1;
        RV_TRY(find_scores(&a->value, m, model));
        RV_TRY(rv_class_find(&index, model, rv_graph_shape(graph, a->value)->dim[1], goal->name));
        goal->n_channels = 0;
        RV_TRY(rv_goal_add_channel(goal, index));
        return RV_OK;
    }
    RV_TRY(rv_graph_find(graph, &a->value, goal->name));
    const rv_shape *shape = rv_graph_shape(graph, a->value);
    if (goal->kind == RV_GOAL_GUIDE && shape->rank != 4) {
        return rv_fail(RV_ERR_USAGE,
                       "guide:%s: a guide needs a layer with places, not one number "
                       "for all of the picture",
                       goal->name);
    }
    return check_channels(goal, shape);
}

/* Puts the place in the expression before what is wrong with a goal. */
static rv_status find_all(rv_maximizer *m, const rv_model *model)
{
    for (size_t i = 0; i < m->goals->n; i++) {
        rv_goal *goal = &m->goals->items[i];
        m->aims[i].target = -1;
        const rv_status status = find(m, model, goal, &m->aims[i]);
        if (status != RV_OK) {
            return goal->at > 0 ? rv_fail_context(status, "at character %d", goal->at) : status;
        }
        RV_TRY(rv_reach_find(&m->aims[i].reach, m->model.graph, m->aims[i].value));
    }
    return RV_OK;
}

/* --- life ------------------------------------------------------------------------------------ */

static rv_status create(rv_maximizer *m, const rv_model *model)
{
    if (rv_model_get_kind(model) != RV_MODEL_NETWORK) {
        return rv_fail(RV_ERR_UNSUPPORTED, "'%s' has no layers to maximise: name a network",
                       rv_model_name(model));
    }
    if (rv_model_channels(model) != 3) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%s looks at grey pictures: name a network for colours",
                       rv_model_name(model));
    }
    RV_TRY(rv_alloc(&m->aims, m->goals->n, sizeof *m->aims, "goals"));
    RV_TRY(rv_alloc(&m->values, m->goals->n, sizeof *m->values, "goals"));
    RV_TRY(build(m, model));
    RV_TRY(find_all(m, model));
    m->mark = rv_graph_get_mark(m->model.graph);
    RV_TRY(rv_params_create(&m->params, m->device, m->model.graph, false));
    rv_graph_release_values(m->model.graph);
    return RV_OK;
}

rv_status rv_maximizer_create(rv_maximizer **out, rv_device *device, const rv_model *model,
                              rv_goals *goals, const rv_events *events)
{
    rv_maximizer *m;
    *out = NULL;
    RV_TRY(rv_alloc(&m, 1, sizeof *m, "goals"));
    m->device = device;
    m->goals = goals;
    m->events = events;
    const rv_status status = create(m, model);
    if (status != RV_OK) {
        rv_maximizer_destroy(m);
        return status;
    }
    *out = m;
    return RV_OK;
}

void rv_maximizer_destroy(rv_maximizer *m)
{
    if (m == NULL) {
        return;
    }
    rv_plan_destroy(m->plan);
    rv_params_destroy(m->params);
    rv_graph_destroy(m->model.graph);
    for (size_t i = 0; m->aims != NULL && i < m->goals->n; i++) {
        rv_guide_release(&m->aims[i].guide);
    }
    free(m->aims);
    free(m->values);
    free(m);
}

/* --- guide ----------------------------------------------------------------------------------- */

static bool is_guided(const rv_maximizer *m, size_t i)
{
    return m->goals->items[i].kind == RV_GOAL_GUIDE;
}

bool rv_maximizer_has_guide(const rv_maximizer *m)
{
    bool any = false;
    for (size_t i = 0; i < m->goals->n; i++) {
        any = any || is_guided(m, i);
    }
    return any;
}

static rv_status reshape(rv_maximizer *m, int n, int height, int width)
{
    rv_plan_destroy(m->plan);
    m->plan = NULL;
    rv_graph_rewind(m->model.graph, m->mark);
    return rv_graph_reshape(m->model.graph, m->model.picture, rv_shape_4(n, 3, height, width));
}

rv_status rv_maximizer_set_guide(rv_maximizer *m, const rv_planar *guide)
{
    int n = 0;
    const int shorter = guide->width < guide->height ? guide->width : guide->height;
    for (size_t i = 0; i < m->goals->n; i++) {
        if (is_guided(m, i) && m->aims[i].reach.size > shorter) {
            return rv_fail(RV_ERR_SHAPE,
                           "the guide has %d x %d pixels, but a value of '%s' sees %d x %d: take a "
                           "larger guide, or an earlier layer",
                           guide->width, guide->height, m->goals->items[i].name,
                           m->aims[i].reach.size, m->aims[i].reach.size);
        }
        if (is_guided(m, i)) {
            m->values[n++] = m->aims[i].value;
        }
    }
    rv_plan *plan;
    RV_TRY(reshape(m, 1, guide->height, guide->width));
    const rv_term_source source = {.device = m->device,
                                   .graph = m->model.graph,
                                   .params = m->params,
                                   .picture = m->model.picture,
                                   .events = m->events};
    RV_TRY(rv_term_source_run(&plan, &source, guide, m->values, n));
    rv_status status = RV_OK;
    for (size_t i = 0; i < m->goals->n && status == RV_OK; i++) {
        if (is_guided(m, i)) {
            status = rv_guide_learn(&m->aims[i].guide, m->device,
                                    rv_plan_tensor(plan, m->aims[i].value));
        }
    }
    rv_plan_destroy(plan);
    return status;
}

/* --- losses ---------------------------------------------------------------------------------- */

static rv_status add_variation(rv_maximizer *m, const rv_goal *goal, aim *a, const char *name)
{
    return rv_graph_add(m->model.graph, &a->loss, "tv_loss", name, &a->value, 1,
                        RV_ATTRS(RV_SET_FLOAT("weight", -goal->weight * m->size.n)));
}

/* Each value times itself, or times its target. */
static rv_status add_product(rv_maximizer *m, const rv_goal *goal, aim *a, const char *name)
{
    rv_graph *graph = m->model.graph;
    const rv_shape shape = *rv_graph_shape(graph, a->value);
    double weight = -goal->weight;
    a->target = -1;
    if (goal->kind == RV_GOAL_LAYER) {
        weight /= (double)rv_shape_count(&shape) / m->size.n;
    } else {
        char *input;
        RV_TRY(rv_format(&input, "%s target", name));
        const rv_status status = rv_graph_input(graph, &a->target, input, shape);
        free(input);
        RV_TRY(status);
    }
    const rv_value in[2] = {a->value, a->target >= 0 ? a->target : a->value};
    return rv_graph_add(graph, &a->loss, "dot_loss", name, in, 2,
                        RV_ATTRS(RV_SET_FLOAT("weight", weight)));
}

/* The best of the guide for each place. */
static rv_status add_match(rv_maximizer *m, const rv_goal *goal, aim *a, const char *name)
{
    rv_graph *graph = m->model.graph;
    const rv_shape *s = rv_graph_shape(graph, a->value);
    const double places = (double)s->dim[2] * s->dim[3];
    const rv_shape list = rv_shape_2(a->guide.n_places, a->guide.n_channels);
    char *input;
    RV_TRY(rv_format(&input, "%s guide", name));
    const rv_status status = rv_graph_input(graph, &a->target, input, list);
    free(input);
    RV_TRY(status);
    const rv_value in[2] = {a->value, a->target};
    return rv_graph_add(graph, &a->loss, "match_loss", name, in, 2,
                        RV_ATTRS(RV_SET_FLOAT("weight", -goal->weight / places)));
}

static rv_status add_losses(rv_maximizer *m)
{
    for (size_t i = 0; i < m->goals->n; i++) {
        const rv_goal *goal = &m->goals->items[i];
        char *name;
        RV_TRY(rv_format(&name, "goal %zu", i + 1));
        const rv_status status = goal->kind == RV_GOAL_VARIATION
                                     ? add_variation(m, goal, &m->aims[i], name)
                                 : is_guided(m, i) ? add_match(m, goal, &m->aims[i], name)
                                                   : add_product(m, goal, &m->aims[i], name);
        free(name);
        RV_TRY(status);
    }
    return RV_OK;
}

/* --- targets --------------------------------------------------------------------------------- */

/* The values that belong to a goal, in a layer of zeros: `weight` divided by their number. */
static void mark(float *t, const rv_maximizer *m, const rv_goal *goal, const rv_shape *s,
                 double weight, int row, int column)
{
    const size_t height = (size_t)s->dim[2], width = (size_t)s->dim[3], plane = height * width;
    const bool apart = m->size.apart && goal->n_channels > 1;
    const bool all = row < 0;
    const float share =
        (float)(weight / (double)((apart ? 1 : goal->n_channels) * (all ? plane : 1)));
    for (size_t n = 0; n < (size_t)s->dim[0]; n++) {
        for (size_t c = 0; c < goal->n_channels; c++) {
            if (apart && c != n) {
                continue;
            }
            float *to = t + (n * (size_t)s->dim[1] + (size_t)goal->channels[c]) * plane;
            for (size_t i = 0; i < plane && all; i++) {
                to[i] = share;
            }
            if (!all) {
                to[(size_t)row * width + (size_t)column] = share;
            }
        }
    }
}

/* Whether the unit lies in the part of the picture, and where in its layer. */
static bool find_unit(const rv_goal *goal, const rv_part *part, const rv_shape *s, int *row,
                      int *column)
{
    const double x = (goal->x - part->left) / part->width;
    const double y = (goal->y - part->top) / part->height;
    *column = (int)(x * s->dim[3]);
    *row = (int)(y * s->dim[2]);
    return x >= 0 && x < 1 && y >= 0 && y < 1;
}

/* The gradient of a part counts as much as its area, which is right for means: a unit's value is divided by that. */
static rv_status write_target(rv_maximizer *m, const rv_goal *goal, const aim *a,
                              const rv_part *part)
{
    const double weight = goal->kind == RV_GOAL_UNIT ? 1 / (part->width * part->height) : 1;
    rv_tensor *tensor = rv_plan_tensor(m->plan, a->target);
    float *t;
    int row = -1, column = -1;
    RV_TRY(rv_alloc(&t, rv_shape_count(&tensor->shape), sizeof *t, "goals"));
    if (goal->kind != RV_GOAL_UNIT || find_unit(goal, part, &tensor->shape, &row, &column)) {
        mark(t, m, goal, &tensor->shape, weight, row, column);
    }
    const rv_status status = rv_tensor_write(m->device, tensor, t);
    free(t);
    return status;
}

rv_status rv_maximizer_place(rv_maximizer *m, const rv_part *part, const rv_part *own)
{
    m->area = part->width * part->height;
    for (size_t i = 0; i < m->goals->n; i++) {
        const rv_goal *goal = &m->goals->items[i];
        if (goal->kind == RV_GOAL_UNIT) {
            m->aims[i].counts = goal->x >= own->left && goal->x < own->left + own->width &&
                                goal->y >= own->top && goal->y < own->top + own->height;
            RV_TRY(write_target(m, goal, &m->aims[i], part));
        }
    }
    return RV_OK;
}

static rv_status check_apart(const rv_maximizer *m)
{
    for (size_t i = 0; i < m->goals->n && m->size.apart; i++) {
        const rv_goal *goal = &m->goals->items[i];
        if (goal->n_channels > 1 && goal->n_channels != (size_t)m->size.n) {
            return rv_fail(RV_ERR_INTERNAL, "%zu channels for %d pictures", goal->n_channels,
                           m->size.n);
        }
    }
    return RV_OK;
}

/* All of them, units as if the picture were all there is. */
static rv_status write_targets(rv_maximizer *m)
{
    const rv_part all = {0, 0, 1, 1};
    for (size_t i = 0; i < m->goals->n; i++) {
        const aim *a = &m->aims[i];
        if (is_guided(m, i)) {
            RV_TRY(
                rv_tensor_write(m->device, rv_plan_tensor(m->plan, a->target), a->guide.vectors));
        } else if (a->target >= 0) {
            RV_TRY(write_target(m, &m->goals->items[i], a, &all));
        }
    }
    return rv_maximizer_place(m, &all, &all);
}

/* --- runs ------------------------------------------------------------------------------------ */

void rv_maximizer_rest(rv_maximizer *m)
{
    rv_plan_destroy(m->plan);
    m->plan = NULL;
}

bool rv_maximizer_fits(rv_maximizer *m, int height, int width)
{
    return reshape(m, 1, height, width) == RV_OK;
}

rv_status rv_maximizer_begin(rv_maximizer *m, rv_plan **plan, rv_value *picture,
                             const rv_maximizer_size *size)
{
    rv_plan_options options = {.mode = RV_INFER,
                               .outputs = m->values,
                               .gradients = &m->model.picture,
                               .n_gradients = 1,
                               .events = m->events,
                               .reserve = size->reserve};
    m->size = *size;
    RV_TRY(check_apart(m));
    RV_TRY(reshape(m, size->n, size->height, size->width));
    RV_TRY(add_losses(m));
    for (size_t i = 0; i < m->goals->n; i++) {
        m->values[options.n_outputs++] = m->aims[i].loss;
    }
    RV_TRY(rv_plan_create(&m->plan, m->model.graph, m->params, m->device, &options));
    RV_TRY(write_targets(m));
    *plan = m->plan;
    *picture = m->model.picture;
    return RV_OK;
}

rv_status rv_maximizer_run(rv_maximizer *m)
{
    RV_TRY(rv_plan_forward(m->plan));
    return rv_plan_backward(m->plan, false);
}

rv_status rv_maximizer_value(rv_maximizer *m, double share, double *out)
{
    double *losses;
    RV_TRY(rv_alloc(&losses, m->goals->n, sizeof *losses, "goals"));
    const rv_status status = rv_plan_losses(m->plan, losses, NULL);
    *out = 0;
    for (size_t i = 0; i < m->goals->n; i++) {
        const bool unit = m->goals->items[i].kind == RV_GOAL_UNIT;
        *out -= losses[i] * (!unit ? share : m->aims[i].counts ? m->area : 0);
    }
    free(losses);
    return status;
}

/* --- sizes ----------------------------------------------------------------------------------- */

int rv_maximizer_reach(const rv_maximizer *m)
{
    int most = 1;
    for (size_t i = 0; i < m->goals->n; i++) {
        const int size = m->aims[i].reach.size;
        most = size == 0 || most == 0 ? 0 : size > most ? size : most;
    }
    return most;
}

int rv_maximizer_stride(const rv_maximizer *m)
{
    int most = 1;
    for (size_t i = 0; i < m->goals->n; i++) {
        most = m->aims[i].reach.stride > most ? m->aims[i].reach.stride : most;
    }
    return most;
}
