/* Chooses what a plan computes: needed nodes, layouts with reorderings, and the way of gradients. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "graph/internal.h"

#include <stdlib.h>
#include <string.h>

/* --- needed nodes ---------------------------------------------------------------------------- */

static rv_status check_value(const rv_plan *plan, rv_value v)
{
    if (v < 0 || v >= rv_graph_value_count(plan->graph)) {
        return rv_fail(RV_ERR_INTERNAL, "a plan was asked for value %d of a graph with %d", (int)v,
                       rv_graph_value_count(plan->graph));
    }
    return RV_OK;
}

/* Marks values backwards from the wanted outputs; feeds and inputs end the walk. */
static rv_status mark_needed(const rv_plan *plan, const rv_plan_options *options, bool *needed,
                             bool *fed)
{
    for (int i = 0; i < options->n_feeds; i++) {
        RV_TRY(check_value(plan, options->feeds[i]));
        fed[options->feeds[i]] = true;
    }
    for (int i = 0; i < options->n_outputs; i++) {
        RV_TRY(check_value(plan, options->outputs[i]));
        needed[options->outputs[i]] = true;
    }
    for (int i = rv_graph_node_count(plan->graph) - 1; i >= 0; i--) {
        const rv_node *n = rv_graph_node(plan->graph, i);
        bool wanted = false;
        for (int k = 0; k < n->n_out; k++) {
            const rv_value v = rv_graph_node_output(plan->graph, i, k);
            wanted = wanted || (needed[v] && !fed[v]);
        }
        for (int k = 0; wanted && k < n->n_in; k++) {
            needed[rv_graph_node_inputs(plan->graph, i)[k]] = true;
        }
    }
    return RV_OK;
}

static rv_status add_value(rv_plan *plan, int *out, const rv_tensor *like, rv_layout layout)
{
    RV_TRY(rv_grow(&plan->values, &plan->values_capacity, plan->n_values + 1, sizeof *plan->values,
                   "plan values"));
    rv_plan_value *v = &plan->values[plan->n_values];
    *v = (rv_plan_value){
        .graph_value = -1, .producer = -1, .reordered = -1, .whole = -1, .gradient_whole = -1};
    v->tensor.shape = like->shape;
    v->tensor.layout = layout;
    v->tensor.block = layout == RV_BLOCKED ? rv_device_block(plan->device) : 1;
    *out = (int)plan->n_values++;
    return RV_OK;
}

static bool is_frozen(const rv_plan *plan, int graph_node)
{
    return plan->frozen != NULL && graph_node >= 0 && plan->frozen[graph_node];
}

/* A node of the plan, with room for its arrays, attributes and name: the graph may change or go.
 * Tensors are pointed to when no value moves any more. */
static rv_status add_node(rv_plan *plan, int *out, const rv_node *like, int graph_node)
{
    RV_TRY(rv_grow(&plan->nodes, &plan->nodes_capacity, plan->n_nodes + 1, sizeof *plan->nodes,
                   "plan nodes"));
    rv_plan_node *p = &plan->nodes[plan->n_nodes];
    *p = (rv_plan_node){.node = *like, .graph_node = graph_node};
    const size_t n = (size_t)like->n_in + (size_t)like->n_out;
    const size_t attr_size = like->op->attr_size, name_size = strlen(like->name) + 1;
    const size_t arrays = n * (2 * sizeof(rv_tensor *) + sizeof(int));
    char *memory;
    RV_TRY(rv_alloc(&memory, arrays + attr_size + name_size, 1, like->name));
    p->memory = memory;
    p->node.in = (rv_tensor **)memory;
    p->node.out = p->node.in + like->n_in;
    p->node.d_in = p->node.out + like->n_out;
    p->node.d_out = p->node.d_in + like->n_in;
    p->in = (int *)(p->node.d_out + like->n_out);
    p->out = p->in + like->n_in;
    if (like->attrs != NULL) {
        p->node.attrs = memcpy(memory + arrays, like->attrs, attr_size);
    }
    p->node.name = memcpy(memory + arrays + attr_size, like->name, name_size);
    p->node.mode = is_frozen(plan, graph_node) ? RV_INFER : plan->mode;
    p->node.wanted = 0;
    p->node.slope = 1;
    p->node.guided = plan->guided && like->op->rectifier != NULL;
    *out = (int)plan->n_nodes++;
    return RV_OK;
}

/* --- layouts --------------------------------------------------------------------------------- */

/* The value in the other layout, made by a reordering node that all who ask for it share. */
static rv_status reordered(rv_plan *plan, int *out, int value)
{
    if (plan->values[value].reordered >= 0) {
        *out = plan->values[value].reordered;
        return RV_OK;
    }
    const rv_op *op = rv_op_with(RV_OP_REORDER);
    const rv_node like = {.op = op, .name = op->name, .n_in = 1, .n_out = 1};
    const rv_tensor tensor = plan->values[value].tensor;
    int made, node;
    RV_TRY(add_value(plan, &made, &tensor, tensor.layout == RV_PLAIN ? RV_BLOCKED : RV_PLAIN));
    RV_TRY(add_node(plan, &node, &like, -1));
    plan->nodes[node].in[0] = value;
    plan->nodes[node].out[0] = made;
    plan->values[made].producer = node;
    plan->values[value].reordered = made;
    plan->values[made].reordered = value;
    *out = made;
    return RV_OK;
}

