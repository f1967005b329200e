/* What weights start from: variance and range of each initialiser, by fan and gain, and names. */
/* SPDX-License-Identifier: MIT */
#include "graph/graph.h"
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
            const rv_initializer by = {(rv_distribution)d, (rv_fan)f, 1.5, 0, false};
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
    const rv_initializer by = {RV_NORMAL, RV_FAN_IN, 1, 0.01, false};
    RV_ASSERT_OK(rv_graph_initialize_by(graph, &by, 1));
    check(rv_graph_param(graph, 0, 0), 1e-4, 0, 3);
    check(rv_graph_param(graph, 1, 0), 1e-4, 0, 3);
}

/* Glorot and Bengio 2010, equation 16, He et al. 2015, equations 10 and 14, and what gains make of them, by the
 * deviation of a layer of 1000 to 300: in the words that the command line and files take. */
Test(init, names_are_those_of_the_papers)
{
    static const double fourths[RV_DISTRIBUTIONS] = {3, 1.8, 2.4};
    static const double limits[RV_DISTRIBUTIONS] = {0, 1.7320508, 2 / 0.87962566};
    static const struct {
        const char *name;
        rv_distribution distribution;
        double variance;
    } rows[] = {
        {"he", RV_NORMAL, 2.0 / 1000},
        {"he-normal", RV_NORMAL, 2.0 / 1000},
        {"he-uniform", RV_UNIFORM, 2.0 / 1000},
        {"he-truncated", RV_TRUNCATED_NORMAL, 2.0 / 1000},
        {"he-out", RV_NORMAL, 2.0 / 300},
        {"he-average-uniform", RV_UNIFORM, 2.0 / 650},
        {"xavier", RV_UNIFORM, 2.0 / 1300},
        {"glorot", RV_UNIFORM, 2.0 / 1300},
        {"xavier-normal", RV_NORMAL, 2.0 / 1300},
        {"xavier-tanh", RV_UNIFORM, 2.0 / 1300},
        {"xavier-logistic", RV_UNIFORM, 16 * 2.0 / 1300},
        {"xavier-normal-sigmoid", RV_NORMAL, 16 * 2.0 / 1300},
        {"xavier-relu", RV_UNIFORM, 2 * 2.0 / 1300},
        {"xavier-in-linear", RV_UNIFORM, 1.0 / 1000},
        {"lecun", RV_NORMAL, 1.0 / 1000},
        {"normal-0.1", RV_NORMAL, 0.01},
        {"uniform-0.1", RV_UNIFORM, 0.01},
        {"truncated-0.1", RV_TRUNCATED_NORMAL, 0.01},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_initializer by;
        destroy();
        build();
        RV_ASSERT_OK(rv_initializer_find(&by, rows[i].name));
        cr_assert_eq(by.distribution, rows[i].distribution, "%s", rows[i].name);
        RV_ASSERT_OK(rv_graph_initialize_by(graph, &by, 11));
        check(rv_graph_param(graph, 1, 0), rows[i].variance, limits[rows[i].distribution],
              fourths[rows[i].distribution]);
        cr_assert_eq(rv_graph_param(graph, 1, 1)->data[299], 0.0f, "biases are zero");
    }
}

