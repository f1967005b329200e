/* ONNX nodes that become layers with a geometry or weights of their own: convolution, pooling, dense, normalisation. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/onnx_import.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* --- windows --------------------------------------------------------------------------------- */

typedef struct window {
    int64_t kernel[2], stride[2], dilation[2], pads[4];
} window;

static const char *const auto_pads[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", NULL};

/* Pads so that the output is the input's size over the stride, rounded up; the odd pixel before or behind. */
static void pad_same(window *w, const rv_onnx_shape *in, bool before)
{
    for (int i = 0; i < 2; i++) {
        const int64_t size = in->dim[2 + i], reach = w->dilation[i] * (w->kernel[i] - 1) + 1;
        const int64_t outputs = (size + w->stride[i] - 1) / w->stride[i];
        const int64_t pads = (outputs - 1) * w->stride[i] + reach - size;
        const int64_t half = pads > 0 ? pads / 2 : 0, rest = pads > 0 ? pads - half : 0;
        w->pads[i] = before ? rest : half;
        w->pads[2 + i] = before ? half : rest;
    }
}

static bool in_range(const int64_t *list, int n, int64_t min)
{
    for (int i = 0; i < n; i++) {
        if (list[i] < min || list[i] > INT16_MAX) {
            return false;
        }
    }
    return true;
}

static rv_status read_window(window *w, const rv_onnx_node *node, const rv_onnx_shape *in)
{
    int pad;
    RV_TRY(rv_onnx_ints(w->stride, 2, node, "strides", 1));
    RV_TRY(rv_onnx_ints(w->dilation, 2, node, "dilations", 1));
    RV_TRY(rv_onnx_ints(w->pads, 4, node, "pads", 0));
    RV_TRY(rv_onnx_text(&pad, node, "auto_pad", auto_pads));
    if (!in_range(w->kernel, 2, 1) || !in_range(w->stride, 2, 1) || !in_range(w->dilation, 2, 1) ||
        !in_range(w->pads, 4, 0)) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a window of %lldx%lld with sizes out of range",
                       (long long)w->kernel[0], (long long)w->kernel[1]);
    }
    if (pad == 1) {
        memset(w->pads, 0, sizeof w->pads);
    } else if (pad > 1) {
        pad_same(w, in, pad == 3);
    }
    return RV_OK;
}

static void set_window(rv_layer *layer, const window *w)
{
    rv_layer_set(layer, RV_SET_INT2("kernel", w->kernel[0], w->kernel[1]));
    rv_layer_set(layer, RV_SET_INT2("stride", w->stride[0], w->stride[1]));
    rv_layer_set(layer, RV_SET_INT4("pads", w->pads[0], w->pads[1], w->pads[2], w->pads[3]));
}

/* --- convolution ----------------------------------------------------------------------------- */

static rv_status fail_weights(const rv_onnx_node *node, const rv_onnx_tensor *t)
{
    char text[96];
    return rv_fail(RV_ERR_SHAPE, "node '%.100s' (%.60s): weights '%.100s' of %s do not fit",
                   rv_onnx_node_name(node), node->op, t->name, rv_onnx_shape_text(text, &t->shape));
}

static rv_status check_kernel(const rv_onnx_node *node, const rv_onnx_tensor *weight)
{
    int64_t kernel[2];
    if (weight->shape.rank != 4) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a convolution of %d dimensions",
                       weight->shape.rank - 2);
    }
    const int64_t *dim = weight->shape.dim;
    RV_TRY(rv_onnx_ints(kernel, 2, node, "kernel_shape", 0));
    const bool same = kernel[0] == 0 || (kernel[0] == dim[2] && kernel[1] == dim[3]);
    return same && dim[0] > 0 && dim[0] <= INT_MAX ? RV_OK : fail_weights(node, weight);
}

