/* Styles that keep to regions of the photo: what each position counts for, loss and gradient against the twin. */
/* SPDX-License-Identifier: MIT */
#include "base/philox.h"
#include "reference/style_loss.h"
#include "small_network.h"
#include "stages/coverage.h"
#include "stages/objective.h"
#include "support/assert.h"
#include "support/device.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 24, HEIGHT = 21, PIXELS = WIDTH * HEIGHT, VALUES = 3 * PIXELS };

/* --- coverage -------------------------------------------------------------------------------- */

/* Half of what a position sees at an edge lies on either side; further in everything does. */
Test(objective_regions, follow_windows_through_a_network)
{
    rv_model *model = small_network();
    rv_model_graph g;
    rv_coverage c;
    rv_value relu1, relu2;
    float region[PIXELS];
    for (int i = 0; i < PIXELS; i++) {
        region[i] = i % WIDTH < 12 ? 1.0f : 0.0f;
    }
    RV_ASSERT_OK(rv_model_build(&g, model, NULL, 0));
    RV_ASSERT_OK(rv_graph_reshape(g.graph, g.picture, rv_shape_4(1, 3, HEIGHT, WIDTH)));
    RV_ASSERT_OK(rv_graph_find(g.graph, &relu1, "relu1"));
    RV_ASSERT_OK(rv_graph_find(g.graph, &relu2, "relu2"));
    RV_ASSERT_OK(rv_coverage_find(&c, g.graph, g.picture, region));
    const float *one = rv_coverage_of(&c, relu1), *two = rv_coverage_of(&c, relu2);
    for (int y = 0; y < HEIGHT; y++) {
        const float *row = one + y * WIDTH;
        cr_assert(row[10] >= 1 && row[13] <= 0);
        cr_assert_float_eq(row[11], 2.0 / 3, 1e-6);
        cr_assert_float_eq(row[12], 1.0 / 3, 1e-6);
    }
    /* Pools of 2 see 1 | 1 | 1, 2/3 || 1/3, 0 | 0, and windows of 3 the means of these. */
    for (int y = 0; y < (HEIGHT + 1) / 2; y++) {
        const float *row = two + y * WIDTH / 2;
        cr_assert_float_eq(row[4], (1 + 1 + 5.0 / 6) / 3, 1e-6, "%g", (double)row[4]);
        cr_assert_float_eq(row[5], (1 + 5.0 / 6 + 1.0 / 6) / 3, 1e-6);
        cr_assert_float_eq(row[6], (5.0 / 6 + 1.0 / 6) / 3, 1e-6);
        cr_assert(row[3] >= 1 && row[8] <= 0 && row[0] >= 1, "%g", (double)row[3]);
    }
    rv_coverage_release(&c);
    rv_graph_destroy(g.graph);
    rv_model_close(model);
}

/* Half the size without a window that is named, branches of unlike windows, all of a map; a vector has no place. */
Test(objective_regions, follow_pools_and_branches)
{
    enum { W = 16, H = 6 };
    rv_graph *graph;
    rv_coverage c;
    rv_value picture, half, one, three, both, whole, vector;
    float region[H * W];
    for (int i = 0; i < H * W; i++) {
        region[i] = i % W < 6 ? 1.0f : 0.0f;
    }
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &picture, "picture", rv_shape_4(1, 3, H, W)));
    RV_ASSERT_OK(rv_graph_add(graph, &half, "binomial_pool", "half", &picture, 1, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_add(graph, &one, "conv", "one", &half, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 5), RV_SET_INT("kernel", 1))));
    RV_ASSERT_OK(rv_graph_add(
        graph, &three, "conv", "three", &half, 1,
        RV_ATTRS(RV_SET_INT("num_output", 5), RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1))));
    RV_ASSERT_OK(
        rv_graph_add(graph, &both, "concat", "both", (rv_value[]){one, three}, 2, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_add(graph, &whole, "average_pool", "whole", &both, 1,
                              RV_ATTRS(RV_SET_INT("global", 1))));
    RV_ASSERT_OK(rv_graph_add(graph, &vector, "dense", "vector", &both, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 4))));
    RV_ASSERT_OK(rv_coverage_find(&c, graph, picture, region));
    /* Pixel x of the half sees columns 2x - 1 to 2x + 1 of which those below 6 count: 1 1 1 | 1/3 0 ... */
    const double halves[8] = {1, 1, 1, 1.0 / 3}, threes[8] = {1, 1, 7.0 / 9, 4.0 / 9, 1.0 / 9};
    double sum = 0;
    cr_assert_eq(rv_coverage_of(&c, one), rv_coverage_of(&c, half), "a window of one pixel");
    for (int x = 0; x < W / 2; x++) {
        cr_assert_float_eq(rv_coverage_of(&c, half)[W / 2 + x], halves[x], 1e-6, "column %d", x);
        cr_assert_float_eq(rv_coverage_of(&c, three)[W / 2 + x], threes[x], 1e-6, "column %d", x);
        cr_assert_float_eq(rv_coverage_of(&c, both)[W / 2 + x], (halves[x] + threes[x]) / 2, 1e-6);
        sum += (halves[x] + threes[x]) / W;
    }
    cr_assert_float_eq(rv_coverage_of(&c, whole)[0], sum, 1e-6);
    cr_assert_null(rv_coverage_of(&c, vector));
    rv_coverage_release(&c);
    rv_graph_destroy(graph);
}

