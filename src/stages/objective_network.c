/* The objective of Gatys, Ecker and Bethge 2016 on the layers of a network.
 *
 *   loss = content_weight * C + style_weight * S + tv_weight * V
 *   C = sum over content layers  w * mean((F - P)^2) / mean(P^2)   P: features F of the photo
 *   S = sum over style layers    w * mean((G - A)^2) / mean(A^2)   A: Gram matrix G of the styles
 *   V = sum over neighbours right and below of the squared difference, divided by the values
 *
 * with the weights w of a list summing to 1. The division makes each term the share of its target
 * that is missed, so that weights mean the same for any layer of any network, with max or average
 * pooling. Several styles: A is the mean of their Gram matrices by their shares. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "stages/layer_list.h"
#include "stages/objective.h"
#include "stages/target.h"

#include <stdlib.h>

/* Weight on what leaves 0..1, for L-BFGS, which knows no box. */
#define RANGE_WEIGHT 1000.0

/* Pixels of mirrored picture around it: the zeros around a network's maps, and windows that end before
 * the edge, show in what comes out within about this distance. */
enum { MARGIN = 16 };

/* A layer in use at one scale. */
typedef struct term {
    rv_value features; /* of the network */
    rv_target target;  /* its value: the features or their Gram matrix */
} term;

typedef struct network_objective {
    rv_device *device;
    const rv_stylize_options *options;
    rv_layer_list content_list, style_list;
    char *content_text, *style_text;
    rv_model_graph model;
    rv_graph_mark mark; /* the end of the network */
    rv_params *params;
    term *content, *style;
    rv_plan *plan; /* of the present scale */
} network_objective;

/* --- create ---------------------------------------------------------------------------------- */

static rv_status take_lists(network_objective *o, const rv_model *model)
{
    const char *const wanted[2] = {o->options->content_layers, o->options->style_layers};
    char *content = NULL, *style = NULL;
    rv_status status = RV_OK;
    if (wanted[0] == NULL || wanted[1] == NULL) {
        status = rv_default_layers(&content, &style, model);
    }
    if (status == RV_OK) {
        status = rv_layer_list_parse(&o->content_list, wanted[0] != NULL ? wanted[0] : content,
                                     "content_layers");
    }
    if (status == RV_OK) {
        status = rv_layer_list_parse(&o->style_list, wanted[1] != NULL ? wanted[1] : style,
                                     "style_layers");
    }
    free(content);
    free(style);
    RV_TRY(status);
    RV_TRY(rv_layer_list_text(&o->content_text, &o->content_list));
    return rv_layer_list_text(&o->style_text, &o->style_list);
}

/* Builds the part of the network that the layers of both lists need. */
static rv_status build(network_objective *o, const rv_model *model)
{
    const char **names;
    size_t n = 0;
    RV_TRY(rv_alloc(&names, o->content_list.n + o->style_list.n, sizeof *names, "layer names"));
    for (size_t i = 0; i < o->content_list.n; i++) {
        names[n++] = o->content_list.items[i].name;
    }
    for (size_t i = 0; i < o->style_list.n; i++) {
        names[n++] = o->style_list.items[i].name;
    }
    const rv_status status = rv_model_build(&o->model, model, names, n);
    free(names);
    return status;
}

static rv_status find_terms(const network_objective *o, const rv_layer_list *list, term **out)
{
    RV_TRY(rv_alloc(out, list->n, sizeof **out, "layers"));
    for (size_t i = 0; i < list->n; i++) {
        RV_TRY(rv_graph_find(o->model.graph, &(*out)[i].features, list->items[i].name));
    }
    return RV_OK;
}

static rv_status create(network_objective *o, const rv_model *model)
{
    RV_TRY(take_lists(o, model));
    RV_TRY(build(o, model));
    RV_TRY(find_terms(o, &o->content_list, &o->content));
    RV_TRY(find_terms(o, &o->style_list, &o->style));
    o->mark = rv_graph_get_mark(o->model.graph);
    RV_TRY(rv_params_create(&o->params, o->device, o->model.graph, false));
    rv_graph_release_values(o->model.graph);
    return RV_OK;
}

static void release_targets(term *terms, size_t n)
{
    for (size_t i = 0; terms != NULL && i < n; i++) {
        rv_target_release(&terms[i].target);
    }
}

