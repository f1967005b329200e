/* Checks the options of stylize, puts defaults in, plans the scales, and writes it all down. */
/* SPDX-License-Identifier: MIT */
#include "stages/stylize_options.h"
#include "base/error.h"
#include "base/text.h"
#include "stages/picture.h"

#include <math.h>
#include <string.h>

enum { MAX_SIZE = 100000, MAX_ITERATIONS = 1000000 };
#define MAX_WEIGHT      1e6
#define MAX_RATE        1e9
#define MAX_FEATHER     1e4
#define MAX_PIXELS      2e8
#define MIN_STYLE_SCALE 0.1
#define MAX_STYLE_SCALE 10.0

/* Below this no scale is added by default: too little is left of a picture. */
enum { COARSEST = 100 };

/* Steps of Adam in units of the picture's range. */
#define ADAM_RATE 0.02

/* --- checks ---------------------------------------------------------------------------------- */

static rv_status check_int(const char *name, int value, int min, int max)
{
    return value >= min && value <= max
               ? RV_OK
               : rv_fail(RV_ERR_USAGE, "%s is %d, must be from %d to %d", name, value, min, max);
}

/* A negative weight stands for the default. */
static rv_status take_weight(const char *name, double *value, double initial)
{
    if (isnan(*value) || *value > MAX_WEIGHT) {
        return rv_fail(RV_ERR_USAGE, "%s is %g, must be from 0 to %g", name, *value, MAX_WEIGHT);
    }
    if (*value < 0) {
        *value = initial;
    }
    return RV_OK;
}

static rv_status check_choices(const rv_stylize_options *o, const rv_model *model)
{
    RV_TRY(check_int("init", (int)o->init, RV_INIT_FROM_CONTENT, RV_INIT_FROM_IMAGE));
    RV_TRY(
        check_int("preserve_color", (int)o->preserve_color, RV_PRESERVE_NONE, RV_PRESERVE_MATCH));
    RV_TRY(check_int("optimizer", (int)o->optimizer, RV_OPTIMIZER_DEFAULT, RV_OPTIMIZER_ADAM));
    if ((o->init == RV_INIT_FROM_IMAGE) != (o->init_image != NULL)) {
        return rv_fail(RV_ERR_USAGE, o->init_image == NULL
                                         ? "init is an image, but init_image is missing"
                                         : "init_image is given, but init is not an image");
    }
    RV_TRY(check_int("style_loss", (int)o->style_loss, RV_STYLE_LOSS_DEFAULT,
                     RV_STYLE_LOSS_WASSERSTEIN));
    const bool patches = rv_model_get_kind(model) == RV_MODEL_PATCHES;
    if (o->style_loss != RV_STYLE_LOSS_DEFAULT && patches) {
        return rv_fail(RV_ERR_USAGE, "style_loss: '%s' has no layers to compare",
                       rv_model_name(model));
    }
    const bool layers = o->content_layers != NULL || o->style_layers != NULL;
    if (layers && patches) {
        return rv_fail(RV_ERR_USAGE, "%s: '%s' has no layers to choose from",
                       o->content_layers != NULL ? "content_layers" : "style_layers",
                       rv_model_name(model));
    }
    return RV_OK;
}