static rv_status add_conv(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *weight, *bias;
    window w;
    int64_t groups;
    rv_layer *layer;
    RV_TRY(rv_onnx_constant(&weight, im, node, 1, "weight", false));
    RV_TRY(rv_onnx_constant(&bias, im, node, 2, "bias", true));
    RV_TRY(check_kernel(node, weight));
    RV_TRY(rv_onnx_maps(&x, im, node, 0));
    RV_TRY(rv_onnx_int(&groups, node, "group", 1));
    w.kernel[0] = weight->shape.dim[2];
    w.kernel[1] = weight->shape.dim[3];
    RV_TRY(read_window(&w, node, &x->shape));
    if (groups < 1 || groups > weight->shape.dim[0] ||
        x->shape.dim[1] != weight->shape.dim[1] * groups) {
        return fail_weights(node, weight);
    }
    RV_TRY(rv_onnx_layer(&layer, im, node, "conv", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("num_output", weight->shape.dim[0]));
    set_window(layer, &w);
    rv_layer_set(layer, RV_SET_INT2("dilation", w.dilation[0], w.dilation[1]));
    rv_layer_set(layer, RV_SET_INT("groups", groups));
    rv_layer_set(layer, RV_SET_INT("bias", bias != NULL));
    RV_TRY(rv_onnx_bind(im, layer, "weight", weight, 1, false));
    if (bias != NULL) {
        RV_TRY(rv_onnx_bind(im, layer, "bias", bias, 1, false));
    }
    return rv_onnx_end(im, node, NULL);
}

/* The sides of a Pad: top, left, bottom, right. */
static rv_status read_pads(int64_t out[4], const rv_onnx_importer *im, const rv_onnx_node *node)
{
    int64_t pads[RV_ONNX_MAX_LIST], axes[RV_ONNX_MAX_LIST];
    size_t n = 8, n_axes;
    if (im->onnx->opset < 11) {
        RV_TRY(rv_onnx_ints(pads, 8, node, "pads", 0));
    } else {
        RV_TRY(rv_onnx_numbers(pads, &n, im, node, 1));
    }
    RV_TRY(rv_onnx_numbers(axes, &n_axes, im, node, 3));
    const bool all = n == 8 && n_axes == 0, some = n == 4 && n_axes == 2;
    const bool spatial =
        (all && pads[0] == 0 && pads[1] == 0 && pads[4] == 0 && pads[5] == 0) ||
        (some && (axes[0] == 2 || axes[0] == -2) && (axes[1] == 3 || axes[1] == -1));
    if (!spatial) {
        return rv_fail(RV_ERR_UNSUPPORTED, "padding of others than rows and columns");
    }
    for (int i = 0; i < 4; i++) {
        out[i] = pads[all ? (i < 2 ? 2 + i : 4 + i) : i];
    }
    return in_range(out, 4, 0) ? RV_OK
                               : rv_fail(RV_ERR_UNSUPPORTED, "padding of less than nothing");
}

/* Padding alone is a convolution of each channel with a single 1. */
static rv_status add_pad(rv_onnx_importer *im, const rv_onnx_node *node)
{
    static const char *const modes[] = {"constant", "reflect", "edge", NULL};
    static const char *const pad_modes[] = {"zero", "reflect", "replicate"};
    const rv_onnx_value *x;
    int64_t pads[4];
    double value;
    int mode;
    rv_layer *layer;
    RV_TRY(rv_onnx_text(&mode, node, "mode", modes));
    RV_TRY(rv_onnx_maps(&x, im, node, 0));
    RV_TRY(read_pads(pads, im, node));
    if (im->onnx->opset < 11) {
        RV_TRY(rv_onnx_float(&value, node, "value", 0));
    } else {
        RV_TRY(rv_onnx_number(&value, im, node, 2, 0));
    }
    if (mode == 0 && value != 0) {
        return rv_fail(RV_ERR_UNSUPPORTED, "padding with %g", value);
    }
    const int64_t channels = x->shape.dim[1];
    RV_TRY(rv_onnx_layer(&layer, im, node, "conv", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("num_output", channels));
    rv_layer_set(layer, RV_SET_INT("groups", channels));
    rv_layer_set(layer, RV_SET_INT4("pads", pads[0], pads[1], pads[2], pads[3]));
    rv_layer_set(layer, RV_SET_ENUM("pad_mode", pad_modes[mode]));
    rv_layer_set(layer, RV_SET_INT("bias", 0));
    RV_TRY(rv_onnx_bind(im, layer, "weight", NULL, 1, false));
    return rv_onnx_end(im, node, NULL);
}

/* --- pooling --------------------------------------------------------------------------------- */

static rv_status add_pool(rv_onnx_importer *im, const rv_onnx_node *node, bool max)
{
    const rv_onnx_value *x;
    window w;
    int64_t ceil_mode, include;
    rv_layer *layer;
    RV_TRY(rv_onnx_single_output(im, node));
    RV_TRY(rv_onnx_maps(&x, im, node, 0));
    RV_TRY(rv_onnx_ints(w.kernel, 2, node, "kernel_shape", 0));
    RV_TRY(read_window(&w, node, &x->shape));
    RV_TRY(rv_onnx_int(&ceil_mode, node, "ceil_mode", 0));
    RV_TRY(rv_onnx_int(&include, node, "count_include_pad", 0));
    if (w.dilation[0] != 1 || w.dilation[1] != 1) {
        return rv_fail(RV_ERR_UNSUPPORTED, "windows with gaps");
    }
    const char *op = max ? "max_pool" : "average_pool";
    RV_TRY(rv_onnx_layer(&layer, im, node, op, NULL, &x, 1));
    set_window(layer, &w);
    rv_layer_set(layer, RV_SET_INT("ceil_mode", ceil_mode != 0));
    if (!max) {
        rv_layer_set(layer, RV_SET_INT("count_include_pad", include != 0));
    }
    return rv_onnx_end(im, node, NULL);
}

static rv_status add_max_pool(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_pool(im, node, true);
}

static rv_status add_average_pool(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_pool(im, node, false);
}

static rv_status add_global(rv_onnx_importer *im, const rv_onnx_node *node, bool max,
                            const rv_onnx_shape *like)
{
    const rv_onnx_value *x;
    rv_layer *layer;
    RV_TRY(rv_onnx_maps(&x, im, node, 0));
    RV_TRY(rv_onnx_layer(&layer, im, node, max ? "max_pool" : "average_pool", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("global", 1));
    return rv_onnx_end(im, node, like);
}

static rv_status add_global_average(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_global(im, node, false, NULL);
}

static rv_status add_global_max(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_global(im, node, true, NULL);
}

/* The mean over rows and columns. */
static rv_status add_reduce_mean(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    rv_onnx_attr a;
    int64_t keep;
    int first, second;
    RV_TRY(rv_onnx_maps(&x, im, node, 0));
    RV_TRY(rv_onnx_attr_find(&a, node, "axes"));
    if (im->onnx->opset >= 18) {
        RV_TRY(rv_onnx_numbers(a.ints, &a.n_ints, im, node, 1));
    }
    RV_TRY(rv_onnx_int(&keep, node, "keepdims", 1));
    if (a.n_ints != 2) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a mean over others than rows and columns");
    }
    RV_TRY(rv_onnx_axis(&first, a.ints[0], 4));
    RV_TRY(rv_onnx_axis(&second, a.ints[1], 4));
    if (first + second != 5 || first == second || first < 2 || second < 2) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a mean over others than rows and columns");
    }
    const rv_onnx_shape like = {keep != 0 ? 4 : 2, {x->shape.dim[0], x->shape.dim[1], 1, 1}};
    return add_global(im, node, false, &like);
}

/* --- dense ----------------------------------------------------------------------------------- */

/* Input 0 as pictures x features: what a dense layer makes of the values that the trial graph has. */
static rv_status take_rows(const rv_onnx_value **out, const rv_onnx_importer *im,
                           const rv_onnx_node *node)
{
    char text[96];
    RV_TRY(rv_onnx_data(out, im, node, 0));
    const rv_onnx_shape *shape = &(*out)->shape;
    const rv_shape *physical = rv_onnx_physical(im, *out);
    const bool rows = shape->rank == 2 && shape->dim[0] == physical->dim[0] &&
                      (physical->rank == 2 || physical->rank == 4);
    return rows ? RV_OK
                : rv_fail(RV_ERR_UNSUPPORTED, "a product with %s", rv_onnx_shape_text(text, shape));
}

/* A matrix as [outputs, features]. */
static rv_status take_matrix(const rv_onnx_tensor **out, rv_onnx_importer *im,
                             const rv_onnx_node *node, int64_t features, bool turn)
{
    const rv_onnx_tensor *t = *out;
    if (t->shape.rank != 2) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a product with weights of %d dimensions",
                       t->shape.rank);
    }
    if (turn) {
        rv_onnx_tensor *turned;
        const rv_onnx_shape shape = {2, {t->shape.dim[1], t->shape.dim[0]}};
        const bool was_turned = t->transposed;
        if (was_turned || t->values != NULL) {
            RV_TRY(rv_onnx_tensor_make(&turned, im->onnx, t->name, t->type, &shape));
            for (int64_t i = 0; i < shape.dim[0]; i++) {
                for (int64_t k = 0; k < shape.dim[1]; k++) {
                    RV_TRY(rv_onnx_tensor_values(t, (size_t)(k * shape.dim[0] + i), 1,
                                                 &turned->values[i * shape.dim[1] + k]));
                }
            }
        } else {
            RV_TRY(rv_onnx_tensor_view(&turned, im->onnx, t->name, t, &shape));
            turned->transposed = true;
        }
        t = *out = turned;
    }
    return t->shape.dim[1] == features && t->shape.dim[0] > 0 && t->shape.dim[0] <= INT_MAX
               ? RV_OK
               : fail_weights(node, t);
}

