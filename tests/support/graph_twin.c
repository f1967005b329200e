/* Runs the twins of a graph's nodes in order. */
/* SPDX-License-Identifier: MIT */
#include "support/graph_twin.h"

#include "reference/reference.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Operations without state that the tests of graph and stages build their networks of. */
#define TWINS(X)                                                                                   \
    X(add)                                                                                         \
    X(average_pool)                                                                                \
    X(conv)                                                                                        \
    X(dense) X(dot_loss) X(gram) X(leaky_relu) X(max_pool) X(mse_loss) X(preprocess) X(range_loss) \
        X(relu) X(resize) X(sqrt) X(square) X(tv_loss)

#define DECLARE(op) rv_twin twin_##op;
TWINS(DECLARE)

static rv_twin *find_twin(const char *name)
{
#define ROW(op) {#op, twin_##op},
    static const struct {
        const char *name;
        rv_twin *twin;
    } rows[] = {TWINS(ROW)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].twin;
        }
    }
    cr_assert_fail("there is no twin of '%s' here", name);
    return NULL;
}

static void *array(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    cr_assert(p != NULL);
    return p;
}

void rv_graph_twin_create(rv_graph_twin *out, rv_graph *graph)
{
    const int n_values = rv_graph_value_count(graph), n_nodes = rv_graph_node_count(graph);
    out->graph = graph;
    out->value = array((size_t)n_values, sizeof *out->value);
    out->param = array((size_t)n_nodes, sizeof *out->param);
    for (int v = 0; v < n_values; v++) {
        out->value[v] = array(rv_shape_count(rv_graph_shape(graph, v)), sizeof(double));
    }
    for (int i = 0; i < n_nodes; i++) {
        for (int p = 0; p < RV_MAX_PARAMS; p++) {
            const rv_param *param = rv_graph_param(graph, i, p);
            const size_t n = param != NULL ? rv_shape_count(&param->shape) : 0;
            out->param[i][p] = param != NULL ? array(n, sizeof(double)) : NULL;
            for (size_t k = 0; k < n; k++) {
                out->param[i][p][k] = (double)param->data[k];
            }
        }
    }
}

void rv_graph_twin_release(rv_graph_twin *twin)
{
    for (int v = 0; v < rv_graph_value_count(twin->graph); v++) {
        free(twin->value[v]);
    }
    for (int i = 0; i < rv_graph_node_count(twin->graph); i++) {
        for (int p = 0; p < RV_MAX_PARAMS; p++) {
            free(twin->param[i][p]);
        }
    }
    free(twin->value);
    free(twin->param);
}

void rv_graph_twin_run(rv_graph_twin *twin)
{
    for (int i = 0; i < rv_graph_node_count(twin->graph); i++) {
        const rv_node *n = rv_graph_node(twin->graph, i);
        rv_reference r = {.node = n};
        for (int k = 0; k < n->n_in; k++) {
            r.in[k] = twin->value[rv_graph_node_inputs(twin->graph, i)[k]];
        }
        for (int k = 0; k < n->n_out; k++) {
            r.out[k] = twin->value[rv_graph_node_output(twin->graph, i, k)];
        }
        for (int p = 0; p < RV_MAX_PARAMS; p++) {
            r.param[p] = twin->param[i][p];
        }
        find_twin(n->op->name)(&r);
    }
}
