/* A NaN goes through every operation to what depends on it, and nowhere else: a network gone wrong shows. */
/* SPDX-License-Identifier: MIT */
#include "graph/plan.h"
#include "support/assert.h"
#include "support/device.h"

#include <math.h>
#include <stdlib.h>

enum { CHANNELS = 5, SIDE = 4, PIXELS = SIDE * SIDE, BAD_CHANNEL = 1, MAX_ATTRS = 4 };

/* What a NaN at pixel (1, 2) of channel 1, in maps of 5 x 4 x 4, makes NaN. */
typedef struct nan_case {
    const char *op;
    int n_in;
    rv_attr_value attrs[MAX_ATTRS];
    int expected;
} nan_case;

#define ATTRS(...)  \
    {               \
        __VA_ARGS__ \
    }
#define NO_ATTRS ATTRS({.name = NULL})
#define KERNEL   RV_SET_INT("kernel", 3), RV_SET_INT("pads", 1)

static const nan_case cases[] = {
    {"relu", 1, NO_ATTRS, 1},
    {"leaky_relu", 1, NO_ATTRS, 1},
    {"clip", 1, NO_ATTRS, 1},
    {"elu", 1, NO_ATTRS, 1},
    {"selu", 1, NO_ATTRS, 1},
    {"sigmoid", 1, NO_ATTRS, 1},
    {"tanh", 1, NO_ATTRS, 1},
    {"rrelu", 1, NO_ATTRS, 1},
    {"prelu", 1, NO_ATTRS, 1},
    {"square", 1, NO_ATTRS, 1},
    {"sqrt", 1, NO_ATTRS, 1},
    {"dropout", 1, NO_ATTRS, 1},
    {"reorder", 1, NO_ATTRS, 1},
    {"scale", 1, NO_ATTRS, 1},
    {"batch_norm", 1, NO_ATTRS, 1},
    {"add", 2, NO_ATTRS, 1},
    {"concat", 2, NO_ATTRS, 2},
    {"softmax", 1, NO_ATTRS, CHANNELS},
    {"lrn", 1, ATTRS(RV_SET_INT("size", 3)), 3},
    {"max_pool", 1, ATTRS(KERNEL), 9},
    {"max_pool", 1, ATTRS(RV_SET_INT("global", 1)), 1},
    {"average_pool", 1, ATTRS(KERNEL), 9},
    {"average_pool", 1, ATTRS(RV_SET_INT("global", 1)), 1},
    {"binomial_pool", 1, NO_ATTRS, 2},
    {"conv", 1, ATTRS(RV_SET_INT("num_output", 6), KERNEL), 6 * 9},
    {"conv", 1, ATTRS(RV_SET_INT("num_output", 2), KERNEL), 2 * 9},
    {"dense", 1, ATTRS(RV_SET_INT("num_output", 3)), 3},
    {"gram", 1, NO_ATTRS, 2 * CHANNELS - 1},
    {"resize", 1, ATTRS(RV_SET_INT("height", 1), RV_SET_INT("width", 1)), 1},
    {"dot_loss", 2, NO_ATTRS, 1},
    {"mse_loss", 2, NO_ATTRS, 1},
    {"binary_cross_entropy", 2, NO_ATTRS, 1},
    {"range_loss", 1, NO_ATTRS, 1},
    {"tv_loss", 1, NO_ATTRS, 1},
    {"tv_loss", 1, ATTRS(RV_SET_ENUM("power", "l1")), 1},
};

/* A node on input maps, in the layout that comes of itself or behind a reordering. */
typedef struct net {
    rv_graph *graph;
    rv_params *params;
    rv_plan *plan;
    rv_value in, out;
} net;

