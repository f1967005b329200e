/* The recipes of stylize, one row for each preset and kind of model. */
/* SPDX-License-Identifier: MIT */
#include "stages/style_recipe.h"
#include "base/error.h"

static const char *const names[] = {"default", "fast", "gatys", "best"};
enum { N_PRESETS = sizeof names / sizeof names[0] };

/* Zeros around a network's maps, and windows that end before the edge, show in what comes out within about
 * this distance. */
enum { NETWORK_MARGIN = 16 };

/* Weights found by looking at pictures. */

/* At fine levels the style is free to lay its strokes, coarse ones keep the photo recognisable. */
static const rv_blend patches = {.match_style = true,
                                 .margin_part = 32,
                                 .scale = 100,
                                 .range_weight = 100,
                                 .patches = {1.5, 1.5, 1, 1, 1},
                                 .edges = {0, 0.0018, 0.006, 0.006, 0.006},
                                 .lightness = {0, 0, 1, 1, 1}};

/* The network draws, patches take the grain out of its strokes and keep the colours true. With a tenth of this content
 * the strokes are wilder, but faces are lost. */
static const rv_blend network = {.match_style = true,
                                 .margin = NETWORK_MARGIN,
                                 .margin_part = 32,
                                 .scale = 10,
                                 .range_weight = 100,
                                 .content_layers = 0.06,
                                 .style_layers = 1,
                                 .patches = {0.5, 0.5, 0.3, 0.3, 0.3},
                                 .lightness = {0, 0.3, 0.3, 0.3, 0.3}};

/* Nothing but what Gatys, Ecker and Bethge and neural-style have. */
static const rv_blend gatys = {
    .absolute = true, .scale = 1, .content_layers = 1, .style_layers = 1};

/* A fast run goes as far as any at half the size: few steps at the full one leave scales in skies. */
static const rv_style_recipe recipes[] = {
    {RV_PRESET_DEFAULT, RV_MODEL_PATCHES, &patches, 1, 1, 0, RV_OPTIMIZER_LBFGS, 50, 0.5, 20, false,
     0, RV_STYLE_LOSS_GRAM, false},
    {RV_PRESET_FAST, RV_MODEL_PATCHES, &patches, 1, 1, 0, RV_OPTIMIZER_LBFGS, 32, 0.5, 20, false, 0,
     RV_STYLE_LOSS_GRAM, true},
    {RV_PRESET_DEFAULT, RV_MODEL_NETWORK, &network, 1, 1, 0, RV_OPTIMIZER_LBFGS, 60, 0.5, 20, false,
     0, RV_STYLE_LOSS_GRAM, false},
    {RV_PRESET_FAST, RV_MODEL_NETWORK, &network, 1, 1, 0, RV_OPTIMIZER_LBFGS, 42, 0.5, 20, false, 0,
     RV_STYLE_LOSS_GRAM, true},
    {RV_PRESET_GATYS, RV_MODEL_NETWORK, &gatys, 5, 100, 1e-3, RV_OPTIMIZER_LBFGS, 500, 0.5, 20,
     true, 1, RV_STYLE_LOSS_GRAM, false},
    {RV_PRESET_BEST, RV_MODEL_PATCHES, &patches, 1, 1, 0, RV_OPTIMIZER_LBFGS, 120, 0.5, 20, false,
     0, RV_STYLE_LOSS_GRAM, false},
    {RV_PRESET_BEST, RV_MODEL_NETWORK, &network, 1, 1, 0, RV_OPTIMIZER_LBFGS, 150, 0.5, 20, false,
     0, RV_STYLE_LOSS_WASSERSTEIN, false},
};

rv_status rv_style_recipe_find(const rv_style_recipe **out, rv_preset preset, const rv_model *model)
{
    *out = NULL;
    if ((int)preset < 0 || (int)preset >= N_PRESETS) {
        return rv_fail(RV_ERR_USAGE, "preset is %d, must be from 0 to %d", (int)preset,
                       N_PRESETS - 1);
    }
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        if (recipes[i].preset == preset && recipes[i].kind == rv_model_get_kind(model)) {
            *out = &recipes[i];
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE, "preset %s compares layers of a network: '%s' has none",
                   names[preset], rv_model_name(model));
}

const char *rv_preset_name(rv_preset preset)
{
    return names[preset];
}

int rv_preset_size(rv_preset preset)
{
    return preset == RV_PRESET_BEST ? 1024 : 512;
}

/* Max pooling draws a grid of two pixels where the photo is plain, and blurs its edges. */
rv_pooling rv_preset_pooling(rv_preset preset)
{
    return preset == RV_PRESET_GATYS ? RV_POOLING_AS_MADE : RV_POOLING_BINOMIAL;
}

int rv_style_recipe_margin(const rv_style_recipe *recipe, int size)
{
    const int part = recipe->blend->margin_part > 0 ? size / recipe->blend->margin_part : 0;
    return part > recipe->blend->margin ? part : recipe->blend->margin;
}
