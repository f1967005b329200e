/* Adds what training needs to the graph of a model. */
/* SPDX-License-Identifier: MIT */
#include "stages/training.h"
#include "base/error.h"

#include <string.h>

/* What the losses contain, and so take the input of; and the losses. */
static const struct {
    const char *end, *loss;
} tasks[RV_TASKS] = {[RV_TASK_CLASSES] = {"softmax", "cross_entropy"},
                     [RV_TASK_LABELS] = {"sigmoid", "binary_cross_entropy"},
                     [RV_TASK_VALUES] = {NULL, "mse_loss"}};

static rv_value logits_of(const rv_model_graph *model, rv_task task)
{
    const int node = rv_graph_producer(model->graph, model->output);
    const bool ends = node >= 0 && tasks[task].end != NULL &&
                      strcmp(rv_graph_node(model->graph, node)->op->name, tasks[task].end) == 0;
    return ends ? rv_graph_node_inputs(model->graph, node)[0] : model->output;
}

static rv_status check_logits(const rv_model_graph *model, rv_value logits)
{
    const rv_shape *s = rv_graph_shape(model->graph, logits);
    char text[64];
    if (s->rank == 2 || (s->rank == 4 && s->dim[2] == 1 && s->dim[3] == 1)) {
        return RV_OK;
    }
    return rv_fail(RV_ERR_UNSUPPORTED,
                   "'%s': training needs one number for each class at the end, not %s",
                   rv_graph_value_name(model->graph, logits), rv_shape_text(text, s));
}

rv_status rv_training_logits(rv_value *out, const rv_model_graph *model, rv_task task)
{
    *out = logits_of(model, task);
    return check_logits(model, *out);
}

rv_status rv_training_graph_add(rv_training_graph *out, const rv_model_graph *model, rv_task task,
                                int32_t batch, float smoothing)
{
    rv_graph *graph = model->graph;
    rv_shape pictures = *rv_graph_shape(graph, model->picture);
    pictures.dim[0] = batch;
    RV_TRY(rv_graph_reshape(graph, model->picture, pictures));
    RV_TRY(rv_training_logits(&out->logits, model, task));
    const bool classes = task == RV_TASK_CLASSES;
    const rv_shape labels = classes ? rv_shape_1(batch) : *rv_graph_shape(graph, out->logits);
    RV_TRY(rv_graph_input(graph, &out->labels, "labels", labels));
    const rv_value in[2] = {out->logits, out->labels};
    const rv_attr_value smooth = RV_SET_FLOAT("smoothing", smoothing);
    return rv_graph_add(graph, &out->loss, tasks[task].loss, "loss", in, 2,
                        classes ? &smooth : NULL, classes ? 1 : 0);
}
