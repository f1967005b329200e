/* ONNX nodes that work value by value: activations, sums, and arithmetic with constants per channel. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/onnx_import.h"

#include <math.h>
#include <string.h>

/* --- functions of one value ------------------------------------------------------------------ */

/* A layer without attributes. */
static rv_status add_plain(rv_onnx_importer *im, const rv_onnx_node *node, const char *op)
{
    const rv_onnx_value *x;
    rv_layer *layer;
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    const rv_onnx_shape like = x->shape;
    RV_TRY(rv_onnx_layer(&layer, im, node, op, NULL, &x, 1));
    return rv_onnx_end(im, node, &like);
}

/* A layer with one number. */
static rv_status add_with(rv_onnx_importer *im, const rv_onnx_node *node, const char *op,
                          const char *attr, double value)
{
    const rv_onnx_value *x;
    rv_layer *layer;
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    const rv_onnx_shape like = x->shape;
    RV_TRY(rv_onnx_layer(&layer, im, node, op, NULL, &x, 1));
    rv_layer_set(layer, RV_SET_FLOAT(attr, value));
    return rv_onnx_end(im, node, &like);
}

static rv_status add_relu(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_plain(im, node, "relu");
}

static rv_status add_sigmoid(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_plain(im, node, "sigmoid");
}

static rv_status add_tanh(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_plain(im, node, "tanh");
}

static rv_status add_sqrt(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return add_plain(im, node, "sqrt");
}

static rv_status add_leaky_relu(rv_onnx_importer *im, const rv_onnx_node *node)
{
    double alpha;
    RV_TRY(rv_onnx_float(&alpha, node, "alpha", 0.01));
    return add_with(im, node, "leaky_relu", "slope", alpha);
}

static rv_status add_elu(rv_onnx_importer *im, const rv_onnx_node *node)
{
    double alpha;
    RV_TRY(rv_onnx_float(&alpha, node, "alpha", 1));
    return add_with(im, node, "elu", "alpha", alpha);
}