static void network_destroy(void *self)
{
    network_objective *o = self;
    if (o == NULL) {
        return;
    }
    rv_plan_destroy(o->plan);
    rv_params_destroy(o->params);
    rv_graph_destroy(o->model.graph);
    release_targets(o->content, o->content_list.n);
    release_targets(o->style, o->style_list.n);
    free(o->content);
    free(o->style);
    rv_layer_list_release(&o->content_list);
    rv_layer_list_release(&o->style_list);
    free(o->content_text);
    free(o->style_text);
    free(o);
}

static rv_status network_create(void **out, rv_device *device, const rv_model *model,
                                const rv_stylize_options *options)
{
    network_objective *o;
    *out = NULL;
    RV_TRY(rv_alloc(&o, 1, sizeof *o, "objective"));
    o->device = device;
    o->options = options;
    const rv_status status = create(o, model);
    if (status != RV_OK) {
        network_destroy(o);
        return status;
    }
    *out = o;
    return RV_OK;
}

static void network_layers(const void *self, const char **content, const char **style)
{
    const network_objective *o = self;
    *content = o->content_text;
    *style = o->style_text;
}

static int network_margin(int size, int full_size)
{
    (void)size;
    (void)full_size;
    return MARGIN;
}

/* --- targets --------------------------------------------------------------------------------- */

/* Adds a node of one or two inputs that is named after a layer. */
static rv_status add_node(network_objective *o, rv_value *out, const char *op, const char *prefix,
                          const char *layer, const rv_value *in, int n_in,
                          const rv_attr_value *attrs, size_t n_attrs)
{
    char *name;
    RV_TRY(rv_format(&name, "%s %s", prefix, layer));
    const rv_status status = rv_graph_add(o->model.graph, out, op, name, in, n_in, attrs, n_attrs);
    free(name);
    return status;
}

/* @param what  the picture in words */
static rv_status set_size(network_objective *o, const rv_planar *picture, const char *what)
{
    const rv_status status = rv_graph_reshape(o->model.graph, o->model.picture,
                                              rv_shape_4(1, 3, picture->height, picture->width));
    return status == RV_OK ? RV_OK
                           : rv_fail_context(status, "%s, %d x %d pixels there", what,
                                             picture->width, picture->height);
}

/* Runs the network over a picture and adds `share` times what is compared to the targets. */
static rv_status add_targets(network_objective *o, term *terms, size_t n, const rv_planar *picture,
                             double share, const char *what)
{
    rv_target **targets = NULL;
    RV_TRY(set_size(o, picture, what));
    RV_TRY(rv_alloc(&targets, n, sizeof *targets, "layers"));
    for (size_t i = 0; i < n; i++) {
        targets[i] = &terms[i].target;
    }
    const rv_target_source source = {o->device, o->model.graph, o->params, o->model.picture,
                                     o->options->events};
    const rv_status status = rv_targets_add(targets, (int)n, &source, picture, share);
    free(targets);
    return status;
}

/* The Gram matrices of the styles, then the features of the photo, whose size the graph keeps. */
static rv_status find_targets(network_objective *o, const rv_scale *scale)
{
    const size_t n_content = o->content_list.n, n_style = o->style_list.n;
    release_targets(o->content, n_content);
    release_targets(o->style, n_style);
    for (size_t i = 0; i < n_style; i++) {
        RV_TRY(add_node(o, &o->style[i].target.value, "gram", "style gram",
                        o->style_list.items[i].name, &o->style[i].features, 1,
                        RV_ATTRS(RV_SET_ENUM("normalize", "hw"))));
    }
    for (size_t i = 0; i < n_content; i++) {
        o->content[i].target.value = o->content[i].features;
    }
    for (int i = 0; i < scale->n_styles; i++) {
        RV_TRY(add_targets(o, o->style, n_style, &scale->styles[i], scale->shares[i], "a style"));
    }
    return add_targets(o, o->content, n_content, &scale->content, 1.0, "the photo");
}

/* --- losses ---------------------------------------------------------------------------------- */

/* The weight of a term: `weight` over the mean square of its target. */
static double normalized(const rv_target *t, double weight)
{
    const double mean = rv_target_mean_square(t);
    return mean > 0 ? weight / mean : weight;
}

