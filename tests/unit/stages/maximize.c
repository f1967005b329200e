/* Goals behind a network: their values and gradients against the network in double precision. */
/* SPDX-License-Identifier: MIT */
#include "stages/maximize.h"
#include "base/philox.h"
#include "small_network.h"
#include "stages/class_name.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/graph_twin.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 24, HEIGHT = 20, PLANE = WIDTH * HEIGHT, VALUES = 3 * PLANE };

typedef struct bench {
    rv_device *device;
    rv_model *model;
    rv_goals goals;
    rv_maximizer *maximizer;
    rv_plan *plan;
    rv_value picture;
    rv_planar guide;
    rv_model_graph graph; /* of the twin */
    rv_graph_twin twin;
} bench;

static void fill(float *out, size_t n, uint32_t stream)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = rv_philox_uniform(3, stream, (uint32_t)i);
    }
}

static void set_up(bench *b, const char *text)
{
    *b = (bench){.device = rv_test_device(), .model = small_network()};
    RV_ASSERT_OK(rv_goals_parse(&b->goals, text));
    RV_ASSERT_OK(rv_maximizer_create(&b->maximizer, b->device, b->model, &b->goals, NULL));
    if (rv_maximizer_has_guide(b->maximizer)) {
        RV_ASSERT_OK(rv_planar_create(&b->guide, WIDTH, HEIGHT));
        fill(b->guide.data, VALUES, 9);
        RV_ASSERT_OK(rv_maximizer_set_guide(b->maximizer, &b->guide));
    }
    RV_ASSERT_OK(rv_model_build(&b->graph, b->model, NULL, 0));
    RV_ASSERT_OK(
        rv_graph_reshape(b->graph.graph, b->graph.picture, rv_shape_4(1, 3, HEIGHT, WIDTH)));
    rv_graph_twin_create(&b->twin, b->graph.graph);
}

static void tear_down(bench *b)
{
    rv_graph_twin_release(&b->twin);
    rv_graph_destroy(b->graph.graph);
    rv_maximizer_destroy(b->maximizer);
    rv_goals_release(&b->goals);
    rv_planar_release(&b->guide);
    rv_model_close(b->model);
    rv_device_close(b->device);
}

static const double *twin_layer(bench *b, const double *picture, const char *name, int dim[3])
{
    rv_value value;
    memcpy(b->twin.value[b->graph.picture], picture, VALUES * sizeof(double));
    rv_graph_twin_run(&b->twin);
    RV_ASSERT_OK(rv_graph_find(b->graph.graph, &value, name));
    const rv_shape *s = rv_graph_shape(b->graph.graph, value);
    for (int i = 0; i < 3; i++) {
        dim[i] = s->dim[i + 1];
    }
    return b->twin.value[value];
}

/* Mean over places of the largest product with a place of the guide. */
static double twin_guide(bench *b, const double *picture, const char *name)
{
    int d[3];
    double guide[VALUES], sum = 0;
    for (int i = 0; i < VALUES; i++) {
        guide[i] = (double)b->guide.data[i];
    }
    const double *found = twin_layer(b, guide, name, d);
    const int plane = d[1] * d[2];
    double *g = malloc((size_t)(d[0] * plane) * sizeof *g);
    memcpy(g, found, (size_t)(d[0] * plane) * sizeof *g);
    const double *x = twin_layer(b, picture, name, d);
    for (int i = 0; i < plane; i++) {
        double best = -INFINITY;
        for (int k = 0; k < plane; k++) {
            double dot = 0;
            for (int c = 0; c < d[0]; c++) {
                dot += x[c * plane + i] * g[c * plane + k];
            }
            best = fmax(best, dot);
        }
        sum += best / plane;
    }
    free(g);
    return sum;
}

