/* The objective of a network: loss and gradient against the double-precision twin and a second route. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "reference/style_loss.h"
#include "small_network.h"
#include "stages/objective.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 24, HEIGHT = 20, VALUES = 3 * WIDTH * HEIGHT };

/* An objective at one scale, and where it is evaluated. */
typedef struct bench {
    rv_device *device;
    rv_model *model;
    rv_stylize_options options;
    rv_planar content, styles[2];
    rv_objective *objective;
    rv_plan *plan;
    rv_value picture;
    float point[VALUES];
} bench;

static const double shares[2] = {0.25, 0.75};

static rv_planar planes(rv_device *device, int width, int height, uint32_t seed)
{
    rv_image *image = waves(width, height, 3, 8, seed);
    rv_planar out;
    cr_assert_eq(rv_picture_planes(&out, NULL, device, image, NULL, width, height), RV_OK);
    rv_image_destroy(image);
    return out;
}

static rv_status create(rv_objective **out, rv_device *device, const rv_model *model,
                        const rv_stylize_options *options)
{
    return rv_objective_create(out, device, model, &relative_recipe, options);
}

static void set_up(bench *b, double content, double style, double tv)
{
    b->device = rv_test_device();
    b->model = small_network();
    b->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    b->options.content_weight = content;
    b->options.style_weight = style;
    b->options.tv_weight = tv;
    b->options.content_layers = "relu3";
    b->options.style_layers = "relu1:3,relu2";
    b->options.optimizer = RV_OPTIMIZER_ADAM;
    b->content = planes(b->device, WIDTH, HEIGHT, 1);
    b->styles[0] = planes(b->device, 19, 16, 2);
    b->styles[1] = planes(b->device, 15, 24, 3);
    RV_ASSERT_OK(create(&b->objective, b->device, b->model, &b->options));
    rv_scale scale = {
        .size = WIDTH, .content = b->content, .styles = b->styles, .shares = shares, .n_styles = 2};
    RV_ASSERT_OK(rv_objective_begin(b->objective, &b->plan, &b->picture, &scale));
    for (int i = 0; i < VALUES; i++) {
        b->point[i] = rv_philox_uniform(11, 0, (uint32_t)i);
    }
}

static void tear_down(bench *b)
{
    rv_objective_destroy(b->objective);
    rv_planar_release(&b->content);
    rv_planar_release(&b->styles[0]);
    rv_planar_release(&b->styles[1]);
    rv_model_close(b->model);
    rv_device_close(b->device);
}

static double evaluate(bench *b, float *gradient)
{
    double loss;
    cr_assert_eq(rv_tensor_write(b->device, rv_plan_tensor(b->plan, b->picture), b->point), RV_OK);
    cr_assert_eq(rv_plan_forward(b->plan), RV_OK);
    cr_assert_eq(rv_plan_backward(b->plan, false), RV_OK);
    cr_assert_eq(rv_plan_losses(b->plan, NULL, &loss), RV_OK);
    cr_assert_eq(rv_tensor_read(b->device, rv_plan_gradient(b->plan, b->picture), gradient), RV_OK);
    return loss;
}

/* --- the twin -------------------------------------------------------------------------------- */

typedef struct twin {
    rv_model_graph graph;
    rv_twin_network network;
    rv_twin_loss loss;
    double *pictures[3];
} twin;

static double *to_double(const rv_planar *p, rv_twin_picture *out)
{
    double *data = malloc(rv_planar_floats(p) * sizeof(double));
    for (size_t i = 0; i < rv_planar_floats(p); i++) {
        data[i] = (double)p->data[i];
    }
    *out = (rv_twin_picture){p->height, p->width, data};
    return data;
}