/* Asks the operation which layouts it takes and gives; rank other than 4 has one layout only. */
static rv_status ask_layouts(const rv_node *n, rv_layout *in, rv_layout *out)
{
    if (n->op->layouts != NULL) {
        n->op->layouts(n, in, out);
    } else {
        for (int i = 1; i < n->n_in; i++) {
            in[i] = in[0];
        }
        for (int i = 0; i < n->n_out; i++) {
            out[i] = in[0];
        }
        for (int i = 0; i < n->op->n_saved; i++) {
            n->saved[i]->layout = in[0];
        }
    }
    for (int i = 0; i < n->n_in; i++) {
        if (in[i] == RV_BLOCKED && n->in[i]->shape.rank != 4) {
            return rv_fail(RV_ERR_SHAPE, "'%s': input %d has rank %d, but %s needs rank 4", n->name,
                           i, (int)n->in[i]->shape.rank, n->op->name);
        }
    }
    return RV_OK;
}

static rv_status add_graph_node(rv_plan *plan, int index, rv_value first_output)
{
    const rv_node *like = rv_graph_node(plan->graph, index);
    const rv_value *inputs = rv_graph_node_inputs(plan->graph, index);
    rv_layout in[RV_MAX_INPUTS] = {RV_PLAIN}, out[4] = {RV_PLAIN};
    int from[RV_MAX_INPUTS] = {0};
    for (int i = 0; i < like->n_in; i++) {
        from[i] = plan->value_of[inputs[i]];
        in[i] = plan->values[from[i]].tensor.layout;
    }
    RV_TRY(ask_layouts(like, in, out));
    for (int i = 0; i < like->n_in; i++) {
        if (plan->values[from[i]].tensor.layout != in[i]) {
            RV_TRY(reordered(plan, &from[i], from[i]));
        }
    }
    int node;
    RV_TRY(add_node(plan, &node, like, index));
    for (int i = 0; i < like->n_in; i++) {
        plan->nodes[node].in[i] = from[i];
    }
    for (int i = 0; i < like->op->n_saved; i++) {
        plan->nodes[node].saved[i] = *like->saved[i];
    }
    for (int i = 0; i < like->n_out; i++) {
        int made;
        RV_TRY(add_value(plan, &made, like->out[i], out[i]));
        plan->values[made].producer = node;
        plan->values[made].graph_value = first_output + i;
        plan->value_of[first_output + i] = made;
        plan->nodes[node].out[i] = made;
    }
    return RV_OK;
}

static rv_status add_given(rv_plan *plan, rv_value v)
{
    const rv_tensor like = {.shape = *rv_graph_shape(plan->graph, v)};
    int made;
    RV_TRY(add_value(plan, &made, &like, RV_PLAIN));
    plan->values[made].graph_value = v;
    plan->value_of[v] = made;
    return RV_OK;
}

static rv_status select_nodes(rv_plan *plan, const bool *needed, const bool *fed)
{
    const rv_graph *graph = plan->graph;
    for (rv_value v = 0; v < rv_graph_value_count(graph); v++) {
        plan->value_of[v] = -1;
        if (needed[v] && (fed[v] || rv_graph_producer(graph, v) < 0)) {
            RV_TRY(add_given(plan, v));
        }
    }
    for (int i = 0; i < rv_graph_node_count(graph); i++) {
        const rv_value first = rv_graph_node_output(graph, i, 0);
        bool wanted = false;
        for (int k = 0; k < rv_graph_node(graph, i)->n_out; k++) {
            wanted = wanted || (needed[first + k] && !fed[first + k]);
        }
        if (wanted) {
            RV_TRY(add_graph_node(plan, i, first));
        }
    }
    return RV_OK;
}

rv_status rv_plan_select(rv_plan *plan, const rv_plan_options *options)
{
    const size_t n = (size_t)rv_graph_value_count(plan->graph);
    bool *needed = NULL, *fed = NULL;
    rv_status status = rv_alloc(&needed, n + 1, sizeof *needed, "plan");
    if (status == RV_OK) {
        status = rv_alloc(&fed, n + 1, sizeof *fed, "plan");
    }
    if (status == RV_OK) {
        status = rv_alloc(&plan->value_of, n + 1, sizeof *plan->value_of, "plan");
    }
    if (status == RV_OK) {
        plan->n_value_of = n;
        status = mark_needed(plan, options, needed, fed);
    }
    if (status == RV_OK) {
        status = select_nodes(plan, needed, fed);
    }
    for (int i = 0; status == RV_OK && i < options->n_outputs; i++) {
        plan->values[plan->value_of[options->outputs[i]]].output = true;
    }
    free(needed);
    free(fed);
    return status;
}

/* --- gradients ------------------------------------------------------------------------------- */

static bool is_loss(const rv_plan *plan, const rv_plan_value *v)
{
    return v->producer >= 0 && (plan->nodes[v->producer].node.op->traits & RV_OP_LOSS) != 0;
}

