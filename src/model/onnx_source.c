/* What an ONNX graph has for constants of its own: nodes that are one, and the sizes of values. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx_import.h"

#include <stdlib.h>
#include <string.h>

static rv_status set_list(rv_onnx_importer *im, const rv_onnx_node *node, int64_t type, int rank,
                          const double *values, size_t n)
{
    rv_onnx_tensor *out;
    const rv_onnx_shape shape = {rank, {(int64_t)n}};
    RV_TRY(rv_onnx_tensor_make(&out, im->onnx, node->outputs.list[0], type, &shape));
    memcpy(out->values, values, n * sizeof *values);
    return rv_onnx_set_constant(im, node, out);
}

static rv_status fold_constant(rv_onnx_importer *im, const rv_onnx_node *node)
{
    rv_onnx_attr a;
    double values[RV_ONNX_MAX_LIST];
    RV_TRY(rv_onnx_attr_find(&a, node, "value"));
    if (a.has_tensor) {
        rv_onnx_tensor *t;
        RV_TRY(rv_onnx_tensor_read(&t, im->onnx, &a.tensor));
        free(t->name);
        t->name = NULL;
        RV_TRY(rv_strdup(&t->name, node->outputs.list[0]));
        return rv_onnx_set_constant(im, node, t);
    }
    RV_TRY(rv_onnx_attr_find(&a, node, "value_float"));
    if (a.found) {
        return set_list(im, node, RV_ONNX_FLOAT, 0, &a.f, 1);
    }
    RV_TRY(rv_onnx_attr_find(&a, node, "value_int"));
    if (a.found) {
        values[0] = (double)a.i;
        return set_list(im, node, RV_ONNX_INT64, 0, values, 1);
    }
    RV_TRY(rv_onnx_attr_find(&a, node, "value_floats"));
    if (a.found && a.n_floats <= RV_ONNX_MAX_LIST) {
        return set_list(im, node, RV_ONNX_FLOAT, 1, a.floats, a.n_floats);
    }
    RV_TRY(rv_onnx_attr_find(&a, node, "value_ints"));
    for (size_t i = 0; i < a.n_ints && i < RV_ONNX_MAX_LIST; i++) {
        values[i] = (double)a.ints[i];
    }
    return a.found && a.n_ints <= RV_ONNX_MAX_LIST
               ? set_list(im, node, RV_ONNX_INT64, 1, values, a.n_ints)
               : rv_fail(RV_ERR_UNSUPPORTED, "a constant without numbers");
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Sizes of anything, constant or not; `start` and `end` since version 15. */
static rv_status fold_shape(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in = rv_onnx_in(im, node, 0);
    double values[RV_ONNX_MAX_RANK];
    int64_t start, end;
    size_t n = 0;
    if (in == NULL) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (Shape) has no input",
                       rv_onnx_node_name(node));
    }
    const int64_t rank = in->shape.rank;
    RV_TRY(rv_onnx_int(&start, node, "start", 0));
    RV_TRY(rv_onnx_int(&end, node, "end", rank));
    start = clamp(start < 0 ? start + rank : start, 0, rank);
    end = clamp(end < 0 ? end + rank : end, 0, rank);
    for (int64_t i = start; i < end; i++) {
        values[n++] = (double)in->shape.dim[i];
    }
    return set_list(im, node, RV_ONNX_INT64, 1, values, n);
}

static rv_status fold_size(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in = rv_onnx_in(im, node, 0);
    size_t count;
    if (in == NULL || !rv_onnx_count(&count, &in->shape)) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (Size) has no input", rv_onnx_node_name(node));
    }
    const double value = (double)count;
    return set_list(im, node, RV_ONNX_INT64, 0, &value, 1);
}

rv_onnx_add *rv_onnx_find_source(const char *op)
{
    static const struct {
        const char *op;
        rv_onnx_add *fold;
    } table[] = {{"Constant", fold_constant}, {"Shape", fold_shape}, {"Size", fold_size}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, op) == 0) {
            return table[i].fold;
        }
    }
    return NULL;
}