/* --- losses ---------------------------------------------------------------------------------- */

/* The size of the first style. */
enum { ACROSS = 19, DOWN = 16, SEEN = ACROSS * DOWN };

typedef struct bench {
    rv_device *device;
    rv_model *model;
    rv_stylize_options options;
    rv_planar content, styles[2];
    rv_objective *objective;
    rv_plan *plan;
    rv_value picture;
    float regions[2][PIXELS], visible[PIXELS];
    float seen[SEEN]; /* of the first style */
    float point[VALUES];
} bench;

static const double shares[2] = {0.5, 0.5};

static rv_planar planes(rv_device *device, int width, int height, uint32_t seed)
{
    rv_image *image = waves(width, height, 3, 8, seed);
    rv_planar out;
    RV_ASSERT_OK(rv_picture_planes(&out, NULL, device, image, NULL, width, height));
    rv_image_destroy(image);
    return out;
}

static void set_up(bench *b, double content, double style)
{
    b->device = rv_test_device();
    b->model = small_network();
    b->options = (rv_stylize_options)RV_STYLIZE_OPTIONS_INIT;
    b->options.content_weight = content;
    b->options.style_weight = style;
    b->options.tv_weight = 0;
    b->options.content_layers = "relu3";
    b->options.style_layers = "relu1:3,relu2";
    b->options.optimizer = RV_OPTIMIZER_ADAM;
    b->content = planes(b->device, WIDTH, HEIGHT, 1);
    b->styles[0] = planes(b->device, ACROSS, DOWN, 2);
    b->styles[1] = planes(b->device, 15, 24, 3);
    RV_ASSERT_OK(
        rv_objective_create(&b->objective, b->device, b->model, &relative_recipe, &b->options));
    for (int i = 0; i < PIXELS; i++) {
        /* A disc with a soft edge, and the rest of what is seen. */
        const double d = hypot(i % WIDTH - 9.0, i / WIDTH - 8.0);
        b->visible[i] = i % WIDTH > 19 ? 0.25f : 1.0f;
        b->regions[0][i] = (float)fmin(fmax((8.0 - d) / 3, 0), 1);
        b->regions[1][i] = b->visible[i] * (1 - b->regions[0][i]);
    }
    for (int i = 0; i < VALUES; i++) {
        b->point[i] = rv_philox_uniform(11, 0, (uint32_t)i);
    }
}

/* @param seen  of each style; NULL: all */
static void begin_seen(bench *b, const rv_regions *regions, const float *const *seen)
{
    rv_scale scale = {.size = WIDTH,
                      .content = b->content,
                      .styles = b->styles,
                      .seen = seen,
                      .shares = shares,
                      .n_styles = 2,
                      .regions = *regions};
    RV_ASSERT_OK(rv_objective_begin(b->objective, &b->plan, &b->picture, &scale));
}

static void begin(bench *b, const rv_regions *regions)
{
    begin_seen(b, regions, NULL);
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
    RV_ASSERT_OK(rv_tensor_write(b->device, rv_plan_tensor(b->plan, b->picture), b->point));
    RV_ASSERT_OK(rv_plan_forward(b->plan));
    RV_ASSERT_OK(rv_plan_backward(b->plan, false));
    RV_ASSERT_OK(rv_plan_losses(b->plan, NULL, &loss));
    RV_ASSERT_OK(rv_tensor_read(b->device, rv_plan_gradient(b->plan, b->picture), gradient));
    return loss;
}