static rv_status add_selu(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    double alpha, gamma;
    rv_layer *layer;
    RV_TRY(rv_onnx_float(&alpha, node, "alpha", 1.67326319217681884765625));
    RV_TRY(rv_onnx_float(&gamma, node, "gamma", 1.05070102214813232421875));
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    const rv_onnx_shape like = x->shape;
    RV_TRY(rv_onnx_layer(&layer, im, node, "selu", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_FLOAT("alpha", alpha));
    rv_layer_set(layer, RV_SET_FLOAT("scale", gamma));
    return rv_onnx_end(im, node, &like);
}

static rv_status add_clip(rv_onnx_importer *im, const rv_onnx_node *node)
{
    double low = -INFINITY, high = INFINITY;
    const rv_onnx_value *x;
    rv_layer *layer;
    if (im->onnx->opset < 11) {
        RV_TRY(rv_onnx_float(&low, node, "min", low));
        RV_TRY(rv_onnx_float(&high, node, "max", high));
    } else {
        RV_TRY(rv_onnx_number(&low, im, node, 1, low));
        RV_TRY(rv_onnx_number(&high, im, node, 2, high));
    }
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    const rv_onnx_shape like = x->shape;
    if (low == 0 && high > 3e38) {
        return add_plain(im, node, "relu");
    }
    RV_TRY(rv_onnx_layer(&layer, im, node, "clip", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_FLOAT("low", fmax(low, -1e30)));
    rv_layer_set(layer, RV_SET_FLOAT("high", fmin(high, 1e30)));
    return rv_onnx_end(im, node, &like);
}

/* Drops nothing where networks are used, but training goes on with it. */
static rv_status add_dropout(rv_onnx_importer *im, const rv_onnx_node *node)
{
    double ratio, training;
    if (im->onnx->opset < 12) {
        RV_TRY(rv_onnx_float(&ratio, node, "ratio", 0.5));
    } else {
        RV_TRY(rv_onnx_number(&ratio, im, node, 1, 0.5));
    }
    RV_TRY(rv_onnx_number(&training, im, node, 2, 0));
    RV_TRY(rv_onnx_single_output(im, node));
    if (training != 0) {
        return rv_fail(RV_ERR_UNSUPPORTED, "in training");
    }
    return add_with(im, node, "dropout", "ratio", ratio);
}

/* --- constants ------------------------------------------------------------------------------- */

/* Whether a constant, spread over `x` as NumPy does, is one number for each channel, or one for all. */
static bool is_per_channel(const rv_onnx_importer *im, const rv_onnx_tensor *t,
                           const rv_onnx_value *x)
{
    const rv_shape *s = rv_onnx_physical(im, x);
    const int channel = t->shape.rank - x->shape.rank + 1; /* its axis in the constant */
    if (t->count == 1) {
        return t->shape.rank <= x->shape.rank;
    }
    if (s->rank < 2 || x->shape.rank < 2 || x->shape.dim[1] != s->dim[1] || channel < 0 ||
        t->shape.rank > x->shape.rank || t->count != (size_t)s->dim[1]) {
        return false;
    }
    return t->shape.dim[channel] == s->dim[1];
}

/* The shape in which one channel stands, so that `scale` can take x. */
static rv_status check_scaled(const rv_onnx_importer *im, const rv_onnx_tensor *t,
                              const rv_onnx_value *x)
{
    char a[96], b[96];
    const rv_shape *s = rv_onnx_physical(im, x);
    if (is_per_channel(im, t, x) && (s->rank == 2 || s->rank == 4)) {
        return RV_OK;
    }
    return rv_fail(RV_ERR_UNSUPPORTED, "%s with a constant of %s", rv_onnx_shape_text(a, &x->shape),
                   rv_onnx_shape_text(b, &t->shape));
}

/* y = weight * x + bias, each a constant times a factor, or that factor alone. */
typedef struct map {
    const rv_onnx_tensor *weight, *bias;
    double weight_factor, bias_factor;
    bool reciprocal; /* of the weight */
} map;

static rv_status add_map(rv_onnx_importer *im, const rv_onnx_node *node, const rv_onnx_value *x,
                         const map *m)
{
    rv_layer *layer;
    const bool has_bias = m->bias != NULL;
    const rv_onnx_tensor *t = has_bias ? m->bias : m->weight;
    if (t != NULL) {
        RV_TRY(check_scaled(im, t, x));
    }
    const rv_onnx_shape like = x->shape;
    RV_TRY(rv_onnx_layer(&layer, im, node, "scale", NULL, &x, 1));
    rv_layer_set(layer, RV_SET_INT("bias", has_bias));
    RV_TRY(rv_onnx_bind(im, layer, "weight", m->weight, m->weight_factor, m->reciprocal));
    if (has_bias) {
        RV_TRY(rv_onnx_bind(im, layer, "bias", m->bias, m->bias_factor, false));
    }
    return rv_onnx_end(im, node, &like);
}

/* Input 0 or 1 is the constant; *constant is NULL where both are computed. */
static rv_status split(const rv_onnx_importer *im, const rv_onnx_node *node,
                       const rv_onnx_value **x, const rv_onnx_tensor **constant, bool *first)
{
    const rv_onnx_value *a = rv_onnx_in(im, node, 0), *b = rv_onnx_in(im, node, 1);
    if (a == NULL || b == NULL || node->inputs.n != 2) {
        return rv_fail(RV_ERR_FORMAT, "node '%.100s' (%.60s) takes two inputs",
                       rv_onnx_node_name(node), node->op);
    }
    *first = a->constant != NULL;
    *x = *first ? b : a;
    *constant = *first ? a->constant : b->constant;
    return RV_OK;
}

/* A dense layer that has no bias yet takes the constant as one. */
static rv_status give_bias(rv_onnx_importer *im, const rv_onnx_node *node, const rv_onnx_value *x,
                           const rv_onnx_tensor *bias)
{
    rv_layer *layer = &im->network->layers[x->open_dense - 1];
    for (size_t i = 0; i < layer->n_attrs; i++) {
        if (strcmp(layer->attrs[i].name, "bias") == 0) {
            layer->attrs[i].number[0] = 1;
        }
    }
    RV_TRY(rv_onnx_bind(im, layer, "bias", bias, 1, false));
    return rv_onnx_alias(im, node, x, &x->shape);
}

/* Tensors of one shape by operation `op`. @param attr  NULL: it needs none */
static rv_status combine(rv_onnx_importer *im, const rv_onnx_node *node, const char *op,
                         const rv_attr_value *attr)
{
    rv_layer *layer;
    const rv_onnx_value *in[RV_MAX_INPUTS];
    const size_t n = node->inputs.n, most = strcmp(op, "add") == 0 ? RV_MAX_INPUTS : 2;
    if (n < 1 || n > most) {
        return rv_fail(RV_ERR_UNSUPPORTED, "%zu inputs; 1 to %zu are taken", n, most);
    }
    for (size_t i = 0; i < n; i++) {
        RV_TRY(rv_onnx_data(&in[i], im, node, i));
        const rv_shape *first = rv_onnx_physical(im, in[0]), *s = rv_onnx_physical(im, in[i]);
        bool same = rv_shape_equal(first, s) && in[0]->shape.rank == in[i]->shape.rank;
        for (int k = 0; same && k < in[0]->shape.rank; k++) {
            same = in[0]->shape.dim[k] == in[i]->shape.dim[k];
        }
        if (!same) {
            char a[96], b[96];
            return rv_fail(RV_ERR_UNSUPPORTED, "%s and %s", rv_onnx_shape_text(a, &in[0]->shape),
                           rv_onnx_shape_text(b, &in[i]->shape));
        }
    }
    const rv_onnx_shape like = in[0]->shape;
    if (n == 1) {
        return rv_onnx_alias(im, node, in[0], &like);
    }
    RV_TRY(rv_onnx_layer(&layer, im, node, op, NULL, in, n));
    if (attr != NULL) {
        rv_layer_set(layer, *attr);
    }
    return rv_onnx_end(im, node, &like);
}

static rv_status add_add(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *constant;
    bool first;
    if (node->inputs.n != 2) {
        return combine(im, node, "add", NULL); /* Sum takes any number */
    }
    RV_TRY(split(im, node, &x, &constant, &first));
    if (constant == NULL) {
        return combine(im, node, "add", NULL);
    }
    if (x->open_dense > 0 && x->n_readers == 1 && is_per_channel(im, constant, x)) {
        return give_bias(im, node, x, constant);
    }
    return add_map(im, node, x, &(map){.bias = constant, .weight_factor = 1, .bias_factor = 1});
}

static rv_status add_sub(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *constant;
    bool first;
    RV_TRY(split(im, node, &x, &constant, &first));
    if (constant == NULL) {
        return combine(im, node, "weighted_add", &RV_SET_FLOAT2("factors", 1, -1));
    }
    const double sign = first ? -1 : 1;
    return add_map(im, node, x,
                   &(map){.bias = constant, .weight_factor = sign, .bias_factor = -sign});
}

static rv_status add_mul(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *constant;
    bool first;
    RV_TRY(split(im, node, &x, &constant, &first));
    if (constant == NULL) {
        return combine(im, node, "multiply", NULL);
    }
    return add_map(im, node, x, &(map){.weight = constant, .weight_factor = 1});
}

static rv_status add_div(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *constant;
    bool first;
    RV_TRY(split(im, node, &x, &constant, &first));
    if (constant == NULL || first) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a quotient by a tensor");
    }
    return add_map(im, node, x, &(map){.weight = constant, .weight_factor = 1, .reciprocal = true});
}

/* Of constants it is folded; with one there is Clip. */
static rv_status add_max(rv_onnx_importer *im, const rv_onnx_node *node)
{
    return combine(im, node, "maximum", NULL);
}

static rv_status add_neg(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    const rv_shape *s = rv_onnx_physical(im, x);
    if (s->rank != 2 && s->rank != 4) {
        return rv_fail(RV_ERR_UNSUPPORTED, "a tensor of %d dimensions", s->rank);
    }
    return add_map(im, node, x, &(map){.weight_factor = -1});
}

static rv_status add_prelu(rv_onnx_importer *im, const rv_onnx_node *node)
{
    const rv_onnx_value *x;
    const rv_onnx_tensor *slope;
    rv_layer *layer;
    RV_TRY(rv_onnx_data(&x, im, node, 0));
    RV_TRY(rv_onnx_constant(&slope, im, node, 1, "slope", false));
    RV_TRY(check_scaled(im, slope, x));
    const rv_onnx_shape like = x->shape;
    RV_TRY(rv_onnx_layer(&layer, im, node, "prelu", NULL, &x, 1));
    RV_TRY(rv_onnx_bind(im, layer, "weight", slope, 1, false));
    return rv_onnx_end(im, node, &like);
}

/* Squares and square roots. */
static rv_status add_pow(rv_onnx_importer *im, const rv_onnx_node *node)
{
    double exponent;
    RV_TRY(rv_onnx_number(&exponent, im, node, 1, 0));
    if (exponent != 2 && exponent != 0.5) {
        return rv_fail(RV_ERR_UNSUPPORTED, "the exponent %g", exponent);
    }
    return add_plain(im, node, exponent == 2 ? "square" : "sqrt");
}

/* --- the table ------------------------------------------------------------------------------- */

rv_onnx_add *rv_onnx_find_elementwise(const char *op)
{
    static const struct {
        const char *op;
        rv_onnx_add *add;
    } table[] = {
        {"Add", add_add},         {"Clip", add_clip},       {"Div", add_div},
        {"Dropout", add_dropout}, {"Elu", add_elu},         {"LeakyRelu", add_leaky_relu},
        {"Max", add_max},         {"Mul", add_mul},         {"Neg", add_neg},
        {"PRelu", add_prelu},     {"Pow", add_pow},         {"Relu", add_relu},
        {"Selu", add_selu},       {"Sigmoid", add_sigmoid}, {"Sqrt", add_sqrt},
        {"Sub", add_sub},         {"Sum", add_add},         {"Tanh", add_tanh},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].op, op) == 0) {
            return table[i].add;
        }
    }
    return NULL;
}
