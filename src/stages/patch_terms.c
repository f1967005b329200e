/* Terms that need no trained network: filters learned from the style itself, colours, edges and lightness.
 *
 * After Ustyuzhaninov, Brendel, Gatys and Bethge 2016, who match Gram matrices of one layer of
 * random filters at several scales. Here the filters are centroids of the style's whitened patches,
 * a bank for each level of a pyramid. Content is the energy of edges, and lightness, of the photo in
 * the style's colours. */
/* SPDX-License-Identifier: MIT */
#include "stages/patch_terms.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "stages/coverage.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALLEST_LEVEL = 12, /* pixels of its shorter side */
    SMALLEST_STYLE = 4,  /* likewise, where a network looks at it */
    STYLE_TERMS = 3,     /* of a level */
    COLOURS = 6,         /* whitened, and their negatives */
    ORIENTATIONS = 8,
    SIDE = RV_PATCH_SIDE,
    MAX_NAME = 32
};

#define WHITENING_RIDGE 0.02
#define COLOUR_RIDGE    0.01

/* Below this mean square a target has nothing to match: a style of one colour. */
#define SMALLEST_SQUARE 1e-4

static const float luminance[3] = {0.299f, 0.587f, 0.114f};

/* --- graph ----------------------------------------------------------------------------------- */

/* A convolution with given weights. */
typedef struct filters {
    int n, kernel[2], stride[2], groups;
    const float *weight, *bias;
} filters;

static rv_status set_params(rv_graph *graph, const filters *f)
{
    const int node = rv_graph_node_count(graph) - 1;
    rv_param *weight = rv_graph_param(graph, node, 0);
    RV_TRY(rv_param_set(weight, f->weight, rv_shape_count(&weight->shape)));
    return f->bias == NULL ? RV_OK
                           : rv_param_set(rv_graph_param(graph, node, 1), f->bias, (size_t)f->n);
}

/* Centred, borders reflected. */
static rv_status add_filters(rv_graph *graph, rv_value *out, const char *name, int level,
                             rv_value in, const filters *f)
{
    char full[MAX_NAME];
    const int pad_h = f->kernel[0] / 2, pad_w = f->kernel[1] / 2;
    snprintf(full, sizeof full, "conv %s %d", name, level);
    RV_TRY(rv_graph_add(
        graph, out, "conv", full, &in, 1,
        RV_ATTRS(RV_SET_INT("num_output", f->n), RV_SET_INT2("kernel", f->kernel[0], f->kernel[1]),
                 RV_SET_INT2("stride", f->stride[0], f->stride[1]),
                 RV_SET_INT4("pads", pad_h, pad_w, pad_h, pad_w),
                 RV_SET_ENUM("pad_mode", "reflect"), RV_SET_INT("groups", f->groups),
                 RV_SET_INT("bias", f->bias != NULL))));
    return set_params(graph, f);
}

static rv_status add_simple(rv_graph *graph, rv_value *value, const char *op, const char *name,
                            int level, rv_attr_value attr)
{
    char full[MAX_NAME];
    const rv_value in = *value;
    snprintf(full, sizeof full, "%s %s %d", op, name, level);
    return rv_graph_add(graph, value, op, full, &in, 1, &attr, attr.name != NULL);
}

static const rv_attr_value no_attr = {0};

/* Half the size, by the binomial filter, rows first. */
static rv_status add_half(rv_graph *graph, rv_value *value, int level)
{
    static const float taps[15] = {0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f,
                                   0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f,
                                   0.0625f, 0.25f, 0.375f, 0.25f, 0.0625f};
    const filters rows = {3, {5, 1}, {2, 1}, 3, taps, NULL};
    const filters columns = {3, {1, 5}, {1, 2}, 3, taps, NULL};
    RV_TRY(add_filters(graph, value, "rows", level, *value, &rows));
    return add_filters(graph, value, "level", level, *value, &columns);
}

/* Filters whose weights the style sets later. */
static rv_status add_learned(rv_graph *graph, rv_value *value, int *node, const char *name,
                             int level, int n, int side)
{
    static const float none[RV_PATCH_FILTERS * RV_PATCH_VALUES];
    const filters f = {n, {side, side}, {1, 1}, 1, none, none};
    RV_TRY(add_filters(graph, value, name, level, *value, &f));
    *node = rv_graph_node_count(graph) - 1;
    return add_simple(graph, value, "relu", name, level, no_attr);
}

