/* Checks the options of dreams, puts in what suits the network, and writes it all down. */
/* SPDX-License-Identifier: MIT */
#include "stages/dream_options.h"
#include "base/error.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 100000, MAX_ITERATIONS = 100000, MAX_JITTER = 512, TILE = 640, MAX_TILE = 4096 };

/* What suits a network, told by a layer that it has. Chosen by looking at dreams. */
typedef struct recipe {
    const char *mark;           /* NULL: any other */
    const char *layer, *guided; /* NULL: by rule */
    int octaves, iterations, jitter;
    double scale, step, smooth, blur, colour, stretch;
} recipe;

static const recipe recipes[] = {
    /* The original, GoogLeNet. */
    {"inception_4c/output", "inception_4c/output", "inception_3b/output", 4, 10, 32, 1.4, 1.5, 0, 0,
     0, 0},
    /* SqueezeNet: eyes and fur of dogs; without the colours of photos they burn. */
    {"fire9/squeeze1x1", "fire8/concat", "fire5/concat", 4, 10, 32, 1.4, 1.5, 0.3, 0, 0.8, 0},
    /* vgg-s: animals, lamps, tents; its grid is finer. */
    {"norm1_1", "relu4_2", "relu3_2", 4, 10, 16, 1.4, 1.5, 0.25, 0, 0.5, 0},
    {NULL, NULL, NULL, 4, 10, 32, 1.4, 1.5, 0.25, 0, 0.5, 0},
};

static bool has_layer(const rv_model *model, const char *name)
{
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        if (strcmp(rv_model_layer(model, i).name, name) == 0) {
            return true;
        }
    }
    return false;
}

static const recipe *recipe_of(const rv_model *model)
{
    const recipe *r = recipes;
    while (r->mark != NULL && !has_layer(model, r->mark)) {
        r++;
    }
    return r;
}

/* Of the layers with places, the one behind two thirds of the work. */
static const char *layer_by_rule(const rv_model *model)
{
    const char *name = NULL;
    double all = 0, sum = 0;
    for (int i = 0; i < rv_model_layer_count(model); i++) {
        all += (double)rv_model_layer(model, i).macs;
    }
    for (int i = 0; i < rv_model_layer_count(model) && sum <= all * 2 / 3; i++) {
        const rv_layer_info layer = rv_model_layer(model, i);
        sum += (double)layer.macs;
        if (layer.rank == 4 && layer.dim[2] > 1 && layer.dim[3] > 1) {
            name = layer.name;
        }
    }
    return name;
}

/* --- checks ---------------------------------------------------------------------------------- */

static rv_status take_int(const char *name, int *value, int initial, int min, int max)
{
    *value = *value < 0 ? initial : *value;
    return *value >= min && *value <= max
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s is %d, must be from %d to %d", name, *value, min, max);
}

static rv_status take_real(const char *name, double *value, double initial, double min, double max)
{
    *value = *value < 0 ? initial : *value;
    return *value >= min && *value <= max
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s is %g, must be from %g to %g", name, *value, min, max);
}

static rv_status take_numbers(rv_dream_options *o, const recipe *r)
{
    if (!(o->strength >= 0 && o->strength <= 100)) {
        return rv_fail(RV_ERR_USAGE, "strength is %g, must be from 0 to 100", o->strength);
    }
    if (o->size != 0) {
        RV_TRY(take_int("size", &o->size, 0, RV_DREAM_MIN, MAX_SIZE));
    }
    RV_TRY(take_int("octaves", &o->octaves, r->octaves, 1, RV_MAX_OCTAVES));
    RV_TRY(take_real("octave_scale", &o->octave_scale, r->scale, 1.01, 4));
    RV_TRY(take_int("iterations", &o->iterations, r->iterations, 1, MAX_ITERATIONS));
    RV_TRY(take_real("step", &o->step, r->step, 0, 1000));
    RV_TRY(take_int("jitter", &o->jitter, r->jitter, 0, MAX_JITTER));
    RV_TRY(take_real("smooth", &o->smooth, r->smooth, 0, 1));
    RV_TRY(take_real("blur", &o->blur, r->blur, 0, 100));
    RV_TRY(take_real("colour", &o->colour, r->colour, 0, 1));
    RV_TRY(take_real("stretch", &o->stretch, r->stretch, 0, 49));
    o->tile = o->tile == 0 ? TILE : o->tile;
    RV_TRY(take_int("tile", &o->tile, TILE, 64, MAX_TILE));
    if (!(o->time_limit >= 0)) {
        return rv_fail(RV_ERR_USAGE, "time_limit is %g, must not be negative", o->time_limit);
    }
    RV_TRY(take_int("save_every", &o->save_every, 0, 0, MAX_ITERATIONS));
    return RV_OK;
}