/* Whether a constant is one number for each output, or one for all. */
static bool is_row(const rv_onnx_tensor *t, int64_t outputs)
{
    return t->count == 1 || (t->count == (size_t)outputs && t->shape.rank > 0 &&
                             t->shape.dim[t->shape.rank - 1] == outputs);
}

static rv_status add_gemm(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *weight, *bias;
    int64_t turn_a, turn_b;
    double alpha, beta;
    rv_layer *layer;
    RV_TRY(take_rows(&x, im, node));
    RV_TRY(rv_onnx_constant(&weight, im, node, 1, "weight", false));
    RV_TRY(rv_onnx_constant(&bias, im, node, 2, "bias", true));
    RV_TRY(rv_onnx_int(&turn_a, node, "transA", 0));
    RV_TRY(rv_onnx_int(&turn_b, node, "transB", 0));
    RV_TRY(rv_onnx_float(&alpha, node, "alpha", 1));
    RV_TRY(rv_onnx_float(&beta, node, "beta", 1));
    if (turn_a != 0) {
        return rv_fail(RV_ERR_UNSUPPORTED, "transA");
    }
    RV_TRY(take_matrix(&weight, im, node, x->shape.dim[1], turn_b == 0));
    const int64_t outputs = weight->shape.dim[0];
    if (bias != NULL && !is_row(bias, outputs)) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a bias of its own for each picture");
    }
    RV_TRY(rv_onnx_layer(&layer, im, node, "dense", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("num_output", outputs));
    rv_layer_set(layer, RV_SET_INT("bias", bias != NULL));
    RV_TRY(rv_onnx_bind(im, layer, "weight", weight, alpha, false));
    if (bias != NULL) {
        RV_TRY(rv_onnx_bind(im, layer, "bias", bias, beta, false));
    }
    return rv_onnx_end(im, node, NULL);
}

