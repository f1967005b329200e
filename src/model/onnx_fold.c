/* Computes what an ONNX graph makes of constants and shapes alone, so that no layer is left of it. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/memory.h"
#include "model/onnx_import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_whole(int64_t type)
{
    return type != RV_ONNX_FLOAT && type != RV_ONNX_FLOAT16 && type != RV_ONNX_BFLOAT16 &&
           type != RV_ONNX_DOUBLE;
}

/* All values of a tensor; freed with free(). */
static rv_status load(double **out, const rv_onnx_tensor *t)
{
    RV_TRY(rv_alloc(out, t->count + 1, sizeof **out, t->name));
    const rv_status status = rv_onnx_tensor_values(t, 0, t->count, *out);
    if (status != RV_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

static rv_status make(rv_onnx_tensor **out, rv_onnx_importer *im, const rv_onnx_node *node,
                      int64_t type, const rv_onnx_shape *shape)
{
    return rv_onnx_tensor_make(out, im->onnx, node->outputs.list[0], type, shape);
}

/* The next place in a tensor, row by row. */
static void step(int64_t at[RV_ONNX_MAX_RANK], const rv_onnx_shape *shape)
{
    for (int k = RV_ONNX_MAX_RANK - 1; k >= 0; k--) {
        if (k < shape->rank) {
            if (++at[k] < shape->dim[k]) {
                return;
            }
            at[k] = 0;
        }
    }
}

/* Values of `in`, from `base` on, with a stride for each axis of the output. */
static void walk(double *out, const rv_onnx_shape *shape, const double *in, int64_t base,
                 const int64_t *stride)
{
    size_t count;
    int64_t at[RV_ONNX_MAX_RANK] = {0};
    rv_onnx_count(&count, shape);
    for (size_t i = 0; i < count; i++) {
        int64_t from = base;
        for (int k = 0; k < shape->rank; k++) {
            from += at[k] * stride[k];
        }
        out[i] = in[from];
        step(at, shape);
    }
}

static void strides_of(int64_t *out, const rv_onnx_shape *shape)
{
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        out[i] = stride;
        stride *= shape->dim[i];
    }
}

/* A tensor of `shape`, whose values are walked through in `t`. */
static rv_status make_walked(rv_onnx_importer *im, const rv_onnx_node *node,
                             const rv_onnx_tensor *t, const rv_onnx_shape *shape, int64_t base,
                             const int64_t *stride)
{
    rv_onnx_tensor *out;
    double *values;
    RV_TRY(make(&out, im, node, t->type, shape));
    RV_TRY(load(&values, t));
    walk(out->values, shape, values, base, stride);
    free(values);
    return rv_onnx_set_constant(im, node, out);
}

static rv_status fold_constant_of_shape(rv_onnx_importer *im, const rv_onnx_node *node)
{
    rv_onnx_attr a;
    rv_onnx_tensor *out, *value = NULL;
    int64_t size[RV_ONNX_MAX_LIST];
    size_t n;
    double v = 0;
    RV_TRY(rv_onnx_numbers(size, &n, im, node, 0));
    RV_TRY(rv_onnx_attr_find(&a, node, "value"));
    if (a.has_tensor) {
        RV_TRY(rv_onnx_tensor_read(&value, im->onnx, &a.tensor));
        RV_TRY(value->count == 1 ? rv_onnx_tensor_values(value, 0, 1, &v)
                                 : rv_fail(RV_ERR_UNSUPPORTED, "more than one value"));
    }
    if (n > RV_ONNX_MAX_RANK) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%zu dimensions", n);
    }
    rv_onnx_shape shape = {(int)n, {0}};
    memcpy(shape.dim, size, n * sizeof *size);
    RV_TRY(make(&out, im, node, value != NULL ? value->type : RV_ONNX_FLOAT, &shape));
    for (size_t i = 0; i < out->count; i++) {
        out->values[i] = v;
    }
    return rv_onnx_set_constant(im, node, out);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* --- parts ----------------------------------------------------------------------------------- */

/* Which of the values of axis `axis` each index takes; the shape of the indices takes its place. */
static rv_status fold_gather(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *t, *indices;
    rv_onnx_tensor *out;
    int64_t number, inner = 1, outer = 1;
    int axis;
    RV_TRY(rv_onnx_constant(&t, im, node, 0, "data", false));
    RV_TRY(rv_onnx_constant(&indices, im, node, 1, "indices", false));
    RV_TRY(rv_onnx_int(&number, node, "axis", 0));
    RV_TRY(rv_onnx_axis(&axis, number, t->shape.rank));
    if (t->shape.rank == 0 || t->shape.rank - 1 + indices->shape.rank > RV_ONNX_MAX_RANK) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%d dimensions", t->shape.rank);
    }
    rv_onnx_shape shape = {0};
    for (int i = 0; i < t->shape.rank; i++) {
        outer *= i < axis ? t->shape.dim[i] : 1;
        inner *= i > axis ? t->shape.dim[i] : 1;
        for (int k = 0; i == axis && k < indices->shape.rank; k++) {
            shape.dim[shape.rank++] = indices->shape.dim[k];
        }
        if (i != axis) {
            shape.dim[shape.rank++] = t->shape.dim[i];
        }
    }
    const int64_t size = t->shape.dim[axis], n = (int64_t)indices->count;
    RV_TRY(make(&out, im, node, t->type, &shape));
    for (int64_t o = 0; o < outer; o++) {
        for (int64_t k = 0; k < n; k++) {
            double index;
            RV_TRY(rv_onnx_tensor_values(indices, (size_t)k, 1, &index));
            index += index < 0 ? (double)size : 0;
            if (!(index >= 0 && index < (double)size)) {
                return rv_fail(RV_ERR_FORMAT, "node '%.100s' (Gather): index %g of %lld",
                               rv_onnx_node_name(node), index, (long long)size);
            }
            RV_TRY(rv_onnx_tensor_values(t, (size_t)((o * size + (int64_t)index) * inner),
                                         (size_t)inner, out->values + (o * n + k) * inner));
        }
    }
    return rv_onnx_set_constant(im, node, out);
}

