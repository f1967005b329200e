/* The classic recipe and the losses of the style against what an independent program computed, see tests/data. */
/* SPDX-License-Identifier: MIT */
#include "stages/objective.h"
#include "stages/stylize_options.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 64, HEIGHT = 48, VALUES = 3 * WIDTH * HEIGHT, SOME = 16 };

#define STYLE_LAYERS "relu_conv1,fire2/concat,fire3/concat,fire4/concat"

typedef struct setting {
    rv_device *device;
    rv_model *model;
    rv_image *photo, *style;
    rv_stylize_options options;
} setting;

static rv_image *read(const char *path)
{
    rv_image *image;
    RV_ASSERT_OK(rv_image_read(&image, path, NULL));
    cr_assert(rv_image_width(image) == WIDTH && rv_image_height(image) == HEIGHT);
    return image;
}

static void set_up(setting *s)
{
    *s = (setting){.options = RV_STYLIZE_OPTIONS_INIT};
    const char *path = rv_test_shared("models/squeezenet_v1.0/squeezenet_v1.0.caffemodel");
    RV_ASSERT_OK(rv_model_open(&s->model, path, NULL));
    s->device = rv_test_device();
    s->photo = read("tests/data/gatys_photo.png");
    s->style = read("tests/data/gatys_style.png");
    s->options.preset = RV_PRESET_GATYS;
    s->options.size = WIDTH;
    s->options.content_layers = "fire4/concat";
    s->options.style_layers = STYLE_LAYERS;
}

static void tear_down(setting *s)
{
    rv_image_destroy(s->photo);
    rv_image_destroy(s->style);
    rv_model_close(s->model);
    rv_device_close(s->device);
}

/* --- losses ---------------------------------------------------------------------------------- */

/* The numbers behind "KIND NAME" in the record. */
static void recorded(double *out, int n, const char *kind, const char *name)
{
    char line[1024], key[64];
    const int length = snprintf(key, sizeof key, "%s %s ", kind, name);
    FILE *file = fopen("tests/data/gatys_losses.txt", "r");
    cr_assert_not_null(file);
    do {
        cr_assert_not_null(fgets(line, sizeof line, file), "%s", key);
    } while (strncmp(line, key, (size_t)length) != 0);
    fclose(file);
    char *at = line + length;
    for (int i = 0; i < n; i++) {
        out[i] = strtod(at, &at);
    }
}

/* Losses, content first, and the gradient of their sum in the middle between photo and style. */
static void evaluate(const setting *s, double losses[5], float *gradient)
{
    const double share = 1;
    const rv_style_recipe *recipe;
    rv_stylize_options options;
    rv_schedule schedule;
    rv_objective *objective;
    rv_plan *plan;
    rv_value picture;
    rv_planar photo, style;
    float *point;
    RV_ASSERT_OK(rv_stylize_resolve(&options, &schedule, &recipe, &s->options, s->model, s->photo));
    cr_assert_eq(schedule.n, 1);
    cr_assert_eq(rv_style_recipe_margin(recipe, WIDTH), 0);
    RV_ASSERT_OK(rv_picture_planes(&photo, NULL, s->device, s->photo, NULL, WIDTH, HEIGHT));
    RV_ASSERT_OK(rv_picture_planes(&style, NULL, s->device, s->style, NULL, WIDTH, HEIGHT));
    rv_scale scale = {
        .size = WIDTH, .content = photo, .styles = &style, .shares = &share, .n_styles = 1};
    RV_ASSERT_OK(rv_objective_create(&objective, s->device, s->model, recipe, &options));
    RV_ASSERT_OK(rv_objective_begin(objective, &plan, &picture, &scale));
    point = calloc(VALUES, sizeof *point);
    for (int i = 0; i < VALUES; i++) {
        point[i] = (photo.data[i] + style.data[i]) / 2;
    }
    RV_ASSERT_OK(rv_tensor_write(s->device, rv_plan_tensor(plan, picture), point));
    RV_ASSERT_OK(rv_plan_forward(plan));
    RV_ASSERT_OK(rv_plan_losses(plan, losses, NULL));
    RV_ASSERT_OK(rv_plan_backward(plan, false));
    RV_ASSERT_OK(rv_tensor_read(s->device, rv_plan_gradient(plan, picture), gradient));
    free(point);
    rv_planar_release(&photo);
    rv_planar_release(&style);
    rv_objective_destroy(objective);
}

