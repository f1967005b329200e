/* Reads an ONNX file into nodes, tensors, inputs and outputs; what they mean is for the importer to know. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Far beyond any real network: keeps what is quadratic in them short. */
enum { MAX_NODES = 20000, MAX_TENSORS = 40000, MAX_INPUTS = 40000 };

/* Field numbers of ONNX's messages. */
enum {
    MODEL_PRODUCER = 2,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_DOMAIN = 7,
    INFO_NAME = 1,
    INFO_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_ELEMENT = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1
};

static rv_status take_text(char **out, const rv_proto *message, const rv_proto_field *f)
{
    if (f->wire != RV_WIRE_BYTES) {
        return rv_fail(RV_ERR_FORMAT, "byte %zu: a name is no text; the file is damaged",
                       (size_t)(message->at - message->file));
    }
    free(*out);
    *out = NULL;
    return rv_proto_text(out, f);
}

static rv_status add_text(rv_names *names, const rv_proto *message, const rv_proto_field *f)
{
    char *text = NULL;
    rv_status status = take_text(&text, message, f);
    if (status == RV_OK) {
        status = rv_names_add(names, text);
    }
    free(text);
    return status;
}

/* --- nodes ----------------------------------------------------------------------------------- */

static rv_status read_node_field(rv_onnx_node *node, const rv_proto *m, const rv_proto_field *f)
{
    switch (f->number) {
    case NODE_INPUT:
        return add_text(&node->inputs, m, f);
    case NODE_OUTPUT:
        return add_text(&node->outputs, m, f);
    case NODE_NAME:
        return take_text(&node->name, m, f);
    case NODE_OP:
        return take_text(&node->op, m, f);
    case NODE_DOMAIN:
        return take_text(&node->domain, m, f);
    default:
        return RV_OK;
    }
}

static rv_status read_node(rv_onnx *o, const rv_proto *graph, const rv_proto_field *field)
{
    if (o->n_nodes == MAX_NODES) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a graph of more than %d nodes", MAX_NODES);
    }
    RV_TRY(rv_grow(&o->nodes, &o->nodes_capacity, o->n_nodes + 1, sizeof *o->nodes, "nodes"));
    rv_onnx_node *node = &o->nodes[o->n_nodes++];
    *node = (rv_onnx_node){0};
    RV_TRY(rv_proto_enter(&node->message, graph, field));
    RV_TRY(rv_strdup(&node->name, ""));
    RV_TRY(rv_strdup(&node->op, ""));
    RV_TRY(rv_strdup(&node->domain, ""));
    rv_proto m = node->message;
    for (;;) {
        rv_proto_field f;
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            break;
        }
        RV_TRY(read_node_field(node, &m, &f));
    }
    if (node->outputs.n == 0) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (%.60s) has no output", node->name, node->op);
    }
    return RV_OK;
}

const char *rv_onnx_node_name(const rv_onnx_node *node)
{
    return node->name[0] != '\0' ? node->name : node->outputs.list[0];
}

/* --- inputs and outputs ---------------------------------------------------------------------- */

/* A size that is a name or missing is left open. */
static rv_status read_dim(rv_onnx_shape *shape, const rv_proto *parent, const rv_proto_field *field)
{
    rv_proto m;
    rv_proto_field f;
    int64_t value = -1;
    RV_TRY(rv_proto_enter(&m, parent, field));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            break;
        }
        if (f.number == DIM_VALUE && f.wire == RV_WIRE_VARINT) {
            value = (int64_t)f.value;
        }
    }
    if (shape->rank == RV_ONNX_MAX_RANK) {
        return rv_fail(RV_ERR_UNSUPPORTED, "an input of more than %d dimensions", RV_ONNX_MAX_RANK);
    }
    shape->dim[shape->rank++] = value > 0 ? value : -1;
    return RV_OK;
}

/* The message `wanted` inside `parent`'s field, and of TYPE_TENSOR also its element type. */
static rv_status read_tensor_type(rv_onnx_input *in, const rv_proto *parent,
                                  const rv_proto_field *field)
{
    rv_proto m, shape;
    rv_proto_field f, d;
    RV_TRY(rv_proto_enter(&m, parent, field));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        if (f.number == TENSOR_TYPE_ELEMENT && f.wire == RV_WIRE_VARINT) {
            in->type = (int64_t)f.value;
        }
        if (f.number != TENSOR_TYPE_SHAPE) {
            continue;
        }
        RV_TRY(rv_proto_enter(&shape, &m, &f));
        in->shape.rank = 0;
        for (;;) {
            RV_TRY(rv_proto_next(&d, &shape));
            if (d.number == 0) {
                break;
            }
            if (d.number == SHAPE_DIM) {
                RV_TRY(read_dim(&in->shape, &shape, &d));
            }
        }
    }
}