static rv_status take_numbers(rv_stylize_options *o, const rv_style_recipe *r)
{
    RV_TRY(take_weight("content_weight", &o->content_weight, r->content_weight));
    RV_TRY(take_weight("style_weight", &o->style_weight, r->style_weight));
    RV_TRY(take_weight("tv_weight", &o->tv_weight, r->tv_weight));
    if (!(o->content_weight + o->style_weight > 0)) {
        return rv_fail(RV_ERR_USAGE, "content_weight and style_weight are both 0");
    }
    RV_TRY(check_int("size", o->size, RV_MIN_SIZE, MAX_SIZE));
    RV_TRY(check_int("iterations", o->iterations, 0, MAX_ITERATIONS));
    RV_TRY(check_int("scales", o->scales, 0, RV_MAX_SCALES));
    if (!(o->learning_rate >= 0 && o->learning_rate <= MAX_RATE)) {
        return rv_fail(RV_ERR_USAGE, "learning_rate is %g, must be above 0 and at most %g",
                       o->learning_rate, MAX_RATE);
    }
    if (o->output_size != RV_OUTPUT_PHOTO && o->output_size != 0) {
        RV_TRY(check_int("output_size", o->output_size, RV_MIN_SIZE, MAX_SIZE));
    }
    if (!(o->detail >= 0 && o->detail <= 1)) {
        return rv_fail(RV_ERR_USAGE, "detail is %g, must be from 0 to 1", o->detail);
    }
    if (!(o->strength >= 0 && o->strength <= 1)) {
        return rv_fail(RV_ERR_USAGE, "strength is %g, must be from 0 to 1", o->strength);
    }
    if (!(o->style_scale >= MIN_STYLE_SCALE && o->style_scale <= MAX_STYLE_SCALE)) {
        return rv_fail(RV_ERR_USAGE, "style_scale is %g, must be from %g to %g", o->style_scale,
                       MIN_STYLE_SCALE, MAX_STYLE_SCALE);
    }
    if (!(o->feather >= 0 && o->feather <= MAX_FEATHER)) {
        return rv_fail(RV_ERR_USAGE, "feather is %g, must be from 0 to %g", o->feather,
                       MAX_FEATHER);
    }
    if (!(o->time_limit >= 0) || !(o->preview_seconds >= 0)) {
        return rv_fail(RV_ERR_USAGE, "%s is %g, must not be negative",
                       o->time_limit >= 0 ? "preview_seconds" : "time_limit",
                       o->time_limit >= 0 ? o->preview_seconds : o->time_limit);
    }
    RV_TRY(check_int("save_every", o->save_every, 0, MAX_ITERATIONS));
    o->style_loss = o->style_loss != RV_STYLE_LOSS_DEFAULT ? o->style_loss : r->style_loss;
    o->optimizer = o->optimizer != RV_OPTIMIZER_DEFAULT ? o->optimizer : r->optimizer;
    o->iterations = o->iterations > 0 ? o->iterations : r->iterations;
    o->scales = o->scales > 0 ? o->scales : r->scales;
    if (!(o->learning_rate > 0)) {
        o->learning_rate = o->optimizer == RV_OPTIMIZER_ADAM ? ADAM_RATE : 1.0;
    }
    return RV_OK;
}

/* Halves the size while enough is left; a coarser scale costs less and is given more iterations. */
static void plan_scales(rv_schedule *s, int size, int wanted, int iterations, double growth)
{
    const int most = wanted > 0 ? wanted : RV_MAX_SCALES;
    const double coarsest = wanted > 0 ? RV_MIN_SIZE : COARSEST;
    s->n = 1;
    while (s->n < most && ldexp(size, -s->n) >= coarsest) {
        s->n++;
    }
    for (int i = 0; i < s->n; i++) {
        const int halvings = s->n - 1 - i;
        s->size[i] = (int)round(ldexp(size, -halvings));
        s->iterations[i] = (int)(iterations * (1 + growth * halvings));
    }
}

void rv_stylize_output(const rv_stylize_options *resolved, const rv_image *photo, int *width,
                       int *height)
{
    const int w = rv_image_width(photo), h = rv_image_height(photo);
    const double ratio = (double)resolved->output_size / (w > h ? w : h);
    *width = (int)fmax(1.0, round(w * ratio));
    *height = (int)fmax(1.0, round(h * ratio));
}

static rv_status take_sizes(rv_stylize_options *o, const rv_style_recipe *r, const rv_image *photo)
{
    int width = rv_image_width(photo), height = rv_image_height(photo);
    if (o->output_size == RV_OUTPUT_PHOTO) {
        o->output_size = width > height ? width : height;
    }
    if (o->output_size > 0 && o->output_size < o->size) {
        o->size = o->output_size;
    }
    rv_picture_fit(&width, &height, o->size);
    o->size = width > height ? width : height;
    if (r->halved && o->size >= 2 * RV_MIN_SIZE) {
        o->output_size = o->output_size > o->size ? o->output_size : o->size;
        o->size = (o->size + 1) / 2;
    }
    if (o->output_size <= o->size) {
        o->output_size = 0;
        return RV_OK;
    }
    rv_stylize_output(o, photo, &width, &height);
    return (double)width * height <= MAX_PIXELS
               ? RV_OK
               : rv_fail(RV_ERR_USAGE,
                         "an output_size of %d makes a picture of %d x %d, more than %.0f million "
                         "pixels",
                         o->output_size, width, height, MAX_PIXELS / 1e6);
}

