/* Values and layers of an ONNX graph that is being imported: what the families of nodes work with. */
/* SPDX-License-Identifier: MIT */
#include "model/onnx_import.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* --- values ---------------------------------------------------------------------------------- */

rv_onnx_value *rv_onnx_find(const rv_onnx_importer *im, const char *name)
{
    for (size_t i = im->n_values; i > 0; i--) {
        if (strcmp(im->values[i - 1].name, name) == 0) {
            return &im->values[i - 1];
        }
    }
    return NULL;
}

rv_status rv_onnx_add_value(rv_onnx_value **out, rv_onnx_importer *im, const char *name)
{
    if (rv_onnx_find(im, name) != NULL) {
        return rv_fail(RV_ERR_FORMAT, "the name '%.100s' is given to two values", name);
    }
    RV_TRY(rv_grow(&im->values, &im->capacity, im->n_values + 1, sizeof *im->values, "values"));
    *out = &im->values[im->n_values++];
    **out = (rv_onnx_value){.name = name};
    return RV_OK;
}

const rv_onnx_value *rv_onnx_in(const rv_onnx_importer *im, const rv_onnx_node *node, size_t i)
{
    return i < node->inputs.n && node->inputs.list[i][0] != '\0'
               ? rv_onnx_find(im, node->inputs.list[i])
               : NULL;
}

rv_status rv_onnx_data(const rv_onnx_value **out, const rv_onnx_importer *im,
                       const rv_onnx_node *node, size_t i)
{
    const rv_onnx_value *v = rv_onnx_in(im, node, i);
    if (v == NULL) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (%.60s) has no input %zu",
                       rv_onnx_node_name(node), node->op, i);
    }
    *out = v;
    return v->constant == NULL ? RV_OK
                               : rv_fail(RV_ERR_UNSUPPORTED, "a constant as its input %zu", i);
}

const rv_shape *rv_onnx_physical(const rv_onnx_importer *im, const rv_onnx_value *v)
{
    return rv_graph_shape(im->graph, v->at);
}

bool rv_onnx_is_direct(const rv_onnx_importer *im, const rv_onnx_value *v)
{
    const rv_shape *s = rv_onnx_physical(im, v);
    bool same = s->rank == v->shape.rank;
    for (int i = 0; same && i < s->rank; i++) {
        same = s->dim[i] == v->shape.dim[i];
    }
    return same;
}

rv_status rv_onnx_maps(const rv_onnx_value **out, const rv_onnx_importer *im,
                       const rv_onnx_node *node, size_t i)
{
    char text[96];
    RV_TRY(rv_onnx_data(out, im, node, i));
    if ((*out)->shape.rank != 4) {
        return rv_fail(RV_ERR_UNSUPPORTED, "an input of %s, where N x C x H x W is taken",
                       rv_onnx_shape_text(text, &(*out)->shape));
    }
    return rv_onnx_is_direct(im, *out)
               ? RV_OK
               : rv_fail(RV_ERR_UNSUPPORTED, "values that were put into another shape, %s",
                         rv_onnx_shape_text(text, &(*out)->shape));
}

rv_status rv_onnx_constant(const rv_onnx_tensor **out, const rv_onnx_importer *im,
                           const rv_onnx_node *node, size_t i, const char *what, bool optional)
{
    const rv_onnx_value *v = rv_onnx_in(im, node, i);
    *out = v != NULL ? v->constant : NULL;
    if (v == NULL && !optional) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (%.60s) has no %s", rv_onnx_node_name(node),
                       node->op, what);
    }
    return v == NULL || *out != NULL
               ? RV_OK
               : rv_fail(RV_ERR_UNSUPPORTED, "%s that is computed from the picture", what);
}

rv_status rv_onnx_number(double *out, const rv_onnx_importer *im, const rv_onnx_node *node,
                         size_t i, double initial)
{
    const rv_onnx_tensor *t;
    *out = initial;
    RV_TRY(rv_onnx_constant(&t, im, node, i, "number", true));
    if (t == NULL || t->count == 0) {
        return RV_OK;
    }
    return t->count == 1 ? rv_onnx_tensor_values(t, 0, 1, out)
                         : rv_fail(RV_ERR_FORMAT, "node '%.100s' (%.60s): input %zu is no number",
                                   rv_onnx_node_name(node), node->op, i);
}

