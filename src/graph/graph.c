/* Holds a network while it is built: values, nodes, names, parameters; infers shapes at once. */
/* SPDX-License-Identifier: MIT */
#include "graph/graph.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A value: its tensor never has memory here, only a shape. */
typedef struct value {
    rv_tensor tensor;
    char *name;
    int producer; /* node, -1 for an input */
} value;

typedef struct entry {
    rv_node node;
    char *name;
    void *attrs;
    rv_value *inputs;
    rv_value first_output;
    rv_tensor **tensors; /* what node.in and node.out point into */
    rv_tensor param_tensor[RV_MAX_PARAMS], state_tensor[RV_MAX_STATE];
    rv_tensor saved_tensor[RV_MAX_SAVED];
    rv_param param[RV_MAX_PARAMS], state[RV_MAX_STATE];
} entry;

typedef struct alias {
    char *name;
    rv_value value;
} alias;

/* Entries and values are single blocks, since nodes point to them. */
struct rv_graph {
    entry **nodes;
    value **values;
    alias *aliases;
    size_t n_nodes, n_values, n_aliases;
    size_t nodes_capacity, values_capacity, aliases_capacity;
};

rv_status rv_graph_create(rv_graph **out)
{
    return rv_alloc(out, 1, sizeof(rv_graph), "graph");
}

static void destroy_entry(entry *e)
{
    if (e == NULL) {
        return;
    }
    for (int i = 0; i < RV_MAX_PARAMS; i++) {
        free(e->param[i].data);
    }
    for (int i = 0; i < RV_MAX_STATE; i++) {
        free(e->state[i].data);
    }
    free(e->name);
    free(e->attrs);
    free(e->inputs);
    free(e->tensors);
    free(e);
}

static void destroy_value(value *v)
{
    if (v != NULL) {
        free(v->name);
        free(v);
    }
}

void rv_graph_destroy(rv_graph *graph)
{
    if (graph == NULL) {
        return;
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        destroy_entry(graph->nodes[i]);
    }
    for (size_t i = 0; i < graph->n_values; i++) {
        destroy_value(graph->values[i]);
    }
    for (size_t i = 0; i < graph->n_aliases; i++) {
        free(graph->aliases[i].name);
    }
    free(graph->nodes);
    free(graph->values);
    free(graph->aliases);
    free(graph);
}

static rv_status add_value(rv_graph *graph, rv_value *out, const char *name, int producer)
{
    RV_TRY(rv_grow(&graph->values, &graph->values_capacity, graph->n_values + 1,
                   sizeof *graph->values, "graph values"));
    value *v;
    RV_TRY(rv_alloc(&v, 1, sizeof *v, "graph value"));
    v->producer = producer;
    v->tensor.block = 1;
    const rv_status status = rv_strdup(&v->name, name);
    if (status != RV_OK) {
        free(v);
        return status;
    }
    *out = (rv_value)graph->n_values;
    graph->values[graph->n_values++] = v;
    return RV_OK;
}