/* A sum behind it may yet give it a bias. */
static rv_status add_mat_mul(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *weight;
    rv_layer *layer;
    RV_TRY(take_rows(&x, im, node));
    RV_TRY(rv_onnx_constant(&weight, im, node, 1, "weight", false));
    RV_TRY(take_matrix(&weight, im, node, x->shape.dim[1], true));
    RV_TRY(rv_onnx_layer(&layer, im, node, "dense", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("num_output", weight->shape.dim[0]));
    rv_layer_set(layer, RV_SET_INT("bias", 0));
    RV_TRY(rv_onnx_bind(im, layer, "weight", weight, 1, false));
    RV_TRY(rv_onnx_end(im, node, NULL));
    im->values[im->n_values - 1].open_dense = im->network->n_layers;
    return RV_OK;
}

/* --- normalisation --------------------------------------------------------------------------- */

static rv_status add_batch_norm(rv_onnx_importer *im, const rv_onnx_node *node)
{
    static const char *const params[] = {"weight", "bias", "mean", "variance"};
    const rv_onnx_value *x;
    const rv_onnx_tensor *t[4];
    int64_t training, spatial;
    double epsilon;
    rv_layer *layer;
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    RV_TRY(rv_onnx_int(&training, node, "training_mode", 0));
    RV_TRY(rv_onnx_int(&spatial, node, "spatial", 1));
    RV_TRY(rv_onnx_float(&epsilon, node, "epsilon", 1e-5));
    if (training != 0 || spatial == 0 || !rv_onnx_is_direct(im, x) ||
        (x->shape.rank != 2 && x->shape.rank != 4)) {
        return rv_fail(RV_ERR_UNSUPPORTED, training != 0 ? "in training" : "not per channel");
    }
    RV_TRY(rv_onnx_single_output(im, node));
    const int64_t channels = x->shape.dim[1];
    for (size_t i = 0; i < 4; i++) {
        RV_TRY(rv_onnx_constant(&t[i], im, node, 1 + i, params[i], false));
        if (t[i]->count != (size_t)channels) {
            return fail_weights(node, t[i]);
        }
    }
    RV_TRY(rv_onnx_layer(&layer, im, node, "batch_norm", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_FLOAT("epsilon", epsilon));
    rv_layer_set(layer, RV_SET_INT("affine", 1));
    for (size_t i = 0; i < 4; i++) {
        RV_TRY(rv_onnx_bind(im, layer, params[i], t[i], 1, false));
    }
    return rv_onnx_end(im, node, NULL);
}

static rv_status add_lrn(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    int64_t size;
    double alpha, beta, k;
    rv_layer *layer;
    RV_TRY(rv_onnx_maps(&x, im, node, 0));
    RV_TRY(rv_onnx_int(&size, node, "size", 0));
    RV_TRY(rv_onnx_float(&alpha, node, "alpha", 1e-4));
    RV_TRY(rv_onnx_float(&beta, node, "beta", 0.75));
    RV_TRY(rv_onnx_float(&k, node, "bias", 1));
    RV_TRY(rv_onnx_layer(&layer, im, node, "lrn", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("size", size));
    rv_layer_set(layer, RV_SET_FLOAT("alpha", alpha));
    rv_layer_set(layer, RV_SET_FLOAT("beta", beta));
    rv_layer_set(layer, RV_SET_FLOAT("k", k));
    return rv_onnx_end(im, node, NULL);
}

/* Whether all values of a picture belong to its channels, one each. */
static bool is_flat(const rv_onnx_importer *im, const rv_onnx_value *v)
{
    const rv_shape *s = rv_onnx_physical(im, v);
    return (s->rank == 2 || s->rank == 4) && s->dim[2] == 1 && s->dim[3] == 1;
}

/* Over the channels; before version 13 over all behind the axis as well, which has to be nothing. */
static rv_status add_softmax(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    int64_t number;
    int axis;
    rv_layer *layer;
    const bool old = im->onnx->opset < 13;
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    RV_TRY(rv_onnx_int(&number, node, "axis", old ? 1 : -1));
    RV_TRY(rv_onnx_axis(&axis, number, x->shape.rank));
    const rv_shape *s = rv_onnx_physical(im, x);
    const bool rows = x->shape.rank >= 2 && x->shape.dim[0] == s->dim[0] &&
                      x->shape.dim[1] == s->dim[1] && axis == 1;
    if (!rows || !(is_flat(im, x) || (!old && rv_onnx_is_direct(im, x) && s->rank == 4))) {
        return rv_fail(RV_ERR_UNSUPPORTED, "over axis %d of %d", axis, x->shape.rank);
    }
    const rv_onnx_shape like = x->shape;
    RV_TRY(rv_onnx_layer(&layer, im, node, "softmax", NULL, &x, 1));
    return rv_onnx_end(im, node, &like);
}

/* --- joining --------------------------------------------------------------------------------- */

/* Tensors that were made rows of numbers stand behind one another as their maps do, where these are of one size. */
static rv_status add_concat(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *in[RV_MAX_INPUTS];
    const size_t n = node->inputs.n;
    int64_t number;
    int axis;
    rv_layer *layer;
    if (n < 1 || n > RV_MAX_INPUTS) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%zu inputs; 1 to %d can be joined", n, RV_MAX_INPUTS);
    }
    RV_TRY(rv_onnx_int(&number, node, "axis", 1));
    rv_onnx_shape like = {0};
    for (size_t i = 0; i < n; i++) {
        RV_TRY(rv_onnx_data(&in[i], im, node, i));
        RV_TRY(rv_onnx_axis(&axis, number, in[i]->shape.rank));
        const rv_shape *first = rv_onnx_physical(im, in[0]), *s = rv_onnx_physical(im, in[i]);
        const bool direct = rv_onnx_is_direct(im, in[i]);
        const bool rows = in[i]->shape.rank == 2 && in[i]->shape.dim[0] == s->dim[0];
        if (axis != 1 || (s->rank != 2 && s->rank != 4) || !(direct || rows) ||
            s->rank != first->rank || in[i]->shape.rank != in[0]->shape.rank) {
            return rv_fail(RV_ERR_UNSUPPORTED, "others than channels");
        }
        const int64_t before = like.dim[1];
        like = in[i]->shape;
        like.dim[1] += before;
    }
    RV_TRY(rv_onnx_layer(&layer, im, node, "concat", NULL, in, n));
    return rv_onnx_end(im, node, &like);
}

/* --- the table ------------------------------------------------------------------------------- */

rv_onnx_add *rv_onnx_find_layer(const char *op)
{
    static const struct {
        const char *op;
        rv_onnx_add *add;
    } table[] = {
        {"AveragePool", add_average_pool},
        {"BatchNormalization", add_batch_norm},
        {"Concat", add_concat},
        {"Conv", add_conv},
        {"Gemm", add_gemm},
        {"GlobalAveragePool", add_global_average},
        {"GlobalMaxPool", add_global_max},
        {"LRN", add_lrn},
        {"MatMul", add_mat_mul},
        {"MaxPool", add_max_pool},
        {"Pad", add_pad},
        {"ReduceMean", add_reduce_mean},
        {"Softmax", add_softmax},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, op) == 0) {
            return table[i].add;
        }
    }
    return NULL;
}
