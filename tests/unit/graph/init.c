/* What weights start from: variance and range of each initialiser, by fan and gain, and names. */
/* SPDX-License-Identifier: MIT */
#include "graph/init.h"
#include "support/assert.h"

#include <math.h>

static rv_graph *graph;

/* conv of 16 to 40 channels in two groups, 3x3: fan in 72, fan out 180; dense of 1000 to 300; prelu. */
static void build(void)
{
    rv_value v, w, y;
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &v, "maps", rv_shape_4(1, 16, 8, 8)));
    RV_ASSERT_OK(rv_graph_add(
        graph, &v, "conv", "conv", &v, 1,
        RV_ATTRS(RV_SET_INT("num_output", 40), RV_SET_INT("kernel", 3), RV_SET_INT("groups", 2))));
    RV_ASSERT_OK(rv_graph_input(graph, &w, "row", rv_shape_2(1, 1000)));
    RV_ASSERT_OK(
        rv_graph_add(graph, &y, "dense", "dense", &w, 1, RV_ATTRS(RV_SET_INT("num_output", 300))));
    RV_ASSERT_OK(rv_graph_add(graph, &y, "prelu", "prelu", &y, 1, RV_NO_ATTRS));
}

static void destroy(void)
{
    rv_graph_destroy(graph);
}

TestSuite(init, .init = build, .fini = destroy);

/* Mean and variance within four of their own deviations, nothing beyond `limit` deviations (0: no limit), and
 * something near it. `fourth`: fourth moment over the variance squared. */
static void check(const rv_param *p, double variance, double limit, double fourth)
{
    const double n = (double)rv_shape_count(&p->shape);
    double sum = 0, squares = 0, largest = 0;
    for (size_t i = 0; i < (size_t)n; i++) {
        const double v = (double)p->data[i];
        sum += v;
        squares += v * v;
        largest = fmax(largest, fabs(v));
    }
    cr_assert_lt(fabs(sum / n), 4 * sqrt(variance / n), "%s: mean %g", p->node, sum / n);
    cr_assert_lt(fabs(squares / n - variance), 4 * variance * sqrt((fourth - 1) / n),
                 "%s: variance %g, not %g", p->node, squares / n, variance);
    if (limit > 0) {
        const double end = limit * sqrt(variance);
        cr_assert(largest <= end * 1.000001 && largest > 0.99 * end, "%s: %g of %g", p->node,
                  largest, end);
    }
}

Test(init, variance_is_gain_squared_over_fan_for_every_distribution)
{
    static const double fans[2][RV_FANS] = {{72, 180, 126}, {1000, 300, 650}};
    static const double limits[RV_DISTRIBUTIONS] = {0, 1.7320508, 2 / 0.87962566};
    static const double fourths[RV_DISTRIBUTIONS] = {3, 1.8, 2.4};
    for (int d = 0; d < RV_DISTRIBUTIONS; d++) {
        for (int f = 0; f < RV_FANS; f++) {
            const rv_initializer by = {(rv_distribution)d, (rv_fan)f, 1.5, 0};
            destroy();
            build();
            RV_ASSERT_OK(rv_graph_initialize_by(graph, &by, 3 + (uint32_t)f));
            for (int node = 0; node < 2; node++) {
                check(rv_graph_param(graph, node, 0), 2.25 / fans[node][f], limits[d], fourths[d]);
                cr_assert_eq(rv_graph_param(graph, node, 1)->data[7], 0.0f, "biases are zero");
            }
            cr_assert_eq(rv_graph_param(graph, 2, 0)->data[299], 0.25f, "slopes of prelu");
        }
    }
}

Test(init, a_deviation_can_be_given)
{
    const rv_initializer by = {RV_NORMAL, RV_FAN_IN, 1, 0.01};
    RV_ASSERT_OK(rv_graph_initialize_by(graph, &by, 1));
    check(rv_graph_param(graph, 0, 0), 1e-4, 0, 3);
    check(rv_graph_param(graph, 1, 0), 1e-4, 0, 3);
}

Test(init, names_are_those_of_the_papers)
{
    static const struct {
        const char *name;
        rv_distribution distribution;
        rv_fan fan;
        double gain;
    } rows[] = {
        {"he", RV_NORMAL, RV_FAN_IN, 1.41421356},
        {"he-uniform", RV_UNIFORM, RV_FAN_IN, 1.41421356},
        {"he-truncated", RV_TRUNCATED_NORMAL, RV_FAN_IN, 1.41421356},
        {"xavier", RV_UNIFORM, RV_FAN_AVERAGE, 1},
        {"xavier-normal", RV_NORMAL, RV_FAN_AVERAGE, 1},
        {"lecun-normal", RV_NORMAL, RV_FAN_IN, 1},
    };
    rv_initializer found;
    double gain;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RV_ASSERT_OK(rv_initializer_find(&found, rows[i].name));
        cr_assert(found.distribution == rows[i].distribution && found.fan == rows[i].fan);
        cr_assert_float_eq(found.gain, rows[i].gain, 1e-6);
    }
    RV_ASSERT_FAILS(rv_initializer_find(&found, "xaver"), RV_ERR_USAGE, "'xavier'");
    RV_ASSERT_OK(rv_initializer_gain(&gain, "logistic"));
    cr_assert_eq(gain, 4);
    RV_ASSERT_OK(rv_initializer_gain(&gain, "relu"));
    cr_assert_float_eq(gain, 1.41421356, 1e-6);
    RV_ASSERT_FAILS(rv_initializer_gain(&gain, "rely"), RV_ERR_USAGE, "'relu'");
}