static rv_status add_style_maps(rv_patch_level *l, rv_graph *graph, int level)
{
    l->filters = l->colours = l->picture;
    RV_TRY(
        add_learned(graph, &l->filters, &l->filter_node, "filters", level, RV_PATCH_FILTERS, SIDE));
    return add_learned(graph, &l->colours, &l->colour_node, "colours", level, COLOURS, 1);
}

/* Even and odd Gabor filters of eight orientations: [16,1,7,7], each of length 1, even ones blind to
 * constant light. */
static void make_gabor(float weight[2 * ORIENTATIONS * SIDE * SIDE])
{
    const double pi = 3.14159265358979323846, sigma = SIDE / 5.0, wavelength = SIDE * 0.7;
    for (int i = 0; i < 2 * ORIENTATIONS; i++) {
        const int orientation = i / 2;
        const double angle = pi * orientation / ORIENTATIONS, phase = i % 2 * pi / 2;
        double envelope[SIDE * SIDE], wave[SIDE * SIDE], sums[2] = {0}, length = 0;
        for (int k = 0; k < SIDE * SIDE; k++) {
            const int column = k % SIDE - SIDE / 2, row = k / SIDE - SIDE / 2;
            const double x = column, y = row;
            const double u = x * cos(angle) + y * sin(angle), v = y * cos(angle) - x * sin(angle);
            envelope[k] = exp(-(u * u + 0.5 * v * v) / (2 * sigma * sigma));
            wave[k] = envelope[k] * cos(2 * pi * u / wavelength + phase);
            sums[0] += envelope[k];
            sums[1] += wave[k];
        }
        for (int k = 0; k < SIDE * SIDE; k++) {
            wave[k] -= envelope[k] * sums[1] / sums[0];
            length += wave[k] * wave[k];
        }
        for (int k = 0; k < SIDE * SIDE; k++) {
            weight[i * SIDE * SIDE + k] = (float)(wave[k] / sqrt(length));
        }
    }
}

/* Lightness, and the energy of each orientation in it: root of even^2 + odd^2 + a little, which keeps the root
 * smooth. */
static rv_status add_content_maps(rv_patch_level *l, rv_graph *graph, int level)
{
    static const float little[ORIENTATIONS] = {1e-4f, 1e-4f, 1e-4f, 1e-4f,
                                               1e-4f, 1e-4f, 1e-4f, 1e-4f};
    float gabor[2 * ORIENTATIONS * SIDE * SIDE];
    float pairs[ORIENTATIONS * 2 * ORIENTATIONS] = {0};
    for (int i = 0; i < ORIENTATIONS; i++) {
        pairs[i * 2 * ORIENTATIONS + 2 * i] = pairs[i * 2 * ORIENTATIONS + 2 * i + 1] = 1.0f;
    }
    make_gabor(gabor);
    const filters light = {1, {1, 1}, {1, 1}, 1, luminance, NULL};
    const filters edges = {2 * ORIENTATIONS, {SIDE, SIDE}, {1, 1}, 1, gabor, NULL};
    const filters sum = {ORIENTATIONS, {1, 1}, {1, 1}, 1, pairs, little};
    RV_TRY(add_filters(graph, &l->lightness, "lightness", level, l->picture, &light));
    RV_TRY(add_filters(graph, &l->edges, "edges", level, l->lightness, &edges));
    RV_TRY(add_simple(graph, &l->edges, "square", "edges", level, no_attr));
    RV_TRY(add_filters(graph, &l->edges, "energy", level, l->edges, &sum));
    return add_simple(graph, &l->edges, "sqrt", "energy", level, no_attr);
}

rv_status rv_patch_terms_build(rv_patch_terms *p, rv_graph *graph, rv_value picture, int n_levels)
{
    p->n_levels = n_levels;
    for (int i = 0; i < n_levels; i++) {
        rv_patch_level *l = &p->level[i];
        l->picture = i == 0 ? picture : p->level[i - 1].picture;
        if (i > 0) {
            RV_TRY(add_half(graph, &l->picture, i));
        }
        RV_TRY(add_style_maps(l, graph, i));
        RV_TRY(add_content_maps(l, graph, i));
    }
    return RV_OK;
}

static rv_status fail_small(const char *what, int side, int needed)
{
    return rv_fail(RV_ERR_SHAPE,
                   "%s is %d pixels there on its shorter side, too few to have a texture: %d at "
                   "least are needed",
                   what, side, needed);
}

