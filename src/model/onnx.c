/* Turns an ONNX graph into a network: walks the nodes in order, each becomes layers or a constant. */
/* SPDX-License-Identifier: MIT */
#include "model/onnx.h"
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx_import.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_LISTED = 8,  /* refused nodes that a message names */
    OPEN_SIZE = 224, /* what a size of the input that is left open becomes */
    MAX_SIDE = 65535
};

/* --- the walk -------------------------------------------------------------------------------- */

/* Marks the nodes that the outputs need; nodes stand behind what they read. */
static void mark_needed(rv_onnx *o)
{
    for (size_t i = o->n_nodes; i > 0; i--) {
        rv_onnx_node *node = &o->nodes[i - 1];
        for (size_t k = 0; k < node->outputs.n; k++) {
            const char *name = node->outputs.list[k];
            for (size_t j = 0; j < o->outputs.n && !node->needed; j++) {
                node->needed = strcmp(o->outputs.list[j], name) == 0;
            }
            for (size_t j = i; j < o->n_nodes && !node->needed && name[0] != '\0'; j++) {
                const rv_onnx_node *later = &o->nodes[j];
                for (size_t m = 0; later->needed && m < later->inputs.n; m++) {
                    node->needed = node->needed || strcmp(later->inputs.list[m], name) == 0;
                }
            }
        }
    }
}

int rv_onnx_readers(const rv_onnx *o, const char *name)
{
    int n = 0;
    for (size_t i = 0; i < o->outputs.n; i++) {
        n += strcmp(o->outputs.list[i], name) == 0;
    }
    for (size_t i = 0; i < o->n_nodes; i++) {
        for (size_t k = 0; o->nodes[i].needed && k < o->nodes[i].inputs.n; k++) {
            n += strcmp(o->nodes[i].inputs.list[k], name) == 0;
        }
    }
    return n;
}

static void note_refusal(rv_onnx_importer *im, const rv_onnx_node *node, const char *why)
{
    if (im->n_refused++ < MAX_LISTED) {
        rv_text_append(&im->refused, "%s'%.60s' (%.40s%s%.60s)", im->n_refused > 1 ? ", " : "",
                       rv_onnx_node_name(node), node->op, why[0] != '\0' ? ": " : "", why);
    }
}

/* All outputs of a node that cannot be run, so that those behind it say nothing. */
static rv_status refuse_outputs(rv_onnx_importer *im, const rv_onnx_node *node)
{
    for (size_t i = 0; i < node->outputs.n; i++) {
        rv_onnx_value *v;
        if (node->outputs.list[i][0] != '\0' && rv_onnx_find(im, node->outputs.list[i]) == NULL) {
            RV_TRY(rv_onnx_add_value(&v, im, node->outputs.list[i]));
            v->refused = true;
        }
    }
    return RV_OK;
}

/* Whether all that the node reads is there; *refused where a node before it could not be run. */
static rv_status check_inputs(const rv_onnx_importer *im, const rv_onnx_node *node, bool *refused)
{
    *refused = false;
    for (size_t i = 0; i < node->inputs.n; i++) {
        const char *name = node->inputs.list[i];
        const rv_onnx_value *v = rv_onnx_find(im, name);
        if (name[0] != '\0' && v == NULL) {
            return rv_fail(RV_ERR_FORMAT,
                           "node '%.100s' (%.60s) reads '%.100s', which no node before it writes",
                           rv_onnx_node_name(node), node->op, name);
        }
        *refused = *refused || (v != NULL && v->refused);
    }
    return RV_OK;
}

static rv_onnx_add *find_add(const rv_onnx_node *node)
{
    if (node->domain[0] != '\0' && strcmp(node->domain, "ai.onnx") != 0) {
        return NULL;
    }
    rv_onnx_add *add = rv_onnx_find_layer(node->op);
    add = add != NULL ? add : rv_onnx_find_elementwise(node->op);
    return add != NULL ? add : rv_onnx_find_shaping(node->op);
}

