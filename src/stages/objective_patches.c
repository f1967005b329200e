/* The objective of stylize that needs no trained network: filters learned from the style itself.
 *
 * After Ustyuzhaninov, Brendel, Gatys and Bethge 2016, who match Gram matrices of one layer of
 * random filters at several scales. Here the filters are centroids of the style's whitened patches,
 * a bank for each level of a pyramid. Content is the energy of edges, and lightness, of the photo in
 * the style's colours. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "stages/colour_match.h"
#include "stages/objective.h"
#include "stages/patch_bank.h"
#include "stages/target.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEVELS = 5,
    SMALLEST_LEVEL = 12, /* pixels of its shorter side */
    STYLE_TERMS = 3,     /* of a level: Gram and means of the filters, Gram of the colours */
    CONTENT_TERMS = 2,   /* of a level: energy of edges, lightness */
    TERMS = STYLE_TERMS + CONTENT_TERMS,
    ORIENTATIONS = 8,
    SIDE = RV_PATCH_SIDE,
    MAX_NAME = 32
};

/* Weights found by looking at pictures; a loss near 1 suits the optimiser's first steps. */
#define LOSS_SCALE      100.0
#define WHITENING_RIDGE 0.02
#define RANGE_WEIGHT    100.0

/* Below this mean square a target has nothing to match: a style of one colour. */
#define SMALLEST_SQUARE 1e-4

/* By level, the finest first. There the style is free to lay its strokes, coarse levels keep the
 * photo recognisable. */
static const double style_weight[LEVELS] = {1.5, 1.5, 1, 1, 1};
static const double edge_weight[LEVELS] = {0, 0.0018, 0.006, 0.006, 0.006};
static const double lightness_weight[LEVELS] = {0, 0, 1, 1, 1};

static const float luminance[3] = {0.299f, 0.587f, 0.114f};

typedef struct patches {
    rv_device *device;
    const rv_stylize_options *options;
    rv_graph *graph;
    rv_params *params;
    rv_plan *plan;
    rv_value picture;
    int n_levels;
    rv_value level[LEVELS];
    rv_target terms[LEVELS][TERMS]; /* read from the style or the photo */
    rv_patch_bank *banks;           /* one per level */
} patches;

/* --- life ------------------------------------------------------------------------------------ */

static rv_status create(void **out, rv_device *device, const rv_model *model,
                        const rv_stylize_options *options)
{
    (void)model;
    *out = NULL;
    patches *p;
    RV_TRY(rv_alloc(&p, 1, sizeof *p, "patches"));
    p->device = device;
    p->options = options;
    const rv_status status = rv_alloc(&p->banks, LEVELS, sizeof *p->banks, "filters");
    if (status != RV_OK) {
        free(p);
        return status;
    }
    *out = p;
    return RV_OK;
}

/* Forgets a scale. */
static void end(patches *p)
{
    for (int l = 0; l < LEVELS; l++) {
        for (int t = 0; t < TERMS; t++) {
            rv_target_release(&p->terms[l][t]);
            p->terms[l][t] = (rv_target){0};
        }
    }
    rv_plan_destroy(p->plan);
    rv_params_destroy(p->params);
    rv_graph_destroy(p->graph);
    p->plan = NULL;
    p->params = NULL;
    p->graph = NULL;
}

static void destroy(void *self)
{
    patches *p = self;
    if (p != NULL) {
        end(p);
        free(p->banks);
        free(p);
    }
}

/* Statistics near the border see reflections: what they spoil is cut off. */
static int margin(int size, int full_size)
{
    (void)full_size;
    return size / 32;
}

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
    snprintf(full, sizeof full, "%s%d", name, level);
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
    snprintf(full, sizeof full, "%s%d", name, level);
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

static rv_status add_pyramid(rv_graph *graph, rv_value *picture, rv_value level[LEVELS],
                             int n_levels, const rv_planar *like)
{
    RV_TRY(rv_graph_input(graph, picture, "picture", rv_shape_4(1, 3, like->height, like->width)));
    level[0] = *picture;
    for (int l = 1; l < n_levels; l++) {
        level[l] = level[l - 1];
        RV_TRY(add_half(graph, &level[l], l));
    }
    return RV_OK;
}