rv_status rv_patch_levels(int *n, const rv_scale *scale, int least)
{
    const rv_planar *content = &scale->content;
    int style = INT_MAX;
    for (int i = 0; i < scale->n_styles; i++) {
        const rv_planar *s = &scale->styles[i];
        const int shorter = s->width < s->height ? s->width : s->height;
        style = shorter < style ? shorter : style;
    }
    const int photo = content->width < content->height ? content->width : content->height;
    const int shortest = style < photo ? style : photo;
    *n = 0;
    for (int side = shortest; *n < RV_LEVELS && side >= SMALLEST_LEVEL; side = (side + 1) / 2) {
        (*n)++;
    }
    if (least == 0 && style < SMALLEST_STYLE) {
        return fail_small("a style", style, SMALLEST_STYLE);
    }
    return *n >= least ? RV_OK
                       : fail_small(style < photo ? "a style" : "the photo, margin included,",
                                    shortest, SMALLEST_LEVEL);
}

/* --- what the style teaches ------------------------------------------------------------------ */

/* The levels of the styles, and the filters that they give. */
typedef struct learning {
    rv_planar *pictures; /* [level][style] */
    float **seen;        /* likewise: how much of each pixel is there; NULL among them: all of it */
    rv_patch_bank *banks;
    const rv_scale *scale;
    uint32_t seed;
    int n_levels;
} learning;

static void release(learning *l)
{
    for (int i = 0; l->pictures != NULL && i < l->n_levels * l->scale->n_styles; i++) {
        rv_planar_release(&l->pictures[i]);
    }
    free(l->pictures);
    for (int i = 0; l->seen != NULL && i < l->n_levels * l->scale->n_styles; i++) {
        free(l->seen[i]);
    }
    free(l->seen);
}

static rv_status read_level(rv_planar *out, const rv_term_source *source, rv_plan *plan,
                            rv_value level)
{
    const rv_shape *shape = rv_graph_shape(source->graph, level);
    RV_TRY(rv_planar_create(out, shape->dim[3], shape->dim[2]));
    return rv_tensor_read(source->device, rv_plan_tensor(plan, level), out->data);
}

/* How much of each level of a style is there; the graph has the size of the style. */
static rv_status see_pyramid(learning *l, const rv_patch_terms *p, const rv_term_source *source,
                             int style)
{
    const float *seen = l->scale->seen != NULL ? l->scale->seen[style] : NULL;
    rv_coverage coverage;
    if (seen == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_coverage_find(&coverage, source->graph, source->picture, seen));
    rv_status status = RV_OK;
    for (int i = 0; i < p->n_levels && status == RV_OK; i++) {
        float **to = &l->seen[i * l->scale->n_styles + style];
        const int32_t *d = rv_graph_shape(source->graph, p->level[i].picture)->dim;
        const size_t n = (size_t)d[2] * (size_t)d[3];
        status = rv_alloc(to, n, sizeof **to, "styles");
        if (status == RV_OK) {
            memcpy(*to, rv_coverage_of(&coverage, p->level[i].picture), n * sizeof **to);
        }
    }
    rv_coverage_release(&coverage);
    return status;
}

/* Reads the levels of one style from the device. */
static rv_status read_pyramid(learning *l, const rv_patch_terms *p, const rv_term_source *source,
                              int style)
{
    const rv_planar *picture = &l->scale->styles[style];
    rv_plan *plan;
    rv_value outputs[RV_LEVELS];
    for (int i = 0; i < p->n_levels; i++) {
        outputs[i] = p->level[i].picture;
    }
    RV_TRY(rv_graph_reshape(source->graph, source->picture,
                            rv_shape_4(1, 3, picture->height, picture->width)));
    RV_TRY(see_pyramid(l, p, source, style));
    RV_TRY(rv_term_source_run(&plan, source, picture, outputs, p->n_levels));
    rv_status status = RV_OK;
    for (int i = 0; i < p->n_levels && status == RV_OK; i++) {
        status = read_level(&l->pictures[i * l->scale->n_styles + style], source, plan, outputs[i]);
    }
    rv_plan_destroy(plan);
    return status;
}

static rv_status learn_level(void *payload, size_t level)
{
    const learning *l = payload;
    const int n = l->scale->n_styles;
    return rv_patch_bank_learn(&l->banks[level], l->pictures + level * (size_t)n,
                               (const float *const *)l->seen + level * (size_t)n, l->scale->shares,
                               n, WHITENING_RIDGE, l->seed,
                               (uint32_t)(l->scale->size * RV_LEVELS) + (uint32_t)level);
}