/* Since when operations are as they are read here, where that is before RV_ONNX_OLDEST. */
static rv_status check_version(const rv_onnx_importer *im, const rv_onnx_node *node)
{
    static const struct {
        const char *op;
        int since;
    } table[] = {
        {"Abs", 6},           {"AveragePool", 1},
        {"Cast", 6},          {"Ceil", 6},
        {"Clip", 6},          {"Concat", 4},
        {"Constant", 1},      {"Conv", 1},
        {"Elu", 6},           {"Flatten", 1},
        {"Floor", 6},         {"Gather", 1},
        {"Identity", 1},      {"GlobalAveragePool", 1},
        {"GlobalMaxPool", 1}, {"LRN", 1},
        {"LeakyRelu", 6},     {"MatMul", 1},
        {"Max", 6},           {"MaxPool", 1},
        {"Min", 6},           {"Neg", 6},
        {"Pad", 2},           {"Reciprocal", 6},
        {"Relu", 6},          {"ReduceMean", 1},
        {"Reshape", 5},       {"Selu", 6},
        {"Shape", 1},         {"Sigmoid", 6},
        {"Size", 1},          {"Slice", 1},
        {"Softmax", 1},       {"Sqrt", 6},
        {"Squeeze", 1},       {"Sum", 6},
        {"Tanh", 6},          {"Transpose", 1},
        {"Unsqueeze", 1},
    };
    int since = find_add(node) != NULL ? RV_ONNX_OLDEST : 1;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        since = strcmp(table[i].op, node->op) == 0 ? table[i].since : since;
    }
    return im->onnx->opset >= since
               ? RV_OK
               : rv_fail(RV_ERR_UNSUPPORTED, "of version %lld, known from %d on",
                         (long long)im->onnx->opset, since);
}

static rv_status run_node(rv_onnx_importer *im, const rv_onnx_node *node)
{
    bool done = false;
    rv_onnx_add *add = find_add(node);
    if (node->domain[0] == '\0' || strcmp(node->domain, "ai.onnx") == 0) {
        RV_TRY(check_version(im, node));
        RV_TRY(rv_onnx_fold(&done, im, node));
    }
    if (done) {
        return RV_OK;
    }
    return add != NULL ? add(im, node) : rv_fail(RV_ERR_UNSUPPORTED, "%s", "");
}

static rv_status import_node(rv_onnx_importer *im, const rv_onnx_node *node)
{
    bool refused;
    RV_TRY(check_inputs(im, node, &refused));
    if (refused) {
        return refuse_outputs(im, node);
    }
    const rv_status status = run_node(im, node);
    if (status == RV_ERR_UNSUPPORTED) {
        note_refusal(im, node, rv_error_message());
        return refuse_outputs(im, node);
    }
    return status;
}

static rv_status fail_refused(const rv_onnx_importer *im)
{
    const int more = im->n_refused - MAX_LISTED;
    RV_TRY(rv_text_status(&im->refused));
    return more > 0
               ? rv_fail(RV_ERR_UNSUPPORTED, "Reverie does not run these nodes: %s and %d more",
                         im->refused.data, more)
               : rv_fail(RV_ERR_UNSUPPORTED, "Reverie does not run %s: %s",
                         im->n_refused > 1 ? "these nodes" : "this node", im->refused.data);
}

/* The first output comes last, as rv_network_build() takes it. */
static rv_status end_with_output(rv_onnx_importer *im)
{
    const char *name = im->onnx->outputs.list[0];
    const rv_onnx_value *v = rv_onnx_find(im, name);
    if (v == NULL || v->constant != NULL) {
        return rv_fail(RV_ERR_FORMAT, "the output '%.100s' is %s", name,
                       v == NULL ? "written by no node" : "the same for every picture");
    }
    const rv_network *network = im->network;
    const rv_names *last =
        network->n_layers > 0 ? &network->layers[network->n_layers - 1].outputs : NULL;
    if (last != NULL && strcmp(last->list[last->n - 1], name) == 0) {
        return RV_OK;
    }
    const rv_onnx_node end = {.name = (char[]){"output"},
                              .outputs = {(char *[]){(char[]){""}}, 1, 1}};
    const rv_onnx_value from = *v;
    const rv_onnx_value *const list[] = {&from};
    rv_layer *layer;
    return rv_onnx_layer(&layer, im, &end, NULL, NULL, list, 1);
}