static bool name_taken(const rv_graph *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (strcmp(graph->nodes[i]->name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < graph->n_values; i++) {
        if (graph->values[i]->producer < 0 && strcmp(graph->values[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

rv_status rv_graph_input(rv_graph *graph, rv_value *out, const char *name, rv_shape shape)
{
    if (name_taken(graph, name)) {
        return rv_fail(RV_ERR_USAGE, "the name '%s' stands for two layers", name);
    }
    RV_TRY(rv_shape_check(&shape, name));
    RV_TRY(add_value(graph, out, name, -1));
    graph->values[*out]->tensor.shape = shape;
    return RV_OK;
}

/* Points a rv_param at what the operation inferred for it. */
static void describe_param(entry *e, rv_param *p, const rv_tensor *t, const char *name,
                           rv_init init)
{
    p->node = e->name;
    p->name = name;
    p->shape = t->shape;
    p->init = init;
    p->fan_in = e->node.fan_in;
    p->fan_out = e->node.fan_out;
}

static rv_status infer(entry *e)
{
    rv_node *n = &e->node;
    const rv_op *op = n->op;
    RV_TRY(op->infer(n));
    for (int i = 0; i < n->n_out; i++) {
        RV_TRY(rv_shape_check(&n->out[i]->shape, n->name));
    }
    for (int i = 0; i < op->n_params; i++) {
        RV_TRY(rv_shape_check(&n->param[i]->shape, n->name));
        describe_param(e, &e->param[i], n->param[i], op->param_names[i], op->param_init[i]);
    }
    for (int i = 0; i < op->n_state; i++) {
        RV_TRY(rv_shape_check(&n->state[i]->shape, n->name));
        describe_param(e, &e->state[i], n->state[i], op->state_names[i], op->state_init[i]);
    }
    for (int i = 0; i < op->n_saved; i++) {
        RV_TRY(rv_shape_check(&n->saved[i]->shape, n->name));
    }
    return RV_OK;
}

/* Wires a new entry to its inputs and attributes; outputs come afterwards. */
static rv_status make_entry(entry **out, const rv_graph *graph, const rv_op *op, const char *name,
                            const rv_value *in, int n_in, const rv_attr_value *attrs,
                            size_t n_attrs)
{
    entry *e;
    RV_TRY(rv_alloc(&e, 1, sizeof *e, "graph node"));
    *out = e;
    e->node.op = op;
    e->node.n_in = n_in;
    e->node.n_out = op->n_out;
    RV_TRY(rv_strdup(&e->name, name));
    e->node.name = e->name;
    RV_TRY(rv_alloc(&e->attrs, 1, op->attr_size > 0 ? op->attr_size : 1, name));
    e->node.attrs = e->attrs;
    RV_TRY(rv_attrs_set(e->attrs, op->attrs, attrs, n_attrs, name));
    RV_TRY(rv_alloc(&e->inputs, (size_t)n_in + 1, sizeof *e->inputs, name));
    RV_TRY(rv_alloc(&e->tensors, (size_t)n_in + op->n_out, sizeof *e->tensors, name));
    e->node.in = e->tensors;
    e->node.out = e->tensors + n_in;
    for (int i = 0; i < n_in; i++) {
        e->inputs[i] = in[i];
        e->node.in[i] = &graph->values[in[i]]->tensor;
    }
    for (int i = 0; i < op->n_params; i++) {
        e->node.param[i] = &e->param_tensor[i];
        e->param_tensor[i].block = 1;
    }
    for (int i = 0; i < op->n_state; i++) {
        e->node.state[i] = &e->state_tensor[i];
        e->state_tensor[i].block = 1;
    }
    for (int i = 0; i < op->n_saved; i++) {
        e->node.saved[i] = &e->saved_tensor[i];
    }
    return RV_OK;
}

static rv_status add_outputs(rv_graph *graph, entry *e, int index)
{
    e->first_output = (rv_value)graph->n_values;
    for (int i = 0; i < e->node.n_out; i++) {
        rv_value v;
        RV_TRY(add_value(graph, &v, e->name, index));
        e->node.out[i] = &graph->values[v]->tensor;
    }
    return infer(e);
}

static rv_status check_input_count(const rv_op *op, const char *name, int n)
{
    if (n >= op->min_in && n <= op->max_in) {
        return RV_OK;
    }
    return op->min_in == op->max_in
               ? rv_fail(RV_ERR_SHAPE, "'%s': %s takes %d input%s, not %d", name, op->name,
                         op->min_in, op->min_in == 1 ? "" : "s", n)
               : rv_fail(RV_ERR_SHAPE, "'%s': %s takes %d to %d inputs, not %d", name, op->name,
                         op->min_in, op->max_in, n);
}

rv_status rv_graph_add(rv_graph *graph, rv_value *out, const char *op_name, const char *name,
                       const rv_value *in, int n_in, const rv_attr_value *attrs, size_t n_attrs)
{
    const rv_op *op;
    RV_TRY(rv_op_find(&op, op_name, name));
    if (name_taken(graph, name)) {
        return rv_fail(RV_ERR_USAGE, "the name '%s' stands for two layers", name);
    }
    RV_TRY(check_input_count(op, name, n_in));
    RV_TRY(rv_grow(&graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1, sizeof *graph->nodes,
                   "graph nodes"));
    entry *e = NULL;
    const size_t n_values = graph->n_values;
    rv_status status = make_entry(&e, graph, op, name, in, n_in, attrs, n_attrs);
    if (status == RV_OK) {
        status = add_outputs(graph, e, (int)graph->n_nodes);
    }
    if (status != RV_OK) {
        while (graph->n_values > n_values) {
            destroy_value(graph->values[--graph->n_values]);
        }
        destroy_entry(e);
        return status;
    }
    for (int i = 0; i < e->node.n_out; i++) {
        out[i] = e->first_output + i;
    }
    graph->nodes[graph->n_nodes++] = e;
    return RV_OK;
}

rv_status rv_graph_alias(rv_graph *graph, rv_value v, const char *name)
{
    RV_TRY(rv_grow(&graph->aliases, &graph->aliases_capacity, graph->n_aliases + 1,
                   sizeof *graph->aliases, "graph names"));
    RV_TRY(rv_strdup(&graph->aliases[graph->n_aliases].name, name));
    graph->aliases[graph->n_aliases++].value = v;
    return RV_OK;
}

static rv_status fail_unknown_layer(const rv_graph *graph, const char *name)
{
    const char **names;
    RV_TRY(rv_alloc(&names, graph->n_nodes + 1, sizeof *names, "layer names"));
    rv_text all = {0};
    for (size_t i = 0; i < graph->n_nodes; i++) {
        names[i] = graph->nodes[i]->name;
        rv_text_append(&all, "%s%s", i > 0 ? " " : "", names[i]);
    }
    const int nearest = rv_nearest(name, names, graph->n_nodes);
    const rv_status status =
        rv_fail(RV_ERR_NOT_FOUND, "there is no layer '%s'; the nearest is '%s'; all: %s", name,
                nearest >= 0 ? names[nearest] : "", all.data != NULL ? all.data : "none");
    rv_text_release(&all);
    free(names);
    return status;
}

rv_status rv_graph_find(const rv_graph *graph, rv_value *out, const char *name)
{
    *out = -1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        if (strcmp(graph->nodes[i]->name, name) == 0) {
            *out = graph->nodes[i]->first_output;
            return RV_OK;
        }
    }
    for (size_t i = graph->n_aliases; i > 0; i--) {
        if (strcmp(graph->aliases[i - 1].name, name) == 0) {
            *out = graph->aliases[i - 1].value;
            return RV_OK;
        }
    }
    for (size_t i = 0; i < graph->n_values; i++) {
        if (graph->values[i]->producer < 0 && strcmp(graph->values[i]->name, name) == 0) {
            *out = (rv_value)i;
            return RV_OK;
        }
    }
    return fail_unknown_layer(graph, name);
}

static rv_status check_same(const rv_param *p, const rv_shape *before)
{
    char now[64], then[64];
    return rv_shape_equal(before, &p->shape)
               ? RV_OK
               : rv_fail(RV_ERR_SHAPE,
                         "'%s': with this input size its %s would be %s, but it is %s; choose "
                         "layers before it, or the size the network was made for",
                         p->node, p->name, rv_shape_text(now, &p->shape),
                         rv_shape_text(then, before));
}

/* Infers a node whose parameters and state, which have values by now, must come out as they were. */
static rv_status infer_again(entry *e)
{
    const rv_op *op = e->node.op;
    rv_shape params[RV_MAX_PARAMS], state[RV_MAX_STATE];
    for (int i = 0; i < op->n_params; i++) {
        params[i] = e->param[i].shape;
    }
    for (int i = 0; i < op->n_state; i++) {
        state[i] = e->state[i].shape;
    }
    RV_TRY(infer(e));
    for (int i = 0; i < op->n_params; i++) {
        RV_TRY(check_same(&e->param[i], &params[i]));
    }
    for (int i = 0; i < op->n_state; i++) {
        RV_TRY(check_same(&e->state[i], &state[i]));
    }
    return RV_OK;
}

static rv_status infer_all(rv_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        RV_TRY(infer_again(graph->nodes[i]));
    }
    return RV_OK;
}

rv_status rv_graph_reshape(rv_graph *graph, rv_value input, rv_shape shape)
{
    rv_shape *const current = &graph->values[input]->tensor.shape;
    const rv_shape before = *current;
    RV_TRY(rv_shape_check(&shape, graph->values[input]->name));
    *current = shape;
    const rv_status status = infer_all(graph);
    if (status == RV_OK) {
        return RV_OK;
    }
    rv_error error;
    rv_error_save(&error, status);
    *current = before;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        RV_TRY(infer(graph->nodes[i]));
    }
    return rv_error_restore(&error);
}

rv_graph_mark rv_graph_get_mark(const rv_graph *graph)
{
    return (rv_graph_mark){graph->n_nodes, graph->n_values, graph->n_aliases};
}

void rv_graph_rewind(rv_graph *graph, rv_graph_mark mark)
{
    while (graph->n_nodes > mark.n_nodes) {
        destroy_entry(graph->nodes[--graph->n_nodes]);
    }
    while (graph->n_values > mark.n_values) {
        destroy_value(graph->values[--graph->n_values]);
    }
    while (graph->n_aliases > mark.n_aliases) {
        free(graph->aliases[--graph->n_aliases].name);
    }
}

int rv_graph_node_count(const rv_graph *graph)
{
    return (int)graph->n_nodes;
}

const rv_node *rv_graph_node(const rv_graph *graph, int index)
{
    return &graph->nodes[index]->node;
}

int rv_graph_value_count(const rv_graph *graph)
{
    return (int)graph->n_values;
}

const rv_shape *rv_graph_shape(const rv_graph *graph, rv_value v)
{
    return &graph->values[v]->tensor.shape;
}

const char *rv_graph_value_name(const rv_graph *graph, rv_value v)
{
    return graph->values[v]->name;
}

int rv_graph_producer(const rv_graph *graph, rv_value v)
{
    return graph->values[v]->producer;
}

const rv_value *rv_graph_node_inputs(const rv_graph *graph, int index)
{
    return graph->nodes[index]->inputs;
}

rv_value rv_graph_node_output(const rv_graph *graph, int index, int output)
{
    return graph->nodes[index]->first_output + output;
}

rv_param *rv_graph_param(rv_graph *graph, int node, int i)
{
    entry *e = graph->nodes[node];
    return i < e->node.op->n_params && e->param[i].shape.rank > 0 ? &e->param[i] : NULL;
}

rv_param *rv_graph_state(rv_graph *graph, int node, int i)
{
    entry *e = graph->nodes[node];
    return i < e->node.op->n_state && e->state[i].shape.rank > 0 ? &e->state[i] : NULL;
}

static rv_status check_count(const rv_param *param, size_t count)
{
    char text[64];
    return count == rv_shape_count(&param->shape)
               ? RV_OK
               : rv_fail(RV_ERR_SHAPE, "'%s': %s has %zu values, but its shape %s needs %zu",
                         param->node, param->name, count, rv_shape_text(text, &param->shape),
                         rv_shape_count(&param->shape));
}

/* Of values from number `first` on. */
static rv_status check_finite(const rv_param *param, const float *data, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(data[i])) {
            return rv_fail(RV_ERR_FORMAT, "'%s': value %zu of %s is %s; the file is damaged",
                           param->node, first + i, param->name,
                           isnan(data[i]) ? "NaN" : "infinite");
        }
    }
    return RV_OK;
}

rv_status rv_param_set(rv_param *param, const float *data, size_t count)
{
    RV_TRY(check_count(param, count));
    RV_TRY(check_finite(param, data, 0, count));
    if (param->data == NULL) {
        RV_TRY(rv_alloc(&param->data, count, sizeof(float), param->node));
    }
    memcpy(param->data, data, count * sizeof(float));
    return RV_OK;
}

/* What lies in a mapped file is looked through in pieces that leave memory again. */
enum { PIECE = 4096, FORGOTTEN = 1 << 22 };

rv_status rv_param_lend(rv_param *param, const uint8_t *values, size_t count)
{
    float piece[PIECE];
    RV_TRY(check_count(param, count));
    for (size_t at = 0; at < count; at += PIECE) {
        const size_t n = count - at < PIECE ? count - at : PIECE;
        memcpy(piece, values + at * sizeof *piece, n * sizeof *piece);
        RV_TRY(check_finite(param, piece, at, n));
        if ((at + PIECE) % FORGOTTEN == 0 || at + n == count) {
            const size_t first = at / FORGOTTEN * FORGOTTEN;
            rv_bytes_forget_part(values + first * sizeof *piece, (at + n - first) * sizeof *piece);
        }
    }
    param->lent = values;
    return RV_OK;
}

void rv_param_read(float *out, const rv_param *param)
{
    const size_t count = rv_shape_count(&param->shape);
    if (param->data != NULL) {
        memcpy(out, param->data, count * sizeof *out);
        return;
    }
    for (size_t at = 0; at < count; at += FORGOTTEN) {
        const size_t n = count - at < FORGOTTEN ? count - at : FORGOTTEN;
        memcpy(out + at, param->lent + at * sizeof *out, n * sizeof *out);
        rv_bytes_forget_part(param->lent + at * sizeof *out, n * sizeof *out);
    }
}

void rv_graph_release_values(rv_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        entry *e = graph->nodes[i];
        for (int p = 0; p < RV_MAX_PARAMS; p++) {
            free(e->param[p].data);
            e->param[p].data = NULL;
            e->param[p].lent = NULL;
        }
        for (int s = 0; s < RV_MAX_STATE; s++) {
            free(e->state[s].data);
            e->state[s].data = NULL;
        }
    }
}