static rv_status read_type(rv_onnx_input *in, const rv_proto *parent, const rv_proto_field *field)
{
    rv_proto m;
    rv_proto_field f;
    RV_TRY(rv_proto_enter(&m, parent, field));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        if (f.number == TYPE_TENSOR) {
            RV_TRY(read_tensor_type(in, &m, &f));
        }
    }
}

static rv_status read_info(rv_onnx_input *in, const rv_proto *graph, const rv_proto_field *field)
{
    rv_proto m;
    rv_proto_field f;
    RV_TRY(rv_strdup(&in->name, ""));
    RV_TRY(rv_proto_enter(&m, graph, field));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        if (f.number == INFO_NAME) {
            RV_TRY(take_text(&in->name, &m, &f));
        } else if (f.number == INFO_TYPE) {
            RV_TRY(read_type(in, &m, &f));
        }
    }
}

static rv_status read_input(rv_onnx *o, const rv_proto *graph, const rv_proto_field *field)
{
    if (o->n_inputs == MAX_INPUTS) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a graph of more than %d inputs", MAX_INPUTS);
    }
    RV_TRY(rv_grow(&o->inputs, &o->inputs_capacity, o->n_inputs + 1, sizeof *o->inputs, "inputs"));
    rv_onnx_input *in = &o->inputs[o->n_inputs++];
    *in = (rv_onnx_input){0};
    return read_info(in, graph, field);
}

static rv_status read_output(rv_onnx *o, const rv_proto *graph, const rv_proto_field *field)
{
    rv_onnx_input info = {0};
    rv_status status = read_info(&info, graph, field);
    if (status == RV_OK) {
        status = rv_names_add(&o->outputs, info.name);
    }
    free(info.name);
    return status;
}

/* --- graph ----------------------------------------------------------------------------------- */

static rv_status read_initializer(rv_onnx *o, const rv_proto *graph, const rv_proto_field *field)
{
    rv_onnx_tensor *tensor;
    rv_proto m;
    if (o->n_tensors == MAX_TENSORS) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a graph of more than %d tensors", MAX_TENSORS);
    }
    RV_TRY(rv_proto_enter(&m, graph, field));
    return rv_onnx_tensor_read(&tensor, o, &m);
}

static rv_status read_graph_field(rv_onnx *o, const rv_proto *m, const rv_proto_field *f)
{
    switch (f->number) {
    case GRAPH_NODE:
        return read_node(o, m, f);
    case GRAPH_NAME:
        return take_text(&o->name, m, f);
    case GRAPH_INITIALIZER:
        return read_initializer(o, m, f);
    case GRAPH_INPUT:
        return read_input(o, m, f);
    case GRAPH_OUTPUT:
        return read_output(o, m, f);
    case GRAPH_SPARSE_INITIALIZER:
        return rv_fail(RV_ERR_UNSUPPORTED, "sparse tensors; export the model with dense ones");
    default:
        return RV_OK;
    }
}

static rv_status read_graph(rv_onnx *o, const rv_proto *model, const rv_proto_field *field)
{
    rv_proto m;
    rv_proto_field f;
    RV_TRY(rv_proto_enter(&m, model, field));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return RV_OK;
        }
        RV_TRY(read_graph_field(o, &m, &f));
    }
}

/* The version of ONNX's own operations; those of other domains are refused by name where they are used. */
static rv_status read_opset(rv_onnx *o, const rv_proto *model, const rv_proto_field *field)
{
    rv_proto m;
    rv_proto_field f;
    int64_t version = 0;
    bool own = true;
    RV_TRY(rv_proto_enter(&m, model, field));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            break;
        }
        if (f.number == OPSET_DOMAIN && f.wire == RV_WIRE_BYTES) {
            own = f.size == 0 || (f.size == 7 && memcmp(f.data, "ai.onnx", 7) == 0);
        } else if (f.number == OPSET_VERSION && f.wire == RV_WIRE_VARINT) {
            version = (int64_t)f.value;
        }
    }
    o->opset = own ? version : o->opset;
    return RV_OK;
}

