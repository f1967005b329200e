/* Adds what training needs to the graph of a model. */
/* SPDX-License-Identifier: MIT */
#include "stages/training.h"
#include "base/error.h"

#include <string.h>

/* The output, or where that is a softmax what it takes: cross-entropy contains it. */
static rv_value logits_of(const rv_model_graph *model)
{
    const int node = rv_graph_producer(model->graph, model->output);
    const bool is_softmax =
        node >= 0 && strcmp(rv_graph_node(model->graph, node)->op->name, "softmax") == 0;
    return is_softmax ? rv_graph_node_inputs(model->graph, node)[0] : model->output;
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

rv_status rv_training_logits(rv_value *out, const rv_model_graph *model)
{
    *out = logits_of(model);
    return check_logits(model, *out);
}

rv_status rv_training_graph_add(rv_training_graph *out, const rv_model_graph *model, int32_t batch,
                                float smoothing)
{
    rv_shape pictures = *rv_graph_shape(model->graph, model->picture);
    pictures.dim[0] = batch;
    RV_TRY(rv_graph_reshape(model->graph, model->picture, pictures));
    RV_TRY(rv_training_logits(&out->logits, model));
    RV_TRY(rv_graph_input(model->graph, &out->labels, "labels", rv_shape_1(batch)));
    const rv_value in[2] = {out->logits, out->labels};
    return rv_graph_add(model->graph, &out->loss, "cross_entropy", "loss", in, 2,
                        RV_ATTRS(RV_SET_FLOAT("smoothing", smoothing)));
}
