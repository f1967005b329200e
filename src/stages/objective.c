/* The objective of stylize: gathers terms, measures their targets, and plans their losses at each scale.
 *
 *   loss = sum of terms + tv_weight * V + range_weight * R
 *   V = sum over neighbours right and below of the squared difference, divided by the values
 *   R = mean square of what leaves 0..1
 *
 * Networks (network_terms.c) and patches (patch_terms.c) add terms to one graph, as the recipe weighs them. */
/* SPDX-License-Identifier: MIT */
#include "stages/objective.h"
#include "base/error.h"
#include "base/memory.h"
#include "stages/network_terms.h"
#include "stages/patch_terms.h"
#include "stages/strength.h"
#include "stages/style_cache.h"
#include "stages/term.h"

#include <stdlib.h>

/* Of a picture that has all levels: the nodes of its pyramid are built once for their parameters. */
enum { WHOLE = 256 };

/* What neural-style's pixels go up to. */
#define RANGE 255.0

/* Losses on the picture itself. */
enum { PICTURE_LOSSES = 2 };

struct rv_objective {
    rv_device *device;
    const rv_style_recipe *recipe;
    const rv_stylize_options *options;
    rv_model_graph model; /* of patches: nothing but the picture */
    rv_graph_mark mark;   /* the end of the network */
    rv_network_terms network;
    rv_patch_terms patches;
    rv_terms terms;
    rv_style_cache cache;
    int *of_style; /* the region of each style that the cache goes by */
    rv_params *params;
    rv_plan *plan; /* of the present scale */
};

/* --- life ------------------------------------------------------------------------------------ */

static bool has_patches(const rv_blend *b)
{
    bool any = false;
    for (int i = 0; i < RV_LEVELS; i++) {
        any = any || b->patches[i] > 0 || b->edges[i] > 0 || b->lightness[i] > 0;
    }
    return any;
}

static rv_status set_size(rv_objective *o, int width, int height)
{
    return rv_graph_reshape(o->model.graph, o->model.picture, rv_shape_4(1, 3, height, width));
}

static rv_status create(rv_objective *o, const rv_model *model)
{
    if (o->recipe->kind == RV_MODEL_NETWORK) {
        RV_TRY(rv_network_terms_build(&o->network, &o->model, model, o->options));
    } else {
        RV_TRY(rv_graph_create(&o->model.graph));
        RV_TRY(rv_graph_input(o->model.graph, &o->model.picture, "picture",
                              rv_shape_4(1, 3, WHOLE, WHOLE)));
    }
    o->mark = rv_graph_get_mark(o->model.graph);
    if (has_patches(o->recipe->blend)) {
        RV_TRY(set_size(o, WHOLE, WHOLE));
        RV_TRY(rv_patch_terms_build(&o->patches, o->model.graph, o->model.picture, RV_LEVELS));
    }
    RV_TRY(rv_params_create(&o->params, o->device, o->model.graph, false));
    rv_graph_rewind(o->model.graph, o->mark);
    rv_graph_release_values(o->model.graph);
    return RV_OK;
}

rv_status rv_objective_create(rv_objective **out, rv_device *device, const rv_model *model,
                              const rv_style_recipe *recipe, const rv_stylize_options *options)
{
    rv_objective *o;
    *out = NULL;
    RV_TRY(rv_alloc(&o, 1, sizeof *o, "objective"));
    o->device = device;
    o->recipe = recipe;
    o->options = options;
    const rv_status status = create(o, model);
    if (status != RV_OK) {
        rv_objective_destroy(o);
        return status;
    }
    *out = o;
    return RV_OK;
}

void rv_objective_destroy(rv_objective *o)
{
    if (o == NULL) {
        return;
    }
    rv_plan_destroy(o->plan);
    rv_params_destroy(o->params);
    rv_graph_destroy(o->model.graph);
    rv_terms_release(&o->terms);
    rv_network_terms_release(&o->network);
    rv_style_cache_release(&o->cache);
    free(o->of_style);
    free(o);
}