static double twin_goal(bench *b, const rv_goal *goal, const double *picture)
{
    int d[3];
    double sum = 0;
    if (goal->kind == RV_GOAL_VARIATION) {
        for (int i = 0; i < VALUES; i++) {
            const double right = i % WIDTH < WIDTH - 1 ? picture[i + 1] - picture[i] : 0;
            const double below = i % PLANE < PLANE - WIDTH ? picture[i + WIDTH] - picture[i] : 0;
            sum += (right * right + below * below) / VALUES;
        }
        return sum;
    }
    if (goal->kind == RV_GOAL_GUIDE) {
        return twin_guide(b, picture, goal->name);
    }
    const double *x = twin_layer(b, picture, goal->name, d);
    const int plane = d[1] * d[2], n = d[0] * plane;
    if (goal->kind == RV_GOAL_LAYER) {
        for (int i = 0; i < n; i++) {
            sum += x[i] * x[i] / n;
        }
        return sum;
    }
    const int at = (int)(goal->y * d[1]) * d[2] + (int)(goal->x * d[2]);
    for (size_t c = 0; c < goal->n_channels; c++) {
        const double *map = x + goal->channels[c] * plane;
        if (goal->kind == RV_GOAL_UNIT) {
            sum += map[at] / (double)goal->n_channels;
        }
        for (int i = 0; i < plane && goal->kind == RV_GOAL_CHANNELS; i++) {
            sum += map[i] / plane / (double)goal->n_channels;
        }
    }
    return sum;
}

static double twin_value(bench *b, const double *picture)
{
    double sum = 0;
    for (size_t i = 0; i < b->goals.n; i++) {
        sum += b->goals.items[i].weight * twin_goal(b, &b->goals.items[i], picture);
    }
    return sum;
}

/* Value and gradient along eight directions; of the twin by central differences. */
static void agrees(const char *text)
{
    bench b;
    static float picture[VALUES], gradient[VALUES];
    static double point[VALUES], direction[VALUES];
    double value;
    set_up(&b, text);
    fill(picture, VALUES, 1);
    RV_ASSERT_OK(rv_maximizer_begin(b.maximizer, &b.plan, &b.picture,
                                    &(rv_maximizer_size){1, HEIGHT, WIDTH, false, 0}));
    RV_ASSERT_OK(rv_tensor_write(b.device, rv_plan_tensor(b.plan, b.picture), picture));
    RV_ASSERT_OK(rv_maximizer_run(b.maximizer));
    RV_ASSERT_OK(rv_maximizer_value(b.maximizer, 1, &value));
    RV_ASSERT_OK(rv_tensor_read(b.device, rv_plan_gradient(b.plan, b.picture), gradient));
    for (int i = 0; i < VALUES; i++) {
        point[i] = (double)picture[i];
    }
    const double expected = twin_value(&b, point);
    cr_assert_float_eq(value, expected, 1e-5 * fabs(expected) + 1e-7, "%s: %g, not %g", text, value,
                       expected);
    for (uint32_t k = 0; k < 8; k++) {
        const double step = 1e-5;
        double slope = 0, norm = 0;
        for (int i = 0; i < VALUES; i++) {
            direction[i] = (double)rv_philox_uniform(4, k, (uint32_t)i) - 0.5;
            slope -= direction[i] * (double)gradient[i];
            norm += (double)gradient[i] * (double)gradient[i];
            point[i] = (double)picture[i] + step * direction[i];
        }
        const double above = twin_value(&b, point);
        for (int i = 0; i < VALUES; i++) {
            point[i] = (double)picture[i] - step * direction[i];
        }
        const double found = (above - twin_value(&b, point)) / (2 * step);
        cr_assert_float_eq(slope, found, 1e-3 * sqrt(norm) + 1e-9, "%s: %g, not %g", text, slope,
                           found);
    }
    tear_down(&b);
}

Test(maximize, a_layer)
{
    agrees("relu3");
    agrees("conv2");
}

Test(maximize, channels_and_units)
{
    agrees("relu2:3");
    agrees("conv3:1,4,7..9");
    agrees("conv2:5@0.6,0.3");
    agrees("conv2:5,6@0,0.95");
}

Test(maximize, a_guide)
{
    agrees("guide:relu2");
}