rv_status rv_onnx_numbers(int64_t *out, size_t *n, const rv_onnx_importer *im,
                          const rv_onnx_node *node, size_t i)
{
    double values[RV_ONNX_MAX_LIST];
    const rv_onnx_tensor *t;
    *n = 0;
    RV_TRY(rv_onnx_constant(&t, im, node, i, "list of numbers", true));
    if (t == NULL) {
        return RV_OK;
    }
    if (t->count > RV_ONNX_MAX_LIST) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a list of %zu numbers", t->count);
    }
    RV_TRY(rv_onnx_tensor_values(t, 0, t->count, values));
    for (size_t k = 0; k < t->count; k++) {
        /* Ends of slices may be the largest number that there is. */
        out[k] = values[k] >= 9e18    ? INT64_MAX
                 : values[k] <= -9e18 ? INT64_MIN
                                      : (int64_t)values[k];
    }
    *n = t->count;
    return RV_OK;
}

rv_status rv_onnx_single_output(const rv_onnx_importer *im, const rv_onnx_node *node)
{
    for (size_t i = 1; i < node->outputs.n; i++) {
        if (node->outputs.list[i][0] != '\0' &&
            rv_onnx_readers(im->onnx, node->outputs.list[i]) > 0) {
            return rv_fail(RV_ERR_UNSUPPORTED, "its output %zu", i);
        }
    }
    return RV_OK;
}

rv_status rv_onnx_axis(int *out, int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank + (rank == 0)) {
        return rv_fail(RV_ERR_UNSUPPORTED, "axis %lld of %d", (long long)axis, rank);
    }
    *out = (int)(axis < 0 ? axis + rank : axis);
    return RV_OK;
}

rv_status rv_onnx_take_axis(int *out, bool seen[RV_ONNX_MAX_RANK], const rv_onnx_node *node,
                            int64_t axis, int rank)
{
    RV_TRY(rv_onnx_axis(out, axis, rank));
    if (seen[*out]) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (%.60s): axis %d twice",
                       rv_onnx_node_name(node), node->op, *out);
    }
    seen[*out] = true;
    return RV_OK;
}

/* --- layers ---------------------------------------------------------------------------------- */