static rv_status add_losses(network_objective *o, rv_value *losses, int *n_losses, term *terms,
                            const rv_layer_list *list, double weight, const char *kind)
{
    for (size_t i = 0; i < list->n && weight > 0; i++) {
        rv_target *t = &terms[i].target;
        char *name;
        RV_TRY(rv_format(&name, "%s target %s", kind, list->items[i].name));
        const rv_shape shape = *rv_graph_shape(o->model.graph, t->value);
        const rv_status status = rv_graph_input(o->model.graph, &t->input, name, shape);
        free(name);
        RV_TRY(status);
        const rv_value in[2] = {t->value, t->input};
        const double w = normalized(t, weight * list->items[i].weight);
        RV_TRY(add_node(o, &losses[(*n_losses)++], "mse_loss", kind, list->items[i].name, in, 2,
                        RV_ATTRS(RV_SET_FLOAT("weight", w))));
    }
    return RV_OK;
}

static rv_status add_all_losses(network_objective *o, rv_value *losses, int *n)
{
    const rv_stylize_options *p = o->options;
    RV_TRY(add_losses(o, losses, n, o->content, &o->content_list, p->content_weight, "content"));
    RV_TRY(add_losses(o, losses, n, o->style, &o->style_list, p->style_weight, "style"));
    if (p->tv_weight > 0) {
        RV_TRY(add_node(
            o, &losses[(*n)++], "tv_loss", "variation of", "picture", &o->model.picture, 1,
            RV_ATTRS(RV_SET_ENUM("power", "squared"), RV_SET_FLOAT("weight", p->tv_weight))));
    }
    if (p->optimizer == RV_OPTIMIZER_LBFGS) {
        RV_TRY(add_node(o, &losses[(*n)++], "range_loss", "range of", "picture", &o->model.picture,
                        1, RV_ATTRS(RV_SET_FLOAT("weight", RANGE_WEIGHT))));
    }
    return RV_OK;
}

static rv_status write_targets(network_objective *o, const term *terms, size_t n, double weight)
{
    for (size_t i = 0; i < n && weight > 0; i++) {
        const rv_target *t = &terms[i].target;
        RV_TRY(rv_tensor_write(o->device, rv_plan_tensor(o->plan, t->input), t->data));
    }
    return RV_OK;
}

static rv_status make_plan(network_objective *o, rv_value *losses, uint64_t reserve)
{
    int n = 0;
    RV_TRY(add_all_losses(o, losses, &n));
    const rv_plan_options options = {.mode = RV_INFER,
                                     .outputs = losses,
                                     .n_outputs = n,
                                     .gradients = &o->model.picture,
                                     .n_gradients = 1,
                                     .seed = o->options->seed,
                                     .events = o->options->events,
                                     .reserve = reserve};
    RV_TRY(rv_plan_create(&o->plan, o->model.graph, o->params, o->device, &options));
    RV_TRY(write_targets(o, o->content, o->content_list.n, o->options->content_weight));
    RV_TRY(write_targets(o, o->style, o->style_list.n, o->options->style_weight));
    release_targets(o->content, o->content_list.n);
    release_targets(o->style, o->style_list.n);
    return RV_OK;
}

static rv_status network_begin(void *self, rv_plan **plan, rv_value *picture, rv_scale *scale)
{
    network_objective *o = self;
    rv_value *losses;
    rv_plan_destroy(o->plan);
    o->plan = NULL;
    rv_graph_rewind(o->model.graph, o->mark);
    RV_TRY(find_targets(o, scale));
    RV_TRY(rv_alloc(&losses, o->content_list.n + o->style_list.n + 2, sizeof *losses, "losses"));
    const rv_status status = make_plan(o, losses, scale->reserve);
    free(losses);
    *plan = o->plan;
    *picture = o->model.picture;
    return status;
}

const rv_objective_kind rv_objective_network = {
    .defaults = {.content_weight = 5.0,
                 .style_weight = 100.0,
                 .tv_weight = 30.0,
                 .optimizer = RV_OPTIMIZER_ADAM,
                 .iterations = 100,
                 .history = 10,
                 .plain_steps = true},
    .create = network_create,
    .destroy = network_destroy,
    .margin = network_margin,
    .begin = network_begin,
    .layers = network_layers,
};
