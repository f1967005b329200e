/* Layers of a network and patches in one objective: what each adds, and what is refused. */
/* SPDX-License-Identifier: MIT */
#include "stages/objective.h"
#include "base/philox.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { W = 60, H = 52, VALUES = 3 * W * H };

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_stylize_options options;
    rv_blend blend;
    rv_style_recipe recipe;
    rv_planar content, style;
    float point[VALUES];
} work;

static rv_planar planes(rv_device *device, int width, int height, uint32_t seed)
{
    rv_image *image = waves(width, height, 3, 8, seed);
    rv_planar out;
    RV_ASSERT_OK(rv_picture_planes(&out, NULL, device, image, NULL, width, height));
    rv_image_destroy(image);
    return out;
}

static void set_up(work *w)
{
    const rv_style_recipe *recipe;
    w->device = rv_test_device();
    w->model = small_network();
    RV_ASSERT_OK(rv_style_recipe_find(&recipe, RV_PRESET_DEFAULT, w->model));
    w->recipe = *recipe;
    w->blend = *recipe->blend;
    w->recipe.blend = &w->blend;
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.content_weight = w->options.style_weight = 1;
    w->options.tv_weight = 0;
    w->options.content_layers = "relu3";
    w->options.style_layers = "relu1,relu2";
    w->options.optimizer = RV_OPTIMIZER_LBFGS;
    w->content = planes(w->device, W, H, 1);
    w->style = planes(w->device, 57, 50, 2);
    for (uint32_t i = 0; i < VALUES; i++) {
        w->point[i] = 0.1f + 0.8f * rv_philox_uniform(11, 0, i);
    }
}

static void tear_down(work *w)
{
    rv_planar_release(&w->content);
    rv_planar_release(&w->style);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

/* Begun at the only scale; the photo takes on the style's colours. */
static rv_objective *begin(work *w, rv_plan **plan, rv_value *picture)
{
    static const double share = 1;
    rv_objective *out;
    rv_scale scale = {
        .size = W, .content = w->content, .styles = &w->style, .shares = &share, .n_styles = 1};
    RV_ASSERT_OK(rv_objective_create(&out, w->device, w->model, &w->recipe, &w->options));
    RV_ASSERT_OK(rv_objective_begin(out, plan, picture, &scale));
    return out;
}

static double loss_at(work *w, rv_plan *plan, rv_value picture, const float *x)
{
    double loss;
    RV_ASSERT_OK(rv_tensor_write(w->device, rv_plan_tensor(plan, picture), x));
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_losses(plan, NULL, &loss));
    return loss;
}

static double loss_of(work *w)
{
    rv_plan *plan;
    rv_value picture;
    rv_objective *o = begin(w, &plan, &picture);
    const double loss = loss_at(w, plan, picture, w->point);
    rv_objective_destroy(o);
    return loss;
}

Test(objective, is_the_sum_of_layers_and_patches)
{
    work w;
    set_up(&w);
    w.blend.match_style = false;
    const rv_blend both = w.blend;
    const double all = loss_of(&w);
    memset(w.blend.patches, 0, sizeof w.blend.patches);
    memset(w.blend.lightness, 0, sizeof w.blend.lightness);
    const double layers = loss_of(&w);
    w.blend = both;
    w.blend.content_layers = w.blend.style_layers = 0;
    const double patches = loss_of(&w);
    cr_assert(layers > 0.01 * all && patches > 0.01 * all, "%g and %g", layers, patches);
    cr_assert_float_eq(layers + patches, all, 1e-5 * all, "%g and %g, not %g", layers, patches,
                       all);
    tear_down(&w);
}