void rv_objective_rest(rv_objective *o)
{
    rv_plan_destroy(o->plan);
    o->plan = NULL;
    rv_terms_clear(&o->terms);
}

void rv_objective_layers(const rv_objective *o, const char **content, const char **style)
{
    *content = o->network.content_text;
    *style = o->network.style_text;
}

/* --- one scale ------------------------------------------------------------------------------- */

/* @param what  the picture in words */
static rv_status look_at(rv_objective *o, const rv_planar *picture, const char *what)
{
    const rv_status status = set_size(o, picture->width, picture->height);
    return status == RV_OK ? RV_OK
                           : rv_fail_context(status, "%s, %d x %d pixels there", what,
                                             picture->width, picture->height);
}

static rv_term_source source_of(const rv_objective *o)
{
    return (rv_term_source){o->device,          o->model.graph, o->params, o->model.picture,
                            o->options->events, NULL,           0};
}

static rv_status count_levels(int *n, const rv_objective *o, const rv_scale *scale)
{
    *n = 0;
    return has_patches(o->recipe->blend)
               ? rv_patch_levels(n, scale, o->recipe->kind == RV_MODEL_PATCHES)
               : RV_OK;
}

/* Sees that what is known is of styles that lie in regions as those of the scale do. */
static rv_status take_regions(rv_objective *o, const rv_scale *scale)
{
    bool same = o->of_style != NULL;
    for (int i = 0; i < scale->n_styles && same; i++) {
        same = o->of_style[i] == rv_region_of(&scale->regions, i);
    }
    if (same) {
        return RV_OK;
    }
    rv_style_cache_release(&o->cache);
    free(o->of_style);
    RV_TRY(rv_alloc(&o->of_style, (size_t)scale->n_styles, sizeof *o->of_style, "regions"));
    for (int i = 0; i < scale->n_styles; i++) {
        o->of_style[i] = rv_region_of(&scale->regions, i);
    }
    return RV_OK;
}

bool rv_objective_knows(rv_objective *o, const rv_scale *scale)
{
    int n_levels;
    return take_regions(o, scale) == RV_OK && count_levels(&n_levels, o, scale) == RV_OK &&
           rv_style_cache_find(&o->cache, scale->size, n_levels, scale->likeness) != NULL;
}

/* Adds what the recipe takes from the pyramid, its filters learned from the styles. */
static rv_status add_patches(rv_objective *o, const rv_scale *scale, rv_style_findings *f)
{
    const rv_term_source source = source_of(o);
    if (f->n_levels == 0) {
        return RV_OK;
    }
    RV_TRY(rv_patch_terms_build(&o->patches, o->model.graph, o->model.picture, f->n_levels));
    if (!f->known) {
        RV_TRY(rv_patch_terms_learn(f->banks, &o->patches, &source, scale, o->options->seed));
    }
    RV_TRY(rv_patch_terms_write(&o->patches, &source, f->banks, &f->colours));
    return rv_patch_terms_add(&o->patches, &o->terms, o->recipe->blend, o->options);
}

/* Share of a style among those of its region. */
static double share_of(const rv_scale *scale, int style)
{
    double sum = 0;
    for (int i = 0; i < scale->n_styles; i++) {
        const bool beside =
            rv_region_of(&scale->regions, i) == rv_region_of(&scale->regions, style);
        sum += beside ? scale->shares[i] : 0;
    }
    return scale->regions.n > 1 ? scale->shares[style] / sum : scale->shares[style];
}