/* @param likeness  of the gradient, as a share of its root mean square */
static void check_losses(rv_style_loss loss, const char *kind, double tolerance, double likeness)
{
    static const char *const layers[] = {"relu_conv1", "fire2/concat", "fire3/concat",
                                         "fire4/concat"};
    setting s;
    double losses[5], expected, gradient[1 + SOME];
    float *own = calloc(VALUES, sizeof *own);
    set_up(&s);
    s.options.style_loss = loss;
    s.options.tv_weight = 0;
    evaluate(&s, losses, own);
    recorded(&expected, 1, "content", "fire4/concat");
    cr_expect_float_eq(losses[0], expected, 1e-3 * expected, "content: %.9g, not %.9g", losses[0],
                       expected);
    for (int i = 0; i < 4; i++) {
        recorded(&expected, 1, kind, layers[i]);
        cr_expect_float_eq(losses[i + 1], expected, tolerance * expected, "%s %s: %.9g, not %.9g",
                           kind, layers[i], losses[i + 1], expected);
    }
    s.options.content_weight = 0;
    evaluate(&s, losses, own);
    recorded(gradient, 1 + SOME, kind, "gradient");
    for (int i = 0; i < SOME; i++) {
        const double value = (double)own[i * VALUES / SOME];
        cr_expect_float_eq(value, gradient[1 + i], likeness * gradient[0],
                           "%s, slope %d: %.6g, not %.6g", kind, i, value, gradient[1 + i]);
    }
    free(own);
    tear_down(&s);
}

Test(gatys, has_the_losses_of_each_layer)
{
    check_losses(RV_STYLE_LOSS_DEFAULT, "gram", 1e-3, 1e-3);
}

Test(gatys, has_the_losses_of_deviations)
{
    check_losses(RV_STYLE_LOSS_MEAN_VARIANCE, "mean-variance", 1e-3, 1e-3);
}

/* The last three maps have about as many channels as pixels: roots of what is next to nothing, in single precision. */
Test(gatys, has_the_losses_of_covariances)
{
    check_losses(RV_STYLE_LOSS_WASSERSTEIN, "wasserstein", 5e-3, 1e-2);
}

/* --- the picture ----------------------------------------------------------------------------- */

Test(gatys, paints_the_picture)
{
    setting s;
    rv_image *out;
    set_up(&s);
    s.options.iterations = 50;
    /* With more layers single precision alone leads some way from double. */
    s.options.style_layers = "relu_conv1,fire2/concat,fire3/concat";
    const rv_image *const styles[1] = {s.style};
    RV_ASSERT_OK(rv_stylize(&out, NULL, s.device, s.model, s.photo, styles, NULL, 1, &s.options));
    rv_image *expected = read("tests/data/gatys_result.png");
    const uint8_t *ours = rv_image_pixels_const(out), *theirs = rv_image_pixels(expected);
    const uint8_t *photo = rv_image_pixels_const(s.photo);
    double off = 0, moved = 0;
    for (int i = 0; i < VALUES; i++) {
        off += abs(ours[i] - theirs[i]);
        moved += abs(photo[i] - theirs[i]);
    }
    cr_assert_leq(off / VALUES, 2, "%g of 255 off", off / VALUES);
    cr_assert_geq(moved / VALUES, 20, "%g of 255 moved", moved / VALUES);
    rv_image_destroy(expected);
    rv_image_destroy(out);
    tear_down(&s);
}