Test(objective, has_the_gradient_of_its_loss)
{
    static float gradient[VALUES], moved[VALUES];
    const float step = 1e-3f;
    work w;
    rv_plan *plan;
    rv_value picture;
    set_up(&w);
    rv_objective *o = begin(&w, &plan, &picture);
    loss_at(&w, plan, picture, w.point);
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    RV_ASSERT_OK(rv_tensor_read(w.device, rv_plan_gradient(plan, picture), gradient));
    for (uint32_t d = 0; d < 4; d++) {
        double slope = 0, ends[2];
        for (int side = 0; side < 2; side++) {
            slope = 0;
            for (uint32_t i = 0; i < VALUES; i++) {
                /* Along the gradient, bent: a random direction is nearly flat. */
                const float along = (gradient[i] > 0 ? 1.0f : -1.0f) * rv_philox_uniform(9, d, i);
                moved[i] = w.point[i] + (side == 0 ? -step : step) * along;
                slope += (double)gradient[i] * (double)along;
            }
            ends[side] = loss_at(&w, plan, picture, moved);
        }
        const double difference = (ends[1] - ends[0]) / (2 * (double)step);
        /* ReLUs that change sides within the step bend the loss. */
        cr_assert_float_eq(difference, slope, 0.02 * fabs(slope), "%g, %g", difference, slope);
    }
    rv_objective_destroy(o);
    tear_down(&w);
}

/* Scales go from coarse to fine, with more levels each time. */
Test(objective, another_scale_is_as_if_it_were_the_first)
{
    static const double share = 1;
    work w;
    rv_plan *plan;
    rv_value picture;
    set_up(&w);
    w.blend.match_style = false;
    const double alone = loss_of(&w);
    rv_planar small = planes(w.device, 33, 30, 1), small_style = planes(w.device, 20, 30, 2);
    rv_scale scale = {
        .size = 33, .content = small, .styles = &small_style, .shares = &share, .n_styles = 1};
    rv_objective *o;
    RV_ASSERT_OK(rv_objective_create(&o, w.device, w.model, &w.recipe, &w.options));
    RV_ASSERT_OK(rv_objective_begin(o, &plan, &picture, &scale));
    scale.size = W;
    scale.content = w.content;
    scale.styles = &w.style;
    RV_ASSERT_OK(rv_objective_begin(o, &plan, &picture, &scale));
    cr_assert_eq(loss_at(&w, plan, picture, w.point), alone);
    rv_objective_destroy(o);
    rv_planar_release(&small);
    rv_planar_release(&small_style);
    tear_down(&w);
}

Test(objective, a_network_works_where_a_style_is_too_small_for_patches)
{
    work w;
    set_up(&w);
    rv_planar_release(&w.style);
    w.style = planes(w.device, 40, 9, 2);
    cr_assert(isfinite(loss_of(&w)));
    tear_down(&w);
}

Test(objective, a_network_for_grey_pictures_is_refused_in_words)
{
    work w;
    rv_objective *o;
    set_up(&w);
    rv_model_close(w.model);
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    options.channels = 1;
    RV_ASSERT_OK(rv_model_open(&w.model, "lenet", &options));
    RV_ASSERT_FAILS(
        rv_objective_create(&o, w.device, w.model, &w.recipe, &w.options), RV_ERR_UNSUPPORTED,
        "lenet looks at grey pictures: stylize needs a network for colours, or patches");
    cr_assert_null(o);
    tear_down(&w);
}

Test(objective, each_preset_has_a_recipe_and_a_margin)
{
    work w;
    const rv_style_recipe *r;
    set_up(&w);
    for (int preset = RV_PRESET_DEFAULT; preset <= RV_PRESET_BEST; preset++) {
        RV_ASSERT_OK(rv_style_recipe_find(&r, (rv_preset)preset, w.model));
        cr_assert_eq((int)r->preset, preset);
        cr_assert_eq(rv_style_recipe_margin(r, 128), preset == RV_PRESET_GATYS ? 0 : 16);
    }
    RV_ASSERT_OK(rv_style_recipe_find(&r, RV_PRESET_FAST, w.model));
    cr_assert_eq(rv_style_recipe_margin(r, 1024), 32);
    cr_assert(rv_preset_size(RV_PRESET_DEFAULT) == 512 && rv_preset_size(RV_PRESET_BEST) == 1024);
    cr_assert_eq(rv_preset_pooling(RV_PRESET_FAST), RV_POOLING_BINOMIAL);
    cr_assert_eq(rv_preset_pooling(RV_PRESET_GATYS), RV_POOLING_AS_MADE);
    tear_down(&w);
}
