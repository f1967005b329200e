/* The objective of a network: loss and gradient against the double-precision twin and a second route. */
/* SPDX-License-Identifier: MIT */
#include "objective_rig.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 24, HEIGHT = 20, VALUES = 3 * WIDTH * HEIGHT };

static void set_up(objective_rig *r, double content, double style, double tv)
{
    rig_set_up(r, WIDTH, HEIGHT, content, style, tv);
    rig_begin(r, NULL, NULL);
}

static void check_gradient(double content, double style, double tv)
{
    objective_rig r;
    set_up(&r, content, style, tv);
    rig_check_gradient(&r, NULL, NULL, NULL);
    rig_tear_down(&r);
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
static double *features(const objective_rig *r, const char *layer, const float *picture, int height,
                        int width, rv_shape *shape)
{
    rv_model_graph g;
    rv_value value;
    rv_params *params;
    rv_plan *plan;
    cr_assert_eq(rv_model_build(&g, r->model, &layer, 1), RV_OK);
    cr_assert_eq(rv_graph_reshape(g.graph, g.picture, rv_shape_4(1, 3, height, width)), RV_OK);
    cr_assert_eq(rv_graph_find(g.graph, &value, layer), RV_OK);
    cr_assert_eq(rv_params_create(&params, r->device, g.graph, false), RV_OK);
    const rv_plan_options options = {.mode = RV_INFER, .outputs = &value, .n_outputs = 1};
    cr_assert_eq(rv_plan_create(&plan, g.graph, params, r->device, &options), RV_OK);
    cr_assert_eq(rv_tensor_write(r->device, rv_plan_tensor(plan, g.picture), picture), RV_OK);
    cr_assert_eq(rv_plan_forward(plan), RV_OK);
    *shape = *rv_graph_shape(g.graph, value);
    const size_t n = rv_shape_count(shape);
    float *out = malloc(n * sizeof(float));
    double *wide = malloc(n * sizeof(double));
    cr_assert_eq(rv_tensor_read(r->device, rv_plan_tensor(plan, value), out), RV_OK);
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

static double style_loss_of(const objective_rig *r, const char *layer)
{
    rv_shape own, first, second;
    double *f = features(r, layer, r->point, HEIGHT, WIDTH, &own);
    double *s =
        features(r, layer, r->styles[0].data, r->styles[0].height, r->styles[0].width, &first);
    double *t =
        features(r, layer, r->styles[1].data, r->styles[1].height, r->styles[1].width, &second);
    double missed = 0, all = 0;
    for (int i = 0; i < own.dim[1]; i++) {
        for (int j = 0; j < own.dim[1]; j++) {
            const double target = r->shares[0] * gram_entry(s, &first, i, j) +
                                  r->shares[1] * gram_entry(t, &second, i, j);
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
    objective_rig r;
    float gradient[VALUES];
    set_up(&r, 0, 100, 0);
    const double expected = 75 * style_loss_of(&r, "relu1") + 25 * style_loss_of(&r, "relu2");
    cr_assert_float_eq(rig_evaluate(&r, gradient), expected, 1e-5 * expected);
    rig_tear_down(&r);
}

Test(objective_network, is_zero_on_its_own_targets)
{
    objective_rig r;
    float gradient[VALUES];
    set_up(&r, 5, 0, 0);
    memcpy(r.point, r.content.data, VALUES * sizeof *r.point);
    cr_assert_float_eq(rig_evaluate(&r, gradient), 0, 1e-9);
    rig_tear_down(&r);
}

/* --- what is refused ------------------------------------------------------------------------- */

static void refuses(rv_stylize_options options, rv_status expected, const char *part)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_objective *objective;
    cr_assert_eq(rv_objective_create(&objective, device, model, &relative_recipe, &options),
                 expected, "%s", part);
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
    objective_rig r;
    const char *content, *style;
    set_up(&r, 5, 100, 0);
    rv_objective_layers(r.objective, &content, &style);
    cr_assert_str_eq(content, "relu3");
    cr_assert_str_eq(style, "relu1:0.75,relu2:0.25");
    rig_tear_down(&r);
}