static rv_status take_goals(rv_goals *goals, const rv_dream_options *o, const recipe *r,
                            const rv_model *model)
{
    const char *layer = r->layer != NULL ? r->layer : layer_by_rule(model);
    const bool guided = o->guide != NULL;
    rv_goal *goal;
    if (o->maximize != NULL) {
        const rv_status status = rv_goals_parse(goals, o->maximize);
        return status == RV_OK ? RV_OK : rv_fail_context(status, "maximize");
    }
    if (layer == NULL) {
        return rv_fail(RV_ERR_USAGE, "%s has no layer to maximise by default: name one",
                       rv_model_name(model));
    }
    layer = guided && r->guided != NULL ? r->guided : layer;
    return rv_goals_add(goals, &goal, guided ? RV_GOAL_GUIDE : RV_GOAL_LAYER, layer, strlen(layer));
}

static rv_status check_guide(const rv_goals *goals, const rv_dream_options *o)
{
    bool wanted = false;
    for (size_t i = 0; i < goals->n; i++) {
        wanted = wanted || goals->items[i].kind == RV_GOAL_GUIDE;
    }
    if (wanted && o->guide == NULL) {
        return rv_fail(RV_ERR_USAGE, "maximize has a goal guide:LAYER, but there is no guide");
    }
    if (!wanted && o->guide != NULL) {
        return rv_fail(RV_ERR_USAGE, "there is a guide, but maximize has no goal guide:LAYER");
    }
    return RV_OK;
}

static rv_status check_model(const rv_dream_options *o, const rv_model *model)
{
    if (rv_model_get_kind(model) != RV_MODEL_NETWORK) {
        return rv_fail(RV_ERR_USAGE, "'%s' has no layers to dream of: take a network",
                       rv_model_name(model));
    }
    if (rv_model_is_random(model) && !o->untrained) {
        return rv_fail(RV_ERR_USAGE,
                       "%s has no trained weights, and dreams show what was learned: give it "
                       "weights, or take builtin",
                       rv_model_name(model));
    }
    return RV_OK;
}

rv_status rv_dream_resolve(rv_dream_options *out, rv_goals *goals, const rv_model *model,
                           const rv_dream_options *options)
{
    *out = (rv_dream_options)RV_DREAM_OPTIONS_INIT;
    *goals = (rv_goals){0};
    if (options != NULL) {
        /* A caller that was built against an older header has fewer members. */
        memcpy(out, options,
               options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
        out->struct_size = sizeof *out;
    }
    RV_TRY(check_model(out, model));
    const recipe *r = recipe_of(model);
    RV_TRY(take_numbers(out, r));
    rv_status status = take_goals(goals, out, r, model);
    if (status == RV_OK) {
        status = check_guide(goals, out);
    }
    if (status != RV_OK) {
        rv_goals_release(goals);
    }
    return status;
}

/* --- settings -------------------------------------------------------------------------------- */

rv_status rv_dream_settings(char **out, const rv_dream_options *o, const rv_goals *goals,
                            const rv_model *model, int octaves, int width, int height)
{
    rv_text text = {0};
    char *expression = NULL;
    *out = NULL;
    rv_text_append(&text, "model=%s", rv_model_name(model));
    if (goals->n > 0) {
        const rv_status written = rv_goals_text(&expression, goals);
        rv_text_append(&text, " maximize=%s", expression != NULL ? expression : "");
        text.failed = text.failed || written != RV_OK;
    }
    rv_text_append(&text,
                   " strength=%.6g size=%d octaves=%d octave_scale=%.6g iterations=%d step=%.6g "
                   "jitter=%d smooth=%.6g blur=%.6g color=%.6g stretch=%.6g tile=%d seed=%u",
                   o->strength, width > height ? width : height, octaves, o->octave_scale,
                   o->iterations, o->step, o->jitter, o->smooth, o->blur, o->colour, o->stretch,
                   o->tile, (unsigned)o->seed);
    free(expression);
    const rv_status status = rv_text_status(&text);
    if (status != RV_OK) {
        rv_text_release(&text);
    }
    *out = text.data;
    return status;
}