static void make_twin(twin *t, const bench *b)
{
    cr_assert_eq(rv_model_build(&t->graph, b->model, NULL, 0), RV_OK);
    t->network.channels[0] = 3;
    for (int i = 0, conv = 0; i < rv_graph_node_count(t->graph.graph); i++) {
        const rv_param *weight = rv_graph_param(t->graph.graph, i, 0);
        if (weight != NULL) {
            t->network.weight[conv] = weight->data;
            t->network.bias[conv] = rv_graph_param(t->graph.graph, i, 1)->data;
            t->network.channels[++conv] = weight->shape.dim[0];
        }
    }
    t->loss = (rv_twin_loss){.content_weight = b->options.content_weight,
                             .style_weight = b->options.style_weight,
                             .tv_weight = b->options.tv_weight,
                             .relu1_share = 0.75,
                             .relu2_share = 0.25,
                             .shares = {shares[0], shares[1]}};
    t->pictures[0] = to_double(&b->content, &t->loss.content);
    t->pictures[1] = to_double(&b->styles[0], &t->loss.styles[0]);
    t->pictures[2] = to_double(&b->styles[1], &t->loss.styles[1]);
}

static void release_twin(twin *t)
{
    for (int i = 0; i < 3; i++) {
        free(t->pictures[i]);
    }
    rv_graph_destroy(t->graph.graph);
}

/* The twin's loss at the point moved by `step` along a direction. */
static double twin_at(const twin *t, const bench *b, const double *direction, double step)
{
    double point[VALUES];
    for (int i = 0; i < VALUES; i++) {
        point[i] = (double)b->point[i] + step * direction[i];
    }
    return twin_style_loss(&t->network, &t->loss, &(rv_twin_picture){HEIGHT, WIDTH, point});
}

static void check_gradient(double content, double style, double tv)
{
    bench b;
    twin t;
    float gradient[VALUES];
    set_up(&b, content, style, tv);
    make_twin(&t, &b);
    const double loss = evaluate(&b, gradient);
    double direction[VALUES] = {0};
    const double expected = twin_at(&t, &b, direction, 0);
    cr_assert_float_eq(loss, expected, 1e-4 * loss, "%.9g, not %.9g", loss, expected);
    double size = 0;
    for (int i = 0; i < VALUES; i++) {
        size += (double)gradient[i] * (double)gradient[i];
    }
    for (uint32_t k = 0; k < 8; k++) {
        double slope = 0;
        for (int i = 0; i < VALUES; i++) {
            direction[i] = (double)rv_philox_normal(k, 3, (uint32_t)i);
            slope += direction[i] * (double)gradient[i];
        }
        const double h = 1e-6;
        const double twins =
            (twin_at(&t, &b, direction, h) - twin_at(&t, &b, direction, -h)) / 2 / h;
        cr_assert_float_eq(slope, twins, 1e-3 * sqrt(size), "direction %u: %g, not %g", k, slope,
                           twins);
    }
    release_twin(&t);
    tear_down(&b);
}

Test(objective_network, has_the_gradient_of_its_twin)
{
    check_gradient(5, 100, 30);
}

Test(objective_network, has_the_gradient_of_each_of_its_terms)
{
    check_gradient(5, 0, 0);
    check_gradient(0, 100, 0);
    check_gradient(1e-9, 0, 30);
}

/* --- the second route ------------------------------------------------------------------------ */

/* Features of a layer by a plan of their own. */
static double *features(const bench *b, const char *layer, const float *picture, int height,
                        int width, rv_shape *shape)
{
    rv_model_graph g;
    rv_value value;
    rv_params *params;
    rv_plan *plan;
    cr_assert_eq(rv_model_build(&g, b->model, &layer, 1), RV_OK);
    cr_assert_eq(rv_graph_reshape(g.graph, g.picture, rv_shape_4(1, 3, height, width)), RV_OK);
    cr_assert_eq(rv_graph_find(g.graph, &value, layer), RV_OK);
    cr_assert_eq(rv_params_create(&params, b->device, g.graph, false), RV_OK);
    const rv_plan_options options = {.mode = RV_INFER, .outputs = &value, .n_outputs = 1};
    cr_assert_eq(rv_plan_create(&plan, g.graph, params, b->device, &options), RV_OK);
    cr_assert_eq(rv_tensor_write(b->device, rv_plan_tensor(plan, g.picture), picture), RV_OK);
    cr_assert_eq(rv_plan_forward(plan), RV_OK);
    *shape = *rv_graph_shape(g.graph, value);
    const size_t n = rv_shape_count(shape);
    float *out = malloc(n * sizeof(float));
    double *wide = malloc(n * sizeof(double));
    cr_assert_eq(rv_tensor_read(b->device, rv_plan_tensor(plan, value), out), RV_OK);
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)out[i];
    }
    free(out);
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_graph_destroy(g.graph);
    return wide;
}