/* Lists of a Slice: attributes before version 10, inputs 1 to 4 since. */
typedef struct cuts {
    int64_t list[4][RV_ONNX_MAX_LIST]; /* starts, ends, axes, steps */
    size_t n[4];
} cuts;

static rv_status read_cuts(cuts *c, const rv_onnx_importer *im, const rv_onnx_node *node)
{
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    for (size_t i = 0; i < 4; i++) {
        rv_onnx_attr a;
        RV_TRY(rv_onnx_attr_find(&a, node, names[i]));
        c->n[i] = a.n_ints < RV_ONNX_MAX_LIST ? a.n_ints : RV_ONNX_MAX_LIST;
        memcpy(c->list[i], a.ints, sizeof a.ints);
        if (im->onnx->opset >= 10) {
            RV_TRY(rv_onnx_numbers(c->list[i], &c->n[i], im, node, 1 + i));
        }
    }
    const bool fit = c->n[0] == c->n[1] && (c->n[2] == 0 || c->n[2] == c->n[0]) &&
                     (c->n[3] == 0 || c->n[3] == c->n[0]);
    return fit ? RV_OK
               : rv_fail(RV_ERR_FORMAT, "node '%.100s' (Slice): its lists do not fit each other",
                         rv_onnx_node_name(node));
}

static rv_status fold_slice(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *t;
    cuts c;
    bool seen[RV_ONNX_MAX_RANK] = {false};
    int64_t stride[RV_ONNX_MAX_RANK], base = 0;
    RV_TRY(rv_onnx_constant(&t, im, node, 0, "data", false));
    RV_TRY(read_cuts(&c, im, node));
    rv_onnx_shape shape = t->shape;
    strides_of(stride, &t->shape);
    for (size_t i = 0; i < c.n[0]; i++) {
        int axis;
        RV_TRY(rv_onnx_take_axis(&axis, seen, node, c.n[2] > 0 ? c.list[2][i] : (int64_t)i,
                                 t->shape.rank));
        const int64_t size = t->shape.dim[axis];
        const int64_t step = clamp(c.n[3] > 0 ? c.list[3][i] : 1, -INT32_MAX, INT32_MAX);
        int64_t start = clamp(c.list[0][i], -INT32_MAX, INT32_MAX);
        int64_t end = clamp(c.list[1][i], -INT32_MAX, INT32_MAX);
        if (step == 0 || t->shape.rank == 0) {
            return rv_fail(RV_ERR_FORMAT, "node '%.100s' (Slice): a step of 0",
                           rv_onnx_node_name(node));
        }
        start = start < 0 ? start + size : start;
        end = end < 0 ? end + size : end;
        start = step > 0 ? clamp(start, 0, size) : clamp(start, -1, size - 1);
        end = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
        const int64_t n =
            step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
        shape.dim[axis] = n > 0 ? n : 0;
        base += n > 0 ? start * stride[axis] : 0;
        stride[axis] *= step;
    }
    return make_walked(im, node, t, &shape, base, stride);
}

