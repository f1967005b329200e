/* Parameters on the device: one arena, its segments, the twin arena of gradients. */
/* SPDX-License-Identifier: MIT */
#include "graph/params.h"
#include "base/file.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/noise.h"
#include "support/scratch.h"

#include <math.h>
#include <stdlib.h>

static rv_device *device;
static rv_graph *graph;
static rv_params *params;

/* conv (weight 5x3x3x3, bias 5) -> relu -> conv without bias (weight 2x5x1x1) */
static void build(void)
{
    device = rv_test_device();
    rv_value v;
    RV_ASSERT_OK(rv_graph_create(&graph));
    RV_ASSERT_OK(rv_graph_input(graph, &v, "x", rv_shape_4(1, 3, 5, 5)));
    RV_ASSERT_OK(rv_graph_add(graph, &v, "conv", "a", &v, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 5), RV_SET_INT("kernel", 3))));
    RV_ASSERT_OK(rv_graph_add(graph, &v, "relu", "r", &v, 1, RV_NO_ATTRS));
    RV_ASSERT_OK(rv_graph_add(graph, &v, "conv", "b", &v, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 2), RV_SET_INT("bias", 0))));
    RV_ASSERT_OK(rv_graph_initialize(graph, 3));
}

static void destroy(void)
{
    rv_params_destroy(params);
    rv_graph_destroy(graph);
    rv_device_close(device);
}

TestSuite(params, .init = build, .fini = destroy);

Test(params, segments_cover_the_arena_without_overlap)
{
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    size_t n;
    const rv_segment *s = rv_params_segments(params, &n);
    cr_assert_eq(n, 3);
    const int nodes[] = {0, 0, 2}, indices[] = {0, 1, 0};
    const size_t counts[] = {135, 5, 10};
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(s[i].node, nodes[i]);
        cr_assert_eq(s[i].index, indices[i]);
        cr_assert_eq(s[i].count, counts[i]);
        cr_assert_not(s[i].state);
        cr_assert_eq(s[i].offset * sizeof(float) % rv_device_alignment(device), 0);
        cr_assert_geq(s[i].offset, end);
        end = s[i].offset + s[i].count;
    }
    cr_assert_geq(rv_params_floats(params), end);
    cr_assert_null(rv_params_gradients(params));
    cr_assert_null(rv_params_gradient(params, 0, 0));
}

Test(params, values_are_those_of_the_graph_and_zero_between)
{
    RV_ASSERT_OK(rv_params_create(&params, device, graph, true));
    const size_t floats = rv_params_floats(params);
    float *all = malloc(floats * sizeof *all);
    RV_ASSERT_OK(rv_buffer_read(device, rv_params_values(params), 0, all, floats * sizeof *all));
    size_t n;
    const rv_segment *s = rv_params_segments(params, &n);
    for (size_t i = 0; i < n; i++) {
        const rv_param *p = rv_graph_param(graph, s[i].node, s[i].index);
        cr_assert_arr_eq(all + s[i].offset, p->data, s[i].count * sizeof(float));
        const size_t end = i + 1 < n ? s[i + 1].offset : floats;
        for (size_t k = s[i].offset + s[i].count; k < end; k++) {
            cr_assert_eq(all[k], 0.0f);
        }
        float *one = malloc(s[i].count * sizeof *one);
        RV_ASSERT_OK(rv_tensor_read(device, rv_params_tensor(params, s[i].node, s[i].index), one));
        cr_assert_arr_eq(one, p->data, s[i].count * sizeof(float));
        free(one);
    }
    free(all);
}

