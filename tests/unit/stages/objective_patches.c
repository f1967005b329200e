/* The objective that learns from the style: zero where the style looks at itself, and its gradient. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "stages/objective.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { W = 56, H = 44, VALUES = 3 * W * H };

static float photo_data[VALUES], style_data[VALUES];

/* Waves of a direction and width of their own, with some noise. */
static rv_planar waves(float *data, uint32_t seed, float across, float down)
{
    for (uint32_t i = 0; i < VALUES; i++) {
        const uint32_t at = i % (W * H);
        const float wave = sinf(across * (float)(at % W) + down * (float)(at / W));
        data[i] = 0.5f + 0.1f * wave + 0.08f * rv_philox_normal(seed, 0, i);
    }
    return (rv_planar){W, H, data};
}

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_stylize_options options;
    rv_objective *self;
    rv_plan *plan;
    rv_value picture;
    rv_planar style;
    double share;
    rv_scale scale;
} work;

static void set_up(work *w, double content_weight, double style_weight)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    cr_assert_eq(rv_model_open(&w->model, "patches", NULL), RV_OK);
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.content_weight = content_weight;
    w->options.style_weight = style_weight;
    w->options.tv_weight = 0;
    w->options.optimizer = RV_OPTIMIZER_LBFGS;
    const rv_style_recipe *recipe;
    RV_ASSERT_OK(rv_style_recipe_find(&recipe, RV_PRESET_DEFAULT, w->model));
    RV_ASSERT_OK(rv_objective_create(&w->self, w->device, w->model, recipe, &w->options));
    w->style = waves(style_data, 1, 0.5f, 0.3f);
    w->share = 1;
    w->scale = (rv_scale){.size = W,
                          .content = waves(photo_data, 2, -0.2f, 0.6f),
                          .styles = &w->style,
                          .shares = &w->share,
                          .n_styles = 1};
}

static void tear_down(work *w)
{
    rv_objective_destroy(w->self);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static rv_status begin(work *w)
{
    return rv_objective_begin(w->self, &w->plan, &w->picture, &w->scale);
}

static double loss_at(work *w, const float *x)
{
    double loss;
    rv_tensor *picture = rv_plan_tensor(w->plan, w->picture);
    cr_assert_eq(rv_tensor_write(w->device, picture, x), RV_OK);
    cr_assert_eq(rv_plan_forward(w->plan), RV_OK);
    cr_assert_eq(rv_plan_losses(w->plan, NULL, &loss), RV_OK);
    return loss;
}

Test(objective_patches, a_style_costs_nothing_in_its_own_eyes)
{
    work w;
    set_up(&w, 0, 1);
    cr_assert_eq(begin(&w), RV_OK, "%s", rv_error_message());
    const double own = loss_at(&w, style_data), other = loss_at(&w, photo_data);
    cr_assert(own < 1e-6 * other, "%g beside %g", own, other);
    tear_down(&w);
}

Test(objective_patches, a_photo_costs_nothing_where_only_content_counts)
{
    work w;
    set_up(&w, 1, 0);
    cr_assert_eq(begin(&w), RV_OK, "%s", rv_error_message());
    /* begin() has mapped the photo's colours: it starts from there. */
    const double own = loss_at(&w, photo_data), other = loss_at(&w, style_data);
    cr_assert(own < 1e-6 * other, "%g beside %g", own, other);
    tear_down(&w);
}

Test(objective_patches, has_the_gradient_of_its_loss)
{
    static float gradient[VALUES], moved[VALUES];
    const float step = 2e-3f;
    work w;
    set_up(&w, 1, 1);
    cr_assert_eq(begin(&w), RV_OK, "%s", rv_error_message());
    loss_at(&w, photo_data);
    cr_assert_eq(rv_plan_backward(w.plan, false), RV_OK);
    cr_assert_eq(rv_tensor_read(w.device, rv_plan_gradient(w.plan, w.picture), gradient), RV_OK);
    for (uint32_t d = 0; d < 4; d++) {
        double slope = 0, ends[2];
        for (int side = 0; side < 2; side++) {
            slope = 0;
            for (uint32_t i = 0; i < VALUES; i++) {
                /* Along the gradient, bent: a random direction is nearly flat. */
                const float along = (gradient[i] > 0 ? 1.0f : -1.0f) * rv_philox_uniform(9, d, i);
                moved[i] = photo_data[i] + (side == 0 ? -step : step) * along;
                slope += (double)gradient[i] * (double)along;
            }
            ends[side] = loss_at(&w, moved);
        }
        const double difference = (ends[1] - ends[0]) / (2 * (double)step);
        /* ReLUs that change sides within the step bend the loss. */
        cr_assert_float_eq(difference, slope, 0.02 * fabs(slope), "%g, %g", difference, slope);
    }
    tear_down(&w);
}

Test(objective_patches, takes_a_style_of_one_colour_at_the_largest_weight)
{
    work w;
    set_up(&w, 1, 1e6);
    for (int i = 0; i < VALUES; i++) {
        style_data[i] = 0.7f;
    }
    cr_assert_eq(begin(&w), RV_OK, "%s", rv_error_message());
    cr_assert(isfinite(loss_at(&w, photo_data)));
    tear_down(&w);
}

Test(objective_patches, names_the_picture_that_is_too_small)
{
    work w;
    set_up(&w, 1, 1);
    w.style.height = 8;
    cr_assert_eq(begin(&w), RV_ERR_SHAPE);
    cr_assert(strstr(rv_error_message(), "style") != NULL, "%s", rv_error_message());
    cr_assert(strstr(rv_error_message(), "8 pixels") != NULL, "%s", rv_error_message());
    tear_down(&w);
}
