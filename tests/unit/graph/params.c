/* Parameters on the device: one arena, its segments, the twin arena of gradients. */
/* SPDX-License-Identifier: MIT */
#include "graph/params.h"
#include "support/assert.h"
#include "support/device.h"

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
