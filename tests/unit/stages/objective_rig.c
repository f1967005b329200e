/* Sets an objective up and compares it with its twin. */
/* SPDX-License-Identifier: MIT */
#include "objective_rig.h"
#include "base/philox.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static rv_planar planes(rv_device *device, int width, int height, uint32_t seed)
{
    rv_image *image = waves(width, height, 3, 8, seed);
    rv_planar out;
    RV_ASSERT_OK(rv_picture_planes(&out, NULL, device, image, NULL, width, height));
    rv_image_destroy(image);
    return out;
}

void rig_set_up(objective_rig *r, int width, int height, double content, double style, double tv)
{
    r->device = rv_test_device();
    r->model = small_network();
    r->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    r->options.content_weight = content;
    r->options.style_weight = style;
    r->options.tv_weight = tv;
    r->options.content_layers = "relu3";
    r->options.style_layers = "relu1:3,relu2";
    r->options.optimizer = RV_OPTIMIZER_ADAM;
    r->content = planes(r->device, width, height, 1);
    r->styles[0] = planes(r->device, RIG_ACROSS, RIG_DOWN, 2);
    r->styles[1] = planes(r->device, RIG_SECOND_ACROSS, RIG_SECOND_DOWN, 3);
    r->shares[0] = 0.25;
    r->shares[1] = 0.75;
    RV_ASSERT_OK(
        rv_objective_create(&r->objective, r->device, r->model, &relative_recipe, &r->options));
    const size_t n = rv_planar_floats(&r->content);
    r->point = malloc(n * sizeof *r->point);
    for (size_t i = 0; i < n; i++) {
        r->point[i] = rv_philox_uniform(11, 0, (uint32_t)i);
    }
}

void rig_tear_down(objective_rig *r)
{
    free(r->point);
    rv_objective_destroy(r->objective);
    rv_planar_release(&r->content);
    rv_planar_release(&r->styles[0]);
    rv_planar_release(&r->styles[1]);
    rv_model_close(r->model);
    rv_device_close(r->device);
}

void rig_begin(objective_rig *r, const rv_regions *regions, const float *const *seen)
{
    rv_scale scale = {.size = r->content.width,
                      .content = r->content,
                      .styles = r->styles,
                      .seen = seen,
                      .shares = r->shares,
                      .n_styles = 2};
    if (regions != NULL) {
        scale.regions = *regions;
    }
    RV_ASSERT_OK(rv_objective_begin(r->objective, &r->plan, &r->picture, &scale));
}

double rig_evaluate(objective_rig *r, float *gradient)
{
    double loss;
    RV_ASSERT_OK(rv_tensor_write(r->device, rv_plan_tensor(r->plan, r->picture), r->point));
    RV_ASSERT_OK(rv_plan_forward(r->plan));
    RV_ASSERT_OK(rv_plan_backward(r->plan, false));
    RV_ASSERT_OK(rv_plan_losses(r->plan, NULL, &loss));
    RV_ASSERT_OK(rv_tensor_read(r->device, rv_plan_gradient(r->plan, r->picture), gradient));
    return loss;
}

/* --- the twin -------------------------------------------------------------------------------- */

typedef struct twin {
    rv_model_graph graph;
    rv_twin_network network;
    rv_twin_loss loss;
    double *copies[8]; /* of what the loss reads */
    int n_copies;
} twin;

/* NULL stays NULL. */
static const double *to_double(twin *t, const float *values, size_t n)
{
    if (values == NULL) {
        return NULL;
    }
    double *copy = malloc(n * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = (double)values[i];
    }
    t->copies[t->n_copies++] = copy;
    return copy;
}

static rv_twin_picture picture_to_double(twin *t, const rv_planar *p)
{
    return (rv_twin_picture){p->height, p->width, to_double(t, p->data, rv_planar_floats(p))};
}

