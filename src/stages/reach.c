/* How much of the picture a value of a layer sees: windows and steps of all operations on the way. */
/* SPDX-License-Identifier: MIT */
#include "stages/reach.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Of an operation that halves the size without naming a window: binomial pooling. */
enum { UNNAMED_WINDOW = 3 };

/* The larger of the two numbers of an attribute, `otherwise` where there is none of that name. */
static int attribute(const rv_node *node, const char *name, int otherwise)
{
    const rv_attr *row = node->op->attrs != NULL ? rv_attr_find(node->op->attrs, name) : NULL;
    if (row == NULL || row->type != RV_ATTR_INT) {
        return otherwise;
    }
    int32_t values[2] = {0, 0};
    memcpy(values, (const char *)node->attrs + row->offset,
           (row->count < 2 ? 1 : 2) * sizeof values[0]);
    return values[0] > values[1] ? values[0] : values[1];
}

/* What one node makes of what its inputs see. */
static rv_reach step(rv_reach in, const rv_node *node)
{
    const rv_shape *from = &node->in[0]->shape, *to = &node->out[0]->shape;
    const bool flat = from->rank != 4 || to->rank != 4;
    const bool whole = flat || (to->dim[2] == 1 && to->dim[3] == 1 && attribute(node, "global", 0));
    if (flat && from->rank == to->rank) {
        return in;
    }
    if (whole || in.size == 0) {
        return (rv_reach){0, in.stride};
    }
    const bool shrinks = to->dim[2] < from->dim[2] || to->dim[3] < from->dim[3];
    const int window = attribute(node, "kernel", shrinks ? UNNAMED_WINDOW : 1);
    const int step = attribute(node, "stride", shrinks ? 2 : 1);
    const int dilation = attribute(node, "dilation", 1);
    return (rv_reach){in.size + (window - 1) * dilation * in.stride, in.stride * step};
}

rv_status rv_reach_find(rv_reach *out, const rv_graph *graph, rv_value value)
{
    const int n = rv_graph_value_count(graph);
    rv_reach *reach;
    RV_TRY(rv_alloc(&reach, (size_t)n, sizeof *reach, "layers"));
    for (int i = 0; i < n; i++) {
        reach[i] = (rv_reach){1, 1};
    }
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        const rv_node *node = rv_graph_node(graph, i);
        const rv_value *in = rv_graph_node_inputs(graph, i);
        rv_reach most = {1, 1};
        for (int k = 0; k < node->n_in; k++) {
            const rv_reach r = reach[in[k]];
            most.size = r.size == 0 || most.size == 0 ? 0 : r.size > most.size ? r.size : most.size;
            most.stride = r.stride > most.stride ? r.stride : most.stride;
        }
        for (int k = 0; k < node->n_out; k++) {
            reach[rv_graph_node_output(graph, i, k)] = step(most, node);
        }
    }
    *out = reach[value];
    free(reach);
    return RV_OK;
}
