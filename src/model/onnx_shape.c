/* ONNX nodes that only read their input in another shape: Reshape, Flatten, Squeeze and their like. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx_import.h"

#include <string.h>

static rv_status fail_count(const rv_onnx_node *node, const rv_onnx_shape *from,
                            const rv_onnx_shape *to)
{
    char a[96], b[96];
    return rv_fail(RV_ERR_SHAPE, "node '%.100s' (%.60s): %s cannot become %s",
                   rv_onnx_node_name(node), node->op, rv_onnx_shape_text(a, from),
                   rv_onnx_shape_text(b, to));
}

/* Sizes as the node has them: 0 takes that of the input, -1 what is left. */
static rv_status reshape(rv_onnx_shape *out, const rv_onnx_importer *im, const rv_onnx_node *node,
                         const rv_onnx_shape *in)
{
    int64_t size[RV_ONNX_MAX_LIST], allow_zero;
    size_t n, known = 1, count;
    int open = -1;
    RV_TRY(rv_onnx_numbers(size, &n, im, node, 1));
    RV_TRY(rv_onnx_int(&allow_zero, node, "allowzero", 0));
    if (n > RV_ONNX_MAX_RANK || !rv_onnx_count(&count, in)) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%zu dimensions", n);
    }
    out->rank = (int)n;
    for (int i = 0; i < out->rank; i++) {
        const bool copied = size[i] == 0 && allow_zero == 0 && i < in->rank;
        out->dim[i] = copied ? in->dim[i] : size[i];
        if (out->dim[i] == -1 && open < 0) {
            open = i;
        } else if (out->dim[i] < 0 || !rv_size_mul(&known, known, (size_t)out->dim[i])) {
            return fail_count(node, in, out);
        }
    }
    if (open >= 0) {
        out->dim[open] = known > 0 ? (int64_t)(count / known) : 0;
    }
    return RV_OK;
}

static rv_status flatten(rv_onnx_shape *out, const rv_onnx_node *node, const rv_onnx_shape *in)
{
    int64_t number;
    int axis;
    RV_TRY(rv_onnx_int(&number, node, "axis", 1));
    if (number == in->rank) {
        axis = in->rank;
    } else {
        RV_TRY(rv_onnx_axis(&axis, number, in->rank));
    }
    *out = (rv_onnx_shape){2, {1, 1}};
    for (int i = 0; i < in->rank; i++) {
        out->dim[i >= axis] *= in->dim[i];
    }
    return RV_OK;
}

/* Axes of Squeeze and Unsqueeze, marked; counted in a shape of `rank`. *n: how many. */
static rv_status read_axes(bool *marked, int *n, const rv_onnx_importer *im,
                           const rv_onnx_node *node, int rank)
{
    rv_onnx_attr a;
    int axis;
    RV_TRY(rv_onnx_attr_find(&a, node, "axes"));
    if (im->onnx->opset >= 13) {
        RV_TRY(rv_onnx_numbers(a.ints, &a.n_ints, im, node, 1));
    }
    *n = 0;
    for (size_t i = 0; i < a.n_ints && i < RV_ONNX_MAX_LIST; i++) {
        /* How many there are decides the rank of Unsqueeze. */
        const int all = strcmp(node->op, "Unsqueeze") == 0 ? rank + (int)a.n_ints : rank;
        if (all > RV_ONNX_MAX_RANK) {
            return rv_fail(RV_ERR_UNSUPPORTED, "more than %d dimensions", RV_ONNX_MAX_RANK);
        }
        RV_TRY(rv_onnx_axis(&axis, a.ints[i], all));
        *n += !marked[axis];
        marked[axis] = true;
    }
    return RV_OK;
}

static rv_status squeeze(rv_onnx_shape *out, const rv_onnx_importer *im, const rv_onnx_node *node,
                         const rv_onnx_shape *in)
{
    bool marked[RV_ONNX_MAX_RANK + 1] = {false};
    int n;
    RV_TRY(read_axes(marked, &n, im, node, in->rank));
    *out = (rv_onnx_shape){0};
    for (int i = 0; i < in->rank; i++) {
        if (n > 0 ? marked[i] : in->dim[i] == 1) {
            continue;
        }
        out->dim[out->rank++] = in->dim[i];
    }
    return RV_OK;
}