static void make_twin(twin *t, const objective_rig *r, const float *const *regions,
                      const float *visible, const float *const *seen)
{
    *t = (twin){0};
    RV_ASSERT_OK(rv_model_build(&t->graph, r->model, NULL, 0));
    t->network.channels[0] = 3;
    for (int i = 0, conv = 0; i < rv_graph_node_count(t->graph.graph); i++) {
        const rv_param *weight = rv_graph_param(t->graph.graph, i, 0);
        if (weight != NULL) {
            t->network.weight[conv] = weight->data;
            t->network.bias[conv] = rv_graph_param(t->graph.graph, i, 1)->data;
            t->network.channels[++conv] = weight->shape.dim[0];
        }
    }
    const size_t pixels = rv_planar_floats(&r->content) / 3;
    t->loss = (rv_twin_loss){.content_weight = r->options.content_weight,
                             .style_weight = r->options.style_weight,
                             .tv_weight = r->options.tv_weight,
                             .relu1_share = 0.75,
                             .relu2_share = 0.25,
                             .content = picture_to_double(t, &r->content),
                             .visible = to_double(t, visible, pixels)};
    for (int i = 0; i < 2; i++) {
        const rv_planar *style = &r->styles[i];
        t->loss.styles[i] = picture_to_double(t, style);
        t->loss.shares[i] = r->shares[i];
        t->loss.regions[i] = regions != NULL ? to_double(t, regions[i], pixels) : NULL;
        t->loss.seen[i] = seen != NULL ? to_double(t, seen[i], rv_planar_floats(style) / 3) : NULL;
    }
}

static void release_twin(twin *t)
{
    for (int i = 0; i < t->n_copies; i++) {
        free(t->copies[i]);
    }
    rv_graph_destroy(t->graph.graph);
}

/* The twin's loss at the point moved by `step` along a direction. */
static double twin_at(const twin *t, const objective_rig *r, const double *direction, double step)
{
    const size_t n = rv_planar_floats(&r->content);
    double *point = malloc(n * sizeof *point);
    for (size_t i = 0; i < n; i++) {
        point[i] = (double)r->point[i] + step * direction[i];
    }
    const rv_twin_picture at = {r->content.height, r->content.width, point};
    const double loss = twin_style_loss(&t->network, &t->loss, &at);
    free(point);
    return loss;
}

double rig_twin_loss(const objective_rig *r, const float *const *regions, const float *visible,
                     const float *const *seen)
{
    double *nowhere = calloc(rv_planar_floats(&r->content), sizeof *nowhere);
    twin t;
    make_twin(&t, r, regions, visible, seen);
    const double loss = twin_at(&t, r, nowhere, 0);
    release_twin(&t);
    free(nowhere);
    return loss;
}

void rig_check_gradient(objective_rig *r, const float *const *regions, const float *visible,
                        const float *const *seen)
{
    const size_t n = rv_planar_floats(&r->content);
    float *gradient = malloc(n * sizeof *gradient);
    double *direction = calloc(n, sizeof *direction), size = 0;
    twin t;
    make_twin(&t, r, regions, visible, seen);
    const double loss = rig_evaluate(r, gradient), expected = twin_at(&t, r, direction, 0);
    cr_assert_float_eq(loss, expected, 1e-4 * loss, "%.9g, not %.9g", loss, expected);
    for (size_t i = 0; i < n; i++) {
        size += (double)gradient[i] * (double)gradient[i];
    }
    for (uint32_t k = 0; k < 8; k++) {
        const double h = 1e-6;
        double slope = 0;
        for (size_t i = 0; i < n; i++) {
            direction[i] = (double)rv_philox_normal(k, 3, (uint32_t)i);
            slope += direction[i] * (double)gradient[i];
        }
        const double twins = (twin_at(&t, r, direction, h) - twin_at(&t, r, direction, -h)) / 2 / h;
        cr_assert_float_eq(slope, twins, 1e-3 * sqrt(size), "direction %u: %g, not %g", k, slope,
                           twins);
    }
    free(gradient);
    free(direction);
    release_twin(&t);
}