/* What a style is as a whole, but for what is transparent. */
static rv_status measure_style(rv_objective *o, const rv_scale *scale, int style)
{
    const float *seen = scale->seen != NULL ? scale->seen[style] : NULL;
    const rv_graph_mark mark = rv_graph_get_mark(o->model.graph);
    const rv_term_source source = source_of(o);
    RV_TRY(look_at(o, &scale->styles[style], "a style"));
    if (seen != NULL) {
        RV_TRY(rv_terms_see(&o->terms, o->model.graph, o->model.picture, seen));
    }
    RV_TRY(rv_terms_add_values(&o->terms, o->model.graph));
    RV_TRY(rv_terms_measure(&o->terms, true, rv_region_of(&scale->regions, style), &source,
                            &scale->styles[style], share_of(scale, style)));
    rv_terms_see_all(&o->terms);
    rv_graph_rewind(o->model.graph, mark);
    return RV_OK;
}

static rv_status measure_styles(rv_objective *o, const rv_scale *scale, rv_style_findings *f)
{
    if (f->known) {
        return rv_style_findings_give(f, &o->terms);
    }
    for (int i = 0; i < scale->n_styles; i++) {
        RV_TRY(measure_style(o, scale, i));
    }
    return rv_style_findings_take(f, &o->terms);
}

/* The styles, then the photo, whose size the graph keeps; each time with what makes values of their maps.
 * @param own  the photo in its own colours: what it is itself takes the part of the styles that is not asked for */
static rv_status measure(rv_objective *o, const rv_scale *scale, const rv_planar *own,
                         rv_style_findings *f)
{
    const double share = rv_strength_share(o->options->strength);
    const rv_term_source source = source_of(o);
    RV_TRY(measure_styles(o, scale, f));
    RV_TRY(look_at(o, &scale->content, "the photo"));
    RV_TRY(rv_terms_guide(&o->terms, o->model.graph, o->model.picture, &scale->regions));
    RV_TRY(rv_terms_add_values(&o->terms, o->model.graph));
    if (share < 1) {
        rv_terms_scale_style(&o->terms, share);
        RV_TRY(rv_terms_measure(&o->terms, true, -1, &source, own, 1 - share));
    }
    return rv_terms_measure(&o->terms, false, -1, &source, &scale->content, 1.0);
}

/* neural-style's total variation is half a sum, not a mean. */
static double variation_weight(const rv_objective *o)
{
    const double values = (double)rv_shape_count(rv_graph_shape(o->model.graph, o->model.picture));
    return o->recipe->blend->absolute ? o->options->tv_weight * 0.5 * RANGE * RANGE * values
                                      : o->options->tv_weight;
}

/* Adds a loss on the picture itself. */
static rv_status add_loss(rv_objective *o, rv_value *losses, int *n, const char *op, double weight)
{
    if (!(weight > 0)) {
        return RV_OK;
    }
    return rv_graph_add(o->model.graph, &losses[(*n)++], op, op, &o->model.picture, 1,
                        RV_ATTRS(RV_SET_FLOAT("weight", o->recipe->blend->scale * weight)));
}

static rv_status make_plan(rv_objective *o, rv_value *losses, uint64_t reserve)
{
    const bool free_range = o->options->optimizer == RV_OPTIMIZER_LBFGS;
    rv_plan_options options = {.mode = RV_INFER,
                               .outputs = losses,
                               .gradients = &o->model.picture,
                               .n_gradients = 1,
                               .seed = o->options->seed,
                               .events = o->options->events,
                               .reserve = reserve};
    int *n = &options.n_outputs;
    RV_TRY(rv_terms_add_losses(&o->terms, o->model.graph, o->recipe->blend->scale, losses, n));
    RV_TRY(add_loss(o, losses, n, "tv_loss", variation_weight(o)));
    RV_TRY(add_loss(o, losses, n, "range_loss", free_range ? o->recipe->blend->range_weight : 0));
    RV_TRY(rv_plan_create(&o->plan, o->model.graph, o->params, o->device, &options));
    return rv_terms_write(&o->terms, o->device, o->plan);
}