/* He's factor is for ReLU: "auto" has it where a unit like that is the next behind, and nowhere else. */
Test(init, the_gain_goes_by_the_unit_behind)
{
    static const char *const units[] = {"relu",  "leaky_relu", "elu",     "prelu",
                                        "rrelu", "tanh",       "sigmoid", "selu"};
    rv_graph *g;
    rv_initializer by;
    rv_value v, pooled;
    RV_ASSERT_OK(rv_initializer_find(&by, "auto"));
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        RV_ASSERT_OK(rv_graph_create(&g));
        RV_ASSERT_OK(rv_graph_input(g, &v, "in", rv_shape_4(1, 50, 4, 4)));
        RV_ASSERT_OK(rv_graph_add(g, &v, "conv", "first", &v, 1,
                                  RV_ATTRS(RV_SET_INT("num_output", 60), RV_SET_INT("kernel", 3))));
        RV_ASSERT_OK(rv_graph_add(g, &v, "batch_norm", "norm", &v, 1, RV_NO_ATTRS));
        RV_ASSERT_OK(
            rv_graph_add(g, &pooled, "max_pool", "pool", &v, 1, RV_ATTRS(RV_SET_INT("kernel", 2))));
        RV_ASSERT_OK(rv_graph_add(g, &v, units[i], "unit", &pooled, 1, RV_NO_ATTRS));
        RV_ASSERT_OK(
            rv_graph_add(g, &v, "dense", "second", &v, 1, RV_ATTRS(RV_SET_INT("num_output", 300))));
        RV_ASSERT_OK(
            rv_graph_add(g, &v, "dense", "last", &v, 1, RV_ATTRS(RV_SET_INT("num_output", 100))));
        RV_ASSERT_OK(rv_graph_initialize_by(g, &by, 3));
        check(rv_graph_param(g, 0, 0), (i < 5 ? 2.0 : 1.0) / 450, 0, 3);
        check(rv_graph_param(g, 4, 0), 1.0 / 60, 0, 3);
        check(rv_graph_param(g, 5, 0), 1.0 / 300, 0, 3);
        rv_graph_destroy(g);
    }
    RV_ASSERT_OK(rv_initializer_find(&by, "auto-uniform-tanh"));
    cr_assert(by.distribution == RV_UNIFORM && !by.by_unit && by.gain == 1);
}

/* Shares of a distribution within one and two deviations, which its variance alone does not tell. */
Test(init, draws_have_the_shape_of_their_distribution)
{
    static const double one[RV_DISTRIBUTIONS] = {0.6827, 0.5774, 0.6505};
    static const double two[RV_DISTRIBUTIONS] = {0.9545, 1, 0.9655};
    for (int d = 0; d < RV_DISTRIBUTIONS; d++) {
        const rv_initializer by = {(rv_distribution)d, RV_FAN_IN, 1, 1, false};
        destroy();
        build();
        RV_ASSERT_OK(rv_graph_initialize_by(graph, &by, 5));
        const rv_param *p = rv_graph_param(graph, 1, 0);
        const double n = (double)rv_shape_count(&p->shape);
        double within_one = 0, within_two = 0;
        for (size_t i = 0; i < (size_t)n; i++) {
            within_one += fabsf(p->data[i]) < 1;
            within_two += fabsf(p->data[i]) < 2;
        }
        cr_assert_float_eq(within_one / n, one[d], 0.004, "%d: %g", d, within_one / n);
        cr_assert_float_eq(within_two / n, two[d], 0.002, "%d: %g", d, within_two / n);
    }
}

Test(init, what_is_no_initialiser_is_told_with_the_nearest_word)
{
    rv_initializer found;
    RV_ASSERT_FAILS(rv_initializer_find(&found, "xaver"), RV_ERR_USAGE, "'xavier'");
    RV_ASSERT_FAILS(rv_initializer_find(&found, "he-unifrom"), RV_ERR_USAGE,
                    "no 'unifrom'; the nearest is 'uniform'");
    RV_ASSERT_FAILS(rv_initializer_find(&found, "he-normal-uniform"), RV_ERR_USAGE, "says twice");
    RV_ASSERT_FAILS(rv_initializer_find(&found, "he-lecun"), RV_ERR_USAGE, "no 'lecun'");
    RV_ASSERT_FAILS(rv_initializer_find(&found, "truncated"), RV_ERR_USAGE, "deviation");
    RV_ASSERT_FAILS(rv_initializer_find(&found, "normal-x"), RV_ERR_USAGE, "'x'");
    RV_ASSERT_FAILS(rv_initializer_find(&found, ""), RV_ERR_USAGE, "no initialiser ''");
}

Test(init, a_parameter_may_have_its_own_initialiser)
{
    const rv_initializer all = {RV_NORMAL, RV_FAN_IN, 1, 0.01, false};
    rv_graph_param(graph, 1, 0)->by = (rv_initializer){RV_NORMAL, RV_FAN_IN, 1, 0.5, false};
    RV_ASSERT_OK(rv_graph_initialize_by(graph, &all, 1));
    check(rv_graph_param(graph, 0, 0), 1e-4, 0, 3);
    check(rv_graph_param(graph, 1, 0), 0.25, 0, 3);
}