static bool is_layer(const rv_network *network, const char *name)
{
    if (strcmp(name, "picture") == 0 || strcmp(name, network->input) == 0) {
        return true;
    }
    for (size_t i = 0; i < network->n_layers; i++) {
        if (strcmp(network->layers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The node's name, its output's where that is missing or taken, else with a number. */
static rv_status choose_name(char **out, const rv_onnx_importer *im, const rv_onnx_node *node,
                             const char *suffix)
{
    const char *base =
        node->name[0] == '\0' || (suffix == NULL && is_layer(im->network, node->name))
            ? node->outputs.list[0]
            : node->name;
    RV_TRY(rv_format(out, "%s%s", base, suffix != NULL ? suffix : ""));
    for (int i = 2; is_layer(im->network, *out); i++) {
        free(*out);
        *out = NULL;
        RV_TRY(rv_format(out, "%s%s_%d", base, suffix != NULL ? suffix : "", i));
    }
    return RV_OK;
}

rv_status rv_onnx_layer(rv_layer **out, rv_onnx_importer *im, const rv_onnx_node *node,
                        const char *op, const char *suffix, const rv_onnx_value *const *in,
                        size_t n_in)
{
    char *name = NULL;
    rv_status status = choose_name(&name, im, node, suffix);
    if (status == RV_OK) {
        status = rv_network_layer(out, im->network, op, name, 0);
    }
    for (size_t i = 0; i < n_in && status == RV_OK; i++) {
        status = rv_names_add(&(*out)->inputs, in[i]->name);
    }
    free(name);
    return status;
}

/* Adds the last layer of the network to the trial graph. */
static rv_status try_layer(rv_onnx_importer *im, rv_value *out)
{
    const rv_layer *layer = &im->network->layers[im->network->n_layers - 1];
    rv_value in[RV_MAX_INPUTS];
    if (layer->inputs.n > RV_MAX_INPUTS) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%zu inputs, more than %d", layer->inputs.n,
                       RV_MAX_INPUTS);
    }
    for (size_t i = 0; i < layer->inputs.n; i++) {
        const rv_onnx_value *v = rv_onnx_find(im, layer->inputs.list[i]);
        in[i] = v->at;
    }
    return rv_graph_add(im->graph, out, layer->op, layer->name, in, (int)layer->inputs.n,
                        layer->attrs, layer->n_attrs);
}

void rv_onnx_take_shape(rv_onnx_shape *out, const rv_shape *shape)
{
    out->rank = shape->rank;
    for (int i = 0; i < shape->rank; i++) {
        out->dim[i] = shape->dim[i];
    }
}

static rv_status end_layer(rv_onnx_importer *im, const char *output, const rv_onnx_shape *like)
{
    rv_layer *layer = &im->network->layers[im->network->n_layers - 1];
    rv_onnx_shape shape = {0};
    rv_onnx_value *v;
    rv_value at;
    RV_TRY(rv_names_add(&layer->outputs, output));
    RV_TRY(try_layer(im, &at));
    rv_onnx_take_shape(&shape, rv_graph_shape(im->graph, at));
    shape = like != NULL ? *like : shape; /* which may be that of a value: they move */
    RV_TRY(rv_onnx_add_value(&v, im, output));
    v->at = at;
    v->shape = shape;
    return RV_OK;
}

rv_status rv_onnx_end(rv_onnx_importer *im, const rv_onnx_node *node, const rv_onnx_shape *like)
{
    return end_layer(im, node->outputs.list[0], like);
}

rv_status rv_onnx_end_inner(rv_onnx_value *out, rv_onnx_importer *im)
{
    RV_TRY(end_layer(im, im->network->layers[im->network->n_layers - 1].name, NULL));
    *out = im->values[im->n_values - 1];
    return RV_OK;
}

rv_status rv_onnx_alias(rv_onnx_importer *im, const rv_onnx_node *node, const rv_onnx_value *in,
                        const rv_onnx_shape *shape)
{
    const rv_onnx_value from = *in;
    const rv_onnx_shape read = *shape;
    const rv_onnx_value *const list[] = {&from};
    rv_onnx_value *v;
    rv_layer *layer;
    RV_TRY(rv_onnx_layer(&layer, im, node, NULL, NULL, list, 1));
    RV_TRY(rv_names_add(&layer->outputs, node->outputs.list[0]));
    RV_TRY(rv_onnx_add_value(&v, im, node->outputs.list[0]));
    v->at = from.at;
    v->shape = read;
    return RV_OK;
}

rv_status rv_onnx_set_constant(rv_onnx_importer *im, const rv_onnx_node *node,
                               const rv_onnx_tensor *tensor)
{
    rv_onnx_value *v;
    RV_TRY(rv_onnx_add_value(&v, im, node->outputs.list[0]));
    v->constant = tensor;
    v->shape = tensor->shape;
    return RV_OK;
}

rv_status rv_onnx_bind(rv_onnx_importer *im, const rv_layer *layer, const char *param,
                       const rv_onnx_tensor *tensor, double factor, bool reciprocal)
{
    rv_onnx *o = im->onnx;
    RV_TRY(rv_grow(&o->bindings, &o->bindings_capacity, o->n_bindings + 1, sizeof *o->bindings,
                   "weights"));
    rv_onnx_binding *b = &o->bindings[o->n_bindings];
    *b = (rv_onnx_binding){
        .param = param, .tensor = tensor, .factor = (float)factor, .reciprocal = reciprocal};
    RV_TRY(rv_strdup(&b->layer, layer->name));
    o->n_bindings++;
    return RV_OK;
}