static rv_status check_model(const rv_onnx *o, bool has_graph)
{
    if (!has_graph || (o->n_nodes == 0 && o->n_inputs == 0)) {
        return rv_fail(RV_ERR_FORMAT, "there is no graph in it; this is no ONNX model");
    }
    if (o->opset < 1 || o->opset > RV_ONNX_NEWEST) {
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "its operations are of version (opset) %lld, and Reverie knows %d to %d; "
                       "export the model for one of these",
                       (long long)o->opset, RV_ONNX_OLDEST, RV_ONNX_NEWEST);
    }
    if (o->n_nodes == 0 || o->outputs.n == 0) {
        return rv_fail(RV_ERR_FORMAT, "its graph has no %s", o->n_nodes == 0 ? "nodes" : "output");
    }
    return RV_OK;
}

static rv_status read_model(rv_onnx *o, const uint8_t *data, size_t size)
{
    rv_proto m = rv_proto_file(data, size);
    rv_proto_field f;
    bool has_graph = false;
    RV_TRY(rv_strdup(&o->producer, ""));
    RV_TRY(rv_strdup(&o->name, ""));
    for (;;) {
        RV_TRY(rv_proto_next(&f, &m));
        if (f.number == 0) {
            return check_model(o, has_graph);
        }
        if (f.number == MODEL_PRODUCER) {
            RV_TRY(take_text(&o->producer, &m, &f));
        } else if (f.number == MODEL_OPSET) {
            RV_TRY(read_opset(o, &m, &f));
        } else if (f.number == MODEL_GRAPH && !has_graph) {
            has_graph = true;
            RV_TRY(read_graph(o, &m, &f));
        }
    }
}

/* --- open and close -------------------------------------------------------------------------- */

static rv_status parse(rv_onnx **out, const uint8_t *data, size_t size, const char *file,
                       const char *folder)
{
    rv_onnx *o;
    *out = NULL;
    RV_TRY(rv_alloc(&o, 1, sizeof *o, file));
    rv_status status = rv_strdup(&o->file, file);
    if (status == RV_OK && folder != NULL) {
        status = rv_strdup(&o->folder, folder);
    }
    if (status == RV_OK) {
        status = read_model(o, data, size);
        if (status != RV_OK) {
            status = rv_fail_context(status, "%s", file);
        }
    }
    if (status != RV_OK) {
        rv_onnx_close(o);
        return status;
    }
    *out = o;
    return RV_OK;
}

rv_status rv_onnx_parse(rv_onnx **out, const uint8_t *data, size_t size, const char *file)
{
    return parse(out, data, size, file, NULL);
}

rv_status rv_onnx_open(rv_onnx **out, const char *path)
{
    rv_bytes bytes;
    char *folder = NULL;
    *out = NULL;
    RV_TRY(rv_bytes_open(&bytes, path, INT_MAX));
    rv_status status = rv_path_folder(&folder, path);
    if (status == RV_OK) {
        status = parse(out, bytes.data, bytes.size, path, folder);
    }
    free(folder);
    if (status != RV_OK) {
        rv_bytes_close(&bytes);
        return status;
    }
    (*out)->bytes = bytes;
    return RV_OK;
}

void rv_onnx_close(rv_onnx *o)
{
    if (o == NULL) {
        return;
    }
    for (size_t i = 0; i < o->n_nodes; i++) {
        free(o->nodes[i].name);
        free(o->nodes[i].op);
        free(o->nodes[i].domain);
        rv_names_release(&o->nodes[i].inputs);
        rv_names_release(&o->nodes[i].outputs);
    }
    for (size_t i = 0; i < o->n_tensors; i++) {
        rv_onnx_tensor_destroy(o->tensors[i]);
    }
    for (size_t i = 0; i < o->n_inputs; i++) {
        free(o->inputs[i].name);
    }
    for (size_t i = 0; i < o->n_external; i++) {
        free(o->external[i].name);
        rv_bytes_close(&o->external[i].bytes);
    }
    for (size_t i = 0; i < o->n_bindings; i++) {
        free(o->bindings[i].layer);
    }
    rv_names_release(&o->outputs);
    rv_bytes_close(&o->bytes);
    free(o->nodes);
    free(o->tensors);
    free(o->inputs);
    free(o->external);
    free(o->bindings);
    free(o->file);
    free(o->folder);
    free(o->producer);
    free(o->name);
    free(o);
}