typedef struct twin {
    rv_model_graph graph;
    rv_twin_network network;
    rv_twin_loss loss;
    double pictures[3][VALUES], planes[3][PIXELS];
} twin;

static void widen(double *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)in[i];
    }
}

static rv_twin_picture to_double(double *out, const rv_planar *p)
{
    widen(out, p->data, rv_planar_floats(p));
    return (rv_twin_picture){p->height, p->width, out};
}

static void make_twin(twin *t, const bench *b)
{
    RV_ASSERT_OK(rv_model_build(&t->graph, b->model, NULL, 0));
    t->network.channels[0] = 3;
    for (int i = 0, conv = 0; i < rv_graph_node_count(t->graph.graph); i++) {
        const rv_param *weight = rv_graph_param(t->graph.graph, i, 0);
        if (weight != NULL) {
            t->network.weight[conv] = weight->data;
            t->network.bias[conv] = rv_graph_param(t->graph.graph, i, 1)->data;
            t->network.channels[++conv] = weight->shape.dim[0];
        }
    }
    widen(t->planes[0], b->regions[0], PIXELS);
    widen(t->planes[1], b->regions[1], PIXELS);
    widen(t->planes[2], b->visible, PIXELS);
    t->loss = (rv_twin_loss){.content_weight = b->options.content_weight,
                             .style_weight = b->options.style_weight,
                             .relu1_share = 0.75,
                             .relu2_share = 0.25,
                             .content = to_double(t->pictures[0], &b->content),
                             .styles = {to_double(t->pictures[1], &b->styles[0]),
                                        to_double(t->pictures[2], &b->styles[1])},
                             .shares = {shares[0], shares[1]},
                             .regions = {t->planes[0], t->planes[1]},
                             .visible = t->planes[2]};
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

static void check_gradient(double content, double style)
{
    static bench b;
    static twin t;
    static const int of_style[2] = {0, 1};
    float gradient[VALUES];
    double direction[VALUES] = {0}, size = 0;
    set_up(&b, content, style);
    const float *regions[2] = {b.regions[0], b.regions[1]};
    begin(&b, &(rv_regions){2, of_style, NULL, regions, b.visible});
    make_twin(&t, &b);
    const double loss = evaluate(&b, gradient), expected = twin_at(&t, &b, direction, 0);
    cr_assert_float_eq(loss, expected, 1e-4 * loss, "%.9g, not %.9g", loss, expected);
    for (int i = 0; i < VALUES; i++) {
        size += (double)gradient[i] * (double)gradient[i];
    }
    for (uint32_t k = 0; k < 8; k++) {
        const double h = 1e-6;
        double slope = 0;
        for (int i = 0; i < VALUES; i++) {
            direction[i] = (double)rv_philox_normal(k, 3, (uint32_t)i);
            slope += direction[i] * (double)gradient[i];
        }
        const double twins =
            (twin_at(&t, &b, direction, h) - twin_at(&t, &b, direction, -h)) / 2 / h;
        cr_assert_float_eq(slope, twins, 1e-3 * sqrt(size), "direction %u: %g, not %g", k, slope,
                           twins);
    }
    rv_graph_destroy(t.graph.graph);
    tear_down(&b);
}

Test(objective_regions, have_the_gradient_of_their_twin)
{
    check_gradient(5, 100);
}

Test(objective_regions, have_the_gradient_of_each_of_their_terms)
{
    check_gradient(5, 0);
    check_gradient(0, 100);
}

/* A region all over changes nothing but the last places of sums. */
Test(objective_regions, are_as_none_where_there_is_one_all_over)
{
    static bench b;
    float gradient[VALUES], other[VALUES], all[PIXELS];
    const float *one[1] = {all};
    for (int i = 0; i < PIXELS; i++) {
        all[i] = 1;
    }
    set_up(&b, 5, 100);
    begin(&b, &(rv_regions){0});
    const double loss = evaluate(&b, gradient);
    begin(&b, &(rv_regions){1, NULL, NULL, one, all});
    cr_assert_float_eq(evaluate(&b, other), loss, 1e-6 * loss);
    for (int i = 0; i < VALUES; i++) {
        cr_assert_float_eq(gradient[i], other[i], 1e-5 * (fabs((double)gradient[i]) + 1e-2));
    }
    tear_down(&b);
}

/* Half as large a region has half the loss: each of its pixels is drawn as strongly. */
Test(objective_regions, are_drawn_as_strongly_whatever_their_size)
{
    static bench b;
    float gradient[VALUES], other[VALUES], half[PIXELS];
    const float *one[1] = {half};
    double sizes[2] = {0, 0};
    set_up(&b, 0, 100);
    for (int c = 0; c < 3; c++) { /* both halves are the same */
        for (int i = 0; i < PIXELS; i++) {
            float *v = b.point + c * PIXELS;
            v[i] = i % WIDTH < 12 ? v[i] : v[i / WIDTH * WIDTH + WIDTH - 1 - i % WIDTH];
            half[i] = i % WIDTH < 12 ? 1.0f : 0.0f;
        }
    }
    begin(&b, &(rv_regions){0});
    evaluate(&b, gradient);
    begin(&b, &(rv_regions){1, NULL, NULL, one, NULL});
    evaluate(&b, other);
    for (int i = 0; i < VALUES; i++) {
        if (i % WIDTH < 6) { /* what sees one side only */
            sizes[0] += pow((double)gradient[i], 2);
            sizes[1] += pow((double)other[i], 2);
        }
        cr_assert(i % WIDTH < 19 || fabs((double)other[i]) <= 0, "pixel %d", i);
    }
    cr_assert_float_eq(sqrt(sizes[1] / sizes[0]), 1, 0.1, "%g", sqrt(sizes[1] / sizes[0]));
    tear_down(&b);
}

/* What has no place has no loss, and styles that share another region are measured anew. */
Test(objective_regions, may_be_empty)
{
    static bench b;
    static const int of_style[2] = {0, 1};
    float gradient[VALUES], none[PIXELS] = {0}, all[PIXELS];
    const float *planes_of[2] = {all, none};
    for (int i = 0; i < PIXELS; i++) {
        all[i] = 1;
    }
    set_up(&b, 0, 100);
    begin(&b, &(rv_regions){0});
    const double mixed = evaluate(&b, gradient);
    begin(&b, &(rv_regions){2, of_style, NULL, planes_of, NULL});
    const double first = evaluate(&b, gradient);
    cr_assert(fabs(first - mixed) > 1e-3 * mixed);
    begin(&b, &(rv_regions){0});
    cr_assert_eq(evaluate(&b, gradient), mixed);
    tear_down(&b);
}

/* What is transparent of a style is in none of its targets: the loss is that of the twin, with regions and without. */
Test(objective_regions, take_of_a_style_what_is_seen)
{
    static bench b;
    static twin t;
    static const int of_style[2] = {0, 1};
    static double seen[SEEN];
    float gradient[VALUES];
    double direction[VALUES] = {0};
    const float *const of_styles[2] = {b.seen, NULL};
    set_up(&b, 0, 100);
    make_twin(&t, &b);
    for (int i = 0; i < SEEN; i++) { /* a soft edge, and the right part hidden */
        const int x = i % ACROSS;
        seen[i] = x < 8 ? 1 : x == 8 ? 0.5 : 0;
        b.seen[i] = (float)seen[i];
    }
    const float *regions[2] = {b.regions[0], b.regions[1]};
    for (int k = 0; k < 2; k++) {
        const rv_regions r = {2, of_style, NULL, regions, b.visible}, none = {.n = 0};
        t.loss.seen[0] = NULL;
        t.loss.regions[0] = k == 0 ? NULL : t.planes[0];
        const double all = twin_at(&t, &b, direction, 0);
        t.loss.seen[0] = seen;
        begin_seen(&b, k == 0 ? &none : &r, of_styles);
        const double loss = evaluate(&b, gradient), expected = twin_at(&t, &b, direction, 0);
        cr_assert(fabs(all - expected) > 0.01 * expected, "%g and %g", all, expected);
        cr_assert_float_eq(loss, expected, 1e-4 * loss, "%.9g, not %.9g", loss, expected);
    }
    rv_graph_destroy(t.graph.graph);
    tear_down(&b);
}