/* ReLU of the whitened colours and of their negatives. */
static rv_status add_colours(rv_graph *graph, rv_value *value, int level,
                             const rv_colour_moments *colours)
{
    double white[9];
    float weight[18], bias[6];
    rv_colour_whitening(white, colours, 0.01);
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
    const filters f = {6, {1, 1}, {1, 1}, 1, weight, bias};
    RV_TRY(add_filters(graph, value, "colours", level, *value, &f));
    return add_simple(graph, value, "relu", "colours_relu", level, no_attr);
}

static rv_status add_style_terms(patches *p, int level, const rv_colour_moments *colours)
{
    rv_target *t = p->terms[level];
    rv_value r = p->level[level], z = p->level[level];
    const filters f = {RV_PATCH_FILTERS,       {SIDE, SIDE},        {1, 1}, 1,
                       p->banks[level].weight, p->banks[level].bias};
    RV_TRY(add_filters(p->graph, &r, "filters", level, r, &f));
    RV_TRY(add_simple(p->graph, &r, "relu", "filters_relu", level, no_attr));
    t[0].value = t[1].value = r;
    RV_TRY(
        add_simple(p->graph, &t[0].value, "gram", "gram", level, RV_SET_ENUM("normalize", "hw")));
    RV_TRY(
        add_simple(p->graph, &t[1].value, "average_pool", "means", level, RV_SET_INT("global", 1)));
    RV_TRY(add_colours(p->graph, &z, level, colours));
    t[2].value = z;
    return add_simple(p->graph, &t[2].value, "gram", "colours_gram", level,
                      RV_SET_ENUM("normalize", "hw"));
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

/* Energy of an orientation: root of even^2 + odd^2 + a little, which keeps the root smooth. */
static rv_status add_content_terms(patches *p, int level)
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
    rv_target *t = p->terms[level] + STYLE_TERMS;
    rv_value v;
    RV_TRY(add_filters(p->graph, &t[1].value, "lightness", level, p->level[level], &light));
    RV_TRY(add_filters(p->graph, &v, "edges", level, t[1].value, &edges));
    RV_TRY(add_simple(p->graph, &v, "square", "edges_square", level, no_attr));
    RV_TRY(add_filters(p->graph, &t[0].value, "energy", level, v, &sum));
    return add_simple(p->graph, &t[0].value, "sqrt", "energy_root", level, no_attr);
}

/* The finest level is left to the style, unless there is no other. */
static int first_content_level(const patches *p)
{
    return p->n_levels > 1 ? 1 : 0;
}

/* --- targets --------------------------------------------------------------------------------- */

static rv_status set_size(patches *p, const rv_planar *picture)
{
    return rv_graph_reshape(p->graph, p->picture,
                            rv_shape_4(1, 3, picture->height, picture->width));
}

/* Adds share * (terms first .. first + n - 1 of levels from `from`) of a picture to their data. */
static rv_status measure(patches *p, const rv_planar *picture, double share, int first, int n,
                         int from)
{
    rv_target *targets[LEVELS * TERMS];
    int count = 0;
    RV_TRY(set_size(p, picture));
    for (int l = from; l < p->n_levels; l++) {
        for (int t = first; t < first + n; t++) {
            targets[count++] = &p->terms[l][t];
        }
    }
    const rv_target_source source = {p->device, p->graph, p->params, p->picture,
                                     p->options->events};
    return rv_targets_add(targets, count, &source, picture, share);
}

static double mean_square(const rv_target *t)
{
    return fmax(rv_target_mean_square(t), SMALLEST_SQUARE);
}

/* --- filters --------------------------------------------------------------------------------- */

static void release_pictures(rv_planar *pictures, int n)
{
    for (int i = 0; pictures != NULL && i < n; i++) {
        free(pictures[i].data);
    }
    free(pictures);
}