/* --- input ----------------------------------------------------------------------------------- */

/* The input that is the picture: no tensor of the file has its name. */
static rv_status find_input(const rv_onnx_input **out, const rv_onnx *o)
{
    *out = NULL;
    for (size_t i = 0; i < o->n_inputs; i++) {
        const rv_onnx_input *in = &o->inputs[i];
        if (rv_onnx_find_tensor(o, in->name) != NULL) {
            continue;
        }
        if (*out != NULL) {
            return rv_fail(RV_ERR_UNSUPPORTED,
                           "it takes two inputs, '%.60s' and '%.60s', where one picture is "
                           "expected",
                           (*out)->name, in->name);
        }
        *out = in;
    }
    return *out != NULL ? RV_OK : rv_fail(RV_ERR_FORMAT, "its graph has no input");
}

static bool is_colours(int64_t size)
{
    return size == 3 || size == 1;
}

/* Whether all that reads the input turns N,H,W,C into N,C,H,W. */
static rv_status is_turned(bool *out, const rv_onnx *o, const char *input)
{
    *out = false;
    for (size_t i = 0; i < o->n_nodes; i++) {
        const rv_onnx_node *node = &o->nodes[i];
        for (size_t k = 0; node->needed && k < node->inputs.n; k++) {
            rv_onnx_attr perm;
            if (strcmp(node->inputs.list[k], input) != 0) {
                continue;
            }
            RV_TRY(rv_onnx_attr_find(&perm, node, "perm"));
            *out = strcmp(node->op, "Transpose") == 0 && perm.n_ints == 4 && perm.ints[0] == 0 &&
                   perm.ints[1] == 3 && perm.ints[2] == 1 && perm.ints[3] == 2;
            if (!*out) {
                return RV_OK;
            }
        }
    }
    return RV_OK;
}

static rv_status fail_input(const rv_onnx_input *in)
{
    char text[96];
    return rv_fail(RV_ERR_UNSUPPORTED, "input '%.100s' is %s, but has to be Nx3xHxW or Nx1xHxW",
                   in->name, rv_onnx_shape_text(text, &in->shape));
}

/* A picture: the batch is 1, what is left open OPEN_SIZE, and where the file has the channels last, they come before
 * rows and columns. */
static rv_status picture_shape(rv_onnx_importer *im, const rv_onnx_input *in, rv_shape *out)
{
    const int64_t *dim = in->shape.dim;
    bool turned = false;
    if (in->type != RV_ONNX_FLOAT && in->type != RV_ONNX_FLOAT16 && in->type != RV_ONNX_DOUBLE) {
        return rv_fail(RV_ERR_UNSUPPORTED, "input '%.100s' holds values of type %lld, no floats",
                       in->name, (long long)in->type);
    }
    if (in->shape.rank != 4) {
        return fail_input(in);
    }
    if (!is_colours(dim[1]) && is_colours(dim[3])) {
        RV_TRY(is_turned(&turned, im->onnx, in->name));
    }
    const int64_t size[3] = {dim[turned ? 3 : 1], dim[turned ? 1 : 2], dim[turned ? 2 : 3]};
    if (!is_colours(size[0]) || size[1] > MAX_SIDE || size[2] > MAX_SIDE) {
        return fail_input(in);
    }
    im->channels_last = turned;
    *out = rv_shape_4(1, (int32_t)size[0], size[1] > 0 ? (int32_t)size[1] : OPEN_SIZE,
                      size[2] > 0 ? (int32_t)size[2] : OPEN_SIZE);
    return RV_OK;
}