static rv_status fold_transpose(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *t;
    rv_onnx_attr perm;
    bool seen[RV_ONNX_MAX_RANK] = {false};
    int64_t own[RV_ONNX_MAX_RANK], stride[RV_ONNX_MAX_RANK];
    RV_TRY(rv_onnx_constant(&t, im, node, 0, "data", false));
    RV_TRY(rv_onnx_attr_find(&perm, node, "perm"));
    const int rank = t->shape.rank;
    rv_onnx_shape shape = {rank, {0}};
    strides_of(own, &t->shape);
    if (perm.found && perm.n_ints != (size_t)rank) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (Transpose): perm of %zu axes for %d",
                       rv_onnx_node_name(node), perm.n_ints, rank);
    }
    for (int i = 0; i < rank; i++) {
        int axis;
        RV_TRY(
            rv_onnx_take_axis(&axis, seen, node, perm.found ? perm.ints[i] : rank - 1 - i, rank));
        shape.dim[i] = t->shape.dim[axis];
        stride[i] = own[axis];
    }
    /* Large weights stay in the file. */
    if (rank == 2 && stride[1] != 1 && t->values == NULL && !t->transposed) {
        rv_onnx_tensor *turned;
        RV_TRY(rv_onnx_tensor_view(&turned, im->onnx, node->outputs.list[0], t, &shape));
        turned->transposed = true;
        return rv_onnx_set_constant(im, node, turned);
    }
    return make_walked(im, node, t, &shape, 0, stride);
}

static rv_status fold_concat(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *first, *t;
    rv_onnx_tensor *out;
    int64_t number, outer = 1, before = 0;
    int axis;
    RV_TRY(rv_onnx_constant(&first, im, node, 0, "data", false));
    RV_TRY(rv_onnx_int(&number, node, "axis", 1));
    RV_TRY(rv_onnx_axis(&axis, number, first->shape.rank));
    rv_onnx_shape shape = first->shape;
    for (size_t i = 1; i < node->inputs.n; i++) {
        RV_TRY(rv_onnx_constant(&t, im, node, i, "data", false));
        bool fits = t->shape.rank == shape.rank && shape.rank > 0;
        for (int k = 0; fits && k < shape.rank; k++) {
            fits = k == axis || t->shape.dim[k] == shape.dim[k];
        }
        if (!fits) {
            return rv_fail(RV_ERR_SHAPE, "node '%.100s' (Concat): input %zu has another shape",
                           rv_onnx_node_name(node), i);
        }
        shape.dim[axis] += t->shape.dim[axis];
    }
    for (int k = 0; k < axis; k++) {
        outer *= shape.dim[k];
    }
    RV_TRY(make(&out, im, node, first->type, &shape));
    const int64_t row = outer > 0 ? (int64_t)out->count / outer : 0;
    for (size_t i = 0; i < node->inputs.n; i++) {
        RV_TRY(rv_onnx_constant(&t, im, node, i, "data", false));
        const int64_t part = outer > 0 ? (int64_t)t->count / outer : 0;
        for (int64_t o = 0; o < outer; o++) {
            RV_TRY(rv_onnx_tensor_values(t, (size_t)(o * part), (size_t)part,
                                         out->values + o * row + before));
        }
        before += part;
    }
    return rv_onnx_set_constant(im, node, out);
}

/* --- arithmetic ------------------------------------------------------------------------------ */

static double apply(const char *op, double a, double b, bool whole)
{
    switch (op[0]) {
    case 'A':
        return a + b;
    case 'S':
        return a - b;
    case 'M':
        return strcmp(op, "Mul") == 0 ? a * b : strcmp(op, "Max") == 0 ? fmax(a, b) : fmin(a, b);
    case 'D':
        return whole ? trunc(a / b) : a / b;
    default:
        return pow(a, b);
    }
}

