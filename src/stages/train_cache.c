/* What frozen layers make of each picture, computed once where nothing changes it from epoch to epoch. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "stages/train_run.h"

#include <math.h>
#include <stdlib.h>

/* Beyond this the layers are run again each time. */
static const size_t max_table_bytes = (size_t)1 << 30;

/* --- where to cut ---------------------------------------------------------------------------- */

/* Whether what the node gives depends on the picture alone, all its inputs being so. */
static bool keeps_fixed(const rv_train_run *run, int node)
{
    const rv_node *n = rv_graph_node(run->graph.graph, node);
    const uint32_t changing = RV_OP_DRAWS | RV_OP_LOSS;
    return run->frozen[node] ||
           (n->op->n_params == 0 && n->op->n_state == 0 && (n->op->traits & changing) == 0);
}

static bool is_fixed(const rv_train_run *run, rv_value value)
{
    const int producer = rv_graph_producer(run->graph.graph, value);
    return producer >= 0 ? run->fixed[producer] : value == run->graph.picture;
}

static void mark_fixed(rv_train_run *run)
{
    for (int i = 0; i < rv_graph_node_count(run->graph.graph); i++) {
        bool fixed = keeps_fixed(run, i);
        for (int k = 0; k < rv_graph_node(run->graph.graph, i)->n_in; k++) {
            fixed = fixed && is_fixed(run, rv_graph_node_inputs(run->graph.graph, i)[k]);
        }
        run->fixed[i] = fixed;
    }
}

/* The one fixed value that the rest reads; the picture where there are several. */
static rv_value find_cut(const rv_train_run *run)
{
    rv_value cut = -1;
    for (int i = 0; i < rv_graph_node_count(run->graph.graph); i++) {
        for (int k = 0; !run->fixed[i] && k < rv_graph_node(run->graph.graph, i)->n_in; k++) {
            const rv_value v = rv_graph_node_inputs(run->graph.graph, i)[k];
            if (is_fixed(run, v) && cut >= 0 && cut != v) {
                return run->graph.picture;
            }
            cut = is_fixed(run, v) ? v : cut;
        }
    }
    return cut >= 0 ? cut : run->graph.picture;
}

static size_t row_floats(const rv_train_run *run)
{
    const rv_shape *shape = rv_graph_shape(run->graph.graph, run->input);
    return rv_shape_count(shape) / (size_t)shape->dim[0];
}

rv_status rv_train_find_input(rv_train_run *run)
{
    run->input = run->graph.picture;
    RV_TRY(rv_alloc(&run->fixed, (size_t)rv_graph_node_count(run->graph.graph), sizeof *run->fixed,
                    "layers"));
    if (run->frozen == NULL || run->augmenter != NULL) {
        return RV_OK;
    }
    mark_fixed(run);
    run->input = find_cut(run);
    if (run->rows != NULL) {
        return rv_train_find_features(run, run->input);
    }
    const size_t pictures = rv_dataset_count(run->dataset, RV_SUBSET_TRAIN) +
                            rv_dataset_count(run->dataset, RV_SUBSET_VALIDATION);
    if (run->input != run->graph.picture &&
        row_floats(run) > max_table_bytes / sizeof(float) / pictures) {
        rv_log(run->options.events, RV_LOG_INFO,
               "what frozen layers make of %zu pictures is too large to keep: they run each time",
               pictures);
        run->input = run->graph.picture;
    }
    return RV_OK;
}

/* --- tables ---------------------------------------------------------------------------------- */

static rv_status fill_table(rv_train_run *run, rv_plan *plan, rv_subset subset)
{
    const rv_loader_options options = rv_train_loader_options(run, subset, false);
    const size_t floats = row_floats(run), batch = (size_t)run->options.batch;
    rv_loader *loader;
    float *rows = NULL;
    rv_batch b;
    RV_TRY(rv_loader_create(&loader, run->dataset, &options, 0));
    rv_status status = rv_alloc(&rows, batch * floats, sizeof *rows, "a batch");
    while (status == RV_OK && (status = rv_loader_next(loader, &b)) == RV_OK && b.n > 0) {
        status = rv_check_cancelled(run->options.events);
        if (status == RV_OK) {
            status =
                rv_tensor_write(run->device, rv_plan_tensor(plan, run->graph.picture), b.pictures);
        }
        if (status == RV_OK) {
            status = rv_plan_forward(plan);
        }
        if (status == RV_OK) {
            status = rv_tensor_read(run->device, rv_plan_tensor(plan, run->input), rows);
        }
        for (size_t i = 0; status == RV_OK && i < b.n; i++) {
            float *to = run->table[subset] + ((size_t)b.number * batch + i) * floats;
            for (size_t k = 0; k < floats; k++) {
                to[k] = !rv_batch_has(&b, i) ? NAN : rows[i * floats + k];
            }
        }
        const int64_t total = rv_loader_batches(loader);
        const rv_progress progress = {.task = "running frozen layers",
                                      .done = b.number + 1,
                                      .total = total,
                                      .fraction = (double)(b.number + 1) / (double)total,
                                      .loss = NAN,
                                      .seconds_left = -1};
        rv_report(run->options.events, &progress);
    }
    run->unreadable += rv_loader_unreadable(loader);
    rv_loader_destroy(loader);
    free(rows);
    return status;
}

rv_status rv_train_fill_tables(rv_train_run *run)
{
    rv_plan *plan = NULL;
    rv_status status = RV_OK;
    if (run->rows != NULL) {
        return rv_train_take_features(run);
    }
    if (run->input == run->graph.picture) {
        return RV_OK;
    }
    const rv_plan_options options = {
        .mode = RV_INFER, .outputs = &run->input, .n_outputs = 1, .events = run->options.events};
    RV_TRY(rv_plan_create(&plan, run->graph.graph, run->params, run->device, &options));
    for (int s = 0; s < RV_SUBSETS && status == RV_OK; s++) {
        const size_t n = rv_dataset_count(run->dataset, (rv_subset)s);
        if (n > 0) {
            status = rv_alloc(&run->table[s], n * row_floats(run), sizeof(float), "features");
        }
        if (n > 0 && status == RV_OK) {
            status = fill_table(run, plan, (rv_subset)s);
        }
    }
    rv_plan_destroy(plan);
    return status;
}

size_t rv_train_row_floats(const rv_train_run *run)
{
    return row_floats(run);
}