static double gram_entry(const double *f, const rv_shape *s, int i, int j)
{
    const int n = s->dim[2] * s->dim[3];
    double sum = 0;
    for (int k = 0; k < n; k++) {
        sum += f[i * n + k] * f[j * n + k];
    }
    return sum / n;
}

static double style_loss_of(const bench *b, const char *layer)
{
    rv_shape own, first, second;
    double *f = features(b, layer, b->point, HEIGHT, WIDTH, &own);
    double *s =
        features(b, layer, b->styles[0].data, b->styles[0].height, b->styles[0].width, &first);
    double *t =
        features(b, layer, b->styles[1].data, b->styles[1].height, b->styles[1].width, &second);
    double missed = 0, all = 0;
    for (int i = 0; i < own.dim[1]; i++) {
        for (int j = 0; j < own.dim[1]; j++) {
            const double target =
                shares[0] * gram_entry(s, &first, i, j) + shares[1] * gram_entry(t, &second, i, j);
            missed += pow(gram_entry(f, &own, i, j) - target, 2);
            all += target * target;
        }
    }
    free(f);
    free(s);
    free(t);
    return missed / all;
}

Test(objective_network, agrees_with_gram_matrices_of_extracted_features)
{
    bench b;
    float gradient[VALUES];
    set_up(&b, 0, 100, 0);
    const double expected = 75 * style_loss_of(&b, "relu1") + 25 * style_loss_of(&b, "relu2");
    cr_assert_float_eq(evaluate(&b, gradient), expected, 1e-5 * expected);
    tear_down(&b);
}

Test(objective_network, is_zero_on_its_own_targets)
{
    bench b;
    float gradient[VALUES];
    set_up(&b, 5, 0, 0);
    memcpy(b.point, b.content.data, sizeof b.point);
    cr_assert_float_eq(evaluate(&b, gradient), 0, 1e-9);
    tear_down(&b);
}

/* --- what is refused ------------------------------------------------------------------------- */

static void refuses(rv_stylize_options options, rv_status expected, const char *part)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_objective *objective;
    cr_assert_eq(create(&objective, device, model, &options), expected, "%s", part);
    cr_assert_null(objective);
    cr_assert_not_null(strstr(rv_error_message(), part), "%s", rv_error_message());
    rv_model_close(model);
    rv_device_close(device);
}

Test(objective_network, names_the_nearest_of_an_unknown_layer)
{
    rv_stylize_options options = RV_STYLIZE_OPTIONS_INIT;
    options.style_layers = "relu1,rellu2";
    refuses(options, RV_ERR_NOT_FOUND, "'rellu2' in small; the nearest is 'relu2'");
    options.style_layers = "relu1:x";
    refuses(options, RV_ERR_USAGE, "style_layers: relu1 is 'x'");
    options.style_layers = NULL;
    options.content_layers = "relu3,";
    refuses(options, RV_ERR_USAGE, "content_layers: a name is empty");
}

Test(objective_network, tells_which_layers_it_uses)
{
    bench b;
    const char *content, *style;
    set_up(&b, 5, 100, 0);
    rv_objective_layers(b.objective, &content, &style);
    cr_assert_str_eq(content, "relu3");
    cr_assert_str_eq(style, "relu1:0.75,relu2:0.25");
    tear_down(&b);
}
