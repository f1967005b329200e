/* Styles that keep to regions of the photo: what each position counts for, loss and gradient against the twin. */
/* SPDX-License-Identifier: MIT */
#include "objective_rig.h"
#include "stages/coverage.h"
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

/* An objective, and what of the picture and of its styles counts. */
typedef struct bench {
    objective_rig rig;
    float planes[2][PIXELS], visible[PIXELS];
    const float *regions[2];
} bench;

static const int of_style[2] = {0, 1};

static void set_up(bench *b, double content, double style)
{
    rig_set_up(&b->rig, WIDTH, HEIGHT, content, style, 0);
    b->rig.shares[0] = b->rig.shares[1] = 0.5;
    for (int i = 0; i < PIXELS; i++) {
        /* A disc with a soft edge, and the rest of what is seen. */
        const double d = hypot(i % WIDTH - 9.0, i / WIDTH - 8.0);
        b->visible[i] = i % WIDTH > 19 ? 0.25f : 1.0f;
        b->planes[0][i] = (float)fmin(fmax((8.0 - d) / 3, 0), 1);
        b->planes[1][i] = b->visible[i] * (1 - b->planes[0][i]);
    }
    b->regions[0] = b->planes[0];
    b->regions[1] = b->planes[1];
}

static void check_gradient(double content, double style)
{
    static bench b;
    set_up(&b, content, style);
    rig_begin(&b.rig, &(rv_regions){2, of_style, NULL, b.regions, b.visible}, NULL);
    rig_check_gradient(&b.rig, b.regions, b.visible, NULL);
    rig_tear_down(&b.rig);
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
    rig_begin(&b.rig, NULL, NULL);
    const double loss = rig_evaluate(&b.rig, gradient);
    rig_begin(&b.rig, &(rv_regions){1, NULL, NULL, one, all}, NULL);
    cr_assert_float_eq(rig_evaluate(&b.rig, other), loss, 1e-6 * loss);
    for (int i = 0; i < VALUES; i++) {
        cr_assert_float_eq(gradient[i], other[i], 1e-5 * (fabs((double)gradient[i]) + 1e-2));
    }
    rig_tear_down(&b.rig);
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
            float *v = b.rig.point + c * PIXELS;
            v[i] = i % WIDTH < 12 ? v[i] : v[i / WIDTH * WIDTH + WIDTH - 1 - i % WIDTH];
            half[i] = i % WIDTH < 12 ? 1.0f : 0.0f;
        }
    }
    rig_begin(&b.rig, NULL, NULL);
    rig_evaluate(&b.rig, gradient);
    rig_begin(&b.rig, &(rv_regions){1, NULL, NULL, one, NULL}, NULL);
    rig_evaluate(&b.rig, other);
    for (int i = 0; i < VALUES; i++) {
        if (i % WIDTH < 6) { /* what sees one side only */
            sizes[0] += pow((double)gradient[i], 2);
            sizes[1] += pow((double)other[i], 2);
        }
        cr_assert(i % WIDTH < 19 || fabs((double)other[i]) <= 0, "pixel %d", i);
    }
    cr_assert_float_eq(sqrt(sizes[1] / sizes[0]), 1, 0.1, "%g", sqrt(sizes[1] / sizes[0]));
    rig_tear_down(&b.rig);
}

/* What has no place has no loss, and styles that share another region are measured anew. */
Test(objective_regions, may_be_empty)
{
    static bench b;
    float gradient[VALUES], none[PIXELS] = {0}, all[PIXELS];
    const float *planes_of[2] = {all, none};
    for (int i = 0; i < PIXELS; i++) {
        all[i] = 1;
    }
    set_up(&b, 0, 100);
    rig_begin(&b.rig, NULL, NULL);
    const double mixed = rig_evaluate(&b.rig, gradient);
    rig_begin(&b.rig, &(rv_regions){2, of_style, NULL, planes_of, NULL}, NULL);
    const double first = rig_evaluate(&b.rig, gradient);
    cr_assert(fabs(first - mixed) > 1e-3 * mixed);
    rig_begin(&b.rig, NULL, NULL);
    cr_assert_eq(rig_evaluate(&b.rig, gradient), mixed);
    rig_tear_down(&b.rig);
}

/* What is transparent of a style is in none of its targets: the loss is that of the twin, with regions and without. */
Test(objective_regions, take_of_a_style_what_is_seen)
{
    enum { SEEN = RIG_ACROSS * RIG_DOWN };
    static bench b;
    static float seen[SEEN];
    const float *const of_styles[2] = {seen, NULL};
    for (int i = 0; i < SEEN; i++) { /* a soft edge, and the right part hidden */
        const int x = i % RIG_ACROSS;
        seen[i] = x < 8 ? 1.0f : x == 8 ? 0.5f : 0.0f;
    }
    set_up(&b, 0, 100);
    for (int k = 0; k < 2; k++) {
        const rv_regions r = {2, of_style, NULL, b.regions, b.visible};
        const float *const *regions = k == 0 ? NULL : b.regions;
        const float *visible = k == 0 ? NULL : b.visible;
        const double all = rig_twin_loss(&b.rig, regions, visible, NULL);
        const double some = rig_twin_loss(&b.rig, regions, visible, of_styles);
        cr_assert(fabs(all - some) > 0.01 * some, "%g and %g", all, some);
        rig_begin(&b.rig, k == 0 ? NULL : &r, of_styles);
        rig_check_gradient(&b.rig, regions, visible, of_styles);
    }
    rig_tear_down(&b.rig);
}
