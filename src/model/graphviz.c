/* Draws the layers of a model as text for Graphviz: a box for each, frames around those of a scope. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/internal.h"

#include <stdlib.h>

/* Of layers with weights, and without. */
#define LEARNS "#d9e8f6"
#define OTHER  "#f4f4f4"

typedef struct drawing {
    FILE *to;
    const rv_model *model;
    const rv_graph *graph;
    bool *drawn; /* by node */
} drawing;

/* Inside quotes. */
static void write_text(FILE *to, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            putc('\\', to);
        }
        putc((unsigned char)text[i] < ' ' ? ' ' : text[i], to);
    }
}

static void write_quoted(FILE *to, const char *text, size_t n)
{
    putc('"', to);
    write_text(to, text, n);
    putc('"', to);
}

/* Its name in its scope, operation and attributes that are not the defaults, and how much it learns. */
static rv_status draw_node(const drawing *d, int index, size_t scope, int indent)
{
    const rv_node *n = rv_graph_node(d->graph, index);
    const rv_layer_info info = rv_model_layer(d->model, index);
    rv_text attrs = {0};
    rv_attrs_print(&attrs, n->attrs, n->op->attrs);
    const rv_status status = rv_text_status(&attrs);
    fprintf(d->to, "%*s", indent, "");
    write_quoted(d->to, n->name, strlen(n->name));
    fprintf(d->to, " [label=\"");
    write_text(d->to, n->name + scope, strlen(n->name + scope));
    fprintf(d->to, "\\n%s%s", n->op->name, attrs.data != NULL ? attrs.data : "");
    if (info.parameters > 0) {
        fprintf(d->to, "\\n%ju parameters\", fillcolor=\"" LEARNS, (uintmax_t)info.parameters);
    }
    fprintf(d->to, "\"];\n");
    rv_text_release(&attrs);
    return status;
}

/* How many nodes have names that begin so. */
static int count_in(const drawing *d, const char *prefix, size_t n_prefix)
{
    int n = 0;
    for (int i = 0; i < rv_graph_node_count(d->graph); i++) {
        n += strncmp(rv_graph_node(d->graph, i)->name, prefix, n_prefix) == 0;
    }
    return n;
}

/* Layers whose names begin with `prefix`, in the order they run; a frame around those that share a scope. */
static rv_status draw_scope(const drawing *d, const char *prefix, size_t n_prefix, int indent)
{
    for (int i = 0; i < rv_graph_node_count(d->graph); i++) {
        const char *name = rv_graph_node(d->graph, i)->name;
        if (d->drawn[i] || strncmp(name, prefix, n_prefix) != 0) {
            continue;
        }
        const char *slash = strchr(name + n_prefix, '/');
        const size_t scope = slash != NULL ? (size_t)(slash - name) : 0;
        if (slash == NULL || scope == n_prefix || count_in(d, name, scope + 1) < 2) {
            d->drawn[i] = true;
            RV_TRY(draw_node(d, i, n_prefix, indent));
            continue;
        }
        fprintf(d->to, "%*ssubgraph \"cluster_", indent, "");
        write_text(d->to, name, scope);
        fprintf(d->to, "\" {\n%*slabel=", indent + 2, "");
        write_quoted(d->to, name + n_prefix, scope - n_prefix);
        fprintf(d->to, ";\n");
        RV_TRY(draw_scope(d, name, scope + 1, indent + 2));
        fprintf(d->to, "%*s}\n", indent, "");
    }
    return RV_OK;
}

/* From what makes a value to what takes it, with its shape but the batch. */
static void draw_edge(const drawing *d, rv_value value, const char *to)
{
    const rv_shape *shape = rv_graph_shape(d->graph, value);
    const char *from = rv_graph_value_name(d->graph, value);
    fprintf(d->to, "  ");
    write_quoted(d->to, from, strlen(from));
    fprintf(d->to, " -> ");
    write_quoted(d->to, to, strlen(to));
    fprintf(d->to, " [label=\"");
    for (int i = 1; i < shape->rank; i++) {
        fprintf(d->to, "%s%d", i > 1 ? "x" : "", (int)shape->dim[i]);
    }
    fprintf(d->to, "\"];\n");
}

static rv_status draw(const drawing *d)
{
    const char *name = rv_model_name(d->model);
    fprintf(d->to, "digraph ");
    write_quoted(d->to, name, strlen(name));
    fprintf(d->to,
            " {\n"
            "  node [shape=box, style=\"filled,rounded\", fillcolor=\"" OTHER
            "\", fontname=\"Helvetica\", fontsize=11];\n"
            "  edge [fontname=\"Helvetica\", fontsize=9];\n"
            "  graph [fontname=\"Helvetica\", fontsize=12, style=rounded, color=\"#909090\"];\n"
            "  \"picture\" [shape=ellipse];\n");
    RV_TRY(draw_scope(d, "", 0, 2));
    for (int i = 0; i < rv_graph_node_count(d->graph); i++) {
        const rv_node *n = rv_graph_node(d->graph, i);
        for (int k = 0; k < n->n_in; k++) {
            draw_edge(d, rv_graph_node_inputs(d->graph, i)[k], n->name);
        }
    }
    fprintf(d->to, "}\n");
    return RV_OK;
}

rv_status rv_model_draw(const rv_model *model, const char *path, bool overwrite)
{
    drawing d = {.model = model, .graph = model->graph.graph};
    rv_output *output;
    if (d.graph == NULL) {
        return rv_fail(RV_ERR_USAGE, "'%s' is no network: it has no layers to draw",
                       rv_model_name(model));
    }
    RV_TRY(rv_output_open(&output, path, overwrite));
    d.to = rv_output_stream(output);
    rv_status status =
        rv_alloc(&d.drawn, (size_t)rv_graph_node_count(d.graph), sizeof *d.drawn, "a drawing");
    if (status == RV_OK) {
        status = draw(&d);
    }
    free(d.drawn);
    if (status != RV_OK) {
        rv_output_discard(output);
        return status;
    }
    return rv_output_commit(output);
}