static rv_status collect_losses(rv_plan *plan, const rv_plan_options *options)
{
    RV_TRY(rv_alloc(&plan->losses, (size_t)options->n_outputs + 1, sizeof *plan->losses, "plan"));
    for (int i = 0; i < options->n_outputs; i++) {
        const int v = plan->value_of[options->outputs[i]];
        if (is_loss(plan, &plan->values[v])) {
            plan->losses[plan->n_losses++] = v;
        }
    }
    return RV_OK;
}

/* Whether the node has parameters of which it is to give gradients: one may do without those of its operation. */
static bool learns(const rv_plan *plan, const rv_plan_node *p)
{
    bool has = false;
    for (int i = 0; i < p->node.op->n_params; i++) {
        has = has || rv_node_has_param(&p->node, i);
    }
    return has && plan->param_gradients && !is_frozen(plan, p->graph_node);
}

/* Forwards: which values depend on something whose gradient is wanted. */
static rv_status mark_dependent(rv_plan *plan, const rv_plan_options *options)
{
    for (int i = 0; i < options->n_gradients; i++) {
        RV_TRY(check_value(plan, options->gradients[i]));
        const int v = plan->value_of[options->gradients[i]];
        if (v < 0 || plan->values[v].producer >= 0) {
            return rv_fail(RV_ERR_INTERNAL, "'%s': a gradient is wanted of what is no input here",
                           rv_graph_value_name(plan->graph, options->gradients[i]));
        }
        plan->values[v].needs_gradient = plan->values[v].gradient_output = true;
    }
    for (size_t i = 0; i < plan->n_nodes; i++) {
        rv_plan_node *p = &plan->nodes[i];
        bool needs = learns(plan, p);
        for (int k = 0; k < p->node.n_in; k++) {
            needs = needs || plan->values[p->in[k]].needs_gradient;
        }
        for (int k = 0; k < p->node.n_out; k++) {
            plan->values[p->out[k]].needs_gradient = needs;
        }
    }
    return RV_OK;
}

bool rv_plan_is_loss(const rv_plan *plan, int value)
{
    for (size_t i = 0; i < plan->n_losses; i++) {
        if (plan->losses[i] == value) {
            return true;
        }
    }
    return false;
}

/* What one node is asked for when something above it is a loss. */
static rv_status want(rv_plan *plan, rv_plan_node *p, bool *written)
{
    rv_node *n = &p->node;
    for (int i = 0; i < n->n_in; i++) {
        rv_plan_value *v = &plan->values[p->in[i]];
        if (v->needs_gradient && rv_plan_is_loss(plan, p->in[i])) {
            return rv_fail(RV_ERR_UNSUPPORTED, "'%s': there is no gradient through the loss '%s'",
                           n->name, plan->nodes[v->producer].node.name);
        }
        if (v->needs_gradient && (n->op->no_gradient & RV_WANT_INPUT(i)) != 0) {
            return rv_fail(RV_ERR_UNSUPPORTED, "'%s': there is no gradient through input %d of %s",
                           n->name, i, n->op->name);
        }
        if (v->needs_gradient) {
            n->wanted |= RV_WANT_INPUT(i);
            p->accumulate |= written[p->in[i]] ? RV_WANT_INPUT(i) : 0;
            written[p->in[i]] = v->on_path = true;
        }
    }
    for (int i = 0; learns(plan, p) && i < n->op->n_params; i++) {
        n->wanted |= rv_node_has_param(n, i) ? RV_WANT_PARAM(i) : 0;
    }
    if (n->wanted != 0 && n->op->backward == NULL) {
        return rv_fail(RV_ERR_UNSUPPORTED, "'%s': there is no gradient through %s", n->name,
                       n->op->name);
    }
    plan->backward = plan->backward || n->wanted != 0;
    return RV_OK;
}

rv_status rv_plan_route_gradients(rv_plan *plan, const rv_plan_options *options)
{
    RV_TRY(collect_losses(plan, options));
    RV_TRY(mark_dependent(plan, options));
    for (size_t i = 0; i < plan->n_losses; i++) {
        plan->values[plan->losses[i]].on_path = true;
    }
    bool *written;
    RV_TRY(rv_alloc(&written, plan->n_values + 1, sizeof *written, "plan"));
    rv_status status = RV_OK;
    for (size_t i = plan->n_nodes; i > 0 && status == RV_OK; i--) {
        rv_plan_node *p = &plan->nodes[i - 1];
        bool on_path = false;
        for (int k = 0; k < p->node.n_out; k++) {
            on_path = on_path || plan->values[p->out[k]].on_path;
        }
        if (on_path) {
            status = want(plan, p, written);
        }
    }
    free(written);
    for (int i = 0; status == RV_OK && i < options->n_gradients; i++) {
        const rv_plan_value *v = &plan->values[plan->value_of[options->gradients[i]]];
        if (!v->on_path) {
            status = rv_fail(RV_ERR_INTERNAL, "no loss depends on '%s', whose gradient is wanted",
                             rv_graph_value_name(plan->graph, v->graph_value));
        }
    }
    return status;
}