/* The shape of two that are spread over each other, as NumPy does. */
static bool spread(rv_onnx_shape *out, const rv_onnx_shape *a, const rv_onnx_shape *b)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < out->rank; i++) {
        const int ka = i - (out->rank - a->rank), kb = i - (out->rank - b->rank);
        const int64_t da = ka < 0 ? 1 : a->dim[ka], db = kb < 0 ? 1 : b->dim[kb];
        if (da != db && da != 1 && db != 1) {
            return false;
        }
        out->dim[i] = da == 1 ? db : da;
    }
    return true;
}

/* Strides with which `shape` is walked through as `out`; 0 where it has one value for all. */
static void spread_strides(int64_t *stride, const rv_onnx_shape *shape, const rv_onnx_shape *out)
{
    int64_t own[RV_ONNX_MAX_RANK];
    strides_of(own, shape);
    for (int i = 0; i < out->rank; i++) {
        const int k = i - (out->rank - shape->rank);
        stride[i] = k < 0 || shape->dim[k] == 1 ? 0 : own[k];
    }
}

/* Values of `t` spread over `shape`; freed with free(). */
static rv_status load_spread(double **out, const rv_onnx_tensor *t, const rv_onnx_shape *shape)
{
    double *values;
    size_t count;
    int64_t stride[RV_ONNX_MAX_RANK];
    rv_onnx_count(&count, shape);
    RV_TRY(load(&values, t));
    const rv_status status = rv_alloc(out, count + 1, sizeof **out, t->name);
    if (status == RV_OK) {
        spread_strides(stride, &t->shape, shape);
        walk(*out, shape, values, 0, stride);
    }
    free(values);
    return status;
}

static rv_status fold_arithmetic(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *a, *b;
    rv_onnx_tensor *out;
    double *left = NULL, *right = NULL;
    rv_onnx_shape shape;
    RV_TRY(rv_onnx_constant(&a, im, node, 0, "first operand", false));
    RV_TRY(rv_onnx_constant(&b, im, node, 1, "second operand", false));
    if (node->inputs.n != 2 || !spread(&shape, &a->shape, &b->shape)) {
        return rv_fail(RV_ERR_SHAPE, "node '%.100s' (%.60s): its operands do not fit",
                       rv_onnx_node_name(node), node->op);
    }
    const bool whole = is_whole(a->type);
    RV_TRY(make(&out, im, node, a->type, &shape));
    rv_status status = load_spread(&left, a, &shape);
    if (status == RV_OK) {
        status = load_spread(&right, b, &shape);
    }
    for (size_t i = 0; i < out->count && status == RV_OK; i++) {
        if (whole && right[i] == 0 && strcmp(node->op, "Div") == 0) {
            status =
                rv_fail(RV_ERR_FORMAT, "node '%.100s' (Div) divides by 0", rv_onnx_node_name(node));
        } else {
            out->values[i] = apply(node->op, left[i], right[i], whole);
        }
    }
    free(left);
    free(right);
    return status == RV_OK ? rv_onnx_set_constant(im, node, out) : status;
}

static double function(const char *op, double v)
{
    return strcmp(op, "Neg") == 0     ? -v
           : strcmp(op, "Abs") == 0   ? fabs(v)
           : strcmp(op, "Sqrt") == 0  ? sqrt(v)
           : strcmp(op, "Floor") == 0 ? floor(v)
           : strcmp(op, "Ceil") == 0  ? ceil(v)
                                      : 1 / v;
}

static rv_status fold_function(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *t;
    rv_onnx_tensor *out;
    RV_TRY(rv_onnx_constant(&t, im, node, 0, "operand", false));
    RV_TRY(make(&out, im, node, t->type, &t->shape));
    RV_TRY(rv_onnx_tensor_values(t, 0, t->count, out->values));
    for (size_t i = 0; i < out->count; i++) {
        out->values[i] = function(node->op, out->values[i]);
    }
    return rv_onnx_set_constant(im, node, out);
}