/* Reads the levels of one style from the device into pictures[level * n_styles + style]. */
static rv_status read_pyramid(patches *p, rv_planar *pictures, const rv_scale *scale, int style)
{
    const rv_planar *like = &scale->styles[style];
    rv_graph *graph = NULL;
    rv_params *params = NULL;
    rv_plan *plan = NULL;
    rv_value picture, level[LEVELS];
    rv_status status = rv_graph_create(&graph);
    if (status == RV_OK) {
        status = add_pyramid(graph, &picture, level, p->n_levels, like);
    }
    if (status == RV_OK) {
        status = rv_params_create(&params, p->device, graph, false);
    }
    const rv_plan_options options = {
        .outputs = level, .n_outputs = p->n_levels, .events = p->options->events};
    if (status == RV_OK) {
        status = rv_plan_create(&plan, graph, params, p->device, &options);
    }
    if (status == RV_OK) {
        status = rv_tensor_write(p->device, rv_plan_tensor(plan, picture), like->data);
    }
    if (status == RV_OK) {
        status = rv_plan_forward(plan);
    }
    for (int l = 0; l < p->n_levels && status == RV_OK; l++) {
        const rv_shape *shape = rv_graph_shape(graph, level[l]);
        rv_planar *out = &pictures[l * scale->n_styles + style];
        *out = (rv_planar){shape->dim[3], shape->dim[2], NULL};
        status = rv_alloc(&out->data, rv_shape_count(shape), sizeof(float), "style");
        if (status == RV_OK) {
            status = rv_tensor_read(p->device, rv_plan_tensor(plan, level[l]), out->data);
        }
    }
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_graph_destroy(graph);
    return status;
}

typedef struct learning {
    patches *p;
    const rv_scale *scale;
    const rv_planar *pictures;
} learning;

static rv_status learn_level(void *payload, size_t level)
{
    const learning *l = payload;
    const int n = l->scale->n_styles;
    return rv_patch_bank_learn(&l->p->banks[level], l->pictures + level * (size_t)n,
                               l->scale->shares, n, WHITENING_RIDGE, l->p->options->seed,
                               (uint32_t)(l->scale->size * LEVELS) + (uint32_t)level);
}

static rv_status learn_filters(patches *p, const rv_scale *scale)
{
    const int n = p->n_levels * scale->n_styles;
    rv_planar *pictures;
    RV_TRY(rv_alloc(&pictures, (size_t)n, sizeof *pictures, "styles"));
    rv_status status = RV_OK;
    for (int i = 0; i < scale->n_styles && status == RV_OK; i++) {
        status = read_pyramid(p, pictures, scale, i);
    }
    learning l = {p, scale, pictures};
    if (status == RV_OK) {
        status = rv_parallel_for((size_t)p->n_levels, 0, learn_level, &l);
    }
    release_pictures(pictures, n);
    return status;
}

/* --- objective ------------------------------------------------------------------------------- */

/* Levels that are no smaller than SMALLEST_LEVEL in the smallest picture. */
static rv_status count_levels(patches *p, const rv_scale *scale)
{
    const rv_planar *content = &scale->content;
    int side = content->width < content->height ? content->width : content->height;
    const char *what = "the photo, margin included,";
    for (int i = 0; i < scale->n_styles; i++) {
        const rv_planar *s = &scale->styles[i];
        const int shorter = s->width < s->height ? s->width : s->height;
        what = shorter < side ? "a style" : what;
        side = shorter < side ? shorter : side;
    }
    if (side < SMALLEST_LEVEL) {
        return rv_fail(
            RV_ERR_SHAPE,
            "%s is %d pixels there on its shorter side, too few to have a texture: %d at "
            "least are needed",
            what, side, SMALLEST_LEVEL);
    }
    for (p->n_levels = 1; p->n_levels < LEVELS && side >= 2 * SMALLEST_LEVEL;
         side = (side + 1) / 2) {
        p->n_levels++;
    }
    return RV_OK;
}

static rv_status build(patches *p, const rv_scale *scale, const rv_colour_moments *colours)
{
    RV_TRY(rv_graph_create(&p->graph));
    RV_TRY(add_pyramid(p->graph, &p->picture, p->level, p->n_levels, &scale->content));
    for (int l = 0; l < p->n_levels; l++) {
        RV_TRY(add_style_terms(p, l, colours));
    }
    for (int l = first_content_level(p); l < p->n_levels; l++) {
        RV_TRY(add_content_terms(p, l));
    }
    return rv_params_create(&p->params, p->device, p->graph, false);
}

