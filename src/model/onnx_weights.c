/* Weights of an ONNX model: from where they lie in the file into the parameters of a graph. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx.h"

#include <stdlib.h>
#include <string.h>

static const rv_onnx_binding *find(const rv_onnx *o, const rv_param *p)
{
    for (size_t i = 0; i < o->n_bindings; i++) {
        const rv_onnx_binding *b = &o->bindings[i];
        if (strcmp(b->param, p->name) == 0 && strcmp(b->layer, p->node) == 0) {
            return b;
        }
    }
    return NULL;
}

/* Whether an array of floats lies as it is needed. */
static bool is_plain(const rv_onnx_binding *b, size_t count)
{
    const rv_onnx_tensor *t = b->tensor;
    return t != NULL && t->raw != NULL && t->type == RV_ONNX_FLOAT && t->count == count &&
           !t->transposed && b->factor == 1 && !b->reciprocal;
}

static bool holds(const rv_bytes *bytes, const uint8_t *at)
{
    return bytes->mapped && at >= bytes->data && at < bytes->data + bytes->size;
}

/* Whether a file can lend the values, and they are worth it. */
static bool can_lend(const rv_onnx *o, const rv_onnx_binding *b, size_t count)
{
    if (count < RV_PARAM_LARGE || !is_plain(b, count)) {
        return false;
    }
    bool mapped = holds(&o->bytes, b->tensor->raw);
    for (size_t i = 0; i < o->n_external && !mapped; i++) {
        mapped = holds(&o->external[i].bytes, b->tensor->raw);
    }
    return mapped;
}

/* Floats as they lie, all else piece by piece through doubles, which hold every float as it is. */
static rv_status read_values(float *out, const rv_onnx_binding *b, size_t count)
{
    enum { PIECE = 1024 };
    double values[PIECE];
    if (is_plain(b, count)) {
        memcpy(out, b->tensor->raw, count * sizeof *out);
        return RV_OK;
    }
    const bool one = b->tensor == NULL || b->tensor->count == 1;
    double first = 1;
    if (one && b->tensor != NULL) {
        RV_TRY(rv_onnx_tensor_values(b->tensor, 0, 1, &first));
    }
    for (size_t at = 0; at < count; at += PIECE) {
        const size_t n = count - at < PIECE ? count - at : PIECE;
        if (!one) {
            RV_TRY(rv_onnx_tensor_values(b->tensor, at, n, values));
        }
        for (size_t i = 0; i < n; i++) {
            const double v = one ? first : values[i];
            out[at + i] = (float)(b->reciprocal ? (double)b->factor / v : (double)b->factor * v);
        }
    }
    return RV_OK;
}

static rv_status apply(const rv_onnx *o, rv_param *p, bool copy)
{
    char text[64], other[96];
    float *values = NULL;
    if (p == NULL || rv_is_head(p->node)) {
        return RV_OK;
    }
    const size_t count = rv_shape_count(&p->shape);
    const rv_onnx_binding *b = find(o, p);
    if (b == NULL) {
        return rv_fail(RV_ERR_NOT_FOUND, "there is no %s for layer '%.100s'", p->name, p->node);
    }
    const rv_onnx_tensor *t = b->tensor;
    if (t != NULL && t->count != 1 && t->count != count) {
        return rv_fail(RV_ERR_SHAPE, "layer '%.100s': %s should be %s, tensor '%.100s' is %s",
                       p->node, p->name, rv_shape_text(text, &p->shape), t->name,
                       rv_onnx_shape_text(other, &t->shape));
    }
    if (!copy) {
        double first;
        return t != NULL ? rv_onnx_tensor_values(t, 0, 1, &first) : RV_OK;
    }
    const uint8_t *lent = t != NULL && can_lend(o, b, count) ? t->raw : NULL;
    if (lent == NULL) {
        RV_TRY(rv_alloc(&values, count, sizeof *values, p->node));
    }
    rv_status status = lent != NULL ? rv_param_lend(p, lent, count) : read_values(values, b, count);
    if (status == RV_OK && lent == NULL) {
        status = rv_param_set(p, values, count);
    }
    if (status == RV_ERR_FORMAT && t != NULL) {
        status = rv_fail_context(status, "tensor '%.100s'", t->name);
    }
    free(values);
    return status;
}

rv_status rv_onnx_weights_apply(const rv_onnx *o, rv_graph *graph, bool copy)
{
    rv_status status = RV_OK;
    for (int node = 0; node < rv_graph_node_count(graph) && status == RV_OK; node++) {
        for (int i = 0; i < RV_MAX_PARAMS && status == RV_OK; i++) {
            status = apply(o, rv_graph_param(graph, node, i), copy);
        }
        for (int i = 0; i < RV_MAX_STATE && status == RV_OK; i++) {
            status = apply(o, rv_graph_state(graph, node, i), copy);
        }
    }
    if (status != RV_OK) {
        return rv_fail_context(status, "%s", o->file);
    }
    rv_bytes_forget(&o->bytes);
    for (size_t i = 0; i < o->n_external; i++) {
        rv_bytes_forget(&o->external[i].bytes);
    }
    return RV_OK;
}