Test(maximize, sums)
{
    agrees("conv3 + 2*conv2:7 - 0.5*relu1 - 3*tv");
    agrees("tv + 0.001*relu1");
}

Test(maximize, pictures_apart_have_a_channel_each)
{
    bench b;
    rv_goal *goal;
    static float pictures[3 * VALUES], gradient[3 * VALUES], alone[VALUES];
    set_up(&b, "conv2:4,9,0");
    fill(pictures, 3 * VALUES, 2);
    RV_ASSERT_OK(rv_maximizer_begin(b.maximizer, &b.plan, &b.picture,
                                    &(rv_maximizer_size){3, HEIGHT, WIDTH, true, 0}));
    RV_ASSERT_OK(rv_tensor_write(b.device, rv_plan_tensor(b.plan, b.picture), pictures));
    RV_ASSERT_OK(rv_maximizer_run(b.maximizer));
    RV_ASSERT_OK(rv_tensor_read(b.device, rv_plan_gradient(b.plan, b.picture), gradient));
    for (int k = 0; k < 3; k++) {
        rv_goals goals = {0};
        rv_maximizer *m;
        RV_ASSERT_OK(rv_goals_add(&goals, &goal, RV_GOAL_CHANNELS, "conv2", 5));
        RV_ASSERT_OK(rv_goal_add_channel(goal, b.goals.items[0].channels[k]));
        RV_ASSERT_OK(rv_maximizer_create(&m, b.device, b.model, &goals, NULL));
        RV_ASSERT_OK(rv_maximizer_begin(m, &b.plan, &b.picture,
                                        &(rv_maximizer_size){1, HEIGHT, WIDTH, false, 0}));
        RV_ASSERT_OK(rv_tensor_write(b.device, rv_plan_tensor(b.plan, b.picture),
                                     pictures + (size_t)k * VALUES));
        RV_ASSERT_OK(rv_maximizer_run(m));
        RV_ASSERT_OK(rv_tensor_read(b.device, rv_plan_gradient(b.plan, b.picture), alone));
        for (int i = 0; i < VALUES; i++) {
            cr_assert_float_eq(alone[i], gradient[k * VALUES + i], 1e-6f);
        }
        rv_maximizer_destroy(m);
        rv_goals_release(&goals);
    }
    tear_down(&b);
}

static void refuses(const char *text, rv_status status, const char *message)
{
    rv_device *device = rv_test_device();
    rv_model *model = small_network();
    rv_goals goals;
    rv_maximizer *m;
    RV_ASSERT_OK(rv_goals_parse(&goals, text));
    RV_ASSERT_FAILS(rv_maximizer_create(&m, device, model, &goals, NULL), status, message);
    cr_assert_null(m);
    rv_goals_release(&goals);
    rv_model_close(model);
    rv_device_close(device);
}

Test(maximize, what_is_not_there)
{
    refuses("conv2 + conv22", RV_ERR_NOT_FOUND, "'conv22'");
    refuses("conv2 + conv2:13", RV_ERR_NOT_FOUND,
            "at character 9: 'conv2' has 13 channels, from 0 to 12: there is no 13");
    refuses("class:3", RV_ERR_UNSUPPORTED, "no class scores");
    refuses("-2*tv", RV_ERR_USAGE, "no layer to maximise");
}

Test(maximize, a_guide_is_large_enough)
{
    bench b;
    rv_planar small;
    set_up(&b, "guide:conv2");
    cr_assert_eq(rv_maximizer_reach(b.maximizer), 3 + 1 + 4);
    cr_assert_eq(rv_maximizer_stride(b.maximizer), 2);
    RV_ASSERT_OK(rv_planar_create(&small, 30, 7));
    RV_ASSERT_FAILS(rv_maximizer_set_guide(b.maximizer, &small), RV_ERR_SHAPE, "30 x 7");
    rv_planar_release(&small);
    tear_down(&b);
}

/* --- classes --------------------------------------------------------------------------------- */

