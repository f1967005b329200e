/* Training a head on features that were written before, in place of what frozen layers make of pictures. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include "stages/train_run.h"

#include <reverie/features.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Names of the layers of a head begin so. */
#define HEAD "head/"

rv_status rv_train_resolve_features(rv_train_options *o)
{
    if (!o->features) {
        return RV_OK;
    }
    if (o->model == NULL) {
        return rv_fail(RV_ERR_USAGE,
                       "features are those of a model, behind which a head is trained: "
                       "name it (--model)");
    }
    if (o->recipe != NULL || o->unfreeze_from != NULL || o->size > 0) {
        return rv_fail(RV_ERR_USAGE,
                       "%s takes pictures: with features the layers below the head "
                       "are not run",
                       o->recipe != NULL          ? "augmentation (--recipe)"
                       : o->unfreeze_from != NULL ? "a second phase (--unfreeze-from)"
                                                  : "another size (--size)");
    }
    o->head = o->head != NULL ? o->head : "linear";
    if (o->freeze == NULL && o->freeze_until == NULL && o->freeze_below == NULL) {
        o->freeze = "!" HEAD "*";
    }
    return RV_OK;
}

rv_status rv_train_open_features(rv_train_run *run, const rv_dataset_options *options)
{
    RV_TRY(rv_feature_rows_open(&run->rows, run->dataset_path));
    return rv_dataset_open_names(&run->dataset, run->dataset_path, rv_feature_rows_names(run->rows),
                                 rv_feature_rows_count(run->rows), options);
}

/* --- whether they are of this model ----------------------------------------------------------- */

/* What the network gives for the picture of the first row, less the row: the largest difference as a share of the largest
 * value; 0 where the picture cannot be had. */
static rv_status measure_difference(rv_train_run *run, double *out)
{
    const char *layer = rv_graph_value_name(run->graph.graph, run->input);
    const char *picture = rv_feature_rows_names(run->rows)[0];
    double most = 1e-30, difference = 0;
    rv_features *features;
    RV_TRY(rv_features_create(&features, run->model, run->device, &layer, 1));
    if (rv_features_run_file(features, picture, NULL) == RV_OK) {
        const rv_feature_map map = rv_features_map(features, 0);
        size_t values = map.dim[1];
        for (int i = 2; i < map.rank; i++) {
            values *= map.dim[i];
        }
        for (size_t i = 0; i < run->n_row_values && values == run->n_row_values; i++) {
            const double now = (double)map.data[i], then = (double)run->row_values[i];
            most = fmax(most, fmax(fabs(now), fabs(then)));
            difference = fmax(difference, fabs(now - then));
        }
    }
    rv_features_destroy(features);
    *out = difference / most;
    return RV_OK;
}

/* A row that another network, another pooling or another picture gave trains a head that is of no use. */
static rv_status compare_first(rv_train_run *run)
{
    double difference;
    if (!rv_path_exists(rv_feature_rows_names(run->rows)[0])) {
        return RV_OK;
    }
    RV_TRY(measure_difference(run, &difference));
    if (!(difference <= 0.01)) {
        rv_log(run->options.events, RV_LOG_WARNING,
               "%s: the values of %s are not those that this model gives (they differ by %.0f %%): "
               "were they pooled by their maxima, or by another model, or is it another picture?",
               run->dataset_path, rv_feature_rows_names(run->rows)[0], 100 * difference);
    }
    return RV_OK;
}

/* --- which layer ----------------------------------------------------------------------------- */

enum { MOST = 4 };

/* Values that rows could stand for: what the head reads, and within it what has no weights of its own, from its end. */
static size_t list_inputs(const rv_train_run *run, rv_value cut, rv_value out[MOST])
{
    const rv_graph *graph = run->graph.graph;
    size_t n = 0;
    for (rv_value v = cut; n < MOST;) {
        const int producer = rv_graph_producer(graph, v);
        out[n++] = v;
        if (producer < 0 ||
            strncmp(rv_graph_node(graph, producer)->name, HEAD, strlen(HEAD)) != 0) {
            break;
        }
        v = rv_graph_node_inputs(graph, producer)[0];
    }
    return n;
}