/* Any shape that a tensor can have. */
static rv_status any_shape(const rv_onnx_input *in, rv_shape *out)
{
    if (in->shape.rank > RV_MAX_RANK) {
        return rv_fail(RV_ERR_UNSUPPORTED, "an input of more than %d dimensions", RV_MAX_RANK);
    }
    *out = rv_shape_1(1);
    out->rank = in->shape.rank > 0 ? in->shape.rank : 1;
    for (int i = 0; i < in->shape.rank; i++) {
        out->dim[i] = in->shape.dim[i] < INT32_MAX ? (int32_t)in->shape.dim[i] : INT32_MAX;
    }
    return RV_OK;
}

static rv_status add_input(rv_onnx_importer *im, rv_shape *shape)
{
    const rv_onnx_input *in;
    rv_shape s;
    rv_onnx_value *v;
    rv_value at;
    RV_TRY(find_input(&in, im->onnx));
    RV_TRY(shape != NULL ? any_shape(in, &s) : picture_shape(im, in, &s));
    RV_TRY(rv_network_set_input(im->network, in->name, s.dim[1], s.dim[2], s.dim[3]));
    RV_TRY(rv_graph_input(im->graph, &at, in->name, s));
    RV_TRY(rv_onnx_add_value(&v, im, in->name));
    v->at = at;
    rv_onnx_take_shape(&v->shape, &s);
    if (im->channels_last) {
        v->shape.dim[1] = s.dim[2];
        v->shape.dim[2] = s.dim[3];
        v->shape.dim[3] = s.dim[1];
    }
    if (shape != NULL) {
        v->shape.rank = in->shape.rank;
        *shape = s;
    }
    return RV_OK;
}

/* --- the whole ------------------------------------------------------------------------------- */

static rv_status import(rv_onnx_importer *im, rv_shape *input)
{
    rv_onnx *o = im->onnx;
    const size_t n_tensors = o->n_tensors;
    mark_needed(o);
    RV_TRY(add_input(im, input));
    for (size_t i = 0; i < n_tensors; i++) {
        rv_onnx_value *v;
        if (o->tensors[i]->name[0] == '\0') {
            continue;
        }
        RV_TRY(rv_onnx_add_value(&v, im, o->tensors[i]->name));
        v->constant = o->tensors[i];
        v->shape = o->tensors[i]->shape;
    }
    for (size_t i = 0; i < o->n_nodes; i++) {
        if (!o->nodes[i].needed) {
            continue;
        }
        RV_TRY(import_node(im, &o->nodes[i]));
        for (size_t k = 0; k < o->nodes[i].outputs.n; k++) {
            rv_onnx_value *v = rv_onnx_find(im, o->nodes[i].outputs.list[k]);
            if (v != NULL) {
                v->n_readers = rv_onnx_readers(o, v->name);
            }
        }
    }
    return im->n_refused > 0 ? fail_refused(im) : end_with_output(im);
}

/* The graph's name, or the file's where that is what exporters call every graph. */
static rv_status choose_network_name(char **out, const rv_onnx *o)
{
    static const char *const usual[] = {"", "main_graph", "torch_jit", "torch-jit-export", "graph"};
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        if (strcmp(o->name, usual[i]) == 0) {
            return rv_path_stem(out, o->file);
        }
    }
    return rv_strdup(out, o->name);
}

rv_status rv_onnx_network(rv_network **out, rv_onnx *o, rv_shape *input)
{
    rv_onnx_importer im = {.onnx = o};
    char *name = NULL;
    *out = NULL;
    rv_status status = choose_network_name(&name, o);
    if (status == RV_OK) {
        status = rv_network_create(&im.network, name, NULL);
    }
    if (status == RV_OK) {
        status = rv_graph_create(&im.graph);
    }
    if (status == RV_OK) {
        status = import(&im, input);
    }
    if (status == RV_OK) {
        status = rv_network_name_vgg(im.network);
    }
    if (status != RV_OK) {
        status = rv_fail_context(status, "%s", o->file);
        rv_network_destroy(im.network);
        im.network = NULL;
    }
    rv_graph_destroy(im.graph);
    rv_text_release(&im.refused);
    free(name);
    free(im.values);
    *out = im.network;
    return status;
}
