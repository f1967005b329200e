/* What a network is for: its end follows the task, and its file keeps units. */
/* SPDX-License-Identifier: MIT */
#include "model/internal.h"
#include "model/own.h"
#include "support/assert.h"
#include "support/scratch.h"

#include <stdlib.h>

static rv_model *open_mlp(rv_task task)
{
    rv_model_options options = RV_MODEL_OPTIONS_INIT;
    rv_model *model;
    options.classes = 2;
    options.height = options.width = 4;
    options.task = &task;
    RV_ASSERT_OK(rv_model_open(&model, "mlp:3", &options));
    return model;
}

static const char *last_op(const rv_model *model)
{
    return rv_model_layer(model, rv_model_layer_count(model) - 1).type;
}

Test(task, a_network_ends_as_its_task_takes_it)
{
    static const char *const ends[RV_TASKS] = {"softmax", "sigmoid", "dense"};
    for (int i = 0; i < RV_TASKS; i++) {
        rv_model *model = open_mlp((rv_task)i);
        cr_assert_eq(rv_model_task(model), (rv_task)i);
        cr_assert_str_eq(last_op(model), ends[i]);
        RV_ASSERT_OK(rv_model_save(model, rv_test_path("model.safetensors"), NULL));
        rv_model_close(model);
        /* From each task to each. */
        for (int k = 0; k < RV_TASKS; k++) {
            const rv_task task = (rv_task)k;
            rv_model_options options = RV_MODEL_OPTIONS_INIT;
            options.task = &task;
            RV_ASSERT_OK(rv_model_open(&model, rv_test_path("model.safetensors"), &options));
            cr_assert_str_eq(last_op(model), ends[k], "from %d to %d", i, k);
            rv_model_close(model);
        }
        remove(rv_test_path("model.safetensors"));
    }
}

/* The file with `from` replaced by `to`, of the same length. */
static rv_status open_changed(const char *from, const char *to)
{
    static char bytes[1 << 16];
    rv_model *model = NULL;
    FILE *file = fopen(rv_test_path("values.safetensors"), "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, file), length = strlen(from);
    fclose(file);
    size_t at = 0;
    while (at + length <= n && memcmp(bytes + at, from, length) != 0) {
        at++;
    }
    cr_assert(at + length <= n && strlen(to) == length, "%s", from);
    memcpy(bytes + at, to, length);
    rv_test_write(rv_test_path("changed.safetensors"), bytes, n);
    const rv_status status = rv_model_open(&model, rv_test_path("changed.safetensors"), NULL);
    rv_model_close(model);
    return status;
}

Test(task, units_come_back_and_damage_is_named)
{
    static const float mean[2] = {1000, -0.5f}, deviation[2] = {250, 0.125f};
    static const char *const names[2] = {"age", "height"};
    rv_stored_tensor tensors[4];
    rv_model_graph graph;
    rv_model *model = open_mlp(RV_TASK_VALUES);
    int n = 0;
    cr_assert_eq(rv_model_value(model, 0, 0.5), 0.5);
    RV_ASSERT_OK(rv_model_set_scale(model, mean, deviation, 2));
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    for (int node = 0; node < rv_graph_node_count(graph.graph); node++) {
        for (int i = 0; i < 2; i++) {
            const rv_param *p = rv_graph_param(graph.graph, node, i);
            if (p != NULL) {
                char *name;
                RV_ASSERT_OK(rv_own_tensor_name(&name, "", p));
                tensors[n++] = (rv_stored_tensor){name, p->shape, p->data};
            }
        }
    }
    RV_ASSERT_OK(rv_own_write(rv_test_path("values.safetensors"), model, names, 2, tensors,
                              (size_t)n, true, NULL));
    for (int i = 0; i < n; i++) {
        free((char *)tensors[i].name);
    }
    rv_graph_destroy(graph.graph);
    rv_model_close(model);
    RV_ASSERT_OK(rv_model_open(&model, rv_test_path("values.safetensors"), NULL));
    cr_assert_eq(rv_model_task(model), RV_TASK_VALUES);
    cr_assert_str_eq(rv_model_label(model, 1), "height");
    cr_assert_eq(rv_model_value(model, 0, -2), 500);
    cr_assert_eq(rv_model_value(model, 1, 4), 0);
    cr_assert_eq(rv_model_value(model, 2, 4), 4);
    rv_model_close(model);
    RV_ASSERT_FAILS(open_changed("\\\"values\\\"", "\\\"valuez\\\""), RV_ERR_FORMAT, "task");
    RV_ASSERT_FAILS(open_changed("[250.0,", "[-50.0,"), RV_ERR_FORMAT, "scale");
    RV_ASSERT_FAILS(open_changed("[250.0,0.125]", "[250.10.1255]"), RV_ERR_FORMAT, "damaged");
    RV_ASSERT_FAILS(open_changed("[250.0,0.125]", "[250.00.1255]"), RV_ERR_FORMAT, "damaged");
    RV_ASSERT_FAILS(open_changed("[250.0,0.125]", "[250.0001251]"), RV_ERR_FORMAT, "number");
}