rv_stylize_options rv_stylize_given(const rv_stylize_options *options)
{
    rv_stylize_options all = RV_STYLIZE_OPTIONS_INIT;
    if (options != NULL) {
        /* A caller that was built against an older header has fewer members. */
        memcpy(&all, options,
               options->struct_size < sizeof all ? options->struct_size : sizeof all);
        all.struct_size = sizeof all;
    }
    return all;
}

rv_status rv_stylize_resolve(rv_stylize_options *out, rv_schedule *schedule,
                             const rv_style_recipe **recipe, const rv_stylize_options *options,
                             const rv_model *model, const rv_image *photo)
{
    *out = rv_stylize_given(options);
    RV_TRY(check_choices(out, model));
    RV_TRY(rv_style_recipe_find(recipe, out->preset, model));
    RV_TRY(take_numbers(out, *recipe));
    RV_TRY(take_sizes(out, *recipe, photo));
    plan_scales(schedule, out->size, out->scales, out->iterations, (*recipe)->growth);
    out->scales = schedule->n;
    return RV_OK;
}

rv_status rv_stylize_shares(double *out, const double *weights, int n)
{
    double sum = 0;
    if (n < 1) {
        return rv_fail(RV_ERR_USAGE, "there is no style picture");
    }
    for (int i = 0; i < n; i++) {
        out[i] = weights != NULL ? weights[i] : 1.0;
        if (!(out[i] > 0 && out[i] <= MAX_WEIGHT)) {
            return rv_fail(RV_ERR_USAGE,
                           "the weight of style picture %d is %g, must be above 0 and at most %g",
                           i + 1, out[i], MAX_WEIGHT);
        }
        sum += out[i];
    }
    for (int i = 0; i < n; i++) {
        out[i] /= sum;
    }
    return RV_OK;
}

/* --- settings -------------------------------------------------------------------------------- */

rv_status rv_stylize_settings(char **out, const rv_stylize_options *resolved, const rv_model *model,
                              const char *content_layers, const char *style_layers,
                              const double *shares, int n_styles)
{
    static const char *const losses[] = {"", "gram", "mean-variance", "wasserstein"};
    static const char *const inits[] = {"content", "style", "noise", "image"};
    static const char *const colours[] = {"none", "luminance", "match"};
    const rv_stylize_options *o = resolved;
    rv_text text = {0};
    rv_text_append(
        &text, "model=%s preset=%s size=%d content_weight=%.6g style_weight=%.6g tv_weight=%.6g",
        rv_model_name(model), rv_preset_name(o->preset), o->size, o->content_weight,
        o->style_weight, o->tv_weight);
    if (content_layers != NULL) {
        rv_text_append(&text, " content_layers=%s", content_layers);
    }
    if (style_layers != NULL) {
        rv_text_append(&text, " style_layers=%s style_loss=%s", style_layers,
                       losses[o->style_loss]);
    }
    for (int i = 0; i < n_styles && n_styles > 1; i++) {
        rv_text_append(&text, "%s%.6g", i > 0 ? "," : " style_shares=", shares[i]);
    }
    rv_text_append(
        &text, " init=%s scales=%d iterations=%d optimizer=%s learning_rate=%.6g seed=%u",
        inits[o->init], o->scales, o->iterations,
        o->optimizer == RV_OPTIMIZER_ADAM ? "adam" : "lbfgs", o->learning_rate, (unsigned)o->seed);
    rv_text_append(&text, " strength=%.6g style_scale=%.6g preserve_color=%s", o->strength,
                   o->style_scale, colours[o->preserve_color]);
    if (o->output_size > 0) {
        rv_text_append(&text, " output_size=%d detail=%.6g", o->output_size, o->detail);
    }
    if (o->mask != NULL) {
        rv_text_append(&text, " masked=1");
    }
    for (int i = 0; i < n_styles && o->style_masks != NULL; i++) {
        rv_text_append(&text, "%s%d", i > 0 ? "," : " style_masked=", o->style_masks[i] != NULL);
    }
    if (o->feather > 0 && (o->mask != NULL || o->style_masks != NULL)) {
        rv_text_append(&text, " feather=%.6g", o->feather);
    }
    const rv_status status = rv_text_status(&text);
    *out = text.data;
    if (status != RV_OK) {
        rv_text_release(&text);
        *out = NULL;
    }
    return status;
}
