/* The one knob of stylize: the photo at 0, the weights as they are in the middle, more style and less photo all along. */
/* SPDX-License-Identifier: MIT */
#include "stages/strength.h"
#include "small_network.h"
#include "stages/objective.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <reverie/stylize.h>
#include <string.h>

enum { W = 64, H = 48, STEPS = 5 };

typedef struct work {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *style, *out;
    rv_stylize_options options;
    rv_stylize_result result;
} work;

static void set_up(work *w, int width, int height, int channels)
{
    memset(w, 0, sizeof *w);
    w->device = rv_test_device();
    w->model = small_network();
    w->photo = waves(width, height, channels, 16, 1);
    w->style = waves(70, 60, 3, 8, 2);
    /* Red, and half as coarse. */
    uint8_t *pixels = rv_image_pixels(w->style);
    for (int i = 0; i < 70 * 60; i++) {
        pixels[3 * i + 1] = (uint8_t)(pixels[3 * i + 1] / 4 + (i / 3 % 2) * 60);
        pixels[3 * i + 2] /= 3;
    }
    w->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    w->options.content_layers = "relu2";
    w->options.style_layers = "relu1,relu2";
    w->options.iterations = 40;
    w->options.scales = 1;
}

static void tear_down(work *w)
{
    rv_image_destroy(w->out);
    rv_image_destroy(w->photo);
    rv_image_destroy(w->style);
    rv_model_close(w->model);
    rv_device_close(w->device);
}

static rv_status stylize(work *w)
{
    const rv_image *const styles[1] = {w->style};
    rv_image_destroy(w->out);
    return rv_stylize(&w->out, &w->result, w->device, w->model, w->photo, styles, NULL, 1,
                      &w->options);
}

/* How far a picture is from what one side asks for at strength 0.5: from the style, or from the photo in its own
 * colours. */
static double missed(work *w, bool of_style)
{
    static const double share = 1;
    const rv_style_recipe *found;
    rv_stylize_options options = w->options;
    rv_objective *objective;
    rv_plan *plan;
    rv_value picture;
    double loss;
    RV_ASSERT_OK(rv_style_recipe_find(&found, RV_PRESET_DEFAULT, w->model));
    rv_style_recipe recipe = *found;
    rv_blend blend = *found->blend;
    blend.match_style = false;
    recipe.blend = &blend;
    options.strength = 0.5;
    options.optimizer = RV_OPTIMIZER_ADAM; /* no loss on the range */
    options.content_weight = of_style ? 0 : 1;
    options.style_weight = of_style ? 1 : 0;
    options.tv_weight = 0;
    rv_planar style, out;
    rv_scale scale = {.size = W, .styles = &style, .shares = &share, .n_styles = 1};
    RV_ASSERT_OK(rv_picture_planes(&style, NULL, w->device, w->style, NULL, 64, 55));
    RV_ASSERT_OK(rv_picture_planes(&out, NULL, w->device, w->out, NULL, W, H));
    RV_ASSERT_OK(rv_picture_planes(&scale.content, NULL, w->device, w->photo, NULL, W, H));
    RV_ASSERT_OK(rv_objective_create(&objective, w->device, w->model, &recipe, &options));
    RV_ASSERT_OK(rv_objective_begin(objective, &plan, &picture, &scale));
    RV_ASSERT_OK(rv_tensor_write(w->device, rv_plan_tensor(plan, picture), out.data));
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_losses(plan, NULL, &loss));
    rv_objective_destroy(objective);
    rv_planar_release(&style);
    rv_planar_release(&out);
    rv_planar_release(&scale.content);
    return loss;
}

Test(strength, leaves_the_weights_in_the_middle_as_they_are)
{
    cr_assert_eq(rv_strength_share(0.5), 1);
    cr_assert_eq(rv_strength_content(0.5), 1);
    cr_assert_eq(rv_strength_share(0), 0);
    double share = 0, content = rv_strength_content(0);
    for (int i = 1; i <= 100; i++) {
        const double s = i / 100.0;
        cr_assert(rv_strength_share(s) >= share && rv_strength_share(s) <= 1);
        cr_assert(rv_strength_content(s) <= content && rv_strength_content(s) > 0);
        share = rv_strength_share(s);
        content = rv_strength_content(s);
        cr_assert(rv_strength_share(s - 0.01) < share || rv_strength_content(s - 0.01) > content);
    }
}

Test(strength, comes_nearer_to_the_style_and_farther_from_the_photo_at_each_step)
{
    work w;
    double style = INFINITY, photo = -1;
    set_up(&w, W, H, 3);
    for (int i = 0; i < STEPS; i++) {
        w.options.strength = i / (double)(STEPS - 1);
        RV_ASSERT_OK(stylize(&w));
        const double to_style = missed(&w, true), to_photo = missed(&w, false);
        cr_assert_lt(to_style, style, "strength %g: %g after %g", w.options.strength, to_style,
                     style);
        cr_assert_gt(to_photo, photo, "strength %g: %g after %g", w.options.strength, to_photo,
                     photo);
        style = to_style;
        photo = to_photo;
    }
    tear_down(&w);
}

Test(strength, gives_the_photo_at_0)
{
    work w;
    set_up(&w, W, H, 4);
    w.options.strength = 0;
    RV_ASSERT_OK(stylize(&w));
    cr_assert_arr_eq(rv_image_pixels(w.out), rv_image_pixels(w.photo), (size_t)W * H * 4 * 2);
    cr_assert_eq(w.result.iterations, 0);
    cr_assert_null(strstr(w.result.settings, "done="), "%s", w.result.settings);
    w.options.size = 32;
    w.options.output_size = RV_OUTPUT_PHOTO;
    RV_ASSERT_OK(stylize(&w));
    cr_assert_arr_eq(rv_image_pixels(w.out), rv_image_pixels(w.photo), (size_t)W * H * 4 * 2);
    tear_down(&w);
}

Test(strength, and_the_scale_of_the_style_have_ranges)
{
    static const double wrong[] = {-0.1, 1.1, NAN};
    work w;
    set_up(&w, W, H, 3);
    for (int i = 0; i < 3; i++) {
        w.options.strength = wrong[i];
        RV_ASSERT_FAILS(stylize(&w), RV_ERR_USAGE, "strength is ");
    }
    w.options.strength = 0.5;
    w.options.style_scale = 0;
    RV_ASSERT_FAILS(stylize(&w), RV_ERR_USAGE, "style_scale is 0, must be from 0.1 to 10");
    w.options.style_scale = 11;
    RV_ASSERT_FAILS(stylize(&w), RV_ERR_USAGE, "style_scale is 11, must be from 0.1 to 10");
    w.options.style_scale = 1;
    w.options.preserve_color = (rv_preserve_color)3;
    RV_ASSERT_FAILS(stylize(&w), RV_ERR_USAGE, "preserve_color is 3, must be from 0 to 2");
    tear_down(&w);
}