static const char scores[] =
    "name: 'scores' input: 'data' input_shape { dim: 1 dim: 3 dim: 20 dim: 24 }\n"
    "layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'\n"
    "  convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }\n"
    "layer { name: 'pool' type: 'Pooling' bottom: 'conv1' top: 'pool'\n"
    "  pooling_param { pool: AVE global_pooling: true } }\n"
    "layer { name: 'prob' type: 'Softmax' bottom: 'pool' top: 'prob' }\n";
static const char labels[] = "tench, Tinca tinca\ncat\nblack cat\nblack dog\nold dog\n";

static rv_model *open_scores(void)
{
    const char *path = rv_test_path("scores.prototxt"), *names = rv_test_path("labels.txt");
    rv_model *model;
    rv_test_write(path, scores, strlen(scores));
    rv_test_write(names, labels, strlen(labels));
    RV_ASSERT_OK(rv_model_open(&model, path, NULL));
    cr_assert_eq(rv_model_label_count(model), 5);
    return model;
}

/* The score before softmax is the mean of its channel. */
Test(maximize, a_class_is_its_score_before_softmax)
{
    rv_device *device = rv_test_device();
    rv_model *model = open_scores();
    static float picture[VALUES], gradient[2][VALUES];
    double value[2];
    const char *const texts[2] = {"-2*class:'black dog'", "-2*conv1:3"};
    fill(picture, VALUES, 1);
    for (int i = 0; i < 2; i++) {
        rv_goals goals;
        rv_maximizer *m;
        rv_plan *plan;
        rv_value input;
        RV_ASSERT_OK(rv_goals_parse(&goals, texts[i]));
        RV_ASSERT_OK(rv_maximizer_create(&m, device, model, &goals, NULL));
        cr_assert_eq(goals.items[0].channels[0], 3);
        RV_ASSERT_OK(rv_maximizer_begin(
            m, &plan, &input, &(rv_maximizer_size){.n = 1, .height = HEIGHT, .width = WIDTH}));
        RV_ASSERT_OK(rv_tensor_write(device, rv_plan_tensor(plan, input), picture));
        RV_ASSERT_OK(rv_maximizer_run(m));
        RV_ASSERT_OK(rv_maximizer_value(m, 1, &value[i]));
        RV_ASSERT_OK(rv_tensor_read(device, rv_plan_gradient(plan, input), gradient[i]));
        rv_maximizer_destroy(m);
        rv_goals_release(&goals);
    }
    cr_assert_float_eq(value[0], value[1], 1e-5 * fabs(value[1]));
    cr_assert(fabs(value[0]) > 1e-4);
    for (int i = 0; i < VALUES; i++) {
        cr_assert_float_eq(gradient[0][i], gradient[1][i], 1e-7f);
    }
    rv_model_close(model);
    rv_device_close(device);
}

Test(maximize, classes_have_names)
{
    rv_model *model = open_scores();
    int index;
#define FINDS(text, expected)                              \
    RV_ASSERT_OK(rv_class_find(&index, model, 5, (text))); \
    cr_assert_eq(index, (expected), "%s: %d", (text), index)
    FINDS("4", 4);
    FINDS("Tinca Tinca", 0);
    FINDS("TENCH", 0);
    FINDS("cat", 1); /* though "black cat" holds it too */
    FINDS("k c", 2);
    FINDS("tench, tinca tinca", 0);
    RV_ASSERT_FAILS(rv_class_find(&index, model, 5, "dog"), RV_ERR_USAGE,
                    "'dog' may be any of 2 classes of scores: 3 'black dog', 4 'old dog'");
    RV_ASSERT_FAILS(rv_class_find(&index, model, 5, "5"), RV_ERR_NOT_FOUND,
                    "5 classes, from 0 to 4");
    RV_ASSERT_FAILS(rv_class_find(&index, model, 5, "blak dog"), RV_ERR_NOT_FOUND,
                    "the nearest of its 5 is 3 'black dog'");
    rv_model_close(model);
}