Test(params, gradients_start_at_zero_at_the_same_offsets)
{
    RV_ASSERT_OK(rv_params_create(&params, device, graph, true));
    const size_t floats = rv_params_floats(params);
    float *all = malloc(floats * sizeof *all);
    const float mark[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    RV_ASSERT_OK(rv_tensor_write(device, rv_params_gradient(params, 2, 0), mark));
    RV_ASSERT_OK(rv_buffer_read(device, rv_params_gradients(params), 0, all, floats * sizeof *all));
    size_t n;
    const rv_segment *s = rv_params_segments(params, &n);
    for (size_t k = 0; k < floats; k++) {
        const bool inside = k >= s[2].offset && k < s[2].offset + 10;
        cr_assert_eq(all[k], inside ? mark[k - s[2].offset] : 0.0f);
    }
    free(all);
}

Test(params, what_is_not_there_is_null)
{
    RV_ASSERT_OK(rv_params_create(&params, device, graph, true));
    cr_assert_null(rv_params_tensor(params, 2, 1), "no bias");
    cr_assert_null(rv_params_tensor(params, 1, 0), "relu has none");
    cr_assert_null(rv_params_state(params, 0, 0));
    cr_assert_null(rv_params_gradient(params, 1, 0));
}

Test(params, a_graph_without_parameters_has_an_empty_arena)
{
    rv_graph *empty;
    rv_value v;
    RV_ASSERT_OK(rv_graph_create(&empty));
    RV_ASSERT_OK(rv_graph_input(empty, &v, "x", rv_shape_1(4)));
    RV_ASSERT_OK(rv_params_create(&params, device, empty, true));
    cr_assert_eq(rv_params_floats(params), 0);
    cr_assert_null(rv_params_values(params));
    rv_graph_destroy(empty);
}

Test(params, a_change_gives_a_new_version)
{
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    const uint64_t before = rv_params_version(params);
    rv_params_changed(params);
    cr_assert_neq(rv_params_version(params), before);
}

enum { LENT = 1 << 18, ODD = 3 };

/* A dense layer whose weights lie in a mapped file, at an odd address, as a caffemodel has them. */
static rv_bytes lend(int *node, float *values)
{
    rv_value v;
    rv_bytes bytes;
    uint8_t *file = calloc(1, ODD + LENT * sizeof *values);
    RV_ASSERT_OK(rv_graph_input(graph, &v, "row", rv_shape_2(1, LENT / 4)));
    RV_ASSERT_OK(rv_graph_add(graph, &v, "dense", "d", &v, 1,
                              RV_ATTRS(RV_SET_INT("num_output", 4), RV_SET_INT("bias", 0))));
    *node = rv_graph_node_count(graph) - 1;
    memcpy(file + ODD, values, LENT * sizeof *values);
    rv_test_write(rv_test_path("lent"), file, ODD + LENT * sizeof *values);
    free(file);
    RV_ASSERT_OK(rv_bytes_open(&bytes, rv_test_path("lent"), 0));
    cr_assert(bytes.mapped);
    return bytes;
}

Test(params, values_are_taken_from_a_mapped_file)
{
    static float values[LENT], taken[LENT], read[LENT];
    int node;
    rv_test_noise(values, LENT, "lent", 0, 1);
    rv_bytes bytes = lend(&node, values);
    rv_param *p = rv_graph_param(graph, node, 0);
    RV_ASSERT_OK(rv_param_lend(p, bytes.data + ODD, LENT));
    cr_assert_null(p->data, "no copy on the host");
    RV_ASSERT_OK(rv_graph_initialize(graph, 3));
    cr_assert_null(p->data, "nothing is drawn for it");
    rv_param_read(read, p);
    cr_assert_arr_eq(read, values, sizeof values);
    RV_ASSERT_OK(rv_params_create(&params, device, graph, false));
    rv_bytes_close(&bytes);
    RV_ASSERT_OK(rv_tensor_read(device, rv_params_tensor(params, node, 0), taken));
    cr_assert_arr_eq(taken, values, sizeof values);
    rv_graph_release_values(graph);
    cr_assert_null(p->lent);
}

Test(params, a_mapped_file_is_checked_as_any)
{
    static float values[LENT];
    int node;
    values[LENT - 5] = NAN;
    rv_bytes bytes = lend(&node, values);
    rv_param *p = rv_graph_param(graph, node, 0);
    RV_ASSERT_FAILS(rv_param_lend(p, bytes.data + ODD, LENT), RV_ERR_FORMAT,
                    "'d': value 262139 of weight is NaN");
    RV_ASSERT_FAILS(rv_param_lend(p, bytes.data + ODD, LENT - 1), RV_ERR_SHAPE, "262143 values");
    cr_assert_null(p->lent);
    rv_bytes_close(&bytes);
}