static double weight_of(const patches *p, int level, int index)
{
    const rv_stylize_options *o = p->options;
    const rv_target *t = &p->terms[level][index];
    /* Where a small picture has but few levels, its coarsest counts as one that keeps the photo. */
    const int like = level == p->n_levels - 1 ? LEVELS - 1 : level;
    switch (index) {
    case STYLE_TERMS:
        return o->content_weight * edge_weight[like] / mean_square(t);
    case STYLE_TERMS + 1:
        return o->content_weight * lightness_weight[like];
    default:
        return o->style_weight * style_weight[level] / mean_square(t) / (STYLE_TERMS * p->n_levels);
    }
}

static rv_status add_loss(rv_graph *graph, rv_value *losses, int *n, const char *op,
                          const rv_value *in, int n_in, double weight)
{
    char name[MAX_NAME];
    if (weight == 0) {
        return RV_OK;
    }
    snprintf(name, sizeof name, "loss%d", *n);
    return rv_graph_add(graph, &losses[(*n)++], op, name, in, n_in,
                        RV_ATTRS(RV_SET_FLOAT("weight", LOSS_SCALE * weight)));
}

static rv_status add_losses(patches *p, rv_value *losses, int *n)
{
    *n = 0;
    for (int l = 0; l < p->n_levels; l++) {
        for (int i = 0; i < TERMS; i++) {
            rv_target *t = &p->terms[l][i];
            if (t->data == NULL) {
                continue;
            }
            char name[MAX_NAME];
            snprintf(name, sizeof name, "target%d_%d", l, i);
            RV_TRY(rv_graph_input(p->graph, &t->input, name, *rv_graph_shape(p->graph, t->value)));
            const rv_value in[2] = {t->value, t->input};
            RV_TRY(add_loss(p->graph, losses, n, "mse_loss", in, 2, weight_of(p, l, i)));
        }
    }
    RV_TRY(add_loss(p->graph, losses, n, "tv_loss", &p->picture, 1, p->options->tv_weight));
    return add_loss(p->graph, losses, n, "range_loss", &p->picture, 1, RANGE_WEIGHT);
}

static rv_status make_plan(patches *p, uint64_t reserve)
{
    rv_value losses[LEVELS * TERMS + 2];
    rv_plan_options options = {.outputs = losses,
                               .gradients = &p->picture,
                               .n_gradients = 1,
                               .reserve = reserve,
                               .events = p->options->events};
    RV_TRY(add_losses(p, losses, &options.n_outputs));
    RV_TRY(rv_plan_create(&p->plan, p->graph, p->params, p->device, &options));
    for (int l = 0; l < p->n_levels; l++) {
        for (int i = 0; i < TERMS; i++) {
            const rv_target *t = &p->terms[l][i];
            rv_tensor *target = t->data != NULL ? rv_plan_tensor(p->plan, t->input) : NULL;
            if (target != NULL) {
                RV_TRY(rv_tensor_write(p->device, target, t->data));
            }
        }
    }
    return RV_OK;
}

static rv_status begin(void *self, rv_plan **plan, rv_value *picture, rv_scale *scale)
{
    patches *p = self;
    const double whole = 1;
    end(p);
    RV_TRY(count_levels(p, scale));
    const rv_colour_moments style =
        rv_colour_measure(scale->styles, scale->shares, scale->n_styles);
    const rv_colour_moments photo = rv_colour_measure(&scale->content, &whole, 1);
    rv_colour_map(&scale->content, &photo, &style);
    RV_TRY(learn_filters(p, scale));
    RV_TRY(build(p, scale, &style));
    for (int i = 0; i < scale->n_styles; i++) {
        RV_TRY(measure(p, &scale->styles[i], scale->shares[i], 0, STYLE_TERMS, 0));
    }
    RV_TRY(measure(p, &scale->content, 1, STYLE_TERMS, CONTENT_TERMS, first_content_level(p)));
    RV_TRY(make_plan(p, scale->reserve));
    *plan = p->plan;
    *picture = p->picture;
    return RV_OK;
}

const rv_objective_kind rv_objective_patches = {
    .defaults = {.content_weight = 1,
                 .style_weight = 1,
                 .tv_weight = 0,
                 .optimizer = RV_OPTIMIZER_LBFGS,
                 .iterations = 50,
                 .history = 20},
    .create = create,
    .destroy = destroy,
    .margin = margin,
    .begin = begin,
    .layers = NULL,
};