static bool is_named(const rv_train_run *run, const char *layer, const rv_value *inputs, size_t n)
{
    rv_value value;
    bool found = false;
    if (rv_graph_find(run->graph.graph, &value, layer) == RV_OK) {
        for (size_t i = 0; i < n; i++) {
            found = found || value == inputs[i];
        }
    }
    return found;
}

/* Whether the network has a layer of that name at all. */
static bool is_layer(const rv_train_run *run, const char *name)
{
    rv_value value;
    return rv_graph_find(run->graph.graph, &value, name) == RV_OK;
}

/* The layer of the file that the head reads; or its only one, if it has no name that tells otherwise. */
static rv_status choose_layer(const rv_train_run *run, size_t *out, const rv_value *inputs,
                              size_t n)
{
    const size_t layers = rv_feature_rows_layers(run->rows);
    for (size_t k = 0; k < layers; k++) {
        const char *layer = rv_feature_rows_layer(run->rows, k);
        if ((layers == 1 && !is_layer(run, layer)) || is_named(run, layer, inputs, n)) {
            *out = k;
            return RV_OK;
        }
    }
    return rv_fail(RV_ERR_USAGE,
                   "%s has no values of '%s', which the head reads: extract --layers %s",
                   run->dataset_path, rv_graph_value_name(run->graph.graph, inputs[n - 1]),
                   rv_graph_value_name(run->graph.graph, inputs[n - 1]));
}

static size_t floats_of(const rv_train_run *run, rv_value value)
{
    const rv_shape *shape = rv_graph_shape(run->graph.graph, value);
    return rv_shape_count(shape) / (size_t)shape->dim[0];
}

rv_status rv_train_find_features(rv_train_run *run, rv_value cut)
{
    rv_value inputs[MOST];
    size_t layer;
    const rv_graph *graph = run->graph.graph;
    if (cut == run->graph.picture) {
        return rv_fail(RV_ERR_USAGE, "with features all below the head stays as it is: leave "
                                     "--freeze and its like out");
    }
    const size_t n = list_inputs(run, cut, inputs);
    RV_TRY(choose_layer(run, &layer, inputs, n));
    RV_TRY(rv_feature_rows_read(run->rows, layer, &run->row_values, &run->n_row_values));
    for (size_t i = 0; i < n; i++) {
        if (floats_of(run, inputs[i]) == run->n_row_values) {
            run->input = inputs[i];
            return compare_first(run);
        }
    }
    const char *name = rv_graph_value_name(graph, inputs[n - 1]);
    return rv_fail(RV_ERR_SHAPE,
                   "%s has %zu values in a row, but the head of this model reads '%s', of %zu%s: "
                   "extract --layers %s%s",
                   run->dataset_path, run->n_row_values, name, floats_of(run, inputs[0]),
                   n > 1 ? " pooled" : "", name, n > 1 ? " --pool avg" : "");
}

/* --- tables ---------------------------------------------------------------------------------- */

rv_status rv_train_take_features(rv_train_run *run)
{
    const size_t floats = run->n_row_values;
    for (int s = 0; s < RV_SUBSETS; s++) {
        const size_t n = rv_dataset_count(run->dataset, (rv_subset)s);
        if (n == 0) {
            continue;
        }
        RV_TRY(rv_alloc(&run->table[s], n * floats, sizeof(float), "features"));
        for (size_t i = 0; i < n; i++) {
            const size_t row = rv_dataset_number(run->dataset, (rv_subset)s, i);
            memcpy(run->table[s] + i * floats, run->row_values + row * floats,
                   floats * sizeof(float));
        }
    }
    free(run->row_values);
    run->row_values = NULL;
    return RV_OK;
}