static rv_status fold_cast(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *t;
    rv_onnx_tensor *out;
    int64_t to;
    RV_TRY(rv_onnx_constant(&t, im, node, 0, "operand", false));
    RV_TRY(rv_onnx_int(&to, node, "to", 0));
    if (to != RV_ONNX_FLOAT && to != RV_ONNX_DOUBLE && to != RV_ONNX_INT32 && to != RV_ONNX_INT64 &&
        to != RV_ONNX_BOOL) {
        return rv_fail(RV_ERR_UNSUPPORTED, "to type %lld", (long long)to);
    }
    RV_TRY(make(&out, im, node, to, &t->shape));
    RV_TRY(rv_onnx_tensor_values(t, 0, t->count, out->values));
    for (size_t i = 0; i < out->count; i++) {
        const double v = out->values[i];
        out->values[i] = to == RV_ONNX_BOOL    ? v != 0
                         : to == RV_ONNX_FLOAT ? (double)(float)v
                         : is_whole(to)        ? trunc(v)
                                               : v;
    }
    return rv_onnx_set_constant(im, node, out);
}

static rv_status fold_expand(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_tensor *t;
    int64_t size[RV_ONNX_MAX_LIST], stride[RV_ONNX_MAX_RANK];
    size_t n;
    rv_onnx_shape to = {0}, shape;
    RV_TRY(rv_onnx_constant(&t, im, node, 0, "operand", false));
    RV_TRY(rv_onnx_numbers(size, &n, im, node, 1));
    to.rank = n < RV_ONNX_MAX_RANK ? (int)n : RV_ONNX_MAX_RANK;
    memcpy(to.dim, size, (size_t)to.rank * sizeof *size);
    if (!spread(&shape, &t->shape, &to)) {
        return rv_fail(RV_ERR_SHAPE, "node '%.100s' (Expand): its shapes do not fit",
                       rv_onnx_node_name(node));
    }
    spread_strides(stride, &t->shape, &shape);
    return make_walked(im, node, t, &shape, 0, stride);
}

/* --- choosing -------------------------------------------------------------------------------- */

static bool all_constant(const rv_onnx_importer *im, const rv_onnx_node *node)
{
    for (size_t i = 0; i < node->inputs.n; i++) {
        const rv_onnx_value *v = rv_onnx_in(im, node, i);
        if (v != NULL && v->constant == NULL) {
            return false;
        }
    }
    return node->inputs.n > 0;
}

/* Constants in another shape are the same values. */
static rv_status fold_view(bool *done, rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in = rv_onnx_in(im, node, 0);
    rv_onnx_shape shape = {0};
    rv_onnx_tensor *out;
    *done = false;
    if (in == NULL) {
        return RV_OK;
    }
    RV_TRY(rv_onnx_reshaped(done, &shape, im, node, in));
    if (!*done) {
        return RV_OK;
    }
    RV_TRY(rv_onnx_tensor_view(&out, im->onnx, node->outputs.list[0], in->constant, &shape));
    return rv_onnx_set_constant(im, node, out);
}

rv_status rv_onnx_fold(bool *done, rv_onnx_importer *im, const rv_onnx_node *node)
{
    static const struct {
        const char *op;
        rv_onnx_add *fold;
    } table[] = {
        {"ConstantOfShape", fold_constant_of_shape},
        {"Gather", fold_gather},
        {"Slice", fold_slice},
        {"Transpose", fold_transpose},
        {"Concat", fold_concat},
        {"Cast", fold_cast},
        {"Expand", fold_expand},
        {"Add", fold_arithmetic},
        {"Sub", fold_arithmetic},
        {"Mul", fold_arithmetic},
        {"Div", fold_arithmetic},
        {"Pow", fold_arithmetic},
        {"Min", fold_arithmetic},
        {"Max", fold_arithmetic},
        {"Neg", fold_function},
        {"Abs", fold_function},
        {"Sqrt", fold_function},
        {"Floor", fold_function},
        {"Ceil", fold_function},
        {"Reciprocal", fold_function},
    };
    rv_onnx_add *source = rv_onnx_find_source(node->op);
    const bool constant = all_constant(im, node);
    *done = source != NULL;
    if (source != NULL) {
        return source(im, node);
    }
    for (size_t i = 0; constant && i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, node->op) == 0) {
            *done = true;
            return table[i].fold(im, node);
        }
    }
    return constant ? fold_view(done, im, node) : RV_OK;
}