/* The colours of the styles of each region. */
static rv_status measure_regions(rv_style_findings *f, const rv_scale *scale)
{
    double *shares;
    RV_TRY(rv_alloc(&shares, (size_t)scale->n_styles, sizeof *shares, "shares"));
    for (int r = 0; r < rv_region_count(&scale->regions); r++) {
        for (int i = 0; i < scale->n_styles; i++) {
            shares[i] = rv_region_of(&scale->regions, i) == r ? share_of(scale, i) : 0;
        }
        f->regions[r] = rv_colour_measure(scale->styles, scale->seen, shares, scale->n_styles);
    }
    free(shares);
    return RV_OK;
}

/* What is known of the styles at this size, else an entry for it with their colours. */
static rv_status find_styles(rv_style_findings **out, rv_objective *o, const rv_scale *scale)
{
    int n_levels;
    RV_TRY(count_levels(&n_levels, o, scale));
    *out = rv_style_cache_find(&o->cache, scale->size, n_levels, scale->likeness);
    if (*out == NULL) {
        RV_TRY(rv_style_cache_add(out, &o->cache, scale->size, n_levels,
                                  rv_region_count(&scale->regions), scale->likeness));
        (*out)->colours =
            rv_colour_measure(scale->styles, scale->seen, scale->shares, scale->n_styles);
        RV_TRY(measure_regions(*out, scale));
    }
    return RV_OK;
}

/* The photo takes on the colours of the styles as far as these are asked for, each region of it those of its own. */
static rv_status colour_photo(const rv_objective *o, rv_scale *scale, const rv_planar *own,
                              const rv_style_findings *f)
{
    const double whole = 1, share = rv_strength_share(o->options->strength);
    const rv_regions *r = &scale->regions;
    if (!o->recipe->blend->match_style || scale->likeness != NULL) {
        return RV_OK;
    }
    if (r->planes == NULL) {
        const rv_colour_moments photo = rv_colour_measure(own, NULL, &whole, 1);
        const rv_colour_moments to = rv_colour_mix(&photo, &f->colours, share);
        rv_colour_map(&scale->content, &photo, &to);
        return RV_OK;
    }
    rv_status status = RV_OK;
    for (int i = 0; i < r->n && status == RV_OK; i++) {
        const rv_colour_moments photo = rv_colour_measure_part(own, r->planes[i]);
        const rv_colour_moments to = rv_colour_mix(&photo, &f->regions[i], share);
        status = rv_colour_map_part(&scale->content, own, r->planes[i], &photo, &to);
    }
    return status;
}

static rv_status begin(rv_objective *o, rv_scale *scale, const rv_planar *own)
{
    rv_style_findings *found;
    rv_value *losses;
    RV_TRY(take_regions(o, scale));
    RV_TRY(find_styles(&found, o, scale));
    RV_TRY(colour_photo(o, scale, own, found));
    RV_TRY(look_at(o, &scale->content, "the photo"));
    RV_TRY(add_patches(o, scale, found)); /* first: its nodes are numbered as their parameters */
    RV_TRY(
        rv_network_terms_add(&o->network, &o->terms, o->model.graph, o->recipe->blend, o->options));
    RV_TRY(rv_terms_split(&o->terms, scale->regions.n));
    rv_terms_weigh_photo(&o->terms, rv_strength_content(o->options->strength));
    RV_TRY(measure(o, scale, own, found));
    RV_TRY(rv_alloc(&losses, o->terms.n + PICTURE_LOSSES, sizeof *losses, "losses"));
    const rv_status status = make_plan(o, losses, scale->reserve);
    free(losses);
    return status;
}

rv_status rv_objective_begin(rv_objective *o, rv_plan **plan, rv_value *picture, rv_scale *scale)
{
    rv_planar own;
    rv_objective_rest(o);
    rv_graph_rewind(o->model.graph, o->mark);
    RV_TRY(rv_planar_pad(&own, &scale->content, 0));
    const rv_status status = begin(o, scale, &own);
    rv_planar_release(&own);
    *plan = o->plan;
    *picture = o->model.picture;
    return status;
}