static rv_status unsqueeze(rv_onnx_shape *out, const rv_onnx_importer *im, const rv_onnx_node *node,
                           const rv_onnx_shape *in)
{
    bool marked[RV_ONNX_MAX_RANK + 1] = {false};
    int n, from = 0;
    RV_TRY(read_axes(marked, &n, im, node, in->rank));
    out->rank = in->rank + n;
    for (int i = 0; i < out->rank; i++) {
        out->dim[i] = marked[i] || from >= in->rank ? 1 : in->dim[from++];
    }
    return RV_OK;
}

/* Where nothing but sizes of 1 changes places, the values keep their order. */
static rv_status transpose(rv_onnx_shape *out, const rv_onnx_importer *im, const rv_onnx_node *node,
                           const rv_onnx_value *in)
{
    rv_onnx_attr perm;
    bool seen[RV_ONNX_MAX_RANK] = {false};
    int64_t last = -1;
    RV_TRY(rv_onnx_attr_find(&perm, node, "perm"));
    const int rank = in->shape.rank;
    if (perm.found && perm.n_ints != (size_t)rank) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (Transpose): perm of %zu axes for %d",
                       rv_onnx_node_name(node), perm.n_ints, rank);
    }
    /* Pictures come as they are taken here: see add_input(). */
    const bool turned =
        im->channels_last && strcmp(in->name, im->network->input) == 0 && perm.found;
    out->rank = rank;
    for (int i = 0; i < rank; i++) {
        int axis;
        RV_TRY(
            rv_onnx_take_axis(&axis, seen, node, perm.found ? perm.ints[i] : rank - 1 - i, rank));
        out->dim[i] = in->shape.dim[axis];
        if (out->dim[i] != 1 && axis < last && !turned) {
            return rv_fail(RV_ERR_UNSUPPORTED, "axes in another order");
        }
        last = out->dim[i] != 1 ? axis : last;
    }
    return RV_OK;
}

rv_status rv_onnx_reshaped(bool *done, rv_onnx_shape *out, const rv_onnx_importer *im,
                           const rv_onnx_node *node, const rv_onnx_value *in)
{
    size_t before, after;
    *done = true;
    if (strcmp(node->op, "Reshape") == 0) {
        RV_TRY(reshape(out, im, node, &in->shape));
    } else if (strcmp(node->op, "Flatten") == 0) {
        RV_TRY(flatten(out, node, &in->shape));
    } else if (strcmp(node->op, "Squeeze") == 0) {
        RV_TRY(squeeze(out, im, node, &in->shape));
    } else if (strcmp(node->op, "Unsqueeze") == 0) {
        RV_TRY(unsqueeze(out, im, node, &in->shape));
    } else if (strcmp(node->op, "Identity") == 0) {
        *out = in->shape;
    } else {
        *done = false;
        return RV_OK;
    }
    return rv_onnx_count(&before, &in->shape) && rv_onnx_count(&after, out) && before == after
               ? RV_OK
               : fail_count(node, &in->shape, out);
}

static rv_status add_view(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in;
    rv_onnx_shape shape = {0};
    bool done;
    RV_TRY(rv_onnx_data(&in, im, node, 0));
    RV_TRY(rv_onnx_reshaped(&done, &shape, im, node, in));
    return rv_onnx_alias(im, node, in, &shape);
}

static rv_status add_transpose(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in;
    rv_onnx_shape shape = {0};
    RV_TRY(rv_onnx_data(&in, im, node, 0));
    RV_TRY(transpose(&shape, im, node, in));
    return rv_onnx_alias(im, node, in, &shape);
}

/* All that is computed is float. */
static rv_status add_cast(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in;
    int64_t to;
    RV_TRY(rv_onnx_data(&in, im, node, 0));
    RV_TRY(rv_onnx_int(&to, node, "to", 0));
    return to == RV_ONNX_FLOAT ? rv_onnx_alias(im, node, in, &in->shape)
                               : rv_fail(RV_ERR_UNSUPPORTED, "to type %lld", (long long)to);
}

rv_onnx_add *rv_onnx_find_shaping(const char *op)
{
    static const char *const views[] = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (strcmp(views[i], op) == 0) {
            return add_view;
        }
    }
    return strcmp(op, "Transpose") == 0 ? add_transpose : strcmp(op, "Cast") == 0 ? add_cast : NULL;
}