static void open_net(net *n, rv_device *device, const nan_case *c, bool blocked)
{
    size_t n_attrs = 0;
    while (n_attrs < MAX_ATTRS && c->attrs[n_attrs].name != NULL) {
        n_attrs++;
    }
    *n = (net){0};
    RV_ASSERT_OK(rv_graph_create(&n->graph));
    RV_ASSERT_OK(rv_graph_input(n->graph, &n->in, "in", rv_shape_4(1, CHANNELS, SIDE, SIDE)));
    rv_value maps = n->in;
    if (blocked) {
        RV_ASSERT_OK(rv_graph_add(n->graph, &maps, "reorder", "r", &n->in, 1, RV_NO_ATTRS));
    }
    const rv_value in[] = {maps, maps};
    RV_ASSERT_OK(rv_graph_add(n->graph, &n->out, c->op, "op", in, c->n_in, c->attrs, n_attrs));
    RV_ASSERT_OK(rv_graph_initialize(n->graph, 1));
    RV_ASSERT_OK(rv_params_create(&n->params, device, n->graph, false));
    const rv_plan_options options = {.outputs = &n->out, .n_outputs = 1};
    RV_ASSERT_OK(rv_plan_create(&n->plan, n->graph, n->params, device, &options));
}

static void close_net(net *n)
{
    rv_plan_destroy(n->plan);
    rv_params_destroy(n->params);
    rv_graph_destroy(n->graph);
}

/* NaN values of the output where one pixel of channel 1 of the input is NaN. */
static int count_nans(net *n, rv_device *device, int bad_pixel)
{
    float in[CHANNELS * PIXELS], *out;
    for (int i = 0; i < CHANNELS * PIXELS; i++) {
        in[i] = 0.25f + (float)(i * 7 % 31) / 100;
    }
    in[BAD_CHANNEL * PIXELS + bad_pixel] = NAN;
    RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(n->plan, n->in), in));
    RV_ASSERT_OK(rv_plan_forward(n->plan));
    rv_tensor *t = rv_plan_tensor(n->plan, n->out);
    const size_t count = rv_shape_count(&t->shape);
    out = malloc(count * sizeof *out);
    cr_assert_not_null(out);
    RV_ASSERT_OK(rv_tensor_read(device, t, out));
    int nans = 0;
    for (size_t i = 0; i < count; i++) {
        nans += isnan(out[i]) != 0;
    }
    free(out);
    return nans;
}

static void check_all(rv_form form)
{
    rv_device *device;
    rv_device_close(rv_test_device()); /* skips where there is none */
    RV_ASSERT_OK(rv_test_device_open(&device, form, 0));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int blocked = 0; blocked < 2; blocked++) {
            net n;
            open_net(&n, device, &cases[i], blocked == 1);
            const int nans = count_nans(&n, device, 1 * SIDE + 2);
            cr_expect_eq(nans, cases[i].expected, "%s, row %zu, %s: %d values are NaN, not %d",
                         cases[i].op, i, blocked == 1 ? "blocked" : "plain", nans,
                         cases[i].expected);
            close_net(&n);
        }
    }
    rv_device_close(device);
}

Test(nan, shows_in_all_that_depends_on_it_on_cpus, .timeout = 300)
{
    check_all(RV_FORM_CPU);
}

Test(nan, shows_in_all_that_depends_on_it_on_gpus, .timeout = 300)
{
    check_all(RV_FORM_GPU);
}

/* First or last of its window, below or above the others: it is the largest. */
Test(nan, wins_in_a_window_wherever_it_stands)
{
    static const nan_case pool = {"max_pool", 1,
                                  ATTRS(RV_SET_INT("kernel", 2), RV_SET_INT("stride", 2)), 1};
    rv_device *device = rv_test_device();
    for (int blocked = 0; blocked < 2; blocked++) {
        net n;
        open_net(&n, device, &pool, blocked == 1);
        for (int pixel = 0; pixel < PIXELS; pixel++) {
            cr_expect_eq(count_nans(&n, device, pixel), 1, "pixel %d", pixel);
        }
        close_net(&n);
    }
    rv_device_close(device);
}