/* Whitened colours and their negatives. */
static void make_colours(float weight[COLOURS * 3], float bias[COLOURS],
                         const rv_colour_moments *colours)
{
    double white[9];
    rv_colour_whitening(white, colours, COLOUR_RIDGE);
    for (int i = 0; i < 3; i++) {
        double shift = 0;
        for (int k = 0; k < 3; k++) {
            weight[i * 3 + k] = (float)white[i * 3 + k];
            weight[9 + i * 3 + k] = -weight[i * 3 + k];
            shift += white[i * 3 + k] * colours->mean[k];
        }
        bias[i] = (float)-shift;
        bias[3 + i] = -bias[i];
    }
}

static rv_status write_node(const rv_term_source *source, int node, const float *weight,
                            const float *bias)
{
    RV_TRY(rv_tensor_write(source->device, rv_params_tensor(source->params, node, 0), weight));
    return rv_tensor_write(source->device, rv_params_tensor(source->params, node, 1), bias);
}

rv_status rv_patch_terms_write(const rv_patch_terms *p, const rv_term_source *source,
                               const rv_patch_bank *banks, const rv_colour_moments *colours)
{
    float weight[COLOURS * 3], bias[COLOURS];
    make_colours(weight, bias, colours);
    for (int i = 0; i < p->n_levels; i++) {
        const rv_patch_level *level = &p->level[i];
        RV_TRY(write_node(source, level->filter_node, banks[i].weight, banks[i].bias));
        RV_TRY(write_node(source, level->colour_node, weight, bias));
    }
    rv_params_changed(source->params);
    return RV_OK;
}

rv_status rv_patch_terms_learn(rv_patch_bank *banks, const rv_patch_terms *p,
                               const rv_term_source *source, const rv_scale *scale, uint32_t seed)
{
    learning l = {.banks = banks, .scale = scale, .seed = seed, .n_levels = p->n_levels};
    const size_t n = (size_t)p->n_levels * (size_t)scale->n_styles;
    rv_status status = rv_alloc(&l.pictures, n, sizeof *l.pictures, "styles");
    if (status == RV_OK) {
        status = rv_alloc(&l.seen, n, sizeof(float *), "styles");
    }
    for (int i = 0; i < scale->n_styles && status == RV_OK; i++) {
        status = read_pyramid(&l, p, source, i);
    }
    if (status == RV_OK) {
        status = rv_parallel_for((size_t)p->n_levels, 0, learn_level, &l);
    }
    release(&l);
    return status;
}

/* --- terms ----------------------------------------------------------------------------------- */

static rv_status add_style_terms(const rv_patch_level *l, rv_terms *list, const char *level,
                                 double weight)
{
    const struct {
        const char *kind;
        rv_value map;
        rv_statistic statistic;
    } terms[STYLE_TERMS] = {{"style filters", l->filters, RV_STATISTIC_GRAM},
                            {"style means", l->filters, RV_STATISTIC_MEANS},
                            {"style colours", l->colours, RV_STATISTIC_GRAM}};
    for (int i = 0; i < STYLE_TERMS; i++) {
        const rv_term t = {.map = terms[i].map,
                           .statistic = terms[i].statistic,
                           .of_style = true,
                           .weight = weight / STYLE_TERMS,
                           .relative = true,
                           .smallest = SMALLEST_SQUARE};
        RV_TRY(rv_terms_add(list, &t, terms[i].kind, level));
    }
    return RV_OK;
}

rv_status rv_patch_terms_add(const rv_patch_terms *p, rv_terms *list, const rv_blend *blend,
                             const rv_stylize_options *options)
{
    for (int i = 0; i < p->n_levels; i++) {
        /* Where a small picture has but few levels, its coarsest counts as one that keeps the photo. */
        const int like = i == p->n_levels - 1 ? RV_LEVELS - 1 : i;
        const rv_patch_level *l = &p->level[i];
        const rv_term edges = {.map = l->edges,
                               .weight = options->content_weight * blend->edges[like],
                               .relative = true,
                               .smallest = SMALLEST_SQUARE};
        const rv_term lightness = {.map = l->lightness,
                                   .weight = options->content_weight * blend->lightness[like]};
        char level[MAX_NAME];
        snprintf(level, sizeof level, "of level %d", i);
        RV_TRY(add_style_terms(l, list, level,
                               options->style_weight * blend->patches[i] / p->n_levels));
        RV_TRY(rv_terms_add(list, &edges, "edges", level));
        RV_TRY(rv_terms_add(list, &lightness, "lightness", level));
    }
    return RV_OK;
}
